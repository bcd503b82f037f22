//! Integrations as the operator sets them up: adding one, settings and secrets, grants, versions of its plugin.
//! What a change comes to is decided in [`grants`](crate::grants); here it is carried out.

use super::{Tenant, TenantError, asked, settings};
use crate::config::{Added, InstalledPlugin, Integration, SecretText, SettingIssue};
use crate::grants::{
    GrantDecision, GrantRequest, IntegrationNotice, UpgradeDecision, decide_grant, decide_upgrade,
    grants_of_new, missing_secrets, weak_secrets,
};
use entente_core::Value;
use entente_plugin::Manifest;
use std::collections::BTreeMap;

/// An integration that is to be added.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NewIntegration {
    /// Its name, and that of its sync.
    pub name: String,
    /// The installed plugin, by name or digest; without it the one that has the name in lower case.
    pub plugin: Option<String>,
    /// Its settings.
    pub settings: BTreeMap<String, Value>,
    /// Its secrets.
    pub secrets: BTreeMap<String, SecretText>,
    /// The hosts that it may send requests to, and its secrets with them.
    pub hosts: Vec<String>,
    /// Grant everything that the plugin asks for.
    pub grant_all: bool,
    /// Make no sync.
    pub no_sync: bool,
}

/// A change of settings and secrets.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct IntegrationChange {
    /// Settings to set.
    pub settings: BTreeMap<String, Value>,
    /// Settings to take away.
    pub unset: Vec<String>,
    /// Secrets to set.
    pub secrets: BTreeMap<String, SecretText>,
    /// Secrets to take away.
    pub unset_secrets: Vec<String>,
    /// Whether it may run; `None` leaves that as it is.
    pub enabled: Option<bool>,
}

/// An integration that was changed, and what the operator should know.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// The integration as it is now.
    pub integration: Integration,
    /// What the plugin that it runs now asks for.
    pub manifest: Manifest,
    /// What the operator should know.
    pub notices: Vec<IntegrationNotice>,
}

/// What became of a request for grants.
#[derive(Debug, Clone, PartialEq)]
pub struct Granted {
    /// The integration as it is now.
    pub integration: Integration,
    /// What its plugin asks for.
    pub manifest: Manifest,
    /// What the request came to.
    pub decision: GrantDecision,
}

/// What became of an upgrade.
#[derive(Debug, Clone, PartialEq)]
pub struct Upgraded {
    /// The integration as it was.
    pub before: Integration,
    /// The integration as it is now: as it was, where the upgrade waits.
    pub after: Integration,
    /// The version that it was to have.
    pub plugin: InstalledPlugin,
    /// What that version asks for.
    pub manifest: Manifest,
    /// What the upgrade comes to.
    pub decision: UpgradeDecision,
    /// The settings that were set with it, or would be.
    pub settings: BTreeMap<String, Value>,
    /// Nothing has changed: it asks for more, and nobody has agreed to that.
    pub waits: bool,
}

impl Tenant {
    /// Adds an integration, and the sync that its plugin proposes. The plugin is asked first, so that a wrong
    /// address or key shows now.
    ///
    /// # Errors
    /// Where names are taken or unknown; [`TenantError::NotAdded`] where the plugin fails, or nothing of its
    /// proposal fits.
    pub async fn integrate(
        &self,
        new: NewIntegration,
    ) -> Result<(Added, Vec<IntegrationNotice>), TenantError> {
        let configuration = self.configuration();
        let plugin = new.plugin.unwrap_or_else(|| new.name.to_lowercase());
        let manifest = self.manifest(&configuration.plugin(&plugin).await?.digest).await?;
        asked::check_asked(&plugin, &manifest, new.secrets.keys())?;
        let (grants, mut notices) =
            grants_of_new(&manifest, &new.settings, &new.hosts, new.secrets.keys(), new.grant_all);
        notices.extend(weak_secrets(new.secrets.iter()));
        let draft =
            configuration.draft_integration(&new.name, &plugin, new.settings, grants, new.secrets).await?;
        let integration = &draft.integration;
        notices.extend(unknown_settings(integration, &manifest, |_| true));
        if let Err(error) = settings::fit(integration, &manifest) {
            return Err(TenantError::NotAdded { integration: new.name, notices, error: Box::new(error) });
        }
        match self.add_integration(&draft, !new.no_sync).await {
            Ok((added, left_out)) => {
                let left_out = left_out.into_iter().map(|text| IntegrationNotice::LeftOut { text });
                Ok((added, left_out.chain(notices).collect()))
            }
            Err(error) => {
                Err(TenantError::NotAdded { integration: new.name, notices, error: Box::new(error) })
            }
        }
    }

