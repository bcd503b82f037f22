//! Look-up, with a lagging search index: it has records as they were a while ago.

use super::{Remote, Stored};
use crate::dice::lock;
use crate::schema::{IDENTIFIER, Words, columns};
use entente_core::{Kind, Value, canonical_identifier};
use entente_sync::{ExchangeError, Query, codes};

impl Stored {
    /// The identifier that an index from this time has of the record.
    fn indexed(&self, at: i64) -> Option<&Value> {
        if self.created.micros() > at || self.gone.is_some_and(|gone| gone <= at) {
            return None;
        }
        let former = self.former.iter().find(|(until, _)| *until > at);
        Some(former.map_or(&self.values[IDENTIFIER], |(_, value)| value))
    }
}

impl Remote {
    pub(super) fn look_up(&self, query: &Query) -> Result<Vec<Vec<String>>, ExchangeError> {
        self.refuse("find")?;
        let Some(object) = Words::Remote.read_object(&query.object) else {
            return Err(ExchangeError::new(codes::UNSUPPORTED, "no such object"));
        };
        let lag = i64::try_from(self.manners.search_lag.as_micros()).unwrap_or(i64::MAX);
        let now = self.clock.time().micros();
        let from_the_start = (*lock(&self.begun) - lag).min(now - lag);
        let state = lock(&self.state);
        let kind = &columns(object)[IDENTIFIER].kind;
        // The simulated mappings have one identifier.
        let found = query.keys.iter().map(|key| {
            let mut ids = Vec::new();
            for (id, record) in &state.objects[object] {
                let hit = |at: i64| is_of(kind, key, record.indexed(at));
                let (truth, told) = (hit(now), hit(now - lag));
                if told {
                    ids.push(id.clone());
                }
                if truth != told {
                    let what = if truth { "does not find" } else { "still finds" };
                    self.tape.fault(LATE, format_args!("{} {what} {id} by {key:?}", self.name));
                } else if truth != hit(from_the_start) {
                    self.tape.fault(WAITED, format_args!("{} tells the truth of {id} by now", self.name));
                }
            }
            ids
        });
        Ok(found.collect())
    }
}

/// The index had a record not yet, or still, or as it was.
const LATE: &str = "late search index";

/// It was late when the run began, and no longer when it was asked.
const WAITED: &str = "late search index, waited for";

/// Whether a record with this identifier is meant by a key.
fn is_of(kind: &Kind, key: &[Option<Value>], identifier: Option<&Value>) -> bool {
    let text = |value: &Value| canonical_identifier(kind, value);
    let wanted = key.iter().flatten().find_map(text);
    wanted.is_some() && wanted == identifier.and_then(text)
}
