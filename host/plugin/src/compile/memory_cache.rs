//! LRU cache of compiled code in memory, by digest: one copy for all tenants that use a plugin.
//!
//! Compiled code holds no tenant data. A later run of any tenant need not load and verify it again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use wasmtime::component::Component;

/// Capacity: plugins whose code stays in memory although no instance runs. HelloWorld takes half a megabyte,
/// a plugin that embeds a language engine (JavaScript, Python) some tens of megabytes.
const KEPT: usize = 32;

#[derive(Default)]
pub(crate) struct MemoryCache {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    plugins: HashMap<String, Slot>,
    /// Counts uses: the recency of an entry.
    uses: u64,
}

struct Slot {
    /// Locked while it is loaded, so that concurrent loads are coalesced (single flight).
    component: Arc<Mutex<Option<Component>>>,
    used: u64,
}

impl MemoryCache {
    /// The code of a plugin by its digest; `find` is called on a miss.
    ///
    /// Blocks while it is loaded.
    pub(crate) fn get_or_find(
        &self,
        digest: &str,
        find: impl FnOnce() -> Option<Component>,
    ) -> Option<Component> {
        let place = self.place(digest);
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        if place.is_none() {
            *place = find();
        }
        place.clone()
    }

    fn place(&self, digest: &str) -> Arc<Mutex<Option<Component>>> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.uses += 1;
        let used = inner.uses;
        let slot = inner
            .plugins
            .entry(digest.to_owned())
            .or_insert_with(|| Slot { component: Arc::default(), used });
        slot.used = used;
        let place = Arc::clone(&slot.component);
        while inner.plugins.len() > KEPT {
            // Users of the evicted code keep it; it is only no longer found.
            let Some(oldest) =
                inner.plugins.iter().min_by_key(|(_, slot)| slot.used).map(|(digest, _)| digest.clone())
            else {
                break;
            };
            inner.plugins.remove(&oldest);
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::settings::{Allocation, compile_only};

    #[test]
    fn code_is_loaded_once_and_what_was_used_last_stays() {
        let engine = compile_only(Allocation::Pooled).unwrap();
        let memory_cache = MemoryCache::default();
        let mut loads = 0;
        let mut get = |digest: &str| {
            let before = loads;
            let load = || {
                loads += 1;
                Some(Component::from_binary(&engine, b"\0asm\x0d\0\x01\0").unwrap())
            };
            memory_cache.get_or_find(digest, load).unwrap();
            loads > before
        };
        assert!(get("a") && get("b"));
        assert!(!get("a") && !get("b"));
        for n in 0..KEPT - 1 {
            assert!(get(&n.to_string()));
            assert!(!get("b"), "it is used all the time");
        }
        assert!(get("a"), "it was not");

        assert!(memory_cache.get_or_find("c", || None).is_none());
        assert!(get("c"), "what was not found is looked for again");
    }
}
