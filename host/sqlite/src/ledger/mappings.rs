//! Stable numbers: of the object mappings of a relation, and of the field pairs of a mapping (slots).

use crate::store::{Session, StoreError};
use entente_sync::{MappingId, MappingRow, Sides, Slot, SlotRow};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// The number of a mapping, assigned now if it has none. To be called in the transaction that stores the
/// configuration.
///
/// # Errors
/// Where a name is empty, or the database fails.
pub fn ensure_mapping(
    session: Session<'_>,
    relation: &str,
    left_object: &str,
    right_object: &str,
) -> Result<MappingId, StoreError> {
    let connection = session.connection();
    let find = |connection: &Connection| {
        connection
            .prepare_cached(
                "SELECT id FROM mapping WHERE relation = ?1 AND left_object = ?2 AND right_object = ?3",
            )?
            .query_row([relation, left_object, right_object], |row| row.get(0))
            .optional()
    };
    if let Some(id) = find(connection)? {
        return Ok(id);
    }
    connection
        .prepare_cached("INSERT INTO mapping (relation, left_object, right_object) VALUES (?1, ?2, ?3)")?
        .execute([relation, left_object, right_object])?;
    Ok(connection.last_insert_rowid())
}

/// The slots of field pairs (left, right) in their order, assigned now where they have none. A slot belongs
/// to its two fields for ever, also while they are not mapped, so that settled values are found again when
/// they return.
///
/// # Errors
/// Where the mapping does not exist, a name is empty, or the database fails.
pub fn ensure_slots<L: AsRef<str>, R: AsRef<str>>(
    session: Session<'_>,
    mapping: MappingId,
    fields: &[(L, R)],
) -> Result<Vec<Slot>, StoreError> {
    let connection = session.connection();
    let mut find = connection.prepare_cached(
        "SELECT slot FROM slot WHERE mapping = ?1 AND left_field = ?2 AND right_field = ?3",
    )?;
    let mut next =
        connection.prepare_cached("SELECT coalesce(max(slot) + 1, 0) FROM slot WHERE mapping = ?1")?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO slot (mapping, slot, left_field, right_field) VALUES (?1, ?2, ?3, ?4)",
    )?;
    let mut slots = Vec::with_capacity(fields.len());
    for (left, right) in fields {
        let (left, right) = (left.as_ref(), right.as_ref());
        let known: Option<i64> =
            find.query_row(params![mapping, left, right], |row| row.get(0)).optional()?;
        let slot = match known {
            Some(slot) => slot,
            None => {
                let slot: i64 = next.query_row([mapping], |row| row.get(0))?;
                insert.execute(params![mapping, slot, left, right])?;
                slot
            }
        };
        slots.push(slot_of(slot)?);
    }
    Ok(slots)
}

/// A slot from its column.
pub(super) fn slot_of(number: i64) -> Result<Slot, StoreError> {
    usize::try_from(number)
        .map(Slot)
        .map_err(|_| StoreError::Corrupt { what: "slot".to_owned(), why: format!("{number} is no slot") })
}

fn mapping_row(row: &Row<'_>) -> rusqlite::Result<MappingRow> {
    Ok(MappingRow { id: row.get(0)?, relation: row.get(1)?, objects: Sides::new(row.get(2)?, row.get(3)?) })
}

/// The mappings of one relation, or of all.
pub(super) fn mappings(
    connection: &Connection,
    relation: Option<&str>,
) -> Result<Vec<MappingRow>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT id, relation, left_object, right_object FROM mapping WHERE ?1 IS NULL OR relation = ?1 ORDER BY id")?;
    let rows = statement.query_map([relation], mapping_row)?.collect::<Result<_, _>>()?;
    Ok(rows)
}

/// All slots of a mapping, including those of fields that are no longer mapped.
pub(super) fn slots(connection: &Connection, mapping: MappingId) -> Result<Vec<SlotRow>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT slot, left_field, right_field FROM slot WHERE mapping = ?1 ORDER BY slot")?;
    let mut rows = statement.query([mapping])?;
    let mut slots = Vec::new();
    while let Some(row) = rows.next()? {
        slots.push(SlotRow { slot: slot_of(row.get(0)?)?, fields: Sides::new(row.get(1)?, row.get(2)?) });
    }
    Ok(slots)
}
