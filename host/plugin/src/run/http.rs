//! `wasi:http` on the account of the plugin: the implementation of wasmtime, with everything that a resource keeps
//! taken from the account before, and given back with it.
//!
//! wasmtime bounds the headers of one resource and the number of all, and nothing else: thousands of requests may
//! each have a method, a path, headers and the beginning of a body that are never sent. Here each resource has a
//! reservation, by its index in the table; what is in its streams carries its own ([`Written`]), and so do bodies of
//! responses. Streams and pollables belong to `wasi:io`, which needs no such list: they keep nothing besides,
//! and are covered by what an instance takes when it starts.

use super::guest::Guest;
use crate::egress::{Egress, header_size, headers_size};
use crate::fair::held::{ENTRY, Held, Reservation, bytes_of};
use crate::limits::{LimitReached, Limits};
use std::collections::HashMap;
use wasmtime::Result;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable};
use wasmtime_wasi_http::p2::bindings::http::types::{self, Method, Scheme, StatusCode, Trailers};
use wasmtime_wasi_http::p2::bindings::{LinkOptions, http::outgoing_handler};
use wasmtime_wasi_http::p2::body::{HostFutureTrailers, HostIncomingBody, HostOutgoingBody};
use wasmtime_wasi_http::p2::types::{
    HostFutureIncomingResponse, HostIncomingRequest, HostIncomingResponse, HostOutgoingRequest,
    HostOutgoingResponse, HostResponseOutparam,
};
use wasmtime_wasi_http::p2::{HeaderError, HeaderResult, HttpError, HttpResult};
use wasmtime_wasi_http::{FieldMap, RequestOptions, WasiHttpCtx, WasiHttpCtxView};

mod written;

use written::Written;

/// What an unsent body takes besides what is in it: two channels.
const BODY: u64 = 4 << 10;
/// What a request under way takes besides what it sends: its task, and its timers.
const UNDER_WAY: u64 = 16 << 10;
/// In how many forms there are the parts of an address while a request is under way.
const FORMS: u64 = 4;

/// What each resource of a plugin has taken from its account.
pub(crate) struct Ledger {
    held: Held,
    limits: Limits,
    taken: HashMap<u32, Reservation>,
}

impl Ledger {
    pub(crate) fn new(held: Held, limits: Limits) -> Self {
        Self { held, limits, taken: HashMap::new() }
    }

    /// Makes a resource, whose memory is taken first.
    fn making<T: 'static, E: Traps>(
        &mut self,
        bytes: u64,
        make: impl FnOnce() -> std::result::Result<Resource<T>, E>,
    ) -> std::result::Result<Resource<T>, E> {
        let reservation = self.held.take(bytes).map_err(E::trap)?;
        let made = make()?;
        self.taken.insert(made.rep(), reservation);
        Ok(made)
    }

    fn grow(&mut self, rep: u32, more: u64) -> Result<(), LimitReached> {
        match self.taken.get_mut(&rep) {
            Some(taken) => taken.grow(more),
            None => self.held.take(more).map(|taken| drop(self.taken.insert(rep, taken))),
        }
    }

    fn resize(&mut self, rep: u32, bytes: u64) -> Result<(), LimitReached> {
        match self.taken.get_mut(&rep) {
            Some(taken) => taken.resize(bytes),
            None => self.grow(rep, bytes),
        }
    }

    fn forget(&mut self, rep: u32) -> Option<Reservation> {
        self.taken.remove(&rep)
    }
}

/// The view of a store for `wasi:http`.
pub(crate) struct Counted<'a> {
    pub(crate) http: &'a mut WasiHttpCtx,
    pub(crate) table: &'a mut ResourceTable,
    pub(crate) egress: &'a mut Egress,
    pub(crate) ledger: &'a mut Ledger,
}

/// An error that may end the call.
trait Traps {
    fn trap(limit: LimitReached) -> Self;
}

impl Traps for wasmtime::Error {
    fn trap(limit: LimitReached) -> Self {
        limit.into()
    }
}

impl Traps for HeaderError {
    fn trap(limit: LimitReached) -> Self {
        HeaderError::trap(limit)
    }
}

impl Traps for HttpError {
    fn trap(limit: LimitReached) -> Self {
        HttpError::trap(limit)
    }
}

