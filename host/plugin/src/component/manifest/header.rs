//! Headers of a manifest: those that every plugin may send, and those that none may.

use super::ManifestError;
use crate::text::quoted;
use http::HeaderName;
use std::borrow::Cow;

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
    "max-forwards",
    "x-real-ip",
];

/// Headers that make another request of the one that was allowed and is in the log, at servers and proxies that heed them: another
/// method, address or host, or another sender. Those that are known; others are kept back by the manifest not listing them.
const OF_ANOTHER: &[&str] = &[
    "x-http-method",
    "x-original-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-original-uri",
    "x-original-host",
    "x-rewrite-url",
    "x-override-url",
    "x-host",
    "x-http-host-override",
    "x-envoy-original-path",
    "x-envoy-original-host",
    "x-forwarded",
    "forwarded-for",
    "x-client-ip",
    "client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "fastly-client-ip",
    "fly-client-ip",
    "x-cluster-client-ip",
    "x-azure-clientip",
    "x-azure-socketip",
    "x-envoy-external-address",
    "x-originating-ip",
    "x-remote-ip",
    "x-remote-addr",
    "x-remote-user",
    "remote-user",
    "x-webauth-user",
    "x-authenticated-user",
    "x-authenticated-userid",
];

/// Whether a header, in lower case, belongs to the connection or to proxies.
pub(crate) fn is_reserved(name: &str) -> bool {
    let name = with_dashes(name);
    RESERVED.contains(&&*name) || name.starts_with("x-forwarded-")
}

/// Whether a header, in lower case, makes another request of the one that is allowed.
pub(crate) fn makes_another(name: &str) -> bool {
    OF_ANOTHER.contains(&&*with_dashes(name))
}

/// Many servers take an underline for a dash.
fn with_dashes(name: &str) -> Cow<'_, str> {
    if name.contains('_') { name.replace('_', "-").into() } else { name.into() }
}

/// The name of a header that a plugin asks to send, in lower case. Secrets too go only in one of these.
pub(super) fn header(name: &str) -> Result<String, ManifestError> {
    let refuse = |why: &str| Err(ManifestError(format!("{} {why}", quoted(name, 100))));
    let Ok(header) = HeaderName::from_bytes(name.as_bytes()) else {
        return refuse("is not the name of a header");
    };
    if name == "*" {
        return refuse("is no header; each header is listed by its name");
    }
    if makes_another(header.as_str()) {
        return refuse(
            "is a header that makes another request of the one that is allowed, and is never sent",
        );
    }
    if is_reserved(header.as_str()) {
        return refuse("is a header that the host sets or leaves out; take it out of the list");
    }
    Ok(header.as_str().to_owned())
}
