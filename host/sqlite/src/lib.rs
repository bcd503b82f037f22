//! What a tenant keeps, in one SQLite file: the hub (the built-in record store, an [`Exchange`]) and the ledger
//! of the engine (pairs, plans, runs, leases), over a store with migrations and units of work; and the rows of
//! the configuration.
//!
//! An order to the hub, its outcome and the pair commit together, in one transaction. Nothing above this crate
//! writes SQL.
//!
//! [`Exchange`]: entente_sync::Exchange

mod hub;
mod ledger;
mod store;
mod stored;

pub use hub::{
    BadCell, CsvError, DateOrder, Empty, ExportOptions, Exported, FieldDefinition, Hub, HubError, ImportKey,
    ImportOptions, ImportReport, List, ListQuery, ObjectDefinition, Origin, ParseError, ParseOptions,
    RecordField, RecordView, Refusal, UnusedColumn, export_csv, import_csv, parse_value,
};
pub use ledger::{SqliteLedger, ensure_mapping, ensure_slots};
pub use store::{Session, Store, StoreError, StoreFailure, StoreUnit};
pub use stored::{
    CustomDefinitionRow, HealthRow, IntegrationRow, PluginRow, PreviousVersionRow, SecretRow, SyncRow,
};