    /// Changes settings and secrets of an integration.
    ///
    /// # Errors
    /// Where there is no such integration, a name cannot be one, or the key fails.
    pub async fn change_integration(
        &self,
        name: &str,
        change: IntegrationChange,
    ) -> Result<Changed, TenantError> {
        let configuration = self.configuration();
        let before = configuration.integration(name).await?;
        self.check_secrets(&before, change.secrets.keys()).await?;
        // Only those that are given: one of before may be what another change mends.
        if let Ok(manifest) = self.manifest(&before.digest).await {
            settings::fit(&Integration { settings: change.settings.clone(), ..before }, &manifest)?;
        }
        for (secret, text) in &change.secrets {
            configuration.set_secret(name, secret, text).await?;
        }
        for secret in &change.unset_secrets {
            configuration.unset_secret(name, secret).await?;
        }
        // Another address or another key is limited by itself.
        configuration.release_calls(name).await?;
        let IntegrationChange { settings, unset, secrets, unset_secrets, enabled } = change;
        let given: Vec<String> = settings.keys().cloned().collect();
        let integration = configuration
            .change_integration(name, |integration| {
                integration.settings.extend(settings);
                integration.settings.retain(|name, _| !unset.contains(name));
                integration.enabled = enabled.unwrap_or(integration.enabled);
            })
            .await?;
        let (manifest, unknown) = or_unknown(self.manifest(&integration.digest).await);
        let mut notices = match unknown {
            None => unknown_settings(&integration, &manifest, |name| given.contains(name)),
            Some(_) if given.is_empty() => Vec::new(),
            Some(unknown) => vec![unknown],
        };
        let lost =
            unset_secrets.iter().filter(|secret| integration.grants.secrets.contains_key(secret.as_str()));
        notices.extend(weak_secrets(secrets.iter()));
        notices.extend(missing_secrets(lost, &configuration.secrets(name).await?));
        Ok(Changed { integration, manifest, notices })
    }

    /// Changes what an integration may reach; an empty request changes nothing, and tells how it stands.
    ///
    /// # Errors
    /// Where there is no such integration; [`TenantError::Grants`]; where something is granted and what the plugin
    /// asks for cannot be told, or a pattern is no grant.
    pub async fn grant(&self, name: &str, request: &GrantRequest) -> Result<Granted, TenantError> {
        let configuration = self.configuration();
        let before = configuration.integration(name).await?;
        let (manifest, unknown) = match self.manifest(&before.digest).await {
            Err(error) if request.widens() => return Err(error),
            manifest => or_unknown(manifest),
        };
        let secrets = configuration.secrets(name).await?;
        let mut decision = decide_grant(&before, &manifest, &secrets, request)?;
        decision.notices.splice(0..0, unknown);
        let integration = match decision.grants == before.grants {
            true => before,
            false => {
                let grants = decision.grants.clone();
                configuration.change_integration(name, |integration| integration.grants = grants).await?
            }
        };
        Ok(Granted { integration, manifest, decision })
    }

    /// Gives an integration another version of its plugin, the one that was installed last unless one is named. A
    /// version that asks for more waits, and nothing changes, unless `agree`.
    ///
    /// Whoever agrees names the digest that was shown: another version may have been installed meanwhile. `settings` are set
    /// together with the version, which may take other ones than that before.
    ///
    /// # Errors
    /// Where there is no such integration or plugin, or the version cannot be read; [`TenantError::Unfit`] where it could
    /// not run with the settings of the integration.
    pub async fn upgrade(
        &self,
        name: &str,
        plugin: Option<&str>,
        settings: BTreeMap<String, Value>,
        agree: bool,
    ) -> Result<Upgraded, TenantError> {
        let configuration = self.configuration();
        let before = configuration.integration(name).await?;
        let plugin = configuration.plugin(plugin.unwrap_or(&before.plugin)).await?;
        let manifest = self.manifest(&plugin.digest).await?;
        let (old, unknown) = or_unknown(self.manifest(&before.digest).await);
        let mut wanted = before.clone();
        wanted.settings.extend(settings.clone());
        let issues = settings::issues_of_upgrade(&before, &old, &wanted, &manifest);
        if !issues.is_empty() {
            return Err(TenantError::Unfit { integration: name.to_owned(), plugin: plugin.name, issues });
        }
        let mut decision = decide_upgrade(&wanted, &old, &manifest);
        decision.notices.extend(unknown_settings(&wanted, &manifest, |name| settings.contains_key(name)));
        decision.notices.splice(0..0, unknown);
        let waits = decision.needs_agreement() && !agree;
        let after = match waits {
            true => before.clone(),
            false => {
                let grants = decision.grants.clone();
                configuration.upgrade_integration(name, &plugin.digest, grants, settings.clone()).await?
            }
        };
        Ok(Upgraded { before, after, plugin, manifest, decision, settings, waits })
    }

    /// Gives an integration back the version of its plugin that it had before, with the grants of that time; also
    /// tells the version that it had until now.
    ///
    /// # Errors
    /// Where there is no such integration, or it has had no other version.
    pub async fn roll_back(&self, name: &str) -> Result<(Integration, Changed), TenantError> {
        let configuration = self.configuration();
        let before = configuration.integration(name).await?;
        let integration = configuration.roll_back_integration(name).await?;
        let (manifest, unknown) = or_unknown(self.manifest(&integration.digest).await);
        let unfit = settings::issues(&integration, &manifest).into_iter();
        let unfit = unfit
            .map(|SettingIssue { setting, message }| IntegrationNotice::UnfitSetting { setting, message });
        let notices = unknown.into_iter().chain(unfit).collect();
        Ok((before, Changed { integration, manifest, notices }))
    }
}

/// What a plugin asks for; nothing where that cannot be told, which the operator should know.
fn or_unknown(manifest: Result<Manifest, TenantError>) -> (Manifest, Option<IntegrationNotice>) {
    match manifest {
        Ok(manifest) => (manifest, None),
        Err(error) => (Manifest::default(), Some(IntegrationNotice::AsksUnknown { why: error.to_string() })),
    }
}

/// Settings that the plugin does not read, of those that are asked about.
fn unknown_settings(
    integration: &Integration,
    manifest: &Manifest,
    asked: impl Fn(&String) -> bool,
) -> Vec<IntegrationNotice> {
    let unknown = settings::unknown(integration, manifest).into_iter().filter(asked);
    unknown
        .map(|setting| IntegrationNotice::UnknownSetting { setting, plugin: integration.plugin.clone() })
        .collect()
}
