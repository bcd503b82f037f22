//! `entente record delete`, `restore` and `erase`.

use super::output::{Done, Usage};
use super::record::reference;
use super::{Context, door, remedy};
use anyhow::Context as _;
use entente::view::DeletedView;
use entente::{ErasureView, RecordName, Tenant};
use entente_sqlite::RecordView;
use entente_sync::Remedy;
use std::io::{BufRead, IsTerminal};

/// Options of `entente record delete`.
#[derive(Debug, clap::Args)]
pub(super) struct DeleteArgs {
    /// The records, such as contact:12
    #[arg(required = true)]
    records: Vec<String>,
    /// Do not ask, also for more than one
    #[arg(long)]
    yes: bool,
    /// Show what would be deleted, and what its syncs would do, and delete nothing
    #[arg(long)]
    dry_run: bool,
}

/// Options of `entente record erase`.
#[derive(Debug, clap::Args)]
pub(super) struct EraseArgs {
    /// The record of the hub, such as contact:12; it may have been deleted
    record: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Wait for a run that is under way
    #[arg(long)]
    wait: bool,
}

/// Deletes records: all of them, or none where one is not there.
pub(super) async fn delete(args: &DeleteArgs, tenant: &Tenant, context: &Context) -> anyhow::Result<Done> {
    let references = args.records.iter().map(|text| reference(text)).collect::<Result<Vec<_>, _>>()?;
    let mut found = Vec::with_capacity(references.len());
    for (object, id) in &references {
        found.push(tenant.show_deletion(object, id).await?);
    }
    if args.dry_run {
        context.output.show(&found, |found| {
            format!("{}\nnothing was deleted", found.iter().map(deletion_text).collect::<Vec<_>>().join("\n"))
        })?;
        return Ok(Done::Well);
    }
    if found.len() > 1 && !args.yes {
        let list: Vec<String> = found.iter().map(deletion_text).collect();
        let question = format!("{}\nDelete these {} records?", list.join("\n"), found.len());
        if !confirmed(&question, "more than one record is deleted only after a question or with --yes")? {
            anyhow::bail!("nothing was deleted");
        }
    }
    for (object, id) in &references {
        tenant.hub().delete(object, id).await?;
    }
    let deleted = DeletedView { deleted: args.records.clone() };
    context.output.show(&deleted, |deleted| {
        let lines: Vec<String> = found.iter().map(deletion_text).collect();
        let restore = deleted.deleted.iter().map(|record| Remedy::RestoreRecord { record: record.clone() });
        let restore: Vec<Remedy> = restore.take(5).collect();
        let told = match found.iter().all(|deletion| deletion.counterparts.is_empty()) {
            true => String::new(),
            false => format!("; with the next run of its syncs each counterpart:\n{}", lines.join("\n")),
        };
        format!("{} deleted{told}{}", deleted.deleted.join(", "), remedy::lines(&restore))
    })?;
    Ok(Done::Well)
}

/// A record that would be deleted, and what its syncs would do.
fn deletion_text(deletion: &entente::view::DeletionView) -> String {
    let title = deletion.title.as_ref().map(|title| format!(" \u{ab}{title}\u{bb}")).unwrap_or_default();
    let mut text = format!("- {}{title}", deletion.record);
    for of in &deletion.counterparts {
        text.push_str(&format!("\n    {}: {} ({})", of.sync, of.record, policy_text(of.deletes)));
    }
    text
}

/// What a policy does with the counterpart of a deleted record.
fn policy_text(policy: entente_sync::DeletePolicy) -> &'static str {
    use entente_sync::DeletePolicy;
    match policy {
        DeletePolicy::Ignore => "stays, policy ignore",
        DeletePolicy::Unlink => "stays and is unlinked, policy unlink",
        DeletePolicy::Delete => "is deleted too, policy delete",
        DeletePolicy::Recreate => "stays, and the record is made again from it, policy recreate",
    }
}

/// Restores deleted records.
pub(super) async fn restore(
    records: &[String],
    wait: bool,
    tenant: &Tenant,
    context: &Context,
) -> anyhow::Result<Done> {
    let names = records
        .iter()
        .map(|text| text.parse::<RecordName>().map_err(Usage))
        .collect::<Result<Vec<_>, _>>()?;
    let mut restored: Vec<RecordView> = Vec::with_capacity(names.len());
    for name in &names {
        restored.push(tenant.restore_record(name, wait).await?);
    }
    context.output.show(&restored, |_| {
        format!(
            "{} restored; the next run compares it with its counterparts, or makes those again that were deleted",
            records.join(", ")
        )
    })?;
    Ok(Done::Well)
}

/// Takes one record out of everything that is kept.
pub(super) async fn erase(args: &EraseArgs, tenant: &Tenant, context: &Context) -> anyhow::Result<Done> {
    let name: RecordName = args.record.parse().map_err(Usage)?;
    if !args.yes {
        let question = format!(
            "Take {name} out of records, links, history, conflicts, messages and logs? This cannot be undone."
        );
        if !confirmed(&question, "a record is erased only after a question or with --yes")? {
            anyhow::bail!("nothing was erased");
        }
    }
    let erased = tenant.erase_record(&name, args.wait).await?;
    context.output.show(&erased, erasure_text)?;
    Ok(if erased.kept_by_plugins.is_empty() { Done::Well } else { Done::WithProblems })
}

fn erasure_text(erased: &ErasureView) -> String {
    let ErasureView { record, pairs, changes, conflicts, messages, log_lines, kept_by_plugins, alike } =
        erased;
    let mut text = format!(
        "{record} is erased: {pairs} links, {changes} changes, {conflicts} conflicts, {messages} messages, {log_lines} log lines. \
         Its id stays, with the time of its deletion. Backups and files that were exported are not touched."
    );
    if !kept_by_plugins.is_empty() {
        text.push_str(&format!(
            "\nleft, since only a plugin can read it: what {} keep for themselves",
            kept_by_plugins.join(", ")
        ));
    }
    if !alike.is_empty() {
        let alike: Vec<String> = alike.iter().map(RecordName::to_string).collect();
        text.push_str(&format!("\nwith the same identifiers, perhaps the same person: {}", alike.join(", ")));
    }
    text
}

/// Has a person at a terminal say yes. Where there is none, `unasked` says what helps.
pub(super) fn confirmed(question: &str, unasked: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Err(Usage(format!("{unasked}; there is no terminal to ask at, and nothing was done")).into());
    }
    door::ask(&format!("{question} [y/N] ")).context("the terminal cannot be written to")?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("the terminal cannot be read")?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}
