//! Simulated users, who act at any time, also during runs. Every value that they type is unique.

use crate::book::{Book, Edit, Gone, Tag};
use crate::dice::{Dice, lock};
use crate::remote::POISON;
use crate::rules::Rules;
use crate::schema::{
    CITY, COMPANY, CONTACT, EMPLOYER, IDENTIFIER, MANAGER, NAME, PERSON, PHONE, STAGE, TAGS, columns,
};
use crate::system::{Live, System};
use crate::tape::Tape;
use entente_core::{Reference, Timestamp, Value};
use entente_sqlite::SqliteLedger;
use entente_sync::{ChangeStatus, Ledger, MappingId, OperatorLedger as _, PairId, Side, Sides, Status};
use std::sync::{Arc, Mutex};

/// A sync, as users know it: its name and sides.
pub(crate) struct Link {
    pub(crate) sync: String,
    pub(crate) relation: String,
    /// The systems, by their indexes in the world.
    pub(crate) places: Sides<usize>,
}

/// The users.
pub(crate) struct Users {
    pub(crate) systems: Vec<System>,
    pub(crate) links: Vec<Link>,
    pub(crate) ledger: SqliteLedger,
    pub(crate) clock: Arc<crate::clock::SimClock>,
    pub(crate) tape: Arc<Tape>,
    pub(crate) book: Mutex<Book>,
    pub(crate) dice: Mutex<Dice>,
    /// Whether some users exclude records from the sync by its filter.
    pub(crate) hiding: bool,
    /// The percentage of a run's calls before which they act.
    pub(crate) busy: Mutex<u64>,
    /// The rules of fields, which say what people type into them.
    pub(crate) rules: Rules,
}

impl Users {
    pub(crate) fn chance(&self, percent: u64) -> bool {
        lock(&self.dice).chance(percent)
    }

    pub(crate) fn below(&self, end: usize) -> usize {
        lock(&self.dice).below(end)
    }

    pub(crate) fn number(&self) -> u64 {
        lock(&self.book).next()
    }

    /// A value that was never typed before.
    fn value(&self, object: usize, field: usize) -> Value {
        let n = self.number();
        let odd = self.chance(20);
        match (object, field) {
            (PERSON, IDENTIFIER) if odd => Value::text(format!(" U{n}@Example.org")),
            (PERSON, IDENTIFIER) => Value::text(format!("u{n}@example.org")),
            (PERSON, NAME) if self.chance(3) => Value::text(format!("{POISON} {n}")),
            (PERSON, NAME) if odd => Value::text(format!("Name  {n} ")),
            (PERSON, NAME) => Value::text(format!("Name {n}")),
            (PERSON, PHONE) => Value::text(format!("030{n:06}")),
            (PERSON, CITY) if self.hiding && self.chance(15) => Value::text("hidden"),
            (COMPANY, IDENTIFIER) => Value::text(format!("Company {n}")),
            _ => Value::text(format!("City {n}")),
        }
    }

    /// The time that they give for an edit, where they may.
    fn time(&self, place: usize) -> Option<Timestamp> {
        match &self.systems[place] {
            System::Remote(remote) if remote.manners.settable_times && self.chance(15) => {
                let off = lock(&self.dice).between(-172_800, 172_800);
                Some(Timestamp::from_micros(self.clock.time().micros() + off * 1_000_000))
            }
            _ => None,
        }
    }

    pub(crate) async fn any_record(&self, place: usize, object: usize) -> Option<Live> {
        let records = self.systems[place].records(object).await;
        let n = self.below(records.len());
        records.into_iter().nth(n)
    }

    /// Edits a field.
    pub(crate) async fn set(
        &self,
        place: usize,
        object: usize,
        id: &str,
        field: usize,
        value: Value,
        tag: Option<Tag>,
    ) {
        let system = &self.systems[place];
        let Some(value) = system.set(object, id, field, value, self.time(place)).await else { return };
        self.tape.note(format_args!("user: {} {id} field {field} := {value}", system.name()));
        let unheard = self.partners(place, object, id).await.len() < self.syncs(place);
        lock(&self.book).edits.push(Edit { place, object, id: id.to_owned(), field, value, tag, unheard });
    }

