//! Identity: match keys of a record, by which counterparts and duplicates are found.

use super::change::Change;
use super::definition::{IdentifyBy, ObjectMapping};
use super::number::Slot;
use super::pair::MatchKey;
use entente_core::{Side, Value, canonical_identifier};

/// Match keys of a record: one for each identifier, or one for all of them together. Blank identifiers give
/// no key: a blank never matches a blank.
pub(super) fn keys<'a>(
    mapping: &ObjectMapping,
    side: Side,
    value_of: impl Fn(Slot) -> Option<&'a Value>,
) -> Vec<MatchKey> {
    let texts = mapping.identifiers.iter().map(|slot| {
        let field = mapping.field(*slot)?;
        let translated = value_of(*slot).and_then(|value| match side {
            Side::Left => Some(value.clone()),
            Side::Right => field.rules(1, false).translate(value, Side::Right),
        })?;
        canonical_identifier(&field.kinds.left, &translated)
    });
    match mapping.identify_by {
        IdentifyBy::Any => {
            let ranked = texts.enumerate();
            ranked.filter_map(|(rank, text)| Some(MatchKey { rank: rank as u32, text: text? })).collect()
        }
        IdentifyBy::All => match texts.collect::<Option<Vec<String>>>() {
            // Joined with a separator that no canonical text contains: ("a","bc") differs from ("ab","c").
            Some(texts) if !texts.is_empty() => vec![MatchKey { rank: 0, text: texts.join("\u{1f}") }],
            _ => Vec::new(),
        },
    }
}

/// Match keys that a create carried when it was sent.
pub(super) fn keys_sent(mapping: &ObjectMapping, change: &Change) -> Vec<MatchKey> {
    keys(mapping, change.target.other(), |slot| sent(change, slot))
}

/// Value of the source's field when a change was sent.
pub(super) fn sent(change: &Change, slot: Slot) -> Option<&Value> {
    change.fields.iter().find(|field| field.slot == slot).map(|field| &field.source)
}

/// Identifier values in the form that a lookup on `target` takes; `None` for a blank.
pub(super) fn lookup_key<'a>(
    mapping: &ObjectMapping,
    target: Side,
    value_of: impl Fn(Slot) -> Option<&'a Value>,
) -> Vec<Option<Value>> {
    let source = target.other();
    mapping
        .identifiers
        .iter()
        .map(|slot| {
            let value = value_of(*slot).filter(|value| !value.is_blank())?;
            mapping.field(*slot)?.rules(1, false).translate(value, source)
        })
        .collect()
}