struct InStore;

impl HasData for InStore {
    type Data<'a> = Counted<'a>;
}

/// Adds `wasi:http` to a linker.
pub(crate) fn link(linker: &mut Linker<Guest>) -> Result<()> {
    outgoing_handler::add_to_linker::<_, InStore>(linker, Guest::counted)?;
    let options = LinkOptions::default();
    types::add_to_linker::<_, InStore>(linker, &options.into(), Guest::counted)
}

/// What a request takes that is not sent yet.
fn request_size(request: &HostOutgoingRequest) -> u64 {
    let method = if let Method::Other(text) = &request.method { text.len() } else { 0 };
    let scheme = if let Some(Scheme::Other(text)) = &request.scheme { text.len() } else { 0 };
    let texts = [&request.authority, &request.path_with_query];
    let texts: usize = texts.into_iter().flatten().map(String::len).sum();
    ENTRY + headers_size(&request.headers) + bytes_of(method + scheme + texts).saturating_mul(FORMS)
}

impl Counted<'_> {
    fn view(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: self.http, table: self.table, hooks: self.egress }
    }

    /// Makes a resource, whose memory is taken first.
    fn making<T: 'static, E: Traps>(
        &mut self,
        bytes: u64,
        make: impl FnOnce(&mut WasiHttpCtxView<'_>) -> std::result::Result<Resource<T>, E>,
    ) -> std::result::Result<Resource<T>, E> {
        let mut view = WasiHttpCtxView { ctx: self.http, table: self.table, hooks: self.egress };
        self.ledger.making(bytes, || make(&mut view))
    }

    /// Gives back what a resource has taken that is gone now.
    fn gone<T: 'static, E>(
        &mut self,
        rep: u32,
        drop: impl FnOnce(&mut WasiHttpCtxView<'_>) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let dropped = drop(&mut self.view());
        self.ledger.forget(rep);
        dropped
    }

    /// Changes headers, after taking what they grow by.
    fn changing<T>(
        &mut self,
        rep: u32,
        more: u64,
        change: impl FnOnce(&mut WasiHttpCtxView<'_>) -> HeaderResult<T>,
    ) -> HeaderResult<T> {
        self.ledger.grow(rep, more).map_err(HeaderError::trap)?;
        let changed = change(&mut self.view());
        let size = headers_size(self.table.get(&Resource::<FieldMap>::new_borrow(rep))?);
        self.ledger.resize(rep, ENTRY + size).map_err(HeaderError::trap)?;
        changed
    }

    /// Sets a text of a request, after taking what it takes.
    fn setting<T>(
        &mut self,
        request: Resource<HostOutgoingRequest>,
        length: usize,
        set: impl FnOnce(&mut WasiHttpCtxView<'_>, Resource<HostOutgoingRequest>) -> Result<T>,
    ) -> Result<T> {
        let (rep, length) = (request.rep(), bytes_of(length));
        if length > self.ledger.limits.http_url_bytes {
            return Err(self.ledger.limits.http_url_bytes(Some(length)).into());
        }
        self.ledger.grow(rep, length.saturating_mul(FORMS))?;
        let set = set(&mut self.view(), request)?;
        let size = request_size(self.table.get(&Resource::<HostOutgoingRequest>::new_borrow(rep))?);
        self.ledger.resize(rep, size)?;
        Ok(set)
    }

    /// Makes a message of headers, which are its own from now on.
    fn with_headers<T: 'static>(
        &mut self,
        headers: u32,
        make: impl FnOnce(&mut WasiHttpCtxView<'_>) -> Result<Resource<T>>,
    ) -> Result<Resource<T>> {
        // First, since the table may give the message the place of the headers.
        let taken = self.ledger.forget(headers);
        let made = self.making(ENTRY, make)?;
        if let (Some(taken), Some(of_message)) = (taken, self.ledger.taken.get_mut(&made.rep())) {
            of_message.absorb(taken);
        }
        Ok(made)
    }
}

impl types::Host for Counted<'_> {
    fn convert_error_code(&mut self, error: HttpError) -> Result<types::ErrorCode> {
        self.view().convert_error_code(error)
    }

    fn convert_header_error(&mut self, error: HeaderError) -> Result<types::HeaderError> {
        self.view().convert_header_error(error)
    }

    fn http_error_code(&mut self, error: Resource<types::IoError>) -> Result<Option<types::ErrorCode>> {
        self.view().http_error_code(error)
    }
}

