//! Response bodies: size limits, timeouts and redaction while the plugin reads.
//!
//! What arrives is gathered into pieces of a few KiB, whatever chunks the server has made of it, and each piece is searched once.

use super::audit::AuditEntry;
use super::notice::{Notice, Notices};
use super::request::no_memory;
use super::scrub::{PIECE, Stream};
use crate::fair::held::{Buffer, Held, Reservation};
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
    /// Each piece is on the account of the plugin until it is gone.
    ahead: VecDeque<Bytes>,
    pub(super) rest: Option<Rest>,
    /// What the head has taken.
    _head: Reservation,
    /// The permits of `ahead`, released with it.
    reserved: Option<OwnedSemaphorePermit>,
}

impl AnswerBody {
    /// Nothing yet; `head` is what the head has taken.
    pub(super) fn new(head: Reservation) -> Self {
        Self { ahead: VecDeque::new(), rest: None, _head: head, reserved: None }
    }

    /// Adds what was read ahead.
    pub(super) fn read(&mut self, bytes: Bytes, permit: Option<OwnedSemaphorePermit>) {
        self.ahead.push_back(bytes);
        match (permit, &mut self.reserved) {
            (Some(permit), Some(reserved)) => reserved.merge(permit),
            (Some(permit), none) => *none = Some(permit),
            (None, _) => {}
        }
    }
}

/// A connection as long as a response comes over it.
pub(super) struct Connection {
    /// Of the integration and of the tenant.
    pub(super) _permits: [OwnedSemaphorePermit; 2],
    /// What its buffers may hold.
    pub(super) _buffers: Reservation,
}

/// The context of a request that its response body keeps.
pub(super) struct BodyContext {
    pub(super) limits: Limits,
    pub(super) notices: Notices,
    /// The audit entry, written when it is dropped.
    pub(super) entry: AuditEntry,
    /// The account of the plugin.
    pub(super) held: Held,
    pub(super) connection: Connection,
    /// What the search takes.
    pub(super) searching: Reservation,
}

/// The part of the body that has not been read yet.
pub(super) struct Rest {
    body: reqwest::Body,
    scrub: Option<Stream>,
    hits_before: u64,
    /// What has arrived since the last piece.
    gathered: Option<Buffer>,
    limits: Limits,
    notices: Notices,
    taken: u64,
    idle_time: Duration,
    idle: Pin<Box<Sleep>>,
    total: Pin<Box<Sleep>>,
    ended: bool,
    entry: AuditEntry,
    held: Held,
    _connection: Connection,
    _searching: Reservation,
}

impl Rest {
    /// `(scrub, hits_before)`: redaction, and in how many places of the head secrets were found. `(idle_time, deadline)`: the timeouts of the next chunk and of the whole body.
    pub(super) fn new(
        body: reqwest::Body,
        (scrub, hits_before): (Option<Stream>, u64),
        (idle_time, deadline): (Duration, Instant),
        context: BodyContext,
    ) -> Self {
        let BodyContext { limits, notices, entry, held, connection, searching } = context;
        Self {
            body,
            scrub,
            hits_before,
            gathered: None,
            limits,
            notices,
            taken: 0,
            idle_time,
            idle: Box::pin(tokio::time::sleep(idle_time)),
            total: Box::pin(tokio::time::sleep_until(deadline)),
            ended: false,
            entry,
            held,
            _connection: connection,
            _searching: searching,
        }
    }

    fn reached(&mut self, limit: LimitReached) {
        self.entry.denied(limit.name);
        self.notices.add(Notice::Limit(limit));
    }

    /// The next piece, not searched yet; `None` after the last one. Ahead of the plugin, which does not wait for
    /// it then, pieces are gathered even if they come slowly.
    pub(super) fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
        ahead: bool,
    ) -> Poll<Option<Result<Piece, Error>>> {
        let polled = self.poll_next(cx, ahead);
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
    ///
    /// # Errors
    /// Where there is no memory for it, or secrets were found in more places of the answer than may be.
    pub(super) fn scrubbed(&mut self, piece: Piece) -> Result<Bytes, Error> {
        let Piece { bytes: buffer, last } = piece;
        let Some(scrub) = &mut self.scrub else { return Ok(buffer.map(Buffer::freeze).unwrap_or_default()) };
        let mut out = buffer.as_ref().map(|buffer| scrub.push(buffer.as_ref())).unwrap_or_default();
        if last {
            out.append(&mut scrub.finish());
        }
        let hits = self.hits_before + scrub.hits();
        if hits > self.limits.secret_hits {
            let error = Error::HttpResponseIncomplete;
            self.ended = true;
            self.reached(self.limits.secret_hits(Some(hits)));
            self.entry.failed(&error);
            return Err(error);
        }
        if out.is_empty() {
            return Ok(Bytes::new());
        }
        let buffer = match buffer {
            Some(buffer) => Ok(buffer),
            None => Buffer::new(&self.held),
        };
        match buffer.and_then(|buffer| buffer.replaced(out)) {
            Ok(buffer) => Ok(buffer.freeze()),
            Err(limit) => {
                self.ended = true;
                let error = no_memory(&mut self.entry, &self.notices, limit);
                self.entry.failed(&error);
                Err(error)
            }
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, ahead: bool) -> Poll<Option<Result<Piece, Error>>> {
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
                Poll::Pending if self.scrub.is_none() && !ahead && self.gathered.is_some() => {
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
                    match self.gather(&data) {
                        Ok(false) => {}
                        Ok(true) => return self.piece(false),
                        Err(limit) => {
                            self.ended = true;
                            let error = no_memory(&mut self.entry, &self.notices, limit);
                            return Poll::Ready(Some(Err(error)));
                        }
                    }
                }
            }
        }
    }

    /// Adds to what was gathered; returns whether that is a piece.
    fn gather(&mut self, data: &[u8]) -> Result<bool, LimitReached> {
        let mut buffer = match self.gathered.take() {
            Some(buffer) => buffer,
            None => Buffer::new(&self.held)?,
        };
        buffer.extend(data)?;
        let is_piece = buffer.len() >= PIECE;
        self.gathered = Some(buffer);
        Ok(is_piece)
    }

    fn piece(&mut self, last: bool) -> Poll<Option<Result<Piece, Error>>> {
        Poll::Ready(Some(Ok(Piece { bytes: self.gathered.take(), last })))
    }

    fn fail(&mut self, limit: LimitReached, error: Error) -> Poll<Option<Result<Piece, Error>>> {
        self.ended = true;
        self.reached(limit);
        Poll::Ready(Some(Err(error)))
    }
}

/// A part of a body, not searched yet.
pub(super) struct Piece {
    bytes: Option<Buffer>,
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
            let piece = match ready!(rest.poll_piece(cx, false)) {
                None => return Poll::Ready(None),
                Some(piece) => piece.and_then(|piece| rest.scrubbed(piece)),
            };
            match piece {
                Err(error) => return Poll::Ready(Some(Err(error))),
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
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
