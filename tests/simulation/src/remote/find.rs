//! Look-up, with a lagging search index.

use super::Remote;
use crate::dice::lock;
use crate::schema::{Words, columns};
use entente_core::canonical_identifier;
use entente_sync::{ExchangeError, Query, codes};

impl Remote {
    pub(super) fn look_up(&self, query: &Query) -> Result<Vec<Vec<String>>, ExchangeError> {
        self.refuse("find")?;
        let Some(object) = Words::Remote.read_object(&query.object) else {
            return Err(ExchangeError::new(codes::UNSUPPORTED, "no such object"));
        };
        let lag = i64::try_from(self.manners.search_lag.as_micros()).unwrap_or(i64::MAX);
        let indexed = self.clock.time().micros() - lag;
        let state = lock(&self.state);
        let mut found = Vec::new();
        for key in &query.keys {
            let mut ids = Vec::new();
            for (id, record) in state.objects[object].iter().filter(|(_, record)| !record.deleted) {
                let mut hits = query.fields.iter().zip(key).filter_map(|(name, value)| {
                    let field = Words::Remote.read_field(object, name)?;
                    let kind = &columns(object)[field].kind;
                    let wanted = canonical_identifier(kind, value.as_ref()?);
                    Some(wanted.is_some() && wanted == canonical_identifier(kind, &record.values[field]))
                });
                let matches = if query.all { hits.all(|hit| hit) } else { hits.any(|hit| hit) };
                if matches && record.created.micros() > indexed {
                    self.tape
                        .fault("late search index", format_args!("{} does not find {id} yet", self.name));
                } else if matches {
                    ids.push(id.clone());
                }
            }
            found.push(ids);
        }
        Ok(found)
    }
}
