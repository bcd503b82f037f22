//! Secrets of integrations, encrypted at rest (AEAD) in the tenant's database.

use super::integrations;
use crate::config::configuration::Configuration;
use crate::config::error::ConfigError;
use crate::config::home::folder::Home;
use crate::config::home::key::SealingKey;
use crate::config::names::{check_name, known};
use crate::config::secret_text::SecretText;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use entente_sqlite::{SecretRow, Session};
use entente_sync::Remedy;
use serde::Serialize;
use std::collections::BTreeMap;
use zeroize::Zeroize;

/// The length limit of a secret in bytes: header values are short, and longer ones are files.
const LONGEST: usize = 64 * 1024;
const NONCE: usize = 24;

/// A stored secret, without its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SecretInfo {
    /// Its name.
    pub name: String,
    /// The fingerprint of the key that it is sealed with.
    pub key: String,
}

/// The associated data of the AEAD: binds a ciphertext to its tenant, integration and name, so that it can be
/// decrypted nowhere else. Length prefixes keep the parts apart.
fn associated_data(tenant: &str, integration: &str, name: &str) -> Vec<u8> {
    let mut bytes = b"entente secret 1".to_vec();
    for part in [tenant, integration, name] {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

fn failed(integration: &str, name: &str, why: impl Into<String>) -> ConfigError {
    let (integration, name) = (integration.to_owned(), name.to_owned());
    ConfigError::Secret { integration, name, why: why.into(), remedies: Vec::new() }
}

/// Encrypts and stores a secret, replacing an older one of that name.
fn put(
    session: Session<'_>,
    key: &SealingKey,
    tenant: &str,
    integration: &str,
    name: &str,
    text: &SecretText,
) -> Result<(), ConfigError> {
    check_name("secret", name).map_err(ConfigError::Name)?;
    if text.reveal().is_empty() {
        let (integration, secret) = (integration.to_owned(), name.to_owned());
        return Err(ConfigError::Secret {
            integration: integration.clone(),
            name: secret.clone(),
            why: "it is empty".to_owned(),
            remedies: vec![Remedy::UnsetSecret { integration, secret }],
        });
    }
    if text.reveal().len() > LONGEST {
        return Err(failed(integration, name, format!("it is longer than {LONGEST} bytes")));
    }
    // All secrets share one key: a secret encrypted with a wrong key by mistake would be noticed only when it
    // is needed.
    if let Some(other) = session.other_secret_key(&key.fingerprint(), integration, name)? {
        return Err(failed(integration, name, wrong_key(key, &other)));
    }
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce)
        .map_err(|error| failed(integration, name, format!("the system has no random numbers: {error}")))?;
    let aad = associated_data(tenant, integration, name);
    let sealed = XChaCha20Poly1305::new(key.bytes().into())
        .encrypt(&XNonce::from(nonce), Payload { msg: text.reveal().as_bytes(), aad: &aad })
        .map_err(|_| failed(integration, name, "it cannot be sealed"))?;
    session.put_secret(&SecretRow {
        integration: integration.to_owned(),
        name: name.to_owned(),
        key: key.fingerprint(),
        nonce: nonce.to_vec(),
        sealed,
    })?;
    Ok(())
}

/// Decrypts a secret; `None` where there is none of that name.
fn get(
    session: Session<'_>,
    key: Option<&SealingKey>,
    tenant: &str,
    integration: &str,
    name: &str,
) -> Result<Option<SecretText>, ConfigError> {
    let Some(row) = session.secret(integration, name)? else {
        return Ok(None);
    };
    let Some(key) = key else {
        return Err(failed(
            integration,
            name,
            format!(
                "the key {} that it is sealed with is missing: restore secret.key in the home folder, or set ENTENTE_KEY",
                row.key
            ),
        ));
    };
    if key.fingerprint() != row.key {
        return Err(failed(integration, name, wrong_key(key, &row.key)));
    }
    let tampered = || {
        let (integration, secret) = (integration.to_owned(), name.to_owned());
        ConfigError::Secret {
            integration: integration.clone(),
            name: secret.clone(),
            why: "what is stored has been changed or is damaged".to_owned(),
            remedies: vec![Remedy::SetSecret { integration, secret }],
        }
    };
    let nonce: [u8; NONCE] = row.nonce.try_into().map_err(|_| tampered())?;
    let aad = associated_data(tenant, integration, name);
    let bytes = XChaCha20Poly1305::new(key.bytes().into())
        .decrypt(&XNonce::from(nonce), Payload { msg: &row.sealed, aad: &aad })
        .map_err(|_| tampered())?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(SecretText::new(text))),
        Err(error) => {
            error.into_bytes().zeroize();
            Err(tampered())
        }
    }
}

fn wrong_key(key: &SealingKey, wanted: &str) -> String {
    format!(
        "the secrets here are sealed with the key {wanted}, {} is {}; use the right key, or take all secrets away and set them again",
        key.origin(),
        key.fingerprint()
    )
}

/// The secrets of an integration, by name, without their texts.
fn list(session: Session<'_>, integration: &str) -> Result<Vec<SecretInfo>, ConfigError> {
    let info = |row: SecretRow| SecretInfo { name: row.name, key: row.key };
    Ok(session.secrets(integration)?.into_iter().map(info).collect())
}

