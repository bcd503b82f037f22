//! Resource limiter of one store: memories, tables and instances, counted together.

use crate::fair::account::TenantAccount;
use crate::limits::Limits;
use std::sync::Arc;
use wasmtime::ResourceLimiter;

/// Counts all memories, tables and instances of a store together. wasmtime's `StoreLimits` bounds each memory
/// alone, so that many small ones would pass.
#[derive(Debug)]
pub(crate) struct Limiter {
    limits: Limits,
    /// The tenant's account, whose quota applies too.
    account: Arc<TenantAccount>,
    used: u64,
    /// Bytes granted last: growing may still fail afterwards, and they are then returned.
    granted: u64,
}

impl Limiter {
    pub(crate) fn new(limits: Limits, account: Arc<TenantAccount>) -> Self {
        Self { limits, account, used: 0, granted: 0 }
    }
}

impl Drop for Limiter {
    fn drop(&mut self) {
        self.account.give_memory_back(self.used);
    }
}

fn bytes(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // The plugin's own maximum is not our limit: the request fails as the language expects.
        if maximum.is_some_and(|most| desired > most) {
            return Ok(false);
        }
        let grant = bytes(desired.saturating_sub(current));
        let total = self.used.saturating_add(grant);
        if total > self.limits.memory_bytes {
            // An error rather than a failed request: most allocators would trap without explanation, and the
            // error names the limit.
            return Err(self.limits.memory_bytes(Some(total)).into());
        }
        self.account.take_memory(grant)?;
        self.used = total;
        self.granted = grant;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        let granted = std::mem::take(&mut self.granted);
        self.used = self.used.saturating_sub(granted);
        self.account.give_memory_back(granted);
        Ok(())
    }

    fn table_growing(&mut self, _: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|most| desired > most) {
            return Ok(false);
        }
        if bytes(desired) > self.limits.table_elements {
            return Err(self.limits.table_elements(Some(bytes(desired))).into());
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.limits.instances as usize
    }

    fn tables(&self) -> usize {
        self.limits.tables as usize
    }

    fn memories(&self) -> usize {
        self.limits.memories as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::LimitReached;

    #[test]
    fn memories_are_summed_and_what_failed_is_given_back() {
        let account = Arc::new(TenantAccount::default());
        let mut limiter =
            Limiter::new(Limits { memory_bytes: 100, ..Limits::default() }, Arc::clone(&account));
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(0, 30, None).unwrap());
        let error = limiter.memory_growing(0, 20, None).unwrap_err();
        assert_eq!(error.downcast_ref::<LimitReached>().unwrap().asked, Some(110));
        limiter.memory_grow_failed(wasmtime::Error::msg("no")).unwrap();
        limiter.memory_grow_failed(wasmtime::Error::msg("no twice")).unwrap();
        assert!(limiter.memory_growing(0, 40, None).unwrap(), "the 30 that failed count once, not twice");
        assert!(!limiter.memory_growing(0, 40, Some(39)).unwrap(), "the plugin's own maximum is a plain no");
        assert_eq!(account.used().memory, 100);
        drop(limiter);
        assert_eq!(account.used().memory, 0);
    }

    #[test]
    fn what_several_take_together_ends_at_the_account_of_their_tenant() {
        let account =
            Arc::new(TenantAccount::new("acme", &Limits { tenant_memory_bytes: 150, ..Limits::default() }));
        let mut limiters = [(); 2]
            .map(|()| Limiter::new(Limits { memory_bytes: 100, ..Limits::default() }, Arc::clone(&account)));
        assert!(limiters[0].memory_growing(0, 100, None).unwrap());
        let error = limiters[1].memory_growing(0, 60, None).unwrap_err();
        let reached = error.downcast_ref::<LimitReached>().unwrap();
        assert_eq!((reached.name, reached.asked), ("tenant-memory-bytes", Some(160)));
        assert!(limiters[1].memory_growing(0, 50, None).unwrap());
        drop(limiters);
        assert_eq!(account.used().memory, 0);
    }
}
