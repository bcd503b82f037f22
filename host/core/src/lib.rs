//! The pure core of Entente: record values, and the judge that decides which side's value of a field wins.
//!
//! No I/O, no clock, no randomness, no wasm: everything here is a function of its arguments. Programs that
//! embed Entente see these types through the crates above; [`settle`] and [`judge`] can also be used alone.

mod foreign;
mod judge;
mod record;
mod words;

pub use foreign::{Foreign, acts_on_a_terminal};
pub use judge::{
    Basis, Blanks, Claim, Current, Decision, Direction, Drift, Evidence, FieldRules, FieldTerms, Halves,
    Member, Mode, OneFact, Settled, Side, Sides, Unresolved, Verdict, Why, Winner, Write, WriteRule,
    canonical, elements, judge, judge_line, same_content, settle, settle_group, settle_new,
};
pub use record::{
    Carrier, Comparison, Compatibility, FieldTime, KEY_SEPARATOR, Kind, Reference, Timestamp, TimestampError,
    Value, ValueError, bounded_key, canonical_identifier, is_unfit_for_key, query_words, search_words,
};
