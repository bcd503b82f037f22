//! Maps transport errors to wasi:http error codes, which plugins see.

use super::channel::Channel;
use super::notice::{Notice, Notices};
use super::resolve::AddressDenied;
use super::send::shown;
use reqwest::Url;
use wasmtime_wasi_http::Error;

fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let now = next?;
        // The source of an io::Error that wraps another error is what is below that one.
        next = match now.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => now.source(),
        };
        Some(now)
    })
}

pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The first error of this type in the chain of causes.
fn cause<'a, E: std::error::Error + 'static>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a E> {
    causes(error).find_map(|error| error.downcast_ref::<E>())
}

/// Whether the head of a response has more headers than were allowed to be read.
pub(super) fn too_many_headers(error: &reqwest::Error) -> bool {
    cause::<hyper::Error>(error).is_some_and(hyper::Error::is_parse_too_large)
}

/// Whether the time to connect is up that this host gives. The system has one of its own, whose end is an error of input and
/// output.
pub(super) fn connecting_took_too_long(error: &reqwest::Error) -> bool {
    error.is_timeout() && error.is_connect() && cause::<std::io::Error>(error).is_none()
}

pub(super) fn connect_error(
    error: &reqwest::Error,
    url: &Url,
    channel: &Channel,
    notices: &Notices,
) -> Error {
    if let Some(denied) = cause::<AddressDenied>(error) {
        let grant = format!("{}://{}", url.scheme(), denied.grantable());
        let notice = Notice::Address { url: shown(url), why: denied.to_string(), grant };
        channel.tell(&notice);
        notices.add(notice);
        return Error::HttpRequestDenied;
    }
    if cause::<rustls::Error>(error)
        .is_some_and(|error| matches!(error, rustls::Error::InvalidCertificate(_)))
    {
        return Error::TlsCertificateError;
    }
    if cause::<rustls::Error>(error).is_some() {
        return Error::TlsProtocolError;
    }
    if error.is_timeout() {
        return Error::ConnectionTimeout;
    }
    if error.is_connect() {
        return match cause::<std::io::Error>(error).map(std::io::Error::kind) {
            Some(std::io::ErrorKind::ConnectionRefused) => Error::ConnectionRefused,
            Some(std::io::ErrorKind::NetworkUnreachable | std::io::ErrorKind::HostUnreachable) => {
                Error::DestinationUnavailable
            }
            _ => Error::DestinationNotFound,
        };
    }
    wire_error(error)
}

/// Maps an error after the connection was established.
pub(super) fn wire_error(error: &reqwest::Error) -> Error {
    match cause::<std::io::Error>(error).map(std::io::Error::kind) {
        Some(
            std::io::ErrorKind::ConnectionReset
            | std::io::ErrorKind::BrokenPipe
            | std::io::ErrorKind::ConnectionAborted,
        ) => Error::ConnectionTerminated,
        Some(std::io::ErrorKind::UnexpectedEof) => Error::HttpResponseIncomplete,
        _ if error.is_timeout() => Error::HttpResponseTimeout,
        _ if error.is_body() || error.is_decode() => Error::HttpResponseIncomplete,
        _ => Error::HttpProtocolError,
    }
}
