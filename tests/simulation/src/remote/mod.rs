//! A simulated remote system like those of SaaS vendors: it assigns ids, pages, dates changes at its
//! precision, normalises values, has a lagging search index, and fails in many ways.

mod execute;
mod fault;
mod find;
mod report;

pub(crate) use execute::POISON;

use crate::character::Manners;
use crate::clock::SimClock;
use crate::dice::{Dice, lock};
use crate::schema::{self, COMPANY, IDENTIFIER, PERSON, Words};
use crate::tape::Tape;
use async_trait::async_trait;
use entente_core::{FieldTime, Kind, Reference, Timestamp, Value};
use entente_sync::{
    Answer, Batch, ChangeTimes, Collection, Description, Exchange, ExchangeError, Executed, Feature, Object,
    Order, Page, ProposedMapping, Query, ReportRequest, Row, TicketState,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A record of a remote system.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) values: Vec<Value>,
    times: Vec<Option<Timestamp>>,
    changed: Timestamp,
    created: Timestamp,
    /// The identifiers that it had, each with when it lost it, by the true time.
    former: Vec<(i64, Value)>,
    /// When it went, by the true time.
    gone: Option<i64>,
    /// The number of its last change.
    seq: u64,
    pub(crate) deleted: bool,
    /// The record that it was merged into.
    merged: Option<String>,
}

/// A record created by an order.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub(crate) sync: String,
    pub(crate) source: Option<Reference>,
    pub(crate) object: usize,
    pub(crate) id: String,
    /// The number of effects so far.
    pub(crate) when: u64,
}

#[derive(Debug, Default)]
struct State {
    objects: [BTreeMap<String, Stored>; 2],
    number: u64,
    seq: u64,
    /// Idempotency keys of creates, with the records created.
    known: HashMap<String, (usize, String)>,
    made: Vec<Made>,
    writes: u64,
    breaches: Vec<String>,
    last_page: Option<Vec<Batch>>,
    again: u64,
    /// It has forgotten a place.
    forgotten: bool,
}

/// A remote system.
pub(crate) struct Remote {
    name: String,
    pub(crate) manners: Manners,
    clock: Arc<SimClock>,
    tape: Arc<Tape>,
    state: Mutex<State>,
    dice: Mutex<Dice>,
    faulty: Mutex<bool>,
    /// Whether the next order is executed and not answered.
    mute: Mutex<bool>,
    /// The fields that it requires, as the syncs say.
    required: Mutex<Vec<(usize, usize)>>,
    /// When the last run began, by the true time.
    begun: Mutex<i64>,
}

impl Remote {
    pub(crate) fn new(
        name: &str,
        manners: Manners,
        clock: Arc<SimClock>,
        tape: Arc<Tape>,
        dice: Dice,
    ) -> Self {
        Self {
            name: name.to_owned(),
            manners,
            clock,
            tape,
            state: Mutex::default(),
            dice: Mutex::new(dice),
            faulty: Mutex::new(true),
            mute: Mutex::new(false),
            required: Mutex::default(),
            begun: Mutex::default(),
        }
    }

    /// A run begins.
    pub(crate) fn begin(&self) {
        *lock(&self.begun) = self.clock.stands_at();
    }

    /// Turns faults on or off.
    pub(crate) fn set_faulty(&self, faulty: bool) {
        *lock(&self.faulty) = faulty;
    }

    /// Draws from here on.
    pub(crate) fn reseed(&self, dice: Dice) {
        *lock(&self.dice) = dice;
    }

    fn faulty(&self) -> bool {
        *lock(&self.faulty)
    }

    /// The number of records written by orders.
    pub(crate) fn writes(&self) -> u64 {
        lock(&self.state).writes
    }

    /// The records created by orders.
    pub(crate) fn made(&self) -> Vec<Made> {
        lock(&self.state).made.clone()
    }

    /// Every record by id, deleted ones included.
    pub(crate) fn all(&self, object: usize) -> Vec<(String, Stored)> {
        lock(&self.state).objects[object].iter().map(|(id, record)| (id.clone(), record.clone())).collect()
    }

    /// Its clock, at its precision.
    fn now(&self) -> Timestamp {
        let skewed = self.clock.time().micros() + self.manners.skew_seconds * 1_000_000;
        Timestamp::from_micros(skewed.div_euclid(self.manners.precision) * self.manners.precision)
    }

