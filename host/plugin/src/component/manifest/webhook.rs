//! The webhook of a manifest: how the host verifies that a request comes from the remote system.

use super::{ManifestError, SecretAsk, SecretUse};
use crate::text::{clean, quoted};
use http::HeaderName;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A day in seconds: an older request is no request of now.
const OLDEST: u32 = 86_400;
const PARTS: &[&str] = &["body", "timestamp", "id", "method", "url"];

/// The webhooks that a plugin reads, and how they are signed. The host verifies the signature over the bytes as they came;
/// rows of a webhook count only where it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookAsk {
    /// The secret that the remote system signs with, of the use `sign`; without it nothing is verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// The way of a known service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<SignatureScheme>,
    /// Any other way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<SignaturePattern>,
    /// The reason, for the operator.
    pub reason: String,
}

/// The way in which a known service signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SignatureScheme {
    /// `webhook-id`, `webhook-timestamp` and `webhook-signature` of the Standard Webhooks specification.
    StandardWebhooks,
    /// `stripe-signature`.
    Stripe,
    /// `x-hub-signature-256`.
    Github,
    /// `x-slack-signature`, with `x-slack-request-timestamp`.
    Slack,
    /// `x-shopify-hmac-sha256`.
    Shopify,
    /// `x-hubspot-signature-v3`, with `x-hubspot-request-timestamp`.
    #[serde(rename = "hubspot-v3")]
    HubspotV3,
    /// `x-mailchimp-signature`.
    Mailchimp,
    /// `x-trello-webhook`.
    Trello,
}

/// A signature described by its parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignaturePattern {
    /// The header that the signature is in.
    pub header: String,
    /// What stands before it there, such as `sha256=`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// How it is computed.
    pub algorithm: SignatureAlgorithm,
    /// How its bytes are written.
    pub encoding: SignatureEncoding,
    /// What is signed, with parts in braces: `{body}`, `{timestamp}`, `{id}`, `{method}`, `{url}`. The body is among them.
    pub signs: String,
    /// The header with the time of the request, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// The oldest request that counts, in seconds; needs `timestamp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age: Option<u32>,
    /// The header with the id of the request, by which a second delivery is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// How a signature is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SignatureAlgorithm {
    /// HMAC with SHA-256.
    HmacSha256,
    /// HMAC with SHA-512.
    HmacSha512,
    /// HMAC with SHA-1, which older services use.
    HmacSha1,
}

/// How the bytes of a signature are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SignatureEncoding {
    /// Hexadecimal digits.
    Hex,
    /// Base64 with padding.
    Base64,
}

impl WebhookAsk {
    pub(super) fn checked(&self, secrets: &[SecretAsk]) -> Result<(), ManifestError> {
        let refuse = |why: String| Err(ManifestError(format!("the webhook {why}")));
        match (&self.secret, &self.scheme, &self.pattern) {
            (None, None, None) => return Ok(()),
            (_, Some(_), Some(_)) => {
                return refuse("has both a scheme and a pattern; leave out one".to_owned());
            }
            (None, ..) => return refuse("is signed, but names no secret that it is signed with".to_owned()),
            (Some(_), None, None) => {
                return refuse(
                    "names a secret, but neither a scheme nor a pattern of its signature".to_owned(),
                );
            }
            (Some(name), ..) => {
                if !secrets.iter().any(|ask| ask.name == *name && ask.usage == SecretUse::Sign) {
                    let name = quoted(name, 100);
                    return refuse(format!("is signed with {name}, which is no secret with use = \"sign\""));
                }
            }
        }
        self.pattern.as_ref().map_or(Ok(()), SignaturePattern::checked)
    }

    /// `takes webhooks that are signed as Stripe does, with the secret hook`
    pub(super) fn words(&self) -> String {
        let Some(secret) = &self.secret else {
            return "takes webhooks whose sender nobody verifies, so that they only say what to look at"
                .to_owned();
        };
        match (&self.scheme, &self.pattern) {
            (Some(scheme), _) => format!("takes webhooks signed as {scheme} does, with the secret {secret}"),
            (None, Some(pattern)) => {
                format!("takes webhooks signed in the header {}, with the secret {secret}", pattern.header)
            }
            (None, None) => String::new(),
        }
    }
}

