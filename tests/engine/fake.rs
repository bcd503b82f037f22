//! A fake exchange in plain Rust that behaves like a real one: it assigns ids, pages, dates changes, refuses
//! stale writes.

use async_trait::async_trait;
use entente_core::{FieldTime, Reference, Timestamp, Value};
use entente_sync::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// A manual clock that advances a second with each reading, and by every sleep.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    pub fn at(text: &str) -> Self {
        Self(AtomicI64::new(Timestamp::parse(text).unwrap().micros()))
    }

    pub fn advance(&self, duration: Duration) {
        self.0.fetch_add(duration.as_micros() as i64, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.fetch_add(1_000_000, Ordering::SeqCst))
    }

    async fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }
}

/// Pseudo-random numbers that never repeat.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Randomness for Counter {
    fn bits(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::SeqCst)) + 1
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Record {
    pub values: BTreeMap<String, Value>,
    pub times: BTreeMap<String, Timestamp>,
    pub changed: Timestamp,
    pub seq: u64,
    pub deleted: bool,
}

/// The features of the exchange, and its faults.
#[derive(Debug, Clone)]
pub struct Character {
    pub account: Option<Account>,
    pub address: Vec<String>,
    pub times: ChangeTimes,
    /// Resolution of change times, in microseconds.
    pub precision: u64,
    pub features: BTreeSet<Feature>,
    pub can_find: bool,
    /// Listings tell merges too.
    pub lists_merges: bool,
    /// How long its search has records as they were, as it tells ([`Fake::hold_index`]).
    pub search_lag: Option<Duration>,
    pub page: usize,
    pub order: u32,
    pub required: Vec<&'static str>,
    /// An order containing a text with this part is refused as a whole.
    pub poison: Option<&'static str>,
    /// A record containing a text with this part is refused by itself.
    pub refuses: Option<&'static str>,
    /// Such a refusal names the fields that contain it.
    pub refuses_by_name: bool,
    /// It names the first of them only.
    pub refuses_first: bool,
    /// This field of every record is refused, and the rest is written.
    pub refuses_field: Option<&'static str>,
    /// No two records may have the same value of this field.
    pub unique: Option<&'static str>,
    /// A record containing a text with this part is to be retried after this time.
    pub locks: Option<(&'static str, Duration)>,
    /// Code and text of its refusals and retries; `None`: its own.
    pub says: Option<(String, String)>,
    /// Orders are deferred, and answered only through their ticket.
    pub defers: bool,
    /// Tickets of deferred orders are not answered yet, and are to be asked for again after this time.
    pub still_deferred: Option<Duration>,
    /// It does not know what became of what it deferred: `collect` is unsupported.
    pub cannot_collect: bool,
    /// Every page also has a row of this object, whether it was asked for or not.
    pub volunteers: Option<&'static str>,
    /// Every change is answered twice.
    pub answers_twice: bool,
    /// Writes are answered as if some fields had been refused, and none is named.
    pub refuses_unnamed: bool,
    /// Every page but the first takes this time to be prepared.
    pub prepares: Option<Duration>,
    /// An order that is sent again is answered with the version of now, and without this field.
    pub untold: Option<&'static str>,
    /// An order that is sent again is answered with what the record has now.
    pub tells_now: bool,
    /// A create that is sent again and whose record is gone by then is answered so.
    pub tells_gone: bool,
    /// A field that is written and never told: neither reports nor answers have it.
    pub write_only: Option<&'static str>,
    /// A record with this text cannot be read.
    pub unreadable: Option<&'static str>,
    /// Rewrites stored values, as a normalising remote does.
    pub normalise: fn(&str, Value) -> Value,
}

impl Default for Character {
    fn default() -> Self {
        Self {
            times: ChangeTimes::Field,
            precision: 1,
            features: [
                Feature::Create,
                Feature::Update,
                Feature::Delete,
                Feature::FullListing,
                Feature::Deletions,
                Feature::ById,
                Feature::ConditionalUpdate,
                Feature::IdempotentCreate,
            ]
            .into(),
            can_find: true,
            lists_merges: true,
            search_lag: None,
            page: 3,
            order: 2,
            required: vec![],
            poison: None,
            refuses: None,
            refuses_by_name: false,
            refuses_first: false,
            refuses_field: None,
            account: None,
            address: Vec::new(),
            unique: None,
            locks: None,
            says: None,
            defers: false,
            still_deferred: None,
            cannot_collect: false,
            volunteers: None,
            answers_twice: false,
            refuses_unnamed: false,
            prepares: None,
            untold: None,
            tells_now: false,
            tells_gone: false,
            write_only: None,
            unreadable: None,
            normalise: |_, value| value,
        }
    }
}

/// A fault at some call.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// The call fails, and nothing was done.
    Fails(ExchangeError),
    /// The call is executed, and its answer is lost.
    Lost,
    /// The order is executed, and the plugin traps before it answers.
    LostByTrap,
    /// The call is executed, and its answer never comes.
    Hangs,
    /// The order is answered without a word about any of its changes, whether it is executed or not.
    NoAnswers { executed: bool },
    /// The order is executed, and the first two answers name each other's changes.
    SwapsAnswers,
    /// Every change of the order is answered with this record, as one that has changed or is a duplicate.
    Stale { id: String },
    /// The order is executed, and all its answers name the first record, without any values.
    OneAnswer,
    /// The order is carried out up to here, and then the side takes no more.
    Stops { after: usize },
    /// The same, and all that it says is that it takes no more.
    StopsInError { after: usize },
    /// Every change of the order is put off for an hour.
    PutsOff,
    /// Somebody edits a record just before the call.
    Edit { object: String, id: String, field: String, value: Value },
    /// Somebody merges a record into another one just before the call, which no report of this side tells.
    Merge { object: String, before: String, after: String },
}

