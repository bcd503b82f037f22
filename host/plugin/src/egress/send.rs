//! The egress filter over one HTTP request of a plugin: grants, headers, and secrets in the place of placeholders. What passes is
//! a [`Prepared`] request.

use super::audit::AuditEntry;
use super::channel::Channel;
use super::headers::{check_headers, strip, whole_answer};
use super::notice::{Notice, Notices};
use super::request::{Prepared, reached};
use super::secrets::{Placeholders, SecretError, shown_name};
use crate::address::grant::Target;
use crate::component::manifest::makes_another;
use crate::fair::held::{ENTRY, Held, Reservation, bytes_of};
use crate::limits::{LimitReached, Limits};
use crate::text::clean;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use reqwest::Url;
use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;

/// How much of a request's body a plugin may write at once before it is taken out: two of these wait at most.
const CHUNK: usize = 64 << 10;

/// How many placeholders of a call are remembered with their users.
const USERS: usize = super::secrets::REMEMBERED;

/// The sending side of one running plugin.
pub(crate) struct Egress {
    channel: Arc<Channel>,
    /// The account of the plugin.
    held: Held,
    /// What the request has taken that is about to be sent.
    carried: Option<Reservation>,
    placeholders: Placeholders,
    /// What each placeholder has taken, the oldest first.
    remembered: VecDeque<Reservation>,
    notices: Notices,
    requests: u64,
    /// The requests of all calls.
    sent: u64,
    /// When the plugin's current call began.
    began: Instant,
}

impl Egress {
    pub(crate) fn new(channel: Arc<Channel>, held: Held) -> Self {
        Self {
            channel,
            held,
            carried: None,
            placeholders: Placeholders::default(),
            remembered: VecDeque::new(),
            notices: Notices::default(),
            requests: 0,
            sent: 0,
            began: Instant::now(),
        }
    }

    pub(crate) fn channel(&self) -> &Arc<Channel> {
        &self.channel
    }

    /// The requests that the instance has made in all its calls.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Resets the per-call state.
    pub(crate) fn begin(&mut self) {
        self.requests = 0;
        // Placeholders of the previous call become invalid.
        self.placeholders = Placeholders::default();
        self.remembered.clear();
        self.began = Instant::now();
        self.notices.take();
        self.notices.take_unauthorized();
    }

    /// Whether the remote system has refused the credential of a request of the current call.
    pub(crate) fn unauthorized(&self) -> bool {
        self.notices.take_unauthorized()
    }

    pub(crate) fn notices(&self) -> Vec<Notice> {
        self.notices.take()
    }

    /// A placeholder for a secret. The user of a Basic header is kept until the call ends, and is no longer than a
    /// header may be.
    pub(crate) fn placeholder(
        &mut self,
        name: &str,
        user: Option<&str>,
    ) -> Result<Result<String, SecretError>, LimitReached> {
        let length = user.map_or(0, |user| bytes_of(user.len()));
        if length > self.channel.limits.http_header_bytes {
            return Err(self.channel.limits.http_header_bytes(Some(length)));
        }
        let taken = self.held.take(ENTRY.saturating_add(length))?;
        let made = self.placeholders.make(&self.channel.vault, name, user);
        if made.is_ok() {
            if self.remembered.len() == USERS {
                self.remembered.pop_front();
            }
            self.remembered.push_back(taken);
        }
        Ok(self.noted(made))
    }

    /// What a request has taken, for the one that is sent next.
    pub(crate) fn carry(&mut self, taken: Option<Reservation>) {
        self.carried = taken;
    }

    /// Adds a notice that the plugin cannot use a secret.
    pub(crate) fn noted<T>(&self, had: Result<T, SecretError>) -> Result<T, SecretError> {
        if let Err(error) = &had {
            self.notices.add(Notice::NoSecret(error.clone()));
        }
        had
    }

