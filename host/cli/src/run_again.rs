//! `entente run apply` and `entente run undo`: runs that follow from an earlier one.

use super::Context;
use super::changes::{SHOWN, ShownChange, changes_table, left_out_table, shown_changes};
use super::output::Done;
use super::report::{RunSummary, counts_table, done, notices_text, summary};
use super::sync::run_once;
use super::waiting::{Waiting, waiting};
use entente::Tenant;
use entente_sync::{ChangeStatus, RunOptions};
use serde::Serialize;

/// Options of `entente run apply`.
#[derive(Debug, clap::Args)]
pub(super) struct ApplyArgs {
    /// The number of the dry run
    run: i64,
    /// Wait for a run that is under way
    #[arg(long)]
    wait: bool,
    /// How many changes to show; --json has all
    #[arg(long, default_value_t = SHOWN)]
    limit: usize,
}

/// Options of `entente run undo`.
#[derive(Debug, clap::Args)]
pub(super) struct UndoArgs {
    /// The number of the run
    run: i64,
    /// Delete the records that the run has made, by naming how many they are; without it they stay
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    delete: u64,
    /// Wait for a run that is under way
    #[arg(long)]
    wait: bool,
    /// How many changes to show; --json has all
    #[arg(long, default_value_t = SHOWN)]
    limit: usize,
}

/// Executes the plan of a dry run.
pub(super) async fn apply(args: ApplyArgs, context: &Context) -> anyhow::Result<Done> {
    let tenant = context.tenant()?;
    let (sync, options) = tenant.to_apply(args.run).await?;
    again(&tenant, &sync, RunOptions { wait: args.wait, ..options }, args.limit, context).await
}

/// Puts back what a run has changed.
pub(super) async fn undo(args: UndoArgs, context: &Context) -> anyhow::Result<Done> {
    let tenant = context.tenant()?;
    let (sync, options) = tenant.to_undo(args.run, args.delete).await?;
    again(&tenant, &sync, RunOptions { wait: args.wait, ..options }, args.limit, context).await
}

async fn again(
    tenant: &Tenant,
    sync: &str,
    options: RunOptions,
    limit: usize,
    context: &Context,
) -> anyhow::Result<Done> {
    #[derive(Serialize)]
    struct Shown<'a> {
        #[serde(flatten)]
        run: RunSummary<'a>,
        waiting: &'a Waiting,
        changes: Vec<ShownChange>,
        left_out: Vec<ShownChange>,
    }
    let (definition, end) = run_once(tenant, sync, options, context.output).await?;
    let waiting = waiting(tenant, &definition).await?;
    let (run, exchanges) = (&end.run, &definition.exchanges);
    let made = tenant.changes(run.id, Some(ChangeStatus::Done)).await?;
    let left_out = tenant.left_out(run).await?;
    let shown = Shown {
        run: summary(run, exchanges),
        waiting: &waiting,
        changes: shown_changes(tenant, &definition, &made).await?,
        left_out: shown_changes(tenant, &definition, &left_out).await?,
    };
    context.output.show(&shown, |shown| {
        let mut text = format!("{}{}", counts_table(run, exchanges), notices_text(run, exchanges));
        if !shown.changes.is_empty() {
            text.push_str(&format!("\n{}", changes_table(&shown.changes, limit)));
        }
        text.push_str(&format!("\nrun {}: {} changes written", run.id, shown.changes.len()));
        if !shown.left_out.is_empty() {
            text.push_str(&format!(
                ", {} left out:\n{}",
                shown.left_out.len(),
                left_out_table(&shown.left_out, limit)
            ));
        }
        if waiting.total() > 0 {
            text.push_str(&format!("\n{}", waiting.text(sync)));
        }
        text
    })?;
    let complete = shown.left_out.is_empty() && waiting.total() == 0;
    let well = done(end)?;
    Ok(if complete { well } else { Done::WithProblems })
}
