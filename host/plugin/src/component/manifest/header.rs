//! Headers of a manifest: those that every plugin may send, and those that none may.

use super::ManifestError;
use crate::text::clean;
use http::HeaderName;

/// The headers that a plugin may send without its manifest listing them: none of them is a credential, or makes another
/// request of the one that the operator sees in the log.
pub const USUAL_HEADERS: &[&str] =
    &["accept", "accept-encoding", "accept-language", "cache-control", "content-type", "user-agent"];

/// The headers that the host sets or leaves out, whatever a plugin says. A manifest that lists one is refused.
const RESERVED: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    "host",
    "expect",
    "content-length",
    "forwarded",
    "via",
    "x-real-ip",
];

/// Whether a header, in lower case, belongs to the connection or to proxies.
pub(crate) fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || name.starts_with("x-forwarded-")
}

/// The name of a header that a plugin asks to send, in lower case.
pub(super) fn header(name: &str) -> Result<String, ManifestError> {
    let refuse = |why: &str| Err(ManifestError(format!("'{}' {why}", clean(name, 100))));
    let Ok(header) = HeaderName::from_bytes(name.as_bytes()) else {
        return refuse("is not the name of a header");
    };
    if name == "*" {
        return refuse("is no header; each header is listed by its name");
    }
    if is_reserved(header.as_str()) {
        return refuse("is a header that the host sets or leaves out; take it out of the list");
    }
    Ok(header.as_str().to_owned())
}
