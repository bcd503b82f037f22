//! Engine of bidirectional syncs by state-based three-way merge: collect, reconcile, execute, recover, undo.
//! It works over the traits [`Exchange`] and [`Ledger`] and knows neither SQLite nor WebAssembly.
//!
//! [`Engine::run`] is the only entry point. A first sync, a window, single records or one direction are
//! [`RunOptions`] of the same code path. The files are layered (data, traits, pure functions, run), which
//! `tests/structure.rs` checks.

mod answer;
mod apply;
mod budget;
mod change;
mod collect;
mod convert;
mod counterparts;
mod decide;
mod definition;
mod deletions;
mod deliver;
mod description;
mod difference;
mod duplicates;
mod echo;
mod engine;
mod env;
mod error;
mod exchange;
mod execute;
mod failure;
mod feature;
mod filter;
mod grouped;
mod identity;
mod intake;
mod json;
mod ledger;
mod limits;
mod links;
mod local;
mod lookup;
mod notice;
mod number;
mod observer;
mod open;
mod operator;
mod options;
mod order;
mod outcome;
mod outgoing;
mod pair;
mod parents;
mod phases;
mod plan;
mod progress;
mod reason;
mod reason_counts;
mod reconcile;
mod recover;
mod refused_fields;
mod rehearsal;
mod remedy;
mod report;
mod reported;
mod run;
mod schema_drift;
mod session;
mod settle;
mod split;
mod strangers;
mod subject;
mod trust;
mod undo;
mod unfit;
mod unlink;
mod unmade;
mod untangle;
mod wait;
mod working;

pub use budget::{Allowance, RunBudget};
pub use change::{Change, ChangeStatus, ChangedField, Choice, Conflict, Ruling, Weight};
pub use definition::{
    Blanks, Brake, Braked, Condition, DeletePolicy, Direction, Drift, FieldMapping, FieldTerms, IdentifyBy,
    ObjectMapping, Prefer, SyncDefinition, Test, Unresolved, WriteRule,
};
pub use description::{
    Account, ChangeTimes, Description, Field, Object, ProposedDirection, ProposedField, ProposedMapping,
};
pub use difference::{Difference, Kept};
pub use engine::{Engine, RunEnd};
pub use entente_core::{Side, Sides};
pub use env::{Clock, Randomness, SystemClock, SystemRandomness};
pub use error::{Awaited, SyncError};
pub use exchange::{Exchange, ExchangeError, LocalExchange, Query, codes};
pub use feature::Feature;
pub use ledger::{Lease, Ledger, LedgerError, Requeue, TodoFilter, Unit};
pub use notice::{Notice, Oddity};
pub use number::{MappingId, PairId, RunId, Slot};
pub use observer::{Observer, Silent, Step};
pub use operator::{
    ChangeCount, ChangeFilter, ConflictCount, ConflictFilter, Counterpart, MappingRow, NotLinked,
    OpenConflict, OperatorLedger, PairCount, PairLine, SlotRow,
};
pub use options::{Imported, Reading, RunKind, RunOptions, Scope, Span, StandingTrust, Trust};
pub use order::{
    Action, Answer, Collection, Deed, Executed, Order, OrderedChange, Outcome, RefusedField, TicketState,
    Written,
};
pub use pair::{Agreed, Half, MatchKey, Pair, Seen, Status};
pub use progress::{Asked, OpenReport, Position, Progress};
pub use reason::{Code, FieldReason, Reason};
pub use reason_counts::{Counted, ReasonCounts};
pub use remedy::{Message, Remedy};
pub use report::{
    BadRow, Batch, Conversion, Deletion, FieldTime, Finished, Page, ReportRequest, Row, StateWrites, Wanted,
    Window,
};
pub use run::{Counts, Run, RunStatus};
pub use subject::{InvalidAnswer, RecordRef, RemoteSaid};
pub use tokio_util::sync::CancellationToken;
pub use unlink::{forget_deleted, leave_out, release_survivor, take_in, unlink, unsettle_references};
