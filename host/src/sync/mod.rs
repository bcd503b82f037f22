//! The engine: collect, reconcile, execute. It knows the traits [`Exchange`] and [`Ledger`] only, neither SQLite nor wasm.

mod definition;
mod env;
mod exchange;
mod ledger;
mod pair;
mod run;

pub use definition::*;
pub use env::{Clock, Randomness, SystemClock, SystemRandomness};
pub use exchange::*;
pub use ledger::*;
pub use pair::*;
pub use run::*;
