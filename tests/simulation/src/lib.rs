//! Deterministic simulation of the engine: simulated remote systems with faults, users who edit on all sides,
//! a crash possible after every effect. A seed determines everything, so that every failure can be
//! reproduced.
//!
//! [`run_history`] runs the history of one seed and returns the violated invariants. `character.rs` defines
//! what a history may contain, `check/` what is verified at its end.

mod book;
mod character;
mod check;
mod clock;
mod crash;
mod dice;
mod gate;
mod history;
mod operation;
mod operator;
mod remote;
mod rerun;
mod rules;
mod runs;
mod schema;
mod shrink;
mod system;
mod tally;
mod tape;
mod users;
mod verdict;
mod world;

pub use character::{Character, Faults, Manners, Shape, Ties};
pub use crash::{Scenario, Story, count_effects, crash_after};
pub use history::{Settings, run_history};
pub use rules::{Rules, ValueMap};
pub use shrink::shrink;
pub use tally::{Exception, Group, NOT_DRAWN, Tally};
pub use verdict::{Verdict, Violation, Word};
