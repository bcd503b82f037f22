//! Warm instances: kept for the next call of their exchange. They hold instance slots, so they are evicted
//! when another exchange waits for one; the next call then starts a new instance.

use super::instance::Instance;
use crate::fair::account::TenantAccount;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The warm instance of one exchange, if it has one.
pub(crate) struct Idle {
    account: Arc<TenantAccount>,
    instance: Mutex<Option<Instance>>,
}

/// Those of all exchanges in this process, in order of creation.
static ALL: Mutex<Vec<Weak<Idle>>> = Mutex::new(Vec::new());

impl Idle {
    /// Empty, for an exchange of this account.
    pub(crate) fn new(account: Arc<TenantAccount>) -> Arc<Self> {
        let idle = Arc::new(Self { account, instance: Mutex::default() });
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|idle| idle.strong_count() > 0);
        all.push(Arc::downgrade(&idle));
        idle
    }

    /// Takes the instance out for a call.
    pub(crate) fn take(&self) -> Option<Instance> {
        self.take_if(|_| true)
    }

    /// Keeps an instance for the next call, unless its slot is wanted.
    pub(crate) fn put(&self, instance: Instance) {
        if !instance.should_be_evicted() {
            *self.instance.lock().unwrap_or_else(PoisonError::into_inner) = Some(instance);
        }
    }

    fn take_if(&self, may: impl Fn(&Instance) -> bool) -> Option<Instance> {
        self.instance.lock().unwrap_or_else(PoisonError::into_inner).take_if(|instance| may(instance))
    }
}

/// The instance to evict for an account that waits for a slot: one of its own if it holds as many as it may,
/// otherwise one of an account that holds more slots than it does.
pub(crate) fn to_evict(account: &Arc<TenantAccount>) -> Option<Instance> {
    let all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    let mut all = all.iter().filter_map(Weak::upgrade);
    if account.has_all_its_slots() {
        all.filter(|idle| Arc::ptr_eq(&idle.account, account)).find_map(|idle| idle.take())
    } else {
        all.find_map(|idle| idle.take_if(Instance::should_be_evicted))
    }
}
