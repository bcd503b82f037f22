//! What is going on in the current call: its deadline, and whether the change that is being made may have been
//! carried out.

use std::cell::Cell;

use crate::{Error, host, http};

/// The part of its time at the end of a call in which no new change is begun: an eighth, at most so many
/// milliseconds. An answer that comes too late tells nothing, and every change of the order has an unknown fate.
const LONGEST_REST: u64 = 10_000;

thread_local! {
    /// When the call should be over, by the monotonic clock of the host in milliseconds.
    static OVER: Cell<u64> = const { Cell::new(u64::MAX) };
    static WRITTEN: Cell<bool> = const { Cell::new(false) };
}

/// A call begins that may take so many milliseconds.
pub(crate) fn begin(deadline: u64) {
    OVER.set(host::milliseconds().saturating_add(deadline - (deadline / 8).min(LONGEST_REST)));
    WRITTEN.set(false);
}

/// Whether too little time is left to begin anything.
pub(crate) fn is_short() -> bool {
    host::milliseconds() >= OVER.get()
}

/// The next change begins.
pub(crate) fn begin_change() {
    WRITTEN.set(false);
}

/// A request that may write has ended like this.
pub(crate) fn sent(ended: &Result<http::Response, Error>) {
    if !turned_away(ended) {
        WRITTEN.set(true);
    }
}

/// Whether the change that was begun last may have been carried out, at least in part.
pub(crate) fn may_have_written() -> bool {
    WRITTEN.get()
}

/// Whether a request was certainly not carried out: refused for what it is (4xx, RFC 9110), or never sent. 408 and 5xx
/// say that something went wrong, not when.
pub(crate) fn turned_away(ended: &Result<http::Response, Error>) -> bool {
    match ended {
        Ok(response) => (400..500).contains(&response.status()) && response.status() != 408,
        Err(error) => error.is_unsent(),
    }
}
