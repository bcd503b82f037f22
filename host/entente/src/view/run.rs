//! Runs: what one was asked, what it counted and what it wrote.

use super::change::{ChangeQuery, ChangeTotal, ChangeView};
use super::page::{Cursor, Page, PageRequest};
use super::reason::{CountedView, Names};
use super::waiting::WaitingView;
use crate::config::HUB;
use crate::tenant::{LoggedLine, Tenant, TenantError};
use entente_core::{Foreign, Side, Sides, Timestamp};
use entente_sync::{
    ChangeFilter, ChangeStatus, Counts, Message, ReasonCounts, Remedy, Run, RunId, RunKind, RunOptions,
    RunStatus,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// The exchanges of a sync by their sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exchanges {
    /// The left one.
    pub left: String,
    /// The right one.
    pub right: String,
}

impl From<Sides<String>> for Exchanges {
    fn from(Sides { left, right }: Sides<String>) -> Self {
        Self { left, right }
    }
}

/// What a run counted for an object of an exchange.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CountsView {
    /// The numbers.
    #[serde(flatten)]
    pub counts: Counts,
    /// Why records were held, failed, withheld or left in conflict.
    pub reasons: Vec<CountedView>,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunView {
    /// Its number.
    pub run: RunId,
    /// Its sync; empty for an import and its undo.
    pub sync: String,
    /// `running`, `done`, `failed` or `interrupted`.
    pub status: RunStatus,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What can be done about that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<Remedy>,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// What it was asked.
    pub options: RunOptions,
    /// The exchanges; of an import and its undo the left one is the hub, and the right one empty.
    pub exchanges: Exchanges,
    /// Records that it wrote, on both sides: what `counts` has as created, updated and removed.
    pub written: u64,
    /// Records that it held or failed, and fields that it left in conflict, on both sides.
    pub problems: u64,
    /// What it has to say besides its counts.
    pub notices: Vec<Message>,
    /// What it counted: by exchange, then by object.
    pub counts: BTreeMap<String, BTreeMap<String, CountsView>>,
    /// The reasons of all counts together, a line for each code.
    pub reasons: Vec<CountedView>,
}

/// A run with what it did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunDetail {
    /// The run.
    #[serde(flatten)]
    pub run: RunView,
    /// What waits in its sync once it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<WaitingView>,
    /// How many changes it has in which status; together they are the `total` of all changes.
    pub changes_by_status: BTreeMap<&'static str, u64>,
    /// How many changes do what in which exchange, and how they stand: of all, or of those that were asked for.
    pub totals: Vec<ChangeTotal>,
    /// Its changes, deletions first, the others in the order of the plan; of a run that applied or undid another one, those that it made, and of
    /// the dry run of an undo, those that it would make.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Page<ChangeView>>,
    /// For a run that applied or undid another one, or would undo it: what it left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<Page<ChangeView>>,
    /// What plugins logged while it was under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<Vec<LoggedLine>>,
}

impl RunView {
    /// The view of a run of a sync that joins these exchanges.
    pub fn of(run: &Run, exchanges: &Sides<String>) -> Self {
        let names = Names(exchanges);
        let counted = |reasons: &ReasonCounts| -> Vec<CountedView> {
            reasons.iter().map(|(code, counted)| names.counted(*code, counted)).collect()
        };
        let view = |counts: &Counts| CountsView {
            counts: Counts { reasons: ReasonCounts::new(), ..counts.clone() },
            reasons: counted(&counts.reasons),
        };
        let mut reasons = ReasonCounts::new();
        for counts in run.counts.iter().flat_map(BTreeMap::values) {
            for (code, counted) in &counts.reasons {
                reasons.entry(*code).or_default().add_all(counted);
            }
        }
        let of_side = |side: Side| {
            let objects = run.counts[side].iter();
            (
                exchanges[side].clone(),
                objects.map(|(object, counts)| (object.clone(), view(counts))).collect(),
            )
        };
        let notices = run.notices.iter();
        Self {
            run: run.id,
            sync: run.sync.clone(),
            status: run.status,
            error: run.error.as_ref().map(|error| Foreign::new(&error.text).to_string()),
            remedies: run.error.iter().flat_map(|error| error.remedies.iter().cloned()).collect(),
            started: run.started,
            ended: run.ended,
            options: run.options.clone(),
            exchanges: exchanges.clone().into(),
            written: run.writes(),
            problems: run.problems(),
            notices: notices
                .map(|notice| Message::new(names.notice(notice), notice.remedies(&run.sync, exchanges)))
                .collect(),
            counts: Side::BOTH.into_iter().filter(|side| !exchanges[*side].is_empty()).map(of_side).collect(),
            reasons: counted(&reasons),
        }
    }

