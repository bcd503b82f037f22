//! Erasure of one record of the hub: its values leave every table, in one transaction, and the files of the database hold none of
//! their bytes afterwards. Ids, times and counts stay.

mod mentions;

pub use mentions::{ERASED, Mentions};

use crate::hub::{Hub, HubError};
use crate::ledger::erase as erasure;
use crate::store::{Store, StoreError};
use entente_core::{Reference, Timestamp};
use entente_sync::{PairId, Side};
use rusqlite::{Connection, params};
use std::collections::BTreeSet;

/// Texts of others that may mention a record, as JSON or as they are: table, key, columns.
const SAID: &[(&str, &str, &[&str])] = &[
    ("run", "id", &["options", "error", "counts", "notices", "remedies"]),
    ("pair", "id", &["reason_data", "differing"]),
    ("change", "id", &["reason_data"]),
    ("conflict", "id", &["reason_data"]),
    ("integration_health", "integration", &["reason"]),
];

/// Why a record cannot be erased; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// Its counterparts are still there, and would be read again.
    #[error("its counterparts are still there")]
    Counterparts(Vec<(String, Reference)>),
    /// An order for it was sent, and what became of it is not known.
    #[error("an order for it is under way")]
    UnderWay,
    /// What lies beside the database could not be masked.
    #[error("what was logged cannot be masked: {0}")]
    Beside(std::io::Error),
    /// The hub has no such record, or fails.
    #[error(transparent)]
    Hub(#[from] HubError),
}

impl From<StoreError> for EraseError {
    fn from(error: StoreError) -> Self {
        EraseError::Hub(error.into())
    }
}

impl From<rusqlite::Error> for EraseError {
    fn from(error: rusqlite::Error) -> Self {
        StoreError::from(error).into()
    }
}

/// What was erased, in numbers.
#[derive(Debug)]
pub struct Erased {
    /// Links with records of other systems, with what each side had last.
    pub pairs: u64,
    /// Changes in the history of runs.
    pub changes: u64,
    /// Conflicts, decided or not.
    pub conflicts: u64,
    /// Messages of runs and reasons in which a mention was masked.
    pub messages: u64,
    /// What plugins keep, by integration, and tokens of reports that mention it: only the plugin can read them.
    pub kept_by_plugins: Vec<String>,
    /// Other records of the hub with one of its identifiers.
    pub alike: Vec<String>,
    /// Lines of files beside the database in which a mention was masked.
    pub beside: u64,
}

/// What is erased, and where.
#[derive(Debug, Clone, Copy)]
pub struct Erasure<'a> {
    /// The name of the hub in relations.
    pub exchange: &'a str,
    /// The object.
    pub object: &'a str,
    /// The id.
    pub id: &'a str,
    /// The exchanges that are set up: a counterpart elsewhere is read by nobody.
    pub exchanges: &'a [String],
    /// Now.
    pub at: Timestamp,
}

/// A pair of a record: its relation, its number, and where the record stands in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairPlace {
    /// The relation.
    pub relation: String,
    /// The pair.
    pub pair: PairId,
    /// The side of the record.
    pub side: Side,
}

/// The pairs of a record of an exchange, in all relations.
///
/// # Errors
/// Where the database fails.
pub async fn pair_places(
    store: &Store,
    exchange: &str,
    object: &str,
    id: &str,
) -> Result<Vec<PairPlace>, StoreError> {
    let pairs = store.read(|connection| erasure::pairs_of(connection, exchange, object, id)).await?;
    let place = |of: erasure::PairOf| PairPlace { relation: of.relation, pair: of.pair.id, side: of.side };
    Ok(pairs.into_iter().map(place).collect())
}

/// Erases a record of the hub. The caller holds the leases of the relations that it is in. `beside` masks mentions in files beside the
/// database and returns in how many lines; it comes before the commit, since nobody knows what to look for after that.
///
/// # Errors
/// [`EraseError`]; then nothing was changed, and it can be done again. Where the file cannot be written anew, the record is erased, and
/// doing it again writes the file.
pub async fn erase(
    store: &Store,
    hub: &Hub,
    what: Erasure<'_>,
    beside: impl FnOnce(&Mentions) -> std::io::Result<u64> + Send,
) -> Result<Erased, EraseError> {
    let unit = store.begin().await?;
    let (mut erased, mentions) = erase_in(unit.connection(), hub, what)?;
    erased.beside = beside(&mentions).map_err(EraseError::Beside)?;
    unit.commit()?;
    store.rewrite().await?;
    Ok(erased)
}

