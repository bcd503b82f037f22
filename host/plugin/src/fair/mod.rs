//! Start-time fair queueing over tenants: permits to compute, instance slots, turns of the compiler, and the accounts of tenants and plugins.

pub(crate) mod account;
pub(crate) mod compiling;
pub(crate) mod cpu;
pub(crate) mod held;
mod queue;
pub(crate) mod semaphore;
pub(crate) mod slots;