/// Records by object and id.
type Objects = BTreeMap<String, BTreeMap<String, Record>>;

#[derive(Debug, Default)]
struct State {
    objects: Objects,
    next_id: u64,
    seq: u64,
    /// The number when the report began that is under way: its bookmark covers nothing later.
    begun: u64,
    done: HashMap<String, Answer>,
    faults: BTreeMap<(&'static str, u64), Fault>,
    calls: BTreeMap<&'static str, u64>,
    writes: Vec<String>,
    in_full: Vec<String>,
    by_id: BTreeSet<String>,
    /// With the sequence number of the merge.
    conversions: Vec<(u64, Conversion)>,
    /// Copies of records as they once were, which the last page of a report tells after all others.
    old_copies: Vec<(String, String, Record)>,
    /// Reports tell these copies in place of their records.
    only_copies: bool,
    /// What records have become, where only an order is told.
    merged: HashMap<String, Reference>,
    /// Outcomes by ticket, and whether they may be collected yet.
    tickets: BTreeMap<String, Vec<Answer>>,
    told: bool,
    forgotten: bool,
    /// The search index until a moment: records as they were.
    index: Option<(Timestamp, Objects)>,
    /// Listings lack their last page, and still claim to be complete.
    shortened: bool,
}

/// Name and kind of the fields of an object.
type Fields = Vec<(String, String)>;

pub struct Fake {
    name: String,
    schema: Mutex<Vec<(String, Fields)>>,
    pub character: Character,
    clock: std::sync::Arc<ManualClock>,
    state: Mutex<State>,
}

impl Fake {
    /// An exchange with objects and their fields (name and kind).
    pub fn new(name: &str, schema: &[(&str, &[(&str, &str)])], clock: std::sync::Arc<ManualClock>) -> Self {
        let schema = schema
            .iter()
            .map(|(object, fields)| {
                (
                    (*object).to_owned(),
                    fields.iter().map(|(f, k)| ((*f).to_owned(), (*k).to_owned())).collect(),
                )
            })
            .collect();
        Self {
            name: name.to_owned(),
            schema: Mutex::new(schema),
            character: Character::default(),
            clock,
            state: Mutex::default(),
        }
    }

    /// Creates a record as a person would, at this time.
    pub fn put(&self, object: &str, values: &[(&str, Value)], at: &str) -> String {
        let at = Timestamp::parse(at).unwrap();
        let mut state = self.state.lock().unwrap();
        state.next_id += 1;
        state.seq += 1;
        let id = format!("{}{}", self.name, state.next_id);
        let record = Record {
            values: values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
            times: values.iter().map(|(name, _)| ((*name).to_owned(), at)).collect(),
            changed: at,
            seq: state.seq,
            deleted: false,
        };
        state.objects.entry(object.to_owned()).or_default().insert(id.clone(), record);
        id
    }

    /// Edits a field as a person would.
    pub fn edit(&self, object: &str, id: &str, field: &str, value: Value, at: &str) {
        let at = Timestamp::parse(at).unwrap();
        edit(&mut self.state.lock().unwrap(), object, id, field, value, at);
    }

    /// Gives a record another change time.
    pub fn date(&self, object: &str, id: &str, at: &str) {
        let mut state = self.state.lock().unwrap();
        state.objects.get_mut(object).unwrap().get_mut(id).unwrap().changed = Timestamp::parse(at).unwrap();
    }

