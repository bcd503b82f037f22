//! `entente status`: how the syncs stand.

use super::output::{Done, cell, table};
use super::remedy::{self, NextStep};
use super::waiting::{Waiting, waiting};
use super::{Context, report};
use entente::{ConfigError, Health};
use entente::{ObjectStatus, SyncStatus, Tally};
use entente_core::Timestamp;
use entente_sync::{Remedy, Run, RunKind, RunStatus, Sides};
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
    next: Vec<NextStep>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<Waiting>,
}

/// Runs the command.
pub(super) async fn run(args: StatusArgs, context: &Context) -> anyhow::Result<Done> {
    let tenant = context.tenant()?;
    let (statuses, now) = (tenant.status(args.name.as_deref()).await?, tenant.clock().now());
    let mut shown = Vec::with_capacity(statuses.len());
    let next: Vec<Vec<Remedy>> = statuses.iter().map(|status| status.remedies(now)).collect();
    for (status, next) in statuses.iter().zip(&next) {
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
            next: remedy::steps(next.iter().cloned()),
            waiting,
        });
    }
    context.output.show(&shown, |shown| {
        if shown.is_empty() {
            return format!("no sync yet{}", remedy::lines(&[Remedy::AddIntegration { plugin: None }]));
        }
        let texts: Vec<String> = shown
            .iter()
            .zip(&statuses)
            .zip(&next)
            .map(|((shown, status), next)| format!("{}{}", text(shown, status, now), remedy::lines(next)))
            .collect();
        texts.join("\n\n")
    })?;
    Ok(Done::Well)
}

/// How a run ended, in a few words.
fn ended(run: &Run) -> String {
    let what = match run.options.kind {
        RunKind::Plan { .. } => ", a dry run".to_owned(),
        RunKind::Apply { plan, .. } => format!(", of the plan of run {plan}"),
        RunKind::Undo { run, .. } => format!(", to undo run {run}"),
        RunKind::Sync { .. } => String::new(),
    };
    let how = match run.status {
        RunStatus::Running => "is under way".to_owned(),
        RunStatus::Done => {
            format!("ended {}, {} records written", run.ended.unwrap_or(run.started), run.writes())
        }
        RunStatus::Failed => {
            format!("failed: {}", run.error.as_ref().map_or("it does not say why", |error| &error.text))
        }
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
    text
}
