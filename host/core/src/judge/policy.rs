//! The rules that an operator sets for a field.

use super::side::{Side, Sides};
use crate::record::{Kind, Value};
use serde::{Deserialize, Serialize};

/// Which way values may flow.
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
    /// Whether values may flow to this side.
    pub const fn reaches(self, side: Side) -> bool {
        matches!(
            (self, side),
            (Direction::Both, _) | (Direction::ToLeft, Side::Left) | (Direction::ToRight, Side::Right)
        )
    }

    /// The only side that is written, for a one-way field.
    pub const fn only_target(self) -> Option<Side> {
        match self {
            Direction::ToLeft => Some(Side::Left),
            Direction::ToRight => Some(Side::Right),
            Direction::Both => None,
        }
    }
}

/// What to do when the judge cannot decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unresolved {
    /// The left value wins.
    Left,
    /// The right value wins.
    Right,
    /// The field waits for the operator.
    #[default]
    Hold,
}

/// What a blank does to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Blanks {
    /// It replaces the value.
    #[default]
    Overwrite,
    /// It never replaces a value; the sides may differ.
    Keep,
    /// The value is written back over the blank.
    Fill,
}

/// When the target may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WriteRule {
    /// Always.
    #[default]
    Always,
    /// Where it has no value.
    IfEmpty,
    /// Never.
    Never,
}

/// What to do when the target of a one-way field was edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Drift {
    /// It is listed and left alone.
    #[default]
    Keep,
    /// The source's value is written again.
    Restore,
}

/// All rules of a field, as [`super::settle`] takes them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FieldRules<'a> {
    /// The kinds of the two fields.
    pub kinds: &'a Sides<Kind>,
    /// Which way values may flow.
    pub direction: Direction,
    /// A blank is not sent to this side.
    pub required: Sides<bool>,
    /// The side can be written.
    pub writable: Sides<bool>,
    /// The value is a set, merged element by element.
    pub set_like: bool,
    /// Wins whatever changed.
    pub trust: Option<Side>,
    /// What to do when the judge cannot decide.
    pub unresolved: Unresolved,
    /// What a blank does to a value.
    pub blanks: Blanks,
    /// When the target may be written.
    pub write: WriteRule,
    /// What to do when the target of a one-way field was edited.
    pub drift: Drift,
    /// Values that correspond, left and right.
    pub values: &'a [(Value, Value)],
    /// One of the sides cannot tell null, empty text and an empty list apart.
    pub one_blank: bool,
    /// The step of change times in microseconds: that of the coarser side.
    pub precision: u64,
}

impl FieldRules<'_> {
    /// The value in the words of the other side, by the value map; `None` where the map has no word for it.
    /// Blanks and fields without a map pass as they are.
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
