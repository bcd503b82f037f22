//! The numbers of the engine, with their reasons.

use std::time::Duration;

/// Rows asked for in one page: enough that a call's cost vanishes, few enough that a page of wide rows stays
/// within the limits of a plugin.
pub(super) const PAGE_ROWS: u32 = 500;

/// Changes in one order where the side names no size: what most remote systems take in one call.
pub(super) const ORDER_CHANGES: u32 = 100;

/// Pairs that are reconciled in one transaction: enough that a commit's cost vanishes, few enough to be held
/// in memory.
pub(super) const RECONCILE_PAIRS: usize = 1000;

/// Records that are looked up or fetched by id in one call: identifiers often travel in a URL.
pub(super) const LOOKUP_RECORDS: usize = 100;

/// How long a lease lasts unless renewed: longer than any single call to a side may take.
pub(super) const LEASE: Duration = Duration::from_secs(180);

/// How often a run that waits for another one looks again.
pub(super) const LEASE_POLL: Duration = Duration::from_secs(1);

/// Pauses in a run are at most this long; what must wait longer is pending work.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The first pause where the remote system names none; each further one is twice as long.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// How often one call is asked again while the remote system is down. Being told to slow down is not counted.
pub(super) const UNAVAILABLE_TRIES: u32 = 4;

/// How often one call is asked again while the remote system says «slow down».
pub(super) const RATE_LIMITED_TRIES: u32 = 30;

/// How long a request may still be carried out after the program that sent it was killed.
pub(super) const IN_FLIGHT: Duration = Duration::from_secs(30);

/// How often a change that met a newer record is decided again in one run.
pub(super) const PASSES: u32 = 3;

/// How deep parents that nobody reported are followed in one run.
pub(super) const PARENT_DEPTH: u32 = 8;

/// Where a remote system gives no bookmark, the next window begins this much before the last read: late
/// commits and clocks that do not agree.
pub(super) const WINDOW_OVERLAP: Duration = Duration::from_secs(600);

/// How often a failed change is tried again by itself. After that the record waits for the operator, or for
/// an edit.
const FAILED_TRIES: u32 = 6;

/// How long a failed change waits before it is tried again: a minute, then four times as long each time (up
/// to 17 hours), and up to a quarter more by chance, so that not everything comes back at one moment. `None`:
/// not by itself any more.
pub(super) fn retry_pause(attempts: u32, chance: u128) -> Option<Duration> {
    if attempts > FAILED_TRIES {
        return None;
    }
    let pause = Duration::from_secs(60) * 4u32.pow(attempts.saturating_sub(1));
    Some(pause + pause.mul_f64((chance % 1000) as f64 / 4000.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        assert_eq!(retry_pause(1, 0), Some(Duration::from_secs(60)));
        assert_eq!(retry_pause(2, 0), Some(Duration::from_secs(240)));
        assert!(
            retry_pause(2, 999)
                .is_some_and(|pause| pause > Duration::from_secs(240) && pause < Duration::from_secs(300))
        );
        assert!(retry_pause(FAILED_TRIES, 0).is_some_and(|pause| pause < Duration::from_secs(24 * 3600)));
        assert_eq!(retry_pause(FAILED_TRIES + 1, 0), None);
    }
}
