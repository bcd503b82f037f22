//! `entente run`: what ran and what it did.

use super::changes::{changes_text, totals};
use super::door::print_line;
use super::output::{Done, cell, table};
use super::paging::{PageArgs, go_on};
use super::remedy;
use super::report::{counts_table, notices_text};
use super::{Context, run_again, stream};
use entente::Tenant;
use entente::view::{ChangeQuery, Cursor, Page, PageRequest, RunDetail, RunView, import_name};
use entente_core::Timestamp;
use entente_sync::{Remedy, Run, RunKind};

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
        /// Go on after a page: the cursor that it named
        #[arg(long, value_name = "CURSOR")]
        after: Option<Cursor>,
    },
    /// One run: its counts, and every change with its reasons
    Show {
        /// The number of the run
        #[arg(value_parser = run_number)]
        run: i64,
        /// Only changes of these: object=contact,action=update,status=failed,record=contact:12
        #[arg(long, value_name = "FILTER")]
        filter: Option<ChangeQuery>,
        #[command(flatten)]
        page: PageArgs,
        /// Show what the plugins logged; --json has it always
        #[arg(long)]
        log: bool,
    },
    /// Make the changes that a dry run has planned, where nothing has changed since; the rest is listed
    Apply(run_again::ApplyArgs),
    /// Put back what a run has changed, where nobody has changed it since; the rest is listed
    Undo(run_again::UndoArgs),
}

/// The number of a run.
pub(super) fn run_number(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| "it is no number of a run; run list has them".to_owned())
}

/// Runs the command.
pub(super) async fn run(command: RunCommand, context: &Context) -> anyhow::Result<Done> {
    let output = context.output;
    match command {
        RunCommand::Apply(args) => return run_again::apply(args, context).await,
        RunCommand::Undo(args) => return run_again::undo(args, context).await,
        RunCommand::List { sync, limit, after } => {
            let tenant = context.tenant()?;
            let page = tenant.list_runs(sync.as_deref(), PageRequest { after, limit }).await?;
            let now = tenant.clock().now();
            output.show(&page, |page| list_table(page, |at| output.moment(at, now)))?;
        }
        RunCommand::Show { run, filter, page, log } => {
            let tenant = context.tenant()?;
            let query = filter.unwrap_or_default();
            let detail = tenant.show_run(run, &query, page.request(output)).await?;
            if page.is_whole(output) {
                print_detail(&tenant, &tenant.find_run(run).await?, detail, &query).await?;
                return Ok(Done::Well);
            }
            output.show(&detail, |detail| detail_text(detail, log))?;
            for line in detail.log.iter().flatten().filter(|_| log && !output.json) {
                print_line(&format!("{} {} {} {}", line.at, line.level, line.integration, line.text));
            }
        }
    }
    Ok(Done::Well)
}

/// Prints a run as JSON, with all of its changes that are meant, and with all that it left out.
pub(super) async fn print_detail(
    tenant: &Tenant,
    run: &Run,
    mut detail: RunDetail,
    query: &ChangeQuery,
) -> anyhow::Result<()> {
    let (changes, left_out) = (detail.changes.take(), detail.left_out.take());
    let mut object = stream::Object::begin(&detail)?;
    if let Some(first) = changes {
        object.name("changes");
        stream::print_list(1, first, async |request| tenant.list_changes(run, query, request).await).await?;
    }
    if let Some(first) = left_out {
        object.name("left_out");
        stream::print_list(1, first, async |request| tenant.list_left_out(run, request).await).await?;
    }
    object.end();
    Ok(())
}

fn list_table(page: &Page<RunView>, moment: impl Fn(Timestamp) -> String) -> String {
    if page.rows.is_empty() {
        return format!("no run yet{}", remedy::lines(&[Remedy::Sync { sync: None }]));
    }
    let mut rows =
        table(["run", "sync", "started", "seconds", "status", "written", "held, failed, conflicts", ""]);
    for run in &page.rows {
        let seconds = run.ended.map(|ended| match ended.since(run.started) {
            short if short < 100_000 => "< 0.1".to_owned(),
            micros => format!("{:.1}", micros as f64 / 1e6),
        });
        let what = match &run.options.kind {
            RunKind::Plan { .. } => "dry run".to_owned(),
            RunKind::Apply { plan, .. } => format!("plan of run {plan}"),
            RunKind::Undo { run, .. } => format!("undoes run {run}"),
            RunKind::PlanUndo { run } => format!("dry run of the undo of run {run}"),
            RunKind::Import(imported) => import_name(&imported.file),
            RunKind::Sync { .. } => {
                let notices = run.notices.iter().map(|notice| notice.text.as_str());
                notices.collect::<Vec<_>>().join("; ")
            }
        };
        rows.add_row(vec![
            run.run.to_string(),
            run.sync.clone(),
            moment(run.started),
            seconds.unwrap_or_default(),
            run.status.word().to_owned(),
            run.written.to_string(),
            run.problems.to_string(),
            cell(&outcome(run, what), 80),
        ]);
    }
    format!("{rows}{}", go_on(page))
}

/// What a run was, and why it did not come to its end. Nothing else says what an import was.
fn outcome(run: &RunView, what: String) -> String {
    match &run.error {
        Some(error) if run.options.imports().is_some() => format!("{what}: {error}"),
        Some(error) => error.clone(),
        None => what,
    }
}

/// Of what a run is: a sync, an import or the undo of one.
fn of_what(run: &RunView) -> String {
    match &run.options.kind {
        RunKind::Import(imported) => format!(", {} into {}", import_name(&imported.file), imported.object),
        RunKind::Undo { run: undoes, .. } if run.sync.is_empty() => {
            format!(", undo of the import of run {undoes}")
        }
        _ => format!(" of {}", run.sync),
    }
}

fn detail_text(detail: &RunDetail, log: bool) -> String {
    let run = &detail.run;
    let head = format!("run {}{}, {}, {}", run.run, of_what(run), run.status.word(), run.started);
    let counts = format!("{}{}", counts_table(run), notices_text(run));
    let error = run.error.as_ref().map(|error| format!("\n{error}{}", remedy::lines(&run.remedies)));
    let error = error.unwrap_or_default();
    let next = remedy::command(&Remedy::ShowLog { run: run.run });
    let lines = match detail.log.as_ref().map_or(0, Vec::len) {
        _ if log => String::new(),
        0 => String::new(),
        1 => format!("\nits plugins logged a line: {next}"),
        count => format!("\nits plugins logged {count} lines: {next}"),
    };
    match detail.changes.as_ref().filter(|changes| changes.total != Some(0)) {
        Some(changes) => {
            let (word, dry) = if run.options.is_dry() { ("Plan", true) } else { ("Done", false) };
            let totals = totals(&detail.totals, dry);
            format!(
                "{head}\n{counts}{error}\n{}{}{lines}\n{word}: {totals}",
                changes_text(changes),
                go_on(changes)
            )
        }
        None if run.sync.is_empty() && run.options.undoes().is_some() => {
            let import = run.options.undoes().unwrap_or_default();
            let show = remedy::command(&Remedy::ShowRun { run: import });
            format!("{head}\n{counts}{error}\nwhat the import had changed: {show}")
        }
        None if detail.changes_by_status.is_empty() => {
            format!("{head}\n{counts}{error}\nit wrote nothing{lines}")
        }
        None => format!("{head}\n{counts}{error}\nno change of it is of these{lines}"),
    }
}
