//! A request that passed the filter on its way: rate limit, concurrency permits, its body, and the answer as far as it is read
//! ahead.

use super::audit::AuditEntry;
use super::body::{AnswerBody, BodyContext, Connection, Rest};
use super::budget::NoToken;
use super::channel::Channel;
use super::headers::{check_headers, copy_values, headers_size, is_piece, strip_answer};
use super::notice::{Notice, Notices};
use super::scrub::{Scrubber, Stream};
use super::send::shown;
use super::wire::{chain, connect_error, connecting_took_too_long, too_many_headers};
use crate::fair::cpu::OnCpu;
use crate::fair::held::{Buffer, ENTRY, Held, Reservation, bytes_of};
use crate::limits::{LimitReached, Limits};
use bytes::Bytes;
use http::{HeaderMap, Method};
use http_body_util::BodyExt;
use reqwest::Url;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};
use wasmtime_wasi_http::{Error, WasiBody};

/// Read-ahead: bytes of a response that are buffered before the plugin reads them, so that its connection is
/// released even if a plugin first starts all its requests and reads the responses afterwards.
const READ_AHEAD: usize = 1 << 20;

/// What a connection may hold of what has arrived and is not read: the largest buffer of the HTTP client, and one
/// of TLS.
const CONNECTION: u64 = 512 << 10;

/// A request that passed the filter.
pub(super) struct Prepared {
    pub(super) client: reqwest::Client,
    pub(super) channel: Arc<Channel>,
    /// For the answer.
    pub(super) scrubber: Option<Scrubber>,
    /// Whether a secret is bound to the host.
    pub(super) bound: bool,
    /// In how many places of the head of the answer secrets were found.
    pub(super) hits: u64,
    pub(super) notices: Notices,
    pub(super) held: Held,
    /// What it has taken, headers and address included.
    pub(super) _carried: Option<Reservation>,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<WasiBody>,
    pub(super) head_time: Duration,
    pub(super) idle_time: Duration,
    /// Until when it may wait for rate limit and permits.
    pub(super) patience: Instant,
    pub(super) entry: AuditEntry,
}

/// Records that there is no memory for a request or its response.
pub(super) fn no_memory(entry: &mut AuditEntry, notices: &Notices, limit: LimitReached) -> Error {
    let text = limit.to_string();
    reached(entry, notices, limit);
    Error::InternalError(Some(text))
}

/// Records a limit that ends a request, for the operator and the audit log.
pub(super) fn reached(entry: &mut AuditEntry, notices: &Notices, limit: LimitReached) {
    entry.denied(limit.name);
    notices.add(Notice::Limit(limit));
}

impl Prepared {
    pub(super) async fn send(mut self) -> Result<http::Response<WasiBody>, Error> {
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
            if connecting_took_too_long(&error) {
                self.reached(limits.http_connect_time(None));
            }
            let error = connect_error(&error, &self.url, &channel, &self.notices);
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
    pub(super) fn check_head(&mut self, answer: &mut http::Response<reqwest::Body>) -> Result<(), Error> {
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
