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

/// What a tenant holds now of what a limit allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UsedView {
    /// The limit.
    pub name: &'static str,
    /// What is held, in its unit.
    pub used: u64,
    /// Of memory, the part that the host holds for plugins: bodies, headers, texts, answers read ahead, state, what calls
    /// hand over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<u64>,
    /// What holds for this tenant, in its unit.
    pub value: u64,
    /// What it counts: `bytes`, `count` or `milliseconds`.
    #[serde(serialize_with = "word")]
    pub unit: LimitUnit,
    /// Whether runs of other processes are counted too.
    pub all_processes: bool,
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

    /// What the tenant holds now. Runs are known of all processes; memory, instances and requests of the plugins that run in
    /// this process, so that only a program that runs syncs itself sees any.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn list_used(&self) -> Result<Vec<UsedView>, TenantError> {
        let (limits, used) = (self.limits().await?.table(), self.account().await?.used());
        let count = |of: usize| u64::try_from(of).unwrap_or(u64::MAX);
        let view = |name: &str, used: u64, held: Option<u64>, all_processes: bool| {
            let limit = limits.iter().find(|limit| limit.name == name)?;
            Some(UsedView {
                name: limit.name,
                used,
                held,
                value: limit.value,
                unit: limit.unit,
                all_processes,
            })
        };
        let all = [
            view("tenant-memory-bytes", used.memory, Some(used.held), false),
            view("tenant-instances", count(used.instances), None, false),
            view("workers", count(used.computing), None, false),
            view("tenant-http-parallel", count(used.http), None, false),
            view("runs-at-once", self.runs_under_way(), None, true),
        ];
        Ok(all.into_iter().flatten().collect())
    }
}