    /// Gives the id of a record to another one with its version, as a restored backup does, and reports nothing.
    pub fn give_again(&self, object: &str, id: &str, values: &[(&str, Value)]) {
        let mut state = self.state.lock().unwrap();
        let record = state.objects.get_mut(object).unwrap().get_mut(id).unwrap();
        record.values.extend(values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    }

    /// Counts changes from this number on again, as a restored backup does: bookmarks from before are of another history.
    pub fn count_again_from(&self, seq: u64) {
        let mut state = self.state.lock().unwrap();
        state.seq = seq;
        for record in state.objects.values_mut().flat_map(BTreeMap::values_mut) {
            record.seq = record.seq.min(seq);
        }
    }

    pub fn delete(&self, object: &str, id: &str) {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap();
        state.seq += 1;
        let seq = state.seq;
        let record = state.objects.get_mut(object).unwrap().get_mut(id).unwrap();
        record.deleted = true;
        record.seq = seq;
        record.changed = now;
    }

    /// From now on the search has records as they are now, until its lag is over.
    pub fn hold_index(&self) {
        let until = self.clock.now().later_by(self.character.search_lag.unwrap());
        let mut state = self.state.lock().unwrap();
        state.index = Some((until, state.objects.clone()));
    }

    /// Keeps a copy of a record as it is now, which reports tell once more behind what it is by then.
    pub fn keep_copy(&self, object: &str, id: &str) {
        let mut state = self.state.lock().unwrap();
        let record = state.objects[object][id].clone();
        state.old_copies.push((object.to_owned(), id.to_owned(), record));
    }

    /// From now on reports tell the copies in place of what their records are by then.
    pub fn tell_only_copies(&self) {
        self.state.lock().unwrap().only_copies = true;
    }

    /// Lets no copy be told any more.
    pub fn drop_copies(&self) {
        let mut state = self.state.lock().unwrap();
        state.old_copies.clear();
        state.only_copies = false;
    }

    /// Brings a deleted record back.
    pub fn restore(&self, object: &str, id: &str) {
        let mut state = self.state.lock().unwrap();
        state.seq += 1;
        let seq = state.seq;
        let record = state.objects.get_mut(object).unwrap().get_mut(id).unwrap();
        record.deleted = false;
        record.seq = seq;
        record.changed = self.clock.now();
    }

    /// Merges a record into another one, which stays.
    pub fn merge(&self, object: &str, before: &str, after: &str) {
        self.delete(object, before);
        let reference = |id: &str| Reference { object: object.to_owned(), id: id.to_owned() };
        let mut state = self.state.lock().unwrap();
        let seq = state.seq;
        state
            .conversions
            .push((seq, Conversion { before: reference(before), after: reference(after), at: None }));
    }

    /// Tells conversions of records that are all there, as a defective plugin does.
    pub fn tell_converted(&self, object: &str, steps: &[(&str, &str)]) {
        let mut state = self.state.lock().unwrap();
        state.seq += 1;
        let seq = state.seq;
        let reference = |id: &str| Reference { object: object.to_owned(), id: id.to_owned() };
        let told = steps.iter().map(|(before, after)| {
            (seq, Conversion { before: reference(before), after: reference(after), at: None })
        });
        state.conversions.extend(told);
    }

    /// Removes a field from an object.
    pub fn drop_field(&self, object: &str, field: &str) {
        let mut schema = self.schema.lock().unwrap();
        schema.iter_mut().find(|(name, _)| name == object).unwrap().1.retain(|(name, _)| name != field);
    }

    /// Describes no object from now on.
    pub fn drop_objects(&self) {
        self.schema.lock().unwrap().clear();
    }

    /// Adds a field to an object, or changes the kind of one.
    pub fn set_field(&self, object: &str, field: &str, kind: &str) {
        self.drop_field(object, field);
        let mut schema = self.schema.lock().unwrap();
        schema
            .iter_mut()
            .find(|(name, _)| name == object)
            .unwrap()
            .1
            .push((field.to_owned(), kind.to_owned()));
    }

    /// Deferred orders are now answered, or their tickets are lost.
    pub fn tell(&self, forgotten: bool) {
        let mut state = self.state.lock().unwrap();
        state.told = true;
        state.forgotten = forgotten;
    }

    /// Tickets are done, and nothing is said of what was deferred.
    pub fn forget_answers(&self) {
        self.state.lock().unwrap().tickets.values_mut().for_each(Vec::clear);
    }

    /// Listings lack their last page from now on.
    pub fn shorten(&self, yes: bool) {
        self.state.lock().unwrap().shortened = yes;
    }

    /// A record counts as told long ago: reports of changes do not name it.
    pub fn age(&self, object: &str, id: &str) {
        let mut state = self.state.lock().unwrap();
        state.objects.get_mut(object).unwrap().get_mut(id).unwrap().seq = 0;
    }

    /// The number of calls of a function.
    pub fn calls(&self, call: &'static str) -> u64 {
        self.state.lock().unwrap().calls.get(call).copied().unwrap_or(0)
    }

    /// Forgets deleted records: reports no longer name them.
    pub fn expire_deletions(&self) {
        for records in self.state.lock().unwrap().objects.values_mut() {
            records.retain(|_, record| !record.deleted);
        }
    }

    /// Schedules a fault at the n-th call (from 1) of `describe`, `report`, `execute`, `collect` or `find`.
    pub fn fault(&self, call: &'static str, n: u64, fault: Fault) {
        let mut state = self.state.lock().unwrap();
        let made = state.calls.get(call).copied().unwrap_or(0);
        state.faults.insert((call, made + n), fault);
    }

    pub fn value(&self, object: &str, id: &str, field: &str) -> Value {
        let state = self.state.lock().unwrap();
        state.objects[object][id].values.get(field).cloned().unwrap_or(Value::Null)
    }

    /// Live records by id.
    pub fn records(&self, object: &str) -> Vec<(String, Record)> {
        let state = self.state.lock().unwrap();
        let records = state.objects.get(object).cloned().unwrap_or_default();
        records.into_iter().filter(|(_, record)| !record.deleted).collect()
    }

    pub fn find_by(&self, object: &str, field: &str, value: &str) -> Option<String> {
        self.records(object)
            .into_iter()
            .find(|(_, record)| record.values.get(field) == Some(&Value::text(value)))
            .map(|(id, _)| id)
    }

    /// What orders have written since the last call.
    pub fn writes(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().writes)
    }