impl types::HostFields for Counted<'_> {
    fn new(&mut self) -> Result<Resource<FieldMap>> {
        self.making(ENTRY, |view| types::HostFields::new(view))
    }

    fn from_list(&mut self, entries: Vec<(String, Vec<u8>)>) -> HeaderResult<Resource<FieldMap>> {
        let size: u64 = entries.iter().map(|(name, value)| header_size(name.len(), value.len())).sum();
        self.making(ENTRY + size, |view| view.from_list(entries))
    }

    fn drop(&mut self, fields: Resource<FieldMap>) -> Result<()> {
        self.gone(fields.rep(), |view| types::HostFields::drop(view, fields))
    }

    fn get(&mut self, fields: Resource<FieldMap>, name: String) -> Result<Vec<Vec<u8>>> {
        types::HostFields::get(&mut self.view(), fields, name)
    }

    fn has(&mut self, fields: Resource<FieldMap>, name: String) -> Result<bool> {
        self.view().has(fields, name)
    }

    fn set(&mut self, fields: Resource<FieldMap>, name: String, values: Vec<Vec<u8>>) -> HeaderResult<()> {
        let more = values.iter().map(|value| header_size(name.len(), value.len())).sum();
        self.changing(fields.rep(), more, |view| types::HostFields::set(view, fields, name, values))
    }

    fn delete(&mut self, fields: Resource<FieldMap>, name: String) -> HeaderResult<()> {
        self.changing(fields.rep(), 0, |view| view.delete(fields, name))
    }

    fn append(&mut self, fields: Resource<FieldMap>, name: String, value: Vec<u8>) -> HeaderResult<()> {
        // Without a walk over all of them, which would take a plugin with many headers far longer.
        let (rep, more) = (fields.rep(), header_size(name.len(), value.len()));
        self.ledger.grow(rep, more).map_err(HeaderError::trap)?;
        let appended = self.view().append(fields, name, value);
        if let (Err(_), Some(taken)) = (&appended, self.ledger.taken.get_mut(&rep)) {
            taken.shrink(more);
        }
        appended
    }

    fn entries(&mut self, fields: Resource<FieldMap>) -> Result<Vec<(String, Vec<u8>)>> {
        self.view().entries(fields)
    }

    fn clone(&mut self, fields: Resource<FieldMap>) -> Result<Resource<FieldMap>> {
        let size = headers_size(self.table.get(&fields)?);
        self.making(ENTRY + size, |view| types::HostFields::clone(view, fields))
    }
}

impl types::HostIncomingRequest for Counted<'_> {
    fn method(&mut self, request: Resource<HostIncomingRequest>) -> Result<Method> {
        types::HostIncomingRequest::method(&mut self.view(), request)
    }

    fn path_with_query(&mut self, request: Resource<HostIncomingRequest>) -> Result<Option<String>> {
        types::HostIncomingRequest::path_with_query(&mut self.view(), request)
    }

    fn scheme(&mut self, request: Resource<HostIncomingRequest>) -> Result<Option<Scheme>> {
        types::HostIncomingRequest::scheme(&mut self.view(), request)
    }

    fn authority(&mut self, request: Resource<HostIncomingRequest>) -> Result<Option<String>> {
        types::HostIncomingRequest::authority(&mut self.view(), request)
    }

    fn headers(&mut self, request: Resource<HostIncomingRequest>) -> Result<Resource<FieldMap>> {
        types::HostIncomingRequest::headers(&mut self.view(), request)
    }

    fn consume(
        &mut self,
        request: Resource<HostIncomingRequest>,
    ) -> Result<std::result::Result<Resource<HostIncomingBody>, ()>> {
        types::HostIncomingRequest::consume(&mut self.view(), request)
    }

    fn drop(&mut self, request: Resource<HostIncomingRequest>) -> Result<()> {
        types::HostIncomingRequest::drop(&mut self.view(), request)
    }
}

