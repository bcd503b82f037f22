//! Instance slots of the pooling allocator: permits to have an instance, over all tenants of the process.

use super::semaphore::FairSemaphore;
use crate::limits::{INSTANCE_SLOTS, KEPT_SLOTS};
use std::sync::{Arc, OnceLock};

/// The slots of this process. Without credit: a slot is held for long, so a head start has no value.
pub(crate) fn instance_slots() -> &'static Arc<FairSemaphore> {
    static SLOTS: OnceLock<Arc<FairSemaphore>> = OnceLock::new();
    SLOTS.get_or_init(|| FairSemaphore::keeping(INSTANCE_SLOTS as usize, KEPT_SLOTS as usize))
}
