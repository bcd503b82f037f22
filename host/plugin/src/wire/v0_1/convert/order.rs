//! Lowering orders, and lifting the outcomes of their changes.

use super::super::bindings::exports::entente::integration::order_execution as wit;
use super::Lift;
use super::value::{lower_reference, lower_values};
use crate::wire::Refused;
use entente_core::Timestamp;
use entente_sync::{Action, Answer, Collection, Order, Outcome, TicketState, Written, codes};
use std::collections::HashSet;
use std::time::Duration;

/// The limit of a requested pause: a longer one would be a mistake, and the plugin can ask again after it.
const LONGEST_PAUSE: u32 = 86_400;

/// `base` is passed only for objects that want it: it costs as much as the change itself.
pub(crate) fn lower_order(order: &Order, with_base: bool) -> wit::Order {
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
        extra: Vec::new(),
    }
}

/// Validates outcomes. One that cannot be understood is dropped, so that its change counts as sent with an
/// unknown outcome, which is true.
pub(crate) fn answers(
    lift: &mut Lift<'_>,
    answers: Vec<wit::Answer>,
    fields: &[String],
    asked: Option<&Order>,
) -> Result<Vec<Answer>, Refused> {
    let ids: Option<HashSet<&str>> =
        asked.map(|order| order.changes.iter().map(|change| change.id.as_str()).collect());
    let known = |id: &str| ids.as_ref().is_none_or(|ids| ids.contains(id));
    if let Some(order) = asked
        && answers.len() > order.changes.len().saturating_mul(2)
    {
        return Err(Refused::Invalid(format!(
            "it gave {} answers to {} changes",
            answers.len(),
            order.changes.len()
        )));
    }
    let mut lifted = Vec::with_capacity(answers.len());
    for answer in answers {
        lift.count(answer.change.len())?;
        if !known(&answer.change) {
            lift.warn(&format!(
                "an answer to a change that was not ordered ('{}') was left out",
                super::clean(&answer.change, 100)
            ));
            continue;
        }
        match lift.outcome(answer.outcome, fields)? {
            Ok(outcome) => lifted.push(Answer { change: answer.change, outcome }),
            Err(reason) => lift.warn(&format!(
                "the answer to change '{}' cannot be understood: {reason}; its outcome is unknown",
                super::clean(&answer.change, 100)
            )),
        }
    }
    Ok(lifted)
}

pub(crate) fn collection(
    lift: &mut Lift<'_>,
    collection: wit::Collection,
    fields: &[String],
) -> Result<Collection, Refused> {
    Ok(Collection {
        answers: answers(lift, collection.answers, fields, None)?,
        state: match collection.state {
            wit::TicketState::Done => TicketState::Done,
            wit::TicketState::Pending(after) => TicketState::Pending(after.map(pause)),
            wit::TicketState::Lost => TicketState::Lost,
        },
    })
}

fn pause(seconds: u32) -> Duration {
    Duration::from_secs(seconds.min(LONGEST_PAUSE).into())
}

impl Lift<'_> {
    fn outcome(&mut self, outcome: wit::Outcome, fields: &[String]) -> super::value::OrBad<Outcome> {
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
                code: super::clean(&failure.code, 100),
                reason: self.reason(&failure.reason),
                fields: failure.fields.into_iter().filter(|field| fields.contains(field)).collect(),
            },
            wit::Outcome::Deferred(ticket) if ticket.is_empty() => {
                return Ok(Err("it was deferred without a ticket".to_owned()));
            }
            wit::Outcome::Deferred(ticket) => Outcome::Deferred(self.token(ticket)?),
            wit::Outcome::Other(other) => failed(&super::clean(&other.code, 100), self.reason(&other.text)),
        }))
    }

    fn written(&mut self, written: wit::Written, fields: &[String]) -> super::value::OrBad<Written> {
        if let Err(reason) = self.id(&written.id)? {
            return Ok(Err(reason));
        }
        let values = if written.values.is_empty() {
            Vec::new()
        } else {
            match self.values(written.values, fields)? {
                Ok(values) => values,
                // The write itself is certain; only the stored row is not known.
                Err(reason) => {
                    self.warn(&format!(
                        "the values of record '{}' as stored were left out: {reason}",
                        super::clean(&written.id, 100)
                    ));
                    Vec::new()
                }
            }
        };
        Ok(Ok(Written {
            id: written.id,
            changed: written.changed.map(Timestamp::from_micros),
            version: self.tokens(written.version)?,
            values,
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
            .map(|(change, outcome)| wit::Answer { change: change.to_owned(), outcome })
            .collect();
        let answers = answers(&mut Lift::new(&limits, "x"), given, &order.fields, Some(order)).unwrap();
        answers.into_iter().map(|answer| (answer.change, answer.outcome)).collect()
    }

    fn written(
        id: &str,
        values: Vec<crate::wire::v0_1::bindings::entente::integration::types::Value>,
    ) -> wit::Written {
        wit::Written { id: id.to_owned(), changed: None, version: None, values, extra: vec![] }
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
        use crate::wire::v0_1::bindings::entente::integration::types::Value as Wit;
        let given = vec![("1", wit::Outcome::Updated(written("a", vec![Wit::Float(f64::NAN)])))];
        let [(_, Outcome::Updated(written))] = &lifted(given, &order(&["1"]))[..] else { panic!() };
        assert_eq!((written.id.as_str(), written.values.len()), ("a", 0));
    }

    #[test]
    fn words_that_a_later_version_adds_are_failures() {
        let other = wit::OtherOutcome { code: "queued".to_owned(), text: "later\nmore".to_owned() };
        let given = vec![("1", wit::Outcome::Other(other))];
        let expected =
            Outcome::Failed { code: "queued".to_owned(), reason: "later\\nmore".to_owned(), fields: vec![] };
        assert_eq!(lifted(given, &order(&["1"])), [("1".to_owned(), expected)]);
    }

    #[test]
    fn base_goes_along_only_where_it_is_wanted() {
        assert_eq!(lower_order(&order(&["1"]), true).changes[0].base.len(), 1);
        assert_eq!(lower_order(&order(&["1"]), false).changes[0].base.len(), 0);
    }
}