impl types::HostOutgoingRequest for Counted<'_> {
    fn new(&mut self, headers: Resource<FieldMap>) -> Result<Resource<HostOutgoingRequest>> {
        self.with_headers(headers.rep(), |view| types::HostOutgoingRequest::new(view, headers))
    }

    fn body(
        &mut self,
        request: Resource<HostOutgoingRequest>,
    ) -> Result<std::result::Result<Resource<HostOutgoingBody>, ()>> {
        let taken = self.ledger.held.take(BODY)?;
        let made = types::HostOutgoingRequest::body(&mut self.view(), request)?;
        if let Ok(body) = &made {
            self.ledger.taken.insert(body.rep(), taken);
        }
        Ok(made)
    }

    fn drop(&mut self, request: Resource<HostOutgoingRequest>) -> Result<()> {
        self.gone(request.rep(), |view| types::HostOutgoingRequest::drop(view, request))
    }

    fn method(&mut self, request: Resource<HostOutgoingRequest>) -> Result<Method> {
        types::HostOutgoingRequest::method(&mut self.view(), request)
    }

    fn set_method(
        &mut self,
        request: Resource<HostOutgoingRequest>,
        method: Method,
    ) -> Result<std::result::Result<(), ()>> {
        let length = if let Method::Other(text) = &method { text.len() } else { 0 };
        self.setting(request, length, |view, request| view.set_method(request, method))
    }

    fn path_with_query(&mut self, request: Resource<HostOutgoingRequest>) -> Result<Option<String>> {
        types::HostOutgoingRequest::path_with_query(&mut self.view(), request)
    }

    fn set_path_with_query(
        &mut self,
        request: Resource<HostOutgoingRequest>,
        path: Option<String>,
    ) -> Result<std::result::Result<(), ()>> {
        let length = path.as_ref().map_or(0, String::len);
        self.setting(request, length, |view, request| view.set_path_with_query(request, path))
    }

    fn scheme(&mut self, request: Resource<HostOutgoingRequest>) -> Result<Option<Scheme>> {
        types::HostOutgoingRequest::scheme(&mut self.view(), request)
    }

    fn set_scheme(
        &mut self,
        request: Resource<HostOutgoingRequest>,
        scheme: Option<Scheme>,
    ) -> Result<std::result::Result<(), ()>> {
        let length = if let Some(Scheme::Other(text)) = &scheme { text.len() } else { 0 };
        self.setting(request, length, |view, request| view.set_scheme(request, scheme))
    }

    fn authority(&mut self, request: Resource<HostOutgoingRequest>) -> Result<Option<String>> {
        types::HostOutgoingRequest::authority(&mut self.view(), request)
    }

    fn set_authority(
        &mut self,
        request: Resource<HostOutgoingRequest>,
        authority: Option<String>,
    ) -> Result<std::result::Result<(), ()>> {
        let length = authority.as_ref().map_or(0, String::len);
        self.setting(request, length, |view, request| view.set_authority(request, authority))
    }

    fn headers(&mut self, request: Resource<HostOutgoingRequest>) -> Result<Resource<FieldMap>> {
        let size = headers_size(&self.table.get(&request)?.headers);
        self.making(ENTRY + size, |view| types::HostOutgoingRequest::headers(view, request))
    }
}

impl types::HostRequestOptions for Counted<'_> {
    fn new(&mut self) -> Result<Resource<RequestOptions>> {
        self.making(ENTRY, |view| types::HostRequestOptions::new(view))
    }

    fn connect_timeout(&mut self, options: Resource<RequestOptions>) -> Result<Option<types::Duration>> {
        self.view().connect_timeout(options)
    }

    fn set_connect_timeout(
        &mut self,
        options: Resource<RequestOptions>,
        duration: Option<types::Duration>,
    ) -> Result<std::result::Result<(), ()>> {
        self.view().set_connect_timeout(options, duration)
    }

    fn first_byte_timeout(&mut self, options: Resource<RequestOptions>) -> Result<Option<types::Duration>> {
        self.view().first_byte_timeout(options)
    }

    fn set_first_byte_timeout(
        &mut self,
        options: Resource<RequestOptions>,
        duration: Option<types::Duration>,
    ) -> Result<std::result::Result<(), ()>> {
        self.view().set_first_byte_timeout(options, duration)
    }

    fn between_bytes_timeout(
        &mut self,
        options: Resource<RequestOptions>,
    ) -> Result<Option<types::Duration>> {
        self.view().between_bytes_timeout(options)
    }

    fn set_between_bytes_timeout(
        &mut self,
        options: Resource<RequestOptions>,
        duration: Option<types::Duration>,
    ) -> Result<std::result::Result<(), ()>> {
        self.view().set_between_bytes_timeout(options, duration)
    }

    fn drop(&mut self, options: Resource<RequestOptions>) -> Result<()> {
        self.gone(options.rep(), |view| types::HostRequestOptions::drop(view, options))
    }
}

