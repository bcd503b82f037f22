//! A minimal request over wasi:http.

use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest, Scheme,
};

/// Status, headers and body of an answer.
pub(crate) struct Fetched {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

/// `https://host:port/path` in its three parts.
fn parts(url: &str) -> (Scheme, String, String) {
    let (scheme, rest) = match url.split_once("://") {
        Some(("http", rest)) => (Scheme::Http, rest),
        Some(("https", rest)) => (Scheme::Https, rest),
        Some((other, rest)) => (Scheme::Other(other.to_owned()), rest),
        None => (Scheme::Https, url),
    };
    match rest.find(['/', '?']) {
        Some(at) => (scheme, rest[..at].to_owned(), rest[at..].to_owned()),
        None => (scheme, rest.to_owned(), "/".to_owned()),
    }
}

/// Asks, and reads the whole answer.
pub(crate) fn fetch(
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Fetched, String> {
    let future = start(method, url, headers, body)?;
    future.subscribe().block();
    let answer: Result<IncomingResponse, ErrorCode> =
        future.get().ok_or("no answer")?.map_err(|()| "the answer was taken already")?;
    let response = answer.map_err(|code| format!("{code:?}"))?;
    let status = response.status();
    let headers = response.headers().entries();
    let incoming = response.consume().map_err(|()| "the body was taken already")?;
    let body = read(incoming)?;
    Ok(Fetched { status, headers, body })
}

/// Starts a request and does not wait for it.
pub(crate) fn start(
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<wasip2::http::types::FutureIncomingResponse, String> {
    let (scheme, authority, path) = parts(url);
    let fields = Fields::new();
    for (name, value) in headers {
        fields.append(name, value.as_bytes()).map_err(|error| format!("header {name}: {error:?}"))?;
    }
    let request = OutgoingRequest::new(fields);
    request.set_method(&method).map_err(|()| "method")?;
    request.set_scheme(Some(&scheme)).map_err(|()| "scheme")?;
    request.set_authority(Some(&authority)).map_err(|()| "authority")?;
    request.set_path_with_query(Some(&path)).map_err(|()| "path")?;
    let outgoing = request.body().map_err(|()| "body")?;
    let future = outgoing_handler::handle(request, None).map_err(|code| format!("{code:?}"))?;
    let stream = outgoing.write().map_err(|()| "stream")?;
    for chunk in body.chunks(4096) {
        if stream.blocking_write_and_flush(chunk).is_err() {
            break;
        }
    }
    drop(stream);
    OutgoingBody::finish(outgoing, None).map_err(|code| format!("{code:?}"))?;
    Ok(future)
}

fn read(body: IncomingBody) -> Result<Vec<u8>, String> {
    use wasip2::io::streams::StreamError;
    let stream = body.stream().map_err(|()| "stream")?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(65_536) {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(error)) => return Err(error.to_debug_string()),
        }
    }
}