    /// The code and text of a refusal.
    fn says(&self, code: &str, text: &str) -> (String, String) {
        self.character.says.clone().unwrap_or_else(|| (code.to_owned(), text.to_owned()))
    }

    /// Carries out an order, with this fault.
    fn carry_out(&self, order: &Order, fault: Option<Fault>) -> Result<Executed, ExchangeError> {
        let now = self.clock.now();
        if fault == Some(Fault::NoAnswers { executed: false }) {
            return Ok(Executed::default());
        }
        if let Some(Fault::Stale { id }) = &fault {
            let state = self.state.lock().unwrap();
            let record = &state.objects[&order.object][id];
            let answer = |change: &OrderedChange| Answer {
                change: change.id.clone(),
                outcome: Outcome::Stale(self.row(id, record, &order.fields)),
            };
            return Ok(Executed {
                answers: order.changes.iter().map(answer).collect(),
                ..Executed::default()
            });
        }
        if fault == Some(Fault::PutsOff) {
            let later = |change: &OrderedChange| Answer {
                change: change.id.clone(),
                outcome: Outcome::Retry {
                    after: Some(Duration::from_secs(3600)),
                    reason: "locked".to_owned(),
                },
            };
            let answers = order.changes.iter().map(later).collect();
            return Ok(Executed { answers, ..Executed::default() });
        }
        let mut state = self.state.lock().unwrap();
        let idempotent = self.character.features.contains(&Feature::IdempotentCreate);
        let mut answers = Vec::new();
        let stops = match fault {
            Some(Fault::Stops { after } | Fault::StopsInError { after }) => after,
            _ => usize::MAX,
        };
        if let Some(part) = self.character.poison {
            let poisoned =
                |value: &Option<Value>| matches!(value, Some(Value::Text(text)) if text.contains(part));
            if order.changes.iter().any(|change| change.values.iter().any(poisoned)) {
                let (code, text) = self.says("invalid-answer", "the whole order was refused");
                return Err(ExchangeError::new(&code, text));
            }
        }
        for (n, change) in order.changes.iter().enumerate() {
            if n >= stops {
                let outcome = Outcome::Retry { after: None, reason: "too many calls".to_owned() };
                answers.push(Answer { change: change.id.clone(), outcome });
                continue;
            }
            let refused = |value: &Option<Value>| match (value, self.character.refuses) {
                (Some(Value::Text(text)), Some(part)) => text.contains(part),
                _ => false,
            };
            // It looks at the values before it looks at the key.
            if idempotent
                && !change.values.iter().any(refused)
                && let Some(answer) = state.done.get(&change.id)
            {
                answers.push(self.again(&state, order, answer.clone()));
                continue;
            }
            let set: Vec<(String, Value)> = order
                .fields
                .iter()
                .zip(&change.values)
                .filter(|(name, _)| Some(name.as_str()) != self.character.refuses_field)
                .filter_map(|(name, value)| {
                    Some((name.clone(), (self.character.normalise)(name, value.clone()?)))
                })
                .collect();
            let locked = self.character.locks.filter(|(part, _)| {
                let has =
                    |value: &Option<Value>| matches!(value, Some(Value::Text(text)) if text.contains(part));
                change.values.iter().any(has)
            });
            let taken = self.character.unique.is_some_and(|unique| {
                let wanted = set.iter().find(|(name, value)| name == unique && !value.is_blank());
                let own = match &change.action {
                    Action::Update(id) => Some(id),
                    _ => None,
                };
                let others = state.objects.get(&order.object).into_iter().flatten();
                wanted.is_some_and(|(name, value)| {
                    others
                        .filter(|(id, record)| Some(*id) != own && !record.deleted)
                        .any(|(_, record)| record.values.get(name) == Some(value))
                })
            });
            let outcome = match &change.action {
                _ if taken => Outcome::Failed {
                    code: "duplicate".to_owned(),
                    reason: "another record has it".to_owned(),
                    fields: vec![],
                },
                _ if change.values.iter().any(refused) => {
                    let (code, reason) = self.says("invalid-value", "the answer was 400: it is refused");
                    let named = order.fields.iter().zip(&change.values).filter(|(_, value)| refused(value));
                    let named = named.filter(|_| self.character.refuses_by_name);
                    let most = if self.character.refuses_first { 1 } else { usize::MAX };
                    let fields = named.map(|(name, _)| name.clone()).take(most).collect();
                    Outcome::Failed { code, reason, fields }
                }
                _ if locked.is_some() => Outcome::Retry {
                    after: locked.map(|(_, after)| after),
                    reason: self.says("locked", "the record is locked").1,
                },
                Action::Create => {
                    state.next_id += 1;
                    state.seq += 1;
                    let id = format!("{}{}", self.name, state.next_id);
                    let record = Record {
                        values: set.iter().cloned().collect(),
                        times: set.iter().map(|(name, _)| (name.clone(), now)).collect(),
                        changed: now,
                        seq: state.seq,
                        deleted: false,
                    };
                    state.writes.push(format!("create {} {id}", order.object));
                    let row = self.row(&id, &record, &order.fields);
                    state.objects.entry(order.object.clone()).or_default().insert(id, record);
                    Outcome::Created(row.into())
                }
                Action::Update(id) => {
                    let known = state.objects.get(&order.object).and_then(|records| records.get(id)).cloned();
                    match known {
                        None => Outcome::Failed {
                            code: "not-found".into(),
                            reason: format!("no {id}"),
                            fields: vec![],
                        },
                        Some(_) if state.merged.contains_key(id) => {
                            Outcome::Converted(state.merged[id].clone())
                        }
                        Some(record) if record.deleted => Outcome::Deleted,
                        Some(record)
                            if self.character.features.contains(&Feature::ConditionalUpdate)
                                && change
                                    .version
                                    .as_deref()
                                    .is_some_and(|version| version != record.seq.to_string()) =>
                        {
                            Outcome::Stale(self.row(id, &record, &order.fields))
                        }
                        Some(_) => {
                            let names: Vec<&str> = set.iter().map(|(name, _)| name.as_str()).collect();
                            state.writes.push(format!("update {} {id}: {}", order.object, names.join(" ")));
                            for (name, value) in &set {
                                edit(&mut state, &order.object, id, name, value.clone(), now);
                            }
                            let record = &state.objects[&order.object][id];
                            let row = self.row(id, record, &order.fields);
                            Outcome::Updated(row.into())
                        }
                    }
                }
                Action::Delete(id) => {
                    state.writes.push(format!("delete {} {id}", order.object));
                    state.seq += 1;
                    let seq = state.seq;
                    state.objects.get_mut(&order.object).unwrap().get_mut(id).unwrap().seq = seq;
                    state.objects.get_mut(&order.object).unwrap().get_mut(id).unwrap().deleted = true;
                    Outcome::Deleted
                }
            };
            let mut answer =
                self.but_for_a_field(order, change, Answer { change: change.id.clone(), outcome });
            if let Outcome::Created(written) | Outcome::Updated(written) = &mut answer.outcome {
                written.refused_unnamed = self.character.refuses_unnamed;
            }
            if self.character.answers_twice {
                answers.push(answer.clone());
            }
            if idempotent && !change.values.iter().any(refused) {
                state.done.insert(change.id.clone(), answer.clone());
            }
            answers.push(answer);
        }
        if let Some(Fault::StopsInError { .. }) = fault {
            let after = Some(Duration::from_secs(7));
            return Err(ExchangeError { after, ..ExchangeError::new(codes::RATE_LIMITED, "too many calls") });
        }
        if fault == Some(Fault::Lost) {
            return Err(ExchangeError::new(codes::UNAUTHORIZED, "the session ended before the answer came"));
        }
        if fault == Some(Fault::NoAnswers { executed: true }) {
            return Ok(Executed::default());
        }
        if fault == Some(Fault::LostByTrap) {
            return Err(ExchangeError::new(codes::TRAP, "the plugin fell over"));
        }
        if let (Some(Fault::SwapsAnswers), [one, other, ..]) = (&fault, answers.as_mut_slice()) {
            std::mem::swap(&mut one.change, &mut other.change);
        }
        if fault == Some(Fault::OneAnswer) {
            let id = answers.iter().find_map(|answer| match &answer.outcome {
                Outcome::Created(written) => Some(written.id.clone()),
                _ => None,
            });
            for answer in &mut answers {
                let id = id.clone().unwrap_or_default();
                answer.outcome = Outcome::Created(Written { id, ..Written::default() });
            }
        }
        if self.character.defers {
            let ticket = format!("t{}", state.tickets.len() + 1);
            let later = |answer: &Answer| Answer {
                change: answer.change.clone(),
                outcome: Outcome::Deferred(ticket.clone()),
            };
            let deferred = answers.iter().map(later).collect();
            state.tickets.insert(ticket.clone(), answers);
            return Ok(Executed { answers: deferred, ..Executed::default() });
        }
        let mut slow = ExchangeError::new(codes::RATE_LIMITED, "too many calls");
        slow.after = Some(Duration::from_secs(7));
        if let Some(Fault::StopsInError { .. }) = fault {
            return Err(slow);
        }
        let stopped = (stops < order.changes.len()).then_some(slow);
        Ok(Executed { answers, stopped, ..Executed::default() })
    }

