//! Secret injection: plugins see placeholders only; the secret is inserted when the request leaves the host.

use super::hosts::Hosts;
use super::scrub::url_encoded;
use crate::address::grant::{HttpGrant, Target};
use crate::component::manifest::{AskedHost, SecretAsk, SecretUse};
use crate::text::clean;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use entente_core::{Foreign, Value};
use entente_sync::Remedy;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use reqwest::Url;
use sha2::Sha256;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A secret. It is wiped when dropped, and its debug output is empty.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Holds a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A binding of a secret to hosts, by the operator. The manifest of the plugin states its usage.
#[derive(Debug, Clone)]
pub struct SecretGrant {
    /// Its name.
    pub name: String,
    /// The hosts that it may be sent to, which must be granted as such too.
    pub hosts: Vec<HttpGrant>,
    /// The header that it may be sent in; `None`: any header.
    pub header: Option<HeaderName>,
    /// The query parameter that it may be sent in; `None`: headers only.
    pub query: Option<String>,
}

/// The effective binding of a secret: the intersection of what the manifest asks for and the operator has
/// granted.
#[derive(Debug, Clone)]
pub(crate) struct BoundSecret {
    name: String,
    usage: SecretUse,
    hosts: Hosts,
    /// The header that it may be sent in; `None`: any header.
    header: Option<HeaderName>,
    /// Manifest and grant name different headers, so it may be sent in none.
    no_header: bool,
    query: Option<String>,
}

impl BoundSecret {
    pub(crate) fn new(ask: &SecretAsk, grant: SecretGrant, settings: &BTreeMap<String, Value>) -> Self {
        let asked: Option<HeaderName> =
            ask.header.as_deref().and_then(|name| HeaderName::from_bytes(name.as_bytes()).ok());
        let no_header = matches!((&asked, &grant.header), (Some(asked), Some(granted)) if asked != granted);
        Self {
            name: grant.name,
            usage: ask.usage,
            hosts: Hosts {
                asked: ask.hosts.iter().filter_map(|host| AskedHost::of(host, settings)).collect(),
                granted: grant.hosts,
                headers: Vec::new(),
            },
            header: asked.or(grant.header),
            no_header,
            query: grant.query.filter(|granted| ask.query.as_ref() == Some(granted)),
        }
    }
}

/// Why a secret is not available. For the plugin and the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SecretError {
    #[error("there is no secret {}", Foreign::new(.0).quoted())]
    Missing(String),
    #[error("the plugin's manifest does not ask for the secret {}, so that it cannot be granted", Foreign::new(.0).quoted())]
    NotAsked(String),
    #[error("the secret {} is not granted", Foreign::new(.0).quoted())]
    NotGranted(String),
    #[error("the secret {} is a signing key and is never sent", Foreign::new(.0).quoted())]
    SigningKey(String),
    #[error("the secret {} is for sending, not a signing key", Foreign::new(.0).quoted())]
    NotSigningKey(String),
}

impl SecretError {
    /// Remedies for the operator.
    pub(crate) fn remedies(&self, integration: String) -> Vec<Remedy> {
        vec![match self {
            SecretError::Missing(secret) => Remedy::SetSecret { integration, secret: secret.clone() },
            SecretError::NotAsked(_) => Remedy::ShowGrants { integration },
            SecretError::NotGranted(secret) => {
                Remedy::GrantSecret { integration, secret: secret.clone(), host: None }
            }
            SecretError::SigningKey(_) | SecretError::NotSigningKey(_) => Remedy::ReportToAuthor,
        }]
    }
}

/// The secrets of an integration with their effective bindings.
#[derive(Debug)]
pub(crate) struct Vault {
    secrets: BTreeMap<String, Secret>,
    bound: Vec<BoundSecret>,
    /// The secrets that the manifest asks for.
    asked: Vec<String>,
}

