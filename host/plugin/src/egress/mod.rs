//! The egress filter: HTTP out of a plugin, with grants, secrets, rate limit, redaction and audit log.

pub(crate) mod audit;
mod body;
pub(crate) mod budget;
mod escapes;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod headers;
mod hosts;
mod notice;
mod resolve;
mod scrub;
mod secrets;
mod send;
mod wire;

pub use secrets::{Secret, SecretGrant};

pub(crate) use headers::{header_size, headers_size};
pub(crate) use hosts::Hosts;
pub(crate) use notice::Notice;
pub(crate) use resolve::{Lookup, system_lookup};
pub(crate) use scrub::Scrubber;
pub(crate) use secrets::{SecretError, Vault};
pub(crate) use send::{Channel, ChannelContext, Egress};
