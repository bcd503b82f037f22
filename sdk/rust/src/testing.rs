//! A fake host for native tests of plugins, without a network. Not part of components.
//!
//! ```
//! use entente_sdk::{http, secrets, settings, testing};
//!
//! let host = testing::Host::new()
//!     .setting("url", "https://crm.example")
//!     .secret("api-key")
//!     .http(|request| {
//!         assert_eq!(request.header_value("authorization"), Some("Bearer placeholder of api-key"));
//!         Ok(http::Response::new(200).with_body("hello"))
//!     })
//!     .install();
//!
//! let request = http::Request::get(settings::text("url")?).authorization(secrets::bearer("api-key")?);
//! assert_eq!(request.send()?.text(), "hello");
//! assert!(host.log().is_empty());
//! # Ok::<(), entente_sdk::Error>(())
//! ```

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::http::{Request, Response};
use crate::log::Level;
use crate::{Error, Timestamp, Value};

/// How a request goes wrong. What a remote system answers by itself (429, 500, a page that is no JSON) is for
/// [`Host::http`] to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection is refused: nothing arrives.
    Unreachable,
    /// The remote system does what it is asked, and its answer gets lost.
    LostAnswer,
    /// The host denies the request: it was not granted.
    Denied,
}

type Remote = dyn FnMut(&Request) -> Result<Response, Error>;

/// What the host would offer, said in advance.
#[derive(Default)]
pub struct Host {
    settings: BTreeMap<String, Value>,
    secrets: Vec<String>,
    state: BTreeMap<String, Vec<u8>>,
    log: Vec<(Level, String)>,
    remote: Option<Box<Remote>>,
    faults: BTreeMap<u32, Fault>,
    requests: u32,
    clock: Option<Timestamp>,
}

thread_local! {
    static HOST: RefCell<Host> = RefCell::default();
}

impl Host {
    /// A host without settings and secrets, from which nothing can be reached.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a setting.
    #[must_use]
    pub fn setting(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.settings.insert(name.to_owned(), value.into());
        self
    }

    /// Gives a secret; its placeholder is "placeholder of" and the name.
    #[must_use]
    pub fn secret(mut self, name: &str) -> Self {
        self.secrets.push(name.to_owned());
        self
    }

    /// Answers the requests.
    #[must_use]
    pub fn http(mut self, remote: impl FnMut(&Request) -> Result<Response, Error> + 'static) -> Self {
        self.remote = Some(Box::new(remote));
        self
    }

    /// Has the request of this number, counted from 1, go wrong in this way; the others are answered as before.
    #[must_use]
    pub fn fault(mut self, request: u32, fault: Fault) -> Self {
        self.faults.insert(request, fault);
        self
    }

    /// Stops the clock at a moment; it stands at 1970 otherwise.
    #[must_use]
    pub fn clock(mut self, now: Timestamp) -> Self {
        self.clock = Some(now);
        self
    }

    /// Becomes the host of this thread until the answer is dropped.
    #[must_use = "the host is gone when this is dropped"]
    pub fn install(self) -> Installed {
        HOST.set(self);
        Installed(())
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host")
            .field("settings", &self.settings)
            .field("secrets", &self.secrets)
            .finish_non_exhaustive()
    }
}

/// A host that is in force.
#[derive(Debug)]
pub struct Installed(());

impl Installed {
    /// What was logged so far.
    pub fn log(&self) -> Vec<(Level, String)> {
        HOST.with_borrow(|host| host.log.clone())
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        HOST.set(Host::default());
    }
}

pub(crate) mod offered {
    use super::*;

    pub(crate) fn log(level: Level, message: &str, _fields: &[(&str, &str)]) {
        HOST.with_borrow_mut(|host| host.log.push((level, message.to_owned())));
    }

    pub(crate) fn setting(name: &str) -> Option<Value> {
        HOST.with_borrow(|host| host.settings.get(name).cloned())
    }

    pub(crate) fn settings() -> Vec<(String, Value)> {
        HOST.with_borrow(|host| host.settings.clone()).into_iter().collect()
    }

    pub(crate) fn secret(name: &str) -> Result<String, Error> {
        if HOST.with_borrow(|host| host.secrets.iter().any(|secret| secret == name)) {
            Ok(format!("placeholder of {name}"))
        } else {
            Err(Error::misconfigured(format!("there is no secret '{name}'")))
        }
    }

