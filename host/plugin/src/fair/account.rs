//! Quotas of a tenant: the resource use of all its running plugins.

use super::compiling::Compiling;
use super::cpu::cpu_permits;
use super::semaphore::{FairSemaphore, Flow};
use super::slots::instance_slots;
use crate::limits::{LimitReached, Limits};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Semaphore;

/// Look-ups of names of a tenant at the same time. Each takes a thread of the system's resolver, of which a process has
/// some five hundred, for as long as the name server likes.
const LOOKUPS: usize = 8;

/// The account of a tenant: what its plugins use together, over all its integrations and runs in this
/// process. Each tenant has one.
#[derive(Debug)]
pub struct TenantAccount {
    tenant: String,
    limits: Limits,
    memory: AtomicU64,
    /// The part of `memory` that the host holds.
    held: AtomicU64,
    pub(crate) http: Arc<Semaphore>,
    /// Permits for look-ups of names.
    pub(crate) lookups: Arc<Semaphore>,
    pub(crate) cpu: Arc<Flow>,
    pub(crate) slots: Arc<Flow>,
    pub(crate) compiling: Compiling,
}

/// The current resource use of a tenant's plugins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TenantUse {
    /// Bytes of memory: the plugins' own, and what the host holds for them.
    pub memory: u64,
    /// The part of it that the host holds: bodies, headers, texts, answers read ahead, state, results under way.
    pub held: u64,
    /// Instances that run or are warm.
    pub instances: usize,
    /// Instances that hold a permit to compute.
    pub computing: usize,
    /// HTTP requests in progress.
    pub http: usize,
}

fn permits(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS)
}

impl TenantAccount {
    /// A new account, with the tenant's limits: `workers`, and those that begin with `tenant-`.
    pub fn new(tenant: &str, limits: &Limits) -> Self {
        Self::computing_with(cpu_permits(), tenant, limits)
    }

    fn computing_with(permits_to_compute: &Arc<FairSemaphore>, tenant: &str, limits: &Limits) -> Self {
        Self {
            tenant: tenant.to_owned(),
            memory: AtomicU64::new(0),
            held: AtomicU64::new(0),
            http: Arc::new(Semaphore::new(permits(limits.tenant_http_parallel))),
            lookups: Arc::new(Semaphore::new(LOOKUPS)),
            cpu: permits_to_compute.flow(limits.workers),
            slots: instance_slots().flow(limits.tenant_instances),
            compiling: Compiling::new(),
            limits: limits.clone(),
        }
    }

    /// The name of the tenant.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// The current use.
    pub fn used(&self) -> TenantUse {
        TenantUse {
            memory: self.memory.load(Ordering::Relaxed),
            held: self.held.load(Ordering::Relaxed),
            instances: self.slots.held(),
            computing: self.cpu.held(),
            http: permits(self.limits.tenant_http_parallel).saturating_sub(self.http.available_permits()),
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether the tenant holds as many instance slots as it may.
    pub(crate) fn has_all_its_slots(&self) -> bool {
        self.slots.held() as u64 >= self.limits.tenant_instances
    }

    /// Charges memory for a plugin: its own, or what the host holds for it.
    ///
    /// # Errors
    /// The limit `tenant-memory-bytes`.
    pub(super) fn take_memory(&self, bytes: u64, own: bool) -> Result<(), LimitReached> {
        let most = self.limits.tenant_memory_bytes;
        let more = |used: u64| used.checked_add(bytes).filter(|total| *total <= most);
        let taken = self.memory.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.map_err(|used| self.limits.tenant_memory_bytes(Some(used.saturating_add(bytes))))?;
        if !own {
            self.held.fetch_add(bytes, Ordering::Relaxed);
        }
        Ok(())
    }

    pub(super) fn give_memory_back(&self, bytes: u64, own: bool) {
        // Never below zero: a reservation gives back what it has taken.
        self.memory.fetch_sub(bytes, Ordering::Relaxed);
        if !own {
            self.held.fetch_sub(bytes, Ordering::Relaxed);
        }
    }
}

impl Default for TenantAccount {
    /// An account of its own, with default limits.
    fn default() -> Self {
        Self::new("", &Limits::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn memory_is_counted_over_all_and_names_its_limit() {
        let account =
            TenantAccount::new("acme", &Limits { tenant_memory_bytes: 10 << 20, ..Limits::default() });
        account.take_memory(6 << 20, true).unwrap();
        insta::assert_snapshot!(account.take_memory(5 << 20, true).unwrap_err(), @"limit tenant-memory-bytes of 10 MiB reached (asked for: 11 MiB); it is shared by everything that the tenant runs at the same time");
        account.take_memory(4 << 20, false).unwrap();
        assert_eq!((account.used().memory, account.used().held), (10 << 20, 4 << 20));
        account.give_memory_back(6 << 20, true);
        account.give_memory_back(4 << 20, false);
        assert_eq!(account.used(), TenantUse::default());
    }

    #[tokio::test]
    async fn a_tenant_computes_with_as_many_permits_as_it_has_workers() {
        let four = FairSemaphore::new(4, Duration::ZERO);
        let [acme, other] = [2, 1].map(|workers| {
            let limits = Limits { workers, ..Limits::default() };
            TenantAccount::computing_with(&four, "acme", &limits)
        });
        let _held = [acme.cpu.acquire().await, acme.cpu.acquire().await, other.cpu.acquire().await];
        for account in [&acme, &other] {
            let mut one_more = std::pin::pin!(account.cpu.acquire());
            assert!(
                futures::poll!(&mut one_more).is_pending(),
                "one permit is free, and not for this tenant"
            );
        }
        assert_eq!((acme.used().computing, other.used().computing), (2, 1));
        assert_eq!(four.held(), 3);
    }
}
