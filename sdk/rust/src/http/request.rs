//! Building HTTP requests.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::Response;
use super::encode::{encode, encode_pairs};
use crate::secrets::{Authorization, Secret};
use crate::{Error, host, turn};

/// How long an answer may take unless the author says otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How many bytes an answer may have unless the author says otherwise.
const LIMIT: usize = 16 * 1024 * 1024;

/// A request that is being put together; [`Request::send`] sends it.
#[derive(Clone)]
pub struct Request {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) timeout: Duration,
    pub(crate) limit: usize,
    /// It changes nothing there, whatever its method.
    reads: bool,
    /// What went wrong while it was put together, said when it is sent: so building needs no question marks.
    flaw: Option<Error>,
}

impl Request {
    /// A request with any method.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        let method = method.into();
        Self {
            // RFC 9110 calls these safe.
            reads: matches!(method.as_str(), "GET" | "HEAD" | "OPTIONS"),
            method,
            url: url.into(),
            headers: Vec::new(),
            body: None,
            timeout: TIMEOUT,
            limit: LIMIT,
            flaw: None,
        }
    }

    /// Reads.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// Sends something new.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    /// Replaces a whole.
    pub fn put(url: impl Into<String>) -> Self {
        Self::new("PUT", url)
    }

    /// Changes a part.
    pub fn patch(url: impl Into<String>) -> Self {
        Self::new("PATCH", url)
    }

    /// Deletes.
    pub fn delete(url: impl Into<String>) -> Self {
        Self::new("DELETE", url)
    }

    /// Adds a parameter to the query, encoded.
    #[must_use]
    pub fn query(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.push_query(name, &encode(&value.to_string()));
        self
    }

    /// Adds a secret to the query. The operator has to grant this parameter for it.
    #[must_use]
    pub fn query_secret(mut self, name: &str, secret: &Secret) -> Self {
        // As it is: the host knows a placeholder only unencoded.
        self.push_query(name, secret.placeholder());
        self
    }

    fn push_query(&mut self, name: &str, value: &str) {
        let separator = if self.url.contains('?') { '&' } else { '?' };
        self.url.push(separator);
        self.url.push_str(&encode(name));
        self.url.push('=');
        self.url.push_str(value);
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }

    /// Adds a secret as a whole header, for remote systems with a header of their own such as `x-api-key`.
    #[must_use]
    pub fn header_secret(self, name: &str, secret: &Secret) -> Self {
        self.header(name, secret.placeholder())
    }

    /// Adds the header `authorization`.
    #[must_use]
    pub fn authorization(self, authorization: impl Into<Authorization>) -> Self {
        self.header("authorization", authorization.into().0)
    }

    /// Adds the header `authorization` with a bearer token.
    #[must_use]
    pub fn bearer(self, secret: &Secret) -> Self {
        self.authorization(secret)
    }

    /// Gives a body.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self.header("content-type", content_type)
    }

    /// Gives a JSON body.
    #[must_use]
    pub fn json<T: Serialize + ?Sized>(mut self, body: &T) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => self.body("application/json", body),
            Err(error) => {
                self.flaw =
                    Some(Error::other("bad-request", format!("the body cannot be written as JSON: {error}")));
                self
            }
        }
    }

    /// Gives a body like that of a form on a page.
    #[must_use]
    pub fn form<'a>(self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        self.body("application/x-www-form-urlencoded", encode_pairs(pairs))
    }

    /// Says how long the whole answer may take; 60 seconds otherwise. The host has limits of its own.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Says how many bytes the body of the answer may have; 16 MiB otherwise.
    #[must_use]
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Says that the request changes nothing there, though its method may: a search by POST. What becomes of a change is
    /// then not in doubt because of it, see [`Order::one_by_one`](crate::Order::one_by_one).
    #[must_use]
    pub fn reads(mut self) -> Self {
        self.reads = true;
        self
    }

    /// Sends the request and reads the whole answer, whatever its status.
    ///
    /// What was not granted ends in `misconfigured`; what could not be reached or did not answer in time in
    /// `unavailable`.
    pub fn send(self) -> Result<Response, Error> {
        let (request, shown) = self.checked()?;
        let reads = request.reads;
        let ended = named(host::send(request), shown);
        if !reads {
            turn::sent(&ended);
        }
        ended
    }

    /// The request, if it can be sent, and how errors name it: method and address without the query.
    fn checked(mut self) -> Result<(Self, String), Error> {
        if let Some(flaw) = self.flaw.take() {
            return Err(flaw.unsent());
        }
        let origin = self.place().map_err(Error::unsent)?.origin;
        let shown = format!("{} {origin}", self.method);
        Ok((self, shown))
    }

    /// Where the request goes.
    pub(crate) fn place(&self) -> Result<Place<'_>, Error> {
        Place::parse(&self.url).map_err(|flaw| {
            let shown = self.url.split(['?', '#', '@']).next().unwrap_or_default();
            Error::misconfigured(format!("'{shown}' is no address that can be asked: {flaw}"))
        })
    }

    /// The method; for tests that stand in for the remote system.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The address with its query; for tests.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The path without its query; for tests.
    pub fn path(&self) -> &str {
        let path = self.place().map_or("", |place| place.path);
        path.split('?').next().unwrap_or_default()
    }

    /// A parameter of the query, decoded; for tests.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let (_, query) = self.url.split_once('?')?;
        super::decode_pairs(query).find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// A header by its name in lower case; for tests.
    pub fn header_value(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body, empty where there is none; for tests.
    pub fn body_bytes(&self) -> &[u8] {
        self.body.as_deref().unwrap_or_default()
    }
}