    /// Creates a record with this identifier, or with a new one.
    pub(crate) async fn create(&self, place: usize, object: usize, identifier: Option<Value>) {
        let system = &self.systems[place];
        let mut values: Vec<Value> = Vec::new();
        for field in 0..columns(object).len() {
            let value = match (object, field) {
                (_, IDENTIFIER) => identifier.clone().unwrap_or_else(|| self.value(object, field)),
                (PERSON, NAME) => self.value(object, field),
                (PERSON, TAGS) if self.chance(30) => Value::Texts(vec![format!("tag{}", self.number())]),
                (PERSON, EMPLOYER) if self.chance(40) => self
                    .any_record(place, COMPANY)
                    .await
                    .map_or(Value::Null, |company| system.reference(COMPANY, &company.id)),
                (PERSON, MANAGER) | (COMPANY, CONTACT) if self.rules.cycles && self.chance(40) => {
                    self.someone(place).await
                }
                (PERSON, STAGE) if self.rules.map.is_some() && self.chance(50) => self.stage(place),
                (PERSON, PHONE) | (_, CITY) | (COMPANY, NAME) if self.chance(60) => self.value(object, field),
                _ => Value::Null,
            };
            values.push(value);
        }
        let Some(id) = system.create(object, &values, self.time(place)).await else { return };
        self.tape.note(format_args!("user: {} {id} is made: {}", system.name(), values[0]));
        let Some(record) = system.records(object).await.into_iter().find(|record| record.id == id) else {
            return;
        };
        let mut book = lock(&self.book);
        for (field, value) in record.values.into_iter().enumerate() {
            match &value {
                Value::Texts(texts) => {
                    let tag = |text: &String| Tag { text: text.clone(), put_on: true, heard: true };
                    let edits = texts.iter().map(|text| (value.clone(), Some(tag(text))));
                    book.edits.extend(edits.map(|(value, tag)| Edit {
                        place,
                        object,
                        id: id.clone(),
                        field,
                        value,
                        tag,
                        unheard: true,
                    }));
                }
                value if value.is_blank() => {}
                _ => book.edits.push(Edit {
                    place,
                    object,
                    id: id.clone(),
                    field,
                    value,
                    tag: None,
                    unheard: true,
                }),
            }
        }
    }

    /// Edits a random field of a random record.
    pub(crate) async fn edit(&self, place: usize) {
        if self.rules.adds_fields() && self.chance(25) {
            return self.edit_by_rule(place).await;
        }
        let object = if self.chance(85) { PERSON } else { COMPANY };
        let Some(record) = self.any_record(place, object).await else { return };
        let field = match (object, self.below(20)) {
            (PERSON, 0) => IDENTIFIER,
            (PERSON, 1..=7) => NAME,
            (PERSON, 8..=13) => PHONE,
            (PERSON, _) => CITY,
            (_, 0..=4) => IDENTIFIER,
            _ => NAME,
        };
        let value = self.value(object, field);
        self.set(place, object, &record.id, field, value, None).await;
    }

    /// Clears a random field of a random person.
    pub(crate) async fn blank(&self, place: usize) {
        let Some(record) = self.any_record(place, PERSON).await else { return };
        let field = [NAME, PHONE, CITY, CITY, EMPLOYER][self.below(5)];
        self.set(place, PERSON, &record.id, field, Value::Null, None).await;
    }

    /// Adds or removes a tag of a random person.
    pub(crate) async fn tag(&self, place: usize) {
        let Some(record) = self.any_record(place, PERSON).await else { return };
        let mut tags = match &record.values[TAGS] {
            Value::Texts(tags) => tags.clone(),
            _ => Vec::new(),
        };
        let put_on = tags.is_empty() || self.chance(65);
        let partners = self.partners(place, PERSON, &record.id).await;
        // A pair whose other record is gone may begin anew with another one.
        let is_gone = |(_, partner): &(String, Reference)| {
            lock(&self.book).gone.iter().any(|gone| gone.object == PERSON && gone.id == partner.id)
        };
        let heard = partners.len() >= self.syncs(place)
            && !partners.iter().any(is_gone)
            && !self.is_being_written(place, &record.id).await;
        let text = if put_on {
            let text = format!("tag{}", self.number());
            tags.push(text.clone());
            text
        } else {
            let n = self.below(tags.len());
            tags.remove(n)
        };
        self.set(place, PERSON, &record.id, TAGS, Value::Texts(tags), Some(Tag { text, put_on, heard }))
            .await;
    }

