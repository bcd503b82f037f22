//! Stored syncs, and when a changed mapping counts as a new mapping version.

use super::json::{from_json, to_json};
use crate::config::configuration::Configuration;
use crate::config::error::ConfigError;
use crate::config::names::known;
use entente_sqlite::{Session, StoreError, SyncRow, ensure_mapping, ensure_slots};
use entente_sync::Remedy;
use entente_sync::{Sides, SyncDefinition};
use serde::Serialize;

/// A sync in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredSync {
    /// Its name.
    pub name: String,
    /// The relation that it works on.
    pub relation: String,
    /// The exchanges, left and right.
    pub exchanges: Sides<String>,
    /// The version of its mapping.
    pub version: u32,
}

/// Replaces the indexes of mappings and slots by the numbers of the ledger, and sorts by these, so that the
/// order in the file does not matter.
pub(crate) fn number(session: Session<'_>, definition: &mut SyncDefinition) -> Result<(), StoreError> {
    for mapping in &mut definition.mappings {
        let Sides { left, right } = &mapping.objects;
        mapping.id = ensure_mapping(session, &definition.relation, left, right)?;
        let names: Vec<(String, String)> = mapping
            .fields
            .iter()
            .map(|field| (field.names.left.clone(), field.names.right.clone()))
            .collect();
        let slots = ensure_slots(session, mapping.id, &names)?;
        if slots.len() != names.len() {
            return Err(StoreError::Corrupt {
                what: format!("slots of {left} and {right}"),
                why: format!("{} for {} fields", slots.len(), names.len()),
            });
        }
        mapping.identifiers =
            mapping.identifiers.iter().filter_map(|place| slots.get(place.index()).copied()).collect();
        for group in &mut mapping.groups {
            *group = group.iter().filter_map(|place| slots.get(place.index()).copied()).collect();
        }
        for (field, slot) in mapping.fields.iter_mut().zip(slots) {
            field.slot = slot;
        }
        mapping.fields.sort_by_key(|field| field.slot);
    }
    definition.mappings.sort_by_key(|mapping| mapping.id);
    Ok(())
}

/// Whether two definitions read the same records and fields in the same way. Policies may differ: they do not
/// require new listings.
pub(crate) fn same_mapping(a: &SyncDefinition, b: &SyncDefinition) -> bool {
    let sorted = |definition: &SyncDefinition| {
        let mut mappings = definition.mappings.clone();
        mappings.sort_by_key(|mapping| mapping.id);
        mappings
    };
    let (left, right) = (sorted(a), sorted(b));
    // The numbers of mappings belong to one relation, and stay when that gets another name.
    a.exchanges == b.exchanges
        && left.len() == right.len()
        && left.iter().zip(&right).all(|(x, y)| {
            let single = x.identifiers.len() <= 1;
            x.id == y.id
                && x.objects == y.objects
                && x.identifiers == y.identifiers
                // With a single identifier, «any» and «all» are equivalent.
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
                            // A record that waits for a required field may be made with one.
                            && field.default == other.default
                    })
                })
        })
}

/// All conditions must hold, so their order does not matter.
fn same_filter(a: &[entente_sync::Condition], b: &[entente_sync::Condition]) -> bool {
    a.iter().all(|condition| b.contains(condition)) && b.iter().all(|condition| a.contains(condition))
}

/// Stores a numbered definition, and returns it as stored, with its mapping version.
pub(crate) fn put(
    session: Session<'_>,
    mut definition: SyncDefinition,
) -> Result<SyncDefinition, ConfigError> {
    let before = find(session, &definition.name)?;
    definition.version = match &before {
        Some(before) if same_mapping(before, &definition) => before.version,
        _ => session.sync_version(&definition.name)?.unwrap_or(0) + 1,
    };
    let row = SyncRow {
        name: definition.name.clone(),
        relation: definition.relation.clone(),
        exchanges: definition.exchanges.clone(),
        definition: to_json(&format!("sync '{}'", definition.name), &definition)?,
    };
    session.put_sync(&row, definition.version)?;
    Ok(definition)
}

fn parse(row: SyncRow) -> Result<SyncDefinition, ConfigError> {
    Ok(from_json(|| format!("sync '{}'", row.name), &row.definition)?)
}

/// The sync of this name; `None` where there is none.
pub(crate) fn find(session: Session<'_>, name: &str) -> Result<Option<SyncDefinition>, ConfigError> {
    session.sync(name)?.map(parse).transpose()
}

/// The sync of this name.
pub(crate) fn get(session: Session<'_>, name: &str) -> Result<SyncDefinition, ConfigError> {
    match find(session, name)? {
        Some(definition) => Ok(definition),
        None => Err(unknown(session, name)?),
    }
}

fn unknown(session: Session<'_>, name: &str) -> Result<ConfigError, ConfigError> {
    let there = session.syncs()?;
    let known = known(name, there.iter().map(|sync| sync.name.as_str()));
    let remedies = if there.is_empty() { vec![Remedy::AddIntegration { plugin: None }] } else { Vec::new() };
    Ok(ConfigError::Unknown { what: "sync", name: name.to_owned(), known, remedies })
}

/// All syncs, by name.
pub(crate) fn list(session: Session<'_>) -> Result<Vec<SyncDefinition>, ConfigError> {
    session.syncs()?.into_iter().map(parse).collect()
}

/// Removes a sync. Pairs and history stay in the ledger.
pub(crate) fn remove(session: Session<'_>, name: &str) -> Result<(), ConfigError> {
    if session.remove_sync(name)? { Ok(()) } else { Err(unknown(session, name)?) }
}

impl Configuration {
    /// The sync of this name.
    ///
    /// # Errors
    /// [`ConfigError::Unknown`] with the names that exist.
    pub async fn definition(&self, sync: &str) -> Result<SyncDefinition, ConfigError> {
        self.read(|session| get(session, sync)).await
    }

    /// The syncs, by name.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn syncs(&self) -> Result<Vec<StoredSync>, ConfigError> {
        let syncs = self.read(list).await?;
        let short = |sync: SyncDefinition| StoredSync {
            name: sync.name,
            relation: sync.relation,
            exchanges: sync.exchanges,
            version: sync.version,
        };
        Ok(syncs.into_iter().map(short).collect())
    }
}
