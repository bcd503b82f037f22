//! Definition of a sync: two exchanges, the mapping of objects and fields, and the policies.

use super::number::{MappingId, Slot};
pub use entente_core::{Blanks, Direction, Drift, FieldTerms, Unresolved, WriteRule};

use entente_core::{FieldRules, Kind, Side, Sides, Value};
use serde::{Deserialize, Serialize};

/// A sync as configured by the operator, checked against the schemas of both sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SyncDefinition {
    /// Its name.
    pub name: String,
    /// The set of pairs that it works on. Syncs that share a relation share its lease.
    pub relation: String,
    /// The names of the exchanges, left and right.
    pub exchanges: Sides<String>,
    /// The objects that are kept in agreement.
    pub mappings: Vec<ObjectMapping>,
    /// Version of the mapping: grows when mapping, identifiers or filters change, and listings then start
    /// again.
    pub version: u32,
    /// Deletion guard: how many deletions and blankings a run may make without consent.
    #[serde(default)]
    pub brake: Brake,
}

/// Limits of the deletion guard, which holds the deletions or blankings of a run when there are too many: more
/// than both limits, or two and more than half of the linked records ([`Brake::stops`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brake {
    /// In percent of the linked records of an object.
    pub percent: u8,
    /// In records.
    pub records: u64,
}

impl Default for Brake {
    /// 5 % and 10 records: ten records are checked by hand in a minute, and a normal day deletes fewer than
    /// one record in twenty.
    fn default() -> Self {
        Self { percent: 5, records: 10 }
    }
}

impl Brake {
    /// The limits that `records` out of `of` linked records exceed, if they exceed any: those configured, else
    /// the share that no number of records excuses. A small account, all of which is gone, has less than
    /// `records` altogether.
    pub fn stops(self, records: u64, of: u64) -> Option<Self> {
        let share = Self { percent: self.percent.max(HALF), records: self.records.min(1) };
        let exceeds = |limits: &Self| {
            records > limits.records
                && u128::from(records) * 100 > u128::from(of) * u128::from(limits.percent)
        };
        [self, share].into_iter().find(exceeds)
    }
}

/// The share of the linked records, in percent, that is held however few they are. A configured share that is
/// larger takes its place, so that 100 % switches the guard off.
const HALF: u8 = 50;

/// Which changes of a plan the deletion guard counts and holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Braked {
    /// Deletions.
    Deletes,
    /// Updates that replace a value by a blank.
    Blankings,
}

/// Mapping of an object of the left side to an object of the right side.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ObjectMapping {
    /// Its number in the ledger.
    pub id: MappingId,
    /// The names of the objects, left and right.
    pub objects: Sides<String>,
    /// The mapped fields.
    pub fields: Vec<FieldMapping>,
    /// Groups: slots of fields that are one fact, such as the parts of an address. They are judged and written together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Vec<Slot>>,
    /// Identifiers: slots of the fields that records are matched by, the best one first.
    pub identifiers: Vec<Slot>,
    /// Whether all identifiers must agree, or one is enough.
    pub identify_by: IdentifyBy,
    /// Whether records may be created, left and right.
    pub create: Sides<bool>,
    /// Filter of each side: which records take part; all conditions must hold.
    pub filters: Sides<Vec<Condition>>,
    /// Deletion policy: what happens to the counterpart of a deleted record.
    pub deletes: DeletePolicy,
    /// Tie-break rules of each side, in order: which of several records with the same identifiers is linked.
    /// Without rules, the one reported first.
    #[serde(default)]
    pub prefer: Sides<Vec<Prefer>>,
}

/// Tie-break rule among several records with the same identifiers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prefer {
    /// A record that meets the condition wins; of several, the one with the lowest id.
    Where(Condition),
    /// The record with the lowest id wins.
    LowestId,
}

/// How identifiers are combined in matching.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdentifyBy {
    /// Every identifier must be set and equal.
    All,
    /// One equal identifier is enough; better ones are tried first.
    #[default]
    Any,
}

/// Deletion policy: what happens to the counterpart of a deleted record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeletePolicy {
    /// Nothing: the survivor and the tombstone stay.
    #[default]
    Ignore,
    /// The link ends: the survivor may be matched with another record, and is never created again on the
    /// other side.
    Unlink,
    /// Cascade: the counterpart is deleted too, unless it was edited since; then the pair is held.
    Delete,
    /// The deleted record is created again from the survivor.
    Recreate,
}

/// Mapping of a field of the left side to a field of the right side, with its policies.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct FieldMapping {
    /// Its number within the mapping, by which pairs store its values; never reused for other fields.
    pub slot: Slot,
    /// The names of the fields, left and right.
    pub names: Sides<String>,
    /// The kinds of the fields.
    pub kinds: Sides<Kind>,
    /// Which way values may flow.
    pub direction: Direction,
    /// By target side: a record is not created without it, and a blank is never sent for it.
    pub required: Sides<bool>,
    /// Whether each side can be written at all.
    pub writable: Sides<bool>,
    /// By side, what is special about writing it there.
    #[serde(default, skip_serializing_if = "without_terms")]
    pub terms: Sides<FieldTerms>,
    /// The value is a set, merged element by element.
    pub set_like: bool,
    /// The side that wins, whatever changed.
    pub trust: Option<Side>,
    /// What happens when the judge cannot decide.
    pub unresolved: Unresolved,
    /// Whether a blank may replace a value.
    pub blanks: Blanks,
    /// When the target may be written.
    pub write: WriteRule,
    /// For a one-way field: what happens to an edit of the target.
    pub drift: Drift,
    /// Value map for pick-lists: left value and right value.
    pub values: Vec<(Value, Value)>,
    /// Constant source of a one-way field: the target always gets this value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constant: Option<Value>,
    /// By side, the value that a new record gets where the other side has none. It never counts as a change.
    #[serde(default)]
    pub default: Sides<Option<Value>>,
}

