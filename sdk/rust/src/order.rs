//! Sync orders: the changes to make, and their outcomes.

use std::time::Duration;

use crate::error::whole_seconds;
use crate::{Error, Reference, Row, Value, http, turn};

/// Changes of one object.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Order {
    /// The object.
    pub object: String,
    /// The names that `values` and `base` of each change follow.
    pub fields: Vec<String>,
    /// The changes; at most `order_size` of the object.
    pub changes: Vec<Change>,
    /// The run is a first-time sync.
    pub first_time: bool,
    /// What the operator gave with `--option name:text`.
    pub options: Vec<(String, String)>,
}

impl Order {
    /// An order without changes yet; what a test begins with.
    pub fn new<T: Into<String>>(object: impl Into<String>, fields: impl IntoIterator<Item = T>) -> Self {
        let fields = fields.into_iter().map(Into::into).collect();
        Self { object: object.into(), fields, changes: Vec::new(), first_time: false, options: Vec::new() }
    }

    /// Adds a change.
    #[must_use]
    pub fn change(mut self, change: Change) -> Self {
        self.changes.push(change);
        self
    }

    /// What the operator gave for an option.
    pub fn option(&self, name: &str) -> Option<&str> {
        crate::report::option(&self.options, name)
    }

    /// Makes the changes one after the other, and tells the host the truth about each.
    ///
    /// What `make` answers is the outcome. Where it ends in an error and nothing that it sent can have been carried out
    /// (every request that writes was turned away with 4xx, or none was sent), the change is answered with `retry` or
    /// `failed`; otherwise it gets no answer, and the host finds out what became of it. An error about the remote system
    /// or the credential (`rate-limited`, `unavailable`, `unauthorized`, …) ends the order: the changes after it, never
    /// sent, are answered with `retry`, and the host acts on the error. An error about the one change does not stop
    /// the others. Near the deadline of the call the rest is answered with `retry`, too.
    pub fn one_by_one(&self, mut make: impl FnMut(&Change) -> Result<Outcome, Error>) -> Execution {
        let mut execution = Execution::default();
        for change in &self.changes {
            let answer = match &execution.stopped {
                Some(error) => Some(Outcome::put_off(error)),
                None if turn::is_short() => {
                    Some(Outcome::retry(Duration::ZERO, "the time of this call is used up"))
                }
                None => {
                    turn::begin_change();
                    make(change).map_or_else(|error| execution.failed_over(error), Some)
                }
            };
            execution.answers.extend(answer.map(|outcome| change.answer(outcome)));
        }
        execution
    }

    /// Makes all changes with one request, for remote systems that take many at once, and tells the host what
    /// [`Order::one_by_one`] would: where the request was turned away, no change was made and each is answered with
    /// `retry`; after another error none is answered, since any of them may have been made.
    pub fn at_once(&self, make: impl FnOnce() -> Result<Vec<Answer>, Error>) -> Execution {
        turn::begin_change();
        let mut execution = Execution::default();
        match make() {
            Ok(answers) => execution.answers = answers,
            Err(error) => {
                if !turn::may_have_written() {
                    let answer = |change: &Change| change.answer(Outcome::put_off(&error));
                    execution.answers = self.changes.iter().map(answer).collect();
                }
                execution.stopped = Some(error);
            }
        }
        execution
    }

