//! Limits of the engine: page and batch sizes, lease, timeouts, retries and backoff, each with its reason.

use std::time::Duration;

/// Page size in rows: large enough to amortise a call, small enough that a page of wide rows stays within the
/// limits of a plugin.
pub(super) const PAGE_ROWS: u32 = 500;
/// The most rows that a page is asked for, of a side that tells that it has such pages.
pub(super) const MOST_PAGE_ROWS: u32 = 1000;

/// Batch size of an order, in changes, where the side names none: what most remote systems accept in one
/// call.
pub(super) const ORDER_CHANGES: u32 = 100;

/// Pairs that are reconciled in one transaction: enough to amortise a commit, few enough to hold in memory.
pub(super) const RECONCILE_PAIRS: usize = 1000;

/// Records that are looked up or read by id in one call: small, since identifiers often travel in a URL.
pub(super) const LOOKUP_RECORDS: usize = 100;

/// Longest id, in bytes: it is part of indexes, of references and of what people read.
pub(super) const ID_BYTES: usize = 2048;

/// Time to live of a lease unless renewed: longer than any single call to a side may take.
pub(super) const LEASE: Duration = Duration::from_secs(180);

/// Polling interval of a run that waits for the lease.
pub(super) const LEASE_POLL: Duration = Duration::from_secs(1);

/// Longest pause within a run; what must wait longer becomes pending work for a later run.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Notices of a run beyond which answers against the interface are no longer counted by object.
pub(super) const MOST_NOTICES: usize = 100;

/// Notices of a run about failures of calls, in the words of a plugin.
pub(super) const MOST_SAID: usize = 20;

/// Grace period of a stop: for how long a call to a side that is under way may go on. What it was to write is found out by the
/// next run then, as after a lost answer.
pub(super) const STOP_GRACE: Duration = Duration::from_secs(10);

/// Exponential backoff within a run: the first pause, where the remote system names none. Each further one
/// doubles.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Retries of one call while the remote system is unavailable. Rate limiting has its own count.
pub(super) const UNAVAILABLE_TRIES: u32 = 4;

/// Retries of one call while the remote system limits the rate.
pub(super) const RATE_LIMITED_TRIES: u32 = 30;

/// How long the remote system may still process a request after the program that sent it was killed.
pub(super) const IN_FLIGHT: Duration = Duration::from_secs(30);

/// When a run says that deferred changes have been open for long: jobs of bulk interfaces are done within a day.
pub(super) const TICKET_AGE: Duration = Duration::from_secs(24 * 3600);

/// Longest wait for a page that the side is preparing; then it is asked again.
pub(super) const LONGEST_PAGE_WAIT: Duration = Duration::from_secs(3600);

/// Passes of reconcile and execute in one run: a change that met a newer record is decided again in the next
/// one.
pub(super) const PASSES: u32 = 3;

/// How many levels of unreported parents are fetched in one run.
pub(super) const PARENT_DEPTH: u32 = 8;

/// Overlap of windows where a remote system gives no bookmark: the next window starts this long before the
/// watermark, for late commits and clock skew.
pub(super) const WINDOW_OVERLAP: Duration = Duration::from_secs(600);

/// Clock skew that is not told: a time may be this far ahead of its arrival. It counts as an upper bound all the same.
pub(super) const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// Fields of pairs that a one-time trust is kept for by name, once a run has settled the others. With more it stays as it
/// is.
pub(super) const OPEN_TRUST: usize = 10_000;

/// Automatic retries of a failed change over later runs. After that the record waits for an edit or the
/// operator.
const FAILED_TRIES: u32 = 6;

/// Exponential backoff with jitter between runs: a failed change waits a minute, then four times as long each
/// time (up to 17 hours), plus up to a quarter at random, so that retries do not come back at one moment.
/// `None`: no retry by itself any more.
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
