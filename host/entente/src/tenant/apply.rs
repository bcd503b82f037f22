//! Applying a configuration file: what the plugins of its integrations describe, and everything that is wrong with it.

use super::{Tenant, TenantError, asked, component, connections, facts, failed, settings};
use crate::config::{
    ApplyOptions, ConfigError, ConfigurationPlan, Described, Draft, DraftIssue, DraftPlace, File, FileInputs,
    HUB, Names, Notice, Told,
};
use entente_core::Timestamp;
use entente_plugin::{LoadError, Manifest, inspect};
use entente_sync::{CancellationToken, Exchange, Remedy, codes};
use std::collections::{BTreeMap, BTreeSet};

impl Tenant {
    /// Applies a configuration file atomically. [`File::parse`] parses its text; `inputs` are the components
    /// and environment variables that it names.
    ///
    /// # Errors
    /// Every problem of the file at once, or the error of a plugin that must be described.
    pub async fn apply(
        &self,
        file: &File,
        inputs: FileInputs<'_>,
        options: ApplyOptions,
    ) -> Result<ConfigurationPlan, TenantError> {
        let prepared = self.configuration.prepare(file, inputs).await?;
        let limits = self.limits().await?;
        let (mut described, mut manifests) = (Described::default(), BTreeMap::new());
        described.descriptions.insert(HUB.to_owned(), self.describe(HUB, &self.hub).await?);
        for draft in prepared.drafts.iter().chain(&prepared.flawed) {
            if let Some(bytes) = component(draft) {
                let inspection = inspect(bytes, &limits).map_err(LoadError::from)?;
                inspection.check_asks().map_err(LoadError::from)?;
                let digest = &draft.integration.digest;
                described.facts.insert(digest.clone(), facts(&inspection));
                manifests.insert(digest.as_str(), inspection.manifest);
            }
            let issues = self.issues(file, draft, &mut manifests).await;
            if !issues.is_empty() {
                described.issues.insert(draft.integration.name.clone(), issues);
            }
        }
        let (failure, kept) = self.ask(&prepared.drafts, &mut described).await;
        for draft in prepared.drafts.iter().chain(&prepared.flawed) {
            let name = &draft.integration.name;
            if let Some(manifest) = manifests.get(draft.integration.digest.as_str())
                && !described.descriptions.contains_key(name)
            {
                described.names.insert(name.clone(), names(manifest));
            }
        }
        let mut plan = match self.configuration.apply(file, inputs, &described, options).await {
            // Nothing is wrong with the file beside what a plugin said.
            Err(ConfigError::Problems(problems)) if problems.0.len() == 1 && failure.is_some() => {
                return Err(failure.unwrap_or_else(|| super::problems(problems)));
            }
            applied => applied?,
        };
        plan.notices.extend(kept.iter().map(Kept::notice));
        if !options.dry_run {
            self.keep_told(&prepared.drafts, &described, &kept).await?;
        }
        for draft in &prepared.drafts {
            let unknown = manifests
                .get(draft.integration.digest.as_str())
                .map(|manifest| settings::unknown(&draft.integration, manifest));
            plan.notices.extend(unknown.unwrap_or_default().into_iter().map(|name| Notice {
                position: None,
                part: format!("integration {}", draft.integration.name),
                message: settings::unknown_text(&draft.integration, &name),
                remedies: Vec::new(),
            }));
        }
        Ok(plan)
    }

    /// Keeps what plugins told now, for the time when their remote systems are away.
    async fn keep_told(
        &self,
        drafts: &[Draft],
        described: &Described,
        kept: &[Kept],
    ) -> Result<(), TenantError> {
        let at = self.clock.now();
        for Draft { integration, .. } in drafts {
            let name = &integration.name;
            let told = described.descriptions.get(name).zip(described.manuals.get(name));
            let Some((description, manual)) =
                told.filter(|_| kept.iter().all(|kept| kept.integration != *name))
            else {
                continue;
            };
            let told = Told { at, description: description.clone(), manual: manual.clone() };
            self.configuration.keep_told(integration, &told).await?;
        }
        Ok(())
    }

    /// What a plugin told before, where it cannot be asked since its remote system is away.
    async fn kept(&self, draft: &Draft, error: &TenantError) -> Option<Told> {
        let TenantError::Exchange { error, .. } = error else { return None };
        if ![codes::UNAVAILABLE, codes::RATE_LIMITED].contains(&error.code.as_str()) {
            return None;
        }
        self.configuration.told(&draft.integration).await.ok().flatten()
    }