    /// Adds a notice that the plugin has reached a limit and was told so.
    pub(crate) fn reached(&self, limit: LimitReached) {
        self.notices.add(Notice::Limit(limit));
    }

    /// Every decision that does not wait.
    fn prepare(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<Prepared, Error> {
        let limits = &self.channel.limits;
        self.requests += 1;
        self.sent += 1;
        if self.requests > limits.http_requests {
            // Only the first request over the limit is logged, so that the others do not flood the audit log.
            if self.requests == limits.http_requests + 1 {
                let mut entry =
                    AuditEntry::new(&self.channel.audit, request.method(), self.channel.scrubber.as_ref());
                if let Ok(url) = Url::parse(&request.uri().to_string()) {
                    entry.goes_to(&url, self.channel.scrubber.as_ref());
                }
                entry.denied(limits.http_requests(None).name);
                entry.failed(&Error::ConnectionLimitReached);
            }
            self.notices.add(Notice::Limit(limits.http_requests(Some(self.requests))));
            return Err(Error::ConnectionLimitReached);
        }
        let mut entry =
            AuditEntry::new(&self.channel.audit, request.method(), self.channel.scrubber.as_ref());
        match self.check(request, options, &mut entry) {
            Ok(checked) => Ok(checked(entry)),
            Err(error) => {
                entry.failed(&error);
                Err(error)
            }
        }
    }

    fn check(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        entry: &mut AuditEntry,
    ) -> Result<impl FnOnce(AuditEntry) -> Prepared + use<>, Error> {
        let limits = &self.channel.limits;
        let (parts, body) = request.into_parts();
        if is_no_request(&parts.method) {
            entry.denied("method");
            return Err(Error::HttpRequestMethodInvalid);
        }
        let mut url = Url::parse(&parts.uri.to_string()).map_err(|_| Error::HttpRequestUriInvalid)?;
        entry.goes_to(&url, self.channel.scrubber.as_ref());
        let target = Target::of(&url).map_err(|reason| {
            entry.denied("grant");
            self.deny(Notice::Denied { url: reason.to_owned(), grant: String::new() })
        })?;
        if !self.channel.hosts.asks_for(&target) {
            entry.denied("manifest");
            return Err(self.deny(Notice::NotAsked { url: shown(&url) }));
        }
        if !self.channel.hosts.grants(&target) {
            entry.denied("grant");
            return Err(self.deny(Notice::Denied { url: shown(&url), grant: target.to_string() }));
        }
        let mut headers = parts.headers;
        self.check_headers(&mut headers, &target, &mut url, entry)?;
        let options = options.unwrap_or_default();
        let shorter = |host: u64, guest: Option<Duration>| {
            guest.map_or(Limits::time(host), |guest| guest.min(Limits::time(host)))
        };
        let client = self.channel.client(&target)?;
        let (channel, notices, held) = (Arc::clone(&self.channel), self.notices.clone(), self.held.clone());
        let carried = self.carried.take();
        let head_time = shorter(limits.http_connect_time, options.connect_timeout)
            + shorter(limits.http_idle_time, options.first_byte_timeout);
        let idle_time = shorter(limits.http_idle_time, options.between_bytes_timeout);
        // The second half of the call's time is left for the response, and for the plugin to report that
        // there was none.
        let patience = self.began + Limits::time(limits.call_time / 2);
        let (method, body) = (parts.method, Some(body));
        let (scrubber, bound) = (channel.scrubber_of(&target), channel.vault.bound(&target));
        Ok(move |entry| Prepared {
            client,
            channel,
            scrubber,
            bound,
            hits: 0,
            notices,
            held,
            _carried: carried,
            method,
            url,
            headers,
            body,
            head_time,
            idle_time,
            patience,
            entry,
        })
    }

    /// Headers as they go out: those that the manifest lists, with secrets in the place of placeholders.
    fn check_headers(
        &self,
        headers: &mut HeaderMap,
        target: &Target,
        url: &mut Url,
        entry: &mut AuditEntry,
    ) -> Result<(), Error> {
        check_headers(headers, &self.channel.limits).map_err(|limit| {
            reached(entry, &self.notices, limit);
            Error::HttpRequestHeaderSectionSize(None)
        })?;
        strip(headers);
        let allowed = |(name, value): &(&HeaderName, &HeaderValue)| {
            !makes_another(name.as_str())
                && (self.channel.hosts.sends(name) || self.placeholders.is_one(value))
        };
        if let Some((name, _)) = headers.iter().find(|header| !allowed(header)) {
            entry.denied("header");
            return Err(self.deny(Notice::Header { name: shown_name(name.as_str()), url: shown(url) }));
        }
        self.placeholders.fill(&self.channel.vault, target, url, headers).map_err(|other| {
            entry.denied("secret");
            let notice = Notice::Secret { url: target.to_string(), secret: other.0 };
            self.deny(notice)
        })?;
        let bound = self.channel.vault.bound(target);
        if bound {
            whole_answer(headers);
        }
        if bound || self.channel.scrubber_of(target).is_some() {
            // A compressed response cannot be searched for secrets.
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        headers
            .entry(header::USER_AGENT)
            .or_insert(HeaderValue::from_static(concat!("entente/", env!("CARGO_PKG_VERSION"))));
        Ok(())
    }

    fn deny(&self, notice: Notice) -> Error {
        self.channel.tell(&notice);
        self.notices.add(notice);
        Error::HttpRequestDenied
    }
}

/// Methods that ask for something else than a resource, in any case of their letters: some servers do not mind it. `TRACE`
/// gives a request back with the secret in it; `TRACK` is its other name.
fn is_no_request(method: &Method) -> bool {
    ["CONNECT", "TRACE", "TRACK"].iter().any(|name| method.as_str().eq_ignore_ascii_case(name))
}

/// The URL without its query, which may hold personal data or a placeholder.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    clean(url.as_str(), 300)
}

type Sending = Box<
    dyn Future<
            Output = Result<
                (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>),
                Error,
            >,
        > + Send,
>;

impl WasiHttpHooks for Egress {
    fn p2_outgoing_body_buffer_chunks(&mut self) -> usize {
        1
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Sending {
        match self.prepare(request, options) {
            Err(error) => Box::new(std::future::ready(Err(error))),
            Ok(ready) => Box::new(async move {
                let answer = ready.send().await?;
                let done: Box<dyn Future<Output = Result<(), Error>> + Send> =
                    Box::new(std::future::ready(Ok(())));
                Ok((answer, done))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::grant::HttpGrant;
    use crate::component::manifest::{SecretAsk, SecretUse};
    use crate::egress::audit::{Audit, HttpCall, LogLine};
    use crate::egress::{ChannelContext, Hosts, Lookup, Secret, SecretGrant, Vault};
    use crate::fair::account::TenantAccount;
    use entente_sync::Remedy;
    use http_body_util::BodyExt;
    use std::net::IpAddr;
    use std::sync::Mutex;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// What is recorded, as its debug output.
    #[derive(Debug, Default)]
    struct Recorder(Mutex<Vec<String>>);

    impl Audit for Recorder {
        fn http(&self, call: &HttpCall<'_>) {
            self.0.lock().unwrap().push(format!("{call:?}"));
        }

        fn log(&self, line: &LogLine<'_>) {
            self.0.lock().unwrap().push(line.text.to_owned());
        }
    }

    #[tokio::test]
    async fn x7_what_a_plugin_has_found_out_is_masked_where_operators_read_it() {
        // Also a word of a path, and a method.
        const FOUND: &str = "correcthorsebattery";
        let account = Arc::new(TenantAccount::new("acme", &Limits::default()));
        let egress = egress(vec![], &[FOUND], account);
        let channel = Arc::clone(egress.channel());
        let mut entry = AuditEntry::new(
            &channel.audit,
            &Method::from_bytes(FOUND.as_bytes()).unwrap(),
            channel.scrubber.as_ref(),
        );
        entry.goes_to(
            &Url::parse(&format!("https://{FOUND}.example.com/v1/{FOUND}")).unwrap(),
            channel.scrubber.as_ref(),
        );
        drop(entry);
        let recorded = format!("{:?}", channel.audit.audit);
        assert!(recorded.contains(".example.com"), "{recorded}");
        assert!(!recorded.contains(&FOUND[..6]), "{recorded}");
    }

    /// The sending side of a plugin, in a world where every name is this machine.
    fn egress(granted: Vec<HttpGrant>, secrets: &[&str], account: Arc<TenantAccount>) -> Egress {
        let lookup: Lookup = Arc::new(|_| Box::pin(async { Ok(vec![IpAddr::from([127, 0, 0, 1])]) }));
        egress_where(lookup, Limits::default(), granted, secrets, account)
    }

    /// The sending side of a plugin in this world.
    fn egress_where(
        lookup: Lookup,
        limits: Limits,
        granted: Vec<HttpGrant>,
        secrets: &[&str],
        account: Arc<TenantAccount>,
    ) -> Egress {
        // Granted, so that they are looked for, wherever an answer comes from.
        let signs = secrets.iter().map(|text| SecretAsk {
            name: (*text).to_owned(),
            usage: SecretUse::Sign,
            hosts: Vec::new(),
            header: None,
            query: None,
            reason: "tests".to_owned(),
        });
        let signs: Vec<SecretAsk> = signs.collect();
        let grant = |ask: &SecretAsk| SecretGrant {
            name: ask.name.clone(),
            hosts: vec![],
            header: None,
            query: None,
        };
        let grants = signs.iter().map(grant).collect();
        let secrets = secrets.iter().map(|text| ((*text).to_owned(), Secret::new(*text))).collect();
        let vault = Vault::new(secrets, grants, &signs, &std::collections::BTreeMap::new());
        let hosts =
            Hosts { asked: vec![crate::component::manifest::AskedHost::Any], granted, headers: vec![] };
        let context = ChannelContext {
            digest: "d1",
            account,
            budget: Arc::new(crate::egress::budget::BudgetInMemory::default()),
            audit: Arc::new(Recorder::default()),
        };
        let channel = Channel::new("shop".to_owned(), vault, hosts, limits.clone(), lookup, context);
        let held = Held::new(limits, Arc::clone(&channel.account));
        Egress::new(Arc::new(channel), held)
    }

    /// Sends to a name that resolves to this machine, with these grants (`PORT` is replaced by the server's
    /// port).
    async fn rebound(grants: &[&str]) -> (Result<u16, Error>, Vec<Notice>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let read = stream.read(&mut [0; 4096]).await.unwrap();
            assert!(read > 0);
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        });
        let granted =
            grants.iter().map(|grant| grant.replace("PORT", &port.to_string()).parse().unwrap()).collect();
        let mut egress = egress(granted, &[], Arc::default());
        let body = http_body_util::Empty::new().map_err(|never| match never {}).boxed_unsync();
        let request = http::Request::builder()
            .uri(format!("http://rebound.example.com:{port}/x?secret"))
            .body(body)
            .unwrap();
        let answered = match egress.prepare(request, None) {
            Ok(ready) => ready.send().await.map(|answer| answer.status().as_u16()),
            Err(error) => Err(error),
        };
        server.abort();
        (answered, egress.notices())
    }

    #[tokio::test]
    async fn a_name_that_points_into_a_private_network_is_denied_unless_the_address_is_granted_too() {
        let (answered, notices) = rebound(&["http://rebound.example.com:PORT"]).await;
        assert!(matches!(answered, Err(Error::HttpRequestDenied)), "{answered:?}");
        let [notice] = &notices[..] else { panic!("{notices:?}") };
        let text = notice.text();
        assert!(text.ends_with("rebound.example.com is at 127.0.0.1, which is this machine"), "{text}");
        assert!(!text.contains("secret"), "{text}");
        let [Remedy::GrantHost { integration, host }] = &notice.remedies("shop")[..] else {
            panic!("{notice:?}")
        };
        assert!(integration == "shop" && host.starts_with("http://127.0.0.1:"), "{host}");

        let (answered, notices) =
            rebound(&["http://rebound.example.com:PORT", "http://127.0.0.1:PORT"]).await;
        assert!(matches!(answered, Ok(204)), "{answered:?} {notices:?}");
        let (answered, _) = rebound(&["http://127.0.0.1:PORT"]).await;
        assert!(
            matches!(answered, Err(Error::HttpRequestDenied)),
            "the name itself is not granted: {answered:?}"
        );
    }

    #[tokio::test]
    async fn connecting_that_takes_too_long_is_told_by_its_limit() {
        // Resolving the name is a part of connecting, and here it never ends.
        let lookup: Lookup = Arc::new(|_| Box::pin(std::future::pending::<std::io::Result<Vec<IpAddr>>>()));
        let limits = Limits { http_connect_time: 50, ..Limits::default() };
        let granted = vec!["http://slow.example.com".parse().unwrap()];
        let mut egress = egress_where(lookup, limits, granted, &[], Arc::default());
        let body = http_body_util::Empty::new().map_err(|never| match never {}).boxed_unsync();
        let request = http::Request::builder().uri("http://slow.example.com/x").body(body).unwrap();
        let Ok(ready) = egress.prepare(request, None) else { panic!("it is granted") };
        let answered = ready.send().await.map(|answer| answer.status());
        assert!(matches!(answered, Err(Error::ConnectionTimeout)), "{answered:?}");
        let told: Vec<String> = egress.notices().iter().map(Notice::text).collect();
        assert!(
            matches!(&told[..], [one] if one.contains("limit http-connect-time of 50 ms reached")),
            "{told:?}"
        );
        let recorded = format!("{:?}", egress.channel().audit.audit);
        assert!(recorded.contains("http-connect-time"), "{recorded}");
    }

    #[tokio::test]
    async fn x16_an_answer_is_searched_when_it_is_the_turn_of_its_tenant() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sent, mut is_sent) = tokio::sync::oneshot::channel();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
            let body = "it is tell-nobody, byte by byte; ".repeat(2)
                + &"and nothing of it any more......; ".repeat(1000);
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await.unwrap();
            sent.send(()).unwrap();
        });
        let account = Arc::new(TenantAccount::default());
        let mut egress = egress(vec![url.parse().unwrap()], &["tell-nobody"], Arc::clone(&account));
        let body = http_body_util::Empty::new().map_err(|never| match never {}).boxed_unsync();
        let request = http::Request::builder().uri(format!("{url}/x")).body(body).unwrap();
        let Ok(ready) = egress.prepare(request, None) else { panic!("it is granted") };
        // All that the tenant may compute is computed by somebody else.
        let busy = account.cpu.acquire().await;
        let mut sending = std::pin::pin!(ready.send());
        while is_sent.try_recv().is_err() {
            assert!(futures::poll!(&mut sending).is_pending());
            tokio::task::yield_now().await;
        }
        for _ in 0..1000 {
            assert!(futures::poll!(&mut sending).is_pending(), "it waits for its turn");
            tokio::task::yield_now().await;
        }
        drop(busy);
        let answer = sending.await.unwrap().into_body().collect().await.unwrap().to_bytes();
        assert_eq!(answer.len(), 66 + 34_000);
        assert!(answer.starts_with(b"it is ***********, byte by byte; it is ***********"), "{answer:?}");
        assert_eq!(account.cpu.held(), 0);
        server.await.unwrap();
    }
}
