//! Performance of Entente: every figure beside a comparison that is measured in the same run on the same
//! machine.
//! The program `speed` measures the rows in [`rows`] and prints a table; `benches/` has the small ones for
//! criterion, and the script `instructions` counts the instructions of [`workload`].

mod bare;
mod bench;
mod child;
mod contacts;
mod count;
mod guests;
mod line;
mod naive;
mod native;
mod page;
mod quantity;
pub mod rows;
mod table;
mod took;
pub mod workload;
mod world;

pub use bench::{Bench, Options};
pub use count::{contents_of_judging, verdicts};
pub use guests::{hello_world, made_up};
pub use line::{Holds, Line};
pub use page::{PageCall, runtime};
pub use quantity::Quantity;
pub use table::{as_json, as_table};
pub use took::{Took, median};
pub use world::{Guest, World};
