//! `entente sync`: one run, and what it did.

use super::output::{Done, Output, Usage, cell, table};
use super::progress::RunProgress;
use super::waiting::{Waiting, waiting};
use super::{Context, dates};
use crate::judge::Side;
use crate::record::Timestamp;
use crate::sync::{Change, ChangeStatus, Counts, Run, RunEnd, RunOptions, RunStatus, SyncDefinition, SyncError};
use crate::tenant::Tenant;
use anyhow::Context as _;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Options of `entente sync`.
#[derive(Debug, clap::Args)]
pub(super) struct SyncArgs {
    /// The sync; `integration add` makes one of the integration's name
    pub(super) name: String,
    /// Only records that changed from here on, on both sides; UTC, or relative such as "-10 minutes"
    #[arg(long, short = 't', value_name = "DATE", allow_hyphen_values = true)]
    pub(super) start_datetime: Option<String>,
    /// Only records that changed before
    #[arg(long, value_name = "DATE", allow_hyphen_values = true)]
    pub(super) end_datetime: Option<String>,
    /// Read everything, as if nothing had ever been synced
    #[arg(long, short = 'f')]
    first_time_sync: bool,
    /// List everything on both sides
    #[arg(long)]
    full: bool,
    /// No writes to the integration
    #[arg(long)]
    disable_push: bool,
    /// No writes to the hub
    #[arg(long)]
    disable_pull: bool,
    /// Only this record of the hub, such as contact:12
    #[arg(long, value_name = "OBJECT:ID")]
    object_id: Vec<String>,
    /// Only this record of the integration, such as person:p12
    #[arg(long, value_name = "OBJECT:ID")]
    integration_object_id: Vec<String>,
    /// Handed to the plugin
    #[arg(long, value_name = "KEY:VALUE")]
    option: Vec<String>,
    /// Show the plan and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Stop at a safe point after this long, such as 5m
    #[arg(long, value_name = "DURATION")]
    max_time: Option<String>,
    /// Wait for a run that is under way
    #[arg(long)]
    wait: bool,
}

impl SyncArgs {
    /// A sync of a window, without further options.
    pub(super) fn window(name: &str, start: &str, end: &str) -> Self {
        Self {
            name: name.to_owned(),
            start_datetime: Some(start.to_owned()),
            end_datetime: Some(end.to_owned()),
            first_time_sync: false,
            full: false,
            disable_push: false,
            disable_pull: false,
            object_id: Vec::new(),
            integration_object_id: Vec::new(),
            option: Vec::new(),
            dry_run: false,
            max_time: None,
            wait: true,
        }
    }

    pub(super) fn options(&self) -> Result<RunOptions, Usage> {
        let now = chrono::Utc::now();
        let date = |name: &str, text: &Option<String>| -> Result<Option<Timestamp>, Usage> {
            text.as_deref().map(|text| dates::parse(text, now).map_err(|why| Usage(format!("--{name}: {why}")))).transpose()
        };
        let since = date("start-datetime", &self.start_datetime)?;
        let until = date("end-datetime", &self.end_datetime)?;
        if let (Some(since), Some(until)) = (since, until)
            && since >= until
        {
            return Err(Usage(format!("--end-datetime ({until}) is not after --start-datetime ({since}); the window is empty")));
        }
        let ids = |option: &str, texts: &[String]| -> Result<Vec<(String, String)>, Usage> {
            texts.iter().map(|text| pair(option, text, "contact:12")).collect()
        };
        let options = RunOptions {
            since,
            until,
            first_time: self.first_time_sync,
            full: self.full,
            disable_push: self.disable_push,
            disable_pull: self.disable_pull,
            dry_run: self.dry_run,
            ids: [ids("object-id", &self.object_id)?, ids("integration-object-id", &self.integration_object_id)?],
            options: self.option.iter().map(|text| pair("option", text, "segment:vip")).collect::<Result<_, _>>()?,
            max_time: self.max_time.as_deref().map(duration).transpose()?,
            wait: self.wait,
            ..RunOptions::default()
        };
        if options.is_window() && (options.first_time || options.full) {
            return Err(Usage(
                "a window and --first-time-sync or --full exclude each other: the first asks for a part, the others for everything"
                    .to_owned(),
            ));
        }
        if options.is_ids() && (options.is_window() || options.first_time || options.full) {
            return Err(Usage("named records and a window, --first-time-sync or --full exclude each other".to_owned()));
        }
        Ok(options)
    }
}

