//! What a run did, for people and programs.

use super::changes::{ShownChange, changes_table, shown_changes};
use super::output::{Done, Output, cell, table};
use super::remedy::{self, NextStep, ShownMessage};
use super::waiting::Waiting;
use anyhow::Context as _;
use entente::Tenant;
use entente::view::reason::{CountedView, Names};
use entente_core::{Side, Timestamp};
use entente_sync::{
    Code, Counted, Counts, ReasonCounts, Run, RunEnd, RunOptions, RunStatus, Sides, SyncDefinition, SyncError,
};
use entente_sync::{Notice, Remedy};
use serde::Serialize;
use std::collections::BTreeMap;

/// What a run did, as `--json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct RunSummary<'a> {
    run: i64,
    sync: &'a str,
    status: RunStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    /// What can be done about it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remedies: Vec<NextStep>,
    started: Timestamp,
    ended: Option<Timestamp>,
    options: &'a RunOptions,
    /// What reasons call the left and the right.
    exchanges: Exchanges<'a>,
    notices: Vec<ShownMessage>,
    /// By exchange, then by object.
    counts: BTreeMap<&'a str, BTreeMap<&'a str, ShownCounts>>,
}

/// What was counted for an object.
#[derive(Debug, Serialize)]
struct ShownCounts {
    #[serde(flatten)]
    counts: Counts,
    /// Why records were held, failed, withheld or left in conflict.
    reasons: Vec<CountedView>,
}

/// The exchanges by their sides.
#[derive(Debug, Serialize)]
pub(super) struct Exchanges<'a> {
    left: &'a str,
    right: &'a str,
}

impl<'a> From<&'a Sides<String>> for Exchanges<'a> {
    fn from(Sides { left, right }: &'a Sides<String>) -> Self {
        Self { left, right }
    }
}

pub(super) fn summary<'a>(run: &'a Run, exchanges: &'a Sides<String>) -> RunSummary<'a> {
    let names = Names(exchanges);
    let shown = |counts: &Counts| ShownCounts {
        counts: Counts { reasons: ReasonCounts::new(), ..counts.clone() },
        reasons: counts.reasons.iter().map(|(code, counted)| names.counted(*code, counted)).collect(),
    };
    RunSummary {
        run: run.id,
        sync: &run.sync,
        status: run.status,
        error: run.error.as_ref().map(|error| error.text.as_str()),
        remedies: remedy::steps(run.error.iter().flat_map(|error| error.remedies.clone())),
        started: run.started,
        ended: run.ended,
        options: &run.options,
        exchanges: exchanges.into(),
        notices: run
            .notices
            .iter()
            .map(|notice| ShownMessage {
                text: names.notice(notice),
                remedies: remedy::steps(notice.remedies(&run.sync)),
            })
            .collect(),
        counts: Side::BOTH
            .into_iter()
            .map(|side| {
                let objects = run.counts[side].iter();
                let objects = objects.map(|(object, counts)| (object.as_str(), shown(counts))).collect();
                (exchanges[side].as_str(), objects)
            })
            .collect(),
    }
}

/// What the run has to say besides its counts, a line each.
pub(super) fn notices_text(run: &Run, exchanges: &Sides<String>) -> String {
    let text = |notice: &Notice| {
        let remedies = notice.remedies(&run.sync);
        format!("\nnotice: {}{}", Names(exchanges).notice(notice), remedy::lines(&remedies))
    };
    run.notices.iter().map(text).collect()
}

/// The counts as a table, and below it why something needs a look.
pub(super) fn counts_table(run: &Run, exchanges: &Sides<String>) -> String {
    let mut rows = table([
        "side",
        "object",
        "reported",
        "matched",
        "created",
        "updated",
        "unchanged",
        "conflicts",
        "held",
        "failed",
        "other",
    ]);
    let mut reasons: BTreeMap<Code, Counted> = BTreeMap::new();
    for side in Side::BOTH {
        for (object, counts) in &run.counts[side] {
            let others = [
                ("deleted", counts.removed),
                ("reported as gone", counts.deleted),
                ("pending", counts.pending),
                ("excluded", counts.excluded),
            ];
            let others: Vec<String> = others
                .iter()
                .filter(|(_, count)| *count > 0)
                .map(|(name, count)| format!("{count} {name}"))
                .collect();
            let numbers = [
                counts.reported,
                counts.matched,
                counts.created,
                counts.updated,
                counts.unchanged,
                counts.conflicts,
                counts.held,
                counts.failed,
            ];
            let mut row = vec![exchanges[side].clone(), object.clone()];
            row.extend(
                numbers.iter().map(|number| if *number == 0 { "·".to_owned() } else { number.to_string() }),
            );
            row.push(others.join(", "));
            rows.add_row(row);
            for (code, counted) in &counts.reasons {
                reasons.entry(*code).or_default().add_all(counted);
            }
        }
    }
    let mut text = rows.to_string();
    /// How many reasons are worth showing; the rest is in the run.
    const SHOWN: usize = 12;
    for (code, counted) in reasons.iter().take(SHOWN) {
        let reason = Names(exchanges).counted(*code, counted).reason.reason;
        text.push_str(&format!("\n{:>6} × {}", counted.count, cell(&reason, 200)));
    }
    if reasons.len() > SHOWN {
        text.push_str(&format!(
            "\n       and {} more reasons: {} --json",
            reasons.len() - SHOWN,
            remedy::command(&Remedy::ShowRun { run: run.id })
        ));
    }
    text
}