    /// A user creates a record. `None` if it is refused.
    pub(crate) fn create(&self, object: usize, values: Vec<Value>, at: Option<Timestamp>) -> Option<String> {
        let now = at.unwrap_or_else(|| self.now());
        let mut state = lock(&self.state);
        if self.taken(&state, object, &values[IDENTIFIER], None) {
            return None;
        }
        Some(self.insert(&mut state, object, values, now))
    }

    /// A user edits a field; returns the stored value. `None` if it is refused.
    pub(crate) fn set(
        &self,
        object: usize,
        id: &str,
        field: usize,
        value: Value,
        at: Option<Timestamp>,
    ) -> Option<Value> {
        let now = at.unwrap_or_else(|| self.now());
        let mut state = lock(&self.state);
        let value = self.kept(object, field, value);
        if state.objects[object].get(id).is_none_or(|record| record.deleted)
            || (field == IDENTIFIER && self.taken(&state, object, &value, Some(id)))
        {
            return None;
        }
        self.write(&mut state, object, id, vec![(field, value.clone())], now);
        Some(value)
    }

    /// A user deletes a record.
    pub(crate) fn delete(&self, object: usize, id: &str) -> bool {
        let now = self.now();
        self.remove(&mut lock(&self.state), object, id, now, None)
    }

    /// A user merges a record into another.
    pub(crate) fn merge(&self, object: usize, loser: &str, winner: &str) -> bool {
        let now = self.now();
        let mut state = lock(&self.state);
        if state.objects[object].get(winner).is_none_or(|record| record.deleted) {
            return false;
        }
        self.remove(&mut state, object, loser, now, Some(winner.to_owned()))
    }

    /// A record gets another id: returns it.
    pub(crate) fn rename(&self, object: usize, id: &str) -> Option<String> {
        let now = self.now();
        let mut state = lock(&self.state);
        let values = state.objects[object].get(id).filter(|record| !record.deleted)?.values.clone();
        let after = self.insert(&mut state, object, values, now);
        self.remove(&mut state, object, id, now, Some(after.clone()));
        Some(after)
    }

    /// Whether reports from a bookmark tell that a record is gone. Once it has forgotten a place, nothing is sure to.
    pub(crate) fn tells_deletion(&self, object: usize, id: &str) -> bool {
        let state = lock(&self.state);
        self.manners.bookmarks
            && state.objects[object].get(id).is_some_and(|record| {
                let told = self.manners.deletions || record.merged.is_some();
                record.deleted && told && !state.forgotten
            })
    }

    /// The next order is executed, and answered without a word about its changes.
    pub(crate) fn fall_mute(&self) {
        *lock(&self.mute) = true;
    }

    /// Notes from here on which orders make records without these fields, or clear them.
    pub(crate) fn require(&self, fields: Vec<(usize, usize)>) {
        *lock(&self.required) = fields;
    }

    /// The orders that made people without a field that is required, or cleared it.
    pub(crate) fn breaches(&self) -> Vec<String> {
        lock(&self.state).breaches.clone()
    }

    fn insert(&self, state: &mut State, object: usize, values: Vec<Value>, now: Timestamp) -> String {
        state.number += 1;
        state.seq += 1;
        // Ids are not ordered by time, as in many systems.
        let id = format!(
            "{}{}{:04}",
            self.name,
            if object == PERSON { "p" } else { "c" },
            state.number * 3571 % 10_007
        );
        let values: Vec<Value> =
            values.into_iter().enumerate().map(|(field, value)| self.kept(object, field, value)).collect();
        let record = Stored {
            times: values.iter().map(|value| (!value.is_blank()).then_some(now)).collect(),
            values,
            changed: now,
            created: self.clock.time(),
            former: Vec::new(),
            gone: None,
            seq: state.seq,
            deleted: false,
            merged: None,
        };
        state.objects[object].insert(id.clone(), record);
        id
    }

    fn write(&self, state: &mut State, object: usize, id: &str, values: Vec<(usize, Value)>, now: Timestamp) {
        state.seq += 1;
        let seq = state.seq;
        let Some(record) = state.objects[object].get_mut(id) else { return };
        for (field, value) in values {
            if record.values[field] != value {
                let before = std::mem::replace(&mut record.values[field], value);
                if field == IDENTIFIER {
                    record.former.push((self.clock.stands_at(), before));
                }
                record.times[field] = Some(now);
            }
        }
        record.changed = now;
        record.seq = seq;
    }

