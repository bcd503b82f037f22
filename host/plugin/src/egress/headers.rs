//! Header rules: size limits, and removal of hop-by-hop and forwarding headers (RFC 9110, 7.6.1), which
//! plugins must not control; towards a host with a secret also of those that ask for pieces of an answer.

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

/// The headers with which a plugin chooses which part of an answer comes, or in which form, so that a secret in it is not found:
/// ranges, of which the two with other names are older or of one service, differences (RFC 3229), other character sets, and
/// digests of what was masked.
const PIECES: &[&str] = &[
    "range",
    "if-range",
    "request-range",
    "x-ms-range",
    "a-im",
    "accept-charset",
    "want-digest",
    "want-content-digest",
    "want-repr-digest",
];

/// Removes what asks for pieces of an answer.
pub(super) fn whole_answer(headers: &mut HeaderMap) {
    for name in PIECES {
        headers.remove(*name);
    }
}

/// Whether an answer is a piece, or several.
pub(super) fn is_piece(status: http::StatusCode, headers: &HeaderMap) -> bool {
    let several = |value: &HeaderValue| {
        let kind = value.as_bytes().trim_ascii_start();
        kind.get(..20).is_some_and(|kind| kind.eq_ignore_ascii_case(b"multipart/byteranges"))
    };
    matches!(status.as_u16(), 206 | 226)
        || (status.is_success() && headers.contains_key(header::CONTENT_RANGE))
        || headers.get_all(header::CONTENT_TYPE).iter().any(several)
}

/// Removes what belongs to the connection, masks secrets in values, and leaves out headers with a secret in their name;
/// returns in how many a secret was found.
pub(super) fn strip_answer(headers: &mut HeaderMap, scrubber: Option<&Scrubber>) -> u64 {
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
    let Some(scrubber) = scrubber else { return 0 };
    let named: Vec<HeaderName> =
        headers.keys().filter(|name| scrubber.is_in_name(name.as_str())).cloned().collect();
    let mut hits = named.len() as u64;
    for name in named {
        headers.remove(name);
    }
    for value in headers.values_mut() {
        let mut bytes = value.as_bytes().to_vec();
        let found = scrubber.mask(&mut bytes);
        hits += found;
        if found > 0
            && let Ok(masked) = HeaderValue::from_bytes(&bytes)
        {
            *value = masked;
        }
    }
    hits
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

    #[test]
    fn x6_a_piece_is_known_by_its_status_and_its_headers() {
        let table = [
            (200, "accept-ranges", "bytes", false),
            (206, "accept-ranges", "bytes", true),
            (226, "im", "range", true),
            (200, "content-range", "bytes 0-3/30", true),
            (416, "content-range", "bytes */30", false),
            (200, "content-type", " Multipart/ByteRanges; boundary=x", true),
            (200, "content-type", "multipart/mixed", false),
        ];
        for (status, name, value, expected) in table {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            let status = http::StatusCode::from_u16(status).unwrap();
            assert_eq!(is_piece(status, &headers), expected, "{status} {name}: {value}");
        }
    }

    #[test]
    fn x6_a_header_with_a_secret_in_its_name_is_left_out() {
        let secret = crate::egress::secrets::Secret::new("tell-nobody-4711");
        let scrubber = Scrubber::new([secret].iter()).unwrap();
        let mut headers = HeaderMap::new();
        for name in ["x-tell-nobody-4711", "x-other"] {
            headers.insert(name, HeaderValue::from_static("tell-nobody-4711"));
        }
        assert_eq!(strip_answer(&mut headers, Some(&scrubber)), 2);
        assert_eq!(headers.len(), 1);
        assert_eq!(headers["x-other"], "*".repeat(16));
    }
}
