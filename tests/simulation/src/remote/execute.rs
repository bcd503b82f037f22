//! Order execution of a simulated remote, where faults make answers differ from what was done.

use super::{Made, Remote, State, Stored};
use crate::dice::lock;
use crate::schema::{IDENTIFIER, Words, columns};
use entente_core::{Reference, Value};
use entente_sync::{
    Action, Answer, ExchangeError, Executed, Order, OrderedChange, Outcome, Row, Written, codes,
};
use std::time::Duration;

/// A value that every remote refuses.
pub(crate) const POISON: &str = "poison";

fn poisonous(value: &Value) -> bool {
    matches!(value, Value::Text(text) if text.starts_with(POISON))
}

impl Remote {
    pub(super) fn carry_out(&self, order: &Order) -> Result<Executed, ExchangeError> {
        self.refuse("execute")?;
        let Some(object) = Words::Remote.read_object(&order.object) else {
            return Err(ExchangeError::new(codes::UNSUPPORTED, "no such object"));
        };
        let faults = self.manners.faults;
        let bad = |change: &OrderedChange| change.values.iter().flatten().any(poisonous);
        if faults.whole_orders && order.changes.iter().any(bad) {
            self.tape
                .fault("order refused as a whole", format_args!("{} refuses an order as a whole", self.name));
            return Err(ExchangeError::new(codes::INVALID_ANSWER, "400: the request is invalid"));
        }
        let lost = self.happens(faults.lost_answers);
        let stops = !lost && self.happens(faults.put_off);
        // An order whose answer is lost may have been executed in part, and so is one that it stops at.
        let part = lost || stops;
        let done = if part { lock(&self.dice).below(order.changes.len() + 1) } else { order.changes.len() };
        let mut answers = Vec::new();
        for change in order.changes.iter().take(done) {
            if self.happens(faults.put_off) {
                let after = [None, Some(Duration::from_secs(5)), Some(Duration::from_secs(300))];
                let after = lock(&self.dice).pick(&after).copied().flatten();
                self.tape.fault("change put off", format_args!("{} puts a change off", self.name));
                answers.push(Answer {
                    change: change.id.clone(),
                    outcome: Outcome::Retry { after, reason: "locked".to_owned() },
                });
                continue;
            }
            let outcome = self.change(&mut lock(&self.state), object, order, change);
            self.tape.note(format_args!("   {} {:?} -> {}", self.name, change.action, told(&outcome)));
            if self.happens(faults.unanswered) {
                self.tape.fault(
                    "change without an answer",
                    format_args!("{} does not answer for a change", self.name),
                );
            } else {
                answers.push(Answer { change: change.id.clone(), outcome });
            }
        }
        if lost {
            let code = match lock(&self.dice).below(3) {
                0 => codes::UNAVAILABLE,
                1 => codes::RATE_LIMITED,
                _ => codes::TRAP,
            };
            self.tape.fault(
                "lost answer",
                format_args!(
                    "{} does {done} of {} changes, and its answer is lost: {code}",
                    self.name,
                    order.changes.len()
                ),
            );
            if code == codes::RATE_LIMITED {
                self.tape.fault(
                    "rate limit after a part of an order",
                    format_args!("{} says no more than that", self.name),
                );
            }
            return Err(ExchangeError::new(code, "the connection broke"));
        }
        if std::mem::take(&mut *lock(&self.mute)) {
            self.tape.note(format_args!("   {} does not answer", self.name));
            return Ok(Executed::default());
        }
        if self.happens(faults.odd_pages) {
            lock(&self.dice).shuffle(&mut answers);
        }
        let stopped = (done < order.changes.len()).then(|| self.stop(order, done, &mut answers));
        Ok(Executed { answers, stopped, ..Executed::default() })
    }

    /// Takes no more after a part of an order, and says so of each change that is left.
    fn stop(&self, order: &Order, done: usize, answers: &mut Vec<Answer>) -> ExchangeError {
        self.tape.fault(
            "order stopped in the middle",
            format_args!("{} does {done} of {} changes, and takes no more", self.name, order.changes.len()),
        );
        let late = order.changes.iter().skip(done).map(|change| Answer {
            change: change.id.clone(),
            outcome: Outcome::Retry { after: None, reason: "too many calls".to_owned() },
        });
        answers.extend(late);
        let after = Some(Duration::from_secs(if lock(&self.dice).chance(15) { 120 } else { 5 }));
        ExchangeError { after, ..ExchangeError::new(codes::RATE_LIMITED, "too many calls") }
    }

