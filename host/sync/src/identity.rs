//! Identity: match keys of a record, by which counterparts and duplicates are found.

use super::change::{Change, ChangedField};
use super::definition::{IdentifyBy, ObjectMapping};
use super::number::Slot;
use super::pair::{MatchKey, Pair};
use super::reason::Reason;
use entente_core::{KEY_SEPARATOR, Side, Value, bounded_key, canonical_identifier};

/// Match keys of a record: one for each identifier, or one for all of them together. Blank identifiers give
/// no key: a blank never matches a blank.
pub(super) fn keys<'a>(
    mapping: &ObjectMapping,
    side: Side,
    value_of: impl Fn(Slot) -> Option<&'a Value>,
) -> Vec<MatchKey> {
    let texts = mapping.identifiers.iter().map(|slot| text(mapping, side, *slot, value_of(*slot)));
    match mapping.identify_by {
        IdentifyBy::Any => {
            let ranked = texts.enumerate();
            ranked.filter_map(|(rank, text)| Some(MatchKey { rank: rank as u32, text: text? })).collect()
        }
        IdentifyBy::All => match texts.collect::<Option<Vec<String>>>() {
            // Joined with a separator that no canonical text contains: ("a","bc") differs from ("ab","c").
            Some(texts) if !texts.is_empty() => {
                vec![MatchKey { rank: 0, text: bounded_key(texts.join(KEY_SEPARATOR.encode_utf8(&mut [0]))) }]
            }
            _ => Vec::new(),
        },
    }
}

/// Gives a pair the match keys of the record that stands on a side now. A tombstone has none, so that its
/// identifiers are free for a successor; nor has a record that is held as a duplicate, so that no other one is
/// matched with it.
pub(super) fn renew(mapping: &ObjectMapping, pair: &mut Pair, side: Side) {
    let duplicate =
        matches!(pair.reason, Some(Reason::DuplicateOf { became: None, .. })) && !pair.is_linked();
    let none = duplicate || pair.half(side).id.is_none() || pair.half(side).deleted.is_some();
    let keys = if none { Vec::new() } else { keys(mapping, side, |slot| pair.current(side, slot)) };
    pair.keys[side] = Some(keys);
}

/// Whether a reported value of an identifier is another one than was known of its record.
pub(super) fn is_new<'v>(
    mapping: &ObjectMapping,
    pair: &Pair,
    side: Side,
    value_of: impl Fn(Slot) -> Option<&'v Value>,
) -> bool {
    let differs = |slot: &Slot| value_of(*slot).is_some_and(|value| pair.current(side, *slot) != Some(value));
    mapping.identifiers.iter().any(differs)
}

/// Canonical text of an identifier's value; `None` for a blank.
pub(super) fn text(mapping: &ObjectMapping, side: Side, slot: Slot, value: Option<&Value>) -> Option<String> {
    let field = mapping.field(slot)?;
    let translated = value.and_then(|value| match side {
        Side::Left => Some(value.clone()),
        Side::Right => field.rules(1, false).translate(value, Side::Right),
    })?;
    canonical_identifier(&field.kinds.left, &translated)
}

/// Whether another record seems to stand behind the id that a linked pair has on a side: none of the
/// identifiers has the text that was settled, at least one has a text, and the other side has none of them.
pub(super) fn became_another(mapping: &ObjectMapping, pair: &Pair, side: Side) -> bool {
    let reported = |slot: &Slot| pair.half(side).seen(*slot).is_some();
    if !pair.is_linked() || !mapping.identifiers.iter().any(reported) {
        return false;
    }
    let now = |side: Side, slot: Slot| text(mapping, side, slot, pair.current(side, slot));
    let settled = |slot: Slot| pair.agreed(slot).and_then(|agreed| agreed.half(side));
    let (mut had, mut has) = (false, false);
    for &slot in &mapping.identifiers {
        let (before, own) = (text(mapping, side, slot, settled(slot)), now(side, slot));
        if own.is_some() && (own == before || own == now(side.other(), slot)) {
            return false;
        }
        had |= before.is_some();
        has |= own.is_some();
    }
    had && has
}

/// Whether a linked record has nothing left of what it had, also where it had no identifier, or has none now.
pub(super) fn has_become_another(mapping: &ObjectMapping, pair: &Pair, side: Side) -> bool {
    let left = |slot: &Slot| {
        let settled = pair.agreed(*slot).and_then(|agreed| agreed.half(side));
        let own = text(mapping, side, *slot, pair.current(side, *slot));
        let other = text(mapping, side.other(), *slot, pair.current(side.other(), *slot));
        own.is_some() && (own == text(mapping, side, *slot, settled) || own == other)
    };
    // The plain comparison first: it ends most rows without folding their identifiers.
    pair.is_linked() && has_nothing_left(mapping, pair, side) && !mapping.identifiers.iter().any(left)
}

/// Whether a record has no identifier, and had none when it was settled.
pub(super) fn is_unnamed(mapping: &ObjectMapping, pair: &Pair, side: Side) -> bool {
    mapping.identifiers.iter().all(|slot| {
        let settled = pair.agreed(*slot).and_then(|agreed| agreed.half(side));
        let now = pair.current(side, *slot);
        [settled, now].into_iter().all(|value| text(mapping, side, *slot, value).is_none())
    })
}

/// Whether a linked record has other texts than were settled, in every field that is no identifier and had one: at least
/// two, so that one edit is not taken for another record. What many records have, as values of a pick-list, says nothing.
pub(super) fn has_nothing_left(mapping: &ObjectMapping, pair: &Pair, side: Side) -> bool {
    has_nothing_left_but(mapping, pair, side, &[])
}

/// The same, whatever is in these fields: a value that was written to a record says nothing about whose record it is.
pub(super) fn has_nothing_left_but(
    mapping: &ObjectMapping,
    pair: &Pair,
    side: Side,
    written: &[ChangedField],
) -> bool {
    let (mut had, mut told) = (0, 0);
    for field in mapping.fields.iter().filter(|field| !mapping.identifiers.contains(&field.slot)) {
        let settled = pair.agreed(field.slot).and_then(|agreed| agreed.half(side));
        let settled = settled.filter(|value| matches!(value, Value::Text(_)) && !value.is_blank());
        let Some(settled) = settled.filter(|_| !field.has_common_values()) else { continue };
        had += 1;
        if written.iter().any(|of| of.slot == field.slot) {
            continue;
        }
        let same = |side: Side| Some(settled) == pair.current(side, field.slot);
        let now = pair.current(side, field.slot);
        // What the other side has by now, too, was edited on both.
        if same(side) || now == pair.current(side.other(), field.slot) {
            return false;
        }
        told += 1;
    }
    had > 1 && told > 0
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