impl types::HostResponseOutparam for Counted<'_> {
    fn set(
        &mut self,
        out: Resource<HostResponseOutparam>,
        response: std::result::Result<Resource<HostOutgoingResponse>, types::ErrorCode>,
    ) -> Result<()> {
        types::HostResponseOutparam::set(&mut self.view(), out, response)
    }

    fn send_informational(
        &mut self,
        out: Resource<HostResponseOutparam>,
        status: u16,
        headers: Resource<FieldMap>,
    ) -> HttpResult<()> {
        self.view().send_informational(out, status, headers)
    }

    fn drop(&mut self, out: Resource<HostResponseOutparam>) -> Result<()> {
        types::HostResponseOutparam::drop(&mut self.view(), out)
    }
}

impl types::HostIncomingResponse for Counted<'_> {
    fn status(&mut self, response: Resource<HostIncomingResponse>) -> Result<StatusCode> {
        self.view().status(response)
    }

    fn headers(&mut self, response: Resource<HostIncomingResponse>) -> Result<Resource<FieldMap>> {
        let size = headers_size(&self.table.get(&response)?.headers);
        self.making(ENTRY + size, |view| types::HostIncomingResponse::headers(view, response))
    }

    fn consume(
        &mut self,
        response: Resource<HostIncomingResponse>,
    ) -> Result<std::result::Result<Resource<HostIncomingBody>, ()>> {
        let taken = self.ledger.held.take(ENTRY)?;
        let body = types::HostIncomingResponse::consume(&mut self.view(), response)?;
        if let Ok(body) = &body {
            self.ledger.taken.insert(body.rep(), taken);
        }
        Ok(body)
    }

    fn drop(&mut self, response: Resource<HostIncomingResponse>) -> Result<()> {
        self.gone(response.rep(), |view| types::HostIncomingResponse::drop(view, response))
    }
}

impl types::HostIncomingBody for Counted<'_> {
    fn stream(
        &mut self,
        body: Resource<HostIncomingBody>,
    ) -> Result<std::result::Result<Resource<DynInputStream>, ()>> {
        self.view().stream(body)
    }

    fn finish(&mut self, body: Resource<HostIncomingBody>) -> Result<Resource<HostFutureTrailers>> {
        let rep = body.rep();
        let trailers = self.making(ENTRY, |view| types::HostIncomingBody::finish(view, body))?;
        // The table may have given the trailers the place of the body.
        if trailers.rep() != rep {
            self.ledger.forget(rep);
        }
        Ok(trailers)
    }

    fn drop(&mut self, body: Resource<HostIncomingBody>) -> Result<()> {
        self.gone(body.rep(), |view| types::HostIncomingBody::drop(view, body))
    }
}

impl types::HostFutureTrailers for Counted<'_> {
    fn subscribe(&mut self, trailers: Resource<HostFutureTrailers>) -> Result<Resource<DynPollable>> {
        types::HostFutureTrailers::subscribe(&mut self.view(), trailers)
    }

    fn get(
        &mut self,
        trailers: Resource<HostFutureTrailers>,
    ) -> Result<
        Option<std::result::Result<std::result::Result<Option<Resource<Trailers>>, types::ErrorCode>, ()>>,
    > {
        // A body that the host passes on has none.
        types::HostFutureTrailers::get(&mut self.view(), trailers)
    }

    fn drop(&mut self, trailers: Resource<HostFutureTrailers>) -> Result<()> {
        self.gone(trailers.rep(), |view| types::HostFutureTrailers::drop(view, trailers))
    }
}