    /// Makes changes side by side that take one request each, `most` at a time, and tells the host of them what
    /// [`Order::one_by_one`] would. `ask` makes the request of a change (an error: nothing was sent), `understand` makes
    /// the outcome of its answer; errors of the answer (`error_for_status`) are for it to raise.
    pub fn side_by_side(
        &self,
        most: usize,
        ask: impl Fn(&Change) -> Result<http::Request, Error>,
        understand: impl Fn(&Change, http::Response) -> Result<Outcome, Error>,
    ) -> Execution {
        let mut execution = Execution::default();
        for changes in self.changes.chunks(most.max(1)) {
            if execution.stopped.is_some() || turn::is_short() {
                let late = || Outcome::retry(Duration::ZERO, "the time of this call is used up");
                let outcome = || execution.stopped.as_ref().map_or_else(late, Outcome::put_off);
                let answers: Vec<_> = changes.iter().map(|change| change.answer(outcome())).collect();
                execution.answers.extend(answers);
                continue;
            }
            let asked: Vec<_> = changes.iter().map(&ask).collect();
            let requests = asked.iter().filter_map(|request| request.as_ref().ok().cloned());
            let mut came = http::send_all(requests).into_iter();
            for (change, asked) in changes.iter().zip(asked) {
                turn::begin_change();
                let answer = match asked {
                    Err(error) => Err(error),
                    Ok(_) => came.next().map_or_else(
                        || Err(Error::unavailable("the answer got lost in the host")),
                        |ended| {
                            turn::sent(&ended);
                            ended.and_then(|response| understand(change, response))
                        },
                    ),
                };
                let answer = answer.map_or_else(|error| execution.failed_over(error), Some);
                execution.answers.extend(answer.map(|outcome| change.answer(outcome)));
            }
        }
        execution
    }
}

/// What is done to a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A new record is made.
    Create,
    /// The record with this id is changed.
    Update(String),
    /// The record with this id is deleted.
    Delete(String),
}

/// One change of an order.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Change {
    /// Names the change. The same however often it is sent: use it as the idempotency key.
    pub id: String,
    /// What is done.
    pub action: Action,
    /// What to write, in the order of the fields. `Unset`: leave it as it is; `Null`: clear it. Empty for a
    /// delete.
    pub values: Vec<Value>,
    /// What the record had when the change was decided. Empty for a create, and without the feature
    /// `base-values`.
    pub base: Vec<Value>,
    /// What the last report of the record gave for conditional writes.
    pub version: Option<String>,
    /// The record of the other side that the values come from.
    pub source: Option<Reference>,
}

impl Change {
    /// A change; what a test begins with.
    pub fn new(id: impl Into<String>, action: Action, values: impl IntoIterator<Item = Value>) -> Self {
        let values = values.into_iter().collect();
        Self { id: id.into(), action, values, base: Vec::new(), version: None, source: None }
    }

    /// Says which version the change was decided on.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// The fields to write, by name, in the order of the order. Those that stay as they are do not appear.
    pub fn set_fields<'a>(&'a self, order: &'a Order) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let names = order.fields.iter().map(String::as_str);
        names.zip(&self.values).filter(|(_, value)| !value.is_unset())
    }

    /// The whole record after the change, by name: what it had, with what is to be written laid over it. For
    /// remote systems that take whole records; needs the feature `base-values`.
    pub fn whole_record<'a>(&'a self, order: &'a Order) -> impl Iterator<Item = (&'a str, &'a Value)> {
        order.fields.iter().enumerate().filter_map(|(at, name)| {
            let set = |values: &'a [Value]| values.get(at).filter(|value| !value.is_unset());
            set(&self.values).or_else(|| set(&self.base)).map(|value| (name.as_str(), value))
        })
    }

    /// The id of the record that is changed or deleted; `None` for a create.
    pub fn target(&self) -> Option<&str> {
        match &self.action {
            Action::Create => None,
            Action::Update(id) | Action::Delete(id) => Some(id),
        }
    }

    /// Says what became of the change.
    pub fn answer(&self, outcome: Outcome) -> Answer {
        Answer { change: self.id.clone(), outcome }
    }
}

/// What became of one change.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The id of the change.
    pub change: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Execution {
    /// In any order. A change without an answer counts as sent with its fate unknown.
    pub answers: Vec<Answer>,
    /// Why the order was not carried out to its end: the host acts on it as on the error of a call, and what is answered
    /// counts all the same.
    pub stopped: Option<Error>,
}

