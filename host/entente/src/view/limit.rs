//! Limits of a tenant.

use crate::tenant::{Tenant, TenantError};
use entente_plugin::{Limit, LimitUnit};
use serde::{Serialize, Serializer};

/// A limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LimitView {
    /// What it is called in settings and errors.
    pub name: &'static str,
    /// What holds for this tenant, in its unit.
    pub value: u64,
    /// What holds where nothing is set.
    pub default: u64,
    /// The most that it can be set to.
    pub most: u64,
    /// What it counts: `bytes`, `count` or `milliseconds`.
    #[serde(serialize_with = "word")]
    pub unit: LimitUnit,
    /// Whether it was set for this tenant.
    pub set: bool,
    /// What it is for, and why it is that much.
    pub reason: &'static str,
}

fn word<S: Serializer>(unit: &LimitUnit, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(unit.word())
}

impl Tenant {
    /// All limits of the tenant. They are few, and are not paged.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn list_limits(&self) -> Result<Vec<LimitView>, TenantError> {
        let (limits, set) = (self.limits().await?, self.limits_set().await?);
        let view = |limit: Limit| LimitView {
            name: limit.name,
            value: limit.value,
            default: limit.default,
            most: limit.most,
            unit: limit.unit,
            set: set.contains_key(limit.name),
            reason: limit.reason,
        };
        Ok(limits.table().into_iter().map(view).collect())
    }
}
