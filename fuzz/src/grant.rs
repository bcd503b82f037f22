//! A grant and an address, a line each: whatever is allowed has the scheme and the port of the grant, and its
//! host or one below. What the operator is told to grant for a denied address allows that address, is typed
//! as it is shown, and is one word to a shell.

use entente_cli::fuzzing::plugin::{allows, suggested, target};
use entente_plugin::HttpGrant;
use std::net::IpAddr;

/// The same, however it is written.
fn host(text: &str) -> String {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>()
        .map_or_else(|_| text.to_ascii_lowercase(), |address| address.to_canonical().to_string())
}

/// Read from the text that a grant shows, apart from how it was parsed.
fn check(grant: &HttpGrant, url: &str) {
    let shown = grant.to_string();
    let (scheme, rest) = shown.split_once("://").expect("a scheme");
    let (name, port) = match rest.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()) {
        Some((name, port)) => (name, port.parse().expect("a port")),
        None => (rest, if scheme == "https" { 443 } else { 80 }),
    };
    let (url_scheme, url_host, url_port) = target(url).expect("an address");
    assert_eq!((scheme, port), (url_scheme.as_str(), url_port), "{shown} allowed {url}");
    match name.strip_prefix('*') {
        Some(below) => {
            assert!(scheme == "https" && below.matches('.').count() >= 2, "{shown}");
            assert!(
                host(&url_host).ends_with(below) && url_host.len() > below.len(),
                "{shown} allowed {url}"
            );
            assert!(host(&url_host).parse::<IpAddr>().is_err(), "{shown} allowed {url}");
        }
        None => assert_eq!(host(name), host(&url_host), "{shown} allowed {url}"),
    }
}

/// Looks at one input.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (grant, url) = text.split_once('\n').unwrap_or((text, text));
    match grant.parse::<HttpGrant>() {
        Ok(grant) => {
            let again: HttpGrant = grant.to_string().parse().expect("a grant can be typed as it is shown");
            assert_eq!(again, grant);
            if allows(&grant, url) {
                check(&grant, url);
            }
        }
        Err(error) => assert!(super::is_clean(&error.text)),
    }
    if let Some(shown) = suggested(url) {
        let fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/' | '[' | ']');
        assert!(shown.chars().all(fit), "{shown}");
        let grant: HttpGrant = shown.parse().unwrap_or_else(|error| panic!("{url}: {error}"));
        assert!(allows(&grant, url), "{shown} for {url}");
        check(&grant, url);
        assert!(
            !allows(&grant, "https://elsewhere.example.net/")
                || target(url).is_some_and(|(_, name, _)| name == "elsewhere.example.net"),
            "{shown}"
        );
    }
}
