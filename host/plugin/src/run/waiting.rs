//! Calls in progress, over all tenants. One that waits in the host holds an instance slot meanwhile; where
//! somebody else has fewer and waits for one, the longest wait of the tenant that holds most is ended.

use crate::fair::account::TenantAccount;
use crate::fair::cpu::CpuMeter;
use futures::task::AtomicWaker;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Context;
use std::time::Duration;

/// A call is not ended before it has waited so long: most answers are there by then.
const LONG: Duration = Duration::from_secs(1);

/// A call that holds an instance slot.
#[derive(Debug)]
struct Call {
    account: Arc<TenantAccount>,
    meter: Arc<CpuMeter>,
    ended: OnceLock<Ended>,
    waker: AtomicWaker,
}

/// A call that is ended for another tenant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    /// The slots that its own tenant held.
    pub(crate) held: usize,
    /// How long it had waited.
    pub(crate) waited: Duration,
}

static ALL: Mutex<Vec<Arc<Call>>> = Mutex::new(Vec::new());

fn all() -> MutexGuard<'static, Vec<Arc<Call>>> {
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The entry of a call in the list of all, for as long as it lasts.
#[derive(Debug)]
pub(crate) struct InProgress(Arc<Call>);

impl InProgress {
    pub(crate) fn new(account: &Arc<TenantAccount>, meter: &Arc<CpuMeter>) -> Self {
        let (account, meter) = (Arc::clone(account), Arc::clone(meter));
        let call = Arc::new(Call { account, meter, ended: OnceLock::new(), waker: AtomicWaker::new() });
        all().push(Arc::clone(&call));
        Self(call)
    }

    /// Whether it is to end for another tenant; its task is woken then.
    pub(crate) fn ended(&self, cx: &Context<'_>) -> Option<Ended> {
        self.0.waker.register(cx.waker());
        self.0.ended.get().copied()
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        let mut all = all();
        if let Some(index) = all.iter().position(|call| Arc::ptr_eq(call, &self.0)) {
            all.swap_remove(index);
        }
    }
}

/// Ends the longest wait of the tenant that holds most slots, if it holds so many more than this account that
/// one less is still no fewer.
pub(crate) fn end_longest_wait(account: &TenantAccount) {
    let fair = account.slots.held().saturating_add(2);
    let all = all();
    let waits = all.iter().filter(|call| call.ended.get().is_none()).filter_map(|call| {
        let blocked = call.meter.blocked().filter(|blocked| *blocked >= LONG)?;
        let held = call.account.slots.held();
        (held >= fair).then_some((held, blocked, call))
    });
    let Some((held, waited, call)) = waits.max_by_key(|(held, blocked, _)| (*held, *blocked)) else { return };
    if call.ended.set(Ended { held, waited }).is_ok() {
        call.waker.wake();
    }
}