/// Two texts with a colon between; the second may have colons of its own.
fn pair(option: &str, text: &str, example: &str) -> Result<(String, String), Usage> {
    match text.split_once(':') {
        Some((name, rest)) if !name.is_empty() && !rest.is_empty() => Ok((name.to_owned(), rest.to_owned())),
        _ => Err(Usage(format!("--{option}: '{text}' is not of the form {example}"))),
    }
}

/// `90s`, `5m`, `2h`, or seconds.
fn duration(text: &str) -> Result<Duration, Usage> {
    let wrong = || Usage(format!("--max-time: '{text}' is no duration; write for example 90s, 5m or 2h"));
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.trim().parse().map_err(|_| wrong())?;
    let seconds = match &text[digits.len()..] {
        "" | "s" => number,
        "m" => number.saturating_mul(60),
        "h" => number.saturating_mul(3600),
        _ => return Err(wrong()),
    };
    Ok(Duration::from_secs(seconds))
}

/// What a run did, as `--json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct RunSummary<'a> {
    pub(super) run: i64,
    pub(super) sync: &'a str,
    pub(super) status: RunStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<&'a str>,
    pub(super) started: Timestamp,
    pub(super) ended: Option<Timestamp>,
    pub(super) options: &'a RunOptions,
    /// By exchange, then by object.
    pub(super) counts: BTreeMap<&'a str, &'a BTreeMap<String, Counts>>,
}

pub(super) fn summary<'a>(run: &'a Run, exchanges: &'a [String; 2]) -> RunSummary<'a> {
    RunSummary {
        run: run.id,
        sync: &run.sync,
        status: run.status,
        error: run.error.as_deref(),
        started: run.started,
        ended: run.ended,
        options: &run.options,
        counts: Side::BOTH.into_iter().map(|side| (exchanges[side.index()].as_str(), &run.counts[side.index()])).collect(),
    }
}

/// The counts as a table, and below it why something needs a look.
pub(super) fn counts_table(run: &Run, exchanges: &[String; 2]) -> String {
    let mut rows =
        table(["side", "object", "reported", "matched", "created", "updated", "unchanged", "conflicts", "held", "failed", "other"]);
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    for side in Side::BOTH {
        for (object, counts) in &run.counts[side.index()] {
            let others = [("deleted", counts.deleted), ("pending", counts.pending), ("excluded", counts.excluded)];
            let others: Vec<String> =
                others.iter().filter(|(_, count)| *count > 0).map(|(name, count)| format!("{count} {name}")).collect();
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
            let mut row = vec![exchanges[side.index()].clone(), object.clone()];
            row.extend(numbers.iter().map(|number| if *number == 0 { "·".to_owned() } else { number.to_string() }));
            row.push(others.join(", "));
            rows.add_row(row);
            for (reason, count) in &counts.reasons {
                *reasons.entry(reason.clone()).or_default() += count;
            }
        }
    }
    let mut text = rows.to_string();
    /// How many reasons are worth showing; the rest is in the run.
    const SHOWN: usize = 12;
    for (reason, count) in reasons.iter().take(SHOWN) {
        text.push_str(&format!("\n{count:>6} × {}", cell(reason, 160)));
    }
    if reasons.len() > SHOWN {
        text.push_str(&format!("\n       and {} more reasons: entente run show {} --json", reasons.len() - SHOWN, run.id));
    }
    text
}

/// Runs the command.
pub(super) async fn run(args: SyncArgs, context: &Context) -> anyhow::Result<Done> {
    let options = args.options()?;
    let tenant = context.tenant()?;
    let (definition, end) = run_once(&tenant, &args.name, options, context.output).await?;
    let waiting = waiting(&tenant, &definition).await?;
    show(&tenant, &definition, &end, &waiting, context.output).await?;
    let well = done(end)?;
    Ok(if waiting.total() > 0 { Done::WithProblems } else { well })
}

