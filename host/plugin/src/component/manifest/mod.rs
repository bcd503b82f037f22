//! The manifest: the capabilities that a plugin asks for, with reasons. A custom section of its component,
//! which `plugin build` writes from the author's `plugin.toml`.
//!
//! Asking grants nothing. A plugin's effective permissions are the intersection of what the manifest asks for
//! and what the operator has granted. An operator who grants too much, or keeps a stale grant, therefore
//! loses nothing.

mod address;
mod header;
mod object;
mod setting;
mod webhook;

pub use address::{AskedHost, fill};
pub use header::USUAL_HEADERS;
pub(crate) use header::{is_reserved, makes_another};
pub use object::ObjectAsk;
pub use setting::{Expected, SettingAsk, SettingError, SettingKind, SettingValue};
pub use webhook::{SignatureAlgorithm, SignatureEncoding, SignaturePattern, SignatureScheme, WebhookAsk};

use crate::text::{clean, quoted};
use address::{as_granted, names_in, place, whole};
use entente_core::{Foreign, Value};
use entente_sync::Object;
use header::header;
use object::{check_objects, less_objects, more_objects};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The custom section of a component that holds the manifest, as JSON.
pub const MANIFEST_SECTION: &str = "entente:manifest";
/// The author's source of the manifest, a file beside `Cargo.toml`.
pub const MANIFEST_FILE: &str = "plugin.toml";

/// The format version. A host refuses an unknown one: what it cannot parse it cannot show to the operator.
const FORMAT: u32 = 1;
/// The limit of entries of a kind: an operator reads them all.
const MOST_ASKS: usize = 50;
const MOST_TEXT: usize = 300;

/// The capabilities that a plugin asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    #[serde(default = "format")]
    format: u32,
    /// The name of the plugin, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its version, for people; the component's digest is what counts.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// A description of one line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The hosts that it asks for.
    #[serde(default, rename = "host", skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<HostAsk>,
    /// The secrets that it asks for.
    #[serde(default, rename = "secret", skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretAsk>,
    /// The settings that it reads.
    #[serde(default, rename = "setting", skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<SettingAsk>,
    /// The headers that it sends beside those that every plugin may send ([`USUAL_HEADERS`]) and those of its secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
    /// The objects that it reads and writes; empty: every object that it describes.
    #[serde(default, rename = "object", skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<ObjectAsk>,
    /// The webhooks that it reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookAsk>,
    /// The reason for keeping state between calls; `None` where it keeps none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<StateAsk>,
}

/// A host that a plugin asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostAsk {
    /// A pattern in the form of a grant (`https://api.example.com`, `https://*.example.com`), with settings
    /// in braces: as a part of the host (`https://{dc}.api.example.com`), or as the whole (`{url}`). `*` asks
    /// for whatever the operator grants.
    pub address: String,
    /// The reason, for the operator.
    pub reason: String,
}

/// A secret that a plugin asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretAsk {
    /// Its name.
    pub name: String,
    /// Whether it is sent or used to sign.
    #[serde(default, rename = "use")]
    pub usage: SecretUse,
    /// The hosts that it is sent to, as in [`HostAsk::address`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// The only header that it is sent in; without it, any header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// The query parameter that it may be sent in as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The reason, for the operator.
    pub reason: String,
}

/// The usage of a secret; never both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretUse {
    /// The secret is sent with requests.
    #[default]
    Send,
    /// The secret is a signing key, and never sent.
    Sign,
}

/// The request to keep state between calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateAsk {
    /// The reason, for the operator.
    pub reason: String,
}

/// Why a manifest is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the manifest of the plugin cannot be read: {0}")]
pub struct ManifestError(pub String);

fn format() -> u32 {
    FORMAT
}

impl Default for Manifest {
    /// Asks for nothing.
    fn default() -> Self {
        Self {
            format: FORMAT,
            name: String::new(),
            version: String::new(),
            description: String::new(),
            hosts: Vec::new(),
            secrets: Vec::new(),
            settings: Vec::new(),
            headers: Vec::new(),
            objects: Vec::new(),
            webhook: None,
            state: None,
        }
    }
}