    /// The counts of each object, left first.
    pub fn objects(&self) -> impl Iterator<Item = (&str, &str, &CountsView)> {
        [&self.exchanges.left, &self.exchanges.right].into_iter().flat_map(|exchange| {
            let objects = self.counts.get(exchange).into_iter().flatten();
            objects.map(|(object, counts)| (exchange.as_str(), object.as_str(), counts))
        })
    }

    /// Writes that were decided and not made, on both sides.
    pub fn pending(&self) -> u64 {
        self.objects().map(|(.., view)| view.counts.pending).sum()
    }
}

/// The status of the changes that a run shows as its own: of one that follows from an earlier run, those that it made,
/// or, of a dry run, would make; `None`: all.
pub const fn made(options: &RunOptions) -> Option<ChangeStatus> {
    match options.kind {
        RunKind::Apply { .. } | RunKind::Undo { .. } => Some(ChangeStatus::Done),
        RunKind::PlanUndo { .. } => Some(ChangeStatus::Rehearsed),
        RunKind::Sync { .. } | RunKind::Plan { .. } | RunKind::Import(_) => None,
    }
}

/// The exchanges that a run joined, as far as its sync still tells.
pub(super) async fn exchanges_of(tenant: &Tenant, run: &Run) -> Sides<String> {
    if run.relation.is_empty() {
        return Sides::new(HUB.to_owned(), String::new());
    }
    match tenant.configuration().definition(&run.sync).await {
        Ok(definition) => definition.exchanges,
        Err(_) => Sides::new("left".to_owned(), "right".to_owned()),
    }
}

impl Tenant {
    /// Runs, newest first, of one sync or of all.
    ///
    /// # Errors
    /// Where there is no such sync, or the database fails.
    pub async fn list_runs(
        &self,
        sync: Option<&str>,
        request: PageRequest,
    ) -> Result<Page<RunView>, TenantError> {
        if let Some(sync) = sync {
            self.configuration().definition(sync).await?;
        }
        let before = request.after.map(Cursor::number);
        let runs = self.ledger().runs(sync, before, request.to_read()).await?;
        let total = self.ledger().count_runs(sync).await?;
        let mut page = Page::of(runs, request, |run| run.id, Some(total));
        let mut views = Vec::with_capacity(page.rows.len());
        for run in std::mem::take(&mut page.rows) {
            views.push(self.view_run(run).await?);
        }
        Ok(page.with_rows(views))
    }

    /// A run with the changes of a page, and what plugins logged.
    ///
    /// # Errors
    /// [`RerunError::NoRun`](crate::RerunError::NoRun), or where the database or the log cannot be read.
    pub async fn show_run(
        &self,
        run: RunId,
        query: &ChangeQuery,
        request: PageRequest,
    ) -> Result<RunDetail, TenantError> {
        let run = self.find_run(run).await?;
        let exchanges = exchanges_of(self, &run).await;
        let log = match run.relation.is_empty() {
            true => Vec::new(),
            false => self.logged(&run, &exchanges).await?,
        };
        let changes = self.list_changes(&run, query, request).await?;
        Ok(RunDetail { log: Some(log), changes: Some(changes), ..self.run_detail(&run, query).await? })
    }

    /// A run that has just ended, with what waits in its sync, of each kind the first `waiting`. With `changes` also
    /// its changes; of a run that applied or undid another one, what it made and what it left out.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn show_ended(
        &self,
        run: &Run,
        waiting: usize,
        query: &ChangeQuery,
        changes: Option<PageRequest>,
    ) -> Result<RunDetail, TenantError> {
        let again = run.options.applies().or(run.options.undoes()).is_some();
        let query = ChangeQuery { status: made(&run.options), ..query.clone() };
        let mut detail = self.run_detail(run, &query).await?;
        detail.waiting = Some(self.show_waiting(&run.sync, waiting).await?);
        if let Some(request) = changes {
            detail.changes = Some(self.list_changes(run, &query, request).await?);
            if again {
                detail.left_out = Some(self.list_left_out(run, request).await?);
            }
        }
        Ok(detail)
    }

    async fn run_detail(&self, run: &Run, query: &ChangeQuery) -> Result<RunDetail, TenantError> {
        let mut by_status: BTreeMap<&'static str, u64> = BTreeMap::new();
        for count in self.ledger().count_changes(run.id, &ChangeFilter::default()).await? {
            *by_status.entry(count.status.word()).or_default() += count.changes;
        }
        if run.options.imports().is_some() {
            for total in self.total_imported(run, &ChangeQuery::default()).await? {
                *by_status.entry(total.status).or_default() += total.changes;
            }
        }
        Ok(RunDetail {
            run: RunView::of(run, &exchanges_of(self, run).await),
            waiting: None,
            changes_by_status: by_status,
            totals: self.total_changes(run, query).await?,
            changes: None,
            left_out: None,
            log: None,
        })
    }

    async fn view_run(&self, run: Run) -> Result<RunView, TenantError> {
        let run = self.as_it_stands(run).await?;
        Ok(RunView::of(&run, &exchanges_of(self, &run).await))
    }
}