    fn enter(&self, call: &'static str) -> Result<Option<Fault>, ExchangeError> {
        let mut state = self.state.lock().unwrap();
        let count = state.calls.entry(call).or_default();
        *count += 1;
        let place = (call, *count);
        match state.faults.remove(&place) {
            Some(Fault::Fails(error)) => Err(error),
            Some(Fault::Edit { object, id, field, value }) => {
                let at = self.clock.now();
                edit(&mut state, &object, &id, &field, value, at);
                Ok(None)
            }
            Some(Fault::Merge { object, before, after }) => {
                state.objects.get_mut(&object).unwrap().get_mut(&before).unwrap().deleted = true;
                state.merged.insert(before, Reference { object, id: after });
                Ok(None)
            }
            other => Ok(other),
        }
    }

    /// The answer where a field of the change was refused.
    fn but_for_a_field(&self, order: &Order, change: &OrderedChange, mut answer: Answer) -> Answer {
        let Some(field) = self.character.refuses_field else { return answer };
        let column = order.fields.iter().position(|name| name == field);
        let carried = column.is_some_and(|column| matches!(change.values.get(column), Some(Some(_))));
        if let (true, Outcome::Created(written) | Outcome::Updated(written)) = (carried, &mut answer.outcome)
        {
            let (code, reason) = ("invalid-value".to_owned(), "it is no number of a telephone".to_owned());
            written.refused = vec![RefusedField { field: field.to_owned(), code, reason }];
        }
        answer
    }

