//! What a run did, for people.

use super::changes::{changes_text, left_out_table, totals};
use super::output::{Done, Output, cell, table};
use super::remedy;
use super::run::print_detail;
use super::waiting::{most, waiting_text};
use super::{door, paging, remedy::command};
use anyhow::Context as _;
use entente::Tenant;
use entente::view::{ChangeQuery, ChangeView, Page, PageRequest, RunDetail, RunView, made};
use entente_sync::{Counts, Message, Remedy, RunEnd, SyncError};
use std::collections::BTreeMap;

/// What the run has to say besides its counts, a line each.
pub(super) fn notices_text(run: &RunView) -> String {
    let text = |notice: &Message| format!("\nnotice: {notice}{}", remedy::lines(&notice.remedies));
    run.notices.iter().map(text).collect()
}

/// The counts as a table, without columns that count nothing, and below it why something needs a look.
pub(super) fn counts_table(run: &RunView) -> String {
    type Count = fn(&Counts) -> u64;
    let columns: [(&str, Count); 12] = [
        ("reported", |counts| counts.reported),
        ("matched", |counts| counts.matched),
        ("created", |counts| counts.created),
        ("updated", |counts| counts.updated),
        ("deleted", |counts| counts.removed),
        ("unchanged", |counts| counts.unchanged),
        ("conflicts", |counts| counts.conflicts),
        ("held", |counts| counts.held),
        ("failed", |counts| counts.failed),
        ("pending", |counts| counts.pending),
        ("excluded", |counts| counts.excluded),
        ("gone", |counts| counts.deleted),
    ];
    let shown: Vec<(&str, Count)> = columns
        .into_iter()
        .filter(|(name, count)| {
            *name == "reported" || run.objects().any(|(.., view)| count(&view.counts) > 0)
        })
        .collect();
    let mut rows = table(["side", "object"]);
    rows.set_header(["side", "object"].into_iter().chain(shown.iter().map(|(name, _)| *name)));
    for (exchange, object, view) in run.objects() {
        let number = |(_, count): &(&str, Count)| match count(&view.counts) {
            0 => "·".to_owned(),
            number => number.to_string(),
        };
        let names = [exchange, object].map(|name| cell(name, 60));
        rows.add_row(names.into_iter().chain(shown.iter().map(number)).collect::<Vec<_>>());
    }
    let mut text = rows.to_string();
    /// How many reasons are worth showing; the rest is in the run.
    const SHOWN: usize = 12;
    for counted in run.reasons.iter().take(SHOWN) {
        text.push_str(&format!("\n{:>6} × {}", counted.count, cell(&counted.reason.reason, 200)));
    }
    if run.reasons.len() > SHOWN {
        text.push_str(&format!(
            "\n       and {} more reasons: {} --json",
            run.reasons.len() - SHOWN,
            command(&Remedy::ShowRun { run: run.run })
        ));
    }
    text
}

/// Whether a run got so far that its counts say something.
fn got_anywhere(run: &RunView) -> bool {
    run.objects().any(|(.., view)| view.counts != Counts::default())
}

/// What is left after a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Left {
    /// The run itself left something: records that it held or failed, fields that it was the first to find in conflict, or changes
    /// of an earlier run that it left out.
    pub(super) itself: bool,
    /// Something waits for the operator in the sync, whichever run left it.
    pub(super) waiting: bool,
}

/// Shows how a run ended. `query`: which changes; `limit`: how many of a plan, where so many were asked for. Says what is left.
pub(super) async fn show(
    tenant: &Tenant,
    end: &RunEnd,
    query: &ChangeQuery,
    limit: Option<usize>,
    output: Output,
) -> anyhow::Result<Left> {
    let options = &end.run.options;
    let (plan, again) = (options.is_dry(), options.applies().or(options.undoes()).is_some());
    // Only plans, and runs that follow from an earlier one, show their changes.
    let changes = (plan || again).then(|| PageRequest::first(paging::limit(limit, output)));
    let detail = tenant.show_ended(&end.run, most(output), query, changes).await?;
    let mut counts = end.run.counts.iter().flat_map(BTreeMap::values);
    let itself = detail.left_out.as_ref().is_some_and(|left_out| !left_out.rows.is_empty())
        || counts.any(|counts| counts.held + counts.failed > 0)
        || tenant.new_conflicts(&end.run).await? > 0;
    let left = Left { itself, waiting: detail.waiting.as_ref().is_some_and(|waiting| waiting.total > 0) };
    // What a run that failed at once has counted is nothing; its error says all.
    if end.error.is_some() && !output.json && !got_anywhere(&detail.run) {
        return Ok(left);
    }
    if output.json && limit.is_none() {
        let query = ChangeQuery { status: made(options), ..query.clone() };
        print_detail(tenant, &end.run, detail, &query).await?;
        return Ok(left);
    }
    let failed = end.error.is_some();
    output.show(&detail, |detail| match (plan, again) {
        (true, true) => undo_plan_text(detail),
        (true, false) => plan_text(detail, failed),
        (_, true) => again_text(detail),
        _ => sync_text(detail, failed),
    })?;
    Ok(left)
}

