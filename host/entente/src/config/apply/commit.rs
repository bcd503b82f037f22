//! Applying a configuration file atomically: everything is checked, then everything is stored or nothing.

use super::issue::{DraftIssue, problems_of};
use super::plan::{self, ConfigurationPlan, PlanLine, PlanSign, Snapshot};
use super::prepare::{ApplyContext, Draft, FileInputs, PluginSource, Prepared, prepare};
use super::relations;
use crate::config::check::names::Names;
use crate::config::check::sync::{Findings, Stored, check_with};
use crate::config::configuration::Configuration;
use crate::config::error::{ConfigError, Problems};
use crate::config::file::form::File;
use crate::config::home::components::store_component;
use crate::config::names::HUB;
use crate::config::stored::custom::{self, Custom};
use crate::config::stored::integrations;
use crate::config::stored::plugins::{self, PluginFacts};
use crate::config::stored::secrets::SecretStore;
use crate::config::stored::syncs;
use entente_core::Timestamp;
use entente_sqlite::Session;
use entente_sync::{Clock, Description, ProposedMapping, SystemClock};
use std::collections::BTreeMap;

/// What plugins and the hub said of themselves.
#[derive(Debug, Clone, Default)]
pub struct Described {
    /// The description of each exchange of [`File::needed`], by name; `hub` among them.
    pub descriptions: BTreeMap<String, Description>,
    /// The mappings that the integrations propose, by name.
    pub manuals: BTreeMap<String, Vec<ProposedMapping>>,
    /// Facts about components that the file installs, by digest.
    pub facts: BTreeMap<String, PluginFacts>,
    /// What is wrong with an integration, by its plugin's manifest and by what its plugin said.
    pub issues: BTreeMap<String, Vec<DraftIssue>>,
    /// What the manifest of a plugin that could not be asked says of its objects and fields, by integration.
    pub names: BTreeMap<String, Names>,
}

/// A setting with which an integration cannot run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingIssue {
    /// The setting.
    pub setting: String,
    /// What is wrong.
    pub message: String,
}

/// How to apply a file.
#[derive(Debug, Clone, Copy, Default)]
pub struct ApplyOptions {
    /// Whether only the plan is computed and nothing is kept.
    pub dry_run: bool,
    /// Whether integrations and syncs that the file does not name are removed. Objects, fields and pairs
    /// always stay.
    pub prune: bool,
}

impl Configuration {
    /// Applies a file atomically, and returns the plan of what changed. With [`ApplyOptions::dry_run`] the
    /// same is done in a transaction that is rolled back.
    ///
    /// # Errors
    /// [`ConfigError::Problems`] with everything that is wrong; or where the database or a secret fails.
    pub async fn apply(
        &self,
        file: &File,
        inputs: FileInputs<'_>,
        described: &Described,
        options: ApplyOptions,
    ) -> Result<ConfigurationPlan, ConfigError> {
        let _held = self.home().hold_components();
        let unit = self.begin().await?;
        let context = ApplyContext { secrets: self.secret_store(unit.session()), inputs };
        let plan = apply(file, &context, described, options, SystemClock.now())?;
        if !options.dry_run {
            unit.commit()?;
        }
        Ok(plan)
    }
}

