//! `entente integration calls`: what the plugin of an integration called.

use super::Context;
use super::dates;
use super::output::{Done, Usage, cell, table};
use super::paging::{PageArgs, go_on};
use chrono::Utc;
use entente::CallFilter;
use entente::view::{CallView, Page};

/// Options of `integration calls`.
#[derive(Debug, clap::Args)]
pub(super) struct CallsArgs {
    /// The integration; one that was removed has its calls for as long as they are kept
    name: String,
    /// Only those that left this host
    #[arg(long, conflicts_with = "denied")]
    sent: bool,
    /// Only those that did not leave it
    #[arg(long)]
    denied: bool,
    /// Only those at this time and after it, such as "2020-01-01 00:00:00" or "2 days ago"
    #[arg(long, value_name = "DATE", allow_hyphen_values = true)]
    since: Option<String>,
    #[command(flatten)]
    page: PageArgs,
}

/// Runs the command.
pub(super) async fn run(args: CallsArgs, context: &Context) -> anyhow::Result<Done> {
    let since = args.since.map(|text| dates::parse(&text, Utc::now())).transpose();
    let since = since.map_err(|why| Usage(format!("--since: {why}")))?;
    let left = (args.sent || args.denied).then_some(args.sent);
    let (tenant, filter) = (context.tenant()?, CallFilter { left, since });
    let read = async |request| tenant.list_calls(&args.name, filter, request).await;
    args.page.show(context.output, read, |page| calls_table(&args.name, page)).await?;
    Ok(Done::Well)
}

fn calls_table(name: &str, page: &Page<CallView>) -> String {
    if page.rows.is_empty() {
        return format!("no call of {name} is written down");
    }
    let mut rows = table(["when", "calls", "", "to", "answer", "bytes out", "bytes in", "ms"]);
    for call in &page.rows {
        let when = match call.last {
            Some(last) => format!("{} to {last}", call.at),
            None => call.at.to_string(),
        };
        let target = match (&call.to, &call.path) {
            (Some(to), Some(path)) => format!("{to}{path}"),
            (Some(to), None) => format!("{to}, other paths"),
            _ => "other hosts and paths".to_owned(),
        };
        rows.add_row(vec![
            when,
            call.count.to_string(),
            if call.left { "sent".to_owned() } else { "not sent".to_owned() },
            cell(&format!("{} {target}", call.method.as_deref().unwrap_or_default()), 120),
            answer(call),
            call.bytes_out.to_string(),
            call.bytes_in.to_string(),
            call.ms.to_string(),
        ]);
    }
    format!("{rows}{}", go_on(page))
}

/// The status, and what denied or ended it.
fn answer(call: &CallView) -> String {
    let status = call.status.map(|status| status.to_string());
    let denied = call.denied.as_ref().map(|by| format!("denied: {by}"));
    let error = call.error.clone().filter(|_| denied.is_none());
    [status, denied, error].into_iter().flatten().collect::<Vec<_>>().join(", ")
}
