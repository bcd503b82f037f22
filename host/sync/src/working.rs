//! Working set: the pairs of one mapping that a page may touch, in memory, indexed by record id, pair number
//! and match key.

use super::change::{Change, ChangedField};
use super::definition::ObjectMapping;
use super::identity;
use super::number::PairId;
use super::order::Action;
use super::pair::{MatchKey, Pair, Status};
use super::reason::Reason;
use super::settle::{has_landed, settle_as_sent};
use super::subject::RecordRef;
use entente_core::{Reference, Side, Sides};
use std::collections::HashMap;
use std::ops::{Index, IndexMut};

/// Index of a pair in a working set.
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

/// Result of matching a record that has no pair yet.
#[derive(Debug, PartialEq)]
pub(super) enum Match {
    /// No match: the record gets a pair of its own.
    Nothing,
    /// The pair of its counterpart, or of an unanswered create that the record stems from.
    Pair(Entry),
    /// No unique match: the record is a duplicate of the one in `rival`, or may be the counterpart of
    /// several.
    Held { reason: Reason, rival: Entry },
}

/// The pairs of one mapping that a page may touch.
pub(super) struct Working<'m> {
    pub(super) mapping: &'m ObjectMapping,
    pub(super) side: Side,
    pub(super) pairs: Entries,
    /// By entry, whether the pair was modified.
    touched: Vec<bool>,
    pub(super) by_id: HashMap<String, Entry>,
    /// Pairs that were merged into others and are to be deleted.
    pub(super) removed: Vec<PairId>,
    /// Records that have left their pairs, in which a preferred one has taken their place.
    pub(super) left: Vec<Reference>,
    pub(super) by_number: HashMap<PairId, Entry>,
    by_key: Sides<HashMap<MatchKey, Vec<Entry>>>,
    /// By pair, changes that were sent and never answered.
    pub(super) unanswered: HashMap<PairId, Vec<Change>>,
    /// Those of them that were executed, by what was read.
    pub(super) landed: Vec<Change>,
    /// By pair, the fields of the last update of a record that is told as it may have been before.
    pub(super) replaced: HashMap<PairId, Vec<ChangedField>>,
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
            left: Vec::new(),
            by_number: HashMap::new(),
            by_key: Sides::default(),
            unanswered: HashMap::new(),
            landed: Vec::new(),
            replaced: HashMap::new(),
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

    /// Marks a pair as modified.
    pub(super) fn touch(&mut self, entry: Entry) {
        self.touched[entry.0] = true;
    }

    /// Removes a pair that was merged into another one.
    pub(super) fn remove(&mut self, entry: Entry) {
        self.removed.push(self.pairs[entry].id);
        self.touched[entry.0] = false;
    }

    /// The modified pairs.
    pub(super) fn into_touched(self) -> Vec<Pair> {
        self.pairs
            .0
            .into_iter()
            .zip(self.touched)
            .filter(|(_, touched)| *touched)
            .map(|(pair, _)| pair)
            .collect()
    }

    /// Matches a record that has no pair yet by its keys: with an unanswered create, then with records of its
    /// own side (duplicates), then with records of the other side (counterparts).
    pub(super) fn match_record(&self, keys: &[MatchKey]) -> Match {
        let side = self.side;
        let record = |entry: Entry, side: Side| {
            let id = self.pairs[entry].half(side).id.as_deref()?;
            Some(RecordRef::new(side, self.mapping.object(side), id))
        };
        if let Some(entry) = self.sent_as(keys) {
            return Match::Pair(entry);
        }
        let duplicate = |entry: Entry, side: Side| Reason::DuplicateOf {
            record: record(entry, side),
            preferred: false,
            became: None,
        };
        if let Some(&rival) = self.owners(side, keys).first() {
            return Match::Held { reason: duplicate(rival, side), rival };
        }
        match self.owners(side.other(), keys).as_slice() {
            [] => Match::Nothing,
            [entry] if self.pairs[*entry].half(side).id.is_none() => Match::Pair(*entry),
            // The record that has the identifier now; its counterpart may have given it up, or be gone.
            [rival] => Match::Held { reason: duplicate(*rival, side.other()), rival: *rival },
            several => Match::Held { reason: self.ambiguous(several), rival: several[0] },
        }
    }

    /// Why a record waits that may be the counterpart of any of these.
    pub(super) fn ambiguous(&self, several: &[Entry]) -> Reason {
        let other = self.side.other();
        let id = |entry: &Entry| self.pairs[*entry].half(other).id.clone();
        let record = |id: String| RecordRef::new(other, self.mapping.object(other), &id);
        Reason::Ambiguous { records: several.iter().filter_map(id).map(record).collect(), unread: false }
    }

    pub(super) fn note_keys(&mut self, side: Side, keys: &[MatchKey], entry: Entry) {
        for key in keys {
            let entries = self.by_key[side].entry(key.clone()).or_default();
            if !entries.contains(&entry) {
                entries.push(entry);
            }
        }
    }

    /// Match keys that unanswered creates of a pair carried to a side.
    pub(super) fn sent_keys(&self, pair: PairId, target: Side) -> Vec<MatchKey> {
        let creates = self.unanswered.get(&pair).into_iter().flatten();
        let creates = creates.filter(|change| change.action == Action::Create && change.target == target);
        creates.flat_map(|change| identity::keys_sent(self.mapping, change)).collect()
    }

    /// Whether a pair has a create without an answer, and nothing has been found that it has made.
    pub(super) fn has_open_create(&self, entry: Entry) -> bool {
        let pair = &self.pairs[entry];
        let mut unanswered = self.unanswered.get(&pair.id).into_iter().flatten();
        !pair.is_linked() && unanswered.any(|change| change.action == Action::Create)
    }

    /// Leaves out a pair whose record takes no part. That does not settle what became of a create.
    pub(super) fn leave_out(&mut self, entry: Entry) {
        self.touch(entry);
        let pair = &mut self.pairs[entry];
        if pair.status == Status::Live {
            pair.dirty = true;
        } else if !pair.is_of_unknown_fate() {
            pair.status = Status::Excluded;
            pair.reason = pair.why_out();
        }
    }

    /// The pair whose unanswered create carried these keys, if there is exactly one.
    pub(super) fn sent_as(&self, keys: &[MatchKey]) -> Option<Entry> {
        let sent = |number: &PairId| {
            let entry = *self.by_number.get(number)?;
            // Another record may have taken the place of what it made, and its pair with that.
            let alone = self.pairs[entry].half(self.side).id.is_none() && !self.removed.contains(number);
            (alone && self.sent_keys(*number, self.side).iter().any(|key| keys.contains(key)))
                .then_some(entry)
        };
        let mut found = self.unanswered.keys().filter_map(sent);
        found.next().filter(|_| found.next().is_none())
    }

    /// Settles unanswered changes of a pair by the record that was just read. An update that it shows is known to have been
    /// executed from then on: what is read later may show it no longer.
    pub(super) fn settle_read(&mut self, entry: Entry) {
        let pair = &mut self.pairs[entry];
        let unanswered = self.unanswered.get_mut(&pair.id).into_iter().flatten();
        for change in unanswered.filter(|change| change.target == self.side) {
            // A create has no merge base of its own yet. Where its source has left the pair there is none to settle: the
            // next counterpart is met for the first time.
            if change.action != Action::Create || (pair.agreed.is_empty() && pair.is_linked()) {
                let landed = has_landed(self.mapping, pair, change);
                settle_as_sent(self.mapping, pair, change);
                self.landed.extend(landed.then(|| change.clone()));
            }
        }
    }

    /// Pairs whose record on `side` has one of these keys; the best key that any pair has decides.
    pub(super) fn owners(&self, side: Side, keys: &[MatchKey]) -> Vec<Entry> {
        let entries = |key: &MatchKey| -> Vec<Entry> {
            let entries = self.by_key[side].get(key).cloned().unwrap_or_default();
            let has = |entry: &Entry| {
                self.still_has(*entry, side, key)
                    && !self.only_sent_as(*entry, side, key)
                    && !self.gone_unsent(*entry, side, key)
            };
            entries.into_iter().filter(has).collect()
        };
        keys.iter().map(entries).find(|entries| !entries.is_empty()).unwrap_or_default()
    }

    /// Whether a pair has not given up a key since it was noted for it.
    fn still_has(&self, entry: Entry, side: Side, key: &MatchKey) -> bool {
        let pair = &self.pairs[entry];
        let now = pair.keys[side].as_ref();
        now.is_none_or(|keys| keys.contains(key)) && (pair.id == 0 || !self.removed.contains(&pair.id))
    }

    /// Whether the record that had a key is gone, and no unanswered create carried it.
    fn gone_unsent(&self, entry: Entry, side: Side, key: &MatchKey) -> bool {
        let pair = &self.pairs[entry];
        pair.half(side).deleted.is_some() && !self.sent_keys(pair.id, side.other()).contains(key)
    }

    /// Whether a pair owns a key only through an unanswered create, and its record has other keys by now.
    fn only_sent_as(&self, entry: Entry, side: Side, key: &MatchKey) -> bool {
        let pair = &self.pairs[entry];
        self.sent_keys(pair.id, side.other()).contains(key)
            && !identity::keys(self.mapping, side, |slot| pair.current(side, slot)).contains(key)
    }
}
