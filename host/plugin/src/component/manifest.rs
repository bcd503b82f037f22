//! The manifest: the capabilities that a plugin asks for, with reasons. A custom section of its component,
//! which `plugin build` writes from the author's `plugin.toml`.
//!
//! Asking grants nothing. A plugin's effective permissions are the intersection of what the manifest asks for
//! and what the operator has granted. An operator who grants too much, or keeps a stale grant, therefore
//! loses nothing.

use crate::address::grant::HttpGrant;
use crate::text::clean;
use entente_core::Value;
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

/// A setting that a plugin reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingAsk {
    /// Its name.
    pub name: String,
    /// Whether the plugin requires it.
    #[serde(default)]
    pub required: bool,
    /// Its description, for the operator.
    pub reason: String,
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
    /// them, so they are no risk.
    #[must_use]
    pub fn more_than(&self, before: &Self) -> Self {
        let new_host = |host: &&HostAsk| !before.hosts.iter().any(|old| old.address == host.address);
        let new_secret = |ask: &SecretAsk| {
            let mut ask = ask.clone();
            let same_form = |old: &&SecretAsk| {
                old.name == ask.name
                    && old.usage == ask.usage
                    && (old.query == ask.query || ask.query.is_none())
                    && (old.header == ask.header || old.header.is_none())
            };
            if let Some(old) = before.secrets.iter().find(same_form) {
                ask.hosts.retain(|host| !old.hosts.contains(host));
                if ask.hosts.is_empty() {
                    return None;
                }
            }
            Some(ask)
        };
        Self {
            hosts: self.hosts.iter().filter(new_host).cloned().collect(),
            secrets: self.secrets.iter().filter_map(new_secret).collect(),
            state: self.state.clone().filter(|_| before.state.is_none()),
            ..Self::default()
        }
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
            let places: Vec<String> = secret.hosts.iter().map(|host| place(host)).collect();
            let form = match (&secret.header, &secret.query) {
                (Some(header), Some(query)) => format!(" in the header {header} or as the parameter {query}"),
                (Some(header), None) => format!(" in the header {header}"),
                (None, Some(query)) => format!(" in a header or as the parameter {query}"),
                (None, None) => " in a header".to_owned(),
            };
            let words = match secret.usage {
                SecretUse::Send => {
                    format!("has the secret {} sent to {}{form}", secret.name, places.join(" and "))
                }
                SecretUse::Sign => {
                    format!("has texts signed with the secret {}, which is never sent", secret.name)
                }
            };
            add("secret", Some(&secret.name), words, &secret.reason);
        }
        for setting in &self.settings {
            let must = if setting.required { ", which must be set" } else { "" };
            let words = format!("reads the setting {}{must}", setting.name);
            add("setting", Some(&setting.name), words, &setting.reason);
        }
        if let Some(state) = &self.state {
            add("state", None, "keeps a few bytes between runs".to_owned(), &state.reason);
        }
        asks
    }

    /// The hosts asked for, with these settings filled in. A pattern whose settings are not set asks for
    /// nothing.
    pub fn hosts_with(&self, settings: &BTreeMap<String, Value>) -> Vec<AskedHost> {
        self.hosts.iter().filter_map(|host| AskedHost::of(&host.address, settings)).collect()
    }

    /// The request for a secret.
    pub fn secret(&self, name: &str) -> Option<&SecretAsk> {
        self.secrets.iter().find(|secret| secret.name == name)
    }

    fn checked(mut self) -> Result<Self, ManifestError> {
        let refuse = |why: String| Err(ManifestError(why));
        for (what, count) in
            [("host", self.hosts.len()), ("secret", self.secrets.len()), ("setting", self.settings.len())]
        {
            if count > MOST_ASKS {
                return refuse(format!(
                    "it asks for {count} of the kind {what}; {MOST_ASKS} can be asked for"
                ));
            }
        }
        for text in [&mut self.name, &mut self.version, &mut self.description] {
            *text = clean(text, MOST_TEXT as u64);
        }
        let reasons = self.hosts.iter_mut().map(|ask| &mut ask.reason);
        let reasons = reasons.chain(self.secrets.iter_mut().map(|ask| &mut ask.reason));
        let reasons = reasons.chain(self.settings.iter_mut().map(|ask| &mut ask.reason));
        for reason in reasons.chain(self.state.iter_mut().map(|ask| &mut ask.reason)) {
            if reason.trim().is_empty() {
                return refuse("something is asked for without a reason; write what it is for".to_owned());
            }
            *reason = clean(reason, MOST_TEXT as u64);
        }
        check_names("setting", self.settings.iter().map(|ask| ask.name.as_str()), true)?;
        check_names("secret", self.secrets.iter().map(|ask| ask.name.as_str()), false)?;
        let settings: BTreeSet<&str> = self.settings.iter().map(|ask| ask.name.as_str()).collect();
        for host in &self.hosts {
            check_address(&host.address, &settings)?;
        }
        for secret in &self.secrets {
            let name = &secret.name;
            match secret.usage {
                SecretUse::Send if secret.hosts.is_empty() => {
                    return refuse(format!("the secret '{name}' names no hosts that it is sent to"));
                }
                SecretUse::Sign
                    if !secret.hosts.is_empty() || secret.header.is_some() || secret.query.is_some() =>
                {
                    return refuse(format!(
                        "the secret '{name}' signs, so it cannot be sent: leave out hosts, header and query"
                    ));
                }
                _ => {}
            }
            for host in &secret.hosts {
                check_address(host, &settings)?;
            }
            if let Some(header) = &secret.header
                && http::HeaderName::from_bytes(header.as_bytes()).is_err()
            {
                return refuse(format!("'{}' is not the name of a header", clean(header, 100)));
            }
            if let Some(query) = &secret.query
                && (query.is_empty()
                    || query.len() > 100
                    || !query.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)))
            {
                return refuse(format!("'{}' is not the name of a parameter", clean(query, 100)));
            }
        }
        Ok(self)
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
                "'{}' is no name of a {what}; use up to 64 letters, digits, dashes and underscores",
                clean(name, 100)
            )));
        }
        if !seen.insert(name) {
            return Err(ManifestError(format!("the {what} '{name}' occurs twice")));
        }
    }
    Ok(())
}

