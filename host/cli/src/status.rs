//! `entente status`: how the syncs stand.

use super::output::{Done, cell, table};
use super::report::notices_text;
use super::waiting::{differing_lines, most, waiting_lines};
use super::{Context, remedy};
use entente::ConfigError;
use entente::view::{Exchanges, RunView, StatusView, Tally, WaitingView};
use entente_core::{Side, Timestamp};
use entente_sync::{Remedy, RunKind, RunStatus};

/// Options of `entente status`.
#[derive(Debug, clap::Args)]
pub(super) struct StatusArgs {
    /// Only this sync, and each record that waits
    name: Option<String>,
    /// Also each field that differs on purpose, and why nothing is written
    #[arg(long, requires = "name")]
    differing: bool,
}

/// Runs the command.
pub(super) async fn run(args: StatusArgs, context: &Context) -> anyhow::Result<Done> {
    let tenant = context.tenant()?;
    let (mut statuses, now) = (tenant.status(args.name.as_deref()).await?, tenant.clock().now());
    for status in &mut statuses {
        if args.name.is_some() {
            let waiting = tenant.show_waiting(&status.sync, most(context.output)).await?;
            status.next = next_of_one(std::mem::take(&mut status.next), &waiting);
            status.waiting = Some(waiting);
        }
        if args.differing {
            status.differing = Some(tenant.show_differing(&status.sync, most(context.output)).await?);
        }
    }
    context.output.show(&statuses, |statuses| {
        if statuses.is_empty() {
            return format!("no sync yet{}", remedy::lines(&[Remedy::AddIntegration { plugin: None }]));
        }
        let texts: Vec<String> = statuses
            .iter()
            .map(|status| format!("{}{}", text(status, now), remedy::lines(&status.next)))
            .collect();
        texts.join("\n\n")
    })?;
    Ok(Done::Well)
}

/// The next steps where the records that wait are shown: what helps them, in place of having them shown.
fn next_of_one(next: Vec<Remedy>, waiting: &WaitingView) -> Vec<Remedy> {
    /// How many steps of single records are worth showing beside the records.
    const STEPS: usize = 5;
    let mut next: Vec<Remedy> =
        next.into_iter().filter(|remedy| !matches!(remedy, Remedy::ShowWaiting { .. })).collect();
    let held = waiting.list.iter().filter(|item| item.status == "held");
    let mut more: Vec<Remedy> = Vec::new();
    for remedy in held.flat_map(|item| &item.remedies) {
        if !next.contains(remedy) && !more.contains(remedy) {
            more.push(remedy.clone());
        }
    }
    more.truncate(STEPS);
    next.append(&mut more);
    next
}

/// How a run ended, in a few words.
fn ended(run: &RunView) -> String {
    let what = match run.options.kind {
        RunKind::Plan { .. } => ", a dry run".to_owned(),
        RunKind::Apply { plan, .. } => format!(", of the plan of run {plan}"),
        RunKind::Undo { run, .. } => format!(", to undo run {run}"),
        RunKind::PlanUndo { run } => format!(", a dry run of the undo of run {run}"),
        RunKind::Sync { .. } => String::new(),
    };
    let how = match run.status {
        RunStatus::Running => "is under way".to_owned(),
        RunStatus::Done => {
            format!("ended {}, {} records written", run.ended.unwrap_or(run.started), run.written)
        }
        RunStatus::Failed => {
            format!("failed: {}", run.error.as_deref().unwrap_or("it does not say why"))
        }
        RunStatus::Interrupted => "was interrupted".to_owned(),
    };
    format!("run {}{what}, begun {}, {how}", run.run, run.started)
}

fn text(status: &StatusView, now: Timestamp) -> String {
    let Exchanges { left, right } = &status.exchanges;
    let mut text = format!("{}: {left} ↔ {right}", status.sync);
    for integration in &status.disabled {
        text.push_str(&format!(" ({integration} is disabled)"));
    }
    for (name, health) in &status.crashed {
        let what = match health.check(name, now) {
            Err(ConfigError::Quarantined { since, .. }) => format!("is quarantined since {since}"),
            Err(ConfigError::Paused { until, .. }) => format!("pauses until {until}"),
            _ => "has trouble".to_owned(),
        };
        let runs = if health.crashes == 1 {
            "the last run".to_owned()
        } else {
            format!("the last {} runs", health.crashes)
        };
        text.push_str(&format!(
            "\n{name} {what}: its plugin crashed in {runs}; after 3 in a row it pauses, after 5 it is not run any more"
        ));
    }
    match &status.last_run {
        Some(run) => text.push_str(&format!("\nlast: {}{}", ended(run), notices_text(run))),
        None => text.push_str("\nit has not run yet"),
    }
    if let Some(trust) = &status.trust {
        let which = if trust.fields.is_empty() {
            String::new()
        } else {
            format!(" in {} fields", trust.fields.len())
        };
        text.push_str(&format!(
            "\ntrusted{which} until a whole run has made all of it: {}",
            match trust.side {
                Side::Left => left,
                Side::Right => right,
            }
        ));
    }
    text.push_str(&format!("\n{}{}", tally_table(status), reasons_text(status)));
    if let Some(waiting) = status.waiting.as_ref().filter(|waiting| waiting.total > 0) {
        text.push_str(&format!("\n{}", waiting_lines(waiting)));
    }
    if let Some(differing) = &status.differing {
        text.push_str(&format!("\n{}", differing_lines(differing)));
    } else if status.total.differing > 0 {
        text.push_str(&format!(
            "\n{} of those in sync have fields that differ on purpose: status {} --differing tells which and why",
            status.total.differing, status.sync
        ));
    }
    text
}

fn tally_table(status: &StatusView) -> String {
    let mut rows = table([
        "objects",
        "records",
        "in sync",
        "pending",
        "failed",
        "held",
        "excluded",
        "fields in conflict",
    ]);
    let mut row = |name: String, tally: &Tally| {
        let numbers = [
            tally.records,
            tally.in_sync,
            tally.pending,
            tally.failed,
            tally.held,
            tally.excluded,
            tally.conflicts,
        ];
        let numbers =
            numbers.iter().map(|number| if *number == 0 { "·".to_owned() } else { number.to_string() });
        rows.add_row([name].into_iter().chain(numbers).collect::<Vec<_>>());
    };
    for object in &status.objects {
        let unmapped = if object.mapped { "" } else { " (not mapped any more)" };
        row(format!("{} ↔ {}{unmapped}", object.objects.left, object.objects.right), &object.tally);
    }
    if status.objects.len() > 1 {
        row("all".to_owned(), &status.total);
    }
    rows.to_string()
}

fn reasons_text(status: &StatusView) -> String {
    let mut text = String::new();
    for object in &status.objects {
        /// How many reasons are worth showing; the rest is in the data.
        const SHOWN: usize = 10;
        let mut reasons: Vec<_> = object.tally.reasons.iter().collect();
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.records));
        for reason in reasons.iter().take(SHOWN) {
            let said = cell(&reason.reason.reason, 200);
            text.push_str(&format!(
                "\n{:>6} × {} {}: {said}",
                reason.records, object.objects.left, reason.status
            ));
        }
        if reasons.len() > SHOWN {
            text.push_str(&format!("\n       and {} more reasons: --json has them", reasons.len() - SHOWN));
        }
    }
    text
}
