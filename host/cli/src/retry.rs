//! `entente retry`: what failed, and putting it back to be done.

use super::Context;
use super::output::{Done, Usage, cell, table};
use super::remedy;
use entente::view::reason::{Names, ReasonView};
use entente::{DeadLetter, RecordName, Tenant};
use entente_core::{Side, Timestamp};
use entente_sync::Remedy;
use serde::Serialize;

/// Options of `entente retry`.
#[derive(Debug, clap::Args)]
pub(super) struct RetryArgs {
    /// Put these records back to be done, failed and held ones: contact:12 of the hub, HelloWorld/person:p3;
    /// without any, list what failed
    records: Vec<String>,
    /// Only in this sync
    #[arg(long)]
    sync: Option<String>,
    /// Put back everything that failed
    #[arg(long, conflicts_with = "records")]
    all: bool,
    /// Wait for a run that is under way
    #[arg(long)]
    wait: bool,
}

/// Runs the command.
pub(super) async fn run(args: RetryArgs, context: &Context) -> anyhow::Result<Done> {
    let records: Vec<RecordName> =
        args.records.iter().map(|text| text.parse().map_err(Usage)).collect::<Result<_, _>>()?;
    let tenant = context.tenant()?;
    let sync = args.sync.as_deref();
    if args.all {
        let again = tenant.retry_failed(sync, args.wait).await?;
        context.output.show(&again, |again| {
            let lines: Vec<String> = again
                .iter()
                .filter(|(_, count)| **count > 0)
                .map(|(sync, count)| {
                    let next = remedy::command(&Remedy::Sync { sync: Some(sync.clone()) });
                    format!("{count} records are tried again by the next run: {next}")
                })
                .collect();
            if lines.is_empty() { "nothing has failed".to_owned() } else { lines.join("\n") }
        })?;
    } else if records.is_empty() {
        list(&tenant, sync, context).await?;
    } else {
        retry(&tenant, &records, sync, args.wait, context).await?;
    }
    Ok(Done::Well)
}

async fn retry(
    tenant: &Tenant,
    records: &[RecordName],
    sync: Option<&str>,
    wait: bool,
    context: &Context,
) -> anyhow::Result<()> {
    #[derive(Serialize)]
    struct Shown {
        record: String,
        sync: String,
        status: &'static str,
        again: bool,
    }
    let shown: Vec<Shown> = tenant
        .retry_records(records, sync, wait)
        .await?
        .into_iter()
        .map(|one| Shown {
            record: one.record.to_string(),
            sync: one.sync,
            status: one.status.word(),
            again: one.again,
        })
        .collect();
    context.output.show(&shown, |shown| {
        let line = |one: &Shown| match one.again {
            true => format!(
                "{} was {}; it is tried again by the next run: {}",
                one.record,
                one.status,
                remedy::command(&Remedy::Sync { sync: Some(one.sync.clone()) })
            ),
            false => format!(
                "{} is {} in {}; only what failed or is held is put back",
                one.record, one.status, one.sync
            ),
        };
        shown.iter().map(line).collect::<Vec<_>>().join("\n")
    })
}

async fn list(tenant: &Tenant, sync: Option<&str>, context: &Context) -> anyhow::Result<()> {
    #[derive(Serialize)]
    struct Shown<'a> {
        sync: &'a str,
        records: Vec<String>,
        #[serde(flatten)]
        reason: Option<ReasonView>,
        attempts: u32,
        due: Option<Timestamp>,
    }
    let letters = tenant.dead_letters(sync).await?;
    let records = |letter: &DeadLetter| {
        let name = |side: Side| {
            let (exchange, object, id) =
                (&letter.exchanges[side], &letter.objects[side], letter.ids[side].clone()?);
            Some(RecordName { exchange: exchange.clone(), object: object.clone(), id }.to_string())
        };
        Side::BOTH.into_iter().filter_map(name).collect()
    };
    let shown: Vec<Shown<'_>> = letters
        .iter()
        .map(|letter| Shown {
            sync: &letter.sync,
            records: records(letter),
            reason: letter.reason.as_ref().map(|reason| Names(&letter.exchanges).view(reason)),
            attempts: letter.attempts,
            due: letter.due,
        })
        .collect();
    context.output.show(&shown, |shown| {
        if shown.is_empty() {
            return "nothing has failed".to_owned();
        }
        let mut rows = table(["sync", "records", "why", "attempts", "tried again"]);
        for one in shown {
            rows.add_row(vec![
                one.sync.to_owned(),
                one.records.join(" ↔ "),
                cell(one.reason.as_ref().map_or("", |why| why.reason.as_str()), 160),
                one.attempts.to_string(),
                one.due.map_or_else(
                    || "when it changes, or you ask".to_owned(),
                    |due| format!("by a run after {due}"),
                ),
            ]);
        }
        format!("{rows}{}", remedy::lines(&[Remedy::Retry]))
    })
}
