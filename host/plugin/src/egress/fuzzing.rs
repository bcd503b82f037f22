//! Entry points for the fuzz targets.

use super::scrub::Scrubber;
use super::secrets::Secret;
use crate::address::grant::{HttpGrant, Target};
use reqwest::Url;

pub use super::send::fuzzing::{Call, Headers, Integration, Leaves, Made, PluginCall, Said};

fn parsed(url: &str) -> Option<Target> {
    Target::of(&Url::parse(url).ok()?).ok()
}

/// Whether a grant matches an address.
pub fn allows(grant: &HttpGrant, url: &str) -> bool {
    parsed(url).is_some_and(|target| grant.allows(&target))
}

/// The grant suggested to the operator for an address; `None` where it cannot be granted.
pub fn suggested(url: &str) -> Option<String> {
    parsed(url).map(|target| target.to_string())
}

/// Scheme, host and port of an address as the HTTP client parses them; `None` where it is no web address.
pub fn target(url: &str) -> Option<(String, String, u16)> {
    let url = Url::parse(url).ok()?;
    Some((url.scheme().to_owned(), url.host_str()?.to_owned(), url.port_or_known_default()?))
}

pub(crate) fn scrub(secrets: &[Secret], pieces: &[&[u8]]) -> Option<(Vec<u8>, Vec<u8>)> {
    let scrubber = Scrubber::new(secrets.iter())?;
    let mut stream = scrubber.stream();
    let mut out: Vec<u8> = pieces.iter().flat_map(|piece| stream.push(piece)).collect();
    out.extend_from_slice(&stream.finish());
    let mut whole = pieces.concat();
    scrubber.mask(&mut whole);
    Some((out, whole))
}
