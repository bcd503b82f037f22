//! The clock of the host.

use crate::{Timestamp, host};

/// Now, by the clock of the host. For evidence take the times of the remote system: its clock may differ.
pub fn now() -> Timestamp {
    host::now()
}
