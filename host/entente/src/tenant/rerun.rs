//! Runs derived from an earlier run: applying a plan, undoing a run.

use super::{Tenant, TenantError};
use entente_sync::Remedy;
use entente_sync::{
    Change, ChangeFilter, ChangeStatus, PairId, Run, RunId, RunKind, RunOptions, RunStatus, Side,
};
use std::collections::BTreeSet;

/// Changes read at a time.
const PAGE: usize = 1000;

/// Why a run cannot be applied or undone.
#[derive(Debug, thiserror::Error)]
pub enum RerunError {
    /// There is no run of this number.
    #[error("there is no run {0}")]
    NoRun(RunId),
    /// The run was not a dry run, so there is no plan to apply.
    #[error("run {0} was no dry run, so what it planned is done")]
    NotDry(RunId),
    /// The run was a dry run of an undo, whose plan is not kept.
    #[error(
        "run {run} was a dry run of the undo of run {undoes}; an undo decides by itself what to put back"
    )]
    PlansUndo {
        /// The run.
        run: RunId,
        /// The run that it would undo.
        undoes: RunId,
    },
    /// The plan is incomplete.
    #[error("run {run} {how}, so its plan is not whole")]
    NotWhole {
        /// The run.
        run: RunId,
        /// Its sync.
        sync: String,
        /// The status of the dry run.
        how: &'static str,
    },
    /// The plan was applied before.
    #[error("run {run} was applied already, by run {by}")]
    Applied {
        /// The run.
        run: RunId,
        /// Its sync.
        sync: String,
        /// The run that applied it.
        by: RunId,
    },
    /// A newer plan has replaced it.
    #[error("run {run} is not the newest dry run of {sync}; that is run {newest}")]
    Overtaken {
        /// The run.
        run: RunId,
        /// Its sync.
        sync: String,
        /// The newest dry run.
        newest: RunId,
    },
    /// Nothing of the plan is left to do: it had no changes, they were held, or other runs have decided them since.
    #[error(
        "nothing of the plan of run {run} is left to do: it had no changes, they are held, or later runs have made them"
    )]
    NothingLeft {
        /// The run.
        run: RunId,
        /// Its sync.
        sync: String,
    },
    /// The run was a dry run, which wrote nothing to undo.
    #[error("run {0} was a dry run and wrote nothing, so there is nothing to undo")]
    WasDry(RunId),
    /// The run is still under way.
    #[error("run {0} is still under way; wait for its end, or stop it with Ctrl-C where it runs")]
    Running(RunId),
    /// The run is no import.
    #[error("run {0} is no import")]
    NotImport(RunId),
    /// The run is an import, which is undone in the hub alone.
    #[error("run {0} is an import, which has no sync")]
    IsImport(RunId),
    /// The run undid an import, which is not undone in turn.
    #[error(
        "run {run} undid the import of run {undoes}, and an undo of an import is not undone; import the file again"
    )]
    UndidImport {
        /// The run.
        run: RunId,
        /// The run of the import.
        undoes: RunId,
    },
    /// More records would be deleted than it was agreed to.
    #[error(
        "the undo of run {run} would delete {deletes} records, more than it was agreed to; nothing was changed"
    )]
    WouldDelete {
        /// The run.
        run: RunId,
        /// How many.
        deletes: u64,
    },
    /// The run wrote nothing to undo.
    #[error("run {0} wrote nothing, so there is nothing to undo")]
    WroteNothing(RunId),
}

