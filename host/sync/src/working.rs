//! Working set: the pairs of one mapping that a page touches, found by record, by number and by what records are
//! recognised by.

use super::change::Change;
use super::definition::ObjectMapping;
use super::identity;
use super::number::PairId;
use super::order::Action;
use super::pair::{Key, Pair};
use super::settle::settle_made;
use entente_core::{Side, Sides};
use std::collections::HashMap;

/// The pairs of one mapping that a page touches.
pub(super) struct Working<'m> {
    pub(super) mapping: &'m ObjectMapping,
    pub(super) side: Side,
    pub(super) pairs: Vec<Pair>,
    pub(super) touched: Vec<bool>,
    pub(super) by_id: HashMap<String, usize>,
    /// Pairs that were joined into others.
    pub(super) removed: Vec<PairId>,
    pub(super) by_number: HashMap<PairId, usize>,
    by_key: Sides<HashMap<Key, Vec<usize>>>,
    /// By pair, what was sent for it and never answered.
    pub(super) unanswered: HashMap<PairId, Vec<Change>>,
}

impl<'m> Working<'m> {
    pub(super) fn new(mapping: &'m ObjectMapping, side: Side) -> Self {
        Self {
            mapping,
            side,
            pairs: Vec::new(),
            touched: Vec::new(),
            by_id: HashMap::new(),
            removed: Vec::new(),
            by_number: HashMap::new(),
            by_key: Sides::default(),
            unanswered: HashMap::new(),
        }
    }

    pub(super) fn add(&mut self, pair: Pair) -> usize {
        if pair.id != 0
            && let Some(place) = self.by_number.get(&pair.id)
        {
            return *place;
        }
        let place = self.pairs.len();
        if pair.id != 0 {
            self.by_number.insert(pair.id, place);
        }
        if let Some(id) = &pair.half(self.side).id {
            self.by_id.insert(id.clone(), place);
        }
        self.pairs.push(pair);
        self.touched.push(false);
        place
    }

    pub(super) fn note_keys(&mut self, side: Side, keys: &[Key], place: usize) {
        for key in keys {
            let places = self.by_key[side].entry(key.clone()).or_default();
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }

    /// What a record was to be recognised by that was to be made for this pair on a side, of which nobody
    /// knows whether it was.
    pub(super) fn sent_keys(&self, pair: PairId, target: Side) -> Vec<Key> {
        let creates = self.unanswered.get(&pair).into_iter().flatten();
        let creates = creates.filter(|change| change.action == Action::Create && change.target == target);
        creates.flat_map(|change| identity::keys_sent(self.mapping, change)).collect()
    }

    /// The one pair whose record may have been made as this one.
    pub(super) fn sent_as(&self, keys: &[Key]) -> Option<usize> {
        let sent = |number: &PairId| {
            let place = *self.by_number.get(number)?;
            let alone = self.pairs[place].half(self.side).id.is_none();
            (alone && self.sent_keys(*number, self.side).iter().any(|key| keys.contains(key)))
                .then_some(place)
        };
        let mut found = self.unanswered.keys().filter_map(sent);
        found.next().filter(|_| found.next().is_none())
    }

    /// Settles what was sent for a pair and never answered, now that its record has been read.
    pub(super) fn settle_read(&mut self, place: usize) {
        let pair = &mut self.pairs[place];
        for change in
            self.unanswered.get(&pair.id).into_iter().flatten().filter(|change| change.target == self.side)
        {
            // A new record has no other agreement than this one; an update is open until its pair is decided
            // again.
            if change.action != Action::Create || pair.agreed.is_empty() {
                settle_made(self.mapping, pair, change);
            }
        }
    }

    /// Pairs that have a record on `side` with the best of these keys that any has.
    pub(super) fn owners(&self, side: Side, keys: &[Key]) -> Vec<usize> {
        let places = |key: &Key| -> Vec<usize> {
            let places = self.by_key[side].get(key).cloned().unwrap_or_default();
            places.into_iter().filter(|place| !self.only_sent_as(*place, side, key)).collect()
        };
        keys.iter().map(places).find(|places| !places.is_empty()).unwrap_or_default()
    }

    /// Whether a key is one that a record had when it was sent, and has no more.
    pub(super) fn only_sent_as(&self, place: usize, side: Side, key: &Key) -> bool {
        let pair = &self.pairs[place];
        self.sent_keys(pair.id, side.other()).contains(key)
            && !identity::keys(self.mapping, side, |slot| pair.current(side, slot)).contains(key)
    }
}