/// Checks a pattern with settings: with harmless values filled in, it must be a grant.
fn check_address(address: &str, settings: &BTreeSet<&str>) -> Result<(), ManifestError> {
    if address == "*" {
        return Ok(());
    }
    if address.len() > MOST_TEXT {
        return Err(ManifestError(format!(
            "an address has {} bytes; {MOST_TEXT} are the most",
            address.len()
        )));
    }
    if address.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Err(ManifestError(format!(
            "the address '{}' has spaces or control characters in it",
            clean(address, 200)
        )));
    }
    for name in names_in(address) {
        if !settings.contains(name) {
            return Err(ManifestError(format!(
                "'{}' uses a setting that is not listed as one",
                clean(address, 200)
            )));
        }
    }
    let sample = if whole(address).is_some() {
        "https://x.example".to_owned()
    } else {
        filled(address, |_| Some("x".to_owned()))?
    };
    sample.parse::<HttpGrant>().map_err(|error| ManifestError(error.to_string()))?;
    Ok(())
}

/// The names of the settings in a pattern, which stand in braces.
fn names_in(address: &str) -> impl Iterator<Item = &str> {
    address.split('{').skip(1).map(|part| part.split_once('}').map_or(part, |(name, _)| name))
}

/// The setting of a pattern that is a single setting: `{url}`.
fn whole(address: &str) -> Option<&str> {
    address.strip_prefix('{')?.strip_suffix('}').filter(|name| !name.contains(['{', '}']))
}