impl Manifest {
    /// Parses the section of a component.
    ///
    /// # Errors
    /// [`ManifestError`]. The text is untrusted, and what is shown of it is truncated and escaped.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let wrong = |error: serde_json::Error| ManifestError(clean(&error.to_string(), 300));
        let value: serde_json::Value = serde_json::from_slice(bytes).map_err(wrong)?;
        // serde would take an array for an object whose names were left out.
        let object = value.as_object().ok_or_else(|| ManifestError("it is not a JSON object".to_owned()))?;
        match object.get("format") {
            None => {}
            Some(format) if format.as_u64() == Some(FORMAT.into()) => {}
            Some(format) => {
                let found = clean(&format.to_string(), 100);
                return Err(ManifestError(format!(
                    "it has form {found}, and this host knows form {FORMAT}; use a newer host"
                )));
            }
        }
        let manifest: Self = serde_json::from_value(value).map_err(wrong)?;
        manifest.checked()
    }

    /// Parses the author's file.
    ///
    /// # Errors
    /// [`ManifestError`], with the line.
    pub fn from_toml(text: &str) -> Result<Self, ManifestError> {
        let manifest: Self = toml::from_str(text).map_err(|error| ManifestError(error.to_string()))?;
        manifest.checked()
    }

    /// Serialises it for the section of a component.
    pub fn to_json(&self) -> Vec<u8> {
        // Texts and numbers only, so it cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The additional requests compared with an earlier manifest. Settings are left out: the operator sets
    /// them, so they are no risk. But a host that is named by a setting is another one where the default of that is another.
    #[must_use]
    pub fn more_than(&self, before: &Self) -> Self {
        let none = BTreeMap::new();
        let (now, then) = (self.effective(&none), before.effective(&none));
        let has_moved = |address: &str| {
            let host = AskedHost::of(address, &now);
            host.is_some() && host != AskedHost::of(address, &then)
        };
        let new_host = |host: &&HostAsk| {
            has_moved(&host.address) || !before.hosts.iter().any(|old| old.address == host.address)
        };
        let addresses = self.hosts.iter().map(|host| &host.address);
        let addresses = addresses.chain(self.secrets.iter().flat_map(|ask| &ask.hosts));
        // They say which host it is now.
        let moving: BTreeSet<String> = addresses
            .filter(|address| has_moved(address))
            .flat_map(|address| names_in(address))
            .filter(|name| now.get(*name) != then.get(*name))
            .map(str::to_owned)
            .collect();
        let new_secret = |ask: &SecretAsk| {
            let mut ask = ask.clone();
            let same_form = |old: &&SecretAsk| {
                old.name == ask.name
                    && old.usage == ask.usage
                    && (old.query == ask.query || ask.query.is_none())
                    && (old.header == ask.header || old.header.is_none())
            };
            if let Some(old) = before.secrets.iter().find(same_form) {
                ask.hosts.retain(|host| has_moved(host) || !old.hosts.contains(host));
                if ask.hosts.is_empty() {
                    return None;
                }
            }
            Some(ask)
        };
        Self {
            hosts: self.hosts.iter().filter(new_host).cloned().collect(),
            secrets: self.secrets.iter().filter_map(new_secret).collect(),
            headers: self.headers.iter().filter(|name| !before.headers.contains(name)).cloned().collect(),
            objects: more_objects(&self.objects, &before.objects),
            webhook: self.webhook.clone().filter(|webhook| before.webhook.as_ref() != Some(webhook)),
            state: self.state.clone().filter(|_| before.state.is_none()),
            settings: self.settings.iter().filter(|ask| moving.contains(&ask.name)).cloned().collect(),
            ..Self::default()
        }
    }

    /// What a later manifest no longer asks for.
    pub fn less_in(&self, later: &Self) -> Self {
        Self { objects: less_objects(&self.objects, &later.objects), ..self.more_than(later) }
    }

    /// Every request as a sentence for the operator.
    pub fn asks(&self) -> Vec<AskInWords> {
        let mut asks = Vec::new();
        let mut add = |ask: &'static str, name: Option<&String>, words: String, reason: &str| {
            asks.push(AskInWords { ask, name: name.cloned(), words, reason: reason.to_owned() })
        };
        for host in &self.hosts {
            let words = format!("sends requests to {}", place(&host.address));
            add("host", Some(&host.address), words, &host.reason);
        }
        for secret in &self.secrets {
            add("secret", Some(&secret.name), secret.words(), &secret.reason);
        }
        for setting in &self.settings {
            let words = format!("reads the setting {}{}", setting.name, setting.words());
            add("setting", Some(&setting.name), words, &setting.reason);
        }
        if !self.headers.is_empty() {
            let list = self.headers.join(", ");
            let words = format!("sends the headers {list} beside those that every plugin may send");
            add("headers", None, words, "");
        }
        for object in &self.objects {
            add("object", Some(&object.name), object.words(), &object.reason);
        }
        if let Some(webhook) = &self.webhook {
            add("webhook", None, webhook.words(), &webhook.reason);
        }
        if let Some(state) = &self.state {
            add("state", None, "keeps a few bytes between runs".to_owned(), &state.reason);
        }
        asks
    }

    /// The settings that the plugin reads: of those that it names, what was set, in the kind that it has, and else the
    /// default. A value that does not fit is left out; [`Manifest::check_settings`] says so.
    pub fn effective(&self, settings: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
        let value = |ask: &SettingAsk| {
            let set = settings.get(&ask.name).filter(|value| !value.is_blank() || ask.default.is_none());
            let default = || ask.default.as_ref().map(Value::from);
            ask.read(&set.cloned().or_else(default)?).ok()
        };
        self.settings.iter().filter_map(|ask| Some((ask.name.clone(), value(ask)?))).collect()
    }

    /// Checks the settings of an integration against what the manifest says about them. A blank one counts as not set.
    ///
    /// # Errors
    /// [`SettingError`], for the first one that does not fit.
    pub fn check_settings(&self, settings: &BTreeMap<String, Value>) -> Result<(), SettingError> {
        self.settings.iter().try_for_each(|ask| self.check_setting(ask, settings))
    }

    /// Every setting that does not fit, as [`Manifest::check_settings`].
    pub fn setting_errors(&self, settings: &BTreeMap<String, Value>) -> Vec<SettingError> {
        self.settings.iter().filter_map(|ask| self.check_setting(ask, settings).err()).collect()
    }

    fn check_setting(
        &self,
        ask: &SettingAsk,
        settings: &BTreeMap<String, Value>,
    ) -> Result<(), SettingError> {
        let Some(value) = settings.get(&ask.name).filter(|value| !value.is_blank()) else { return Ok(()) };
        let read = ask.read(value)?;
        let secrets = self.secrets.iter().flat_map(|secret| &secret.hosts);
        let patterns = self.hosts.iter().map(|host| &host.address).chain(secrets);
        let filled = BTreeMap::from([(ask.name.clone(), read)]);
        for pattern in patterns.filter(|pattern| names_in(pattern).any(|name| name == ask.name)) {
            match whole(pattern) {
                Some(_) if AskedHost::of(pattern, &filled).is_none() => {
                    return Err(ask.wrong(value, Expected::Address));
                }
                None if fill(&format!("{{{}}}", ask.name), &filled).is_err() => {
                    return Err(ask.wrong(value, Expected::HostPart));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Leaves out of the objects that a plugin describes those and the fields that its manifest does not name.
    pub(crate) fn narrow(&self, objects: &mut Vec<Object>) {
        object::narrow(&self.objects, objects);
    }

    /// The hosts asked for, with these settings filled in. A pattern whose settings are not set asks for
    /// nothing.
    pub fn hosts_with(&self, settings: &BTreeMap<String, Value>) -> Vec<AskedHost> {
        let settings = self.effective(settings);
        self.hosts.iter().filter_map(|host| AskedHost::of(&host.address, &settings)).collect()
    }

    /// The request for a secret.
    pub fn secret(&self, name: &str) -> Option<&SecretAsk> {
        self.secrets.iter().find(|secret| secret.name == name)
    }

    fn checked(mut self) -> Result<Self, ManifestError> {
        self.check_counts()?;
        self.clean_texts()?;
        check_names("setting", self.settings.iter().map(|ask| ask.name.as_str()), true)?;
        check_names("secret", self.secrets.iter().map(|ask| ask.name.as_str()), false)?;
        self.settings.iter_mut().try_for_each(SettingAsk::checked)?;
        let settings: BTreeSet<&str> = self.settings.iter().map(|ask| ask.name.as_str()).collect();
        for host in &mut self.hosts {
            host.address = as_granted(&host.address, &settings)?;
        }
        for secret in &mut self.secrets {
            secret.checked(&settings)?;
        }
        let headers = self.headers.iter().map(|name| header(name)).collect::<Result<BTreeSet<_>, _>>()?;
        self.headers = headers.into_iter().collect();
        self.check_own_values()?;
        check_objects(&self.objects)?;
        if let Some(webhook) = &self.webhook {
            webhook.checked(&self.secrets)?;
        }
        Ok(self)
    }

    /// Checks that the defaults and choices of settings fit what the settings fill.
    fn check_own_values(&self) -> Result<(), ManifestError> {
        for ask in &self.settings {
            for value in ask.choices.iter().chain(&ask.default) {
                let settings = BTreeMap::from([(ask.name.clone(), Value::from(value))]);
                self.check_settings(&settings).map_err(|error| ManifestError(error.to_string()))?;
            }
        }
        Ok(())
    }

    fn check_counts(&self) -> Result<(), ManifestError> {
        let refuse = |why: String| Err(ManifestError(why));
        for (what, count) in [
            ("host", self.hosts.len()),
            ("secret", self.secrets.len()),
            ("setting", self.settings.len()),
            ("header", self.headers.len()),
        ] {
            if count > MOST_ASKS {
                return refuse(format!(
                    "it asks for {count} of the kind {what}; {MOST_ASKS} can be asked for"
                ));
            }
        }
        Ok(())
    }

    /// Truncates and escapes its texts, which are untrusted.
    fn clean_texts(&mut self) -> Result<(), ManifestError> {
        for text in [&mut self.name, &mut self.version, &mut self.description] {
            *text = clean(text, MOST_TEXT as u64);
        }
        let reasons = self.hosts.iter_mut().map(|ask| &mut ask.reason);
        let reasons = reasons.chain(self.secrets.iter_mut().map(|ask| &mut ask.reason));
        let reasons = reasons.chain(self.settings.iter_mut().map(|ask| &mut ask.reason));
        let reasons = reasons.chain(self.objects.iter_mut().map(|ask| &mut ask.reason));
        let reasons = reasons.chain(self.webhook.iter_mut().map(|ask| &mut ask.reason));
        for reason in reasons.chain(self.state.iter_mut().map(|ask| &mut ask.reason)) {
            if reason.trim().is_empty() {
                return Err(ManifestError(
                    "something is asked for without a reason; write what it is for".to_owned(),
                ));
            }
            *reason = clean(reason, MOST_TEXT as u64);
        }
        Ok(())
    }
}

impl SecretAsk {
    fn words(&self) -> String {
        let places: Vec<String> = self.hosts.iter().map(|host| place(host)).collect();
        let form = match (&self.header, &self.query) {
            (Some(header), Some(query)) => format!(" in the header {header} or as the parameter {query}"),
            (Some(header), None) => format!(" in the header {header}"),
            (None, Some(query)) => format!(" in a header or as the parameter {query}"),
            (None, None) => " in a header".to_owned(),
        };
        match self.usage {
            SecretUse::Send => {
                format!("has the secret {} sent to {}{form}", self.name, places.join(" and "))
            }
            SecretUse::Sign => {
                format!("has texts signed with the secret {}, which is never sent", self.name)
            }
        }
    }

    fn checked(&mut self, settings: &BTreeSet<&str>) -> Result<(), ManifestError> {
        let refuse = |why: String| Err(ManifestError(why));
        let name = &self.name;
        match self.usage {
            SecretUse::Send if self.hosts.is_empty() => {
                return refuse(format!("the secret '{name}' names no hosts that it is sent to"));
            }
            SecretUse::Sign if !self.hosts.is_empty() || self.header.is_some() || self.query.is_some() => {
                return refuse(format!(
                    "the secret '{name}' signs, so it cannot be sent: leave out hosts, header and query"
                ));
            }
            _ => {}
        }
        for host in &mut self.hosts {
            *host = as_granted(host, settings)?;
        }
        if let Some(name) = &self.header {
            header(name)?;
        }
        if let Some(query) = &self.query
            && (query.is_empty()
                || query.len() > 100
                || !query.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)))
        {
            return refuse(format!("{} is not the name of a parameter", quoted(query, 100)));
        }
        Ok(())
    }
}

fn check_names<'n>(
    what: &str,
    names: impl Iterator<Item = &'n str>,
    dots: bool,
) -> Result<(), ManifestError> {
    let mut seen = BTreeSet::new();
    for name in names {
        let fits =
            |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' || (dots && byte == b'.');
        if name.is_empty() || name.len() > 64 || !name.bytes().all(fits) {
            return Err(ManifestError(format!(
                "{} is no name of a {what}; use up to 64 letters, digits, dashes and underscores",
                quoted(name, 100)
            )));
        }
        if !seen.insert(name) {
            return Err(ManifestError(format!("the {what} '{name}' occurs twice")));
        }
    }
    Ok(())
}

/// A request of a plugin in words, for the operator who decides on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskInWords {
    /// What kind of thing is asked for: `host`, `secret`, `setting`, `headers`, `object`, `webhook` or `state`.
    pub ask: &'static str,
    /// Its name; of a host the address, as it would be granted.
    pub name: Option<String>,
    /// `sends requests to https://api.example.com`
    pub words: String,
    /// The reason, in the author's words; empty where there is none.
    pub reason: String,
}

/// The words, and the author's reason in quotation marks.
impl fmt::Display for AskInWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason.as_str() {
            "" => f.write_str(&self.words),
            reason => write!(f, "{} ({})", self.words, Foreign::new(reason).quoted()),
        }
    }
}

#[cfg(test)]
mod tests;
