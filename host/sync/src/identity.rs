//! What a record is recognised by.

use super::change::Change;
use super::definition::{IdentifyBy, ObjectMapping};
use super::number::Slot;
use super::pair::MatchKey;
use entente_core::{Side, Value, canonical_identifier};

/// The keys of a record: one for each identifier that it has, or one for all of them together. A record that
/// lacks an identifier is not recognised by it; a blank never matches a blank.
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
            // A separator that no canonical text contains keeps ("a","bc") apart from ("ab","c").
            Some(texts) if !texts.is_empty() => vec![MatchKey { rank: 0, text: texts.join("\u{1f}") }],
            _ => Vec::new(),
        },
    }
}

/// The keys of a record that was to be made on the other side, as they were when that was sent.
pub(super) fn keys_sent(mapping: &ObjectMapping, change: &Change) -> Vec<MatchKey> {
    keys(mapping, change.target.other(), |slot| sent(change, slot))
}

/// What a field of the source was when a change was sent.
pub(super) fn sent(change: &Change, slot: Slot) -> Option<&Value> {
    change.fields.iter().find(|field| field.slot == slot).map(|field| &field.source)
}

/// The identifier fields and their values, as a lookup on `target` takes them.
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
