//! Transport over `wasi:http`, waiting by polling.

use std::time::Duration;

use wasip2::clocks::monotonic_clock;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, Method, OutgoingBody,
    OutgoingRequest, RequestOptions, Scheme,
};
use wasip2::io::poll::{self, Pollable};
use wasip2::io::streams::StreamError;

use super::{Request, Response};
use crate::Error;

/// The most that is read at once.
const CHUNK: u64 = 64 * 1024;

/// The end of the time that the request has.
struct Deadline {
    over: Pollable,
    timeout: Duration,
}

impl Deadline {
    fn new(timeout: Duration) -> Self {
        let nanoseconds = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        Self { over: monotonic_clock::subscribe_duration(nanoseconds), timeout }
    }

    /// Waits until something is ready, or the time is up.
    fn wait(&self, ready: &Pollable) -> Result<(), Error> {
        if poll::poll(&[ready, &self.over]).contains(&0) {
            return Ok(());
        }
        Err(Error::unavailable(format!("no whole answer within {} s", self.timeout.as_secs_f32())))
    }
}

/// A request that has left, with its body.
struct UnderWay {
    future: FutureIncomingResponse,
    deadline: Deadline,
    limit: usize,
}

pub(crate) fn send(request: Request) -> Result<Response, Error> {
    start(&request)?.finish()
}

/// All of them leave before the first answer is waited for; the host reads the answers meanwhile.
pub(crate) fn send_all(requests: Vec<Request>) -> Vec<Result<Response, Error>> {
    let under_way: Vec<_> = requests.iter().map(start).collect();
    under_way.into_iter().map(|started| started.and_then(UnderWay::finish)).collect()
}

fn start(request: &Request) -> Result<UnderWay, Error> {
    let deadline = Deadline::new(request.timeout);
    let outgoing = outgoing(request).map_err(Error::unsent)?;
    let body = match &request.body {
        Some(bytes) => Some((outgoing.body().map_err(|()| refused("body").unsent())?, bytes)),
        None => None,
    };
    let future = outgoing_handler::handle(outgoing, Some(options(request.timeout))).map_err(failure)?;
    if let Some((body, bytes)) = body {
        write(body, bytes, &deadline)?;
    }
    Ok(UnderWay { future, deadline, limit: request.limit })
}

impl UnderWay {
    fn finish(self) -> Result<Response, Error> {
        let ready = self.future.subscribe();
        self.deadline.wait(&ready)?;
        drop(ready);
        match self.future.get() {
            Some(Ok(answer)) => read(answer.map_err(failure)?, self.limit, &self.deadline),
            _ => Err(Error::unavailable("the answer got lost in the host")),
        }
    }
}

fn refused(part: &str) -> Error {
    Error::misconfigured(format!("the host does not take the {part} of this request"))
}

fn outgoing(request: &Request) -> Result<OutgoingRequest, Error> {
    let place = request.place()?;
    let mut headers: Vec<(String, Vec<u8>)> =
        request.headers.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect();
    if let Some(body) = &request.body {
        // Known beforehand, and some servers take no body without it.
        headers.push(("content-length".to_owned(), body.len().to_string().into_bytes()));
    }
    let fields = Fields::from_list(&headers)
        .map_err(|error| Error::misconfigured(format!("a header of this request cannot be sent: {error}")))?;
    let method = match request.method.as_str() {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    };
    let outgoing = OutgoingRequest::new(fields);
    outgoing.set_method(&method).map_err(|()| refused("method"))?;
    let scheme = if place.https { Scheme::Https } else { Scheme::Http };
    outgoing.set_scheme(Some(&scheme)).map_err(|()| refused("scheme"))?;
    outgoing.set_authority(Some(place.authority)).map_err(|()| refused("host"))?;
    let rooted = if place.path.starts_with('/') { place.path.to_owned() } else { format!("/{}", place.path) };
    outgoing.set_path_with_query(Some(&rooted)).map_err(|()| refused("path"))?;
    Ok(outgoing)
}

/// Hints to the host; where it does not take them, the deadline holds all the same.
fn options(timeout: Duration) -> RequestOptions {
    let options = RequestOptions::new();
    let nanoseconds = u64::try_from(timeout.as_nanos()).ok();
    let _ = options.set_connect_timeout(nanoseconds);
    let _ = options.set_first_byte_timeout(nanoseconds);
    let _ = options.set_between_bytes_timeout(nanoseconds);
    options
}