    /// Sets the employer of a random person.
    pub(crate) async fn employ(&self, place: usize) {
        let Some(record) = self.any_record(place, PERSON).await else { return };
        let link = match self.gone_company(place) {
            Some(id) => id,
            None => {
                let Some(company) = self.any_record(place, COMPANY).await else { return };
                company.id
            }
        };
        let link = self.systems[place].reference(COMPANY, &link);
        self.set(place, PERSON, &record.id, EMPLOYER, link, None).await;
    }

    /// Edits the same field on both sides of a pair.
    pub(crate) async fn contest(&self, sync: usize) {
        let places = self.links[sync].places;
        let Some(record) = self.any_record(places.left, PERSON).await else { return };
        let partner = self
            .partners(places.left, PERSON, &record.id)
            .await
            .into_iter()
            .find(|(name, _)| *name == self.links[sync].sync);
        let Some((_, partner)) = partner else { return };
        let stage = self.rules.map.is_some() && self.chance(25);
        let field = if stage { STAGE } else { [NAME, PHONE, CITY][self.below(3)] };
        for (place, id) in places.into_iter().zip([record.id, partner.id]) {
            let value = if stage { self.stage(place) } else { self.value(PERSON, field) };
            self.set(place, PERSON, &id, field, value, None).await;
            self.clock
                .advance(std::time::Duration::from_secs(lock(&self.dice).between(0, 90).unsigned_abs()));
        }
    }

    /// Creates the same person or company on both sides.
    pub(crate) async fn create_on_both(&self, sync: usize) {
        let object = if self.chance(70) { PERSON } else { COMPANY };
        let identifier = self.value(object, IDENTIFIER);
        for place in self.links[sync].places {
            self.create(place, object, Some(identifier.clone())).await;
        }
    }

    /// Creates a duplicate of an existing record.
    pub(crate) async fn duplicate(&self, place: usize) {
        let Some(record) = self.any_record(place, PERSON).await else { return };
        self.create(place, PERSON, Some(record.values[IDENTIFIER].clone())).await;
    }

    /// Creates a person without an address, or with a blank one.
    pub(crate) async fn create_unnamed(&self, place: usize, blank: bool) {
        let blanks = [Value::text(""), Value::text(" ")];
        let address = if blank { blanks[self.below(2)].clone() } else { Value::Null };
        self.create(place, PERSON, Some(address)).await;
    }

    /// Gives a person the address of another one.
    pub(crate) async fn share(&self, place: usize) {
        let (Some(one), Some(other)) =
            (self.any_record(place, PERSON).await, self.any_record(place, PERSON).await)
        else {
            return;
        };
        let address = other.values[IDENTIFIER].clone();
        if one.id != other.id && !address.is_blank() {
            self.set(place, PERSON, &one.id, IDENTIFIER, address, None).await;
        }
    }

    /// Gives a record another identifier, which nobody had.
    pub(crate) async fn readdress(&self, place: usize, object: usize, id: &str) {
        let value = self.value(object, IDENTIFIER);
        self.set(place, object, id, IDENTIFIER, value, None).await;
    }

    /// A person gets another address on both sides, and the one that it had goes to a new person of a side.
    pub(crate) async fn hand_on(&self, sync: usize, side: Side) {
        let (places, name) = (self.links[sync].places, &self.links[sync].sync);
        let Some(record) = self.any_record(places[side], PERSON).await else { return };
        let partners = self.partners(places[side], PERSON, &record.id).await;
        let Some((_, partner)) = partners.into_iter().find(|(of, _)| of == name) else { return };
        let (old, new) = (record.values[IDENTIFIER].clone(), self.value(PERSON, IDENTIFIER));
        if old.is_blank() {
            return;
        }
        self.set(places[side], PERSON, &record.id, IDENTIFIER, new.clone(), None).await;
        self.set(places[side.other()], PERSON, &partner.id, IDENTIFIER, new, None).await;
        self.create(places[side], PERSON, Some(old)).await;
    }

