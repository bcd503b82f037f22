//! Response bodies: size limits, timeouts and redaction while the plugin reads.
//!
//! What arrives is gathered into pieces of a few KiB, whatever chunks the server has made of it, and each piece is searched once.

use super::audit::AuditEntry;
use super::notice::{Notice, Notices};
use super::scrub::{PIECE, Stream};
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
    /// What has arrived since the last piece.
    gathered: Vec<u8>,
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
            gathered: Vec::new(),
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

    /// The next piece, not searched yet; `None` after the last one.
    pub(super) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Piece, Error>>> {
        let polled = self.poll_next(cx);
        if let Poll::Ready(Some(Err(error))) = &polled {
            self.entry.failed(error);
        }
        polled
    }

    /// Whether pieces have to be searched.
    pub(super) fn is_searched(&self) -> bool {
        self.scrub.is_some()
    }

    /// The piece without secrets: what is final after it. This is where a body takes time.
    pub(super) fn scrubbed(&mut self, piece: Piece) -> Bytes {
        let Some(scrub) = &mut self.scrub else { return Bytes::from(piece.bytes) };
        let mut out = scrub.push(&piece.bytes);
        if piece.last {
            out.append(&mut scrub.finish());
        }
        Bytes::from(out)
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Piece, Error>>> {
        loop {
            if self.ended {
                return Poll::Ready(None);
            }
            if self.total.as_mut().poll(cx).is_ready() {
                return self.fail(self.limits.http_total_time(None), Error::HttpResponseTimeout);
            }
            let frame = match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                // What is there is passed on while the rest is waited for, unless it is gathered for the search.
                Poll::Pending if self.scrub.is_none() && !self.gathered.is_empty() => {
                    return self.piece(false);
                }
                Poll::Pending => {
                    ready!(self.idle.as_mut().poll(cx));
                    return self.fail(self.limits.http_idle_time(None), Error::ConnectionReadTimeout);
                }
            };
            match frame {
                None => {
                    self.ended = true;
                    self.entry.ended();
                    return self.piece(true);
                }
                Some(Err(error)) => {
                    self.ended = true;
                    return Poll::Ready(Some(Err(super::wire::wire_error(&error))));
                }
                // Trailers are dropped: plugins do not need them.
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    let reset = Instant::now() + self.idle_time;
                    self.idle.as_mut().reset(reset);
                    self.taken += data.len() as u64;
                    self.entry.read(data.len() as u64);
                    if self.taken > self.limits.http_response_bytes {
                        let limit = self.limits.http_response_bytes(Some(self.taken));
                        return self.fail(limit, Error::HttpResponseBodySize(Some(self.taken)));
                    }
                    // Copied: a chunk of one byte would keep the whole buffer of its connection.
                    self.gathered.extend_from_slice(&data);
                    if self.gathered.len() >= PIECE {
                        return self.piece(false);
                    }
                }
            }
        }
    }

    fn piece(&mut self, last: bool) -> Poll<Option<Result<Piece, Error>>> {
        let bytes = std::mem::take(&mut self.gathered);
        Poll::Ready(Some(Ok(Piece { bytes, last })))
    }

    fn fail(&mut self, limit: LimitReached, error: Error) -> Poll<Option<Result<Piece, Error>>> {
        self.ended = true;
        self.reached(limit);
        Poll::Ready(Some(Err(error)))
    }
}

/// A part of a body, not searched yet.
pub(super) struct Piece {
    bytes: Vec<u8>,
    /// Whether the body ends with it.
    last: bool,
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
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        loop {
            // Here the plugin waits, on its own permit.
            match ready!(rest.poll_piece(cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(piece)) => match rest.scrubbed(piece) {
                    nothing if nothing.is_empty() => {}
                    bytes => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                },
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ahead.is_empty() && self.rest.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
