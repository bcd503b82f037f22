//! `entente retry`: what failed, and putting it back to be done.

use super::Context;
use super::output::{Done, Usage, cell, table};
use super::paging::{PageArgs, go_on, more};
use super::remedy;
use entente::{RecordName, Retried, Tenant};
use entente_core::Foreign;
use entente_sync::Remedy;

/// Options of `entente retry`.
#[derive(Debug, clap::Args)]
pub(super) struct RetryArgs {
    /// Put these records back to be done, failed and held ones: contact:12 of the hub, HelloWorld/person:p3;
    /// without any, list what failed. Where a new record was never answered, the next run asks again what became
    /// of it; so it does for what the other system put off and never said more of
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
    #[command(flatten)]
    page: PageArgs,
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
                .filter(|one| one.records > 0)
                .map(|one| {
                    let next = remedy::command(&Remedy::Sync { sync: Some(one.sync.clone()) });
                    format!("{} records are tried again by the next run: {next}", one.records)
                })
                .collect();
            if lines.is_empty() { "nothing has failed".to_owned() } else { lines.join("\n") }
        })?;
    } else if records.is_empty() {
        list(&tenant, sync, args.page, context).await?;
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
    let retried = tenant.retry_records(records, sync, wait).await?;
    context.output.show(&retried, |retried| {
        let line = |one: &Retried| match one.again {
            true => format!(
                "{} was {}; it is tried again by the next run: {}",
                one.record,
                one.status.word(),
                remedy::command(&Remedy::Sync { sync: Some(one.sync.clone()) })
            ),
            false => format!(
                "{} is {} in {}; only what failed or is held is put back",
                one.record,
                one.status.word(),
                one.sync
            ),
        };
        retried.iter().map(line).collect::<Vec<_>>().join("\n")
    })
}

async fn list(tenant: &Tenant, sync: Option<&str>, page: PageArgs, context: &Context) -> anyhow::Result<()> {
    page.show(
        context.output,
        async |request| tenant.list_failed(sync, request).await,
        |page| {
            if page.rows.is_empty() {
                return "nothing has failed".to_owned();
            }
            let mut rows = table(["sync", "records", "why", "attempts", "tried again"]);
            for one in &page.rows {
                let title = one.title.as_ref().map(|title| Foreign::new(title).quoted());
                let names: Vec<String> = one.records.iter().map(RecordName::to_string).collect();
                let names = [names.join(" ↔ ")].into_iter().chain(title).collect::<Vec<_>>().join(" ");
                rows.add_row(vec![
                    one.sync.clone(),
                    names,
                    cell(one.reason.as_ref().map_or("", |why| why.reason.as_str()), 160),
                    one.attempts.to_string(),
                    one.due.map_or_else(
                        || "when it changes, or you ask".to_owned(),
                        |due| format!("by a run after {due}"),
                    ),
                ]);
            }
            format!("{rows}{}{}", more(page, "that failed") + &go_on(page), remedy::lines(&[Remedy::Retry]))
        },
    )
    .await
}