    /// Takes the address away from a person.
    pub(crate) async fn clear_address(&self, place: usize) {
        let Some(record) = self.any_record(place, PERSON).await else { return };
        let blanks = [Value::Null, Value::text("")];
        self.set(place, PERSON, &record.id, IDENTIFIER, blanks[self.below(2)].clone(), None).await;
    }

    /// Swaps the e-mail addresses of two people.
    pub(crate) async fn swap(&self, place: usize) {
        let (Some(one), Some(other)) =
            (self.any_record(place, PERSON).await, self.any_record(place, PERSON).await)
        else {
            return;
        };
        if one.id == other.id {
            return;
        }
        let between = self.value(PERSON, IDENTIFIER);
        self.set(place, PERSON, &one.id, IDENTIFIER, between, None).await;
        self.set(place, PERSON, &other.id, IDENTIFIER, one.values[IDENTIFIER].clone(), None).await;
        self.set(place, PERSON, &one.id, IDENTIFIER, other.values[IDENTIFIER].clone(), None).await;
    }

    /// Deletes a random record.
    pub(crate) async fn delete(&self, place: usize) {
        let object = if self.chance(85) { PERSON } else { COMPANY };
        if let Some(record) = self.any_record(place, object).await {
            self.remove(place, object, &record.id).await;
        }
    }

    /// Deletes a record.
    pub(crate) async fn remove(&self, place: usize, object: usize, id: &str) {
        let system = &self.systems[place];
        let Some(record) = system.records(object).await.into_iter().find(|record| record.id == id) else {
            return;
        };
        let (partners, followed) =
            (self.partners(place, object, id).await, self.follows(place, object).await);
        if system.delete(object, id).await {
            self.tape.note(format_args!("user: {} {id} is deleted", system.name()));
            self.note_gone(place, object, &record, partners, followed);
        }
    }

    /// Merges a random person of a remote into another.
    pub(crate) async fn merge(&self, place: usize) {
        let System::Remote(_) = &self.systems[place] else { return };
        let (Some(loser), Some(winner)) =
            (self.any_record(place, PERSON).await, self.any_record(place, PERSON).await)
        else {
            return;
        };
        self.join(place, &loser, &winner.id).await;
    }

    /// Merges a person of a remote into another.
    pub(crate) async fn join(&self, place: usize, loser: &Live, winner: &str) {
        let System::Remote(remote) = &self.systems[place] else { return };
        let (partners, followed) =
            (self.partners(place, PERSON, &loser.id).await, self.follows(place, PERSON).await);
        if loser.id != winner && remote.merge(PERSON, &loser.id, winner) {
            let name = self.systems[place].name();
            self.tape.note(format_args!("user: {name} {} is merged into {winner}", loser.id));
            self.note_gone(place, PERSON, loser, partners, followed);
        }
    }

    /// A person of a remote gets another id.
    pub(crate) async fn rename(&self, place: usize, record: &Live) {
        let System::Remote(remote) = &self.systems[place] else { return };
        let (partners, followed) =
            (self.partners(place, PERSON, &record.id).await, self.follows(place, PERSON).await);
        let Some(after) = remote.rename(PERSON, &record.id) else { return };
        let name = self.systems[place].name();
        self.tape.note(format_args!("user: {name} {} has the id {after} now", record.id));
        self.note_gone(place, PERSON, record, partners, followed);
    }

    /// Re-creates a deleted record.
    pub(crate) async fn recreate(&self) {
        let gone = {
            let book = lock(&self.book);
            let n = lock(&self.dice).below(book.gone.len());
            book.gone.get(n).cloned()
        };
        if let Some(gone) = gone {
            self.create(gone.place, gone.object, Some(gone.identifier)).await;
        }
    }

