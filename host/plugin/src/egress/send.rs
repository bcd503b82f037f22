//! Sending one HTTP request of a plugin: egress filter, secret injection, rate limit, concurrency permits,
//! response.

use super::audit::{Audit, AuditContext, AuditEntry};
use super::body::{AnswerBody, BodyContext, Connection, Rest};
use super::budget::{CallBudget, Calls, NoToken};
use super::headers::{check_headers, copy_values, headers_size, is_piece, strip, strip_answer, whole_answer};
use super::hosts::Hosts;
use super::notice::{Notice, Notices};
use super::resolve::{Checked, Lookup};
use super::scrub::{Scrubber, Stream};
use super::secrets::{Placeholders, SecretError, Vault};
use super::wire::{chain, connect_error, too_many_headers};
use crate::address::grant::Target;
use crate::component::manifest::makes_another;
use crate::fair::account::TenantAccount;
use crate::fair::cpu::OnCpu;
use crate::fair::held::{Buffer, ENTRY, Held, Reservation, bytes_of};
use crate::limits::{LimitReached, Limits};
use crate::text::clean;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use http_body_util::BodyExt;
use reqwest::Url;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;

/// Read-ahead: bytes of a response that are buffered before the plugin reads them, so that its connection is
/// released even if a plugin first starts all its requests and reads the responses afterwards.
const READ_AHEAD: usize = 1 << 20;

/// What a connection may hold of what has arrived and is not read: the largest buffer of the HTTP client, and one
/// of TLS.
const CONNECTION: u64 = 512 << 10;

/// How much of a request's body a plugin may write at once before it is taken out: two of these wait at most.
const CHUNK: usize = 64 << 10;

/// How many placeholders of a call are remembered with their users.
const USERS: usize = super::secrets::REMEMBERED;

/// The HTTP channel of an integration: connection pools, secrets and quotas that no other integration shares.
pub(crate) struct Channel {
    pub(crate) integration: String,
    pub(crate) vault: Vault,
    /// All secrets, for what operators read: log lines and errors.
    pub(crate) scrubber: Option<Scrubber>,
    /// For answers: by the names of the secrets that are looked for.
    scrubbers: Mutex<HashMap<Vec<String>, Option<Scrubber>>>,
    pub(crate) account: Arc<TenantAccount>,
    pub(crate) audit: AuditContext,
    pub(crate) calls: Calls,
    limits: Limits,
    hosts: Arc<Hosts>,
    lookup: Lookup,
    /// Clients by scheme and port: which addresses are allowed depends on the port, but a resolver is told
    /// the name only.
    clients: Mutex<HashMap<(bool, u16), reqwest::Client>>,
    parallel: Arc<Semaphore>,
    read_ahead: Arc<Semaphore>,
    /// The denials that were told on the terminal.
    told: Mutex<BTreeSet<String>>,
}

/// Kinds of denials that are told on the terminal; all are counted in the books.
const TOLD: usize = 20;

/// The context that an integration shares with others.
pub(crate) struct ChannelContext<'a> {
    pub(crate) digest: &'a str,
    pub(crate) account: Arc<TenantAccount>,
    pub(crate) budget: Arc<dyn CallBudget>,
    pub(crate) audit: Arc<dyn Audit>,
}

