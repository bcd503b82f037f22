//! What an integration may reach beside what its plugin asks for, and what another version of it asks for.

use super::notice::NoticeView;
use super::plugin::AskView;
use crate::config::{Grants, Integration};
use crate::grants::{GrantDifference, SecretPlace};
use crate::tenant::{Granted, Upgraded};
use entente_core::Value;
use serde::Serialize;
use std::collections::BTreeMap;

/// What an integration may reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GrantView {
    /// What is granted.
    #[serde(flatten)]
    pub grants: Grants,
    /// What the plugin asks for.
    pub asks: Vec<AskView>,
    /// Hosts that it asks for and that no grant names as they are.
    pub open: Vec<String>,
    /// Secrets that it asks for and that are not granted.
    pub open_secrets: Vec<String>,
    /// What is granted now and was not before.
    pub widened: DifferenceView,
    /// What was granted before and is not now.
    pub narrowed: DifferenceView,
    /// What the operator should know.
    pub notices: Vec<NoticeView>,
}

/// What one set of grants has and another has not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DifferenceView {
    /// Hosts that requests may be sent to.
    pub http: Vec<String>,
    /// Secrets, a line for each host that they may be sent to.
    pub secrets: Vec<SecretPlaceView>,
    /// Keeping a few bytes between runs.
    pub state: bool,
}

/// A secret, and a host that it may be sent to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SecretPlaceView {
    /// Its name.
    pub secret: String,
    /// The host; `None` where it is sent nowhere: it signs, or no host is named yet.
    pub host: Option<String>,
}

/// What became of an upgrade.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UpgradeView {
    /// The integration as it is now.
    pub integration: Integration,
    /// The digest of the version that it had.
    pub before: String,
    /// The digest of the version that it was to have.
    pub wanted: String,
    /// Whether it runs another version than before.
    pub upgraded: bool,
    /// Nothing has changed: the version asks for more, which takes agreement.
    pub waits: bool,
    /// The settings that were set, whether the version has changed or not; none where it waits.
    pub set: BTreeMap<String, Value>,
    /// What that version asks for and the one before did not.
    pub more: Vec<AskView>,
    /// What the version before asked for and that one does not.
    pub less: Vec<AskView>,
    /// What agreeing grants, or has granted.
    pub widened: DifferenceView,
    /// What the operator should know.
    pub notices: Vec<NoticeView>,
}

impl From<&GrantDifference> for DifferenceView {
    fn from(difference: &GrantDifference) -> Self {
        let secrets = difference.secrets.iter().cloned();
        let secrets = secrets.map(|SecretPlace { secret, host }| SecretPlaceView { secret, host });
        Self { http: difference.hosts.clone(), secrets: secrets.collect(), state: difference.state }
    }
}

impl From<&Granted> for GrantView {
    fn from(granted: &Granted) -> Self {
        let Granted { integration, manifest, decision } = granted;
        Self {
            grants: decision.grants.clone(),
            asks: AskView::all(manifest),
            open: decision.open_hosts.clone(),
            open_secrets: decision.open_secrets.clone(),
            widened: (&decision.widened).into(),
            narrowed: (&decision.narrowed).into(),
            notices: NoticeView::all(&integration.name, &decision.notices),
        }
    }
}

impl From<&Upgraded> for UpgradeView {
    fn from(upgraded: &Upgraded) -> Self {
        let Upgraded { before, after, plugin, decision, settings, waits, .. } = upgraded;
        Self {
            integration: after.clone(),
            before: before.digest.clone(),
            wanted: plugin.digest.clone(),
            upgraded: after.digest != before.digest,
            waits: *waits,
            set: if *waits { BTreeMap::new() } else { settings.clone() },
            more: AskView::all(&decision.more),
            less: AskView::all(&decision.less),
            widened: (&decision.widened).into(),
            notices: NoticeView::all(&after.name, &decision.notices),
        }
    }
}
