//! `entente run`: what ran and what it did.

use super::changes::{SHOWN, ShownChange, changes_table, shown_changes};
use super::output::{Done, cell, print_line, table};
use super::remedy::{self, Advised};
use super::report::{RunSummary, counts_table, notices_text, summary};
use super::{Context, run_again};
use entente::view::reason::Names;
use entente::{LoggedLine, Tenant};
use entente_sync::{Remedy, Run, RunKind, Sides, SyncDefinition};
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
        /// How many changes to show; --json has all
        #[arg(long, default_value_t = SHOWN)]
        limit: usize,
        /// Show what the plugins logged; --json has it always
        #[arg(long)]
        log: bool,
    },
    /// Make the changes that a dry run has planned, where nothing has changed since; the rest is listed
    Apply(run_again::ApplyArgs),
    /// Put back what a run has changed, where nobody has changed it since; the rest is listed
    Undo(run_again::UndoArgs),
}

/// The sync as it is defined now; for one that is gone, just its name.
async fn definition_of(tenant: &Tenant, run: &Run) -> SyncDefinition {
    match tenant.configuration().definition(&run.sync).await {
        Ok(definition) => definition,
        Err(_) => SyncDefinition {
            name: run.sync.clone(),
            relation: run.relation.clone(),
            exchanges: Sides::new("left".to_owned(), "right".to_owned()),
            mappings: Vec::new(),
            version: 0,
            brake: entente_sync::Brake::default(),
        },
    }
}

/// Runs the command.
pub(super) async fn run(command: RunCommand, context: &Context) -> anyhow::Result<Done> {
    let tenant = context.tenant()?;
    match command {
        RunCommand::Apply(args) => return run_again::apply(args, context).await,
        RunCommand::Undo(args) => return run_again::undo(args, context).await,
        RunCommand::List { sync, limit } => {
            if let Some(sync) = &sync {
                tenant.configuration().definition(sync).await?;
            }
            let mut runs = Vec::new();
            for run in tenant.ledger().runs(sync.as_deref(), None, limit).await? {
                runs.push(tenant.as_it_stands(run).await?);
            }
            let mut definitions = Vec::new();
            for run in &runs {
                definitions.push(definition_of(&tenant, run).await);
            }
            let summaries: Vec<_> = runs
                .iter()
                .zip(&definitions)
                .map(|(run, definition)| summary(run, &definition.exchanges))
                .collect();
            context.output.show(&summaries, |_| {
                if runs.is_empty() {
                    return format!("no run yet{}", remedy::lines(&[Remedy::Sync { sync: None }]));
                }
                let mut rows = table([
                    "run",
                    "sync",
                    "started",
                    "seconds",
                    "status",
                    "written",
                    "held, failed, conflicts",
                    "",
                ]);
                for (run, definition) in runs.iter().zip(&definitions) {
                    let seconds = run
                        .ended
                        .map(|ended| format!("{:.1}", (ended.micros() - run.started.micros()) as f64 / 1e6));
                    let what = match run.options.kind {
                        RunKind::Plan { .. } => "dry run".to_owned(),
                        RunKind::Apply { plan, .. } => format!("plan of run {plan}"),
                        RunKind::Undo { run, .. } => format!("undoes run {run}"),
                        RunKind::Sync { .. } => {
                            let names = Names(&definition.exchanges);
                            let notices = run.notices.iter().map(|notice| names.notice(notice));
                            notices.collect::<Vec<_>>().join("; ")
                        }
                    };
                    rows.add_row(vec![
                        run.id.to_string(),
                        run.sync.clone(),
                        run.started.to_string(),
                        seconds.unwrap_or_default(),
                        run.status.word().to_owned(),
                        run.writes().to_string(),
                        run.problems().to_string(),
                        cell(run.error.as_ref().map_or(&what, |error| &error.text), 80),
                    ]);
                }
                rows.to_string()
            })?;
        }
        RunCommand::Show { run: number, limit, log } => {
            let Some(run) = tenant.ledger().run(number).await? else {
                return Err(Advised::new(format!("there is no run {number}"), [Remedy::ListRuns]).into());
            };
            let run = tenant.as_it_stands(run).await?;
            let definition = definition_of(&tenant, &run).await;
            let exchanges = &definition.exchanges;
            let changes = tenant.changes(number, None).await?;
            #[derive(Serialize)]
            struct Shown<'a> {
                #[serde(flatten)]
                run: RunSummary<'a>,
                changes: Vec<ShownChange>,
                log: Vec<LoggedLine>,
            }
            let logged = tenant.logged(&run, exchanges).await?;
            let shown = Shown {
                run: summary(&run, exchanges),
                log: logged,
                changes: shown_changes(&tenant, &definition, &changes).await?,
            };
            context.output.show(&shown, |shown| {
                let head = format!("run {} of {}, {}, {}", run.id, run.sync, run.status.word(), run.started);
                let counts = format!("{}{}", counts_table(&run, exchanges), notices_text(&run, exchanges));
                let error = run.error.as_ref().map(remedy::message).unwrap_or_default();
                let next = remedy::command(&Remedy::ShowLog { run: number });
                let lines = match (log, shown.log.len()) {
                    (_, 0) => String::new(),
                    (false, 1) => format!("\nits plugins logged a line: {next}"),
                    (false, count) => {
                        format!("\nits plugins logged {count} lines: {next}")
                    }
                    (true, _) => String::new(),
                };
                if shown.changes.is_empty() {
                    return format!("{head}\n{counts}{error}\nit wrote nothing{lines}");
                }
                format!("{head}\n{counts}{error}\n{}{lines}", changes_table(&shown.changes, limit))
            })?;
            for line in shown.log.iter().filter(|_| log && !context.output.json) {
                print_line(&format!("{} {} {} {}", line.at, line.level, line.integration, line.text));
            }
        }
    }
    Ok(Done::Well)
}
