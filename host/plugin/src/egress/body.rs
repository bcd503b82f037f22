//! Response bodies: size limits, timeouts and redaction while the plugin reads.

use super::audit::AuditEntry;
use super::notice::{Notice, Notices};
use super::scrub::Stream;
use crate::limits::{LimitReached, Limits};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};
use wasmtime_wasi_http::Error;

/// A response body. The read-ahead buffer comes first; the rest is streamed as the plugin reads
/// (backpressure).
pub(super) struct AnswerBody {
    pub(super) ahead: VecDeque<Bytes>,
    pub(super) rest: Option<Rest>,
    /// The memory permit of `ahead`, released with it.
    pub(super) _reserved: Option<OwnedSemaphorePermit>,
}

/// The context of a request that its response body keeps.
pub(super) struct BodyContext {
    pub(super) limits: Limits,
    pub(super) notices: Notices,
    /// The audit entry, written when it is dropped.
    pub(super) entry: AuditEntry,
    /// Concurrency permits, of the integration and of the tenant.
    pub(super) permits: [OwnedSemaphorePermit; 2],
}

/// The part of the body that has not been read yet.
pub(super) struct Rest {
    body: reqwest::Body,
    scrub: Option<Stream>,
    limits: Limits,
    notices: Notices,
    taken: u64,
    idle_time: Duration,
    idle: Pin<Box<Sleep>>,
    total: Pin<Box<Sleep>>,
    ended: bool,
    entry: AuditEntry,
    _permits: [OwnedSemaphorePermit; 2],
}

impl Rest {
    /// `(idle_time, deadline)`: the timeouts of the next chunk and of the whole body.
    pub(super) fn new(
        body: reqwest::Body,
        scrub: Option<Stream>,
        (idle_time, deadline): (Duration, Instant),
        context: BodyContext,
    ) -> Self {
        let BodyContext { limits, notices, entry, permits } = context;
        Self {
            body,
            scrub,
            limits,
            notices,
            taken: 0,
            idle_time,
            idle: Box::pin(tokio::time::sleep(idle_time)),
            total: Box::pin(tokio::time::sleep_until(deadline)),
            ended: false,
            entry,
            _permits: permits,
        }
    }

    fn reached(&mut self, limit: LimitReached) {
        self.entry.denied(limit.name);
        self.notices.add(Notice::Limit(limit));
    }

    /// The next chunk; `None` at the end.
    pub(super) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        let polled = self.poll_next(cx);
        if let Poll::Ready(Some(Err(error))) = &polled {
            self.entry.failed(error);
        }
        polled
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        loop {
            if self.ended {
                return Poll::Ready(None);
            }
            if self.total.as_mut().poll(cx).is_ready() {
                self.ended = true;
                self.reached(self.limits.http_total_time(None));
                return Poll::Ready(Some(Err(Error::HttpResponseTimeout)));
            }
            let frame = match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    ready!(self.idle.as_mut().poll(cx));
                    self.ended = true;
                    self.reached(self.limits.http_idle_time(None));
                    return Poll::Ready(Some(Err(Error::ConnectionReadTimeout)));
                }
            };
            let piece = match frame {
                None => {
                    self.ended = true;
                    self.entry.ended();
                    match self.scrub.as_mut().map(Stream::finish) {
                        Some(last) if !last.is_empty() => last,
                        _ => return Poll::Ready(None),
                    }
                }
                Some(Err(error)) => {
                    self.ended = true;
                    return Poll::Ready(Some(Err(super::wire::wire_error(&error))));
                }
                // Trailers are dropped: plugins do not need them.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        let reset = Instant::now() + self.idle_time;
                        self.idle.as_mut().reset(reset);
                        self.taken += data.len() as u64;
                        self.entry.read(data.len() as u64);
                        if self.taken > self.limits.http_response_bytes {
                            self.ended = true;
                            self.reached(self.limits.http_response_bytes(Some(self.taken)));
                            return Poll::Ready(Some(Err(Error::HttpResponseBodySize(Some(self.taken)))));
                        }
                        match &mut self.scrub {
                            Some(scrub) => scrub.push(&data),
                            None => data,
                        }
                    }
                    Err(_) => continue,
                },
            };
            if !piece.is_empty() {
                return Poll::Ready(Some(Ok(piece)));
            }
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(piece) = self.ahead.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        match &mut self.rest {
            Some(rest) => Poll::Ready(ready!(rest.poll_piece(cx)).map(|piece| piece.map(Frame::data))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ahead.is_empty() && self.rest.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
