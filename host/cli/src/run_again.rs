//! `entente run apply` and `entente run undo`: runs that follow from an earlier one.

use super::Context;
use super::import_undo::{self, UndoImport};
use super::output::{Done, Usage};
use super::report::{done, show};
use super::run::run_number;
use super::sync::run_once;
use entente::Tenant;
use entente::view::ChangeQuery;
use entente_sync::RunOptions;

/// Options of `entente run apply`.
#[derive(Debug, clap::Args)]
pub(super) struct ApplyArgs {
    /// The number of the dry run
    #[arg(value_parser = run_number)]
    run: i64,
    /// Wait for a run that is under way
    #[arg(long)]
    wait: bool,
    /// How many changes to show [default: 50; with --json all]
    #[arg(long)]
    limit: Option<usize>,
}

/// Options of `entente run undo`.
#[derive(Debug, clap::Args)]
pub(super) struct UndoArgs {
    /// The number of the run
    #[arg(value_parser = run_number)]
    run: i64,
    /// Delete the records that the run has made, by naming how many they are: where it would be more, nothing is undone
    #[arg(long, value_name = "COUNT")]
    delete: Option<u64>,
    /// Of an import: delete the records that it has made without asking
    #[arg(long, conflicts_with = "delete")]
    yes: bool,
    /// Show what would be put back and what would be left, with the reasons, and write nothing
    #[arg(long, conflicts_with_all = ["delete", "yes"])]
    dry_run: bool,
    /// Wait for a run that is under way
    #[arg(long)]
    wait: bool,
    /// How many changes to show [default: 50; with --json all]
    #[arg(long)]
    limit: Option<usize>,
}

/// Executes the plan of a dry run.
pub(super) async fn apply(args: ApplyArgs, context: &Context) -> anyhow::Result<Done> {
    let tenant = context.tenant()?;
    let (sync, options) = tenant.to_apply(args.run).await?;
    again(&tenant, &sync, RunOptions { wait: args.wait, ..options }, args.limit, context).await
}

/// Puts back what a run has changed, or shows what that would be.
pub(super) async fn undo(args: UndoArgs, context: &Context) -> anyhow::Result<Done> {
    let tenant = context.tenant()?;
    if tenant.find_run(args.run).await?.options.imports().is_some() {
        let UndoArgs { run, delete, yes, dry_run, limit, .. } = args;
        return import_undo::undo(&UndoImport { run, delete, yes, dry_run, limit }, &tenant, context).await;
    }
    if args.yes {
        let why =
            "--yes is for imports; of the run of a sync, --delete COUNT names how many records are deleted";
        return Err(Usage(why.to_owned()).into());
    }
    let (sync, options) = if args.dry_run {
        tenant.to_plan_undo(args.run).await?
    } else {
        tenant.to_undo(args.run, args.delete.unwrap_or(0)).await?
    };
    again(&tenant, &sync, RunOptions { wait: args.wait, ..options }, args.limit, context).await
}

async fn again(
    tenant: &Tenant,
    sync: &str,
    options: RunOptions,
    limit: Option<usize>,
    context: &Context,
) -> anyhow::Result<Done> {
    let end = run_once(tenant, sync, options, context.output).await?;
    let left = show(tenant, &end, &ChangeQuery::default(), limit, context.output).await?;
    done(end, left, false)
}
