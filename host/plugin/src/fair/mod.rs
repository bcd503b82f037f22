//! Start-time fair queueing over tenants: permits to compute, instance slots, and the account of each tenant.

pub(crate) mod account;
pub(crate) mod cpu;
mod queue;
pub(crate) mod semaphore;
pub(crate) mod slots;
