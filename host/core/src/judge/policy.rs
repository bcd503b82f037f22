//! Field policies: the rules that an operator sets for a field.

use super::side::{Side, Sides};
use crate::record::{Kind, Value};
use serde::{Deserialize, Serialize};

/// The direction in which values flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// To the left only.
    ToLeft,
    /// To the right only.
    ToRight,
    /// Both ways.
    #[default]
    Both,
}

impl Direction {
    /// Whether values flow to this side.
    pub const fn reaches(self, side: Side) -> bool {
        matches!(
            (self, side),
            (Direction::Both, _) | (Direction::ToLeft, Side::Left) | (Direction::ToRight, Side::Right)
        )
    }

    /// The target of a one-way field: the only side that is written.
    pub const fn only_target(self) -> Option<Side> {
        match self {
            Direction::ToLeft => Some(Side::Left),
            Direction::ToRight => Some(Side::Right),
            Direction::Both => None,
        }
    }
}

/// The policy for fields that the judge cannot decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unresolved {
    /// The left value wins.
    Left,
    /// The right value wins.
    Right,
    /// The value that was there later at the latest wins: a guess.
    Latest,
    /// The field is in conflict and waits for the operator.
    #[default]
    Hold,
}

/// The policy for blanks: what happens where one side is cleared and the other has a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Blanks {
    /// A blank replaces the value.
    #[default]
    Overwrite,
    /// A blank never replaces a value; the sides may differ.
    Keep,
    /// The value is written back over the blank.
    Fill,
}

/// The write rule of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WriteRule {
    /// Always written.
    #[default]
    Always,
    /// Written only where the target is blank.
    IfEmpty,
    /// Never written.
    Never,
}

/// The policy for drift: the target of a one-way field was edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Drift {
    /// The edit is listed and left alone.
    #[default]
    Keep,
    /// The source's value is written again.
    Restore,
}

/// What is special about writing a field of a side, by its schema.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FieldTerms {
    /// It is written when the record is created, and never after that.
    pub create_only: bool,
    /// Every update carries it, changed or not.
    pub required_on_update: bool,
    /// It is written and never told, so that nobody knows what a record there has.
    pub write_only: bool,
    /// Values of a pick-list that records have and that are never written (a state that only people give).
    pub reported_only: Vec<Value>,
}

/// All policies of one field, as [`super::settle`] takes them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FieldRules<'a> {
    /// The kinds of the field on the two sides.
    pub kinds: &'a Sides<Kind>,
    /// The direction in which values flow.
    pub direction: Direction,
    /// Whether a side requires a value; a blank is not sent there.
    pub required: Sides<bool>,
    /// Whether a side can be written.
    pub writable: Sides<bool>,
    /// By side, what is special about writing the field there.
    pub terms: &'a Sides<FieldTerms>,
    /// Whether the value is a set, merged element by element.
    pub set_like: bool,
    /// The trusted side: it wins whatever changed.
    pub trust: Option<Side>,
    /// The policy for fields that the judge cannot decide.
    pub unresolved: Unresolved,
    /// The policy for blanks.
    pub blanks: Blanks,
    /// The write rule of the target.
    pub write: WriteRule,
    /// The policy for drift.
    pub drift: Drift,
    /// The value map: corresponding values, left and right; empty where values are copied as they are.
    pub values: &'a [(Value, Value)],
    /// Whether a side cannot tell null, empty text and an empty list apart.
    pub one_blank: bool,
    /// The precision at which change times are compared, in microseconds: that of the coarser side.
    pub precision: u64,
}

impl FieldRules<'_> {
    /// Translates a value for the other side by the value map; `None` where the map does not list it. Blanks
    /// pass unchanged, and so does every value of a field without a map.
    pub fn translate(&self, value: &Value, from: Side) -> Option<Value> {
        if self.values.is_empty() || value.is_blank() {
            return Some(value.clone());
        }
        self.values.iter().find_map(|(left, right)| match from {
            Side::Left => (left == value).then(|| right.clone()),
            Side::Right => (right == value).then(|| left.clone()),
        })
    }
}
