//! Where a plugin's requests may go, and what goes with them.

mod body;
mod escapes;
#[cfg(feature = "fuzzing")]
pub(super) mod fuzzing;
mod grant;
mod headers;
mod notice;
mod resolve;
mod scrub;
mod secrets;
mod send;
mod wire;

pub use grant::{GrantError, HttpGrant};
pub use secrets::{Secret, SecretGrant};

pub(super) use grant::Hosts;
pub(super) use notice::Notice;
pub(super) use resolve::{Lookup, system_lookup};
pub(super) use secrets::{SecretError, Vault};
pub(super) use send::{Channel, Egress, Surroundings};
