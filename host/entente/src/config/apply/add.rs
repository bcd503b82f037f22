//! Adding one integration, and the sync that its plugin proposes, without a configuration file.

use super::commit::{ApplyOptions, Described, put_integration};
use super::prepare::{Draft, PluginSource};
use super::relations;
use crate::config::check::sync::SyncDraft;
use crate::config::configuration::Configuration;
use crate::config::error::{ConfigError, Problem, Problems};
use crate::config::names::check_integration_name;
use crate::config::secret_text::SecretText;
use crate::config::stored::integrations::{self, Grants, Integration};
use crate::config::stored::{plugins, syncs};
use entente_core::Value;
use entente_sqlite::Session;
use entente_sync::Remedy;
use entente_sync::{Clock, SyncDefinition, SystemClock};
use std::collections::{BTreeMap, BTreeSet};

/// The result of adding an integration.
#[derive(Debug, Clone, PartialEq)]
pub struct Added {
    /// The integration.
    pub integration: Integration,
    /// The sync of the same name, where one was made.
    pub sync: Option<SyncDefinition>,
}

impl Configuration {
    /// Drafts a new integration that is not stored yet, so that its plugin can be asked to describe itself
    /// first.
    ///
    /// # Errors
    /// Where the name is taken or invalid, or the plugin is not installed.
    pub async fn draft_integration(
        &self,
        name: &str,
        plugin: &str,
        settings: BTreeMap<String, Value>,
        grants: Grants,
        secrets: BTreeMap<String, SecretText>,
    ) -> Result<Draft, ConfigError> {
        self.read(|session| {
            check_integration_name(name).map_err(ConfigError::Name)?;
            refuse_taken(session, name)?;
            let plugin = plugins::find(session, plugin)?;
            let integration = Integration {
                name: name.to_owned(),
                plugin: plugin.name,
                digest: plugin.digest,
                enabled: true,
                settings,
                grants,
            };
            let given: BTreeSet<String> = secrets.keys().cloned().collect();
            Ok(Draft { integration, plugin: PluginSource::Installed, secrets, needed: true, given })
        })
        .await
    }

    /// Stores a new integration and, where one is given, the sync that
    /// [`definition_from_manual`](crate::definition_from_manual) made for it, in one transaction.
    ///
    /// # Errors
    /// Where the name is taken or invalid, a pattern is no grant, or the database or the key fails.
    pub async fn add_integration(
        &self,
        draft: &Draft,
        sync: Option<SyncDraft>,
    ) -> Result<Added, ConfigError> {
        let name = &draft.integration.name;
        let _held = self.home().hold_components();
        self.write(|session| {
            refuse_taken(session, name)?;
            if let Some(sync) = sync.as_ref().filter(|sync| !sync.0.exchanges.contains(name)) {
                return Err(ConfigError::Name(format!(
                    "the sync '{}' does not join the integration '{name}'",
                    sync.0.name
                )));
            }
            put_integration(
                draft,
                self.secret_store(session),
                &Described::default(),
                ApplyOptions::default(),
                SystemClock.now(),
            )?;
            let sync = sync.map(|sync| put_new_sync(session, name, sync)).transpose()?;
            Ok(Added { integration: integrations::get(session, name)?, sync })
        })
        .await
    }
}

fn put_new_sync(
    session: Session<'_>,
    integration: &str,
    sync: SyncDraft,
) -> Result<SyncDefinition, ConfigError> {
    let mut definition = sync.0;
    if syncs::find(session, &definition.name)?.is_some() {
        let remedies = vec![Remedy::Export, Remedy::Apply, Remedy::ApplyPruned];
        return Err(ConfigError::Exists { what: "sync", name: definition.name, remedies });
    }
    if let Some(rival) = relations::rivals(session, &definition)?.first() {
        return Err(ConfigError::Problems(Problems(vec![Problem {
            position: None,
            part: format!("sync {}", definition.name),
            message: relations::question(&definition, rival),
            remedies: vec![Remedy::AddWithoutSync { integration: integration.to_owned() }, Remedy::Apply],
        }])));
    }
    syncs::number(session, &mut definition)?;
    syncs::put(session, definition)
}

fn refuse_taken(session: Session<'_>, name: &str) -> Result<(), ConfigError> {
    match integrations::find(session, name)? {
        Some(_) => Err(ConfigError::Exists {
            what: "integration",
            name: name.to_owned(),
            remedies: vec![Remedy::ChangeIntegration { integration: name.to_owned() }],
        }),
        None => Ok(()),
    }
}
