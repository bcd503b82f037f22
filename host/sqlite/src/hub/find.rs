//! Look-up: records by the values of their identifier fields.

use super::Hub;
use super::error::HubError;
use super::records;
use super::schema::ObjectSchema;
use entente_core::{Value, canonical_identifier};
use entente_sync::{ExchangeError, Query, codes};
use rusqlite::Connection;

/// The limit of ids found per key: more candidates than this are never chosen from.
const MOST_FOUND: usize = 1000;

impl Hub {
    /// For each key, the ids that it identifies, in ascending order.
    pub(super) fn look_up(
        &self,
        connection: &Connection,
        query: &Query,
    ) -> Result<Vec<Vec<String>>, ExchangeError> {
        let schema = self.schema(connection)?;
        let object = schema.require(&query.object)?;
        let mut fields = Vec::with_capacity(query.fields.len());
        for name in &query.fields {
            let index = object.require(name)?;
            if !object.definition.fields[index].identifier {
                let reason = format!(
                    "{} cannot be found by '{name}': it is no identifier; define it as one",
                    object.name()
                );
                return Err(ExchangeError::new(codes::UNSUPPORTED, reason));
            }
            fields.push(index);
        }
        let mut found = Vec::with_capacity(query.keys.len());
        for key in &query.keys {
            let values: Vec<(usize, &Value)> = fields
                .iter()
                .zip(key)
                .filter_map(|(index, value)| value.as_ref().map(|value| (*index, value)))
                .collect();
            let ids = matching(connection, object, &values, query.all)?;
            found.push(ids.into_iter().map(|id| id.to_string()).collect());
        }
        Ok(found)
    }
}

/// The records that match all of these values, or any of them. A value that identifies nothing matches
/// nothing.
pub(super) fn matching(
    connection: &Connection,
    object: &ObjectSchema,
    values: &[(usize, &Value)],
    all: bool,
) -> Result<Vec<i64>, HubError> {
    let mut ids: Option<Vec<i64>> = None;
    for (index, value) in values {
        let kind = &object.definition.fields[*index].kind;
        let these = match canonical_identifier(kind, value) {
            Some(canonical) => records::by_key(connection, object, *index, &canonical, MOST_FOUND)?,
            None => Vec::new(),
        };
        ids = Some(match ids {
            None => these,
            Some(mut ids) if all => {
                ids.retain(|id| these.contains(id));
                ids
            }
            Some(mut ids) => {
                ids.extend(these);
                ids
            }
        });
    }
    let mut ids = ids.unwrap_or_default();
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}
