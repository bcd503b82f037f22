//! The SQLite database of a tenant: the hub (the built-in record store, an [`Exchange`]), the engine's ledger
//! (pairs, plans, runs, leases), the rows of the configuration, and the store under them (migrations, units
//! of work).
//!
//! An order to the hub, its outcome and the pair commit in one transaction. No other crate writes SQL.
//!
//! [`Exchange`]: entente_sync::Exchange

mod hub;
mod ledger;
mod store;
mod stored;

pub use hub::{
    BadCell, CsvError, DateOrder, Definer, Empty, ExportOptions, Exported, FieldDefinition, Hub, HubError,
    ImportKey, ImportOptions, ImportReport, List, ListQuery, MOST_CHOICES, MOST_FIELDS, MOST_FIELDS_OF_ALL,
    MOST_OBJECTS, ObjectDefinition, Origin, ParseError, ParseOptions, RecordField, RecordView, Refusal,
    UnusedColumn, export_csv, import_csv, parse_value,
};
pub use ledger::{SqliteLedger, ensure_mapping, ensure_slots};
pub use store::{Session, Store, StoreError, StoreFailure, StoreUnit};
pub use stored::{
    CustomDefinitionRow, HealthRow, IntegrationRow, PluginRow, PreviousVersionRow, RelationRow, SecretRow,
    SyncRow,
};