    /// The objects that were asked for in full by the last report but those by id.
    pub fn asked_in_full(&self) -> Vec<String> {
        self.state.lock().unwrap().in_full.clone()
    }

    /// The ids that were ever asked for.
    pub fn asked_by_id(&self) -> BTreeSet<String> {
        self.state.lock().unwrap().by_id.clone()
    }

    /// The answer to a change that was executed before.
    fn again(&self, state: &State, order: &Order, mut answer: Answer) -> Answer {
        if let (true, Outcome::Created(written)) = (self.character.tells_gone, &answer.outcome) {
            let there = state.objects[&order.object].get(&written.id).is_some_and(|record| !record.deleted);
            if !there {
                return Answer { outcome: Outcome::Deleted, ..answer };
            }
        }
        if let (true, Outcome::Created(written)) = (self.character.tells_now, &mut answer.outcome) {
            let id = written.id.clone();
            *written = self.row(&id, &state.objects[&order.object][&id], &order.fields).into();
        }
        if let (Some(untold), Outcome::Created(written)) = (self.character.untold, &mut answer.outcome) {
            written.version = Some(state.objects[&order.object][&written.id].seq.to_string());
            let column = order.fields.iter().position(|field| field == untold);
            if let Some(value) = column.and_then(|column| written.values.get_mut(column)) {
                *value = None;
            }
        }
        answer
    }

    fn is_unreadable(&self, record: &Record) -> bool {
        let is = |value: &Value| matches!((value, self.character.unreadable), (Value::Text(text), Some(bad)) if &**text == bad);
        record.values.values().any(is)
    }