/// A server may answer before it has read everything: then writing ends early, and what it says counts.
fn write(body: OutgoingBody, mut bytes: &[u8], deadline: &Deadline) -> Result<(), Error> {
    let stream = body.write().map_err(|()| refused("body"))?;
    while !bytes.is_empty() {
        let Ok(room) = stream.check_write() else {
            break;
        };
        if room == 0 {
            deadline.wait(&stream.subscribe())?;
            continue;
        }
        let (now, later) = bytes.split_at(bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX)));
        if stream.write(now).is_err() {
            break;
        }
        bytes = later;
    }
    if stream.flush().is_ok() {
        deadline.wait(&stream.subscribe())?;
    }
    drop(stream);
    // Fails where the body is cut short, which the answer explains better.
    let _ = OutgoingBody::finish(body, None);
    Ok(())
}

fn read(answer: IncomingResponse, limit: usize, deadline: &Deadline) -> Result<Response, Error> {
    let mut response = Response::new(answer.status());
    for (name, value) in answer.headers().entries() {
        response = response.with_header(&name, String::from_utf8_lossy(&value));
    }
    let body: IncomingBody =
        answer.consume().map_err(|()| Error::unavailable("the host lost the body of the answer"))?;
    let stream = body.stream().map_err(|()| Error::unavailable("the host lost the body of the answer"))?;
    let mut bytes = Vec::new();
    loop {
        match stream.read(CHUNK) {
            Ok(chunk) if chunk.is_empty() => deadline.wait(&stream.subscribe())?,
            Ok(chunk) if bytes.len() + chunk.len() > limit => {
                return Err(Error::other("too-large", format!("the answer has more than {limit} bytes")));
            }
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(StreamError::Closed) => return Ok(response.with_body(bytes)),
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(Error::unavailable(format!("the answer broke off: {}", error.to_debug_string())));
            }
        }
    }
}

/// What only the operator can mend is `misconfigured`; the rest may pass by itself. What ended before there was a
/// connection was never sent.
fn failure(code: ErrorCode) -> Error {
    let unsent = matches!(
        code,
        ErrorCode::HttpRequestDenied
            | ErrorCode::DestinationIpProhibited
            | ErrorCode::TlsCertificateError
            | ErrorCode::HttpRequestUriInvalid
            | ErrorCode::HttpRequestUriTooLong
            | ErrorCode::HttpRequestMethodInvalid
            | ErrorCode::ConnectionRefused
            | ErrorCode::DnsTimeout
            | ErrorCode::DnsError(_)
            | ErrorCode::DestinationNotFound
    );
    let error = told(code);
    if unsent { error.unsent() } else { error }
}

fn told(code: ErrorCode) -> Error {
    match code {
        ErrorCode::HttpRequestDenied => Error::misconfigured(
            "the request was denied: the host has to be in the manifest of the plugin, and granted by the operator",
        ),
        ErrorCode::DestinationIpProhibited => {
            Error::misconfigured("the address is private; it has to be granted literally, with its port")
        }
        ErrorCode::TlsCertificateError => {
            Error::misconfigured("the certificate of the remote system is not valid")
        }
        ErrorCode::HttpRequestUriInvalid
        | ErrorCode::HttpRequestUriTooLong
        | ErrorCode::HttpRequestMethodInvalid => {
            Error::misconfigured(format!("the request cannot be sent: {code:?}"))
        }
        ErrorCode::HttpResponseBodySize(_) => {
            Error::other("too-large", "the answer is larger than the host takes")
        }
        ErrorCode::HttpRequestBodySize(_) => {
            Error::other("too-large", "the request is larger than the host takes")
        }
        ErrorCode::ConnectionRefused => Error::unavailable("the connection was refused"),
        ErrorCode::DnsTimeout | ErrorCode::DnsError(_) | ErrorCode::DestinationNotFound => {
            Error::unavailable("the name of the remote system could not be resolved")
        }
        ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => Error::unavailable("the remote system did not answer in time"),
        other => Error::unavailable(format!("the remote system could not be asked: {other:?}")),
    }
}
