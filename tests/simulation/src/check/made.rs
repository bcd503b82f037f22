//! Duplicates: orders create one record for each source, and none for what users deleted.

use super::End;
use crate::book::{Book, Edit};
use crate::dice::lock;
use crate::remote::Made;
use crate::schema::{IDENTIFIER, NAME, PERSON, meaning};
use crate::tally::Exception;
use crate::verdict::{Verdict, Word};
use entente_core::{Reference, Value};
use entente_sync::{DeletePolicy, Pair, Reason, Side};
use std::collections::{BTreeMap, BTreeSet};

/// The name of a record that was made, why it need not be the only one, and whether it is there.
type Counted = (String, Option<Exception>, bool);

impl End<'_> {
    pub(super) fn check_made(&self, verdict: &mut Verdict) {
        let mut made: Vec<(usize, Made)> = Vec::new();
        for (place, system) in self.world.users.systems.iter().enumerate() {
            let list = match system {
                crate::system::System::Hub(_) => lock(&self.world.ledger.shared).made.clone(),
                crate::system::System::Remote(remote) => remote.made(),
            };
            made.extend(list.into_iter().map(|made| (place, made)));
        }
        self.check_once(&made, verdict);
        self.check_gone(&made, verdict);
        self.check_names(&made, verdict);
        for unfenced in &lock(&self.world.ledger.shared).unfenced {
            verdict.add(Word::Unaccounted, "I24", unfenced.clone());
        }
    }

    /// At most one record per source.
    fn check_once(&self, made: &[(usize, Made)], verdict: &mut Verdict) {
        let recreates = self.world.character.deletes == DeletePolicy::Recreate;
        let book = lock(&self.world.users.book);
        let mut by_source: BTreeMap<(usize, &str, String), Vec<Counted>> = BTreeMap::new();
        for (place, made) in made {
            let there = self.record(*place, made.object, &made.id).is_some();
            // A record deleted before the sync was told of it is unknown to it.
            let unheard = book.gone.iter().any(|gone| {
                (gone.place, &gone.id) == (*place, &made.id)
                    && gone.partners.iter().all(|(sync, _)| *sync != made.sync)
            });
            let source = made.source.as_ref().map(ToString::to_string).unwrap_or_default();
            let exception = if self.renamed(&book, *place, &made.id) {
                Some(Exception::Renamed)
            } else if self.made_by_undo(*place, made.object, &made.id) {
                Some(Exception::MadeByUndo)
            } else if there {
                None
            } else if unheard {
                Some(Exception::MadeUnheard)
            } else if self.put_back(*place, made.object, &made.id) {
                Some(Exception::MadeByUndo)
            } else {
                recreates.then_some(Exception::MadeAgain)
            };
            let name = self.record_name(*place, made.object, &made.id);
            by_source.entry((*place, &made.sync, source)).or_default().push((name, exception, there));
        }
        for ((_, sync, source), mut names) in by_source.into_iter().filter(|(_, names)| names.len() > 1) {
            // What an undo makes again was deleted before: it stands alone.
            if names.iter().filter(|(.., there)| *there).count() > 1 {
                let by_undo = |which: &Exception| matches!(which, Exception::MadeByUndo);
                for (_, exception, _) in names.iter_mut().filter(|(.., there)| *there) {
                    *exception = exception.filter(|which| !by_undo(which));
                }
            }
            names.iter().filter_map(|(_, exception, _)| *exception).for_each(|which| verdict.except(which));
            let counted = names.into_iter().filter(|(_, exception, _)| exception.is_none());
            let names: Vec<String> = counted.map(|(name, ..)| name).collect();
            if names.len() < 2 {
                continue;
            }
            verdict.add(Word::Doubled, "I3", format!("{sync} has made {} for {source}", names.join(" and ")));
        }
    }

    /// Whether a user changed a record's identifier before the sync was told of it. A create with an unknown
    /// outcome cannot be found again then.
    pub(super) fn renamed(&self, book: &Book, place: usize, id: &str) -> bool {
        book.edits
            .iter()
            .any(|edit| edit.unheard && (edit.place, edit.field, edit.id.as_str()) == (place, IDENTIFIER, id))
    }

    /// The records of a pair, by system and id.
    fn halves<'p>(&self, sync: usize, pair: &'p Pair) -> Vec<(usize, &'p str)> {
        Side::BOTH
            .into_iter()
            .filter_map(|side| Some((self.place(sync, side), pair.half(side).id.as_deref()?)))
            .collect()
    }

    /// The pairs that have any of these records.
    fn pairs_with(&self, object: usize, records: &[(usize, &str)]) -> Vec<&(usize, usize, Pair)> {
        let has =
            |sync: usize, pair: &Pair| self.halves(sync, pair).iter().any(|half| records.contains(half));
        self.pairs.iter().filter(|(sync, of, pair)| *of == object && has(*sync, pair)).collect()
    }

    /// A deleted record is not re-created.
    fn check_gone(&self, made: &[(usize, Made)], verdict: &mut Verdict) {
        let recreates = self.world.character.deletes == DeletePolicy::Recreate;
        for gone in &lock(&self.world.users.book).gone {
            for (sync, partner) in &gone.partners {
                let again = made.iter().find(|(place, made)| {
                    *place == gone.place
                        && made.when > gone.when
                        && made.sync == *sync
                        && made.source.as_ref() == Some(partner)
                });
                if let Some((place, made)) = again {
                    if recreates {
                        verdict.except(Exception::RecreatedByPolicy);
                        continue;
                    }
                    if self.made_by_undo(*place, made.object, &made.id) {
                        verdict.except(Exception::MadeByUndo);
                        continue;
                    }
                    let before = self.record_name(gone.place, gone.object, &gone.id);
                    let after = self.record_name(*place, made.object, &made.id);
                    verdict.add(
                        Word::Doubled,
                        "I8",
                        format!("{before} was deleted, and {sync} has made {after} from {partner}"),
                    );
                }
            }
        }
    }

    /// Whether one of these was made by a create that has no answer of its own, and a person made another one with the same
    /// address: who goes by addresses takes whichever is reported first for what was made.
    fn typed_meanwhile(&self, made: &[(usize, Made)], these: &[(usize, &str)]) -> bool {
        let by_sync = |id: &str| made.iter().any(|(_, made)| made.object == PERSON && made.id == id);
        let answered = |id: &str| self.changes.iter().any(|change| change.made.as_deref() == Some(id));
        let address = |(place, id): &(usize, &str)| {
            let values = self.record(*place, PERSON, id)?;
            Some(meaning(PERSON, IDENTIFIER, &values[IDENTIFIER])).filter(|address| !address.is_blank())
        };
        let unanswered = these.iter().filter(|(_, id)| by_sync(id) && !answered(id)).filter_map(address);
        let typed: Vec<Value> = these.iter().filter(|(_, id)| !by_sync(id)).filter_map(address).collect();
        unanswered.into_iter().any(|address| typed.contains(&address))
    }

    /// Whether two syncs have made a deleted person again, each from a survivor of its own, or one where an undo of the
    /// other had deleted it, and nobody could tell that the two are one: of their identifiers one is blank or has been
    /// changed.
    fn recreated_twice(
        &self,
        book: &Book,
        made: &[(usize, Made)],
        these: &[(usize, &str)],
        theirs: &[(usize, &str)],
    ) -> bool {
        let identifiers: BTreeSet<String> = these
            .iter()
            .filter_map(|(place, id)| self.record(*place, PERSON, id))
            .map(|values| meaning(PERSON, IDENTIFIER, &values[IDENTIFIER]).to_string())
            .collect();
        let blank = meaning(PERSON, IDENTIFIER, &Value::Null).to_string();
        let survives = |partner: &Reference| theirs.iter().any(|(_, id)| *id == partner.id);
        let by_person =
            || book.gone.iter().any(|gone| gone.partners.iter().any(|(_, partner)| survives(partner)));
        self.world.character.deletes == DeletePolicy::Recreate
            && (identifiers.len() > 1 || identifiers.contains(&blank))
            && (by_person() || self.undone_and_recreated(made, these, theirs))
    }

    /// Whether an undo has deleted the counterpart of one of these, and another sync has made a record in its place, from
    /// a survivor of its own.
    fn undone_and_recreated(
        &self,
        made: &[(usize, Made)],
        these: &[(usize, &str)],
        theirs: &[(usize, &str)],
    ) -> bool {
        let undone = self.pairs_with(PERSON, these);
        undone.into_iter().filter(|(.., pair)| pair.reason == Some(Reason::Undone)).any(|(sync, _, pair)| {
            let gone = Side::BOTH.into_iter().find(|side| pair.half(*side).id.is_none());
            let place = gone.map(|side| self.place(*sync, side));
            let elsewhere = |of: &Made| of.object == PERSON && of.sync != self.world.syncs[*sync].name;
            // It may be gone again by now: one of these was made from it.
            let source = |of: &Made| {
                let from = |one: &Made| one.source.as_ref().is_some_and(|source| source.id == of.id);
                made.iter().any(|(at, one)| from(one) && these.contains(&(*at, one.id.as_str())))
            };
            made.iter().any(|(at, of)| {
                let stands = theirs.contains(&(*at, of.id.as_str()));
                Some(*at) == place && elsewhere(of) && (stands || source(of))
            })
        })
    }

    /// No two people of one system have the same name, since users type none twice.
    fn check_names(&self, made: &[(usize, Made)], verdict: &mut Verdict) {
        let book = lock(&self.world.users.book);
        for ((place, object), records) in &self.records {
            let mut names: BTreeMap<String, Vec<&String>> = BTreeMap::new();
            for (id, values) in records.iter().filter(|_| *object == PERSON) {
                if let Value::Text(text) = meaning(PERSON, NAME, &values[NAME]) {
                    names.entry(text).or_default().push(id);
                }
            }
            for (name, ids) in names.into_iter().filter(|(_, ids)| ids.len() > 1) {
                let these: Vec<(usize, &str)> = ids.iter().map(|id| (*place, id.as_str())).collect();
                let known = self.pairs_with(*object, &these);
                let theirs: Vec<(usize, &str)> =
                    known.iter().flat_map(|(sync, _, pair)| self.halves(*sync, pair)).collect();
                // A record whose counterpart was lost in one system reaches the others as a new one.
                let lost_sight = self.pairs_with(*object, &theirs).iter().any(|(sync, _, pair)| {
                    Side::BOTH.into_iter().any(|side| {
                        let id = pair.half(side).id.as_deref().unwrap_or_default();
                        made.iter().any(|(_, made)| made.id == id)
                            && self.renamed(&book, self.place(*sync, side), id)
                    })
                });
                if lost_sight {
                    verdict.except(Exception::Renamed);
                    continue;
                }
                let shared = shared(&book, &these, &theirs, |place, id| self.record(place, PERSON, id));
                if shared || self.typed_meanwhile(made, &these) {
                    verdict.except(Exception::SharedName);
                    continue;
                }
                let kin: Vec<(usize, &str)> = self
                    .pairs_with(*object, &theirs)
                    .into_iter()
                    .flat_map(|(sync, _, pair)| self.halves(*sync, pair))
                    .collect();
                if self.recreated_twice(&book, made, &these, &kin) {
                    verdict.except(Exception::RecreatedTwice);
                    continue;
                }
                let ids: Vec<String> = ids.iter().map(|id| self.record_name(*place, *object, id)).collect();
                let pairs: Vec<String> =
                    known.into_iter().map(|(sync, of, pair)| self.name(*sync, *of, pair)).collect();
                verdict.add(
                    Word::Doubled,
                    "I3",
                    format!("{} are all called {name}: {}", ids.join(" and "), pairs.join("; ")),
                );
            }
        }
    }
}

