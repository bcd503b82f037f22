//! Notices: what the operator should know of a run besides its counts.

use super::number::RunId;
use super::reason::Reason;
use super::remedy::Remedy;
use super::subject::{RecordRef, RemoteSaid};
use entente_core::{Kind, Side, Sides, Timestamp};
use serde::{Deserialize, Serialize};

/// Something that the operator should know of a run besides its counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Notice {
    /// The deletion guard holds a part of the plan; the reason is [`Reason::Brake`].
    Brake(Reason),
    /// The brake on identifiers holds records of which too many have other identifiers than before
    /// ([`Reason::OtherIdentifiers`]).
    OtherIdentifiers {
        /// The side.
        side: Side,
        /// The object.
        object: String,
        /// Number of records with other identifiers.
        records: u64,
        /// Number of linked records of the object.
        linked: u64,
        /// The limit that is exceeded, in percent of the linked records.
        percent: u8,
    },
    /// Records have other identifiers, and the side has not reported that to a whole run: perhaps it does not follow the
    /// bookmark that it was given. They are held until the next run has read everything.
    UnreportedIdentifiers {
        /// The side.
        side: Side,
        /// The object.
        object: String,
        /// Number of records that were found so.
        records: u64,
    },
    /// Schema drift: a mapped field that is written can no longer be written, and is parked.
    FieldReadOnly {
        /// The side.
        side: Side,
        /// The object.
        object: String,
        /// The field.
        field: String,
    },
    /// Schema drift: a mapped field was removed or changed its kind, and is parked.
    FieldParked {
        /// The side.
        side: Side,
        /// The object.
        object: String,
        /// The field.
        field: String,
        /// Its kind as mapped, and its kind now; `None`: the field was removed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kinds: Option<(Kind, Kind)>,
    },
    /// A side refused a mapped field of some records, and took the rest of them. It is sent again when its value changes.
    FieldRefused {
        /// The side.
        side: Side,
        /// The object.
        object: String,
        /// The field.
        field: String,
        /// Of how many records.
        records: u64,
    },
    /// Schema drift: a side has a new field, which is not mapped.
    NewField {
        /// The side.
        side: Side,
        /// The object.
        object: String,
        /// The field.
        field: String,
    },
    /// Schema drift: a side has many new fields, which are not mapped.
    NewFields {
        /// The side.
        side: Side,
        /// The object.
        object: String,
        /// How many.
        fields: u64,
        /// How many of them are required for new records.
        required: u64,
        /// The names of a few, those that are required first.
        samples: Vec<String>,
    },
    /// Schema drift: a side now requires a field for new records, and the field is not mapped.
    NewlyRequired {
        /// The side.
        side: Side,
        /// The object.
        object: String,
        /// The field.
        field: String,
    },
    /// An order failed as a whole and is split into smaller orders.
    OrderFailed {
        /// The side.
        side: Side,
        /// What it said.
        said: RemoteSaid,
        /// What the operator can do, where the host knows it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        remedies: Vec<Remedy>,
    },
    /// A side has deferred changes and does not support telling what became of them: their outcome is unknown, as after a
    /// crash.
    CannotCollect {
        /// The side.
        side: Side,
        /// The object.
        object: String,
    },
    /// A side failed to tell what became of deferred changes. They stay open, and the run goes on.
    CollectFailed {
        /// The side.
        side: Side,
        /// The object.
        object: String,
        /// What it said.
        said: RemoteSaid,
        /// What the operator can do, where the host knows it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        remedies: Vec<Remedy>,
    },
    /// Nothing was told of deferred changes for long. An operator may give them up.
    LongDeferred {
        /// The side.
        side: Side,
        /// The object.
        object: String,
        /// The oldest of them was sent at this time.
        sent: Timestamp,
    },
    /// A side answers against the rules of the interface, without harm to what is synced.
    InvalidAnswers {
        /// The side.
        side: Side,
        /// The object.
        object: String,
        /// What it does.
        what: Oddity,
        /// How often.
        count: u64,
    },
    /// A one-time trust is not used up: the side keeps winning until a run without a window has executed
    /// every change.
    StaysTrusted {
        /// The side that wins.
        side: Side,
    },
    /// A run that is undone wrote objects that the sync no longer maps.
    NotMapped {
        /// The run that is undone.
        run: RunId,
    },
    /// An undo would delete records, and the operator has not agreed to that number.
    DeletesNotAgreed {
        /// The run that is undone.
        run: RunId,
        /// How many records.
        deletes: u64,
    },
    /// A side dates records later than they arrived: its clock is ahead, or the host's is late. Such times count as upper
    /// bounds only.
    ClockAhead {
        /// The side.
        side: Side,
        /// The record of the page that is dated furthest ahead.
        record: RecordRef,
        /// Its time.
        at: Timestamp,
        /// When it arrived.
        arrival: Timestamp,
    },
    /// A text that a version stored before notices were data.
    Earlier {
        /// The text.
        text: String,
    },
}

/// An answer against the rules of the interface that is left out or taken as far as it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Oddity {
    /// Rows of an object that was not asked for; they are left out.
    RowsNotAskedFor,
    /// A change was written but for fields that are not named.
    RefusedWithoutFields,
    /// A change was answered more than once; the first answer counts.
    AnsweredTwice,
    /// A record was told twice in one run, with other values and without change times; what came later counts.
    ToldTwice,
    /// A create was answered with the identifiers of another one of its order. Which record it has made is not taken from
    /// that; it is found out as where no answer came.
    OfAnotherChange,
}

impl Notice {
    /// What the operator of this sync, which joins these exchanges, can do about it.
    pub fn remedies(&self, sync: &str, exchanges: &Sides<String>) -> Vec<Remedy> {
        match self {
            Notice::Brake(_) => vec![Remedy::LiftBrake { sync: sync.to_owned() }],
            Notice::OtherIdentifiers { side, .. } => vec![
                Remedy::ReadAll { sync: sync.to_owned() },
                Remedy::LiftIdentifiers { sync: sync.to_owned() },
                Remedy::RebindForgetLinks { integration: exchanges[*side].clone(), unasked: false },
            ],
            Notice::FieldRefused { .. } => vec![Remedy::ShowDiffering { sync: sync.to_owned() }],
            Notice::UnreportedIdentifiers { .. } => vec![Remedy::Sync { sync: Some(sync.to_owned()) }],
            Notice::FieldParked { .. } | Notice::FieldReadOnly { .. } | Notice::NewlyRequired { .. } => {
                vec![Remedy::Export, Remedy::Apply]
            }
            Notice::NewFields { required, .. } if *required > 0 => vec![Remedy::Export, Remedy::Apply],
            Notice::OrderFailed { remedies, .. } | Notice::CollectFailed { remedies, .. } => remedies.clone(),
            // A list that moves while it is read is nobody's mistake.
            Notice::InvalidAnswers { what: Oddity::ToldTwice, .. } => Vec::new(),
            Notice::CannotCollect { .. } | Notice::InvalidAnswers { .. } => vec![Remedy::ReportToAuthor],
            Notice::DeletesNotAgreed { run, deletes } => {
                vec![Remedy::UndoRun { run: *run, deletes: *deletes }]
            }
            Notice::NewField { .. } => vec![Remedy::Export],
            Notice::NewFields { .. }
            | Notice::StaysTrusted { .. }
            | Notice::NotMapped { .. }
            | Notice::ClockAhead { .. }
            | Notice::LongDeferred { .. }
            | Notice::Earlier { .. } => Vec::new(),
        }
    }
}