/// Applies a file in the caller's transaction, which the caller commits or drops.
pub(crate) fn apply(
    file: &File,
    context: &ApplyContext<'_>,
    described: &Described,
    options: ApplyOptions,
    now: Timestamp,
) -> Result<ConfigurationPlan, ConfigError> {
    let session = context.secrets.session;
    let before = take_snapshot(session)?;
    let mut prepared = prepare(file, context)?;
    let mut found = Findings::new(file);
    for draft in prepared.drafts.iter().chain(&prepared.flawed) {
        let issues = described.issues.get(&draft.integration.name).into_iter().flatten();
        if problems_of(file, draft, issues, &mut found) {
            prepared.broken.insert(draft.integration.name.clone());
        }
    }
    if !prepared.problems.is_empty() || !found.problems.is_empty() {
        // Not all were asked what they have; of these, mappings are checked once the problems are mended.
        let names = prepared.drafts.iter().map(|draft| draft.integration.name.clone());
        prepared.broken.extend(names.filter(|name| !described.descriptions.contains_key(name)));
    }
    let stored = Stored {
        syncs: syncs::list(session)?,
        custom: custom::load(session)?,
        integrations: integrations::list(session)?.into_iter().map(|integration| integration.name).collect(),
        broken: prepared.broken.clone(),
        names: described.names.clone(),
    };
    let checked = check_with(file, &described.descriptions, &described.manuals, &stored, &mut found);
    let renamed =
        relations::renamed(session, file, &stored.syncs, &checked.syncs, options.prune, &mut found)?;
    let Prepared { drafts, problems, notices, .. } = prepared;
    found.problems.extend(problems);
    found.notices.extend(notices);
    let checked = found.end(checked).map_err(ConfigError::Problems)?;

    let custom = Custom { objects: checked.objects, fields: checked.fields };
    custom::put(session, &custom, &stored.custom)?;
    let mut lines = Vec::new();
    for draft in &drafts {
        lines.extend(put_integration(draft, context.secrets, described, options, now)?);
    }
    lines.extend(renamed.carry_out(session)?);
    for sync in checked.syncs {
        let mut definition = sync.0;
        syncs::number(session, &mut definition)?;
        syncs::put(session, definition)?;
    }
    if options.prune {
        prune(session, file)?;
    }
    lines.extend(plan::difference(&before, &take_snapshot(session)?));
    lines.sort_by(|a, b| a.part.cmp(&b.part));
    Ok(ConfigurationPlan { lines, notices: checked.notices })
}

fn take_snapshot(session: Session<'_>) -> Result<Snapshot, ConfigError> {
    Ok(plan::snapshot(&custom::load(session)?, &integrations::list(session)?, &syncs::list(session)?))
}

/// Stores an integration with its plugin and secrets, and adds new and changed secrets to the plan.
pub(crate) fn put_integration(
    draft: &Draft,
    secrets: SecretStore<'_>,
    described: &Described,
    options: ApplyOptions,
    now: Timestamp,
) -> Result<Vec<PlanLine>, ConfigError> {
    let (session, integration) = (secrets.session, &draft.integration);
    if let PluginSource::File(bytes) = &draft.plugin {
        // A component file without a row is harmless, should the transaction roll back: the next sweep
        // removes it.
        if !options.dry_run {
            store_component(secrets.home, bytes)?;
        }
        let facts = described.facts.get(&integration.digest).cloned().unwrap_or_default();
        plugins::enter(session, &integration.plugin, &integration.digest, bytes.len(), &facts, now)?;
    }
    integrations::put(session, integration)?;
    let mut lines = Vec::new();
    let stored = secrets.open(&integration.name)?;
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
            secrets.put(&integration.name, name, text)?;
        }
    }
    Ok(lines)
}

/// Removes integrations and syncs that the file does not name.
fn prune(session: Session<'_>, file: &File) -> Result<(), ConfigError> {
    for sync in syncs::list(session)? {
        if !file.sync.contains_key(sync.name.as_str()) {
            syncs::remove(session, &sync.name)?;
        }
    }
    let needed = file.needed();
    for integration in integrations::list(session)? {
        // An integration that a sync of the file uses stays, even if the file does not define it.
        if integration.name != HUB
            && !file.integration.contains_key(integration.name.as_str())
            && !needed.contains(&integration.name)
        {
            integrations::remove(session, &integration.name)?;
        }
    }
    Ok(())
}

impl From<Problems> for ConfigError {
    fn from(problems: Problems) -> Self {
        ConfigError::Problems(problems)
    }
}
