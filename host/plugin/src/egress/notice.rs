//! Notices for the operator: why a call failed, where the plugin itself may not be told.

use super::budget::Held;
use super::secrets::SecretError;
use crate::component::manifest::{MANIFEST_FILE, makes_another};
use crate::limits::LimitReached;
use entente_core::Foreign;
use entente_sync::Remedy;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A reason that the operator should know if the call then fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notice {
    /// The manifest does not ask for the host.
    NotAsked { url: String },
    /// The manifest does not list the header.
    Header { name: String, url: String },
    /// The host is not granted.
    Denied { url: String, grant: String },
    /// The host is granted, but resolves to an address that is not.
    Address { url: String, why: String, grant: String },
    /// A piece of an answer came from a host that a secret is bound to.
    Piece { url: String },
    /// The secret is not bound to the host.
    Secret { url: String, secret: String },
    /// The secret is not available to the plugin.
    NoSecret(SecretError),
    /// A limit is reached.
    Limit(LimitReached),
    /// The call budget is spent; the next token returns after this time.
    Spent { limit: LimitReached, after: Duration },
    /// The remote system takes no calls.
    Held(Held),
    /// The book of the integration cannot be written.
    NotRecorded,
}

/// The notices of one call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notices(Arc<Mutex<Vec<Notice>>>, Arc<AtomicBool>);

impl Notices {
    pub(crate) fn add(&self, notice: Notice) {
        let mut notices = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Each is kept once; a plugin may be denied a thousand times.
        let known = |other: &Notice| {
            *other == notice
                || matches!((other, &notice), (Notice::Spent { .. }, Notice::Spent { .. }))
                || matches!((other, &notice), (Notice::Held(_), Notice::Held(_)))
        };
        if notices.len() < 8 && !notices.iter().any(known) {
            notices.push(notice);
        }
    }

    /// The remote system has answered a request with 401.
    pub(super) fn unauthorized(&self) {
        self.1.store(true, Ordering::Relaxed);
    }

    /// Whether the remote system has answered a request of this call with 401.
    pub(crate) fn take_unauthorized(&self) -> bool {
        self.1.swap(false, Ordering::Relaxed)
    }

    pub(crate) fn take(&self) -> Vec<Notice> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Notice {
    /// The text for the operator.
    pub(crate) fn text(&self) -> String {
        match self {
            Notice::NotAsked { url } => format!(
                "the plugin tried to call {url}, which its manifest does not ask for, so that it cannot be granted"
            ),
            Notice::Header { name, url } if makes_another(name) => format!(
                "the plugin tried to send the header {name} to {url}, which no plugin may send: it makes another request of the one \
                 that is allowed"
            ),
            Notice::Header { name, url } => format!(
                "the plugin tried to send the header {name} to {url}, which its manifest does not list; its author adds it to \
                 the list 'headers' in {MANIFEST_FILE}"
            ),
            Notice::Denied { url, grant } if grant.is_empty() => {
                format!("the plugin tried to call an address that is never allowed: {url}")
            }
            Notice::Denied { url, .. } => format!("the plugin was not allowed to call {url}"),
            Notice::Address { url, why, .. } => {
                format!("the plugin was not allowed to call {url}, because {why}")
            }
            Notice::Piece { url } => format!(
                "{url} gave only a piece of its answer, which is not taken where a secret is sent: a secret in it could not be found"
            ),
            Notice::Secret { url, secret } => {
                format!(
                    "the plugin tried to send the secret {} to {url}, which it is not bound to",
                    Foreign::new(secret).quoted()
                )
            }
            Notice::NoSecret(error) => error.to_string(),
            Notice::Limit(limit) | Notice::Spent { limit, .. } => limit.to_string(),
            Notice::Held(held) => {
                format!("it takes no calls before {}, as it said: {}", held.until, held.why)
            }
            Notice::NotRecorded => {
                "no request is sent, since it could not be written into the books of the integration; make room on the disk".to_owned()
            }
        }
    }

    /// Remedies for the operator.
    pub(crate) fn remedies(&self, integration: &str) -> Vec<Remedy> {
        let integration = integration.to_owned();
        match self {
            Notice::NotAsked { .. } => vec![Remedy::ShowGrants { integration }],
            Notice::Header { .. } | Notice::Piece { .. } => vec![Remedy::ReportToAuthor],
            Notice::NotRecorded => Vec::new(),
            Notice::Denied { grant, .. } if grant.is_empty() => Vec::new(),
            Notice::Denied { grant, .. } | Notice::Address { grant, .. } => {
                vec![Remedy::GrantHost { integration, host: grant.clone() }]
            }
            Notice::Secret { url, secret } => {
                vec![Remedy::GrantSecret { integration, secret: secret.clone(), host: Some(url.clone()) }]
            }
            Notice::NoSecret(error) => error.remedies(integration),
            Notice::Limit(limit) | Notice::Spent { limit, .. } => limit.remedies(),
            Notice::Held(held) => vec![Remedy::Resume { integration, until: Some(held.until) }],
        }
    }
}
