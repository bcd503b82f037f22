//! Imports: what one has done or would do, and what its undo does and leaves.

use super::change::{ChangeQuery, ChangeTotal, ChangeView, ChangedFieldView, action_word};
use super::page::{Page, PageRequest};
use super::reason::ReasonView;
use super::title::title;
use crate::config::HUB;
use crate::tenant::{RecordName, Tenant, TenantError};
use entente_core::Foreign;
use entente_sqlite::{FieldChange, ImportFilter, ImportReport, Left, Origin, RecordChange, UndoneImport};
use entente_sync::{ChangeStatus, Deed, Run, RunId};
use serde::Serialize;

/// An import, or a dry run of one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImportView {
    /// What it counted, and what it has to say.
    #[serde(flatten)]
    pub report: ImportReport,
    /// Of a dry run, what would be done to the first records. A row that repeats a record of an earlier batch of rows is not among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Vec<ChangeView>>,
}

impl ImportView {
    /// The view of a report.
    pub fn of(mut report: ImportReport) -> Self {
        let changes = std::mem::take(&mut report.changes);
        let view = |change| ChangeView::of_import(change, ChangeStatus::Planned, imported);
        let changes = report.run.is_none().then(|| changes.into_iter().map(view).collect());
        Self { report, changes }
    }
}

/// The undo of an import, or a dry run of one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UndoneImportView {
    /// Its own run; a dry run has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The run of the import.
    pub undoes: RunId,
    /// How many records of the hub were deleted, or would be.
    pub deleted: u64,
    /// How many got former values back.
    pub put_back: u64,
    /// How many that the import had made were deleted before.
    pub gone: u64,
    /// How many were left as they are, or some fields of them.
    pub left: u64,
    /// The records that were deleted or changed, deletions first.
    pub changes: Page<ChangeView>,
    /// Those that were left, each with its reason.
    pub left_out: Page<ChangeView>,
}

impl UndoneImportView {
    /// The view of an undo of the import that had this run.
    pub(crate) fn of(undone: UndoneImport, undoes: RunId) -> Self {
        let UndoneImport { run, deleted, put_back, gone, left, changes, left_out } = undone;
        let status = if run.is_some() { ChangeStatus::Done } else { ChangeStatus::Planned };
        let done = changes.into_iter().map(|change| ChangeView::of_import(change, status, put_back_reason));
        let left_out = left_out
            .into_iter()
            .map(|change| ChangeView::of_import(change, ChangeStatus::Withheld, imported));
        let page = |rows: Vec<ChangeView>, total| Page { rows, next: None, total: Some(total) };
        Self {
            run,
            undoes,
            deleted,
            put_back,
            gone,
            left,
            changes: page(done.collect(), deleted + put_back),
            left_out: page(left_out.collect(), left),
        }
    }
}

fn imported(_: Deed) -> ReasonView {
    ReasonView { code: "imported", reason: "the file has this value".to_owned() }
}

fn put_back_reason(deed: Deed) -> ReasonView {
    match deed {
        Deed::Delete => ReasonView {
            code: "made-by-import",
            reason: "the import made it, and nobody has changed it since".to_owned(),
        },
        Deed::Create | Deed::Update => {
            ReasonView { code: "before-import", reason: "as before the import".to_owned() }
        }
    }
}

/// By whom: «by hand», «by HelloWorld, run 5», «by the import of more.csv, run 6».
pub fn by_whom(origin: &Origin) -> String {
    match origin {
        Origin::Operator => "by hand".to_owned(),
        Origin::Import { run: Some(run), file: Some(file) } => {
            format!("by the import of {}, run {run}", file.cut(80))
        }
        Origin::Import { run: Some(run), file: None } => format!("by an import, run {run}"),
        Origin::Import { run: None, .. } => "by an import".to_owned(),
        Origin::Sync { name, run } if *run > 0 => format!("by {name}, run {run}"),
        Origin::Sync { name, .. } => format!("by {name}"),
    }
}