/// Runs a sync with progress; Ctrl-C ends it at the next safe point.
pub(super) async fn run_once(tenant: &Tenant, name: &str, options: RunOptions, output: Output) -> anyhow::Result<(SyncDefinition, RunEnd)> {
    let exchanges = tenant.configuration().definition(name).await?.exchanges;
    let progress = RunProgress::new(output.shows_progress(), exchanges);
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    let listener = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            asked.store(true, Ordering::Relaxed);
            eprintln!("stopping at the next safe point; Ctrl-C again ends at once, which is safe too");
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(130);
            }
        }
    });
    let result = tenant.sync(name, options, &progress, &stop).await;
    listener.abort();
    progress.finish();
    Ok(result?)
}

pub(super) async fn show(
    tenant: &Tenant,
    definition: &SyncDefinition,
    end: &RunEnd,
    waiting: &Waiting,
    output: Output,
) -> anyhow::Result<()> {
    if end.run.options.dry_run {
        return show_plan(tenant, definition, end, waiting, output).await;
    }
    #[derive(Serialize)]
    struct Shown<'a> {
        #[serde(flatten)]
        run: RunSummary<'a>,
        waiting: &'a Waiting,
    }
    let shown = Shown { run: summary(&end.run, &definition.exchanges), waiting };
    output.show(&shown, |_| {
        let mut text = counts_table(&end.run, &definition.exchanges);
        if end.error.is_none() {
            let (writes, problems) = (end.run.writes(), waiting.total());
            let pending: u64 = end.run.counts.iter().flat_map(BTreeMap::values).map(|counts| counts.pending).sum();
            text.push_str(&match (writes, pending, problems) {
                (0, 0, 0) => format!("\nrun {}: nothing to do, both sides agree", end.run.id),
                (0, 0, held) => format!("\nrun {}: nothing to do but for {held} that wait for you", end.run.id),
                (0, pending, _) => format!("\nrun {}: nothing written, {pending} pending", end.run.id),
                (writes, _, _) => format!("\nrun {}: {writes} records written; what and why: entente run show {}", end.run.id, end.run.id),
            });
        }
        if waiting.total() > 0 {
            text.push('\n');
            text.push_str(&waiting.text());
        }
        text
    })
}

/// One change of a plan, for people and programs.
#[derive(Debug, Serialize)]
pub(super) struct ShownChange {
    exchange: String,
    object: String,
    action: &'static str,
    record: Option<String>,
    source: Option<String>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    fields: Vec<ShownField>,
}

/// One field of it.
#[derive(Debug, Serialize)]
struct ShownField {
    field: String,
    before: Option<crate::record::Value>,
    after: crate::record::Value,
    reason: String,
}

pub(super) async fn shown_changes(tenant: &Tenant, definition: &SyncDefinition, changes: &[Change]) -> anyhow::Result<Vec<ShownChange>> {
    use crate::sync::{Action, Ledger};
    let mut shown = Vec::with_capacity(changes.len());
    for chunk in changes.chunks(500) {
        let numbers: Vec<i64> = chunk.iter().map(|change| change.pair).collect();
        let pairs: BTreeMap<i64, crate::sync::Pair> =
            tenant.ledger().pairs(&numbers).await?.into_iter().map(|pair| (pair.id, pair)).collect();
        for change in chunk {
            let Some(mapping) = definition.mapping(change.mapping) else { continue };
            let half = |side: Side| {
                let id = pairs.get(&change.pair)?.half(side).id.as_ref()?;
                Some(format!("{}:{id}", mapping.object(side)))
            };
            shown.push(ShownChange {
                exchange: definition.exchanges[change.target.index()].clone(),
                object: mapping.object(change.target).to_owned(),
                action: match change.action {
                    Action::Create => "create",
                    Action::Update(_) => "update",
                    Action::Delete(_) => "delete",
                },
                record: half(change.target),
                source: half(change.target.other()),
                status: change.status.word(),
                reason: change.reason.clone(),
                fields: change
                    .fields
                    .iter()
                    .map(|field| ShownField {
                        field: mapping
                            .field(field.slot)
                            .map_or_else(|| format!("slot {}", field.slot), |known| known.name(change.target).to_owned()),
                        before: field.base.clone(),
                        after: field.value.clone(),
                        reason: field.reason.clone(),
                    })
                    .collect(),
            });
        }
    }
    Ok(shown)
}