/// A predicate on a field of a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// The field.
    pub field: String,
    /// The test on its value.
    #[serde(flatten)]
    pub test: Test,
}

/// A test on the value of a field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Test {
    /// Equal to this value.
    Is(Value),
    /// Not equal to this value.
    Not(Value),
    /// The list contains this element, or the text this substring.
    Contains(String),
    /// Blank (`true`) or not blank (`false`).
    Blank(bool),
}

impl SyncDefinition {
    /// The mapping with this number.
    pub fn mapping(&self, id: MappingId) -> Option<&ObjectMapping> {
        self.mappings.iter().find(|mapping| mapping.id == id)
    }
}

impl ObjectMapping {
    /// The name of the object on a side.
    pub fn object(&self, side: Side) -> &str {
        &self.objects[side]
    }

    /// The field with this slot.
    pub fn field(&self, slot: Slot) -> Option<&FieldMapping> {
        self.fields.iter().find(|field| field.slot == slot)
    }
}

impl FieldMapping {
    /// Whether many records have the same value: one of a pick-list, a translated one, or a constant.
    pub(super) fn has_common_values(&self) -> bool {
        !self.values.is_empty()
            || self.constant.is_some()
            || self.kinds.iter().any(|kind| *kind == Kind::Choice)
    }

    /// The name of the field on a side.
    pub fn name(&self, side: Side) -> &str {
        &self.names[side]
    }

    /// The rules in the form that the judge takes. `precision` is the coarser resolution of the two sides'
    /// change times, in microseconds; `one_blank`: a side cannot tell null from empty.
    pub fn rules(&self, precision: u64, one_blank: bool) -> FieldRules<'_> {
        FieldRules {
            kinds: &self.kinds,
            direction: self.direction,
            required: self.required,
            writable: self.writable,
            terms: &self.terms,
            set_like: self.set_like,
            trust: self.trust,
            unresolved: self.unresolved,
            blanks: self.blanks,
            write: self.write,
            drift: self.drift,
            values: &self.values,
            one_blank,
            precision,
        }
    }

    /// Whether the value on a side is a constant instead of a field.
    pub fn is_constant(&self, side: Side) -> bool {
        self.constant.is_some() && self.direction.only_target() == Some(side.other())
    }

    /// The value on a side: the constant, else what `of` returns.
    pub fn value_of<'v>(&'v self, side: Side, of: impl FnOnce() -> Option<&'v Value>) -> Option<&'v Value> {
        if self.is_constant(side) { self.constant.as_ref() } else { of() }
    }

    /// Whether a side has its default, as a new record gets it, and the other side nothing.
    pub(super) fn is_filled(&self, side: Side, own: Option<&Value>, other: Option<&Value>) -> bool {
        self.default[side].is_some()
            && own == self.default[side].as_ref()
            && other.is_none_or(Value::is_blank)
    }

    /// Whether its values are references to other records.
    pub fn is_reference(&self) -> bool {
        self.kinds.iter().any(Kind::is_link)
    }
}

fn without_terms(terms: &Sides<FieldTerms>) -> bool {
    terms.iter().all(|terms| *terms == FieldTerms::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_stored_before_kinds_had_a_type_comes_back() {
        let old = r#"{"slot":3,"names":["tags","labels"],"kinds":["choices","geo point"],"direction":"both","required":[false,true],"writable":[true,true],"set_like":true,"trust":null,"unresolved":"hold","blanks":"overwrite","write":"always","drift":"keep","values":[],"default":[null,null]}"#;
        let field: FieldMapping = serde_json::from_str(old).unwrap();
        assert_eq!(field.kinds, Sides::new(Kind::Choices, Kind::Other("geo point".to_owned())));
        assert_eq!(serde_json::to_string(&field).unwrap(), old);
    }

    #[test]
    fn many_records_are_held_and_from_two_on_more_than_half() {
        let (usual, half) = (Brake::default(), Brake { percent: 50, records: 1 });
        let table = [
            (usual, 11, 219, Some(usual)),
            (usual, 11, 220, None),
            (usual, 10, 20, None),
            (usual, 10, 19, Some(half)),
            (usual, 3, 3, Some(half)),
            (usual, 2, 3, Some(half)),
            (usual, 2, 4, None),
            (usual, 1, 1, None),
            (usual, 0, 0, None),
            (Brake { percent: 80, records: 10 }, 4, 5, None),
            (Brake { percent: 80, records: 10 }, 5, 5, Some(Brake { percent: 80, records: 1 })),
            (Brake { percent: 100, records: 0 }, 5, 5, None),
            (Brake { percent: 0, records: 0 }, 1, 1, Some(Brake { percent: 0, records: 0 })),
        ];
        for (brake, records, of, expected) in table {
            assert_eq!(brake.stops(records, of), expected, "{brake:?}: {records} of {of}");
        }
    }
}
