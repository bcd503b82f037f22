//! The SQLite database of a tenant: the hub (the built-in record store, an [`Exchange`]), the engine's ledger
//! (pairs, plans, runs, leases), the rows of the configuration, and the store under them (migrations, units
//! of work).
//!
//! An order to the hub, its outcome and the pair commit in one transaction. No other crate writes SQL.
//!
//! [`Exchange`]: entente_sync::Exchange

mod erase;
mod hub;
mod ledger;
mod store;
mod stored;

pub use erase::{ERASED, EraseError, Erased, Erasure, Mentions, PairPlace, erase, pair_places};
pub use hub::{
    BadCell, BadCells, BadCode, CardVersion, CellError, CsvError, DateOrder, Definer, Empty, ExportOptions,
    Exported, FieldChange, FieldDefinition, Hub, HubError, ImportFilter, ImportKey, ImportNote,
    ImportOptions, ImportReport, ImportedPage, Left, LeftOut, LikelyColumn, List, ListQuery, MOST_CHOICES,
    MOST_FIELDS, MOST_FIELDS_OF_ALL, MOST_OBJECTS, Merge, ObjectDefinition, Only, Origin, ParseError,
    ParseOptions, REFUSED_COLUMN, RecordChange, RecordField, RecordView, Refusal, RefusalCount, Taken,
    UndoImportError, UndoneImport, UnreadOfCards, UnusedColumn, Weighing, export_cards, export_csv,
    import_csv, import_with_refused, parse_value,
};
pub use ledger::{SqliteLedger, ensure_mapping, ensure_slots};
pub use store::{Holder, Session, Store, StoreError, StoreFailure, StoreUnit};
pub use stored::{
    CustomDefinitionRow, DescriptionRow, HealthRow, IntegrationRow, PluginRow, PreviousVersionRow,
    RelationRow, SecretRow, SyncRow,
};
