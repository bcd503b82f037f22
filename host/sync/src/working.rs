//! Working set: the pairs of one mapping that a page touches, found by record, by number and by what records are
//! recognised by.

use super::change::Change;
use super::definition::ObjectMapping;
use super::identity;
use super::number::PairId;
use super::order::Action;
use super::pair::{MatchKey, Pair};
use super::reason::Reason;
use super::settle::settle_as_sent;
use super::subject::RecordRef;
use entente_core::{Side, Sides};
use std::collections::HashMap;
use std::ops::{Index, IndexMut};

/// The index of a pair in a working set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry(usize);

/// The pairs of a working set.
#[derive(Debug, Default)]
pub(super) struct Entries(Vec<Pair>);

impl Entries {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Pair> {
        self.0.iter()
    }
}

impl Index<Entry> for Entries {
    type Output = Pair;

    fn index(&self, entry: Entry) -> &Pair {
        &self.0[entry.0]
    }
}

impl IndexMut<Entry> for Entries {
    fn index_mut(&mut self, entry: Entry) -> &mut Pair {
        &mut self.0[entry.0]
    }
}

/// What a record that nobody knows yet meets in a working set.
#[derive(Debug, PartialEq)]
pub(super) enum Match {
    /// Nothing: it gets a pair of its own.
    Nothing,
    /// The pair of its counterpart, or of the create that may have made it.
    Pair(Entry),
    /// It is held: it wants to be where `rival` is, or may be the counterpart of several records.
    Held { reason: Reason, rival: Entry },
}

/// The pairs of one mapping that a page touches.
pub(super) struct Working<'m> {
    pub(super) mapping: &'m ObjectMapping,
    pub(super) side: Side,
    pub(super) pairs: Entries,
    /// By entry, whether the pair is to be saved.
    touched: Vec<bool>,
    pub(super) by_id: HashMap<String, Entry>,
    /// Pairs that were joined into others.
    pub(super) removed: Vec<PairId>,
    pub(super) by_number: HashMap<PairId, Entry>,
    by_key: Sides<HashMap<MatchKey, Vec<Entry>>>,
    /// By pair, what was sent for it and never answered.
    pub(super) unanswered: HashMap<PairId, Vec<Change>>,
}

impl<'m> Working<'m> {
    pub(super) fn new(mapping: &'m ObjectMapping, side: Side) -> Self {
        Self {
            mapping,
            side,
            pairs: Entries::default(),
            touched: Vec::new(),
            by_id: HashMap::new(),
            removed: Vec::new(),
            by_number: HashMap::new(),
            by_key: Sides::default(),
            unanswered: HashMap::new(),
        }
    }

    pub(super) fn add(&mut self, pair: Pair) -> Entry {
        if pair.id != 0
            && let Some(entry) = self.by_number.get(&pair.id)
        {
            return *entry;
        }
        let entry = Entry(self.touched.len());
        if pair.id != 0 {
            self.by_number.insert(pair.id, entry);
        }
        if let Some(id) = &pair.half(self.side).id {
            self.by_id.insert(id.clone(), entry);
        }
        self.pairs.0.push(pair);
        self.touched.push(false);
        entry
    }

    /// The pair is to be saved.
    pub(super) fn touch(&mut self, entry: Entry) {
        self.touched[entry.0] = true;
    }

    /// The pair is joined into another one, and removed.
    pub(super) fn remove(&mut self, entry: Entry) {
        self.removed.push(self.pairs[entry].id);
        self.touched[entry.0] = false;
    }

    /// The pairs that are to be saved.
    pub(super) fn into_touched(self) -> Vec<Pair> {
        self.pairs
            .0
            .into_iter()
            .zip(self.touched)
            .filter(|(_, touched)| *touched)
            .map(|(pair, _)| pair)
            .collect()
    }

    /// What a record with these keys meets that no pair has yet.
    pub(super) fn match_record(&self, keys: &[MatchKey]) -> Match {
        let side = self.side;
        let record = |entry: Entry, side: Side| {
            let id = self.pairs[entry].half(side).id.as_deref()?;
            Some(RecordRef::new(side, self.mapping.object(side), id))
        };
        if let Some(entry) = self.sent_as(keys) {
            return Match::Pair(entry);
        }
        let duplicate = |entry: Entry| Reason::DuplicateOf {
            record: record(entry, side),
            preferred: false,
            became: None,
        };
        if let Some(&rival) = self.owners(side, keys).first() {
            return Match::Held { reason: duplicate(rival), rival };
        }
        match self.owners(side.other(), keys).as_slice() {
            [] => Match::Nothing,
            [entry] if self.pairs[*entry].half(side).id.is_none() => Match::Pair(*entry),
            [rival] => Match::Held { reason: duplicate(*rival), rival: *rival },
            several => {
                let records = several.iter().filter_map(|entry| record(*entry, side.other())).collect();
                Match::Held { reason: Reason::Ambiguous { records }, rival: several[0] }
            }
        }
    }

    pub(super) fn note_keys(&mut self, side: Side, keys: &[MatchKey], entry: Entry) {
        for key in keys {
            let entries = self.by_key[side].entry(key.clone()).or_default();
            if !entries.contains(&entry) {
                entries.push(entry);
            }
        }
    }

    /// What a record was to be recognised by that was to be made for this pair on a side, of which nobody
    /// knows whether it was.
    pub(super) fn sent_keys(&self, pair: PairId, target: Side) -> Vec<MatchKey> {
        let creates = self.unanswered.get(&pair).into_iter().flatten();
        let creates = creates.filter(|change| change.action == Action::Create && change.target == target);
        creates.flat_map(|change| identity::keys_sent(self.mapping, change)).collect()
    }

    /// The one pair whose record may have been made as this one.
    pub(super) fn sent_as(&self, keys: &[MatchKey]) -> Option<Entry> {
        let sent = |number: &PairId| {
            let entry = *self.by_number.get(number)?;
            let alone = self.pairs[entry].half(self.side).id.is_none();
            (alone && self.sent_keys(*number, self.side).iter().any(|key| keys.contains(key)))
                .then_some(entry)
        };
        let mut found = self.unanswered.keys().filter_map(sent);
        found.next().filter(|_| found.next().is_none())
    }

    /// Settles what was sent for a pair and never answered, now that its record has been read.
    pub(super) fn settle_read(&mut self, entry: Entry) {
        let pair = &mut self.pairs[entry];
        for change in
            self.unanswered.get(&pair.id).into_iter().flatten().filter(|change| change.target == self.side)
        {
            // A new record has no other agreement than this one; an update is open until its pair is decided
            // again.
            if change.action != Action::Create || pair.agreed.is_empty() {
                settle_as_sent(self.mapping, pair, change);
            }
        }
    }

    /// Pairs that have a record on `side` with the best of these keys that any has.
    pub(super) fn owners(&self, side: Side, keys: &[MatchKey]) -> Vec<Entry> {
        let entries = |key: &MatchKey| -> Vec<Entry> {
            let entries = self.by_key[side].get(key).cloned().unwrap_or_default();
            entries.into_iter().filter(|entry| !self.only_sent_as(*entry, side, key)).collect()
        };
        keys.iter().map(entries).find(|entries| !entries.is_empty()).unwrap_or_default()
    }

    /// Whether a key is one that a record had when it was sent, and has no more.
    fn only_sent_as(&self, entry: Entry, side: Side, key: &MatchKey) -> bool {
        let pair = &self.pairs[entry];
        self.sent_keys(pair.id, side.other()).contains(key)
            && !identity::keys(self.mapping, side, |slot| pair.current(side, slot)).contains(key)
    }
}
