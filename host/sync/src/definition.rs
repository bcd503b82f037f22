//! What a sync is: two exchanges, which objects and fields correspond, and the policies.

use super::number::{MappingId, Slot};
pub use entente_core::{Blanks, Direction, Drift, Unresolved, WriteRule};

use entente_core::{FieldRules, Kind, Side, Sides, Value};
use serde::{Deserialize, Serialize};

/// A sync as the operator has defined it, checked against what both sides describe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SyncDefinition {
    /// Its name.
    pub name: String,
    /// The set of pairs that it works on. Syncs that share one share its lease.
    pub relation: String,
    /// The names of the exchanges, left and right.
    pub exchanges: Sides<String>,
    /// Which objects correspond.
    pub mappings: Vec<ObjectMapping>,
    /// Grows when mapping, identifiers or filters change: listings then start again.
    pub version: u32,
    /// How many deletions and blankings a run may make before it asks.
    #[serde(default)]
    pub brake: Brake,
}

/// What stops a run that would delete or blank too much at once. Both numbers must be passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brake {
    /// Percent of the linked records of an object.
    pub percent: u8,
    /// Records.
    pub records: u64,
}

impl Default for Brake {
    /// Ten records are looked through in a minute; one record in twenty is more than a day's work deletes.
    fn default() -> Self {
        Self { percent: 5, records: 10 }
    }
}

impl Brake {
    /// Whether so many records of so many are too many.
    pub const fn stops(self, records: u64, of: u64) -> bool {
        records > self.records && records.saturating_mul(100) > of.saturating_mul(self.percent as u64)
    }
}

/// What of a plan the brake holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Braked {
    /// Deletions.
    Deletes,
    /// Updates that replace a value by a blank.
    Blankings,
}

/// Two objects that correspond.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ObjectMapping {
    /// Its number.
    pub id: MappingId,
    /// The names of the objects, left and right.
    pub objects: Sides<String>,
    /// Which fields correspond.
    pub fields: Vec<FieldMapping>,
    /// Slots of the fields that tell that two records are the same, the best one first.
    pub identifiers: Vec<Slot>,
    /// All identifiers must agree, or any.
    pub identify_by: IdentifyBy,
    /// Whether records may be created, left and right.
    pub create: Sides<bool>,
    /// Which records take part, left and right.
    pub filters: Sides<Vec<Condition>>,
    /// What happens to the counterpart of a deleted record.
    pub deletes: DeletePolicy,
    /// Of several records of a side that fit, which one is linked: the rules in their order, left and right.
    /// Without any, the first that was reported.
    #[serde(default)]
    pub prefer: Sides<Vec<Prefer>>,
}

/// A rule that chooses among several records that fit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prefer {
    /// Those that meet the condition; of several, the one with the lowest id.
    Where(Condition),
    /// The one with the lowest id.
    LowestId,
}

/// Whether one identifier is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdentifyBy {
    /// Every identifier must be set and equal.
    All,
    /// One that is equal is enough; the best one counts first.
    #[default]
    Any,
}

/// What happens to the counterpart of a deleted record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeletePolicy {
    /// Survivor and tombstone stay.
    #[default]
    Ignore,
    /// The survivor is free to be linked to another record; it is never made again on the other side.
    Unlink,
    /// It is deleted too, unless it was edited since: then it is held.
    Delete,
    /// The deleted record is made again from it.
    Recreate,
}

/// Two fields that correspond, and how they are kept in agreement.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct FieldMapping {
    /// Its place in the pairs of the mapping; never given to another pair of fields.
    pub slot: Slot,
    /// The names of the fields, left and right.
    pub names: Sides<String>,
    /// The kinds of the fields.
    pub kinds: Sides<Kind>,
    /// Which way values may flow.
    pub direction: Direction,
    /// Goes with every change, and a record is not created without it. Per target side.
    pub required: Sides<bool>,
    /// Whether each side can be written at all.
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
    /// For a one-way field: what to do when the target was edited.
    pub drift: Drift,
    /// Values that correspond, left and right, for pick-lists.
    pub values: Vec<(Value, Value)>,
    /// Stands in for a field of the source of a one-way field: the target always gets this value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constant: Option<Value>,
    /// What a new record gets on a side where the other one has nothing. It never counts as a change.
    #[serde(default)]
    pub default: Sides<Option<Value>>,
}

/// A condition on a field of a record; all conditions of a filter must hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// The field.
    pub field: String,
    /// What must be true of it.
    #[serde(flatten)]
    pub test: Test,
}

/// What must be true of a field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Test {
    /// It has this value.
    Is(Value),
    /// It has another value.
    Not(Value),
    /// The list has this element, or the text this part.
    Contains(String),
    /// It is blank, or it is not.
    Blank(bool),
}

impl SyncDefinition {
    /// The mapping of this number.
    pub fn mapping(&self, id: MappingId) -> Option<&ObjectMapping> {
        self.mappings.iter().find(|mapping| mapping.id == id)
    }
}

impl ObjectMapping {
    /// The object of a side.
    pub fn object(&self, side: Side) -> &str {
        &self.objects[side]
    }

    /// The field of this slot.
    pub fn field(&self, slot: Slot) -> Option<&FieldMapping> {
        self.fields.iter().find(|field| field.slot == slot)
    }
}

impl FieldMapping {
    /// The name of the field on a side.
    pub fn name(&self, side: Side) -> &str {
        &self.names[side]
    }

    /// The rules as the judge takes them. `precision` is the coarser step of the two sides' change times.
    pub fn rules(&self, precision: u64, one_blank: bool) -> FieldRules<'_> {
        FieldRules {
            kinds: &self.kinds,
            direction: self.direction,
            required: self.required,
            writable: self.writable,
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

    /// Whether a side has no field for it, but always the same value.
    pub fn is_constant(&self, side: Side) -> bool {
        self.constant.is_some() && self.direction.only_target() == Some(side.other())
    }

    /// The value on a side, which `of` has for the slot unless it is a constant.
    pub fn value_of<'v>(&'v self, side: Side, of: impl FnOnce() -> Option<&'v Value>) -> Option<&'v Value> {
        if self.is_constant(side) { self.constant.as_ref() } else { of() }
    }

    /// Whether its values are links to other records.
    pub fn is_reference(&self) -> bool {
        self.kinds.iter().any(Kind::is_link)
    }
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
}
