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
mod feature;
mod filter;
mod identity;
mod intake;
mod ledger;
mod limits;
mod links;
mod local;
mod meet;
mod observer;
mod operator;
mod options;
mod outcome;
mod pair;
mod reason;
mod reconcile;
mod recover;
mod remedy;
mod run;
mod session;
mod split;
mod undo;

pub use definition::{
    Blanks, Brake, Condition, DeletePolicy, Direction, Drift, FieldMapping, IdentifyBy, MappingId,
    ObjectMapping, Prefer, SyncDefinition, Test, Unresolved, WriteRule,
};
pub use engine::{Engine, RunEnd};
pub use entente_core::{Side, Sides};
pub use env::{Clock, Randomness, SystemClock, SystemRandomness};
pub use error::SyncError;
pub use exchange::{
    Action, Answer, BadRow, Batch, ChangeTimes, Collection, Conversion, Deletion, Description, Exchange,
    ExchangeError, Executed, Field, FieldTime, LocalExchange, Object, Order, OrderedChange, Outcome, Page,
    ProposedDirection, ProposedField, ProposedMapping, Query, ReportRequest, Row, StateWrites, TicketState,
    Wanted, Window, Written, codes,
};
pub use feature::Feature;
pub use ledger::{
    Braked, Change, ChangeStatus, ChangedField, Choice, Conflict, Lease, Ledger, LedgerError, Listing,
    OpenReport, Progress, Requeue, Ruling, TodoFilter, Unit, Weight,
};
pub use observer::{Observer, Silent, Step};
pub use operator::{
    ChangeFilter, ConflictCount, ConflictFilter, MappingRow, OpenConflict, OperatorLedger, PairCount,
    PairLine, SlotRow,
};
pub use options::{Reading, RunKind, RunOptions, Scope, Span, Trust};
pub use pair::{Agreed, Half, Key, Pair, PairId, RunId, Seen, Status};
pub use reason::{
    Code, Counted, Deed, Difference, FieldReason, InvalidAnswer, Kept, Notice, Reason, ReasonCounts,
    RecordRef, RemoteSaid,
};
pub use remedy::{Message, Remedy};
pub use run::{Counts, Run, RunStatus};