impl Execution {
    /// What became of one change that ended in an error; `None` where its fate is unknown.
    fn failed_over(&mut self, error: Error) -> Option<Outcome> {
        let outcome = match (turn::may_have_written(), error.is_about_the_system()) {
            (true, _) => None,
            (false, true) => Some(Outcome::put_off(&error)),
            (false, false) => Some(Outcome::failed(error.code().as_str(), error.reason())),
        };
        if error.is_about_the_system() {
            self.stopped = Some(error);
        }
        outcome
    }
}

impl FromIterator<Answer> for Execution {
    fn from_iter<I: IntoIterator<Item = Answer>>(answers: I) -> Self {
        Self { answers: answers.into_iter().collect(), stopped: None }
    }
}

/// Words of [`Outcome::Failed`]. Others are allowed: they count as a failure that stays until the record
/// changes or the operator asks again.
pub mod failures {
    /// A value was refused.
    pub const INVALID_VALUE: &str = "invalid-value";
    /// A value is missing.
    pub const REQUIRED: &str = "required";
    /// There is such a record already.
    pub const DUPLICATE: &str = "duplicate";
    /// The record is gone; the host follows its policy for deletions.
    pub const NOT_FOUND: &str = "not-found";
    /// The credential does not allow it.
    pub const FORBIDDEN: &str = "forbidden";
    /// A value or the record is too large.
    pub const TOO_LARGE: &str = "too-large";
    /// The remote system or the plugin does not do this.
    pub const UNSUPPORTED: &str = "unsupported";
}

/// A field that was not written, while the rest of the record was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedField {
    /// The field.
    pub field: String,
    /// A word of [`failures`], or one of your own.
    pub code: String,
    /// For a person.
    pub reason: String,
}

/// What became of a change. One that fails must not stop the others: answer `Failed` for it and go on.
///
/// The rows of `Created`, `Updated`, `Unchanged` and `Partial` say what the remote system holds now. Their values are what
/// was stored, in the order of the order's fields, where the remote system answers with it: what it has reformatted then
/// is no change in the next report. `Row::new(id)` alone: taken as ordered. The id may differ from the one that was
/// ordered, where ids are made of the record.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// A new record was made.
    Created(Row),
    /// The record was written. To a create: there was such a record already, it was written and has this id.
    Updated(Row),
    /// The record had these values already; nothing was written.
    Unchanged(Row),
    /// The record was made or written, but for these fields. The host goes on with the others, and sends these again
    /// when they change.
    Partial {
        /// What the remote system holds now.
        row: Row,
        /// At least one.
        refused: Vec<RefusedField>,
    },
    /// The record is gone, by this change or before it.
    Deleted,
    /// Nothing was written: the record has become this one.
    Converted(Reference),
    /// Nothing was written: the record has changed since the decision, and is like this now. To a create:
    /// such a record exists already.
    Stale(Row),
    /// Nothing was written, and it is certain that nothing was; try again later. The host then decides the
    /// change anew and sends it under another id. Where the remote system may have written (an error of its
    /// own, a timeout), give no answer for the change: [`Outcome::unconfirmed`] knows which is which.
    Retry {
        /// Seconds to wait; `None`: the host decides.
        after: Option<u32>,
        /// For a person.
        reason: String,
    },
    /// Nothing was written, and trying again would not help.
    Failed {
        /// A word of [`failures`], or one of your own.
        code: String,
        /// For a person.
        reason: String,
        /// The fields that were refused, if it was about fields.
        fields: Vec<String>,
    },
    /// The remote system has taken the change and says later what became of it. `collect` is asked with this
    /// ticket.
    Deferred(String),
    /// What this version has no case for. The host handles a word that it does not know as `Failed`.
    Other {
        /// A word.
        code: String,
        /// For a person.
        text: String,
    },
}

