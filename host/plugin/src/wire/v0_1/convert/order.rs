//! Lowering orders, and lifting the outcomes of their changes.

use super::super::bindings::entente::integration::data::{Call, Row};
use super::super::bindings::exports::entente::integration::order_execution as wit;
use super::Lift;
use super::value::{lower_reference, lower_values};
use crate::wire::{Execution, PluginError, Refused};
use entente_core::Timestamp;
use entente_sync::{Action, Answer, Collection, Order, Outcome, RefusedField, TicketState, Written, codes};
use std::collections::HashMap;
use std::time::Duration;

/// The limit of a requested pause: a longer one would be a mistake, and the plugin can ask again after it.
const LONGEST_PAUSE: u32 = 86_400;

/// `base` is passed only for objects that want it: it costs as much as the change itself.
pub(crate) fn lower_order(order: &Order, with_base: bool, call: Call) -> wit::Order {
    wit::Order {
        object: order.object.clone(),
        fields: order.fields.clone(),
        changes: order
            .changes
            .iter()
            .map(|change| wit::Change {
                id: change.id.clone(),
                action: match &change.action {
                    Action::Create => wit::Action::Create,
                    Action::Update(id) => wit::Action::Update(id.clone()),
                    Action::Delete(id) => wit::Action::Delete(id.clone()),
                },
                values: match change.action {
                    Action::Delete(_) => Vec::new(),
                    _ => lower_values(&change.values),
                },
                base: match change.action {
                    Action::Create => Vec::new(),
                    _ if with_base => lower_values(&change.base),
                    _ => Vec::new(),
                },
                version: change.version.clone(),
                source: change.source.as_ref().map(lower_reference),
                extra: Vec::new(),
            })
            .collect(),
        first_time: order.first_time,
        options: order.options.clone(),
        call,
        extra: Vec::new(),
    }
}

/// Validates what became of an order.
pub(crate) fn execution(
    lift: &mut Lift<'_>,
    execution: wit::Execution,
    order: &Order,
) -> Result<Execution, Refused> {
    Ok(Execution {
        answers: answers(lift, execution.answers, order)?,
        stopped: execution.stopped.map(PluginError::from),
    })
}

/// Validates outcomes. One that cannot be understood is dropped, so that its change counts as sent with an
/// unknown outcome, which is true.
pub(crate) fn answers(
    lift: &mut Lift<'_>,
    answers: Vec<wit::Answer>,
    order: &Order,
) -> Result<Vec<Answer>, Refused> {
    let asked: HashMap<&str, &Action> =
        order.changes.iter().map(|change| (change.id.as_str(), &change.action)).collect();
    if answers.len() > order.changes.len().saturating_mul(2) {
        return Err(Refused::Invalid(format!(
            "it gave {} answers to {} changes",
            answers.len(),
            order.changes.len()
        )));
    }
    let mut lifted = Vec::with_capacity(answers.len());
    for answer in answers {
        lift.count(answer.change.len())?;
        let Some(action) = asked.get(answer.change.as_str()) else {
            lift.warn(&format!(
                "an answer to a change that was not ordered ({}) was left out",
                lift.named(&answer.change)
            ));
            continue;
        };
        match lift.outcome(answer.outcome, &order.fields, action)? {
            Ok(outcome) => lifted.push(Answer { change: answer.change, outcome }),
            Err(reason) => lift.warn(&format!(
                "the answer to change {} cannot be understood: {reason}; its outcome is unknown",
                lift.named(&answer.change)
            )),
        }
    }
    Ok(lifted)
}

pub(crate) fn collection(
    lift: &mut Lift<'_>,
    collection: wit::Collection,
    order: &Order,
) -> Result<Collection, Refused> {
    Ok(Collection {
        answers: answers(lift, collection.answers, order)?,
        state: match collection.state {
            wit::TicketState::Done => TicketState::Done,
            wit::TicketState::Pending(after) => TicketState::Pending(after.map(pause)),
            wit::TicketState::Lost => TicketState::Lost,
        },
    })
}

pub(super) fn pause(seconds: u32) -> Duration {
    Duration::from_secs(seconds.min(LONGEST_PAUSE).into())
}

