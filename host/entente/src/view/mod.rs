//! What is shown of a tenant: one shape for `--json`, for a service and for a console. Types by resource, a file
//! each, and the calls on [`Tenant`](crate::Tenant) that make them. Nothing here decides anything, and nothing reads
//! a sentence back.
//!
//! In JSON, a moment is RFC 3339 in UTC; a record is its name as commands take it ([`RecordName`]); a reason is a
//! `code` for programs beside a `reason` for people; a next step is data ([`Remedy`](entente_sync::Remedy)). Lists come by the page
//! ([`Page`]). `docs/json.md` has an example of each, which a test compares.
//!
//! [`RecordName`]: crate::RecordName

mod alarm;
mod call;
mod change;
mod conflict;
mod differing;
mod doctor;
mod error;
mod fields;
mod grant;
mod history;
mod import;
mod integration;
mod limit;
mod merge;
mod notice;
mod page;
mod plugin;
pub mod reason;
mod record;
mod remedies;
mod run;
mod status;
mod syncs;
mod tenant;
mod title;
mod waiting;

#[cfg(test)]
mod tests;

pub use alarm::{Alarm, SyncCheckView};
pub use call::CallView;
pub use change::{ChangeQuery, ChangeTotal, ChangeView, ChangedFieldView};
pub use conflict::{ClaimView, ConflictView, SettledView};
pub use differing::{DifferingField, DifferingView};
pub use doctor::CheckView;
pub use error::{ErrorCode, ErrorView};
pub use fields::{FieldsView, ObjectFieldsView};
pub use grant::{DifferenceView, GrantView, SecretPlaceView, UpgradeView};
pub use history::{DeletedByView, EditView, HistoryView, RecordHistory};
pub use import::{ImportView, UndoneImportView, by_whom, import_name};
pub use integration::{
    AddedIntegrationView, AddedSyncView, ChangedIntegrationView, IntegrationView, MappingView,
    RemovedIntegrationView,
};
pub use limit::{LimitView, UsedView};
pub use merge::{MergedField, MergedView, NotMerged};
pub use notice::NoticeView;
pub use page::{Cursor, CursorError, Page, PageRequest};
pub use plugin::{AskView, BuiltPluginView, InspectionView};
pub use reason::{CountedView, ReasonView};
pub use record::{
    CounterpartDeletionView, DeletedView, DeletionView, ExportedView, KnownFieldView, KnownRecordView,
    PairView, PutBackView, RecordDetail, UnsettledView,
};
pub use run::{CountsView, Exchanges, RunDetail, RunView, made};
pub use status::{CountedReason, ObjectStatus, StatusView, Tally};
pub use syncs::{SyncView, SyncedObjectView};
pub use tenant::{HomeView, LastRun, Overview, TenantView};
pub use waiting::{WaitingItem, WaitingRecord, WaitingView};