impl Outcome {
    /// What the HTTP status of a change says that the remote system has not confirmed; any but 2xx. `None`: its
    /// fate is unknown, so it gets no answer, and the host asks or sends it again under the same id. That is
    /// 408 and every 5xx: a server that fails may have written before.
    ///
    /// 429 is `Retry`, anything else is `Failed` with the word of [`failures`] that fits. Refine those that the
    /// remote system tells more about, and leave the others to this:
    ///
    /// ```
    /// # use entente_sdk::{Change, Order, Execution, Outcome};
    /// # struct Item { status: u16, message: String }
    /// # fn execute(order: &Order, items: &[Item]) -> Execution {
    /// let answers = order.changes.iter().zip(items).filter_map(|(change, item)| {
    ///     let outcome = match item.status {
    ///         204 => Outcome::Deleted,
    ///         status => Outcome::unconfirmed(status, None, &item.message)?,
    ///     };
    ///     Some(change.answer(outcome))
    /// });
    /// # answers.collect()
    /// # }
    /// ```
    pub fn unconfirmed(
        status: u16,
        after: impl Into<Option<Duration>>,
        reason: impl Into<String>,
    ) -> Option<Self> {
        let code = match status {
            408 | 500..=599 => return None,
            429 => return Some(Self::retry(after, reason)),
            403 => failures::FORBIDDEN,
            404 | 410 => failures::NOT_FOUND,
            409 => failures::DUPLICATE,
            413 => failures::TOO_LARGE,
            400 | 422 => failures::INVALID_VALUE,
            _ => "unknown-answer",
        };
        Some(Self::failed(code, reason))
    }

    /// The change was never sent, since the order ended before it.
    fn put_off(error: &Error) -> Self {
        Self::Retry { after: error.wait(), reason: error.reason().to_owned() }
    }

    /// Nothing was written for certain; try again after so long, `None` for as the host likes.
    pub fn retry(after: impl Into<Option<Duration>>, reason: impl Into<String>) -> Self {
        Self::Retry { after: after.into().map(whole_seconds), reason: reason.into() }
    }

    /// Nothing was written, and trying again would not help.
    pub fn failed(code: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Failed { code: code.into(), reason: reason.into(), fields: Vec::new() }
    }

    /// Nothing was written, because of these fields.
    pub fn refused<T: Into<String>>(
        code: impl Into<String>,
        reason: impl Into<String>,
        fields: impl IntoIterator<Item = T>,
    ) -> Self {
        Self::Failed {
            code: code.into(),
            reason: reason.into(),
            fields: fields.into_iter().map(Into::into).collect(),
        }
    }
}

/// How it stands with a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TicketState {
    /// Everything is answered.
    Done,
    /// Something is still open: ask again after so many seconds, `None` for as the host likes.
    Pending(Option<u32>),
    /// The remote system no longer knows the ticket.
    Lost,
}

