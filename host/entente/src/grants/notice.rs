//! What the operator is told about an integration although nothing is wrong, as data. The sentences are in
//! [`view`](crate::view).

use crate::config::{SecretInfo, SecretText};
use entente_sync::Remedy;

/// Something that the operator should know about an integration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum IntegrationNotice {
    /// What the plugin asks for cannot be told.
    AsksUnknown {
        /// Why.
        why: String,
    },
    /// A secret is granted and has no value yet.
    SecretNotSet {
        /// Its name.
        secret: String,
    },
    /// Hosts are granted, and the plugin asks for none: granting them changes nothing.
    NoHostAsked,
    /// A host is granted that the plugin does not ask for: granting it changes nothing.
    HostNotAsked {
        /// As the grant is written.
        host: String,
    },
    /// A secret is granted that the plugin does not ask for: granting it changes nothing.
    SecretNotAsked {
        /// Its name.
        secret: String,
    },
    /// The plugin asks for any host, which cannot be granted as such.
    AnyHost,
    /// A host that the plugin asks for is none of the public network, and is granted only by its name.
    HostNotPublic {
        /// As it would be granted.
        host: String,
        /// What it is.
        why: &'static str,
    },
    /// A secret is so weak that a plugin could guess it.
    WeakSecret {
        /// Its name.
        secret: String,
        /// What is weak about it.
        why: String,
    },
    /// A host that the plugin asks for cannot be granted: its settings are not set, or lead to no host.
    HostUnknown {
        /// As the manifest has it.
        address: String,
    },
    /// A setting that the plugin does not read.
    UnknownSetting {
        /// Its name.
        setting: String,
        /// The name of the plugin.
        plugin: String,
    },
    /// A setting with which the plugin cannot run.
    UnfitSetting {
        /// Its name.
        setting: String,
        /// What is wrong.
        message: String,
    },
    /// A part of the mapping that the plugin proposes was left out.
    LeftOut {
        /// Which, and why.
        text: String,
    },
}

impl IntegrationNotice {
    /// What programs go by.
    pub fn code(&self) -> &'static str {
        match self {
            Self::AsksUnknown { .. } => "asks-unknown",
            Self::SecretNotSet { .. } => "secret-not-set",
            Self::NoHostAsked => "no-host-asked",
            Self::HostNotAsked { .. } => "host-not-asked",
            Self::SecretNotAsked { .. } => "secret-not-asked",
            Self::AnyHost => "any-host",
            Self::HostNotPublic { .. } => "host-not-public",
            Self::WeakSecret { .. } => "weak-secret",
            Self::HostUnknown { .. } => "host-unknown",
            Self::UnknownSetting { .. } => "unknown-setting",
            Self::UnfitSetting { .. } => "unfit-setting",
            Self::LeftOut { .. } => "left-out",
        }
    }

    /// What can be done about it.
    pub fn remedies(&self, integration: &str) -> Vec<Remedy> {
        let integration = integration.to_owned();
        match self {
            Self::SecretNotSet { secret } => vec![Remedy::SetSecret { integration, secret: secret.clone() }],
            Self::UnfitSetting { setting, .. } => {
                vec![Remedy::SetSetting { integration, setting: setting.clone() }]
            }
            Self::HostNotPublic { host, .. } => vec![Remedy::GrantHost { integration, host: host.clone() }],
            Self::AnyHost => vec![Remedy::NameHost { integration, secret: None }],
            _ => Vec::new(),
        }
    }
}

/// Secrets that are so weak that a plugin could guess them.
pub(crate) fn weak_secrets<'a>(
    given: impl Iterator<Item = (&'a String, &'a SecretText)>,
) -> Vec<IntegrationNotice> {
    given
        .filter_map(|(name, text)| {
            text.weakness().map(|why| IntegrationNotice::WeakSecret { secret: name.clone(), why })
        })
        .collect()
}

/// Secrets that are granted and have no value.
pub(crate) fn missing_secrets<'a>(
    granted: impl Iterator<Item = &'a String>,
    stored: &[SecretInfo],
) -> Vec<IntegrationNotice> {
    granted
        .filter(|name| !stored.iter().any(|secret| secret.name == **name))
        .map(|name| IntegrationNotice::SecretNotSet { secret: name.clone() })
        .collect()
}