pub(super) fn changes_table(changes: &[ShownChange]) -> String {
    let mut rows = table(["write to", "record", "field", "before", "after", "why"]);
    for change in changes {
        let record =
            change.record.clone().unwrap_or_else(|| format!("new {} from {}", change.object, change.source.as_deref().unwrap_or("?")));
        if change.action == "create" {
            // Everything of a new record is new: its first values tell which one it is.
            let names: Vec<&str> = change.fields.iter().map(|field| field.field.as_str()).collect();
            let values: Vec<String> = change.fields.iter().take(3).map(|field| field.after.to_string()).collect();
            let why = if change.status == ChangeStatus::Done.word() || change.status == ChangeStatus::Planned.word() {
                "new record".to_owned()
            } else {
                format!("{}: {}", change.status, change.reason.as_deref().unwrap_or("new record"))
            };
            let fields = format!("{} fields", names.len());
            rows.add_row(vec![change.exchange.clone(), record, fields, String::new(), cell(&values.join(", "), 60), cell(&why, 80)]);
            continue;
        }
        for (n, field) in change.fields.iter().enumerate() {
            let first = |text: &str| if n == 0 { text.to_owned() } else { String::new() };
            let why = if change.status == ChangeStatus::Done.word() || change.status == ChangeStatus::Planned.word() {
                field.reason.clone()
            } else {
                format!("{}: {}", change.status, change.reason.as_deref().unwrap_or(&field.reason))
            };
            rows.add_row(vec![
                first(&change.exchange),
                first(&record),
                field.field.clone(),
                field.before.as_ref().map(|value| cell(&value.to_string(), 40)).unwrap_or_default(),
                cell(&field.after.to_string(), 40),
                cell(&why, 80),
            ]);
        }
    }
    rows.to_string()
}

async fn show_plan(tenant: &Tenant, definition: &SyncDefinition, end: &RunEnd, waiting: &Waiting, output: Output) -> anyhow::Result<()> {
    #[derive(Serialize)]
    struct Plan<'a> {
        #[serde(flatten)]
        run: RunSummary<'a>,
        waiting: &'a Waiting,
        plan: Vec<ShownChange>,
    }
    let mut changes = Vec::new();
    loop {
        let after = changes.last().map_or(0, |change: &Change| change.id);
        let page = tenant.ledger().changes_of_run(end.run.id, Default::default(), after, 1000).await?;
        if page.is_empty() {
            break;
        }
        changes.extend(page);
    }
    let plan = Plan { run: summary(&end.run, &definition.exchanges), waiting, plan: shown_changes(tenant, definition, &changes).await? };
    output.show(&plan, |plan| {
        let table = counts_table(&end.run, &definition.exchanges);
        if plan.plan.is_empty() {
            return format!("{table}\nnothing to do");
        }
        format!("{}\n{table}\nplan of run {}: {} changes, nothing was written", changes_table(&plan.plan), end.run.id, plan.plan.len())
    })
}

/// How the command ends for a run that ended so.
pub(super) fn done(end: RunEnd) -> anyhow::Result<Done> {
    if let Some(SyncError::TimeUp) = end.error {
        eprintln!("the time was up; the next run goes on from here");
    } else if let Some(error) = end.error {
        return Err(anyhow::Error::from(error)).with_context(|| format!("run {} of {} did not come to its end", end.run.id, end.run.sync));
    }
    Ok(if end.run.problems() > 0 { Done::WithProblems } else { Done::Well })
}