fn plan_text(detail: &RunDetail, failed: bool) -> String {
    let run = &detail.run;
    let table = format!("{}{}", counts_table(run), notices_text(run));
    let Some(changes) = detail.changes.as_ref().filter(|changes| !changes.rows.is_empty()) else {
        let nothing = match waiting_and_failed(detail) {
            _ if !detail.changes_by_status.is_empty() => {
                format!(
                    "no change of the plan is of these; all of it: {}",
                    command(&Remedy::ShowRun { run: run.run })
                )
            }
            (0, 0) => "nothing to do".to_owned(),
            (waiting, failed) => format!("nothing to do{}", but_for(waiting, failed, run.problems)),
        };
        return format!("{table}\n{nothing}{}{}", log_of_failed(detail), waits(detail));
    };
    let next = if failed {
        String::new()
    } else {
        format!("; do exactly this: {}", command(&Remedy::ApplyRun { run: run.run }))
    };
    let waits_for = match detail.waiting.as_ref().map_or(0, |waiting| waiting.total) {
        0 => String::new(),
        waiting => format!(", {waiting} wait for you"),
    };
    let (shown, all) = (changes.total.unwrap_or_default(), detail.changes_by_status.values().sum::<u64>());
    // What is applied is the plan, not what is shown of it.
    let (count, of) = match shown == all {
        true => (format!("{all} changes"), ""),
        false => (format!("{shown} of {all} changes are of these, and all are applied"), " (of these)"),
    };
    format!(
        "{}\n{table}\nplan of run {}: {count}, nothing was written{next}\nPlan{of}: {}{waits_for}",
        changes_text(changes),
        run.run,
        totals(&detail.totals, true)
    )
}

/// The dry run of an undo.
fn undo_plan_text(detail: &RunDetail) -> String {
    let run = &detail.run;
    let mut text = format!("{}{}", counts_table(run), notices_text(run));
    if let Some(changes) = detail.changes.as_ref().filter(|changes| !changes.rows.is_empty()) {
        text.push_str(&format!("\n{}", changes_text(changes)));
    }
    let changes = detail.changes.as_ref().and_then(|changes| changes.total).unwrap_or_default();
    text.push_str(&format!("\nrun {}: {changes} changes would be made, nothing was written", run.run));
    // Where it deletes, a notice has the command with their number.
    let undoes = run.options.undoes().filter(|_| changes > 0 && run.notices.is_empty());
    if let Some(undoes) = undoes {
        text.push_str(&format!("; do it: {}", command(&Remedy::UndoRun { run: undoes, deletes: 0 })));
    }
    text + &left_out_text(detail) + &format!("\nPlan: {}", totals(&detail.totals, true))
}

fn again_text(detail: &RunDetail) -> String {
    let run = &detail.run;
    let mut text = format!("{}{}", counts_table(run), notices_text(run));
    if let Some(changes) = detail.changes.as_ref().filter(|changes| !changes.rows.is_empty()) {
        text.push_str(&format!("\n{}", changes_text(changes)));
    }
    let written = detail.changes.as_ref().and_then(|changes| changes.total).unwrap_or_default();
    text.push_str(&format!(
        "\nrun {}: {written} {} written",
        run.run,
        ["changes", "change"][usize::from(written == 1)]
    ));
    text + &left_out_text(detail) + &waits(detail) + &done_line(detail)
}

