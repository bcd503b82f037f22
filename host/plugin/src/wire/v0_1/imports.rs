//! The imports of this version (log, settings, secrets, state), implemented over [`super::super::Imports`].

use super::bindings::entente::integration::data::Error;
use super::bindings::entente::integration::{data, log, secrets, settings, state};
use super::convert::lower_value;
use crate::egress::SecretError;
use crate::limits::LimitReached;
use crate::wire::{Imports, Optional};
use entente_sync::codes;
use std::marker::PhantomData;
use tracing::Level;
use wasmtime::Result;
use wasmtime::component::{HasData, Linker};

/// Adapts store data to the generated traits.
struct Host<'a, T>(&'a mut T);

/// Tells the generated code how to find a [`Host`] in a store.
struct In<T>(PhantomData<T>);

impl<T: Imports> HasData for In<T> {
    type Data<'a> = Host<'a, T>;
}

pub(crate) fn link<T: Imports>(linker: &mut Linker<T>, optional: Optional) -> Result<()> {
    data::add_to_linker::<_, In<T>>(linker, |data| Host(data))?;
    log::add_to_linker::<_, In<T>>(linker, |data| Host(data))?;
    settings::add_to_linker::<_, In<T>>(linker, |data| Host(data))?;
    if optional.secrets {
        secrets::add_to_linker::<_, In<T>>(linker, |data| Host(data))?;
    }
    if optional.state {
        state::add_to_linker::<_, In<T>>(linker, |data| Host(data))?;
    }
    Ok(())
}

fn error(code: &str, reason: String) -> Error {
    Error { code: code.to_owned(), reason, after: None, object: None, extra: Vec::new() }
}

impl From<SecretError> for Error {
    fn from(secret: SecretError) -> Self {
        error(codes::MISCONFIGURED, secret.to_string())
    }
}

fn too_large(limit: &LimitReached) -> Error {
    error("too-large", limit.to_string())
}

impl<T: Imports> data::Host for Host<'_, T> {}

impl<T: Imports> log::Host for Host<'_, T> {
    async fn log(&mut self, level: log::Level, message: String, fields: Vec<(String, String)>) -> Result<()> {
        let level = match level {
            log::Level::Trace => Level::TRACE,
            log::Level::Debug => Level::DEBUG,
            log::Level::Info => Level::INFO,
            log::Level::Warn => Level::WARN,
            log::Level::Error => Level::ERROR,
        };
        self.0.log(level, &message, &fields);
        Ok(())
    }
}

impl<T: Imports> settings::Host for Host<'_, T> {
    async fn get(&mut self, name: String) -> Result<Option<data::Value>> {
        Ok(self.0.settings().get(&name).map(|value| lower_value(Some(value))))
    }

    async fn all(&mut self) -> Result<Vec<(String, data::Value)>> {
        let settings = self.0.settings().iter();
        Ok(settings.map(|(name, value)| (name.clone(), lower_value(Some(value)))).collect())
    }
}

impl<T: Imports> secrets::Host for Host<'_, T> {
    async fn use_(&mut self, name: String) -> Result<std::result::Result<String, Error>> {
        Ok(self.0.placeholder(&name, None)?.map_err(Error::from))
    }

    async fn basic(&mut self, user: String, name: String) -> Result<std::result::Result<String, Error>> {
        Ok(self.0.placeholder(&name, Some(&user))?.map_err(Error::from))
    }

    async fn hmac_sha256(
        &mut self,
        name: String,
        data: Vec<u8>,
    ) -> Result<std::result::Result<Vec<u8>, Error>> {
        Ok(self.0.hmac_sha256(&name, &data).map_err(Error::from))
    }

    async fn matches(&mut self, name: String, candidate: String) -> Result<std::result::Result<bool, Error>> {
        Ok(self.0.matches(&name, &candidate)?.map_err(Error::from))
    }
}

impl<T: Imports> state::Host for Host<'_, T> {
    async fn get(&mut self, key: String) -> Result<Option<Vec<u8>>> {
        Ok(self.0.state_get(&key))
    }

    async fn set(&mut self, key: String, value: Vec<u8>) -> Result<std::result::Result<(), Error>> {
        Ok(self.0.state_set(key, value).map_err(|limit| too_large(&limit)))
    }

    async fn delete(&mut self, key: String) -> Result<()> {
        Ok(self.0.state_delete(key)?)
    }

    async fn keys(&mut self, prefix: String) -> Result<Vec<String>> {
        Ok(self.0.state_keys(&prefix))
    }
}
