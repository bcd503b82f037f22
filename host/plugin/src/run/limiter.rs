//! Resource limiter of one store: memories, tables and instances, counted together.

use crate::fair::held::{Held, Reservation, bytes_of};
use crate::limits::Limits;
use wasmtime::ResourceLimiter;

/// What one element of a table takes.
const ELEMENT: u64 = 16;

/// Counts all memories, tables and instances of a store together. wasmtime's `StoreLimits` bounds each memory
/// alone, so that many small ones would pass.
#[derive(Debug)]
pub(crate) struct Limiter {
    limits: Limits,
    /// What all of them have, on the account of the plugin.
    own: Reservation,
    /// Bytes granted last: growing may still fail afterwards, and they are then returned.
    granted: u64,
}

impl Limiter {
    pub(crate) fn new(limits: Limits, held: &Held) -> Self {
        Self { limits, own: held.own(), granted: 0 }
    }

    fn grant(&mut self, bytes: u64) -> wasmtime::Result<bool> {
        // An error rather than a failed request: most allocators would trap without explanation, and the
        // error names the limit.
        self.own.grow(bytes)?;
        self.granted = bytes;
        Ok(true)
    }

    fn take_back(&mut self) {
        let granted = std::mem::take(&mut self.granted);
        self.own.shrink(granted);
    }
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
        self.grant(bytes_of(desired.saturating_sub(current)))
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.take_back();
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|most| desired > most) {
            return Ok(false);
        }
        if bytes_of(desired) > self.limits.table_elements {
            return Err(self.limits.table_elements(Some(bytes_of(desired))).into());
        }
        self.grant(bytes_of(desired.saturating_sub(current)).saturating_mul(ELEMENT))
    }

    fn table_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.take_back();
        Ok(())
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
    use crate::fair::account::TenantAccount;
    use crate::limits::LimitReached;
    use std::sync::Arc;

    fn limiter(account: &Arc<TenantAccount>) -> Limiter {
        let limits = Limits { memory_bytes: 100, ..Limits::default() };
        Limiter::new(limits.clone(), &Held::new(limits, Arc::clone(account)))
    }

    #[test]
    fn memories_are_summed_and_what_failed_is_given_back() {
        let account = Arc::new(TenantAccount::default());
        let mut limiter = limiter(&account);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(0, 30, None).unwrap());
        let error = limiter.memory_growing(0, 20, None).unwrap_err();
        assert_eq!(error.downcast_ref::<LimitReached>().unwrap().asked, Some(110));
        limiter.memory_grow_failed(wasmtime::Error::msg("no")).unwrap();
        limiter.memory_grow_failed(wasmtime::Error::msg("no twice")).unwrap();
        assert!(limiter.memory_growing(0, 40, None).unwrap(), "the 30 that failed count once, not twice");
        assert!(!limiter.memory_growing(0, 40, Some(39)).unwrap(), "the plugin's own maximum is a plain no");
        assert_eq!((account.used().memory, account.used().held), (100, 0));
        limiter.memory_grow_failed(wasmtime::Error::msg("no")).unwrap();
        assert!(limiter.table_growing(0, 2, None).unwrap(), "tables count too");
        assert!(limiter.table_growing(2, 3, None).is_err());
        limiter.table_grow_failed(wasmtime::Error::msg("no")).unwrap();
        assert_eq!(account.used().memory, 60);
        drop(limiter);
        assert_eq!(account.used().memory, 0);
    }

    #[test]
    fn what_several_take_together_ends_at_the_account_of_their_tenant() {
        let account =
            Arc::new(TenantAccount::new("acme", &Limits { tenant_memory_bytes: 150, ..Limits::default() }));
        let mut limiters = [(); 2].map(|()| limiter(&account));
        assert!(limiters[0].memory_growing(0, 100, None).unwrap());
        let error = limiters[1].memory_growing(0, 60, None).unwrap_err();
        let reached = error.downcast_ref::<LimitReached>().unwrap();
        assert_eq!((reached.name, reached.asked), ("tenant-memory-bytes", Some(160)));
        assert!(limiters[1].memory_growing(0, 50, None).unwrap());
        drop(limiters);
        assert_eq!(account.used().memory, 0);
    }
}
