//! `entente status`: how the syncs stand.

use super::dates::duration;
use super::output::{Done, Output, cell, table};
use super::report::notices_text;
use super::waiting::{differing_lines, most, waiting_lines};
use super::{Context, remedy};
use entente::view::{Alarm, Exchanges, RunView, StatusView, SyncCheckView, Tally, WaitingView};
use entente::{ConfigError, Tenant};
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
    /// For monitors: say what is not well, a line for each sync, and end with 3 where anything is not
    #[arg(long, conflicts_with = "differing")]
    check: bool,
    /// With --check: nor is a sync well whose last run that came to its end is older than this, such as 2h
    #[arg(long, value_name = "DURATION", requires = "check")]
    max_age: Option<String>,
}

/// Runs the command.
pub(super) async fn run(args: StatusArgs, context: &Context) -> anyhow::Result<Done> {
    let tenant = context.tenant()?;
    if args.check {
        return check(&args, &tenant, context).await;
    }
    let (mut statuses, now) = (tenant.status(args.name.as_deref()).await?, tenant.clock().now());
    for status in &mut statuses {
        if args.name.is_some() && !args.differing {
            let waiting = tenant.show_waiting(&status.sync, most(context.output)).await?;
            status.next = next_of_one(std::mem::take(&mut status.next), &waiting);
            status.waiting = Some(waiting);
        }
        if args.differing {
            status.differing = Some(tenant.show_differing(&status.sync, most(context.output)).await?);
            // It is what they would have people see.
            for notice in status.last_run.iter_mut().flat_map(|run| &mut run.notices) {
                notice.remedies.retain(|remedy| !matches!(remedy, Remedy::ShowDiffering { .. }));
            }
        }
    }
    context.output.show(&statuses, |statuses| {
        if statuses.is_empty() {
            return format!("no sync yet{}", remedy::lines(&[Remedy::AddIntegration { plugin: None }]));
        }
        let texts: Vec<String> = statuses
            .iter()
            .map(|status| format!("{}{}", text(status, now, context.output), remedy::lines(&status.next)))
            .collect();
        texts.join("\n\n")
    })?;
    Ok(Done::Well)
}

/// The next steps where the records that wait are shown: what helps them, in place of having them shown.
/// What is not well, for monitors.
async fn check(args: &StatusArgs, tenant: &Tenant, context: &Context) -> anyhow::Result<Done> {
    let max_age = args.max_age.as_deref().map(|text| duration("max-age", text)).transpose()?;
    let checks = tenant.check_syncs(args.name.as_deref(), max_age).await?;
    let now = tenant.clock().now();
    context.output.show(&checks, |checks| {
        if checks.is_empty() {
            return "no sync yet".to_owned();
        }
        let moment = |at| context.output.moment(at, now);
        checks.iter().map(|check| check_text(check, moment)).collect::<Vec<_>>().join("\n")
    })?;
    // Where nothing is synced nothing is well: a monitor may look at another home than it means.
    Ok(match !checks.is_empty() && checks.iter().all(|check| check.well) {
        true => Done::Well,
        false => Done::WithProblems,
    })
}

fn check_text(check: &SyncCheckView, moment: impl Fn(Timestamp) -> String) -> String {
    let good = match check.last_good_end {
        Some(ended) => format!("last came to its end {}", moment(ended)),
        None => "has never come to its end".to_owned(),
    };
    if check.well {
        return format!("{}: well, {good}", check.sync);
    }
    let alarms: Vec<String> = check.alarms.iter().map(|alarm| alarm_text(alarm, &moment)).collect();
    format!("{}: NOT WELL, {good}: {}{}", check.sync, alarms.join("; "), remedy::lines(&check.next))
}

fn alarm_text(alarm: &Alarm, moment: impl Fn(Timestamp) -> String) -> String {
    match alarm {
        Alarm::NeverWell => "no whole run has ended well".to_owned(),
        Alarm::TooOld { run, ended } => {
            format!("the last good run, {run}, ended {}, longer ago than --max-age allows", moment(*ended))
        }
        Alarm::Failed { run, error } => format!("run {run} failed: {}", cell(error, 200)),
        Alarm::Interrupted { run } => format!("run {run} was interrupted"),
        Alarm::Disabled { integration } => format!("{integration} is disabled"),
        Alarm::HeldBack { integration } => format!("{integration} is held back after crashes"),
        Alarm::FailedRecords { records: 1 } => "1 record failed".to_owned(),
        Alarm::FailedRecords { records } => format!("{records} records failed"),
        Alarm::HeldRecords { records: 1 } => "1 record is held".to_owned(),
        Alarm::HeldRecords { records } => format!("{records} records are held"),
        Alarm::Conflicts { fields: 1 } => "1 field is in conflict".to_owned(),
        Alarm::Conflicts { fields } => format!("{fields} fields are in conflict"),
    }
}

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
fn ended(run: &RunView, moment: impl Fn(Timestamp) -> String) -> String {
    let what = match run.options.kind {
        RunKind::Plan { .. } => ", a dry run".to_owned(),
        RunKind::Apply { plan, .. } => format!(", of the plan of run {plan}"),
        RunKind::Undo { run, .. } => format!(", to undo run {run}"),
        RunKind::PlanUndo { run } => format!(", a dry run of the undo of run {run}"),
        // An import is a run of no sync.
        RunKind::Sync { .. } | RunKind::Import(_) => String::new(),
    };
    let how = match run.status {
        RunStatus::Running => "is under way".to_owned(),
        RunStatus::Done => {
            let records = if run.written == 1 { "record" } else { "records" };
            format!("ended {}, {} {records} written", moment(run.ended.unwrap_or(run.started)), run.written)
        }
        RunStatus::Failed => {
            format!("failed: {}", run.error.as_deref().unwrap_or("it does not say why"))
        }
        RunStatus::Interrupted => "was interrupted".to_owned(),
    };
    format!("run {}{what}, begun {}, {how}", run.run, moment(run.started))
}

fn text(status: &StatusView, now: Timestamp, output: Output) -> String {
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
        Some(run) => text.push_str(&format!(
            "\nlast: {}{}",
            ended(run, |at| output.moment(at, now)),
            notices_text(run)
        )),
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
    match status.total.decided {
        0 => {}
        1 => text.push_str("\n1 field in conflict is decided; the next run writes it"),
        fields => {
            text.push_str(&format!("\n{fields} fields in conflict are decided; the next run writes them"))
        }
    }
    if let Some(waiting) = status.waiting.as_ref().filter(|waiting| waiting.total > 0) {
        text.push_str(&format!("\n{}", waiting_lines(waiting)));
    }
    if let Some(differing) = &status.differing {
        text.push_str(&format!("\n{}", differing_lines(differing)));
    } else if status.total.differing > 0 {
        text.push_str(&format!(
            "\n{} of those in sync have fields that differ on purpose{}",
            status.total.differing,
            remedy::lines(&[Remedy::ShowDiffering { sync: status.sync.clone() }])
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
