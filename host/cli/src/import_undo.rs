//! The undo of an import: `entente record import --undo N` and `entente run undo N`.

use super::changes::{changes_text, left_out_table};
use super::output::{Done, Output};
use super::record_delete::confirmed;
use super::{Context, paging, remedy};
use entente::Tenant;
use entente::view::UndoneImportView;
use entente_sync::{Remedy, RunId};

/// What is asked for.
#[derive(Debug)]
pub(super) struct UndoImport {
    /// The run of the import.
    pub(super) run: RunId,
    /// How many records it was agreed to delete, by their number.
    pub(super) delete: Option<u64>,
    /// Whether it was agreed to delete however many.
    pub(super) yes: bool,
    /// Show only what would be done.
    pub(super) dry_run: bool,
    /// How many records to show.
    pub(super) limit: Option<usize>,
}

/// Undoes an import, or shows what that would be.
pub(super) async fn undo(asked: &UndoImport, tenant: &Tenant, context: &Context) -> anyhow::Result<Done> {
    let output = context.output;
    let listed = listed(asked.limit, output);
    let plan = tenant.undo_import(asked.run, None, listed).await?;
    if asked.dry_run {
        output.show(&plan, undone_text)?;
        return Ok(Done::Well);
    }
    let agreed = match asked.delete {
        Some(count) => count,
        None if asked.yes || plan.deleted == 0 => plan.deleted,
        None => {
            let question = format!(
                "{}\nDelete these {} records, and put {} others back as they were?",
                changes_text(&plan.changes),
                plan.deleted,
                plan.put_back
            );
            let unasked =
                "records are deleted only after a question, with --yes, or with run undo --delete COUNT";
            if !confirmed(&question, unasked)? {
                anyhow::bail!("nothing was put back");
            }
            plan.deleted
        }
    };
    let undone = tenant.undo_import(asked.run, Some(agreed), listed).await?;
    output.show(&undone, undone_text)?;
    Ok(if undone.left > 0 { Done::WithProblems } else { Done::Well })
}

/// How many records are told.
pub(super) fn listed(limit: Option<usize>, output: Output) -> usize {
    match limit {
        None if output.json => usize::MAX,
        limit => paging::limit(limit, output),
    }
}

fn undone_text(undone: &UndoneImportView) -> String {
    let UndoneImportView { run, undoes, deleted, put_back, gone, left, changes, left_out } = undone;
    let mut parts: Vec<String> = Vec::new();
    if !changes.rows.is_empty() {
        parts.push(changes_text(changes));
        parts.extend(first_of(changes.rows.len(), deleted + put_back, "changes"));
    }
    if !left_out.rows.is_empty() {
        parts.push(format!("{left} left out:\n{}", left_out_table(left_out)));
        parts.extend(first_of(left_out.rows.len(), *left, "that were left out"));
    }
    if *gone > 0 {
        parts.push(format!("{gone} records that it had made were deleted before"));
    }
    let totals = |delete: &str, change: &str| {
        format!("{deleted} {delete}, {put_back} {change}, {left} left as they are, or some fields of them")
    };
    parts.push(match run {
        Some(run) => {
            format!(
                "run {run}: the import of run {undoes} is undone; its syncs read that with their next runs, and each does with counterparts of what was deleted what its policy says (deletes; ignore: they stay)\nDone: {}",
                totals("deleted", "changed")
            )
        }
        None if deleted + put_back == 0 => format!("nothing of run {undoes} is left to put back"),
        None => format!(
            "nothing was written; do it: {}\nPlan: {}",
            remedy::command(&Remedy::UndoRun { run: *undoes, deletes: *deleted }),
            totals("to delete", "to change")
        ),
    });
    parts.join("\n")
}

/// That there is more than is shown.
pub(super) fn first_of(shown: usize, all: u64, what: &str) -> Option<String> {
    ((shown as u64) < all)
        .then(|| format!("the first {shown} of {all} {what}; more with --limit, all with --json"))
}
