//! The effects of a history: numbered, hashed for reproducibility, and used as crash points.

use crate::dice::lock;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

/// Counts and hashes the engine's effects on the outside world.
#[derive(Debug)]
pub(crate) struct Tape(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    effects: u64,
    faults: BTreeMap<&'static str, u64>,
    hash: u64,
    stop_at: Option<u64>,
    stopped: bool,
    print: bool,
    /// The lines that tell the story: of people, runs, crashes and faults.
    story: Vec<String>,
}

impl Tape {
    pub(crate) fn new(print: bool) -> Self {
        // The offset basis of FNV-1a.
        Self(Mutex::new(Inner {
            effects: 0,
            faults: BTreeMap::new(),
            hash: 0xcbf2_9ce4_8422_2325,
            stop_at: None,
            stopped: false,
            print,
            story: Vec::new(),
        }))
    }

    /// Adds a line to the trace.
    pub(crate) fn note(&self, line: fmt::Arguments<'_>) {
        let mut inner = lock(&self.0);
        let text = line.to_string();
        for byte in text.bytes().chain([b'\n']) {
            inner.hash = (inner.hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        if ["user:", "run", "no run", "-- ", "== ", "   fault"].iter().any(|start| text.starts_with(start)) {
            inner.story.push(text.clone());
        }
        if inner.print {
            eprintln!("{:>6} {text}", inner.effects);
        }
    }

    /// An effect has happened. At the crash point this never returns.
    pub(crate) async fn effect(&self, what: String) {
        if self.count(&what) {
            std::future::pending::<()>().await;
        }
    }

    /// Counts an effect. Returns whether it is the crash point.
    fn count(&self, what: &str) -> bool {
        let stop = {
            let mut inner = lock(&self.0);
            inner.effects += 1;
            inner.stopped = inner.stop_at == Some(inner.effects);
            inner.stopped
        };
        self.note(format_args!("{what}"));
        if stop {
            self.note(format_args!("-- stopped dead"));
        }
        stop
    }

    /// A fault has happened: its kind, and what happened.
    pub(crate) fn fault(&self, kind: &'static str, what: fmt::Arguments<'_>) {
        *lock(&self.0).faults.entry(kind).or_default() += 1;
        self.note(format_args!("   fault: {what}"));
    }

    /// Sets the crash point, in effects from now.
    pub(crate) fn stop_after(&self, effects: Option<u64>) {
        let mut inner = lock(&self.0);
        inner.stop_at = effects.map(|effects| inner.effects + effects);
        inner.stopped = false;
    }

    pub(crate) fn stopped(&self) -> bool {
        lock(&self.0).stopped
    }

    pub(crate) fn effects(&self) -> u64 {
        lock(&self.0).effects
    }

    /// The faults that have happened, by kind.
    pub(crate) fn faults(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.0).faults.clone()
    }

    /// The story so far.
    pub(crate) fn story(&self) -> Vec<String> {
        lock(&self.0).story.clone()
    }

    pub(crate) fn hash(&self) -> u64 {
        lock(&self.0).hash
    }
}

/// Drives a future that never waits for anything outside the simulation; `None` if it reached the crash
/// point.
pub(crate) fn drive<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