fn erase_in(connection: &Connection, hub: &Hub, what: Erasure<'_>) -> Result<(Erased, Mentions), EraseError> {
    let Erasure { exchange, object, id, exchanges, at } = what;
    let pairs = erasure::pairs_of(connection, exchange, object, id)?;
    let standing: Vec<(String, Reference)> = pairs
        .iter()
        .filter_map(|of| {
            let (other, id) = (of.side.other(), of.standing()?.to_owned());
            Some((of.exchanges[other].clone(), Reference { object: of.objects[other].clone(), id }))
        })
        .filter(|(exchange, _)| exchanges.contains(exchange))
        .collect();
    if !standing.is_empty() {
        return Err(EraseError::Counterparts(standing));
    }
    if erasure::is_under_way(connection, &pairs)? {
        return Err(EraseError::UnderWay);
    }
    let Some(in_hub) = hub.erase_in(connection, object, id, at)? else {
        let (object, id) = (object.to_owned(), id.to_owned());
        return Err(HubError::NoRecord { object, id, deleted: false, kept: false }.into());
    };
    let in_ledger = erasure::erase(connection, exchange, object, id, &pairs)?;
    let mut values = in_hub.values;
    values.extend(in_ledger.values);
    let mentions = Mentions::of(&values, &in_ledger.ids);
    let erased = Erased {
        pairs: in_ledger.pairs,
        changes: in_ledger.changes,
        conflicts: in_ledger.conflicts,
        messages: mask_messages(connection, &mentions)?,
        kept_by_plugins: kept_by_plugins(connection, &mentions)?,
        alike: in_hub.alike,
        beside: 0,
    };
    Ok((erased, mentions))
}

/// Masks mentions in what others have said. Returns how many texts had any.
fn mask_messages(connection: &Connection, mentions: &Mentions) -> Result<u64, EraseError> {
    let mut masked = 0;
    for (table, key, columns) in SAID {
        for column in *columns {
            let found = {
                let mut statement = connection.prepare(&format!(
                    "SELECT CAST({key} AS TEXT), {column} FROM {table} WHERE {column} IS NOT NULL"
                ))?;
                let mut rows = statement.query([])?;
                let mut found: Vec<(String, String)> = Vec::new();
                while let Some(row) = rows.next()? {
                    let text = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
                    found.extend(
                        mentions
                            .mask_json(text)
                            .map(|text| Ok::<_, rusqlite::Error>((row.get(0)?, text)))
                            .transpose()?,
                    );
                }
                found
            };
            let mut update = connection
                .prepare(&format!("UPDATE {table} SET {column} = ?2 WHERE CAST({key} AS TEXT) = ?1"))?;
            for (key, text) in found {
                masked += update.execute(params![key, text])? as u64;
            }
        }
    }
    Ok(masked)
}

/// The integrations whose plugins keep a mention, and the syncs whose reports stand at a token that holds one.
fn kept_by_plugins(connection: &Connection, mentions: &Mentions) -> Result<Vec<String>, EraseError> {
    let mut kept = BTreeSet::new();
    for query in [
        "SELECT exchange, CAST(key AS BLOB) || value FROM state",
        "SELECT sync, CAST(place AS BLOB) FROM progress",
    ] {
        let mut statement = connection.prepare(query)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let bytes = row.get_ref(1)?.as_bytes().map_err(rusqlite::Error::from)?;
            if mentions.is_in(bytes) {
                kept.insert(row.get(0)?);
            }
        }
    }
    Ok(kept.into_iter().collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use entente_core::Value;
    use entente_sync::SystemClock;
    use std::sync::Arc;

    fn what<'a>(id: &'a str, exchanges: &'a [String]) -> Erasure<'a> {
        Erasure { exchange: "hub", object: "contact", id, exchanges, at: Timestamp::from_micros(7) }
    }

    #[tokio::test]
    async fn an_erasure_whose_log_lines_cannot_be_masked_changes_nothing_and_can_be_done_again() {
        let store = Store::in_memory().unwrap();
        let hub = Hub::new(store.clone(), Arc::new(SystemClock));
        let values = |name: &str| {
            let texts = [("first_name", name), ("email", "ann@x.example")];
            texts.map(|(field, text)| (field.to_owned(), Value::text(text))).to_vec()
        };
        let (ann, twin) = (
            hub.create("contact", &values("Annika")).await.unwrap().id,
            hub.create("contact", &values("Other")).await.unwrap().id,
        );
        let full = |_: &Mentions| Err(std::io::Error::from(std::io::ErrorKind::StorageFull));
        let cut_off = erase(&store, &hub, what(&ann, &[]), full).await;
        assert!(matches!(cut_off, Err(EraseError::Beside(_))), "{cut_off:?}");
        assert_eq!(hub.get("contact", &ann).await.unwrap().value("first_name"), Some(&Value::text("Annika")));

        // Also of one that was deleted before, it is known what to look for, and who else has its address.
        hub.delete("contact", &ann).await.unwrap();
        let mut looked = None;
        let beside = |mentions: &Mentions| {
            looked = mentions.mask("people/annika?to=ann%40x.example");
            Ok(3)
        };
        let erased = erase(&store, &hub, what(&ann, &[]), beside).await.unwrap();
        assert_eq!(looked.as_deref(), Some("people/[erased]?to=[erased]"));
        assert_eq!((erased.beside, erased.alike), (3, vec![twin]));
        assert!(matches!(hub.restore("contact", &ann).await, Err(HubError::NotKept { .. })));
    }
}
