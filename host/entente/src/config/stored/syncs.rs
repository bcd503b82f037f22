//! Stored syncs, and when their mapping counts as a new one.

use crate::config::error::ConfigError;
use crate::config::names::known;
use entente_sqlite::StoreError;
use entente_sync::{MappingId, Sides, SyncDefinition};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

/// Gives the numbers of mappings and fields, which the ledger keeps: the same ones whenever the same names
/// come again.
pub trait Numbers: Send + Sync {
    /// The number of two objects that correspond in a relation.
    ///
    /// # Errors
    /// Where the database fails.
    fn ensure_mapping(
        &self,
        connection: &Connection,
        relation: &str,
        left_object: &str,
        right_object: &str,
    ) -> Result<MappingId, StoreError>;

    /// The slots of pairs of fields, in the order given.
    ///
    /// # Errors
    /// Where the database fails.
    fn ensure_slots(
        &self,
        connection: &Connection,
        mapping: MappingId,
        fields: &[(String, String)],
    ) -> Result<Vec<usize>, StoreError>;
}

/// A sync in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredSync {
    /// Its name.
    pub name: String,
    /// The set of pairs that it works on.
    pub relation: String,
    /// The exchanges, left and right.
    pub exchanges: Sides<String>,
    /// The version of its mapping.
    pub version: u32,
}

/// Replaces the places of mappings and fields by the numbers of the ledger, and puts them in the order of
/// these: then the order in the file means nothing.
pub(crate) fn number(
    connection: &Connection,
    numbers: &dyn Numbers,
    definition: &mut SyncDefinition,
) -> Result<(), StoreError> {
    for mapping in &mut definition.mappings {
        let Sides { left, right } = &mapping.objects;
        mapping.id = numbers.ensure_mapping(connection, &definition.relation, left, right)?;
        let names: Vec<(String, String)> = mapping
            .fields
            .iter()
            .map(|field| (field.names.left.clone(), field.names.right.clone()))
            .collect();
        let slots = numbers.ensure_slots(connection, mapping.id, &names)?;
        if slots.len() != names.len() {
            return Err(StoreError::Corrupt {
                what: format!("slots of {left} and {right}"),
                why: format!("{} for {} fields", slots.len(), names.len()),
            });
        }
        mapping.identifiers =
            mapping.identifiers.iter().filter_map(|place| slots.get(*place).copied()).collect();
        for (field, slot) in mapping.fields.iter_mut().zip(slots) {
            field.slot = slot;
        }
        mapping.fields.sort_by_key(|field| field.slot);
    }
    definition.mappings.sort_by_key(|mapping| mapping.id);
    Ok(())
}

/// Whether two definitions read the same records and fields as the same. Policies may differ: they do not ask
/// for the listings to start again.
pub(crate) fn same_mapping(a: &SyncDefinition, b: &SyncDefinition) -> bool {
    let sorted = |definition: &SyncDefinition| {
        let mut mappings = definition.mappings.clone();
        mappings.sort_by_key(|mapping| mapping.id);
        mappings
    };
    let (left, right) = (sorted(a), sorted(b));
    a.relation == b.relation
        && a.exchanges == b.exchanges
        && left.len() == right.len()
        && left.iter().zip(&right).all(|(x, y)| {
            let single = x.identifiers.len() <= 1;
            x.id == y.id
                && x.objects == y.objects
                && x.identifiers == y.identifiers
                // With one identifier, «any» and «all» are the same.
                && (single || x.identify_by == y.identify_by)
                && same_filter(&x.filters.left, &y.filters.left)
                && same_filter(&x.filters.right, &y.filters.right)
                && x.fields.len() == y.fields.len()
                && x.fields.iter().all(|field| {
                    y.field(field.slot).is_some_and(|other| {
                        field.names == other.names
                            && field.kinds == other.kinds
                            && field.direction == other.direction
                            && field.set_like == other.set_like
                            && field.values == other.values
                            && field.constant == other.constant
                    })
                })
        })
}

/// All conditions must hold, so their order means nothing.
fn same_filter(a: &[entente_sync::Condition], b: &[entente_sync::Condition]) -> bool {
    a.iter().all(|condition| b.contains(condition)) && b.iter().all(|condition| a.contains(condition))
}

/// Stores a numbered definition and gives it as it is stored, with its version.
pub(crate) fn put(
    connection: &Connection,
    mut definition: SyncDefinition,
) -> Result<SyncDefinition, ConfigError> {
    let before = find(connection, &definition.name)?;
    let last: Option<u32> = connection
        .query_row("SELECT version FROM sync_version WHERE name = ?1", [&definition.name], |row| row.get(0))
        .optional()?;
    definition.version = match &before {
        Some(before) if same_mapping(before, &definition) => before.version,
        _ => last.unwrap_or(0) + 1,
    };
    let json = serde_json::to_string(&definition).map_err(|error| StoreError::Corrupt {
        what: format!("sync '{}'", definition.name),
        why: error.to_string(),
    })?;
    connection.execute(
        "INSERT INTO sync_definition (name, relation, left_exchange, right_exchange, definition) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (name) DO UPDATE SET relation = ?2, left_exchange = ?3, right_exchange = ?4, definition = ?5",
        params![definition.name, definition.relation, definition.exchanges.left, definition.exchanges.right, json],
    )?;
    connection.execute(
        "INSERT INTO sync_version (name, version) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET version = ?2",
        params![definition.name, definition.version],
    )?;
    Ok(definition)
}

/// The sync of this name, if there is one.
pub(crate) fn find(connection: &Connection, name: &str) -> Result<Option<SyncDefinition>, ConfigError> {
    let text: Option<String> = connection
        .query_row("SELECT definition FROM sync_definition WHERE name = ?1", [name], |row| row.get(0))
        .optional()?;
    text.map(|text| parse(name, &text)).transpose()
}

fn parse(name: &str, text: &str) -> Result<SyncDefinition, ConfigError> {
    serde_json::from_str(text).map_err(|error| {
        StoreError::Corrupt { what: format!("sync '{name}'"), why: error.to_string() }.into()
    })
}

/// The sync of this name.
pub(crate) fn get(connection: &Connection, name: &str) -> Result<SyncDefinition, ConfigError> {
    match find(connection, name)? {
        Some(definition) => Ok(definition),
        None => Err(unknown(connection, name)?),
    }
}

fn unknown(connection: &Connection, name: &str) -> Result<ConfigError, ConfigError> {
    let mut statement = connection.prepare_cached("SELECT name FROM sync_definition ORDER BY name")?;
    let names: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut said = known(name, names.iter().map(String::as_str));
    if names.is_empty() {
        said.push_str("; `entente integration add` makes one");
    }
    Ok(ConfigError::Unknown { what: "sync", name: name.to_owned(), known: said })
}

/// All of them, by name.
pub(crate) fn list(connection: &Connection) -> Result<Vec<SyncDefinition>, ConfigError> {
    let mut statement =
        connection.prepare_cached("SELECT name, definition FROM sync_definition ORDER BY name")?;
    let rows: Vec<(String, String)> =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    rows.iter().map(|(name, text)| parse(name, text)).collect()
}

/// Forgets a sync. Pairs and history stay in the ledger.
pub(crate) fn remove(connection: &Connection, name: &str) -> Result<(), ConfigError> {
    if connection.execute("DELETE FROM sync_definition WHERE name = ?1", [name])? == 0 {
        return Err(unknown(connection, name)?);
    }
    Ok(())
}