impl RerunError {
    /// Remedies for the error.
    pub fn remedies(&self) -> Vec<Remedy> {
        match self {
            RerunError::NoRun(_) => vec![Remedy::ListRuns],
            RerunError::PlansUndo { undoes, .. } => vec![Remedy::PlanUndo { run: *undoes }],
            RerunError::NotDry(run) => vec![Remedy::ShowRun { run: *run }],
            RerunError::NothingLeft { run, sync } => {
                vec![Remedy::ShowRun { run: *run }, Remedy::PlanSync { sync: sync.clone() }]
            }
            RerunError::NotWhole { sync, .. } | RerunError::Applied { sync, .. } => {
                vec![Remedy::PlanSync { sync: sync.clone() }]
            }
            RerunError::Overtaken { newest, .. } => vec![Remedy::ApplyRun { run: *newest }],
            RerunError::NotImport(run) => vec![Remedy::PlanUndo { run: *run }, Remedy::ListRuns],
            RerunError::IsImport(run) => vec![Remedy::PlanUndo { run: *run }],
            RerunError::UndidImport { undoes, .. } => vec![Remedy::ShowRun { run: *undoes }],
            RerunError::WouldDelete { run, deletes } => {
                vec![Remedy::UndoRun { run: *run, deletes: *deletes }]
            }
            RerunError::WasDry(_) | RerunError::Running(_) | RerunError::WroteNothing(_) => Vec::new(),
        }
    }
}

impl Tenant {
    /// A run by number, with its current status: a run whose process has died is interrupted.
    ///
    /// # Errors
    /// [`RerunError::NoRun`], or where the database fails.
    pub async fn find_run(&self, run: RunId) -> Result<Run, TenantError> {
        match self.ledger.run(run).await? {
            Some(run) => self.as_it_stands(run).await,
            None => Err(RerunError::NoRun(run).into()),
        }
    }

    /// The sync and the run options that apply the plan of a dry run.
    ///
    /// # Errors
    /// [`RerunError`] where the run is not a dry run, was applied, or is not the newest one.
    pub async fn to_apply(&self, run: RunId) -> Result<(String, RunOptions), TenantError> {
        let plan = self.find_run(run).await?;
        let sync = plan.sync.clone();
        if let RunKind::PlanUndo { run: undoes } = plan.options.kind {
            return Err(RerunError::PlansUndo { run, undoes }.into());
        }
        let RunKind::Plan { scope } = plan.options.kind.clone() else {
            return Err(RerunError::NotDry(run).into());
        };
        let how = match plan.status {
            RunStatus::Done => None,
            RunStatus::Running => Some("is still under way"),
            RunStatus::Failed => Some("failed"),
            RunStatus::Interrupted => Some("was interrupted"),
        };
        if let Some(how) = how {
            return Err(RerunError::NotWhole { run, sync, how }.into());
        }
        let newest = self.ledger.runs(None, None, 1).await?.first().map_or(run, |newest| newest.id);
        let since = usize::try_from(newest.saturating_sub(run)).unwrap_or_default();
        let is_plan = |run: &Run| matches!(run.options.kind, RunKind::Plan { .. });
        let later: Vec<Run> = self
            .ledger
            .runs(Some(&sync), None, since + 1)
            .await?
            .into_iter()
            .filter(|later| later.id > run)
            .collect();
        if let Some(by) =
            later.iter().find(|later| later.options.applies() == Some(run) && later.status == RunStatus::Done)
        {
            return Err(RerunError::Applied { run, sync, by: by.id }.into());
        }
        if let Some(newest) = later.iter().find(|later| is_plan(later) && later.status == RunStatus::Done) {
            return Err(RerunError::Overtaken { run, sync, newest: newest.id }.into());
        }
        if self.ledger.count_changes(run, &ChangeFilter::of(ChangeStatus::Planned)).await?.is_empty() {
            return Err(RerunError::NothingLeft { run, sync }.into());
        }
        Ok((
            sync,
            RunOptions {
                kind: RunKind::Apply { plan: run, scope },
                max_time: None,
                wait: false,
                ..plan.options
            },
        ))
    }

    /// The sync and the run options that undo a run, with leave to delete this many records.
    ///
    /// # Errors
    /// [`RerunError`] where there is nothing to undo.
    pub async fn to_undo(
        &self,
        run: RunId,
        deletes_agreed: u64,
    ) -> Result<(String, RunOptions), TenantError> {
        Ok((self.undoable(run).await?, RunKind::Undo { run, deletes_agreed }.into()))
    }