fn filled(pattern: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, ManifestError> {
    let refuse = |why: String| ManifestError(format!("'{}' cannot be filled: {why}", clean(pattern, 200)));
    let mut text = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or_else(|| refuse("a { is not closed".to_owned()))?;
        let value = value(name).unwrap_or_default();
        if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(refuse(format!(
                "the setting '{}' must be set to letters, digits and dashes",
                clean(name, 100)
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

fn place(address: &str) -> String {
    match (address, whole(address)) {
        ("*", _) => "any host that you grant".to_owned(),
        (_, Some(setting)) => format!("the host of the setting {setting}"),
        (address, None) => address.to_owned(),
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

/// A request of a plugin in words, for the operator who decides on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskInWords {
    /// What kind of thing is asked for: `host`, `secret`, `setting` or `state`.
    pub ask: &'static str,
    /// Its name; of a host the address, as the manifest has it.
    pub name: Option<String>,
    /// `sends requests to https://api.example.com`
    pub words: String,
    /// The reason, in the author's words.
    pub reason: String,
}

impl fmt::Display for AskInWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.words, self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
name = "mail"
version = "1.2.0"
description = "Keeps members in step"
state = { reason = "remembers the last batch" }

[[host]]
address = "https://{dc}.api.example.com"
reason = "the API"

[[host]]
address = "{url}"
reason = "your own server"

[[secret]]
name = "api-key"
hosts = ["https://{dc}.api.example.com"]
header = "authorization"
reason = "signs in"

[[secret]]
name = "hook"
use = "sign"
reason = "checks webhooks"

[[setting]]
name = "dc"
required = true
reason = "the data centre, such as us1"

[[setting]]
name = "url"
reason = "address of your server"
"#;

    fn read(text: &str) -> Manifest {
        Manifest::from_toml(text).unwrap()
    }

    #[test]
    fn a_manifest_is_read_from_the_file_and_from_the_section() {
        let manifest = read(WHOLE);
        assert_eq!(Manifest::parse(&manifest.to_json()).unwrap(), manifest);
        let words: Vec<String> = manifest.asks().iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(words.join("\n"), @"
        sends requests to https://{dc}.api.example.com (the API)
        sends requests to the host of the setting url (your own server)
        has the secret api-key sent to https://{dc}.api.example.com in the header authorization (signs in)
        has texts signed with the secret hook, which is never sent (checks webhooks)
        reads the setting dc, which must be set (the data centre, such as us1)
        reads the setting url (address of your server)
        keeps a few bytes between runs (remembers the last batch)
        ");
        assert_eq!(Manifest::parse(b"{}").unwrap(), Manifest::default());
        assert!(Manifest::default().asks().is_empty());
    }

    #[test]
    fn what_is_no_manifest_is_told() {
        let table = [
            ("[[host]]\naddress = \"https://a.example\"", "missing field `reason`"),
            ("[[host]]\naddress = \"https://a.example\"\nreason = \" \"", "without a reason"),
            ("[[host]]\naddress = \"a.example\"\nreason = \"x\"", "cannot be granted"),
            ("[[host]]\naddress = \"https://a.example\\r\"\nreason = \"x\"", "spaces or control characters"),
            ("[[host]]\naddress = \"https://{dc}.example\"\nreason = \"x\"", "a setting that is not listed"),
            ("[[host]]\naddress = \"https://{dc.example\"\nreason = \"x\"", "not listed"),
            ("[[secret]]\nname = \"a b\"\nhosts = [\"*\"]\nreason = \"x\"", "no name of a secret"),
            ("[[secret]]\nname = \"a\"\nreason = \"x\"", "names no hosts"),
            ("[[secret]]\nname = \"a\"\nuse = \"sign\"\nhosts = [\"*\"]\nreason = \"x\"", "cannot be sent"),
            (
                "[[secret]]\nname = \"a\"\nhosts = [\"*\"]\nheader = \"a:b\"\nreason = \"x\"",
                "not the name of a header",
            ),
            (
                "[[secret]]\nname = \"a\"\nhosts = [\"*\"]\nquery = \"a&b\"\nreason = \"x\"",
                "not the name of a parameter",
            ),
            (
                "[[setting]]\nname = \"a\"\nreason = \"x\"\n[[setting]]\nname = \"a\"\nreason = \"x\"",
                "occurs twice",
            ),
            ("files = true", "unknown field `files`"),
        ];
        for (text, expected) in table {
            let error = Manifest::from_toml(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        let newer = Manifest::parse(br#"{"format":2,"files":["/"]}"#).unwrap_err().to_string();
        assert!(newer.contains("it has form 2, and this host knows form 1"), "{newer}");
        for bytes in [&b""[..], b"null", b"[]", b"{\"host\":1}", b"\xff", b"{\"format\":-1}"] {
            assert!(Manifest::parse(bytes).is_err(), "{bytes:?}");
        }
        let many = "[[setting]]\nname = \"a\"\nreason = \"x\"\n".repeat(51);
        assert!(Manifest::from_toml(&many).unwrap_err().to_string().contains("51 of the kind setting"));
        let hidden = read("[[setting]]\nname = \"a\"\nreason = \"\\u001b[31mred\\u202e\"");
        assert_eq!(hidden.settings[0].reason, "\\u{1b}[31mred\\u{202e}");
    }

    #[test]
    fn what_a_new_version_asks_for_in_addition_is_found() {
        type Change = fn(&mut Manifest);
        let before = read(WHOLE);
        assert_eq!(before.more_than(&before), Manifest::default());
        assert_eq!(Manifest::default().more_than(&before), Manifest::default(), "less is no more");
        let more = |change: Change| {
            let mut after = before.clone();
            change(&mut after);
            after.more_than(&before).asks().iter().map(|ask| ask.words.clone()).collect::<Vec<_>>().join("; ")
        };
        let table: [(Change, &str); 8] = [
            (|m| m.hosts[0].reason = "other words".to_owned(), ""),
            (|m| m.settings.clear(), ""),
            (|m| m.hosts[0].address = "*".to_owned(), "sends requests to any host that you grant"),
            (
                |m| m.secrets[0].hosts.push("{url}".to_owned()),
                "has the secret api-key sent to the host of the setting url in the header authorization",
            ),
            (
                |m| m.secrets[0].header = None,
                "has the secret api-key sent to https://{dc}.api.example.com in a header",
            ),
            (
                |m| m.secrets[0].query = Some("key".to_owned()),
                "has the secret api-key sent to https://{dc}.api.example.com in the header authorization or as the parameter key",
            ),
            (
                |m| {
                    m.secrets[1].usage = SecretUse::Send;
                    m.secrets[1].hosts = vec!["*".to_owned()]
                },
                "has the secret hook sent to any host that you grant in a header",
            ),
            (|m| m.state = None, ""),
        ];
        for (change, expected) in table {
            assert_eq!(more(change), expected);
        }
        assert_eq!(before.more_than(&Manifest::default()).asks().len(), 5, "all but the settings");
    }

    #[test]
    fn settings_fill_addresses_and_lead_nowhere_else() {
        let manifest = read(WHOLE);
        let hosts = |settings: &[(&str, &str)]| {
            let settings =
                settings.iter().map(|(name, value)| ((*name).to_owned(), Value::text(*value))).collect();
            manifest.hosts_with(&settings).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        let table: [(&[(&str, &str)], &str); 7] = [
            (&[], ""),
            (&[("dc", "us1")], "https://us1.api.example.com"),
            (&[("dc", "evil.example/")], ""),
            (&[("url", "http://127.0.0.1:8787/path?x=1")], "http://127.0.0.1:8787"),
            (&[("url", "https://Own.example")], "https://own.example"),
            (&[("url", "https://user@own.example")], ""),
            (&[("url", "file:///etc/passwd")], ""),
        ];
        for (settings, expected) in table {
            assert_eq!(hosts(settings), expected, "{settings:?}");
        }
    }
}
