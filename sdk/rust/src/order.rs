//! Sync orders: the changes to make, and their outcomes.

use std::time::Duration;

use crate::error::whole_seconds;
use crate::{Reference, Row, Timestamp, Value};

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

/// What the remote system holds after a write.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Written {
    /// The id of the record.
    pub id: String,
    /// When it changed, if the remote system says so.
    pub changed: Option<Timestamp>,
    /// What conditional writes take from now on.
    pub version: Option<String>,
    /// What was stored, in the order of the fields, where the remote system answers with it: what it has
    /// reformatted then is no change in the next report. Empty: taken as ordered.
    pub values: Vec<Value>,
}

impl Written {
    /// The record with this id, taken as ordered.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), ..Self::default() }
    }

    /// Says when the record changed.
    #[must_use]
    pub fn changed(mut self, at: impl Into<Option<Timestamp>>) -> Self {
        self.changed = at.into();
        self
    }

    /// Says what conditional writes take from now on.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Gives what was stored, in the order of the fields.
    #[must_use]
    pub fn values(mut self, values: impl IntoIterator<Item = Value>) -> Self {
        self.values = values.into_iter().collect();
        self
    }
}

/// A row as it was read says what the remote system holds, too.
impl From<Row> for Written {
    fn from(row: Row) -> Self {
        Self { id: row.id, changed: row.changed, version: row.version, values: row.values }
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

/// What became of a change. One that fails must not stop the others: answer `Failed` for it and go on.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// A new record was made.
    Created(Written),
    /// The record was written. To a create: there was such a record already, it was written and has this id.
    Updated(Written),
    /// The record had these values already; nothing was written.
    Unchanged(Written),
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
    /// # use entente_sdk::{Change, Order, Answer, Outcome};
    /// # struct Item { status: u16, message: String }
    /// # fn execute(order: &Order, items: &[Item]) -> Vec<Answer> {
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
