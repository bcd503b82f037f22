//! What could not be compiled lately, and why: another try with the same limits would end the same way, after as
//! much work. Forgotten after a while, with the process, and where a limit is another one.

use super::compiler::CompileError;
use crate::limits::{LimitReached, Limits};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a failure is known: far longer than the try took, and short enough for a machine that was the reason.
const KEPT: Duration = Duration::from_secs(600);
/// How many are known; then the oldest is forgotten.
const MOST: usize = 256;

/// The digest of the plugin, and the limits on compiling it.
type Key = (String, [u64; 3]);

/// Failures by plugin and limits.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    known: Mutex<HashMap<Key, (Arc<CompileError>, Instant)>>,
}

fn key(digest: &str, limits: &Limits) -> Key {
    (digest.to_owned(), [limits.compile_time, limits.compile_memory, limits.compiled_bytes])
}

impl Failures {
    /// The failure of this plugin within these limits, if it is known.
    pub(crate) fn get(&self, digest: &str, limits: &Limits, now: Instant) -> Option<CompileError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (_, since)| now.saturating_duration_since(*since) < KEPT);
        let (error, since) = known.get(&key(digest, limits))?;
        let again = KEPT.saturating_sub(now.saturating_duration_since(*since));
        let error = match &**error {
            // Whose limit it was is nobody else's business: it is told as the one of who asks, which is the same.
            CompileError::Limit(limit) => Arc::new(CompileError::Limit(LimitReached {
                tenant: Arc::clone(&limits.tenant),
                ..limit.clone()
            })),
            _ => Arc::clone(error),
        };
        Some(CompileError::Known { error, again })
    }

    /// Notes a failure, if another try would end the same way.
    pub(crate) fn note(&self, digest: &str, limits: &Limits, error: &CompileError, now: Instant) {
        let Some(error) = error.lasting() else { return };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(key(digest, limits), (Arc::new(error), now));
        if known.len() > MOST
            && let Some(oldest) =
                known.iter().min_by_key(|(_, (_, since))| *since).map(|(key, _)| key.clone())
        {
            known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x3_a_failure_is_known_for_a_while_and_for_its_limits_alone() {
        let (failures, limits, now) = (Failures::default(), Limits::default(), Instant::now());
        assert!(failures.get("a", &limits, now).is_none());
        failures.note("a", &limits, &CompileError::Limit(limits.compile_time(None)), now);
        let known = failures.get("a", &limits, now + Duration::from_secs(61)).unwrap();
        insta::assert_snapshot!(known, @"the plugin was not compiled: limit compile-time of 60 s reached (as before; it is tried again in 9 min, or with other limits)");
        assert_eq!(known.limit().unwrap().name, "compile-time", "with its remedies");
        let other = Limits { tenant: "other".into(), ..limits.clone() };
        let known = failures.get("a", &other, now).unwrap();
        assert_eq!(&*known.limit().unwrap().tenant, "other", "nobody is told who it was that tried");
        assert!(failures.get("b", &limits, now).is_none());
        let more = Limits { compile_time: 120_000, ..Limits::default() };
        assert!(failures.get("a", &more, now).is_none());
        assert!(failures.get("a", &limits, now + KEPT).is_none(), "it is forgotten");

        failures.note("a", &limits, &CompileError::Slow(limits.compile_time(None)), now);
        failures.note("a", &limits, &CompileError::Killed { said: String::new() }, now);
        assert!(failures.get("a", &limits, now).is_none(), "the machine may have been the reason");
        for number in 0..2 * MOST as u64 {
            let error = CompileError::Invalid(String::new());
            failures.note(&number.to_string(), &limits, &error, now + Duration::from_millis(number));
        }
        assert_eq!(failures.known.lock().unwrap().len(), MOST);
        assert!(failures.get("0", &limits, now).is_none());
    }
}
