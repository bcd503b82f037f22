//! Grants: what a change of them comes to, and what a new version of a plugin asks for in addition. Pure: grants,
//! manifests and settings in, a decision out. [`Tenant`](crate::Tenant) reads what a decision takes, and carries
//! it out.

mod asked;
mod change;
mod notice;
mod upgrade;

pub use change::{GrantDecision, GrantDifference, GrantRefused, GrantRequest, SecretPlace};
pub(crate) use change::{decide_grant, grants_of_new};
pub use notice::IntegrationNotice;
pub(crate) use notice::{missing_secrets, weak_secrets};
pub use upgrade::UpgradeDecision;
pub(crate) use upgrade::decide_upgrade;

#[cfg(test)]
mod tests;
