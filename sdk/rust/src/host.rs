//! The calls to the host, one function each. Natively `testing` stands in, so that a plugin can be tested
//! without a host.

#[cfg(not(target_family = "wasm"))]
pub(crate) use crate::testing::offered::*;
#[cfg(target_family = "wasm")]
pub(crate) use guest::*;

#[cfg(target_family = "wasm")]
mod guest {
    use crate::bindings::integration::entente::integration as host;
    use crate::log::Level;
    use crate::{Error, Timestamp, Value};

    pub(crate) use crate::http::transport::{send, send_all};

    pub(crate) fn log(level: Level, message: &str, fields: &[(&str, &str)]) {
        let level = match level {
            Level::Trace => host::log::Level::Trace,
            Level::Debug => host::log::Level::Debug,
            Level::Info => host::log::Level::Info,
            Level::Warn => host::log::Level::Warn,
            Level::Error => host::log::Level::Error,
        };
        let fields: Vec<(String, String)> =
            fields.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        host::log::log(level, message, &fields);
    }

    pub(crate) fn setting(name: &str) -> Option<Value> {
        host::settings::get(name).map(Value::from)
    }

    pub(crate) fn settings() -> Vec<(String, Value)> {
        host::settings::all().into_iter().map(|(name, value)| (name, value.into())).collect()
    }

    pub(crate) fn secret(name: &str) -> Result<String, Error> {
        host::secrets::use_(name).map_err(Error::from)
    }

    pub(crate) fn basic(user: &str, name: &str) -> Result<String, Error> {
        host::secrets::basic(user, name).map_err(Error::from)
    }

    pub(crate) fn hmac_sha256(name: &str, data: &[u8]) -> Result<Vec<u8>, Error> {
        host::secrets::hmac_sha256(name, data).map_err(Error::from)
    }

    pub(crate) fn matches(name: &str, candidate: &str) -> Result<bool, Error> {
        host::secrets::matches(name, candidate).map_err(Error::from)
    }

    pub(crate) fn state_get(key: &str) -> Option<Vec<u8>> {
        host::state::get(key)
    }

    pub(crate) fn state_set(key: &str, value: &[u8]) -> Result<(), Error> {
        host::state::set(key, value).map_err(Error::from)
    }

    pub(crate) fn state_delete(key: &str) {
        host::state::delete(key);
    }

    pub(crate) fn state_keys(prefix: &str) -> Vec<String> {
        host::state::keys(prefix)
    }

    /// The monotonic clock of the host.
    pub(crate) fn milliseconds() -> u64 {
        wasip2::clocks::monotonic_clock::now() / 1_000_000
    }

    pub(crate) fn now() -> Timestamp {
        let now = wasip2::clocks::wall_clock::now();
        let seconds = i64::try_from(now.seconds).unwrap_or(i64::MAX);
        Timestamp::from_micros(
            seconds.saturating_mul(1_000_000).saturating_add(i64::from(now.nanoseconds / 1_000)),
        )
    }
}
