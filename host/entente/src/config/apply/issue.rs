//! What keeps an integration of a file from running, and where the file has that.

use super::prepare::Draft;
use crate::config::check::sync::Findings;
use crate::config::file::form::{File, GrantsEntry};
use entente_sync::Remedy;
use std::ops::Range;
use toml::Spanned;

/// Something with which an integration of a file cannot run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftIssue {
    /// What it is about.
    pub place: DraftPlace,
    /// What is wrong.
    pub message: String,
    /// Remedies beside a change of the file.
    pub remedies: Vec<Remedy>,
    /// Whether the file is refused for it; else the operator is told.
    pub refused: bool,
}

/// What an issue of an integration is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DraftPlace {
    /// The setting of this name.
    Setting(String),
    /// The secret of this name.
    Secret(String),
    /// A grant as it is written.
    Grant(String),
    /// The grants as a whole.
    Grants,
    /// The integration as a whole.
    Whole,
}

/// Tells what is wrong with an integration, where the file has it; whether the file is refused.
pub(super) fn problems_of<'i>(
    file: &File,
    draft: &Draft,
    issues: impl Iterator<Item = &'i DraftIssue>,
    found: &mut Findings<'_>,
) -> bool {
    let name = &draft.integration.name;
    let part = format!("integration {name}");
    let entry = file.integration.get_key_value(name.as_str());
    let settings = entry.and_then(|(_, entry)| entry.settings.as_ref());
    let grants = entry.and_then(|(_, entry)| entry.grants.as_ref());
    let mut refused = false;
    for issue in issues {
        let mut remedies = issue.remedies.clone();
        let span = match &issue.place {
            DraftPlace::Setting(setting) => {
                let given = settings.and_then(|settings| settings.get(setting.as_str()));
                // A value that is none was told already.
                if given.is_some() && !draft.integration.settings.contains_key(setting) {
                    continue;
                }
                // What is wrong in the file is changed there.
                if settings.is_none() {
                    let (integration, setting) = (name.clone(), setting.clone());
                    remedies.push(Remedy::SetSetting { integration, setting });
                }
                given.map(Spanned::span)
            }
            DraftPlace::Secret(secret) => {
                let given = entry.and_then(|(_, entry)| entry.secrets.get_key_value(secret.as_str()));
                let granted = || grants.and_then(|grants| grants.secrets.get_key_value(secret.as_str()));
                given.map(|(name, _)| name.span()).or_else(|| granted().map(|(name, _)| name.span()))
            }
            DraftPlace::Grant(pattern) => grants.and_then(|grants| span_of(grants, pattern)),
            DraftPlace::Grants => {
                if grants.is_some() {
                    remedies.clear();
                }
                grants.and_then(first)
            }
            DraftPlace::Whole => None,
        };
        let span = span.or_else(|| entry.map(|(name, _)| name.span())).unwrap_or(usize::MAX..usize::MAX);
        match issue.refused {
            true => found.problem_with(&span, &part, issue.message.clone(), remedies),
            false => found.notice_with(&span, &part, issue.message.clone(), remedies),
        }
        refused |= issue.refused;
    }
    refused
}

/// The hosts of grants, those of secrets last.
fn hosts(grants: &GrantsEntry) -> impl Iterator<Item = &Spanned<String>> {
    grants.http.iter().chain(grants.secrets.values().flat_map(|grant| &grant.hosts))
}

/// Where a grant is written; of a header or parameter, at its secret.
fn span_of(grants: &GrantsEntry, pattern: &str) -> Option<Range<usize>> {
    let host = hosts(grants).find(|host| host.get_ref() == pattern).map(Spanned::span);
    let of_secret = || {
        let secret = grants.secrets.iter().find(|(_, grant)| grant.header.as_deref() == Some(pattern));
        secret.map(|(name, _)| name.span())
    };
    host.or_else(of_secret)
}

fn first(grants: &GrantsEntry) -> Option<Range<usize>> {
    hosts(grants).next().map(Spanned::span)
}