/// Sends requests side by side and answers in their order, each as [`Request::send`] would: sixty answers that take a fifth of
/// a second each need little more than that. All of them are under way at once, so give no more than the
/// remote system likes; the host has a limit of its own.
pub fn send_all(requests: impl IntoIterator<Item = Request>) -> Vec<Result<Response, Error>> {
    let checked: Vec<_> = requests.into_iter().map(Request::checked).collect();
    let (mut names, mut sent, mut writes) = (Vec::new(), Vec::new(), false);
    let mut answers: Vec<Option<Error>> = Vec::with_capacity(checked.len());
    for one in checked {
        match one {
            Ok((request, shown)) => {
                writes |= !request.reads;
                names.push(shown);
                sent.push(request);
                answers.push(None);
            }
            Err(error) => answers.push(Some(error)),
        }
    }
    let mut came = host::send_all(sent).into_iter().zip(names).map(|(ended, shown)| named(ended, shown));
    let missing = || Err(Error::unavailable("the answer got lost in the host"));
    let ended = answers.into_iter().map(|flaw| flaw.map_or_else(|| came.next().unwrap_or_else(missing), Err));
    let ended: Vec<_> = ended.collect();
    if writes {
        ended.iter().for_each(turn::sent);
    }
    ended
}

/// An answer or an error that says which request it is about.
fn named(ended: Result<Response, Error>, shown: String) -> Result<Response, Error> {
    let mut response = ended.map_err(|error| error.context(&shown))?;
    response.request = shown;
    Ok(response)
}

/// Method and address without the query: headers and query may hold placeholders, bodies hold records.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.split('?').next().unwrap_or_default();
        f.debug_struct("Request").field("method", &self.method).field("url", &url).finish_non_exhaustive()
    }
}

/// The parts of an address.
#[cfg_attr(not(target_family = "wasm"), allow(dead_code, reason = "tests do not go anywhere"))]
pub(crate) struct Place<'a> {
    pub(crate) https: bool,
    pub(crate) authority: &'a str,
    /// With its query; starts with a slash, or with a question mark where there is no path.
    pub(crate) path: &'a str,
    /// Everything before the query: safe to show.
    origin: &'a str,
}

impl<'a> Place<'a> {
    fn parse(url: &'a str) -> Result<Self, &'static str> {
        let url = url.split('#').next().unwrap_or_default();
        let (scheme, rest) = url.split_once("://").ok_or("it has to begin with https://")?;
        let https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err("it has to begin with https://"),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.is_empty() {
            return Err("it names no host");
        }
        if authority.contains('@') {
            return Err("user and password do not belong into an address; use a secret");
        }
        if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err("it has blanks in it; encode them");
        }
        Ok(Self { https, authority, path, origin: url.split('?').next().unwrap_or_default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_encoded() {
        let request = Request::get("https://api.example/v1/p").query("ids", "p1,p/2").query("limit", 5);
        assert_eq!(request.url(), "https://api.example/v1/p?ids=p1%2Cp%2F2&limit=5");
        assert_eq!(request.parameter("ids").as_deref(), Some("p1,p/2"));
        assert_eq!(request.path(), "/v1/p");
    }

    #[test]
    fn addresses_are_taken_apart() {
        let parts = |url| Place::parse(url).map(|place| (place.https, place.authority, place.path));
        assert_eq!(parts("https://a.example:8443/x?y#z"), Ok((true, "a.example:8443", "/x?y")));
        assert_eq!(parts("HTTP://127.0.0.1:9"), Ok((false, "127.0.0.1:9", "")));
        assert_eq!(parts("http://a?b"), Ok((false, "a", "?b")));
        for url in ["", "a.example", "ftp://a", "https://", "https:///x", "https://u:p@a", "https://a/b c"] {
            assert!(parts(url).is_err(), "{url}");
        }
    }

    #[test]
    fn nothing_secret_is_printed() {
        let request =
            Request::get("https://a.example/x?key=placeholder").header("authorization", "Bearer placeholder");
        assert!(!format!("{request:?}").contains("placeholder"));
        let error = Request::get("https://user:password@a.example/").send().unwrap_err();
        assert!(!error.to_string().contains("password@"), "{error}");
    }
}