    /// Whether every sync of a system follows the reports on an object from a bookmark: none tells what was before.
    async fn follows(&self, place: usize, object: usize) -> bool {
        let name = self.systems[place].words().object(object);
        for link in &self.links {
            for side in Side::BOTH.into_iter().filter(|side| link.places[*side] == place) {
                let Ok(progress) = Ledger::progress(&self.ledger, &link.sync, side).await else {
                    return false;
                };
                let position = progress.objects.get(name).or_else(|| progress.told_from.get(name));
                if position.is_none_or(|position| position.bookmark.is_none()) {
                    return false;
                }
            }
        }
        true
    }

    fn note_gone(
        &self,
        place: usize,
        object: usize,
        record: &Live,
        partners: Vec<(String, Reference)>,
        followed: bool,
    ) {
        let identifier = record.values[IDENTIFIER].clone();
        let when = self.tape.effects();
        let id = record.id.clone();
        lock(&self.book).gone.push(Gone { place, object, id, identifier, partners, when, followed });
    }

    /// The counterparts of a record, by sync.
    async fn partners(&self, place: usize, object: usize, id: &str) -> Vec<(String, Reference)> {
        let mut partners = Vec::new();
        for link in &self.links {
            for side in Side::BOTH.into_iter().filter(|side| link.places[*side] == place) {
                let name = self.systems[place].words().object(object);
                let Ok(pairs) = self.ledger.pairs_of_record(Some(&link.relation), side, name, id).await
                else {
                    continue;
                };
                let other = self.systems[link.places[side.other()]].words().object(object);
                let ids = pairs.into_iter().filter_map(|(_, pair)| pair.half(side.other()).id.clone());
                partners
                    .extend(ids.map(|id| (link.sync.clone(), Reference { object: other.to_owned(), id })));
            }
        }
        partners
    }

    /// The number of syncs that a system takes part in.
    fn syncs(&self, place: usize) -> usize {
        self.links.iter().filter(|link| link.places.contains(&place)).count()
    }

    /// Whether an order for this person has not been answered yet.
    async fn is_being_written(&self, place: usize, id: &str) -> bool {
        for link in &self.links {
            for side in Side::BOTH.into_iter().filter(|side| link.places[*side] == place) {
                let name = self.systems[place].words().object(PERSON);
                let Ok(pairs) = self.ledger.pairs_of_record(Some(&link.relation), side, name, id).await
                else {
                    continue;
                };
                let numbers: Vec<PairId> = pairs.iter().map(|(_, pair)| pair.id).collect();
                let unanswered =
                    Ledger::unanswered(&self.ledger, &numbers).await.is_ok_and(|changes| !changes.is_empty());
                let mappings: Vec<MappingId> = pairs.iter().map(|(mapping, _)| mapping.id).collect();
                // With two remote sides, the answer of the other one may have settled the pair meanwhile.
                let open = Ledger::open_changes(&self.ledger, &mappings, ChangeStatus::Sent, 0, 1000).await;
                let sent = open.is_ok_and(|open| open.iter().any(|change| numbers.contains(&change.pair)));
                if sent || unanswered || pairs.iter().any(|(_, pair)| pair.status == Status::Live) {
                    return true;
                }
            }
        }
        false
    }

    /// User actions during a run, before one of its calls. `collecting`: before a call of a listing, so that
    /// the run can still read what it is about to overwrite.
    pub(crate) async fn meanwhile(&self, collecting: bool) {
        let busy = *lock(&self.busy);
        if busy == 0 || !self.chance(busy) {
            return;
        }
        let place = self.below(self.systems.len());
        let guarded = match &self.systems[place] {
            System::Hub(_) => true,
            System::Remote(remote) => {
                remote.manners.conditional || (collecting && remote.manners.guards_edits())
            }
        };
        if !guarded {
            return;
        }
        match self.below(12) {
            0..=5 => self.edit(place).await,
            6..=7 => self.tag(place).await,
            8 => self.blank(place).await,
            9 => self.create(place, PERSON, None).await,
            10 => self.employ(place).await,
            _ => self.delete(place).await,
        }
    }
}