    fn row(&self, id: &str, record: &Record, fields: &[String]) -> Row {
        Row {
            id: id.to_owned(),
            changed: (self.character.times != ChangeTimes::None).then_some(record.changed),
            version: Some(record.seq.to_string()),
            values: fields
                .iter()
                .map(|name| {
                    let told = self.character.write_only != Some(name.as_str());
                    told.then(|| record.values.get(name).cloned().unwrap_or(Value::Null))
                })
                .collect(),
            times: if self.character.times == ChangeTimes::Field {
                fields.iter().map(|name| record.times.get(name).map(|at| FieldTime::certain(*at))).collect()
            } else {
                vec![]
            },
        }
    }
}

fn edit(state: &mut State, object: &str, id: &str, field: &str, value: Value, at: Timestamp) {
    state.seq += 1;
    let seq = state.seq;
    let record = state.objects.get_mut(object).unwrap().get_mut(id).unwrap();
    record.values.insert(field.to_owned(), value);
    record.times.insert(field.to_owned(), at);
    record.changed = record.changed.max(at);
    record.seq = seq;
}

#[async_trait]
impl Exchange for Fake {
    fn name(&self) -> &str {
        &self.name
    }

    async fn describe(&self) -> Result<Description, ExchangeError> {
        self.enter("describe")?;
        let object = |(name, fields): &(String, Vec<(String, String)>)| Object {
            name: name.clone(),
            label: name.clone(),
            fields: fields
                .iter()
                .map(|(name, kind)| Field {
                    name: name.clone(),
                    label: name.clone(),
                    kind: kind.split(':').next().unwrap().into(),
                    required: self.character.required.contains(&name.as_str()),
                    writable: true,
                    targets: kind.split(':').nth(1).map(|target| vec![target.to_owned()]).unwrap_or_default(),
                    ..Field::default()
                })
                .collect(),
            change_times: self.character.times,
            precision: self.character.precision,
            features: self.character.features.clone(),
            search_lag: self.character.search_lag,
            page_size: Some(self.character.page as u32),
            order_size: Some(self.character.order),
        };
        Ok(Description {
            objects: self.schema.lock().unwrap().iter().map(object).collect(),
            account: self.character.account.clone(),
            address: self.character.address.clone(),
        })
    }

    async fn manual(&self) -> Result<Vec<ProposedMapping>, ExchangeError> {
        Ok(vec![])
    }

    async fn report(&self, request: &ReportRequest) -> Result<Page, ExchangeError> {
        let fault = self.enter("report")?;
        if fault == Some(Fault::Hangs) {
            std::future::pending::<()>().await;
        }
        let mut state = self.state.lock().unwrap();
        if request.objects.iter().any(|wanted| wanted.full) {
            let full = request.objects.iter().filter(|wanted| wanted.full);
            state.in_full = full.map(|wanted| wanted.object.clone()).collect();
        }
        state.by_id.extend(request.objects.iter().flat_map(|wanted| wanted.ids.iter().cloned()));
        if request.cursor.is_none() {
            state.begun = state.seq;
        }
        let after: usize = request.cursor.as_deref().map_or(Ok(0), str::parse).unwrap();
        let bookmark = |wanted: &Wanted| wanted.bookmark.as_deref().map(|text| text.parse::<u64>().unwrap());
        let lists =
            |wanted: &Wanted| wanted.full || (wanted.bookmark.is_none() && wanted.window.since.is_none());
        let mut all: Vec<(&str, &str, &Record)> = Vec::new();
        for wanted in &request.objects {
            for (id, record) in state.objects.get(&wanted.object).into_iter().flatten() {
                let inside = if !wanted.ids.is_empty() {
                    wanted.ids.contains(id)
                } else if lists(wanted) {
                    !record.deleted
                } else if let Some(bookmark) = bookmark(wanted) {
                    record.seq > bookmark
                } else {
                    wanted.window.since.is_none_or(|since| record.changed >= since)
                        && record.changed < wanted.window.until
                };
                let copied = wanted.ids.is_empty()
                    && state.only_copies
                    && state.old_copies.iter().any(|(object, of, _)| object == &wanted.object && of == id);
                if inside && !copied {
                    all.push((&wanted.object, id, record));
                }
            }
        }
        let page: Vec<_> =
            all.iter().skip(after).take((request.limit as usize).min(self.character.page)).collect();
        let full = request.objects.iter().any(|wanted| wanted.full);
        let short = state.shortened && full && all.len() > self.character.page;
        let listed = if short { all.len() - self.character.page } else { all.len() };
        let page = if short && after >= listed { vec![] } else { page };
        let last = after + page.len() >= listed;
        let since = |seq: u64| {
            let told = |wanted: &Wanted| match bookmark(wanted) {
                Some(bookmark) => seq > bookmark,
                None => self.character.lists_merges || !lists(wanted),
            };
            request.objects.iter().any(told)
        };
        let conversions = state.conversions.iter().filter(|(seq, _)| since(*seq));
        let conversions = conversions.map(|(_, conversion)| conversion.clone()).collect();
        let by_ids = request.objects.iter().any(|wanted| !wanted.ids.is_empty());
        let mut batches = Vec::new();
        for wanted in &request.objects {
            let of = |deleted: bool| {
                page.iter()
                    .filter(move |(object, _, record)| *object == wanted.object && record.deleted == deleted)
            };
            batches.push(Batch {
                object: wanted.object.clone(),
                fields: wanted.fields.clone(),
                rows: of(false)
                    .filter(|(_, _, record)| !self.is_unreadable(record))
                    .map(|(_, id, record)| self.row(id, record, &wanted.fields))
                    .collect(),
                bad: of(false)
                    .filter(|(_, _, record)| self.is_unreadable(record))
                    .map(|(_, id, _)| BadRow { id: Some((*id).to_owned()), reason: "no date".to_owned() })
                    .collect(),
                deleted: of(true)
                    .map(|(_, id, record)| Deletion { id: (*id).to_owned(), deleted: Some(record.changed) })
                    .collect(),
            });
        }
        if let Some(object) = self.character.volunteers {
            let row = Row { id: "unasked".to_owned(), ..Row::default() };
            batches.push(Batch { object: object.to_owned(), rows: vec![row], ..Batch::default() });
        }
        for (object, id, record) in state.old_copies.iter().filter(|_| last && !by_ids) {
            let batch = batches.iter_mut().find(|batch| batch.object == *object);
            batch.into_iter().for_each(|batch| batch.rows.push(self.row(id, record, &batch.fields)));
        }
        if fault == Some(Fault::Lost) {
            return Err(ExchangeError::new(codes::UNAUTHORIZED, "the session ended before the answer came"));
        }
        Ok(Page {
            batches,
            conversions,
            next: (!last).then(|| (after + page.len()).to_string()),
            after: self.character.prepares.filter(|_| !last),
            finished: if last && !by_ids {
                let finished = |wanted: &Wanted| Finished {
                    object: wanted.object.clone(),
                    bookmark: Some(state.begun.to_string()),
                    complete: lists(wanted),
                };
                request.objects.iter().map(finished).collect()
            } else {
                vec![]
            },
            remaining: Some((listed - after).saturating_sub(page.len()) as u64),
            ..Page::default()
        })
    }