    fn remove(
        &self,
        state: &mut State,
        object: usize,
        id: &str,
        now: Timestamp,
        merged: Option<String>,
    ) -> bool {
        state.seq += 1;
        let seq = state.seq;
        match state.objects[object].get_mut(id) {
            Some(record) if !record.deleted => {
                (record.deleted, record.merged, record.changed, record.seq) = (true, merged, now, seq);
                record.gone = Some(self.clock.stands_at());
                true
            }
            _ => false,
        }
    }

    /// The value as this system normalises it.
    fn kept(&self, object: usize, field: usize, value: Value) -> Value {
        let value = if self.manners.normalises { schema::normalised(object, field, value) } else { value };
        match value {
            Value::Null
                if self.manners.one_blank
                    && matches!(
                        schema::columns(object)[field].kind,
                        Kind::Text | Kind::Phone | Kind::Email
                    ) =>
            {
                Value::text("")
            }
            value => value,
        }
    }

    fn taken(&self, state: &State, object: usize, value: &Value, but: Option<&str>) -> bool {
        let meaning = schema::meaning(object, IDENTIFIER, value);
        self.manners.unique_email
            && object == PERSON
            && !meaning.is_blank()
            && state.objects[object].iter().any(|(id, record)| {
                !record.deleted
                    && Some(id.as_str()) != but
                    && schema::meaning(object, IDENTIFIER, &record.values[IDENTIFIER]) == meaning
            })
    }

    fn row(&self, object: usize, id: &str, record: &Stored, fields: &[String]) -> Row {
        let place = |name: &String| Words::Remote.read_field(object, name);
        Row {
            id: id.to_owned(),
            changed: (self.manners.times != ChangeTimes::None).then_some(record.changed),
            version: Some(record.seq.to_string()),
            values: fields.iter().map(|name| Some(record.values[place(name)?].clone())).collect(),
            times: if self.manners.times == ChangeTimes::Field {
                fields.iter().map(|name| Some(FieldTime::certain(record.times[place(name)?]?))).collect()
            } else {
                Vec::new()
            },
        }
    }
}

#[async_trait]
impl Exchange for Remote {
    fn name(&self) -> &str {
        &self.name
    }

    async fn describe(&self) -> Result<Description, ExchangeError> {
        self.refuse("describe")?;
        let manners = &self.manners;
        let mut features = BTreeSet::from([Feature::Create, Feature::Update, Feature::Delete]);
        let able = [
            (manners.deletions, Feature::Deletions),
            (manners.keyset, Feature::FullListing),
            (manners.idempotent, Feature::IdempotentCreate),
            (manners.conditional, Feature::ConditionalUpdate),
            (manners.by_id, Feature::ById),
            (manners.one_blank, Feature::OneBlank),
        ];
        features.extend(able.into_iter().filter(|(able, _)| *able).map(|(_, feature)| feature));
        let object = |object: usize| Object {
            name: Words::Remote.object(object).to_owned(),
            label: Words::Remote.object(object).to_owned(),
            fields: Words::Remote.describe(object),
            change_times: manners.times,
            precision: manners.precision.unsigned_abs(),
            features: features.clone(),
            search_lag: (manners.search_lag > Duration::ZERO).then_some(manners.search_lag),
            page_size: Some(manners.page),
            order_size: Some(manners.order),
        };
        Ok(Description { objects: vec![object(PERSON), object(COMPANY)], ..Description::default() })
    }

    async fn manual(&self) -> Result<Vec<ProposedMapping>, ExchangeError> {
        Ok(Vec::new())
    }

    async fn report(&self, request: &ReportRequest) -> Result<Page, ExchangeError> {
        self.page(request)
    }

    async fn execute(&self, order: &Order) -> Result<Executed, ExchangeError> {
        self.carry_out(order)
    }

    async fn collect(&self, _ticket: &str, _order: &Order) -> Result<Collection, ExchangeError> {
        Ok(Collection { answers: Vec::<Answer>::new(), state: TicketState::Lost })
    }

    fn can_find(&self) -> bool {
        self.manners.find
    }

    async fn find(&self, query: &Query) -> Result<Vec<Vec<String>>, ExchangeError> {
        self.look_up(query)
    }
}