impl Channel {
    pub(crate) fn new(
        integration: String,
        vault: Vault,
        hosts: Hosts,
        limits: Limits,
        lookup: Lookup,
        context: ChannelContext<'_>,
    ) -> Self {
        let ChannelContext { digest, account, budget, audit } = context;
        let permits = |count: u64| {
            Arc::new(Semaphore::new(usize::try_from(count).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS)))
        };
        Self {
            audit: AuditContext {
                audit,
                tenant: account.tenant().into(),
                integration: integration.as_str().into(),
                plugin: digest.into(),
            },
            calls: Calls::new(&integration, &limits, budget),
            account,
            integration,
            scrubber: Scrubber::new(vault.secrets()),
            scrubbers: Mutex::default(),
            vault,
            hosts: Arc::new(hosts),
            lookup,
            clients: Mutex::default(),
            parallel: permits(limits.http_parallel),
            read_ahead: permits(limits.http_response_bytes),
            told: Mutex::default(),
            limits,
        }
    }

    /// Tells the operator of a denial, once, and not of very many: a plugin may be denied a thousand times.
    fn tell(&self, notice: &Notice) {
        let masked = |text: String| match &self.scrubber {
            Some(scrubber) => scrubber.text(text),
            None => text,
        };
        let (text, integration) = (masked(notice.text()), &self.integration);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= TOLD || told.contains(&text) {
            return;
        }
        // As data: whoever displays the line words the remedies.
        let remedies = masked(serde_json::to_string(&notice.remedies(integration)).unwrap_or_default());
        tracing::warn!(integration, %remedies, "{text}");
        told.insert(text);
        if told.len() == TOLD {
            tracing::warn!(
                integration,
                "more of its calls that are denied are counted in its books, and not told here"
            );
        }
    }

    /// What looks for secrets in the answers of a host.
    fn scrubber_of(&self, target: &Target) -> Option<Scrubber> {
        let names = self.vault.looked_for(target);
        let key = names.iter().map(|name| (*name).to_owned()).collect();
        let mut scrubbers = self.scrubbers.lock().unwrap_or_else(PoisonError::into_inner);
        scrubbers.entry(key).or_insert_with(|| Scrubber::new(self.vault.named(&names))).clone()
    }

    fn client(&self, target: &Target) -> Result<reqwest::Client, Error> {
        let key = (target.https(), target.port());
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        // The first call wins; every part of the program installs the same provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let checked = Checked {
            hosts: Arc::clone(&self.hosts),
            https: target.https(),
            port: target.port(),
            lookup: Arc::clone(&self.lookup),
            places: Arc::clone(&self.account.lookups),
        };
        let mut builder = reqwest::Client::builder()
            .dns_resolver(Arc::new(checked))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            // More than the limit, so that it is this host that counts and tells how many; else hyper ends at 100.
            .http1_max_headers(
                usize::try_from(self.limits.http_headers).unwrap_or(usize::MAX).saturating_add(100),
            )
            .connect_timeout(Limits::time(self.limits.http_connect_time))
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(usize::try_from(self.limits.http_parallel).unwrap_or(usize::MAX));
        if !target.https() {
            // Without TLS the system's certificates are not needed, and they may be missing.
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().map_err(|error| {
            tracing::warn!(integration = self.integration, %error, "no connections can be made from this machine; are the certificates of the system installed?");
            Error::ConfigurationError
        })?;
        clients.insert(key, client.clone());
        Ok(client)
    }
}

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
            return Err(self.deny(Notice::Header { name: clean(name.as_str(), 100), url: shown(url) }));
        }
        self.placeholders.fill(&self.channel.vault, target, url, headers).map_err(|other| {
            entry.denied("secret");
            let notice = Notice::Secret { url: target.to_string(), secret: clean(&other.0, 100) };
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

/// A request that passed the filter.
struct Prepared {
    client: reqwest::Client,
    channel: Arc<Channel>,
    /// For the answer.
    scrubber: Option<Scrubber>,
    /// Whether a secret is bound to the host.
    bound: bool,
    /// In how many places of the head of the answer secrets were found.
    hits: u64,
    notices: Notices,
    held: Held,
    /// What it has taken, headers and address included.
    _carried: Option<Reservation>,
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<WasiBody>,
    head_time: Duration,
    idle_time: Duration,
    /// Until when it may wait for rate limit and permits.
    patience: Instant,
    entry: AuditEntry,
}

/// Records that there is no memory for a request or its response.
pub(super) fn no_memory(entry: &mut AuditEntry, notices: &Notices, limit: LimitReached) -> Error {
    let text = limit.to_string();
    reached(entry, notices, limit);
    Error::InternalError(Some(text))
}

/// Records a limit that ends a request, for the operator and the audit log.
fn reached(entry: &mut AuditEntry, notices: &Notices, limit: LimitReached) {
    entry.denied(limit.name);
    notices.add(Notice::Limit(limit));
}

impl Prepared {
    async fn send(mut self) -> Result<http::Response<WasiBody>, Error> {
        let deadline = Instant::now() + Limits::time(self.channel.limits.http_total_time);
        let (answer, connection, head) = match self.answer(deadline).await {
            Ok(answered) => answered,
            Err(error) => {
                self.entry.failed(&error);
                return Err(error);
            }
        };
        let Self { channel, scrubber, hits, notices, held, mut entry, idle_time, .. } = self;
        let (parts, body) = answer.into_parts();
        let scrub = scrubber.as_ref().map(Scrubber::stream);
        // Before there is a stream, so that it is not begun without memory for it.
        let searching = match held.take(scrub.as_ref().map_or(0, Stream::size)) {
            Ok(taken) => taken,
            Err(limit) => {
                let error = no_memory(&mut entry, &notices, limit);
                entry.failed(&error);
                return Err(error);
            }
        };
        let rest = Rest::new(
            body,
            (scrub, hits),
            (idle_time, deadline),
            BodyContext { limits: channel.limits.clone(), notices, entry, held, connection, searching },
        );
        let body = read_ahead(rest, head, &channel).await?;
        Ok(http::Response::from_parts(parts, body.boxed_unsync()))
    }

    /// Sends the request and waits for the response head.
    async fn answer(
        &mut self,
        deadline: Instant,
    ) -> Result<(http::Response<reqwest::Body>, Connection, Reservation), Error> {
        self.take_token(deadline).await?;
        let permits = self.permits(deadline).await?;
        let buffers = self.taken(CONNECTION)?;
        let channel = Arc::clone(&self.channel);
        let limits = &channel.limits;
        // The body is buffered first: its size is checked before anything leaves, and it is sent with its
        // length, which many servers require.
        let body = match self.body.take() {
            Some(body) => match timeout_at(deadline, gather(body, limits, &self.held)).await {
                Ok(Ok(body)) => body,
                Ok(Err(Gather::TooLarge)) => {
                    self.reached(limits.http_request_bytes(None));
                    return Err(Error::HttpRequestBodySize(None));
                }
                Ok(Err(Gather::NoMemory(limit))) => return Err(self.no_memory(limit)),
                Ok(Err(Gather::Failed(error))) => return Err(error),
                Err(_) => return Err(self.too_long()),
            },
            None => Bytes::new(),
        };
        if !channel.audit.audit.can_be_recorded(&channel.integration) {
            self.entry.denied("book");
            self.notices.add(Notice::NotRecorded);
            return Err(Error::InternalError(Some("no request can be recorded".to_owned())));
        }
        self.entry.sent(body.len() as u64);
        let mut request = self
            .client
            .request(self.method.clone(), self.url.clone())
            .headers(std::mem::take(&mut self.headers));
        if !body.is_empty() || matches!(self.method, Method::POST | Method::PUT | Method::PATCH) {
            request = request.body(body);
        }
        let answered = match timeout(self.head_time, timeout_at(deadline, request.send())).await {
            Ok(Ok(answered)) => answered,
            Ok(Err(_)) => return Err(self.too_long()),
            Err(_) => {
                self.reached(limits.http_idle_time(None));
                return Err(Error::ConnectionReadTimeout);
            }
        };
        let answer = answered.map_err(|error| {
            // Without the URL, which may contain a secret by now.
            let error = error.without_url();
            tracing::debug!(integration = channel.integration, error = %chain(&error), "a request of the plugin failed");
            if too_many_headers(&error) {
                self.reached(limits.http_headers(None));
                return Error::HttpResponseHeaderSectionSize(None);
            }
            let error = connect_error(&error, &self.url, &self.notices);
            if matches!(error, Error::HttpRequestDenied) {
                self.entry.denied("address");
                self.entry.kept_back();
            }
            error
        })?;
        let mut answer: http::Response<reqwest::Body> = answer.into();
        self.check_head(&mut answer)?;
        let head = self.taken(ENTRY + headers_size(answer.headers()))?;
        copy_values(answer.headers_mut());
        Ok((answer, Connection { _permits: permits, _buffers: buffers }, head))
    }

    /// Checks the head of an answer, and takes out of it what the plugin must not see.
    fn check_head(&mut self, answer: &mut http::Response<reqwest::Body>) -> Result<(), Error> {
        let channel = Arc::clone(&self.channel);
        let limits = &channel.limits;
        self.entry.answered(answer.status().as_u16());
        if answer.status() == http::StatusCode::UNAUTHORIZED {
            self.notices.unauthorized();
        }
        if self.bound && is_piece(answer.status(), answer.headers()) {
            self.entry.denied("piece");
            self.notices.add(Notice::Piece { url: shown(&self.url) });
            return Err(Error::HttpResponseIncomplete);
        }
        self.hits = strip_answer(answer.headers_mut(), self.scrubber.as_ref());
        if self.hits > limits.secret_hits {
            self.reached(limits.secret_hits(Some(self.hits)));
            return Err(Error::HttpResponseIncomplete);
        }
        if let Err(limit) = check_headers(answer.headers(), limits) {
            self.reached(limit);
            return Err(Error::HttpResponseHeaderSectionSize(None));
        }
        Ok(())
    }

    fn taken(&mut self, bytes: u64) -> Result<Reservation, Error> {
        self.held.take(bytes).map_err(|limit| self.no_memory(limit))
    }

    fn no_memory(&mut self, limit: LimitReached) -> Error {
        no_memory(&mut self.entry, &self.notices, limit)
    }

    /// Takes a token of the rate limit, waiting for it as long as the call has time.
    async fn take_token(&mut self, deadline: Instant) -> Result<(), Error> {
        let until = self.patience.min(deadline);
        let calls = &self.channel.calls;
        let patience = until.saturating_duration_since(Instant::now());
        let given = timeout_at(until, calls.take(patience))
            .await
            .unwrap_or_else(|_| Err(NoToken::After(calls.pace())));
        match given {
            Ok(()) => Ok(()),
            Err(NoToken::After(after)) => {
                let limit = self.channel.limits.http_per_minute(None);
                self.entry.denied(limit.name);
                self.notices.add(Notice::Spent { limit, after });
                Err(Error::ConnectionLimitReached)
            }
            Err(NoToken::Held(held)) => {
                self.entry.denied("retry-after");
                self.notices.add(Notice::Held(held));
                Err(Error::ConnectionLimitReached)
            }
            Err(NoToken::Failed(error)) => {
                tracing::warn!(%error, "a request of the plugin was not sent");
                Err(Error::InternalError(Some("the calls of this minute cannot be counted".to_owned())))
            }
        }
    }

    /// Acquires concurrency permits, of the integration and of the tenant.
    async fn permits(&mut self, deadline: Instant) -> Result<[OwnedSemaphorePermit; 2], Error> {
        let channel = Arc::clone(&self.channel);
        let own = self.permit(&channel.parallel, channel.limits.http_parallel(None), deadline).await?;
        let tenant = channel.account.limits().tenant_http_parallel(None);
        Ok([own, self.permit(&channel.account.http, tenant, deadline).await?])
    }

    async fn permit(
        &mut self,
        from: &Arc<Semaphore>,
        limit: LimitReached,
        deadline: Instant,
    ) -> Result<OwnedSemaphorePermit, Error> {
        match timeout_at(deadline, Arc::clone(from).acquire_owned()).await {
            Ok(permit) => permit.map_err(|_| Error::ConnectionTerminated),
            Err(_) => {
                self.reached(limit);
                Err(Error::ConnectionLimitReached)
            }
        }
    }

    fn reached(&mut self, limit: LimitReached) {
        reached(&mut self.entry, &self.notices, limit);
    }

    fn too_long(&mut self) -> Error {
        self.reached(self.channel.limits.http_total_time(None));
        Error::HttpResponseTimeout
    }
}

enum Gather {
    TooLarge,
    NoMemory(LimitReached),
    Failed(Error),
}

/// The whole body. Trailers are dropped.
async fn gather(mut body: WasiBody, limits: &Limits, held: &Held) -> Result<Bytes, Gather> {
    let mut whole = Buffer::new(held).map_err(Gather::NoMemory)?;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(Gather::Failed)?.into_data() else { continue };
        if bytes_of(whole.len().saturating_add(data.len())) > limits.http_request_bytes {
            return Err(Gather::TooLarge);
        }
        whole.extend(&data).map_err(Gather::NoMemory)?;
    }
    Ok(whole.freeze())
}

/// Reads the beginning of a body, as far as there is memory for it: `head` is what the head of the response takes.
async fn read_ahead(mut rest: Rest, head: Reservation, channel: &Channel) -> Result<AnswerBody, Error> {
    let memory = &channel.read_ahead;
    let mut body = AnswerBody::new(head);
    let mut size = 0;
    // Searching is work for the tenant outside of its calls: it takes its turn, and is charged.
    let meter = Arc::default();
    while size < READ_AHEAD {
        let piece = match poll_fn(|cx| rest.poll_piece(cx, true)).await {
            None => return Ok(body),
            Some(piece) => piece?,
        };
        let bytes = if rest.is_searched() {
            let (cpu, meter) = (Arc::clone(&channel.account.cpu), Arc::clone(&meter));
            OnCpu::new(Box::pin(async { rest.scrubbed(piece) }), cpu, meter).await?
        } else {
            rest.scrubbed(piece)?
        };
        if bytes.is_empty() {
            continue;
        }
        size += bytes.len();
        let more = u32::try_from(bytes.len())
            .ok()
            .and_then(|bytes| Arc::clone(memory).try_acquire_many_owned(bytes).ok());
        // Enough is buffered already: the rest of this response stays in its connection.
        let is_enough = more.is_none();
        body.read(bytes, more);
        if is_enough {
            break;
        }
    }
    body.rest = Some(rest);
    Ok(body)
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
    use crate::egress::audit::{HttpCall, LogLine};
    use crate::egress::{Secret, SecretGrant};
    use entente_sync::Remedy;
    use std::net::IpAddr;
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
        let channel = Channel::new("shop".to_owned(), vault, hosts, Limits::default(), lookup, context);
        let held = Held::new(Limits::default(), Arc::clone(&channel.account));
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
