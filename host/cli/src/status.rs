//! `entente status`: how the syncs stand.

use super::output::{Done, cell, table};
use super::waiting::{Waiting, waiting};
use super::{Context, report};
use entente::{ConfigError, Health};
use entente::{ObjectStatus, SyncStatus, Tally};
use entente_core::Timestamp;
use entente_sync::{Run, RunStatus, Sides};
use serde::Serialize;
use std::collections::BTreeMap;

/// Options of `entente status`.
#[derive(Debug, clap::Args)]
pub(super) struct StatusArgs {
    /// Only this sync, and each record that waits
    name: Option<String>,
}

/// How a sync stands, as `--json` prints it.
#[derive(Serialize)]
struct Shown<'a> {
    sync: &'a str,
    exchanges: &'a Sides<String>,
    disabled: &'a [String],
    /// Plugins that crashed in their last runs.
    crashed: &'a BTreeMap<String, Health>,
    trust: Option<&'a entente_sync::Trust>,
    last_run: Option<report::RunSummary<'a>>,
    objects: &'a [ObjectStatus],
    total: Tally,
    /// What to do next.
    next: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<Waiting>,
}

/// Runs the command.
pub(super) async fn run(args: StatusArgs, context: &Context) -> anyhow::Result<Done> {
    let tenant = context.tenant()?;
    let (statuses, now) = (tenant.status(args.name.as_deref()).await?, tenant.clock().now());
    let mut shown = Vec::with_capacity(statuses.len());
    for status in &statuses {
        let waiting = match &args.name {
            Some(name) => Some(waiting(&tenant, &tenant.configuration().definition(name).await?).await?),
            None => None,
        };
        shown.push(Shown {
            sync: &status.sync,
            exchanges: &status.exchanges,
            disabled: &status.disabled,
            crashed: &status.crashed,
            trust: status.trust.as_ref(),
            last_run: status.last.as_ref().map(|run| report::summary(run, &status.exchanges)),
            objects: &status.objects,
            total: status.total(),
            next: next(status, now),
            waiting,
        });
    }
    context.output.show(&shown, |shown| {
        if shown.is_empty() {
            return "no sync yet; begin with: entente integration add NAME --plugin PLUGIN".to_owned();
        }
        let texts: Vec<String> =
            shown.iter().zip(&statuses).map(|(shown, status)| text(shown, status, now)).collect();
        texts.join("\n\n")
    })?;
    Ok(Done::Well)
}

/// What to do next, if something is to be done.
fn next(status: &SyncStatus, now: Timestamp) -> Vec<String> {
    let name = &status.sync;
    let total = status.total();
    let mut next = Vec::new();
    for integration in &status.disabled {
        next.push(format!("switch {integration} on: entente integration set {integration} --enable"));
    }
    let held_back: Vec<_> =
        status.crashed.iter().filter_map(|(name, health)| health.check(name, now).err()).collect();
    next.extend(held_back.iter().filter_map(|why| match why {
        ConfigError::Quarantined { integration, .. } => Some(format!(
            "let {integration} run again once its plugin is mended: entente integration resume {integration}"
        )),
        ConfigError::Paused { integration, until, .. } => Some(format!(
            "wait until {until}, or let {integration} run at once: entente integration resume {integration}"
        )),
        _ => None,
    }));
    match &status.last {
        _ if !held_back.is_empty() => {}
        None => next.push(format!("see what a first run would do: entente sync {name} --dry-run")),
        Some(run) if run.status == RunStatus::Failed => {
            next.push(format!("put right what made run {} fail, then: entente sync {name}", run.id))
        }
        Some(run) if run.status == RunStatus::Interrupted => {
            next.push(format!("go on where run {} was interrupted: entente sync {name}", run.id))
        }
        Some(run) if run.options.dry_run && run.status == RunStatus::Done && total.pending > 0 => {
            next.push(format!("do what run {0} planned: entente run apply {0}", run.id));
        }
        Some(run) if run.status != RunStatus::Running && total.pending > 0 => {
            next.push(format!("do what is pending: entente sync {name}"))
        }
        Some(_) => {}
    }
    if total.conflicts > 0 {
        next.push(format!("decide conflicts: entente conflict list --sync {name}"));
    }
    if total.failed > 0 {
        next.push(format!("see what failed, and when it is tried again: entente retry --sync {name}"));
    }
    if total.held > 0 {
        next.push(format!("see which records are held: entente status {name}"));
    }
    next
}

/// How a run ended, in a few words.
fn ended(run: &Run) -> String {
    let what = match (run.options.dry_run, run.options.apply, run.options.undo) {
        (true, ..) => ", a dry run".to_owned(),
        (_, Some(plan), _) => format!(", of the plan of run {plan}"),
        (.., Some(undone)) => format!(", to undo run {undone}"),
        _ => String::new(),
    };
    let how = match run.status {
        RunStatus::Running => "is under way".to_owned(),
        RunStatus::Done => {
            format!("ended {}, {} records written", run.ended.unwrap_or(run.started), run.writes())
        }
        RunStatus::Failed => format!("failed: {}", run.error.as_deref().unwrap_or("it does not say why")),
        RunStatus::Interrupted => "was interrupted".to_owned(),
    };
    format!("run {}{what}, begun {}, {how}", run.id, run.started)
}

fn text(shown: &Shown<'_>, status: &SyncStatus, now: Timestamp) -> String {
    let Sides { left, right } = &status.exchanges;
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
    match &status.last {
        Some(run) => {
            text.push_str(&format!("\nlast: {}{}", ended(run), report::notices_text(run, &status.exchanges)))
        }
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
            status.exchanges[trust.side]
        ));
    }
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
        row("all".to_owned(), &shown.total);
    }
    text.push_str(&format!("\n{rows}"));
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
    if let Some(waiting) = shown.waiting.as_ref().filter(|waiting| waiting.total() > 0) {
        text.push_str(&format!("\n{}", waiting.lines()));
    }
    for next in &shown.next {
        text.push_str(&format!("\nnext: {next}"));
    }
    text
}
