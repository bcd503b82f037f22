//! The engine: collect, reconcile, execute. It knows the traits [`Exchange`] and [`Ledger`] only, neither
//! SQLite nor wasm.
//!
//! [`Engine::run`] is the only way a sync runs. A first sync, a window, some ids, one direction are
//! [`RunOptions`] of the same path.

mod apply;
mod collect;
mod convert;
mod decide;
mod definition;
mod deletions;
mod drift;
mod duplicates;
mod engine;
mod env;
mod error;
mod exchange;
mod execute;
mod filter;
mod identity;
mod intake;
mod ledger;
mod limits;
mod links;
mod local;
mod meet;
mod observer;
mod outcome;
mod pair;
mod reconcile;
mod recover;
mod run;
mod session;
mod split;
mod undo;

pub use definition::*;
pub use engine::{Engine, RunEnd};
pub use env::{Clock, Randomness, SystemClock, SystemRandomness};
pub use error::SyncError;
pub use exchange::*;
pub use ledger::*;
pub use observer::{Observer, Silent, Step};
pub use pair::*;
pub use run::*;
