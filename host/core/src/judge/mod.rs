//! The judge: which side's value of a field wins, and why. Pure and total: no I/O, no clock, no wasm.
//!
//! [`judge`] compares the evidence of two claims. [`settle`] applies it among the rules of a field: equality,
//! trust, direction, what changed since the sides last agreed, and the policies for blanks, writing and
//! required values.

mod canonical;
mod claim;
mod group;
mod line;
mod policy;
mod sets;
mod settle;
mod side;

pub use canonical::{canonical, same_content};
pub use claim::{Basis, Claim, Evidence, Mode, Verdict, Winner, judge};
pub use group::{Member, OneFact, settle_group};
pub use line::judge_line;
pub use policy::{Blanks, Direction, Drift, FieldRules, FieldTerms, Unresolved, WriteRule};
pub use sets::elements;
pub use settle::{Current, Decision, Halves, Settled, Why, Write, settle, settle_new};
pub use side::{Side, Sides};
