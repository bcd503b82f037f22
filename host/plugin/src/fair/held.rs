//! One account for all memory of a running plugin: its linear memories and tables, and everything that the host
//! holds for it — bodies, headers, texts, answers that are read ahead, state, results under way.
//!
//! What is held is taken from the account before it is allocated, and given back when its [`Reservation`] is
//! dropped, which lives as long as what it stands for. Both the plugin's limit `memory-bytes` and the tenant's
//! `tenant-memory-bytes` apply. Sizes are counted as they are held, with an allowance for what allocators, tables and
//! maps add.

use super::account::TenantAccount;
use crate::limits::{LimitReached, Limits};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The allowance for a thing of its own: its allocation, its entry in a table, the handles that lead to it.
pub(crate) const ENTRY: u64 = 512;

/// The smallest buffer.
const SMALLEST: usize = 4 << 10;

/// The account of one running plugin. Clones are the same account.
#[derive(Debug, Clone)]
pub(crate) struct Held(Arc<Account>);

#[derive(Debug)]
struct Account {
    limits: Limits,
    tenant: Arc<TenantAccount>,
    used: AtomicU64,
}

impl Held {
    pub(crate) fn new(limits: Limits, tenant: Arc<TenantAccount>) -> Self {
        Self(Arc::new(Account { limits, tenant, used: AtomicU64::new(0) }))
    }

    /// Takes memory that the host is about to allocate for the plugin.
    ///
    /// # Errors
    /// The limits `memory-bytes` and `tenant-memory-bytes`.
    pub(crate) fn take(&self, bytes: u64) -> Result<Reservation, LimitReached> {
        let mut reservation = self.nothing();
        reservation.grow(bytes)?;
        Ok(reservation)
    }

    /// A reservation that will grow.
    pub(crate) fn nothing(&self) -> Reservation {
        Reservation { held: self.clone(), bytes: 0, own: false }
    }

    /// A reservation that grows with the plugin's own memories.
    pub(crate) fn own(&self) -> Reservation {
        Reservation { held: self.clone(), bytes: 0, own: true }
    }

    #[cfg(test)]
    pub(crate) fn used(&self) -> u64 {
        self.0.used.load(Ordering::Relaxed)
    }

    fn charge(&self, bytes: u64, own: bool) -> Result<(), LimitReached> {
        let account = &*self.0;
        let most = account.limits.memory_bytes;
        let more = |used: u64| used.checked_add(bytes).filter(|total| *total <= most);
        account
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .map_err(|used| account.limits.memory_bytes(Some(used.saturating_add(bytes))))?;
        let taken = account.tenant.take_memory(bytes, own);
        if taken.is_err() {
            account.used.fetch_sub(bytes, Ordering::Relaxed);
        }
        taken
    }

    fn give_back(&self, bytes: u64, own: bool) {
        // Never below zero: a reservation gives back what it has taken.
        self.0.used.fetch_sub(bytes, Ordering::Relaxed);
        self.0.tenant.give_memory_back(bytes, own);
    }
}

/// Memory that was taken from an account; it is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    held: Held,
    bytes: u64,
    /// Whether it stands for the plugin's own memories.
    own: bool,
}

impl Reservation {
    /// Takes more.
    ///
    /// # Errors
    /// The limits `memory-bytes` and `tenant-memory-bytes`; nothing is taken then.
    pub(crate) fn grow(&mut self, more: u64) -> Result<(), LimitReached> {
        self.held.charge(more, self.own)?;
        self.bytes = self.bytes.saturating_add(more);
        Ok(())
    }

    pub(crate) fn shrink(&mut self, less: u64) {
        let less = less.min(self.bytes);
        self.bytes -= less;
        self.held.give_back(less, self.own);
    }

    /// Takes what is missing, or gives back what is too much.
    ///
    /// # Errors
    /// As [`Reservation::grow`].
    pub(crate) fn resize(&mut self, bytes: u64) -> Result<(), LimitReached> {
        match bytes.checked_sub(self.bytes) {
            Some(more) => self.grow(more),
            None => {
                self.shrink(self.bytes - bytes);
                Ok(())
            }
        }
    }

    /// Takes over what another one of the same account has taken.
    pub(crate) fn absorb(&mut self, mut other: Self) {
        self.bytes = self.bytes.saturating_add(std::mem::take(&mut other.bytes));
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.held.give_back(self.bytes, self.own);
    }
}

