//! Header rules: size limits, and removal of hop-by-hop and forwarding headers (RFC 9110, 7.6.1), which
//! plugins must not control.

use super::scrub::Scrubber;
use crate::component::manifest::is_reserved;
use crate::fair::held::bytes_of;
use crate::limits::{LimitReached, Limits};
use http::{HeaderMap, HeaderName, HeaderValue, header};

pub(super) fn check_headers(headers: &HeaderMap, limits: &Limits) -> Result<(), LimitReached> {
    let count = headers.len() as u64;
    if count > limits.http_headers {
        return Err(limits.http_headers(Some(count)));
    }
    let bytes = headers.iter().map(|(name, value)| name.as_str().len() as u64 + value.len() as u64 + 4).sum();
    if bytes > limits.http_header_bytes {
        return Err(limits.http_header_bytes(Some(bytes)));
    }
    Ok(())
}

/// What a header takes besides its name and value: its place in a map that has room for twice as many.
const HEADER: u64 = 256;

/// What a header takes as the host holds it.
pub(crate) fn header_size(name: usize, value: usize) -> u64 {
    HEADER + bytes_of(name) + bytes_of(value)
}

/// What headers take as the host holds them.
pub(crate) fn headers_size(headers: &HeaderMap) -> u64 {
    headers.iter().map(|(name, value)| header_size(name.as_str().len(), value.len())).sum()
}

/// Copies the values out of the buffer of their connection, all of which they would keep.
pub(super) fn copy_values(headers: &mut HeaderMap) {
    for value in headers.values_mut() {
        if let Ok(copy) = HeaderValue::from_bytes(value.as_bytes()) {
            *value = copy;
        }
    }
}

/// Removes hop-by-hop headers, those named by `Connection`, and those that only a proxy may set.
pub(super) fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let reserved: Vec<HeaderName> =
        headers.keys().filter(|name| is_reserved(name.as_str())).cloned().collect();
    for name in reserved.into_iter().chain(named) {
        headers.remove(name);
    }
}

pub(super) fn strip_answer(headers: &mut HeaderMap, scrubber: Option<&Scrubber>) {
    for name in [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "http2-settings",
    ] {
        headers.remove(name);
    }
    if let Some(scrubber) = scrubber {
        for value in headers.values_mut() {
            let mut bytes = value.as_bytes().to_vec();
            if scrubber.mask(&mut bytes)
                && let Ok(masked) = HeaderValue::from_bytes(&bytes)
            {
                *value = masked;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_the_connection_is_left_out() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("te", "trailers"),
            ("host", "evil"),
            ("content-length", "5"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-port", "1"),
            ("accept", "*/*"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        strip(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["accept"]);
    }
}
