//! Secrets as placeholders: a plugin uses credentials without seeing them.
//!
//! What a plugin holds is a placeholder: a text without meaning, which the host replaces just before a
//! request leaves, towards the hosts and in the places that the operator has granted. It is worth nothing
//! elsewhere and only good in the call that asked for it.

use std::fmt;

use crate::{Error, host};

/// A placeholder for a secret, to be put into a request as it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The placeholder, for places that [`http::Request`](crate::http::Request) has no method for. Do not
    /// store, hash or encode it: the host knows it only as it is.
    pub fn placeholder(&self) -> &str {
        &self.0
    }
}

/// Says nothing: what is printed ends in logs.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The value of an `authorization` header, with a placeholder in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorization(pub(crate) String);

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorization(…)")
    }
}

impl From<&Secret> for Authorization {
    /// As a bearer token.
    fn from(secret: &Secret) -> Self {
        Self(format!("Bearer {}", secret.0))
    }
}

/// The secret of this name; `misconfigured` where there is none. For an OAuth credential it is the current
/// access token, which the host keeps fresh.
pub fn get(name: &str) -> Result<Secret, Error> {
    host::secret(name).map(Secret)
}

/// The secret of this name as a bearer token.
pub fn bearer(name: &str) -> Result<Authorization, Error> {
    get(name).map(|secret| Authorization::from(&secret))
}

/// A user with the secret of this name as password.
pub fn basic(user: &str, name: &str) -> Result<Authorization, Error> {
    host::basic(user, name).map(Authorization)
}

/// The HMAC-SHA-256 of the data, 32 bytes, keyed with a secret that is declared as a signing key.
pub fn hmac_sha256(name: &str, data: &[u8]) -> Result<Vec<u8>, Error> {
    host::hmac_sha256(name, data)
}

/// Whether a text from outside is the secret: for webhooks that carry a key instead of a signature.
pub fn matches(name: &str, candidate: &str) -> Result<bool, Error> {
    host::matches(name, candidate)
}
