//! Start-time fair queueing over tenants: who computes next, who gets a slot of the pool, and the account of
//! each tenant.

pub(crate) mod account;
pub(crate) mod schedule;
pub(crate) mod shares;
pub(crate) mod turns;
