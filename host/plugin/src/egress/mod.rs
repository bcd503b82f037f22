//! The egress filter: HTTP out of a plugin, with grants, secrets, rate limit, redaction and audit log.

pub(crate) mod audit;
mod body;
pub(crate) mod budget;
mod channel;
mod escapes;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod headers;
mod hosts;
mod notice;
mod request;
mod resolve;
mod scrub;
mod secrets;
mod send;
#[cfg(test)]
pub(crate) mod tests;
mod wire;

pub use secrets::{Secret, SecretGrant};

pub(crate) use channel::{Channel, ChannelContext};
pub(crate) use headers::{header_size, headers_size};
pub(crate) use hosts::Hosts;
pub(crate) use notice::Notice;
pub(crate) use resolve::{Lookup, system_lookup};
pub(crate) use scrub::Scrubber;
pub(crate) use secrets::{SecretError, Vault};
pub(crate) use send::Egress;