    pub(crate) fn basic(user: &str, name: &str) -> Result<String, Error> {
        Ok(format!("Basic {user}:{}", secret(name)?))
    }

    pub(crate) fn hmac_sha256(name: &str, _data: &[u8]) -> Result<Vec<u8>, Error> {
        secret(name)?;
        Ok(vec![0; 32])
    }

    pub(crate) fn matches(name: &str, candidate: &str) -> Result<bool, Error> {
        Ok(secret(name)? == candidate)
    }

    pub(crate) fn state_get(key: &str) -> Option<Vec<u8>> {
        HOST.with_borrow(|host| host.state.get(key).cloned())
    }

    pub(crate) fn state_set(key: &str, value: &[u8]) -> Result<(), Error> {
        HOST.with_borrow_mut(|host| host.state.insert(key.to_owned(), value.to_vec()));
        Ok(())
    }

    pub(crate) fn state_delete(key: &str) {
        HOST.with_borrow_mut(|host| host.state.remove(key));
    }

    pub(crate) fn state_keys(prefix: &str) -> Vec<String> {
        HOST.with_borrow(|host| host.state.keys().filter(|key| key.starts_with(prefix)).cloned().collect())
    }

    /// Stands still, so that no call is ever short of time.
    pub(crate) fn milliseconds() -> u64 {
        0
    }

    /// One after the other: what stands in for the remote system answers at once.
    pub(crate) fn send_all(requests: Vec<Request>) -> Vec<Result<Response, Error>> {
        requests.into_iter().map(send).collect()
    }

    pub(crate) fn now() -> Timestamp {
        HOST.with_borrow(|host| host.clock).unwrap_or(Timestamp::from_micros(0))
    }

    pub(crate) fn send(request: Request) -> Result<Response, Error> {
        // Taken out while it answers, so that it may itself ask the host for something.
        let remote = HOST.with_borrow_mut(|host| host.remote.take());
        let Some(mut remote) = remote else {
            return Err(Error::misconfigured("this test has no remote system: give one with `Host::http`"));
        };
        let fault = HOST.with_borrow_mut(|host| {
            host.requests += 1;
            host.faults.get(&host.requests).copied()
        });
        let answer = match fault {
            None => remote(&request),
            Some(Fault::LostAnswer) => {
                remote(&request).and(Err(Error::unavailable("the remote system did not answer in time")))
            }
            Some(Fault::Unreachable) => Err(Error::unavailable("the connection was refused").unsent()),
            Some(Fault::Denied) => Err(Error::misconfigured("the request was denied").unsent()),
        };
        HOST.with_borrow_mut(|host| host.remote = Some(remote));
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{http, log, secrets, settings, state};

    #[test]
    fn faults_strike_the_request_that_they_are_for() {
        use std::cell::Cell;
        use std::rc::Rc;
        let came = Rc::new(Cell::new(0));
        let counted = Rc::clone(&came);
        let _host = Host::new()
            .http(move |_| {
                counted.set(counted.get() + 1);
                Ok(http::Response::new(200))
            })
            .fault(1, Fault::LostAnswer)
            .fault(3, Fault::Unreachable)
            .install();
        let sent = [1, 2, 3, 4].map(|_| http::Request::post("https://crm.example/").send().is_ok());
        assert_eq!((sent, came.get()), ([false, true, false, true], 3), "a lost answer was carried out");
    }

    #[test]
    fn the_host_ends_with_the_test() {
        {
            let host = Host::new().setting("url", "x").setting("many", 3).secret("key").install();
            assert_eq!(settings::text("url").unwrap(), "x");
            assert_eq!(settings::integer("many").unwrap(), Some(3));
            assert!(settings::text("many").is_err());
            assert!(!settings::boolean("verbose").unwrap());
            assert!(secrets::get("other").is_err());
            assert_eq!(format!("{:?}", secrets::get("key").unwrap()), "Secret(…)");
            state::set("a/1", b"x").unwrap();
            state::set("b", b"y").unwrap();
            assert_eq!(state::keys("a/"), ["a/1"]);
            let count = 2;
            log::warn!("{count} things");
            assert_eq!(host.log(), [(Level::Warn, "2 things".to_owned())]);
        }
        assert!(settings::text("url").is_err());
        assert!(state::get("b").is_none());
        assert!(http::Request::get("https://a.example").send().is_err());
    }
}