/// Removes a secret.
fn remove(session: Session<'_>, integration: &str, name: &str) -> Result<(), ConfigError> {
    if session.remove_secret(integration, name)? {
        return Ok(());
    }
    let there = list(session, integration)?;
    Err(ConfigError::Unknown {
        what: "secret",
        name: name.to_owned(),
        known: known(name, there.iter().map(|secret| secret.name.as_str())),
        remedies: Vec::new(),
    })
}

/// The secrets of a tenant within a transaction, with the sources of their key.
#[derive(Clone, Copy)]
pub(crate) struct SecretStore<'a> {
    pub(crate) session: Session<'a>,
    pub(crate) home: &'a Home,
    pub(crate) tenant: &'a str,
    /// The value of `ENTENTE_KEY`.
    pub(crate) key_variable: Option<&'a str>,
}

impl SecretStore<'_> {
    /// Decrypts the secrets of an integration.
    pub(crate) fn open(self, integration: &str) -> Result<BTreeMap<String, SecretText>, ConfigError> {
        let mut opened = BTreeMap::new();
        let stored = list(self.session, integration)?;
        if stored.is_empty() {
            return Ok(opened);
        }
        let key = SealingKey::find(self.home, self.key_variable)?;
        for info in stored {
            if let Some(text) = get(self.session, key.as_ref(), self.tenant, integration, &info.name)? {
                opened.insert(info.name, text);
            }
        }
        Ok(opened)
    }

    /// Encrypts and stores a secret, replacing an older one of that name. The key is created where there is
    /// none.
    pub(crate) fn put(self, integration: &str, name: &str, text: &SecretText) -> Result<(), ConfigError> {
        put(self.session, &self.key()?, self.tenant, integration, name, text)
    }

    /// The key to encrypt with. It is created where there is none, but never while secrets exist that need
    /// another.
    fn key(self) -> Result<SealingKey, ConfigError> {
        if let Some(key) = SealingKey::find(self.home, self.key_variable)? {
            return Ok(key);
        }
        if let Some(fingerprint) = self.session.secret_key()? {
            return Err(ConfigError::Key(format!(
                "the key {fingerprint} that the secrets here are sealed with is missing: restore {} or set ENTENTE_KEY; if it is lost, take all secrets away and set them again",
                self.home.key_file().display()
            )));
        }
        SealingKey::find_or_make(self.home, self.key_variable)
    }
}

impl Configuration {
    /// Sets a secret.
    ///
    /// # Errors
    /// Where there is no such integration, or the key is wrong or missing.
    pub async fn set_secret(
        &self,
        integration: &str,
        name: &str,
        text: &SecretText,
    ) -> Result<(), ConfigError> {
        self.write(|session| {
            integrations::get(session, integration)?;
            self.secret_store(session).put(integration, name, text)
        })
        .await
    }

    /// Removes a secret.
    ///
    /// # Errors
    /// [`ConfigError::Unknown`] with the names that exist.
    pub async fn unset_secret(&self, integration: &str, name: &str) -> Result<(), ConfigError> {
        self.write(|session| {
            integrations::get(session, integration)?;
            remove(session, integration, name)
        })
        .await
    }

    /// Lists the secrets of an integration, without their texts.
    ///
    /// # Errors
    /// [`ConfigError::Unknown`] with the names that exist.
    pub async fn secrets(&self, integration: &str) -> Result<Vec<SecretInfo>, ConfigError> {
        self.read(|session| {
            integrations::get(session, integration)?;
            list(session, integration)
        })
        .await
    }

    /// Decrypts the secrets of an integration, for the plugin host.
    ///
    /// # Errors
    /// Where the key is wrong or missing, or a secret is damaged.
    pub async fn open_secrets(&self, integration: &str) -> Result<BTreeMap<String, SecretText>, ConfigError> {
        self.read(|session| {
            integrations::get(session, integration)?;
            self.secret_store(session).open(integration)
        })
        .await
    }

    /// Re-encrypts all secrets for this tenant's name; returns their number.
    ///
    /// # Errors
    /// Where the key is wrong or missing, or a secret is damaged. Then nothing is changed.
    pub(crate) async fn take_over_secrets(
        &self,
        tenant: &str,
        key: Option<&SealingKey>,
    ) -> Result<u64, ConfigError> {
        self.write(|session| {
            let mut taken = 0;
            for integration in integrations::list(session)? {
                for secret in list(session, &integration.name)? {
                    // Decrypted even where the name is unchanged, so that a wrong key is noticed now.
                    if let Some(text) = get(session, key, tenant, &integration.name, &secret.name)?
                        && let Some(key) = key
                    {
                        put(session, key, self.tenant(), &integration.name, &secret.name, &text)?;
                        taken += 1;
                    }
                }
            }
            Ok(taken)
        })
        .await
    }

    /// Removes all secrets, and returns their names as `integration/name`.
    ///
    /// # Errors
    /// Where the database fails.
    pub(crate) async fn forget_secrets(&self) -> Result<Vec<String>, ConfigError> {
        self.write(|session| {
            let mut gone = Vec::new();
            for integration in integrations::list(session)? {
                for secret in list(session, &integration.name)? {
                    remove(session, &integration.name, &secret.name)?;
                    gone.push(format!("{}/{}", integration.name, secret.name));
                }
            }
            Ok(gone)
        })
        .await
    }
}
