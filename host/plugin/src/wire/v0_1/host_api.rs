//! What a plugin imports from the host: log, settings, secrets, state.

use super::bindings::entente::integration::types::Error;
use super::bindings::entente::integration::{log, secrets, settings, state, types};
use super::convert;
use crate::egress::SecretError;
use crate::limits::LimitReached;
use crate::run::guest::Guest;
use entente_sync::codes;
use tracing::Level;
use wasmtime::Result;

fn error(code: &str, reason: String) -> Error {
    Error { code: code.to_owned(), reason, after: None, extra: Vec::new() }
}

impl From<SecretError> for Error {
    fn from(secret: SecretError) -> Self {
        error(codes::MISCONFIGURED, secret.to_string())
    }
}

fn too_large(limit: &LimitReached) -> Error {
    error("too-large", limit.to_string())
}

impl types::Host for Guest {}

impl log::Host for Guest {
    async fn log(&mut self, level: log::Level, message: String, fields: Vec<(String, String)>) -> Result<()> {
        let level = match level {
            log::Level::Trace => Level::TRACE,
            log::Level::Debug => Level::DEBUG,
            log::Level::Info => Level::INFO,
            log::Level::Warn => Level::WARN,
            log::Level::Error => Level::ERROR,
        };
        self.log.line(level, &message, &fields);
        Ok(())
    }
}

impl settings::Host for Guest {
    async fn get(&mut self, name: String) -> Result<Option<types::Value>> {
        Ok(self.settings.get(&name).map(|value| convert::lower_value(Some(value))))
    }

    async fn all(&mut self) -> Result<Vec<(String, types::Value)>> {
        Ok(self
            .settings
            .iter()
            .map(|(name, value)| (name.clone(), convert::lower_value(Some(value))))
            .collect())
    }
}

impl secrets::Host for Guest {
    async fn use_(&mut self, name: String) -> Result<std::result::Result<String, Error>> {
        Ok(self.egress.placeholder(&name, None).map_err(Error::from))
    }

    async fn basic(&mut self, user: String, name: String) -> Result<std::result::Result<String, Error>> {
        Ok(self.egress.placeholder(&name, Some(&user)).map_err(Error::from))
    }

    async fn hmac_sha256(
        &mut self,
        name: String,
        data: Vec<u8>,
    ) -> Result<std::result::Result<Vec<u8>, Error>> {
        Ok(self.egress.channel().vault.hmac(&name, &data).map_err(Error::from))
    }

    async fn matches(&mut self, name: String, candidate: String) -> Result<std::result::Result<bool, Error>> {
        self.matches += 1;
        if self.matches > self.limits.secret_matches {
            // No error for the plugin to handle: whoever asks so often is guessing.
            return Err(self.limits.secret_matches(Some(self.matches)).into());
        }
        Ok(self.egress.channel().vault.matches(&name, &candidate).map_err(Error::from))
    }
}

impl state::Host for Guest {
    async fn get(&mut self, key: String) -> Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }

    async fn set(&mut self, key: String, value: Vec<u8>) -> Result<std::result::Result<(), Error>> {
        Ok(self.state.set(key, value).map_err(|limit| too_large(&limit)))
    }

    async fn delete(&mut self, key: String) -> Result<()> {
        self.state.delete(key);
        Ok(())
    }

    async fn keys(&mut self, prefix: String) -> Result<Vec<String>> {
        Ok(self.state.keys(&prefix))
    }
}