    /// The sync and the run options of a dry run that tells what an undo of a run would restore and leave.
    ///
    /// # Errors
    /// [`RerunError`] where there is nothing to undo.
    pub async fn to_plan_undo(&self, run: RunId) -> Result<(String, RunOptions), TenantError> {
        Ok((self.undoable(run).await?, RunKind::PlanUndo { run }.into()))
    }

    /// The sync of a run that can be undone.
    async fn undoable(&self, run: RunId) -> Result<String, TenantError> {
        let earlier = self.find_run(run).await?;
        if earlier.options.imports().is_some() {
            return Err(RerunError::IsImport(run).into());
        }
        if let (true, Some(undoes)) = (earlier.relation.is_empty(), earlier.options.undoes()) {
            return Err(RerunError::UndidImport { run, undoes }.into());
        }
        if earlier.options.is_dry() {
            return Err(RerunError::WasDry(run).into());
        }
        if earlier.status == RunStatus::Running {
            return Err(RerunError::Running(run).into());
        }
        let done = ChangeFilter::of(ChangeStatus::Done);
        if self.ledger.changes_of_run(run, &done, 0, 1).await?.is_empty() {
            return Err(RerunError::WroteNothing(run).into());
        }
        Ok(earlier.sync)
    }

    /// The status of the changes that an undo, or its dry run, left out.
    const fn left_status(run: &Run) -> ChangeStatus {
        if run.options.is_dry() { ChangeStatus::Dropped } else { ChangeStatus::Withheld }
    }

    /// What a run that applied or undid another one left out, in the order of the plans, above the number `above`, at
    /// most `most`. What it made is not read for that.
    pub(crate) async fn left_out(
        &self,
        run: &Run,
        above: i64,
        most: usize,
    ) -> Result<Vec<Change>, TenantError> {
        let mut left = Vec::new();
        if let Some(plan) = run.options.applies() {
            let filter = ChangeFilter::of(ChangeStatus::Dropped);
            let mut after = above;
            while left.len() < most {
                let dropped = self.ledger.changes_of_run(plan, &filter, after, PAGE).await?;
                let Some(last) = dropped.last() else { break };
                after = last.id;
                left.extend(self.undecided(run, dropped).await?);
            }
            left.truncate(most);
        }
        if left.len() < most {
            let filter = ChangeFilter::of(Self::left_status(run));
            left.extend(self.ledger.changes_of_run(run.id, &filter, above, most - left.len()).await?);
        }
        Ok(left)
    }

    /// How many changes a run left out. Those that its plan dropped are read for that, by the page.
    pub(crate) async fn count_left_out(&self, run: &Run) -> Result<u64, TenantError> {
        let left = ChangeFilter::of(Self::left_status(run));
        let counts = self.ledger.count_changes(run.id, &left).await?;
        let mut total = counts.iter().map(|count| count.changes).sum();
        let Some(plan) = run.options.applies() else { return Ok(total) };
        let filter = ChangeFilter::of(ChangeStatus::Dropped);
        let mut after = 0;
        loop {
            let dropped = self.ledger.changes_of_run(plan, &filter, after, PAGE).await?;
            let Some(last) = dropped.last() else { return Ok(total) };
            after = last.id;
            total += self.undecided(run, dropped).await?.len() as u64;
        }
    }

    /// Those dropped changes of a plan that the run which applied it did not come back to. What became of the others is
    /// told by the changes of that run; what was overtaken before it began is older news.
    async fn undecided(&self, run: &Run, mut dropped: Vec<Change>) -> Result<Vec<Change>, TenantError> {
        let pairs: Vec<PairId> = dropped.iter().map(|change| change.pair).collect();
        let own = self.ledger.changes_for(run.id, &pairs).await?;
        let decided: BTreeSet<(PairId, Side)> =
            own.iter().map(|change| (change.pair, change.target)).collect();
        dropped.retain(|change| {
            !decided.contains(&(change.pair, change.target))
                && change.settled.is_some_and(|settled| settled >= run.started)
        });
        Ok(dropped)
    }
}