    /// Asks the plugins that must be described and that nothing is known to be wrong with. Where a remote system is away, what its
    /// plugin told before is taken. Any other failure becomes an issue of its integration; the first one that is not about a grant is
    /// returned besides.
    async fn ask(&self, drafts: &[Draft], described: &mut Described) -> (Option<TenantError>, Vec<Kept>) {
        let (mut first, mut kept) = (None, Vec::new());
        for draft in drafts.iter().filter(|draft| draft.needed) {
            let name = &draft.integration.name;
            if described.issues.get(name).into_iter().flatten().any(|issue| issue.refused) {
                continue;
            }
            let Err(error) = self.ask_one(draft, described).await else { continue };
            described.descriptions.remove(name);
            if let Some(told) = self.kept(draft, &error).await {
                described.descriptions.insert(name.clone(), told.description);
                described.manuals.insert(name.clone(), told.manual);
                kept.push(Kept { integration: name.clone(), at: told.at, error: error.to_string() });
                continue;
            }
            let place = if is_of_grant(&error) { DraftPlace::Grants } else { DraftPlace::Whole };
            let of_grant = place == DraftPlace::Grants;
            let (message, remedies) = (error.to_string(), error.remedies());
            let issue = DraftIssue { place, message, remedies, refused: true };
            described.issues.entry(name.clone()).or_default().push(issue);
            if !of_grant {
                first = first.or(Some(error));
            }
        }
        (first, kept)
    }

    async fn ask_one(&self, draft: &Draft, described: &mut Described) -> Result<(), TenantError> {
        let (secrets, stop) = (draft.secrets.clone(), CancellationToken::new());
        let exchange = self.run_plugin(&draft.integration, component(draft), secrets, &stop).await?;
        let name = &draft.integration.name;
        described.descriptions.insert(name.clone(), self.describe(name, &exchange).await?);
        let manual = exchange.manual().await.map_err(|error| failed(name, "propose a mapping", error))?;
        described.manuals.insert(name.clone(), manual);
        Ok(())
    }

    /// What is wrong with a draft, where its manifest can be read; else that comes with the run that needs it.
    async fn issues<'d>(
        &self,
        file: &File,
        draft: &'d Draft,
        manifests: &mut BTreeMap<&'d str, Manifest>,
    ) -> Vec<DraftIssue> {
        let digest = draft.integration.digest.as_str();
        if !manifests.contains_key(digest)
            && let Ok(manifest) = self.manifest(digest).await
        {
            manifests.insert(digest, manifest);
        }
        let Some(manifest) = manifests.get(digest) else { return Vec::new() };
        let entry = file.integration.get(draft.integration.name.as_str());
        let given = entry.is_some_and(|entry| entry.settings.is_some());
        let mut issues = settings::issues_of_draft(draft, manifest, given);
        let secrets = entry.into_iter().flat_map(|entry| {
            let granted = entry.grants.iter().flat_map(|grants| grants.secrets.keys());
            entry.secrets.keys().chain(granted).map(|name| name.get_ref().as_str())
        });
        let secrets: BTreeSet<&str> = secrets.collect();
        issues.extend(asked::issues_of_draft(draft, manifest, secrets.into_iter()));
        // Where settings are wrong, so are the hosts that they fill.
        if draft.needed && issues.iter().all(|issue| !matches!(issue.place, DraftPlace::Setting(_))) {
            issues.extend(connections::issues_of_draft(draft, manifest));
        }
        issues
    }
}

/// An integration whose plugin could not be asked, and told its objects before.
struct Kept {
    integration: String,
    at: Timestamp,
    error: String,
}

impl Kept {
    fn notice(&self) -> Notice {
        Notice {
            position: None,
            part: format!("integration {}", self.integration),
            message: format!(
                "it cannot be asked for its fields now; those that it told {} were taken ({})",
                self.at, self.error
            ),
            remedies: Vec::new(),
        }
    }
}

/// What can be known of the objects of a plugin by its manifest.
fn names(manifest: &Manifest) -> Names {
    const EVERY: &str = "*";
    let named = manifest.objects.iter().filter(|ask| ask.name != EVERY);
    let objects = named.map(|ask| {
        let fields = ask.reads.iter().chain(&ask.writes);
        let fields = (!fields.clone().any(|field| field == EVERY)).then(|| fields.cloned().collect());
        (ask.name.clone(), fields)
    });
    let more = manifest.objects.is_empty() || manifest.objects.iter().any(|ask| ask.name == EVERY);
    Names { more, objects: objects.collect() }
}

/// Whether a plugin could not be asked because something is not granted.
fn is_of_grant(error: &TenantError) -> bool {
    error.remedies().iter().any(|remedy| {
        matches!(remedy, Remedy::GrantHost { .. } | Remedy::GrantSecret { .. } | Remedy::NameHost { .. })
    })
}