impl SignaturePattern {
    fn checked(&self) -> Result<(), ManifestError> {
        let refuse = |why: String| Err(ManifestError(format!("the signature of the webhook {why}")));
        for header in [Some(&self.header), self.timestamp.as_ref(), self.id.as_ref()].into_iter().flatten() {
            if HeaderName::from_bytes(header.as_bytes()).is_err() {
                return refuse(format!("is in {}, which is not the name of a header", quoted(header, 100)));
            }
        }
        for text in [&self.prefix, &self.signs] {
            if text.len() > 300 || clean(text, 300) != *text {
                return refuse(format!("has a text that cannot be shown: {}", clean(text, 60)));
            }
        }
        let parts: Vec<&str> = self
            .signs
            .split('{')
            .skip(1)
            .map(|part| part.split_once('}').map_or(part, |(name, _)| name))
            .collect();
        if let Some(strange) = parts.iter().find(|part| !PARTS.contains(part)) {
            return refuse(format!("signs {{{}}}; there are {}", clean(strange, 60), PARTS.join(", ")));
        }
        if !parts.contains(&"body") {
            return refuse("does not sign {body}, so that anybody could change it".to_owned());
        }
        if (parts.contains(&"timestamp") || self.age.is_some()) && self.timestamp.is_none() {
            return refuse("needs the header of the time: timestamp = \"…\"".to_owned());
        }
        if self.age.is_some() && !parts.contains(&"timestamp") {
            return refuse(
                "has an age, but does not sign {timestamp}, so that anybody could change it".to_owned(),
            );
        }
        if parts.contains(&"id") && self.id.is_none() {
            return refuse("needs the header of the id: id = \"…\"".to_owned());
        }
        match self.age {
            Some(age) if age == 0 || age > OLDEST => {
                refuse(format!("has an age of {age} seconds; 1 to {OLDEST} are possible"))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for SignatureScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SignatureScheme::StandardWebhooks => "the Standard Webhooks specification",
            SignatureScheme::Stripe => "Stripe",
            SignatureScheme::Github => "GitHub",
            SignatureScheme::Slack => "Slack",
            SignatureScheme::Shopify => "Shopify",
            SignatureScheme::HubspotV3 => "HubSpot (version 3)",
            SignatureScheme::Mailchimp => "Mailchimp",
            SignatureScheme::Trello => "Trello",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
        header = "x-signature"
        prefix = "sha256="
        algorithm = "hmac-sha256"
        encoding = "hex"
        signs = "{timestamp}.{body}"
        timestamp = "x-timestamp"
        age = 300
        id = "x-delivery"
    "#;

    #[test]
    fn a_pattern_is_whole_or_told() {
        let read = |text: &str| toml::from_str::<SignaturePattern>(text).unwrap().checked();
        read(WHOLE).unwrap();
        let table = [
            ("header = \"x-signature\"", "header = \"x signature\"", "not the name of a header"),
            ("{timestamp}.{body}", "{timestamp}.{form}", "signs {form}; there are body"),
            ("{timestamp}.{body}", "{timestamp}", "does not sign {body}"),
            ("{timestamp}.{body}", "{body}", "has an age, but does not sign {timestamp}"),
            ("timestamp = \"x-timestamp\"", "", "needs the header of the time"),
            ("age = 300", "age = 0", "has an age of 0 seconds"),
            ("age = 300", "age = 90000", "has an age of 90000 seconds"),
            ("sha256=", "\\u001b[2J", "cannot be shown"),
        ];
        for (part, other, expected) in table {
            assert!(WHOLE.contains(part), "{part}");
            let error = read(&WHOLE.replace(part, other)).unwrap_err().to_string();
            assert!(error.contains(expected), "{other}: {error}");
        }
        let id = WHOLE.replace("{body}", "{id}.{body}").replace("id = \"x-delivery\"", "");
        assert!(read(&id).unwrap_err().to_string().contains("needs the header of the id"));
    }
}
