//! Secrets that a plugin does not ask for.

use super::{Tenant, TenantError};
use crate::config::{Draft, DraftIssue, DraftPlace, Integration};
use entente_plugin::Manifest;

/// What is said of a secret that a plugin does not ask for.
pub(super) fn not_asked(plugin: &str, secret: &str, asked: &[String]) -> String {
    let asked = if asked.is_empty() { "none".to_owned() } else { asked.join(", ") };
    format!("the plugin {plugin} asks for no secret '{secret}'; it asks for {asked}")
}

fn names(manifest: &Manifest) -> Vec<String> {
    manifest.secrets.iter().map(|ask| ask.name.clone()).collect()
}

/// Checks that a plugin asks for these secrets.
///
/// # Errors
/// [`TenantError::SecretNotAsked`], for the first one that it does not ask for.
pub(super) fn check_asked<'s>(
    plugin: &str,
    manifest: &Manifest,
    mut secrets: impl Iterator<Item = &'s String>,
) -> Result<(), TenantError> {
    match secrets.find(|secret| manifest.secret(secret).is_none()) {
        None => Ok(()),
        Some(secret) => Err(TenantError::SecretNotAsked {
            plugin: plugin.to_owned(),
            secret: secret.clone(),
            asked: names(manifest),
        }),
    }
}

/// The secrets of an integration in a file that its plugin does not ask for. One of a version before, which is stored, and a
/// grant of it are of no use any more, and no mistake of the file.
pub(super) fn issues_of_draft<'s>(
    draft: &Draft,
    manifest: &Manifest,
    named: impl Iterator<Item = &'s str>,
) -> Vec<DraftIssue> {
    let unasked = named.filter(|secret| manifest.secret(secret).is_none());
    let issue = |secret: &str| DraftIssue {
        place: DraftPlace::Secret(secret.to_owned()),
        message: not_asked(&draft.integration.plugin, secret, &names(manifest)),
        remedies: Vec::new(),
        refused: draft.is_new_secret(secret),
    };
    unasked.map(issue).collect()
}

impl Tenant {
    /// Checks that the plugin of an integration asks for these secrets: the version that it has, or the one that was
    /// installed last and that it may get.
    ///
    /// # Errors
    /// [`TenantError::SecretNotAsked`]. Nothing is refused where a manifest cannot be read.
    pub(super) async fn check_secrets<'s>(
        &self,
        integration: &Integration,
        secrets: impl Iterator<Item = &'s String> + Clone,
    ) -> Result<(), TenantError> {
        let Ok(manifest) = self.manifest(&integration.digest).await else { return Ok(()) };
        let checked = check_asked(&integration.plugin, &manifest, secrets.clone());
        if checked.is_ok() {
            return checked;
        }
        let Ok(latest) = self.configuration().plugin(&integration.plugin).await else { return checked };
        match self.manifest(&latest.digest).await {
            Ok(latest) if check_asked(&integration.plugin, &latest, secrets).is_ok() => Ok(()),
            _ => checked,
        }
    }
}