/// Whether a run got so far that its counts say something.
fn got_anywhere(run: &Run) -> bool {
    run.counts.iter().flat_map(BTreeMap::values).any(|counts| *counts != Counts::default())
}

/// Shows how a run ended. `limit`: how many changes of a plan.
pub(super) async fn show(
    tenant: &Tenant,
    definition: &SyncDefinition,
    end: &RunEnd,
    waiting: &Waiting,
    limit: usize,
    output: Output,
) -> anyhow::Result<()> {
    if end.run.options.is_dry() {
        return show_plan(tenant, definition, end, waiting, limit, output).await;
    }
    #[derive(Serialize)]
    struct Shown<'a> {
        #[serde(flatten)]
        run: RunSummary<'a>,
        waiting: &'a Waiting,
    }
    let exchanges = &definition.exchanges;
    let shown = Shown { run: summary(&end.run, exchanges), waiting };
    // What a run that failed at once has counted is nothing; its error says all.
    if end.error.is_some() && !output.json && !got_anywhere(&end.run) {
        return Ok(());
    }
    output.show(&shown, |_| {
        let mut text = counts_table(&end.run, exchanges);
        text.push_str(&notices_text(&end.run, exchanges));
        if end.error.is_none() {
            let (writes, problems) = (end.run.writes(), waiting.total());
            let pending: u64 =
                end.run.counts.iter().flat_map(BTreeMap::values).map(|counts| counts.pending).sum();
            text.push_str(&match (writes, pending, problems) {
                (0, 0, 0) => format!("\nrun {}: nothing to do, both sides agree", end.run.id),
                (0, 0, held) => {
                    format!("\nrun {}: nothing to do but for {held} that wait for you", end.run.id)
                }
                (0, pending, _) => format!("\nrun {}: nothing written, {pending} pending", end.run.id),
                (writes, _, _) => format!(
                    "\nrun {}: {writes} records written; what and why: {}",
                    end.run.id,
                    remedy::command(&Remedy::ShowRun { run: end.run.id })
                ),
            });
        }
        if waiting.total() > 0 {
            text.push('\n');
            text.push_str(&waiting.text(&definition.name));
        }
        text
    })
}

async fn show_plan(
    tenant: &Tenant,
    definition: &SyncDefinition,
    end: &RunEnd,
    waiting: &Waiting,
    limit: usize,
    output: Output,
) -> anyhow::Result<()> {
    #[derive(Serialize)]
    struct Plan<'a> {
        #[serde(flatten)]
        run: RunSummary<'a>,
        waiting: &'a Waiting,
        plan: Vec<ShownChange>,
    }
    let exchanges = &definition.exchanges;
    if end.error.is_some() && !output.json && !got_anywhere(&end.run) {
        return Ok(());
    }
    let changes = tenant.changes(end.run.id, None).await?;
    let plan = Plan {
        run: summary(&end.run, exchanges),
        waiting,
        plan: shown_changes(tenant, definition, &changes).await?,
    };
    output.show(&plan, |plan| {
        let table = format!("{}{}", counts_table(&end.run, exchanges), notices_text(&end.run, exchanges));
        if plan.plan.is_empty() {
            return format!("{table}\nnothing to do");
        }
        let number = end.run.id;
        let next = if end.error.is_none() {
            format!("; do exactly this: {}", remedy::command(&Remedy::ApplyRun { run: number }))
        } else {
            String::new()
        };
        format!(
            "{}\n{table}\nplan of run {number}: {} changes, nothing was written{next}",
            changes_table(&plan.plan, limit),
            plan.plan.len()
        )
    })
}

/// How the command ends for a run that ended so.
pub(super) fn done(end: RunEnd) -> anyhow::Result<Done> {
    if let Some(SyncError::TimeUp) = end.error {
        eprintln!("the time was up; the next run goes on from here");
    } else if let Some(error) = end.error {
        return Err(anyhow::Error::from(error))
            .with_context(|| format!("run {} of {} did not come to its end", end.run.id, end.run.sync));
    }
    Ok(if end.run.problems() > 0 { Done::WithProblems } else { Done::Well })
}