fn left_reason(left: &Left) -> ReasonView {
    let (code, reason) = match left {
        Left::Edited { by, at } => ("edited-since", format!("changed since {} ({at})", by_whom(by))),
        // Imports delete nothing, but their undo does.
        Left::Deleted { by: Origin::Import { .. }, at } => {
            ("deleted-since", format!("deleted by an undo of the import ({at})"))
        }
        Left::Deleted { by, at } => ("deleted-since", format!("deleted since {} ({at})", by_whom(by))),
        Left::Restored { by } => ("restored-since", format!("deleted and restored since {}", by_whom(by))),
        Left::Referred { object, id } => ("referred-to", format!("{object}:{id} refers to it and stays")),
        Left::Refused { reason } => {
            ("refused", format!("the hub does not take its former value any more: {reason}"))
        }
    };
    ReasonView { code, reason }
}

impl ChangeView {
    /// A change of an import, or of its undo. `why`: why each field of it is written.
    fn of_import(change: RecordChange, status: ChangeStatus, why: fn(Deed) -> ReasonView) -> Self {
        let RecordChange { object, id, deed, values, fields, left } = change;
        let field = |field: FieldChange| ChangedFieldView {
            field: field.field,
            before: field.before,
            after: field.after,
            not_linked: field.to_be_made,
            reason: field.left.as_ref().map_or_else(|| why(deed), left_reason),
        };
        Self {
            exchange: HUB.to_owned(),
            action: action_word(deed),
            record: id.map(|id| RecordName { exchange: HUB.to_owned(), object: object.clone(), id }),
            source: None,
            title: title(values.iter().map(|(name, value)| (name.as_str(), value))),
            status: status.word(),
            reason: left.as_ref().map(left_reason),
            fields: fields.into_iter().map(field).collect(),
            object,
        }
    }
}

/// What an import is called: «import of contacts.csv».
pub fn import_name(file: &Foreign) -> String {
    format!("import of {}", file.cut(80))
}

/// What of an import a query means; `None` where it can mean nothing.
fn filter(query: &ChangeQuery) -> Option<ImportFilter> {
    if query.status.is_some_and(|status| status != ChangeStatus::Done) {
        return None;
    }
    let record = match &query.record {
        Some(record) if record.exchange != HUB => return None,
        Some(record) => Some((record.object.clone(), record.id.clone())),
        None => None,
    };
    Some(ImportFilter { object: query.object.clone(), deed: query.action, record })
}

impl Tenant {
    /// What an import has changed: records that were there first, then those that it made.
    pub(super) async fn list_imported(
        &self,
        run: &Run,
        query: &ChangeQuery,
        request: PageRequest,
    ) -> Result<Page<ChangeView>, TenantError> {
        let Some(filter) = filter(query) else {
            return Ok(Page { rows: Vec::new(), next: None, total: Some(0) });
        };
        let read = self.hub().imported(run.id, &filter, request.above(), request.to_read()).await?;
        let mut page =
            Page::of(read.changes, request, |(place, _)| *place, Some(read.created + read.updated));
        let rows = std::mem::take(&mut page.rows).into_iter();
        let rows = rows.map(|(_, change)| ChangeView::of_import(change, ChangeStatus::Done, imported));
        Ok(page.with_rows(rows.collect()))
    }

    /// How many records an import has made and changed.
    pub(super) async fn total_imported(
        &self,
        run: &Run,
        query: &ChangeQuery,
    ) -> Result<Vec<ChangeTotal>, TenantError> {
        let Some(filter) = filter(query) else { return Ok(Vec::new()) };
        let counted = self.hub().imported(run.id, &filter, 0, 0).await?;
        let total = |(deed, changes): (Deed, u64)| ChangeTotal {
            exchange: HUB.to_owned(),
            action: action_word(deed),
            status: ChangeStatus::Done.word(),
            changes,
        };
        let totals = [(Deed::Create, counted.created), (Deed::Update, counted.updated)];
        Ok(totals.into_iter().filter(|(_, changes)| *changes > 0).map(total).collect())
    }
}
