//! Unknown, missing and wrong settings of an integration, by its plugin's manifest.

use super::TenantError;
use crate::config::{Draft, DraftIssue, DraftPlace, Integration, SettingIssue};
use entente_core::{Foreign, Value};
use entente_plugin::{Manifest, SettingAsk};
use std::collections::BTreeMap;

/// Settings that the manifest does not name: the plugin never sees them, and they are probably misspelt.
pub(super) fn unknown(integration: &Integration, manifest: &Manifest) -> Vec<String> {
    let known = |name: &str| manifest.settings.iter().any(|ask| ask.name == name);
    integration.settings.keys().filter(|name| !known(name)).cloned().collect()
}

/// The settings that the plugin is given: with the defaults of its manifest, each in its kind.
///
/// # Errors
/// [`TenantError::NotSet`] and [`TenantError::Setting`], for the first one that is missing or does not fit.
pub(super) fn checked(
    integration: &Integration,
    manifest: &Manifest,
) -> Result<BTreeMap<String, Value>, TenantError> {
    if let Some(ask) = missing(integration, manifest) {
        let (integration, setting, reason) = (integration.name.clone(), ask.name.clone(), ask.reason.clone());
        return Err(TenantError::NotSet { integration, setting, reason });
    }
    fit(integration, manifest)?;
    Ok(manifest.effective(&integration.settings))
}

/// Checks that the settings of an integration have the kinds that the manifest tells.
pub(super) fn fit(integration: &Integration, manifest: &Manifest) -> Result<(), TenantError> {
    manifest.check_settings(&integration.settings).map_err(|error| TenantError::Setting {
        integration: integration.name.clone(),
        error: Box::new(error),
    })
}

/// The first required setting that is not set.
fn missing<'a>(integration: &Integration, manifest: &'a Manifest) -> Option<&'a SettingAsk> {
    all_missing(integration, manifest).next()
}

/// The required settings that are not set.
fn all_missing<'a>(
    integration: &Integration,
    manifest: &'a Manifest,
) -> impl Iterator<Item = &'a SettingAsk> {
    let unset = |ask: &&SettingAsk| integration.settings.get(&ask.name).is_none_or(Value::is_blank);
    manifest.settings.iter().filter(|ask| ask.required).filter(unset)
}

/// Everything that keeps an integration from running with its settings.
pub(super) fn issues(integration: &Integration, manifest: &Manifest) -> Vec<SettingIssue> {
    let missing = all_missing(integration, manifest).map(|ask| SettingIssue {
        setting: ask.name.clone(),
        message: format!(
            "its plugin needs the setting '{}' ({}), which is not set",
            ask.name,
            Foreign::new(&ask.reason).quoted()
        ),
    });
    let wrong = manifest.setting_errors(&integration.settings).into_iter();
    let wrong = wrong.map(|error| SettingIssue { message: error.to_string(), setting: error.name });
    missing.chain(wrong).collect()
}

/// The same of an integration in a file. A setting that is missing in what is stored is no matter of a file that says nothing
/// of settings (`given`) and runs nothing.
pub(super) fn issues_of_draft(draft: &Draft, manifest: &Manifest, given: bool) -> Vec<DraftIssue> {
    let missing: Vec<&str> = all_missing(&draft.integration, manifest).map(|ask| ask.name.as_str()).collect();
    let issues = issues(&draft.integration, manifest).into_iter();
    let refused = |issue: &SettingIssue| given || draft.needed || !missing.contains(&issue.setting.as_str());
    let issue = |issue: SettingIssue| DraftIssue {
        refused: refused(&issue),
        place: DraftPlace::Setting(issue.setting),
        message: issue.message,
        remedies: Vec::new(),
    };
    issues.map(issue).collect()
}

/// What keeps another version from running with the settings of an integration, and does not keep the one before.
pub(super) fn issues_of_upgrade(
    before: &Integration,
    old: &Manifest,
    wanted: &Integration,
    new: &Manifest,
) -> Vec<SettingIssue> {
    let known = issues(before, old);
    let same = |issue: &SettingIssue| known.iter().any(|one| one.setting == issue.setting);
    let given =
        |issue: &SettingIssue| before.settings.get(&issue.setting) != wanted.settings.get(&issue.setting);
    issues(wanted, new).into_iter().filter(|issue| given(issue) || !same(issue)).collect()
}

/// The notice of an unknown setting.
pub(super) fn unknown_text(integration: &Integration, name: &str) -> String {
    format!("the plugin {} does not read a setting '{name}'; is it spelt right?", integration.plugin)
}
