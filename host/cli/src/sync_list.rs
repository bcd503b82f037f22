//! `entente sync list`: which syncs there are, and what each keeps in agreement.

use super::output::{Done, Output, Usage, table};
use super::sync::{self, SyncArgs};
use super::{Context, remedy};
use entente::view::{RunView, SyncView, SyncedObjectView};
use entente_core::Timestamp;
use entente_sync::{DeletePolicy, Remedy, RunStatus};

/// `entente sync NAME`, a run, or `entente sync list`.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    disable_help_subcommand = true
)]
pub(super) struct SyncCommand {
    #[command(subcommand)]
    list: Option<SyncWord>,
    #[command(flatten)]
    run: Option<SyncArgs>,
}

/// What else there is to do with syncs. A sync cannot have one of these names.
#[derive(Debug, clap::Subcommand)]
enum SyncWord {
    /// List the syncs: what each joins and maps, and when it ran; how they stand is told by `status`
    List,
}

/// Runs the command.
pub(super) async fn run(command: SyncCommand, context: &Context) -> anyhow::Result<Done> {
    match (command.list, command.run) {
        (None, Some(args)) => sync::run(args, context).await,
        (Some(SyncWord::List), _) => list(context).await,
        (None, None) => Err(Usage("which sync? `entente sync list` lists them".to_owned()).into()),
    }
}

async fn list(context: &Context) -> anyhow::Result<Done> {
    let tenant = context.tenant()?;
    let (syncs, now) = (tenant.list_syncs().await?, tenant.clock().now());
    context.output.show(&syncs, |syncs| text(syncs, now, context.output))?;
    Ok(Done::Well)
}

fn text(syncs: &[SyncView], now: Timestamp, output: Output) -> String {
    if syncs.is_empty() {
        return format!("no sync yet{}", remedy::lines(&[Remedy::AddIntegration { plugin: None }]));
    }
    let mut rows = table(["name", "joins", "objects", "last run", ""]);
    for sync in syncs {
        let objects: Vec<String> = sync.objects.iter().map(object).collect();
        let last = sync.last_run.as_ref().map(|run| last_run(run, |at| output.moment(at, now)));
        let disabled: Vec<String> = sync.disabled.iter().map(|name| format!("{name} is disabled")).collect();
        rows.add_row(vec![
            sync.sync.clone(),
            format!("{} ↔ {}", sync.exchanges.left, sync.exchanges.right),
            objects.join("\n"),
            last.unwrap_or_else(|| "never".to_owned()),
            disabled.join("\n"),
        ]);
    }
    rows.to_string()
}

fn object(of: &SyncedObjectView) -> String {
    let mut text = format!("{} ↔ {}, {} fields", of.objects.left, of.objects.right, of.fields);
    if of.filtered.left || of.filtered.right {
        text.push_str(", filtered");
    }
    match of.deletes {
        // The default.
        DeletePolicy::Ignore => {}
        DeletePolicy::Unlink => text.push_str(", deletions unlink"),
        DeletePolicy::Delete => text.push_str(", deletions are made there too"),
        DeletePolicy::Recreate => text.push_str(", deleted records are made again"),
    }
    text
}

fn last_run(run: &RunView, moment: impl Fn(Timestamp) -> String) -> String {
    let (number, ended) = (run.run, moment(run.ended.unwrap_or(run.started)));
    match run.status {
        RunStatus::Running => format!("{number}, under way"),
        RunStatus::Done => format!("{number}, {ended}"),
        RunStatus::Failed => format!("{number} failed, {ended}"),
        RunStatus::Interrupted => format!("{number} was interrupted"),
    }
}
