//! Start-time fair queueing over tenants: which call computes next, which tenant gets a slot of the pool, and
//! the account of each tenant.

pub(crate) mod account;
pub(crate) mod cpu;
mod queue;
pub(crate) mod semaphore;
pub(crate) mod slots;