/// Whether somebody gave a record the address of one of these, or of one of their counterparts, so that the two were
/// taken for one person, and the name of one has gone to the other.
fn shared<'w>(
    book: &Book,
    these: &[(usize, &str)],
    theirs: &[(usize, &str)],
    record: impl Fn(usize, &str) -> Option<&'w Vec<Value>>,
) -> bool {
    let identifier = |value: &Value| meaning(PERSON, IDENTIFIER, value);
    let have: Vec<Value> = these
        .iter()
        .chain(theirs)
        .filter_map(|(place, id)| Some(identifier(&record(*place, id)?[IDENTIFIER])))
        .filter(|value| !value.is_blank())
        .collect();
    let ours = |id: &str| these.iter().chain(theirs).any(|(_, of)| *of == id);
    let mut given =
        book.edits.iter().enumerate().filter(|(_, edit)| (edit.object, edit.field) == (PERSON, IDENTIFIER));
    // One of these may have got it itself, when it was that of a person who has been deleted since.
    let of_gone = |address: &Value| {
        book.gone.iter().any(|gone| gone.object == PERSON && identifier(&gone.identifier) == *address)
    };
    // Or one of them has got the one that another of them had.
    let of_another = |at: usize, edit: &Edit, address: &Value| {
        let among = |of: &Edit| these.contains(&(of.place, of.id.as_str()));
        let had = |before: &&Edit| {
            (before.object, before.field) == (PERSON, IDENTIFIER) && identifier(&before.value) == *address
        };
        let mut before = book.edits[..at].iter().filter(had);
        among(edit) && before.any(|before| before.id != edit.id && among(before))
    };
    given.any(|(at, edit)| {
        let address = identifier(&edit.value);
        have.contains(&address) && (!ours(&edit.id) || of_gone(&address) || of_another(at, edit, &address))
    })
}