    fn change(&self, state: &mut State, object: usize, order: &Order, change: &OrderedChange) -> Outcome {
        let refuse = |code: &str, reason: &str| Outcome::Failed {
            code: code.to_owned(),
            reason: reason.to_owned(),
            fields: Vec::new(),
        };
        let now = self.now();
        let values: Vec<(usize, Value)> = order
            .fields
            .iter()
            .zip(&change.values)
            .filter_map(|(name, value)| {
                let field = Words::Remote.read_field(object, name)?;
                Some((field, self.kept(object, field, value.clone()?)))
            })
            .collect();
        if values.iter().any(|(_, value)| poisonous(value)) {
            self.tape.fault("refused value", format_args!("{} refuses a value", self.name));
            return refuse("invalid-value", "the value is not taken");
        }
        let dangling = values
            .iter()
            .flat_map(|(_, value)| value.references())
            .any(|reference| !exists(state, reference));
        if dangling {
            return refuse("invalid-value", "it refers to a record that is not there");
        }
        self.note_breach(state, object, change, &values);
        let id = match &change.action {
            Action::Create => return self.make(state, object, order, change, values),
            Action::Update(id) | Action::Delete(id) => id,
        };
        let Some(record) = state.objects[object].get(id).cloned() else {
            return refuse("not-found", "there is no such record");
        };
        match &record {
            Stored { merged: Some(winner), .. } => {
                return Outcome::Converted(Reference { object: order.object.clone(), id: winner.clone() });
            }
            Stored { deleted: true, .. } => return Outcome::Deleted,
            _ => {}
        }
        if self.manners.conditional
            && change.version.as_ref().is_some_and(|version| *version != record.seq.to_string())
        {
            return Outcome::Stale(self.row(object, id, &record, &order.fields));
        }
        if let Action::Delete(_) = change.action {
            state.writes += 1;
            self.remove(state, object, id, now, None);
            return Outcome::Deleted;
        }
        let email = values.iter().find(|(field, _)| *field == IDENTIFIER);
        if email.is_some_and(|(_, value)| self.taken(state, object, value, Some(id))) {
            return refuse("duplicate", "another record has this address");
        }
        if values.iter().all(|(field, value)| record.values[*field] == *value) {
            return Outcome::Unchanged(written(self.row(object, id, &record, &order.fields)));
        }
        state.writes += 1;
        self.write(state, object, id, values, now);
        self.answer(state, object, id, order, Outcome::Updated)
    }

    /// Notes a change that leaves a required field without a value.
    fn note_breach(
        &self,
        state: &mut State,
        object: usize,
        change: &OrderedChange,
        values: &[(usize, Value)],
    ) {
        for (_, field) in lock(&self.required).iter().filter(|(of, _)| *of == object) {
            let sent = values.iter().find(|(of, _)| of == field).map(|(_, value)| value);
            let without = match change.action {
                Action::Create => sent.is_none_or(Value::is_blank),
                Action::Update(_) => sent.is_some_and(Value::is_blank),
                Action::Delete(_) => false,
            };
            if without {
                let name = Words::Remote.field(object, *field);
                let what =
                    format!("{} was sent {:?} without {name}, which it requires", self.name, change.action);
                state.breaches.push(what);
            }
        }
    }

    fn make(
        &self,
        state: &mut State,
        object: usize,
        order: &Order,
        change: &OrderedChange,
        values: Vec<(usize, Value)>,
    ) -> Outcome {
        let refuse = |code: &str, reason: &str| Outcome::Failed {
            code: code.to_owned(),
            reason: reason.to_owned(),
            fields: Vec::new(),
        };
        if self.manners.idempotent
            && let Some((object, id)) = state.known.get(&change.id).cloned()
        {
            return match state.objects[object].get(&id) {
                Some(record) if !record.deleted => self.answer(state, object, &id, order, Outcome::Created),
                _ => Outcome::Deleted,
            };
        }
        let mut all: Vec<Value> = columns(object).iter().map(|_| Value::Null).collect();
        for (field, value) in values {
            all[field] = value;
        }
        if self.taken(state, object, &all[IDENTIFIER], None) {
            return refuse("duplicate", "another record has this address");
        }
        let id = self.insert(state, object, all, self.now());
        state.writes += 1;
        state.known.insert(change.id.clone(), (object, id.clone()));
        let when = self.tape.effects();
        state.made.push(Made {
            sync: order.sync.clone(),
            source: change.source.clone(),
            object,
            id: id.clone(),
            when,
        });
        self.answer(state, object, &id, order, Outcome::Created)
    }

    fn answer(
        &self,
        state: &State,
        object: usize,
        id: &str,
        order: &Order,
        outcome: fn(Written) -> Outcome,
    ) -> Outcome {
        match state.objects[object].get(id) {
            Some(record) => outcome(written(self.row(object, id, record, &order.fields))),
            None => Outcome::Deleted,
        }
    }
}

fn exists(state: &State, reference: &Reference) -> bool {
    let object = Words::Remote.read_object(&reference.object);
    object
        .is_some_and(|object| state.objects[object].get(&reference.id).is_some_and(|record| !record.deleted))
}

fn written(row: Row) -> Written {
    row.into()
}

/// An outcome as a word.
fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Created(written) => format!("created {}", written.id),
        Outcome::Updated(written) => format!("updated {}", written.id),
        Outcome::Unchanged(written) => format!("unchanged {}", written.id),
        Outcome::Deleted => "delete".to_owned(),
        Outcome::Converted(reference) => format!("converted to {reference}"),
        Outcome::Stale(row) => format!("stale {}", row.id),
        Outcome::Retry { .. } => "retry".to_owned(),
        Outcome::Failed { code, reason, .. } => format!("failed {code}: {reason}"),
        Outcome::Deferred(ticket) => format!("deferred {ticket}"),
    }
}
