//! The addresses of a manifest: patterns of hosts, with settings in braces.

use super::ManifestError;
use crate::address::grant::HttpGrant;
use crate::text::{is_unseen, quoted};
use entente_core::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

const MOST_TEXT: usize = 300;

/// Checks a pattern with settings: with harmless values filled in, it must be a grant. Returns it as it would be granted, since
/// that is what operators are shown: a host in ASCII, an address in its usual form.
pub(super) fn as_granted(address: &str, settings: &BTreeSet<&str>) -> Result<String, ManifestError> {
    if address == "*" {
        return Ok(address.to_owned());
    }
    short_enough(address)?;
    if address.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Err(ManifestError(format!(
            "the address {} has spaces or control characters in it",
            quoted(address, 200)
        )));
    }
    if let Some(unseen) = address.chars().find(|c| is_unseen(*c)) {
        return Err(ManifestError(format!(
            "the address {} has the character {} in it, which cannot be seen",
            quoted(address, 200),
            unseen.escape_unicode()
        )));
    }
    for name in names_in(address) {
        if !settings.contains(name) {
            return Err(ManifestError(format!(
                "{} uses a setting that is not listed as one",
                quoted(address, 200)
            )));
        }
    }
    let grant = |text: &str| text.parse::<HttpGrant>().map_err(|error| ManifestError(error.to_string()));
    if whole(address).is_some() {
        return Ok(address.to_owned());
    }
    if !address.contains(['{', '}']) {
        let granted = grant(address)?.to_string();
        // A name in ASCII may be longer than what it was written as.
        short_enough(&granted)?;
        return Ok(granted);
    }
    if !address.is_ascii() {
        return Err(ManifestError(format!(
            "the address {} is not in ASCII; beside a setting, write the host in its form that begins with xn--",
            quoted(address, 200)
        )));
    }
    grant(&filled(address, |_| Some("x".to_owned()))?)?;
    Ok(address.to_owned())
}

fn short_enough(address: &str) -> Result<(), ManifestError> {
    let bytes = address.len();
    match bytes > MOST_TEXT {
        true => Err(ManifestError(format!("an address has {bytes} bytes; {MOST_TEXT} are the most"))),
        false => Ok(()),
    }
}

/// The names of the settings in a pattern, which stand in braces.
pub(super) fn names_in(address: &str) -> impl Iterator<Item = &str> {
    address.split('{').skip(1).map(|part| part.split_once('}').map_or(part, |(name, _)| name))
}

/// The setting of a pattern that is a single setting: `{url}`.
pub(super) fn whole(address: &str) -> Option<&str> {
    address.strip_prefix('{')?.strip_suffix('}').filter(|name| !name.contains(['{', '}']))
}

fn filled(pattern: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, ManifestError> {
    let refuse = |why: String| ManifestError(format!("{} cannot be filled: {why}", quoted(pattern, 200)));
    let mut text = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or_else(|| refuse("a { is not closed".to_owned()))?;
        let value = value(name).unwrap_or_default();
        if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(refuse(format!(
                "the setting {} must be set to letters, digits and dashes",
                quoted(name, 100)
            )));
        }
        text.push_str(before);
        text.push_str(&value);
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

/// Fills settings into a pattern: `https://{dc}.api.example.com` with `dc` = `us1`. The value may only be a
/// part of a host name, so that it cannot redirect the request.
///
/// # Errors
/// Where a setting is missing or has another form.
pub fn fill(pattern: &str, settings: &BTreeMap<String, Value>) -> Result<String, ManifestError> {
    filled(pattern, |name| settings.get(name).map(ToString::to_string))
}

pub(super) fn place(address: &str) -> String {
    match (address, whole(address)) {
        ("*", _) => "any host that you grant".to_owned(),
        (_, Some(setting)) => format!("the host of the setting {setting}"),
        (address, None) => match address.parse::<HttpGrant>().ok().and_then(|grant| grant.remark()) {
            Some(remark) => format!("{address} ({remark})"),
            None => address.to_owned(),
        },
    }
}

/// A host that a plugin asks for, with the settings filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskedHost {
    /// Any host that the operator grants.
    Any,
    /// This host.
    Only(HttpGrant),
}

impl AskedHost {
    /// `None` where its settings are not set, or give no host.
    pub fn of(address: &str, settings: &BTreeMap<String, Value>) -> Option<Self> {
        if address == "*" {
            return Some(AskedHost::Any);
        }
        let text = match whole(address) {
            Some(setting) => HttpGrant::of_address(&settings.get(setting)?.to_string())?.to_string(),
            None => fill(address, settings).ok()?,
        };
        text.parse().ok().map(AskedHost::Only)
    }
}

impl fmt::Display for AskedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AskedHost::Any => f.write_str("*"),
            AskedHost::Only(grant) => grant.fmt(f),
        }
    }
}
