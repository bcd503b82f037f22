//! Measuring wall and CPU time.

use nix::time::{ClockId, clock_gettime};
use serde::Serialize;
use std::time::Instant;

/// A duration, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Took {
    /// Wall time.
    pub wall: f64,
    /// CPU time over all threads of this process: steadier on a busy machine.
    pub cpu: f64,
}

impl std::ops::AddAssign for Took {
    fn add_assign(&mut self, other: Self) {
        self.wall += other.wall;
        self.cpu += other.cpu;
    }
}

/// A stopwatch.
#[derive(Debug)]
pub(crate) struct Watch {
    wall: Instant,
    cpu: f64,
}

fn cpu() -> f64 {
    // Where a system has no such clock, the figure is left at 0.
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)
        .map_or(0.0, |now| now.tv_sec() as f64 + now.tv_nsec() as f64 * 1e-9)
}

impl Watch {
    /// Starts a stopwatch.
    pub(crate) fn start() -> Self {
        Self { cpu: cpu(), wall: Instant::now() }
    }

    /// The time since the start.
    pub(crate) fn took(&self) -> Took {
        Took { wall: self.wall.elapsed().as_secs_f64(), cpu: cpu() - self.cpu }
    }
}

/// The median, by wall time.
pub fn median(mut times: Vec<Took>) -> Took {
    times.sort_by(|a, b| a.wall.total_cmp(&b.wall));
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// The median of several runs of something quick.
pub(crate) fn repeat(times: usize, mut run: impl FnMut()) -> Took {
    let timed = |_| {
        let watch = Watch::start();
        run();
        watch.took()
    };
    median((0..times).map(timed).collect())
}
