//! Applies a file: checks everything, then saves everything, or nothing.

use super::plan::{self, ConfigurationPlan, PlanLine, PlanSign, Snapshot};
use super::prepare::{Draft, PluginSource, Prepared, Surroundings, prepare};
use crate::config::check::sync::{Findings, Stored, check_with};
use crate::config::error::{ConfigError, Problems};
use crate::config::file::form::File;
use crate::config::home::key::Key;
use crate::config::names::HUB;
use crate::config::stored::custom::{self, Custom, HubSchema};
use crate::config::stored::integrations;
use crate::config::stored::plugins::{self, PluginFacts};
use crate::config::stored::secrets;
use crate::config::stored::syncs;
use crate::config::stored::syncs::Numbers;
use entente_core::Timestamp;
use entente_sync::{Description, ProposedMapping};
use rusqlite::Connection;
use std::collections::BTreeMap;

/// What running plugins and the hub have told.
#[derive(Debug, Clone, Default)]
pub struct Described {
    /// What each exchange of [`File::needed`] has, by its name; `hub` among them.
    pub descriptions: BTreeMap<String, Description>,
    /// What the integrations propose, by their names.
    pub manuals: BTreeMap<String, Vec<ProposedMapping>>,
    /// What is known about components that are installed from a file, by digest.
    pub facts: BTreeMap<String, PluginFacts>,
}

/// How to apply a file.
#[derive(Debug, Clone, Copy, Default)]
pub struct ApplyOptions {
    /// Only tell what would change.
    pub dry_run: bool,
    /// Also remove the integrations and syncs that the file does not name. Objects, fields and pairs stay in
    /// any case.
    pub prune: bool,
}

/// The neighbours that are written to in the same transaction.
pub(crate) struct Neighbours<'a> {
    pub(crate) numbers: &'a dyn Numbers,
    pub(crate) hub: &'a dyn HubSchema,
}

/// Applies a file within a transaction. The caller commits, or not.
pub(crate) fn apply(
    file: &File,
    around: &Surroundings<'_>,
    neighbours: &Neighbours<'_>,
    described: &Described,
    options: ApplyOptions,
    now: Timestamp,
) -> Result<ConfigurationPlan, ConfigError> {
    let connection = around.connection;
    let before = take_snapshot(connection)?;
    let prepared = prepare(file, around)?;
    let mut found = Findings::new(file);
    let stored = Stored {
        syncs: syncs::list(connection)?,
        custom: custom::load(connection)?,
        integrations: integrations::list(connection)?
            .into_iter()
            .map(|integration| integration.name)
            .collect(),
        broken: prepared.broken.clone(),
    };
    let checked = check_with(file, &described.descriptions, &described.manuals, &stored, &mut found);
    let Prepared { drafts, problems, notices, .. } = prepared;
    found.problems.extend(problems);
    found.notices.extend(notices);
    let checked = found.end(checked).map_err(ConfigError::Problems)?;

    let custom = Custom { objects: checked.objects, fields: checked.fields };
    custom::put(connection, neighbours.hub, &custom, &stored.custom)?;
    let mut lines = Vec::new();
    for draft in &drafts {
        lines.extend(put_integration(draft, around, described, options, now)?);
    }
    for sync in checked.syncs {
        let mut definition = sync.0;
        syncs::number(connection, neighbours.numbers, &mut definition)?;
        syncs::put(connection, definition)?;
    }
    if options.prune {
        prune(connection, file)?;
    }
    lines.extend(plan::difference(&before, &take_snapshot(connection)?));
    lines.sort_by(|a, b| a.part.cmp(&b.part));
    Ok(ConfigurationPlan { lines, notices: checked.notices })
}

fn take_snapshot(connection: &Connection) -> Result<Snapshot, ConfigError> {
    Ok(plan::snapshot(
        &custom::load(connection)?,
        &integrations::list(connection)?,
        &syncs::list(connection)?,
    ))
}

/// Stores an integration with its plugin and secrets, and tells which secrets are new or changed.
pub(crate) fn put_integration(
    draft: &Draft,
    around: &Surroundings<'_>,
    described: &Described,
    options: ApplyOptions,
    now: Timestamp,
) -> Result<Vec<PlanLine>, ConfigError> {
    let (connection, integration) = (around.connection, &draft.integration);
    if let PluginSource::File(bytes) = &draft.plugin {
        // A file by digest that no row names does no harm, should the transaction fail.
        if !options.dry_run {
            plugins::store_component(around.home, bytes)?;
        }
        let facts = described.facts.get(&integration.digest).cloned().unwrap_or_default();
        plugins::enter(connection, &integration.plugin, &integration.digest, bytes.len(), &facts, now)?;
    }
    integrations::put(connection, integration)?;
    let mut lines = Vec::new();
    let stored = around.open_secrets(&integration.name)?;
    for name in &draft.given {
        let (Some(text), old) = (draft.secrets.get(name), stored.get(name)) else {
            continue;
        };
        if old == Some(text) {
            continue;
        }
        let sign = if old.is_some() { PlanSign::Changed } else { PlanSign::Added };
        lines.push(PlanLine {
            sign,
            part: format!("integration {}, secret {name}", integration.name),
            before: None,
            after: None,
        });
        if !options.dry_run {
            let key = sealing_key(around)?;
            secrets::put(connection, &key, around.tenant, &integration.name, name, text)?;
        }
    }
    Ok(lines)
}

/// The key to seal with; made where there is none, but never in place of one that is missing.
pub(crate) fn sealing_key(around: &Surroundings<'_>) -> Result<Key, ConfigError> {
    if let Some(key) = Key::find(around.home, around.key_variable)? {
        return Ok(key);
    }
    if let Some(fingerprint) = secrets::any(around.connection)? {
        return Err(ConfigError::Key(format!(
            "the key {fingerprint} that the secrets here are sealed with is missing: restore {} or set ENTENTE_KEY; if it is lost, take all secrets away and set them again",
            around.home.key_file().display()
        )));
    }
    Key::find_or_make(around.home, around.key_variable)
}

/// Removes what the file does not name.
fn prune(connection: &Connection, file: &File) -> Result<(), ConfigError> {
    for sync in syncs::list(connection)? {
        if !file.sync.contains_key(sync.name.as_str()) {
            syncs::remove(connection, &sync.name)?;
        }
    }
    let needed = file.needed();
    for integration in integrations::list(connection)? {
        // One that a sync of the file joins stays, although the file says nothing about it.
        if integration.name != HUB
            && !file.integration.contains_key(integration.name.as_str())
            && !needed.contains(&integration.name)
        {
            integrations::remove(connection, &integration.name)?;
        }
    }
    Ok(())
}

impl From<Problems> for ConfigError {
    fn from(problems: Problems) -> Self {
        ConfigError::Problems(problems)
    }
}