pub(crate) fn bytes_of(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

/// Bytes that the host holds for a plugin. They count as long as any part of them is there.
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    reserved: Reservation,
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Buffer {
    /// # Errors
    /// As [`Held::take`].
    pub(crate) fn new(held: &Held) -> Result<Self, LimitReached> {
        Ok(Self { bytes: Vec::new(), reserved: held.take(ENTRY)? })
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Appends a copy.
    ///
    /// # Errors
    /// As [`Held::take`].
    pub(crate) fn extend(&mut self, more: &[u8]) -> Result<(), LimitReached> {
        let needed = self.bytes.len().saturating_add(more.len());
        if needed > self.bytes.capacity() {
            let capacity = needed.max(self.bytes.capacity().saturating_mul(2)).max(SMALLEST);
            // For a moment there are both, the old one and the new one.
            self.reserved.grow(bytes_of(capacity))?;
            let mut bytes = Vec::with_capacity(capacity);
            bytes.extend_from_slice(&self.bytes);
            self.reserved.shrink(bytes_of(self.bytes.capacity()));
            self.bytes = bytes;
        }
        self.bytes.extend_from_slice(more);
        Ok(())
    }

    /// The same account with other bytes.
    ///
    /// # Errors
    /// As [`Held::take`].
    pub(crate) fn replaced(mut self, bytes: Vec<u8>) -> Result<Self, LimitReached> {
        self.bytes = bytes;
        self.reserved.resize(ENTRY + bytes_of(self.bytes.capacity()))?;
        Ok(self)
    }

    /// As bytes that are passed on; the memory is given back when the last part of them is gone.
    pub(crate) fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fair::account::TenantUse;

    fn account(own: u64, tenant: u64) -> (Held, Arc<TenantAccount>) {
        let limits = Limits { memory_bytes: own, tenant_memory_bytes: tenant, ..Limits::default() };
        let tenant = Arc::new(TenantAccount::new("acme", &limits));
        (Held::new(limits, Arc::clone(&tenant)), tenant)
    }

    #[test]
    fn x1_what_is_held_is_taken_before_and_given_back_after() {
        let (held, tenant) = account(100, 1000);
        let mut own = held.own();
        own.grow(40).unwrap();
        let mut kept = held.take(50).unwrap();
        assert_eq!((held.used(), tenant.used().memory, tenant.used().held), (90, 90, 50));
        let error = held.take(11).unwrap_err();
        assert_eq!((error.name, error.asked), ("memory-bytes", Some(101)));
        assert_eq!(kept.grow(11).unwrap_err().name, "memory-bytes");
        assert_eq!((kept.bytes, held.used()), (50, 90), "what failed has taken nothing");
        kept.resize(60).unwrap();
        kept.resize(10).unwrap();
        assert_eq!((held.used(), tenant.used().held), (50, 10));
        drop((own, kept));
        assert_eq!((held.used(), tenant.used()), (0, TenantUse::default()));
    }

    #[test]
    fn x1_what_the_tenant_has_not_is_not_taken_from_the_plugin_either() {
        let (held, tenant) = account(100, 60);
        let kept = held.take(50).unwrap();
        assert_eq!(held.take(11).unwrap_err().name, "tenant-memory-bytes");
        assert_eq!((held.used(), tenant.used().memory), (50, 50));
        drop(kept);
        assert_eq!((held.used(), tenant.used().memory), (0, 0));
    }

    #[test]
    fn x1_bytes_count_as_long_as_a_part_of_them_is_there() {
        let (held, tenant) = account(1 << 20, 1 << 20);
        let mut buffer = Buffer::new(&held).unwrap();
        for _ in 0..5000 {
            buffer.extend(b"x").unwrap();
        }
        assert_eq!(held.used(), ENTRY + 8192, "what is held, and not what is used of it");
        let mut whole = buffer.freeze();
        let part = whole.split_off(4999);
        drop(whole);
        assert_eq!((part.len(), held.used()), (1, ENTRY + 8192));
        drop(part);
        assert_eq!(tenant.used(), TenantUse::default());
        let mut large = Buffer::new(&held).unwrap();
        assert_eq!(large.extend(&vec![0; 2 << 20]).unwrap_err().name, "memory-bytes");
    }
}