impl Lift<'_> {
    fn outcome(
        &mut self,
        outcome: wit::Outcome,
        fields: &[String],
        action: &Action,
    ) -> super::value::OrBad<Outcome> {
        let failed = |code: &str, reason: String| Outcome::Failed {
            code: code.to_owned(),
            reason,
            fields: Vec::new(),
        };
        // An outcome that says that nothing was written is a failure, even if the rest of it is invalid.
        let senseless = |reason: String| {
            failed(codes::INVALID_ANSWER, format!("the plugin's answer cannot be understood: {reason}"))
        };
        Ok(Ok(match outcome {
            wit::Outcome::Created(written) => {
                return Ok(self.written(written, fields)?.map(Outcome::Created));
            }
            wit::Outcome::Updated(written) => {
                return Ok(self.written(written, fields)?.map(Outcome::Updated));
            }
            wit::Outcome::Unchanged(written) => {
                return Ok(self.written(written, fields)?.map(Outcome::Unchanged));
            }
            wit::Outcome::Partial(partial) => {
                let written = match self.written(partial.row, fields)? {
                    Ok(written) => written,
                    Err(reason) => return Ok(Err(reason)),
                };
                let refused = partial.refused.into_iter().filter(|refused| fields.contains(&refused.field));
                let refused = refused.map(|refused| RefusedField {
                    code: self.code(&refused.code),
                    reason: self.reason(&refused.reason),
                    field: refused.field,
                });
                let refused: Vec<RefusedField> = refused.collect();
                let written = Written { refused_unnamed: refused.is_empty(), refused, ..written };
                match action {
                    Action::Create => Outcome::Created(written),
                    _ => Outcome::Updated(written),
                }
            }
            wit::Outcome::Deleted => Outcome::Deleted,
            wit::Outcome::Converted(reference) => match self.reference(reference)? {
                Ok(reference) => Outcome::Converted(reference),
                Err(reason) => senseless(reason),
            },
            wit::Outcome::Stale(row) => match self.row(row, fields)? {
                Ok(row) => Outcome::Stale(row),
                Err(reason) => senseless(reason),
            },
            wit::Outcome::Retry(retry) => {
                Outcome::Retry { after: retry.after.map(pause), reason: self.reason(&retry.reason) }
            }
            wit::Outcome::Failed(failure) => Outcome::Failed {
                code: self.code(&failure.code),
                reason: self.reason(&failure.reason),
                fields: failure.fields.into_iter().filter(|field| fields.contains(field)).collect(),
            },
            wit::Outcome::Deferred(ticket) if ticket.is_empty() => {
                return Ok(Err("it was deferred without a ticket".to_owned()));
            }
            wit::Outcome::Deferred(ticket) => Outcome::Deferred(self.token(ticket)?),
            wit::Outcome::Other(other) => failed(&self.code(&other.code), self.reason(&other.text)),
        }))
    }

    /// What was stored. The write itself is certain, also where its row cannot be understood.
    fn written(&mut self, row: Row, fields: &[String]) -> super::value::OrBad<Written> {
        if let Err(reason) = self.id(&row.id)? {
            return Ok(Err(reason));
        }
        let (id, changed) = (row.id.clone(), row.changed.map(Timestamp::from_micros));
        let version = self.tokens(row.version.clone())?;
        let bare = Written { id, changed, version, ..Written::default() };
        if row.values.is_empty() {
            return Ok(Ok(bare));
        }
        Ok(Ok(match self.row(row, fields)? {
            Ok(row) => row.into(),
            Err(reason) => {
                self.warn(&format!(
                    "the values of record {} as stored were left out: {reason}",
                    self.named(&bare.id)
                ));
                bare
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use entente_core::Value;
    use entente_sync::OrderedChange;

    fn order(ids: &[&str]) -> Order {
        let change = |id: &str| OrderedChange {
            id: id.to_owned(),
            action: Action::Update("1".to_owned()),
            values: vec![Some(Value::Null)],
            base: vec![Some(Value::text("old"))],
            times: vec![],
            version: None,
            source: None,
        };
        Order {
            object: "thing".to_owned(),
            fields: vec!["a".to_owned()],
            changes: ids.iter().map(|id| change(id)).collect(),
            first_time: false,
            options: vec![],
            sync: String::new(),
            run: 1,
            at: Timestamp::from_micros(0),
        }
    }

    fn lifted(given: Vec<(&str, wit::Outcome)>, order: &Order) -> Vec<(String, Outcome)> {
        let limits = Limits::default();
        let given = given
            .into_iter()
            .map(|(change, outcome)| wit::Answer { change: change.to_owned(), outcome, extra: vec![] })
            .collect();
        let answers = answers(&mut Lift::new(&limits, "x"), given, order).unwrap();
        answers.into_iter().map(|answer| (answer.change, answer.outcome)).collect()
    }

    fn written(id: &str, values: Vec<crate::wire::v0_1::bindings::entente::integration::data::Value>) -> Row {
        let id = id.to_owned();
        Row { id, changed: None, version: None, values, field_changed: vec![], extra: vec![] }
    }

    fn call() -> Call {
        Call { deadline: 1, extra: vec![] }
    }

    #[test]
    fn a_field_that_is_refused_is_told_with_the_write_of_the_others() {
        let refused_field = |field: &str| wit::RefusedField {
            field: field.to_owned(),
            code: "invalid-value".to_owned(),
            reason: "too long".to_owned(),
            extra: vec![],
        };
        let written_row = |id: &str| written(id, vec![]);
        let refused = vec![refused_field("a"), refused_field("nobody asked")];
        let partial = wit::Partial { row: written_row("1"), refused, extra: vec![] };
        let given = vec![("1", wit::Outcome::Partial(partial))];
        let [(_, Outcome::Updated(written))] = &lifted(given, &order(&["1"]))[..] else { panic!() };
        let fields: Vec<_> = written.refused.iter().map(|refused| refused.field.as_str()).collect();
        assert_eq!((written.id.as_str(), fields), ("1", vec!["a"]));
        assert!(!written.refused_unnamed);
        let partial = wit::Partial {
            row: written_row("1"),
            refused: vec![refused_field("nobody asked")],
            extra: vec![],
        };
        let given = vec![("1", wit::Outcome::Partial(partial))];
        let [(_, Outcome::Updated(written))] = &lifted(given, &order(&["1"]))[..] else { panic!() };
        assert!(written.refused_unnamed, "which fields it means is not known");
    }

    #[test]
    fn an_answer_that_makes_no_sense_leaves_the_fate_unknown() {
        let order = order(&["1", "2", "3", "4"]);
        let given = vec![
            ("1", wit::Outcome::Created(written("", vec![]))),
            ("2", wit::Outcome::Deferred(String::new())),
            ("3", wit::Outcome::Deleted),
            ("nobody asked", wit::Outcome::Deleted),
        ];
        assert_eq!(lifted(given, &order), [("3".to_owned(), Outcome::Deleted)]);
    }

    #[test]
    fn a_write_counts_even_where_its_values_do_not() {
        use crate::wire::v0_1::bindings::entente::integration::data::Value as Wit;
        let given = vec![("1", wit::Outcome::Updated(written("a", vec![Wit::Float(f64::NAN)])))];
        let [(_, Outcome::Updated(written))] = &lifted(given, &order(&["1"]))[..] else { panic!() };
        assert_eq!((written.id.as_str(), written.values.len()), ("a", 0));
    }

    #[test]
    fn words_that_a_later_version_adds_are_failures() {
        let other =
            wit::OtherOutcome { code: "queued".to_owned(), text: "later\nmore".to_owned(), extra: vec![] };
        let given = vec![("1", wit::Outcome::Other(other))];
        let expected =
            Outcome::Failed { code: "queued".to_owned(), reason: "later\\nmore".to_owned(), fields: vec![] };
        assert_eq!(lifted(given, &order(&["1"])), [("1".to_owned(), expected)]);
    }

    #[test]
    fn base_goes_along_only_where_it_is_wanted() {
        assert_eq!(lower_order(&order(&["1"]), true, call()).changes[0].base.len(), 1);
        assert_eq!(lower_order(&order(&["1"]), false, call()).changes[0].base.len(), 0);
    }
}
