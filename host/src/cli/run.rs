//! `entente run`: what ran and what it did.

use super::Context;
use super::output::{Done, cell, table};
use super::sync::{changes_table, counts_table, shown_changes, summary};
use crate::sync::{Change, Run, SyncDefinition};
use crate::tenant::Tenant;
use serde::Serialize;

/// The commands below `entente run`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum RunCommand {
    /// The latest runs, newest first
    List {
        /// Only of this sync
        #[arg(long)]
        sync: Option<String>,
        /// How many
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// One run: its counts, and every change with its reasons
    Show {
        /// The number of the run
        run: i64,
        /// How many changes
        #[arg(long, default_value_t = 200)]
        limit: usize,
    },
}

/// The sync as it is defined now; for one that is gone, just its name.
async fn definition_of(tenant: &Tenant, run: &Run) -> SyncDefinition {
    match tenant.configuration().definition(&run.sync).await {
        Ok(definition) => definition,
        Err(_) => SyncDefinition {
            name: run.sync.clone(),
            relation: run.relation.clone(),
            exchanges: ["left".to_owned(), "right".to_owned()],
            mappings: Vec::new(),
            version: 0,
            brake: crate::sync::Brake::default(),
        },
    }
}

/// Runs the command.
pub(super) async fn run(command: RunCommand, context: &Context) -> anyhow::Result<Done> {
    let tenant = context.tenant()?;
    match command {
        RunCommand::List { sync, limit } => {
            if let Some(sync) = &sync {
                tenant.configuration().definition(sync).await?;
            }
            let runs = tenant.ledger().runs(sync.as_deref(), limit).await?;
            let mut definitions = Vec::new();
            for run in &runs {
                definitions.push(definition_of(&tenant, run).await);
            }
            let summaries: Vec<_> = runs.iter().zip(&definitions).map(|(run, definition)| summary(run, &definition.exchanges)).collect();
            context.output.show(&summaries, |_| {
                if runs.is_empty() {
                    return "no run yet; begin with: entente sync NAME".to_owned();
                }
                let mut rows = table(["run", "sync", "started", "seconds", "status", "written", "held, failed, conflicts", ""]);
                for run in &runs {
                    let seconds = run.ended.map(|ended| format!("{:.1}", (ended.micros() - run.started.micros()) as f64 / 1e6));
                    let what = if run.options.dry_run { "dry run" } else { "" };
                    rows.add_row(vec![
                        run.id.to_string(),
                        run.sync.clone(),
                        run.started.to_string(),
                        seconds.unwrap_or_default(),
                        run.status.word().to_owned(),
                        run.writes().to_string(),
                        run.problems().to_string(),
                        cell(run.error.as_deref().unwrap_or(what), 80),
                    ]);
                }
                rows.to_string()
            })?;
        }
        RunCommand::Show { run: number, limit } => {
            let Some(run) = tenant.ledger().run(number).await? else {
                anyhow::bail!("there is no run {number}; list them with: entente run list");
            };
            let definition = definition_of(&tenant, &run).await;
            let mut changes: Vec<Change> = Vec::new();
            while changes.len() < limit {
                let after = changes.last().map_or(0, |change| change.id);
                let page = tenant.ledger().changes_of_run(number, Default::default(), after, (limit - changes.len()).min(1000)).await?;
                if page.is_empty() {
                    break;
                }
                changes.extend(page);
            }
            #[derive(Serialize)]
            struct Shown<'a> {
                #[serde(flatten)]
                run: super::sync::RunSummary<'a>,
                changes: Vec<super::sync::ShownChange>,
            }
            let shown = Shown { run: summary(&run, &definition.exchanges), changes: shown_changes(&tenant, &definition, &changes).await? };
            context.output.show(&shown, |shown| {
                let head = format!("run {} of {}, {}, {}", run.id, run.sync, run.status.word(), run.started);
                let counts = counts_table(&run, &definition.exchanges);
                let error = run.error.as_ref().map(|error| format!("\n{error}")).unwrap_or_default();
                if shown.changes.is_empty() {
                    return format!("{head}\n{counts}{error}\nit wrote nothing");
                }
                let more = if changes.len() >= limit { format!("\nthe first {limit} changes; more with --limit") } else { String::new() };
                format!("{head}\n{counts}{error}\n{}{more}", changes_table(&shown.changes))
            })?;
        }
    }
    Ok(Done::Well)
}