impl types::HostOutgoingResponse for Counted<'_> {
    fn new(&mut self, headers: Resource<FieldMap>) -> Result<Resource<HostOutgoingResponse>> {
        self.with_headers(headers.rep(), |view| types::HostOutgoingResponse::new(view, headers))
    }

    fn status_code(&mut self, response: Resource<HostOutgoingResponse>) -> Result<StatusCode> {
        self.view().status_code(response)
    }

    fn set_status_code(
        &mut self,
        response: Resource<HostOutgoingResponse>,
        status: StatusCode,
    ) -> Result<std::result::Result<(), ()>> {
        self.view().set_status_code(response, status)
    }

    fn headers(&mut self, response: Resource<HostOutgoingResponse>) -> Result<Resource<FieldMap>> {
        let size = headers_size(&self.table.get(&response)?.headers);
        self.making(ENTRY + size, |view| types::HostOutgoingResponse::headers(view, response))
    }

    fn body(
        &mut self,
        response: Resource<HostOutgoingResponse>,
    ) -> Result<std::result::Result<Resource<HostOutgoingBody>, ()>> {
        let taken = self.ledger.held.take(BODY)?;
        let made = types::HostOutgoingResponse::body(&mut self.view(), response)?;
        if let Ok(body) = &made {
            self.ledger.taken.insert(body.rep(), taken);
        }
        Ok(made)
    }

    fn drop(&mut self, response: Resource<HostOutgoingResponse>) -> Result<()> {
        self.gone(response.rep(), |view| types::HostOutgoingResponse::drop(view, response))
    }
}

impl types::HostOutgoingBody for Counted<'_> {
    fn write(
        &mut self,
        body: Resource<HostOutgoingBody>,
    ) -> Result<std::result::Result<Resource<DynOutputStream>, ()>> {
        let Some(stream) = self.table.get_mut(&body)?.take_output_stream() else { return Ok(Err(())) };
        let stream: DynOutputStream = Box::new(Written::new(stream, self.ledger.held.clone()));
        Ok(Ok(self.table.push_child(stream, &body)?))
    }

    fn finish(
        &mut self,
        body: Resource<HostOutgoingBody>,
        trailers: Option<Resource<Trailers>>,
    ) -> HttpResult<()> {
        // The host sends none, so that none are kept.
        if let Some(trailers) = trailers {
            types::HostFields::drop(self, trailers).map_err(HttpError::trap)?;
        }
        let rep = body.rep();
        self.gone(rep, |view| types::HostOutgoingBody::finish(view, body, None))
    }

    fn drop(&mut self, body: Resource<HostOutgoingBody>) -> Result<()> {
        self.gone(body.rep(), |view| types::HostOutgoingBody::drop(view, body))
    }
}

impl types::HostFutureIncomingResponse for Counted<'_> {
    fn subscribe(&mut self, future: Resource<HostFutureIncomingResponse>) -> Result<Resource<DynPollable>> {
        types::HostFutureIncomingResponse::subscribe(&mut self.view(), future)
    }

    fn get(
        &mut self,
        future: Resource<HostFutureIncomingResponse>,
    ) -> Result<
        Option<
            std::result::Result<std::result::Result<Resource<HostIncomingResponse>, types::ErrorCode>, ()>,
        >,
    > {
        let got = types::HostFutureIncomingResponse::get(&mut self.view(), future)?;
        if let Some(Ok(Ok(response))) = &got {
            // What its body has taken ends with the body; the headers may be kept for longer.
            let size = headers_size(&self.table.get(response)?.headers);
            self.ledger.grow(response.rep(), ENTRY + size)?;
        }
        Ok(got)
    }

    fn drop(&mut self, future: Resource<HostFutureIncomingResponse>) -> Result<()> {
        self.gone(future.rep(), |view| types::HostFutureIncomingResponse::drop(view, future))
    }
}

impl outgoing_handler::Host for Counted<'_> {
    fn handle(
        &mut self,
        request: Resource<HostOutgoingRequest>,
        options: Option<Resource<RequestOptions>>,
    ) -> HttpResult<Resource<HostFutureIncomingResponse>> {
        let rep = request.rep();
        self.ledger.grow(rep, UNDER_WAY).map_err(HttpError::trap)?;
        // What the request has taken goes with it.
        self.egress.carry(self.ledger.forget(rep));
        let under_way = self.making(ENTRY, |view| view.handle(request, options));
        self.egress.carry(None);
        under_way
    }
}