impl Vault {
    /// `asked` are the manifest's secrets, with these settings filled in; `grants` are the operator's.
    pub(crate) fn new(
        secrets: BTreeMap<String, Secret>,
        grants: Vec<SecretGrant>,
        asked: &[SecretAsk],
        settings: &BTreeMap<String, Value>,
    ) -> Self {
        let find = |name: &str| asked.iter().find(|ask| ask.name == name);
        let bound = grants
            .into_iter()
            .filter_map(|grant| Some(BoundSecret::new(find(&grant.name)?, grant, settings)))
            .collect();
        Self { secrets, bound, asked: asked.iter().map(|ask| ask.name.clone()).collect() }
    }

    /// The names of the secrets that the plugin can send.
    pub(crate) fn sent(&self) -> impl Iterator<Item = &str> {
        let sent = self.bound.iter().filter(|bound| bound.usage == SecretUse::Send);
        sent.map(|bound| bound.name.as_str()).filter(|name| self.secrets.contains_key(*name))
    }

    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.secrets.values()
    }

    /// The names of the secrets that are looked for in answers of a host: those that may be sent there, and those that the
    /// plugin signs with, at which it can guess anyway.
    pub(super) fn looked_for(&self, target: &Target) -> Vec<&str> {
        let is = |bound: &&BoundSecret| bound.usage == SecretUse::Sign || bound.hosts.allows(target);
        let names = self.bound.iter().filter(is).map(|bound| bound.name.as_str());
        let mut names: Vec<&str> = names.filter(|name| self.secrets.contains_key(*name)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The secrets of these names.
    pub(super) fn named<'v>(&'v self, names: &'v [&str]) -> impl Iterator<Item = &'v Secret> {
        names.iter().filter_map(|name| self.secrets.get(*name))
    }

    fn find(&self, name: &str) -> Result<(&Secret, &BoundSecret), SecretError> {
        let shown = || shown_name(name);
        if !self.asked.iter().any(|asked| asked == name) {
            return Err(SecretError::NotAsked(shown()));
        }
        let secret = self.secrets.get(name).ok_or_else(|| SecretError::Missing(shown()))?;
        let bound = self.bound.iter().find(|bound| bound.name == name);
        let bound = bound.ok_or_else(|| SecretError::NotGranted(shown()))?;
        Ok((secret, bound))
    }

    /// HMAC-SHA-256 with a signing key.
    pub(crate) fn hmac(&self, name: &str, data: &[u8]) -> Result<Vec<u8>, SecretError> {
        match self.find(name)? {
            (_, bound) if bound.usage != SecretUse::Sign => {
                Err(SecretError::NotSigningKey(bound.name.clone()))
            }
            (secret, bound) => {
                // HMAC accepts keys of every length.
                let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
                    .map_err(|_| SecretError::NotSigningKey(bound.name.clone()))?;
                mac.update(data);
                Ok(mac.finalize().into_bytes().to_vec())
            }
        }
    }

    /// Compares in constant time.
    pub(crate) fn matches(&self, name: &str, candidate: &str) -> Result<bool, SecretError> {
        let (secret, _) = self.find(name)?;
        Ok(secret.expose().as_bytes().ct_eq(candidate.as_bytes()).into())
    }

    /// Whether a secret is bound to this host. The plugin's own credential headers are then removed, and it gets whole answers
    /// only.
    pub(super) fn bound(&self, target: &Target) -> bool {
        self.bound.iter().any(|bound| bound.usage == SecretUse::Send && bound.hosts.allows(target))
    }
}

/// A name that a plugin gave, for people. A long one is not cut, since a part of a secret in it would not be found.
pub(super) fn shown_name(name: &str) -> String {
    match name.len() > 100 {
        true => format!("(a name of {} bytes)", name.len()),
        false => clean(name, 100),
    }
}

/// What a placeholder stands for.
enum Meaning {
    Plain,
    /// The complete value of an `authorization` header (Basic, with this user).
    Basic(String),
}

struct Placeholder {
    text: String,
    secret: String,
    meaning: Meaning,
}

/// The placeholders of one running plugin; no other plugin can use them.
#[derive(Default)]
pub(super) struct Placeholders(VecDeque<Placeholder>);

/// How many placeholders stay valid: a plugin that makes one per request needs only the last.
pub(super) const REMEMBERED: usize = 256;

/// A request carries a placeholder to a host that its secret is not bound to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotForThisHost(pub(super) String);

impl Placeholders {
    /// Makes a placeholder for a secret; with `user`, for the complete value of a Basic header.
    pub(super) fn make(
        &mut self,
        vault: &Vault,
        name: &str,
        user: Option<&str>,
    ) -> Result<String, SecretError> {
        let (_, bound) = vault.find(name)?;
        if bound.usage != SecretUse::Send {
            return Err(SecretError::SigningKey(bound.name.clone()));
        }
        let mut random = [0u8; 16];
        // Without randomness a placeholder could be guessed, so none is made.
        getrandom::fill(&mut random).map_err(|_| SecretError::NotGranted(name.to_owned()))?;
        let text = format!("entente-secret-{}", hex::encode(random));
        let meaning = user.map_or(Meaning::Plain, |user| Meaning::Basic(user.to_owned()));
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(Placeholder { text: text.clone(), secret: name.to_owned(), meaning });
        Ok(text)
    }

    /// Whether the value of a header is a placeholder, alone or after an authentication scheme.
    pub(super) fn is_one(&self, value: &HeaderValue) -> bool {
        let is = |text: &str, placeholder: &Placeholder| {
            text.strip_suffix(placeholder.text.as_str())
                .is_some_and(|scheme| scheme.is_empty() || is_scheme(scheme))
        };
        value.to_str().is_ok_and(|text| self.0.iter().any(|placeholder| is(text, placeholder)))
    }

    /// Replaces placeholders by their secrets in the granted header or query parameter. Anywhere else they
    /// are sent unchanged.
    pub(super) fn fill(
        &self,
        vault: &Vault,
        target: &Target,
        url: &mut Url,
        headers: &mut HeaderMap,
    ) -> Result<(), NotForThisHost> {
        let mut filled: Vec<HeaderName> = Vec::new();
        for placeholder in &self.0 {
            if !mentions(url, headers, &placeholder.text) {
                continue;
            }
            let Ok((secret, bound)) = vault.find(&placeholder.secret) else { continue };
            if !bound.hosts.allows(target) {
                return Err(NotForThisHost(placeholder.secret.clone()));
            }
            if let Some(name) = fill_header(headers, placeholder, secret, bound, &filled) {
                filled.push(name);
            }
            if let (Some(parameter), Meaning::Plain) = (&bound.query, &placeholder.meaning) {
                fill_query(url, parameter, &placeholder.text, secret);
            }
        }
        if vault.bound(target) {
            for name in headers.keys().cloned().collect::<Vec<_>>() {
                if is_credential(&name) && !filled.contains(&name) {
                    headers.remove(&name);
                }
            }
        }
        // A header may have several values: beside a secret there is none of the plugin's own, of which a server might take that.
        for name in filled {
            let secret = headers.get_all(&name).iter().find(|value| value.is_sensitive()).cloned();
            if let Some(secret) = secret {
                headers.insert(name, secret);
            }
        }
        Ok(())
    }
}

fn mentions(url: &Url, headers: &HeaderMap, text: &str) -> bool {
    let contains = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    url.as_str().contains(text) || headers.values().any(|value| contains(value.as_bytes()))
}

/// Fills the first header whose value is the placeholder, or an authentication scheme and the placeholder.
fn fill_header(
    headers: &mut HeaderMap,
    placeholder: &Placeholder,
    secret: &Secret,
    bound: &BoundSecret,
    filled: &[HeaderName],
) -> Option<HeaderName> {
    let allowed = |name: &HeaderName| {
        !bound.no_header && bound.header.as_ref().is_none_or(|only| only == name) && !filled.contains(name)
    };
    for (name, value) in headers.iter_mut().filter(|(name, _)| allowed(name)) {
        let Ok(text) = value.to_str() else { continue };
        let scheme = match text.strip_suffix(placeholder.text.as_str()) {
            Some("") => String::new(),
            Some(before) if is_scheme(before) && matches!(placeholder.meaning, Meaning::Plain) => {
                before.to_owned()
            }
            _ => continue,
        };
        let full = Zeroizing::new(match &placeholder.meaning {
            Meaning::Plain => format!("{scheme}{}", secret.expose()),
            Meaning::Basic(user) => format!(
                "Basic {}",
                STANDARD.encode(Zeroizing::new(format!("{user}:{}", secret.expose())).as_bytes())
            ),
        });
        // A secret with control characters cannot be in a header; the placeholder is sent, and the server
        // refuses it.
        let Ok(mut filled) = HeaderValue::from_bytes(full.as_bytes()) else { return None };
        filled.set_sensitive(true);
        let name = name.clone();
        *value = filled;
        return Some(name);
    }
    None
}

/// A word and one space, as in `Bearer `.
fn is_scheme(text: &str) -> bool {
    text.strip_suffix(' ').is_some_and(|word| {
        !word.is_empty()
            && word.len() <= 40
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    })
}

fn fill_query(url: &mut Url, parameter: &str, placeholder: &str, secret: &Secret) {
    let Some(query) = url.query() else { return };
    let whole = format!("{parameter}={placeholder}");
    if !query.split('&').any(|part| part == whole) {
        return;
    }
    let encoded = Zeroizing::new(
        String::from_utf8(url_encoded(secret.expose().as_bytes(), false, true)).unwrap_or_default(),
    );
    let filled: Vec<_> = query
        .split('&')
        .map(|part| if part == whole { format!("{parameter}={}", encoded.as_str()) } else { part.to_owned() })
        .collect();
    url.set_query(Some(&filled.join("&")));
}

/// Headers that carry credentials.
fn is_credential(name: &HeaderName) -> bool {
    const OTHERS: &[&str] = &[
        "x-api-key",
        "api-key",
        "apikey",
        "x-auth-token",
        "x-access-token",
        "x-auth-key",
        "x-authorization",
        "private-token",
        "x-csrf-token",
    ];
    *name == header::AUTHORIZATION || *name == header::COOKIE || OTHERS.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secrets of a manifest; `wants` are header and query parameter.
    fn asks(host: &str, wants: (Option<&str>, Option<&str>)) -> Vec<SecretAsk> {
        let ask = |name: &str, usage, hosts| SecretAsk {
            name: name.to_owned(),
            usage,
            hosts,
            header: wants.0.map(str::to_owned),
            query: wants.1.map(str::to_owned),
            reason: "tests".to_owned(),
        };
        let send = |name| ask(name, SecretUse::Send, vec![host.to_owned()]);
        vec![send("key"), send("loose"), send("none"), ask("signing", SecretUse::Sign, vec![])]
    }

    fn asked_vault(asks: &[SecretAsk], query: Option<&str>, header: Option<HeaderName>) -> Vault {
        let grant = |name: &str| SecretGrant {
            name: name.to_owned(),
            hosts: vec!["https://api.example.com".parse().unwrap()],
            header: header.clone(),
            query: query.map(str::to_owned),
        };
        let secrets = [("key", "the secret"), ("signing", "the secret"), ("loose", "x"), ("unasked", "x")];
        Vault::new(
            secrets.map(|(name, text)| (name.to_owned(), Secret::new(text))).into(),
            vec![grant("key"), grant("signing"), grant("unasked")],
            asks,
            &BTreeMap::new(),
        )
    }

    fn vault(query: Option<&str>, header: Option<HeaderName>) -> Vault {
        asked_vault(&asks("*", (None, query)), query, header)
    }

    /// Sends headers and a URL in which `{}` is a new placeholder, and returns the filled request.
    fn sent(
        vault: &Vault,
        url: &str,
        headers: &[(&str, &str)],
        user: Option<&str>,
    ) -> Result<(String, Vec<String>), NotForThisHost> {
        let mut placeholders = Placeholders::default();
        let placeholder = placeholders.make(vault, "key", user).unwrap();
        let mut url = Url::parse(&url.replace("{}", &placeholder)).unwrap();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::try_from(*name).unwrap(),
                value.replace("{}", &placeholder).parse().unwrap(),
            );
        }
        let target = Target::of(&url).unwrap();
        placeholders.fill(vault, &target, &mut url, &mut map)?;
        let show = |text: &str| text.replace(&placeholder, "{}");
        let headers =
            map.iter().map(|(name, value)| format!("{name}: {}", show(value.to_str().unwrap()))).collect();
        Ok((show(url.as_str()), headers))
    }

    #[test]
    fn a_placeholder_is_filled_as_a_whole_header_and_nowhere_else() {
        let url = "https://api.example.com/";
        let table = [
            ("{}", "the secret"),
            ("Bearer {}", "Bearer the secret"),
            ("Klaviyo-API-Key {}", "Klaviyo-API-Key the secret"),
            ("Bearer x{}", "Bearer x{}"),
            ("{}x", "{}x"),
            ("a b {}", "a b {}"),
            ("key={}", "key={}"),
        ];
        for (given, expected) in table {
            let (_, headers) = sent(&vault(None, None), url, &[("x-custom", given)], None).unwrap();
            assert_eq!(headers, [format!("x-custom: {expected}")], "{given}");
        }
        let twice = sent(&vault(None, None), url, &[("x-a", "{}"), ("x-b", "{}")], None).unwrap().1;
        assert_eq!(twice, ["x-a: the secret", "x-b: {}"], "in one header only");
        let only = vault(None, Some(HeaderName::from_static("x-b")));
        assert_eq!(
            sent(&only, url, &[("x-a", "{}"), ("x-b", "{}")], None).unwrap().1,
            ["x-a: {}", "x-b: the secret"]
        );
        let basic = sent(&vault(None, None), url, &[("authorization", "{}")], Some("me")).unwrap().1;
        assert_eq!(basic, [format!("authorization: Basic {}", STANDARD.encode("me:the secret"))]);
    }

    #[test]
    fn a_query_is_filled_only_where_that_was_granted() {
        let url = "https://api.example.com/{}?a={}&key={}&key=x{}";
        assert_eq!(sent(&vault(None, None), url, &[], None).unwrap().0, url);
        let filled = "https://api.example.com/{}?a={}&key=the%20secret&key=x{}";
        assert_eq!(sent(&vault(Some("key"), None), url, &[], None).unwrap().0, filled);
    }

    #[test]
    fn another_host_gets_nothing() {
        for (url, headers) in [
            ("https://other.example.com/", vec![("authorization", "Bearer {}")]),
            ("https://other.example.com/", vec![("x-middle", "a{}b")]),
            ("https://other.example.com/?x={}", vec![]),
            ("https://other.example.com/{}", vec![]),
            ("http://api.example.com/", vec![("authorization", "Bearer {}")]),
        ] {
            assert_eq!(
                sent(&vault(Some("x"), None), url, &headers, None),
                Err(NotForThisHost("key".to_owned())),
                "{url}"
            );
        }
    }

    #[test]
    fn a_secret_goes_only_where_plugin_and_operator_both_say() {
        let headers = [("x-a", "{}"), ("x-b", "{}")];
        let url = "https://api.example.com/?key={}";
        let go =
            |asks: &[SecretAsk], query, header| sent(&asked_vault(asks, query, header), url, &headers, None);
        let only = |name| Some(HeaderName::from_static(name));
        let other_host = asks("https://other.example.com", (None, None));
        assert_eq!(
            go(&other_host, None, None),
            Err(NotForThisHost("key".to_owned())),
            "the plugin asks for another host"
        );
        let filled = |asks: &[SecretAsk], query, header| {
            let (url, headers) = go(asks, query, header).unwrap();
            let in_query = if url.ends_with("key={}") { "" } else { "key " };
            headers
                .iter()
                .filter(|line| !line.ends_with("{}"))
                .fold(in_query.to_owned(), |all, line| all + &line[..3])
        };
        assert_eq!(filled(&asks("*", (None, None)), None, None), "x-a");
        assert_eq!(filled(&asks("*", (Some("x-b"), None)), None, None), "x-b");
        assert_eq!(filled(&asks("*", (None, None)), None, only("x-b")), "x-b");
        assert_eq!(filled(&asks("*", (Some("x-a"), None)), None, only("x-b")), "", "they do not agree");
        assert_eq!(filled(&asks("*", (None, Some("key"))), Some("key"), None), "key x-a");
        assert_eq!(filled(&asks("*", (None, Some("key"))), None, None), "x-a");
        assert_eq!(filled(&asks("*", (None, None)), Some("key"), None), "x-a");
    }

    #[test]
    fn at_a_host_with_a_secret_the_plugin_brings_no_credential_of_its_own() {
        let own = [
            ("authorization", "Bearer mine"),
            ("cookie", "a=b"),
            ("x-api-key", "mine"),
            ("accept", "text/plain"),
        ];
        let (_, kept) = sent(&vault(None, None), "https://api.example.com/", &own, None).unwrap();
        assert_eq!(kept, ["accept: text/plain"]);
        let (_, elsewhere) = sent(&vault(None, None), "https://other.example.com/", &own, None).unwrap();
        assert_eq!(elsewhere.len(), 4);
        // Nor as another value of the header that its secret goes in, before it or after it.
        for own in [
            [("x-key", "mine"), ("x-key", "{}")],
            [("authorization", "Bearer {}"), ("authorization", "Bearer mine")],
            [("authorization", "{}"), ("authorization", "{}")],
        ] {
            let (_, kept) = sent(&vault(None, None), "https://api.example.com/", &own, None).unwrap();
            assert!(kept.len() == 1 && kept[0].ends_with("the secret"), "{kept:?}");
        }
    }

    #[test]
    fn x7_only_secrets_that_are_granted_to_a_host_are_looked_for_there() {
        let vault = vault(None, None);
        let names = |url: &str| vault.looked_for(&Target::of(&Url::parse(url).unwrap()).unwrap());
        assert_eq!(names("https://api.example.com/x"), ["key", "signing"]);
        for other in ["https://other.example.com", "http://api.example.com", "https://api.example.com:8443"] {
            assert_eq!(names(other), ["signing"], "{other}");
        }
        assert_eq!(vault.named(&["key", "none"]).count(), 1);
        assert!(!vault.bound(&Target::of(&Url::parse("https://other.example.com").unwrap()).unwrap()));
    }

    #[test]
    fn a_signing_key_signs_and_is_never_sent() {
        let vault = vault(None, None);
        let mac = vault.hmac("signing", b"data").unwrap();
        // A test vector computed by another implementation.
        assert_eq!(hex::encode(mac), "053520f4583329656d41a388c5e594cbacb5975e86fac3d294f348ae93e71e87");
        assert_eq!(
            Placeholders::default().make(&vault, "signing", None),
            Err(SecretError::SigningKey("signing".to_owned()))
        );
        assert_eq!(vault.hmac("key", b"data"), Err(SecretError::NotSigningKey("key".to_owned())));
        let missing = Placeholders::default().make(&vault, "none", None).unwrap_err();
        assert_eq!(missing.to_string(), "there is no secret «none»");
        let (integration, secret) = ("shop".to_owned(), "none".to_owned());
        assert_eq!(missing.remedies("shop".to_owned()), [Remedy::SetSecret { integration, secret }]);
        let shell = vault.hmac("x; reboot", b"").unwrap_err();
        assert!(
            shell.to_string().starts_with("the plugin's manifest does not ask for the secret «x; reboot»"),
            "{shell}"
        );
        let loose = Placeholders::default().make(&vault, "loose", None).unwrap_err();
        assert!(loose.to_string().contains("not granted"), "{loose}");
        let unasked = Placeholders::default().make(&vault, "unasked", None).unwrap_err();
        assert!(
            unasked.to_string().starts_with("the plugin's manifest does not ask for the secret «unasked»"),
            "{unasked}"
        );
        assert_eq!(vault.matches("key", "the secret"), Ok(true));
        assert_eq!(vault.matches("key", "the secreT"), Ok(false));
    }

    #[test]
    fn a_secret_shows_nothing_of_itself() {
        let vault = vault(None, None);
        assert!(!format!("{vault:?}").contains("the secret"));
    }
}
