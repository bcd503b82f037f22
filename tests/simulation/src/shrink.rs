//! Shrinking: the fewest steps of a history that still fail in the same way.

use crate::history::{Settings, run_without};
use crate::verdict::Verdict;
use std::collections::BTreeSet;

/// Reduces a failing history by leaving out steps (delta debugging): halves first, then ever smaller parts,
/// until no single step can go. Returns the verdict on what is left, and how many steps that are. A history
/// that fails in the same way has a violation of the same kind and of the same invariant as the first one.
pub fn shrink(verdict: Verdict, settings: Settings) -> (Verdict, usize) {
    let Some(first) = verdict.violations.first() else {
        let steps = verdict.steps;
        return (verdict, steps);
    };
    let way = (first.word, first.invariant);
    let (seed, steps) = (verdict.seed, verdict.steps);
    let mut best = verdict;
    let mut without = BTreeSet::new();
    let mut size = (steps / 2).max(1);
    loop {
        let mut gone = false;
        let kept: Vec<usize> = (0..steps).filter(|step| !without.contains(step)).collect();
        for part in kept.chunks(size).rev() {
            let mut fewer = without.clone();
            fewer.extend(part);
            let verdict = run_without(seed, Settings { trace: false, ..settings }, &fewer);
            if verdict.violations.iter().any(|found| (found.word, found.invariant) == way) {
                (without, best, gone) = (fewer, verdict, true);
            }
        }
        match (size, gone) {
            (1, false) => {
                if settings.trace {
                    eprintln!("== what is left:");
                    run_without(seed, settings, &without);
                }
                return (best, steps - without.len());
            }
            (1, true) => {}
            _ => size = (size / 2).max(1),
        }
    }
}