/// What was made, as the last line.
fn done_line(detail: &RunDetail) -> String {
    match detail.totals.iter().any(|total| total.changes > 0) {
        true => format!("\nDone: {}", totals(&detail.totals, false)),
        false => String::new(),
    }
}

/// What was left out, after how much was made.
fn left_out_text(detail: &RunDetail) -> String {
    let left_out = detail.left_out.as_ref().filter(|left_out| !left_out.rows.is_empty());
    let text = |left_out: &Page<ChangeView>| {
        format!("\n{} left out:\n{}", left_out.total.unwrap_or_default(), left_out_table(left_out))
    };
    left_out.map(text).unwrap_or_default()
}

fn sync_text(detail: &RunDetail, failed: bool) -> String {
    let run = &detail.run;
    let mut text = format!("{}{}", counts_table(run), notices_text(run));
    if !failed {
        let number = run.run;
        text.push_str(&match (run.written, run.pending(), waiting_and_failed(detail)) {
            (0, 0, (0, 0)) => format!("\nrun {number}: nothing to do"),
            (0, 0, (waiting, failed)) => {
                format!("\nrun {number}: nothing to do{}", but_for(waiting, failed, run.problems))
            }
            (0, pending, _) => format!("\nrun {number}: nothing written, {pending} pending"),
            (writes, _, _) => format!(
                "\nrun {number}: {writes} {} written; what and why: {}",
                ["records", "record"][usize::from(writes == 1)],
                command(&Remedy::ShowRun { run: number })
            ),
        });
    }
    text + &log_of_failed(detail) + &waits(detail) + &differs(detail) + &done_line(detail)
}

/// Where a run has done nothing: that fields differ nevertheless, on purpose.
fn differs(detail: &RunDetail) -> String {
    let differing = detail.waiting.as_ref().is_some_and(|waiting| waiting.differing);
    match differing && detail.run.written == 0 {
        true => {
            let next = remedy::lines(&[Remedy::ShowDiffering { sync: detail.run.sync.clone() }]);
            format!("\nsome fields differ on purpose{next}")
        }
        false => String::new(),
    }
}

/// How many records wait for the operator, and how many others failed in the run: those that could not be read, or are not
/// there.
fn waiting_and_failed(detail: &RunDetail) -> (u64, u64) {
    let waiting = detail.waiting.as_ref().map_or(0, |waiting| waiting.total);
    let listed = detail.waiting.as_ref().map_or(0, |waiting| waiting.failed);
    let failed: u64 = detail.run.objects().map(|(.., view)| view.counts.failed).sum();
    (waiting, failed.saturating_sub(listed))
}

/// « but for 3 that wait for you and 2 that failed», and how many of them the run has met itself, which `run list` counts.
fn but_for(waiting: u64, failed: u64, met: u64) -> String {
    let text = match (waiting, failed) {
        (0, failed) => format!(" but for {failed} that failed"),
        (waiting, 0) => format!(" but for {waiting} that wait for you"),
        (waiting, failed) => format!(" but for {waiting} that wait for you and {failed} that failed"),
    };
    match met == waiting + failed {
        true => text,
        false => format!("{text}; this run has met {met} of them"),
    }
}

/// Where more is said about records that failed and are in no list.
fn log_of_failed(detail: &RunDetail) -> String {
    match waiting_and_failed(detail) {
        (_, 0) => String::new(),
        _ => remedy::lines(&[Remedy::ShowLog { run: detail.run.run }]),
    }
}

fn waits(detail: &RunDetail) -> String {
    let waiting = detail.waiting.as_ref().filter(|waiting| waiting.total > 0);
    waiting.map(|waiting| format!("\n{}", waiting_text(waiting, &detail.run.sync))).unwrap_or_default()
}

/// How the command ends for a run that ended so. `strict`: also by what earlier runs have left.
pub(super) fn done(end: RunEnd, left: Left, strict: bool) -> anyhow::Result<Done> {
    if let Some(error @ SyncError::TimeUp { .. }) = end.error {
        door::tell(&error.to_string());
    } else if let Some(error) = end.error {
        return Err(anyhow::Error::from(error))
            .with_context(|| format!("run {} of {} did not come to its end", end.run.id, end.run.sync));
    }
    Ok(if left.itself || (strict && left.waiting) { Done::WithProblems } else { Done::Well })
}
