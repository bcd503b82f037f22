//! Another version of a plugin: what it asks for in addition, which waits until the operator agrees.

use super::asked::grant_all;
use super::change::GrantDifference;
use super::notice::IntegrationNotice;
use crate::config::{Grants, Integration};
use entente_plugin::Manifest;

/// What another version of its plugin means for an integration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpgradeDecision {
    /// What the new version asks for and the one before did not. Unless this is empty, it takes agreement.
    pub more: Manifest,
    /// What the version before asked for and the new one does not.
    pub less: Manifest,
    /// The grants as they will be.
    pub grants: Grants,
    /// What agreeing grants.
    pub widened: GrantDifference,
    /// What the operator should know.
    pub notices: Vec<IntegrationNotice>,
}

impl UpgradeDecision {
    /// Whether the new version asks for more, so that it takes effect only once the operator agrees.
    pub fn needs_agreement(&self) -> bool {
        !self.more.asks().is_empty()
    }
}

/// Decides what an upgrade comes to. `old` is what the version before asks for: without knowing that, all is new.
pub(crate) fn decide_upgrade(integration: &Integration, old: &Manifest, new: &Manifest) -> UpgradeDecision {
    let (more, less) = (new.more_than(old), old.less_in(new));
    let mut grants = integration.grants.clone();
    // Only what is new: what was asked for before and is not granted was kept back.
    let notices = match more.asks().is_empty() {
        true => Vec::new(),
        false => grant_all(&mut grants, &more, &new.effective(&integration.settings)),
    };
    let widened = GrantDifference::beyond(&grants, &integration.grants);
    UpgradeDecision { more, less, grants, widened, notices }
}