    async fn execute(&self, order: &Order) -> Result<Executed, ExchangeError> {
        let fault = self.enter("execute")?;
        let hangs = fault == Some(Fault::Hangs);
        let done = self.carry_out(order, fault);
        if hangs {
            std::future::pending::<()>().await;
        }
        done
    }

    async fn collect(&self, ticket: &str, _: &Order) -> Result<Collection, ExchangeError> {
        self.enter("collect")?;
        if self.character.cannot_collect {
            return Err(ExchangeError::new(codes::UNSUPPORTED, "this plugin never defers a change"));
        }
        let mut state = self.state.lock().unwrap();
        if let Some(after) = self.character.still_deferred {
            return Ok(Collection { answers: vec![], state: TicketState::Pending(Some(after)) });
        }
        if !state.told {
            // A caller that keeps asking is answered in the end.
            state.told = true;
            return Ok(Collection {
                answers: vec![],
                state: TicketState::Pending(Some(Duration::from_secs(5))),
            });
        }
        match state.tickets.remove(ticket) {
            Some(answers) if !state.forgotten => Ok(Collection { answers, state: TicketState::Done }),
            _ => Ok(Collection { answers: vec![], state: TicketState::Lost }),
        }
    }

    fn can_find(&self) -> bool {
        self.character.can_find
    }

    async fn find(&self, query: &Query) -> Result<Vec<Vec<String>>, ExchangeError> {
        self.enter("find")?;
        let matches = |record: &Record, key: &[Option<Value>]| {
            let canon = |value: &Value| entente_core::canonical_identifier(&entente_core::Kind::Text, value);
            let hits: Vec<bool> = query
                .fields
                .iter()
                .zip(key)
                .filter_map(|(field, value)| Some((field, value.as_ref()?)))
                .map(|(field, value)| {
                    record.values.get(field).is_some_and(|has| {
                        has == value || (canon(has).is_some() && canon(has) == canon(value))
                    })
                })
                .collect();
            !hits.is_empty()
                && if query.all { hits.iter().all(|hit| *hit) } else { hits.iter().any(|hit| *hit) }
        };
        let late = self.state.lock().unwrap().index.clone().filter(|(until, _)| self.clock.now() < *until);
        let records = match late {
            Some((_, mut index)) => index.remove(&query.object).unwrap_or_default().into_iter().collect(),
            None => self.records(&query.object),
        };
        Ok(query
            .keys
            .iter()
            .map(|key| {
                records.iter().filter(|(_, record)| matches(record, key)).map(|(id, _)| id.clone()).collect()
            })
            .collect())
    }
}
