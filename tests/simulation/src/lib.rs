//! The engine in a world where everything goes wrong: simulated remote systems, people who edit on all sides,
//! crashes after every effect. Nothing but a seed decides what happens, so that whatever went wrong can be
//! seen again.
//!
//! [`run_history`] lives through the history of one seed and says which rules were broken. What a history may
//! be like is in `character.rs`, and what is checked at its end in `check/`.

mod book;
mod character;
mod check;
mod clock;
mod crash;
mod dice;
mod gate;
mod history;
mod remote;
mod schema;
mod system;
mod tape;
mod users;
mod verdict;
mod world;

pub use character::{Character, Faults, Feature, KNOWN, Manners, Shape};
pub use crash::{Scenario, Story, count_effects, crash_after};
pub use history::{Settings, run_history};
pub use verdict::{Verdict, Violation, Word};
