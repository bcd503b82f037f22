//! Secrets of integrations, sealed in the database.

use crate::config::error::ConfigError;
use crate::config::home::key::Key;
use crate::config::names::{check_name, known};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// The longest secret in bytes: longer ones are files, and header values are short.
const LONGEST: usize = 64 * 1024;
const NONCE: usize = 24;

/// A secret in the clear. It prints nothing and is wiped from memory when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Takes over a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself. Nothing that is written, logged or sent to a plugin may come from here.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

impl fmt::Display for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// A secret that is stored; not what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SecretInfo {
    /// Its name.
    pub name: String,
    /// The fingerprint of the key that it is sealed with.
    pub key: String,
}

/// Binds a sealed secret to its place, so that it opens nowhere else. Lengths keep the parts apart.
fn place(tenant: &str, integration: &str, name: &str) -> Vec<u8> {
    let mut bytes = b"entente secret 1".to_vec();
    for part in [tenant, integration, name] {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

fn failed(integration: &str, name: &str, why: impl Into<String>) -> ConfigError {
    ConfigError::Secret { integration: integration.to_owned(), name: name.to_owned(), why: why.into() }
}

/// Seals and stores a secret, in place of an older one of that name.
pub(crate) fn put(
    connection: &Connection,
    key: &Key,
    tenant: &str,
    integration: &str,
    name: &str,
    text: &SecretText,
) -> Result<(), ConfigError> {
    check_name("secret", name).map_err(ConfigError::Name)?;
    if text.reveal().is_empty() {
        return Err(failed(
            integration,
            name,
            "it is empty; to take it away use `entente integration set --unset-secret`",
        ));
    }
    if text.reveal().len() > LONGEST {
        return Err(failed(integration, name, format!("it is longer than {LONGEST} bytes")));
    }
    // One key for all: a secret that is set with the wrong key by mistake would be found out only when it is
    // needed.
    let other: Option<String> = connection
        .query_row(
            "SELECT key FROM integration_secret WHERE key <> ?1 AND NOT (integration = ?2 AND name = ?3) LIMIT 1",
            params![key.fingerprint(), integration, name],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(other) = other {
        return Err(failed(integration, name, wrong_key(key, &other)));
    }
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce)
        .map_err(|error| failed(integration, name, format!("the system has no random numbers: {error}")))?;
    let aad = place(tenant, integration, name);
    let sealed = XChaCha20Poly1305::new(key.bytes().into())
        .encrypt(&XNonce::from(nonce), Payload { msg: text.reveal().as_bytes(), aad: &aad })
        .map_err(|_| failed(integration, name, "it cannot be sealed"))?;
    connection.execute(
        "INSERT INTO integration_secret (integration, name, key, nonce, sealed) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (integration, name) DO UPDATE SET key = ?3, nonce = ?4, sealed = ?5",
        params![integration, name, key.fingerprint(), nonce, sealed],
    )?;
    Ok(())
}

/// Opens a secret; `None` where there is none of that name.
pub(crate) fn get(
    connection: &Connection,
    key: Option<&Key>,
    tenant: &str,
    integration: &str,
    name: &str,
) -> Result<Option<SecretText>, ConfigError> {
    let found: Option<(String, Vec<u8>, Vec<u8>)> = connection
        .query_row(
            "SELECT key, nonce, sealed FROM integration_secret WHERE integration = ?1 AND name = ?2",
            params![integration, name],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let Some((fingerprint, nonce, sealed)) = found else {
        return Ok(None);
    };
    let Some(key) = key else {
        return Err(failed(
            integration,
            name,
            format!(
                "the key {fingerprint} that it is sealed with is missing: restore secret.key in the home folder, or set ENTENTE_KEY"
            ),
        ));
    };
    if key.fingerprint() != fingerprint {
        return Err(failed(integration, name, wrong_key(key, &fingerprint)));
    }
    let tampered = || {
        failed(
            integration,
            name,
            "what is stored has been changed or is damaged; set it again with `entente integration set`",
        )
    };
    let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| tampered())?;
    let aad = place(tenant, integration, name);
    let bytes = XChaCha20Poly1305::new(key.bytes().into())
        .decrypt(&XNonce::from(nonce), Payload { msg: &sealed, aad: &aad })
        .map_err(|_| tampered())?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(SecretText::new(text))),
        Err(error) => {
            error.into_bytes().zeroize();
            Err(tampered())
        }
    }
}

fn wrong_key(key: &Key, wanted: &str) -> String {
    format!(
        "the secrets here are sealed with the key {wanted}, {} is {}; use the right key, or take all secrets away and set them again",
        key.origin(),
        key.fingerprint()
    )
}

/// The secrets that an integration has, by name.
pub(crate) fn list(connection: &Connection, integration: &str) -> Result<Vec<SecretInfo>, ConfigError> {
    let mut statement = connection
        .prepare_cached("SELECT name, key FROM integration_secret WHERE integration = ?1 ORDER BY name")?;
    let rows =
        statement.query_map([integration], |row| Ok(SecretInfo { name: row.get(0)?, key: row.get(1)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether any secret is stored: then a missing key must not be replaced by a new one.
pub(crate) fn any(connection: &Connection) -> Result<Option<String>, ConfigError> {
    Ok(connection.query_row("SELECT key FROM integration_secret LIMIT 1", [], |row| row.get(0)).optional()?)
}

/// Takes a secret away.
pub(crate) fn remove(connection: &Connection, integration: &str, name: &str) -> Result<(), ConfigError> {
    if connection
        .execute("DELETE FROM integration_secret WHERE integration = ?1 AND name = ?2", [integration, name])?
        > 0
    {
        return Ok(());
    }
    let there = list(connection, integration)?;
    Err(ConfigError::Unknown {
        what: "secret",
        name: name.to_owned(),
        known: known(name, there.iter().map(|secret| secret.name.as_str())),
    })
}