/// What became of deferred changes so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Collection {
    /// What is settled by now, in any order.
    pub answers: Vec<Answer>,
    /// How it stands with the ticket.
    pub state: TicketState,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_set_is_written() {
        let change = Change::new("c1", Action::Update("7".into()), [Value::Unset, Value::Null, "x".into()]);
        let order = Order::new("person", ["a", "b", "c"]).change(change.clone());
        let set: Vec<_> = change.set_fields(&order).collect();
        assert_eq!(set, [("b", &Value::Null), ("c", &Value::from("x"))]);
        assert_eq!(change.target(), Some("7"));
    }

    /// An order of four creates, made by `make` at a remote system that answers with these statuses.
    fn made(statuses: &'static [u16], side_by_side: bool) -> (Vec<(String, String)>, Option<Error>) {
        let mut left = statuses.iter();
        let _host = crate::testing::Host::new()
            .http(move |_| {
                Ok(http::Response::new(*left.next().unwrap_or(&201)).with_header("retry-after", "9"))
            })
            .install();
        let mut order = Order::new("person", ["name"]);
        for id in ["a", "b", "c", "d"] {
            order = order.change(Change::new(id, Action::Create, ["x".into()]));
        }
        let ask = |_: &Change| Ok(http::Request::post("https://crm.example/people"));
        let understand = |change: &Change, response: http::Response| {
            response.error_for_status().map(|_| Outcome::Created(Row::new(change.id.as_str())))
        };
        let execution = match side_by_side {
            true => order.side_by_side(2, ask, understand),
            false => order.one_by_one(|change| understand(change, ask(change)?.send()?)),
        };
        let word = |outcome: &Outcome| match outcome {
            Outcome::Created(_) => "created".to_owned(),
            Outcome::Retry { after, .. } => format!("retry {after:?}"),
            Outcome::Failed { code, .. } => code.clone(),
            other => format!("{other:?}"),
        };
        let told = execution.answers.iter().map(|answer| (answer.change.clone(), word(&answer.outcome)));
        (told.collect(), execution.stopped)
    }

    #[test]
    fn a1_an_order_that_ends_early_says_what_became_of_each_change() {
        let told = |list: &[(&str, &str)]| -> Vec<(String, String)> {
            list.iter().map(|(id, word)| ((*id).to_owned(), (*word).to_owned())).collect()
        };
        // Turned away: nothing was written, and the others were never sent.
        for side_by_side in [false, true] {
            let (answers, stopped) = made(&[201, 429], side_by_side);
            let expected = told(&[
                ("a", "created"),
                ("b", "retry Some(9)"),
                ("c", "retry Some(9)"),
                ("d", "retry Some(9)"),
            ]);
            assert_eq!(answers, expected, "{side_by_side}");
            assert_eq!(stopped.map(|error| error.code().clone()), Some(crate::Code::RateLimited));
        }
        // It may have been written: no answer for that one alone.
        let (answers, stopped) = made(&[201, 503], false);
        assert_eq!(answers, told(&[("a", "created"), ("c", "retry Some(9)"), ("d", "retry Some(9)")]));
        assert!(stopped.is_some());
        // About one change: the others are made.
        let (answers, stopped) = made(&[201, 422], false);
        assert_eq!(answers, told(&[("a", "created"), ("b", "http-422"), ("c", "created"), ("d", "created")]));
        assert_eq!(stopped, None);
    }

    #[test]
    fn a1_what_was_written_before_the_error_is_not_forgotten() {
        let mut asked = 0;
        let _host = crate::testing::Host::new()
            .http(move |_| {
                asked += 1;
                Ok(http::Response::new(if asked == 1 { 201 } else { 429 }))
            })
            .install();
        let order = Order::new("person", ["name"]).change(Change::new("a", Action::Create, ["x".into()]));
        let execution = order.one_by_one(|_| {
            http::Request::post("https://crm.example/people").send()?.error_for_status()?;
            http::Request::patch("https://crm.example/people/1/tags").send()?.error_for_status()?;
            Ok(Outcome::Deleted)
        });
        assert_eq!(execution.answers, [], "the first request made it");
    }

    #[test]
    fn m3_a_server_error_is_no_answer() {
        let outcome = |status| Outcome::unconfirmed(status, Duration::from_secs(3), "no");
        for unknown in [408, 500, 502, 503, 504, 599] {
            assert_eq!(outcome(unknown), None, "{unknown}");
        }
        assert_eq!(outcome(429), Some(Outcome::Retry { after: Some(3), reason: "no".into() }));
        assert_eq!(outcome(410), Some(Outcome::failed(failures::NOT_FOUND, "no")));
        assert_eq!(outcome(409), Some(Outcome::failed(failures::DUPLICATE, "no")));
        assert_eq!(outcome(418), Some(Outcome::failed("unknown-answer", "no")));
    }

    #[test]
    fn a_whole_record_keeps_what_it_had() {
        let mut change =
            Change::new("c1", Action::Update("7".into()), [Value::Unset, Value::Null, Value::Unset]);
        change.base = vec!["had".into(), "lost".into(), Value::Unset];
        let order = Order::new("person", ["a", "b", "c"]);
        let whole: Vec<_> = change.whole_record(&order).collect();
        assert_eq!(whole, [("a", &Value::from("had")), ("b", &Value::Null)]);
    }
}
