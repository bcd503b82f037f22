//! `entente link`: the word of a person about the counterpart of a record.

use super::Context;
use super::output::{Done, Usage, cell, table};
use super::remedy;
use entente::view::{MergedField, MergedView};
use entente::{LinkOptions, Linked, RecordName};
use entente_sync::Remedy;

/// The commands below `entente link`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum LinkCommand {
    /// Say which record of the other system is the counterpart of one that has none: the next run compares them
    ///
    /// For a record that was sent and never answered, where nothing but a person can tell whether it was made; for one
    /// that has several possible counterparts, whose counterpart was deleted, or whose link was removed.
    Set {
        /// A record without a counterpart: contact:12 of the hub, HelloWorld/person:p3
        record: RecordText,
        /// Its counterpart on the other side, which has none either
        counterpart: RecordText,
        #[command(flatten)]
        common: CommonArgs,
    },
    /// Say that two linked records are not counterparts of each other
    ///
    /// Both stay as they are, and neither is made again on the other side. What syncs have written to them stays too:
    /// `run undo` puts that back, before the link is removed. Afterwards `link set` names the right counterpart, or `link
    /// new` lets one be made.
    Remove {
        /// A record: contact:12 of the hub, HelloWorld/person:p3
        record: RecordText,
        /// The record that it is linked with
        counterpart: RecordText,
        #[command(flatten)]
        common: CommonArgs,
    },
    /// Leave a record out of its syncs: it is neither matched nor written, and its counterpart stays as it is
    ///
    /// For a twin that is to stay here and not to go there, or a record that is nobody else's business. A record that is
    /// linked stays linked, and is compared again from where both were once it is taken in.
    Exclude {
        /// The record: contact:12 of the hub, HelloWorld/person:p3
        record: RecordText,
        #[command(flatten)]
        common: CommonArgs,
    },
    /// Take a record that was left out into its syncs again: the next run decides it
    Include {
        /// The record: contact:12 of the hub, HelloWorld/person:p3
        record: RecordText,
        #[command(flatten)]
        common: CommonArgs,
    },
    /// Merge a record of the hub into another one that is the same: one person, two records
    ///
    /// The other one keeps its values and takes over what it has none for; of an address all or nothing. What referred to the
    /// record refers to the other one since. Syncs read it as a merge: a counterpart that only the first has is that of the other
    /// one then; where both have one, the first one's waits until it is merged or deleted there. `record restore` brings the
    /// record back.
    Merge {
        /// The record that is merged, contact:12, and is gone then
        record: RecordText,
        /// The record that remains: contact:7
        into: RecordText,
        /// Show what would be taken over and what left, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Say that a record has no counterpart: the next run may make one
    ///
    /// For one that was sent and never answered, if you know that it was not made; for one whose counterpart was deleted,
    /// or whose link was removed.
    New {
        /// The record: contact:12 of the hub, HelloWorld/person:p3
        record: RecordText,
        #[command(flatten)]
        common: CommonArgs,
    },
}

/// The most characters of a value.
const LONGEST: usize = 200;

/// A record as it was typed.
type RecordText = String;

/// What all have.
#[derive(Debug, clap::Args)]
pub(super) struct CommonArgs {
    /// Only in this sync
    #[arg(long)]
    sync: Option<String>,
    /// Wait for a run that is under way
    #[arg(long)]
    wait: bool,
    /// Show what both records have, and do nothing
    #[arg(long)]
    dry_run: bool,
}

impl CommonArgs {
    fn options(&self) -> LinkOptions<'_> {
        LinkOptions { sync: self.sync.as_deref(), wait: self.wait, dry: self.dry_run }
    }
}

/// Runs the command.
pub(super) async fn run(command: LinkCommand, context: &Context) -> anyhow::Result<Done> {
    let name = |text: &str| text.parse::<RecordName>().map_err(Usage);
    let linked = match command {
        LinkCommand::Set { record, counterpart, common } => {
            let (record, counterpart) = (name(&record)?, name(&counterpart)?);
            context.tenant()?.link_records(&record, &counterpart, common.options()).await?
        }
        LinkCommand::Remove { record, counterpart, common } => {
            let (record, counterpart) = (name(&record)?, name(&counterpart)?);
            context.tenant()?.unlink_records(&record, &counterpart, common.options()).await?
        }
        LinkCommand::Exclude { record, common } => {
            let record = name(&record)?;
            context.tenant()?.leave_out(&record, common.options()).await?
        }
        LinkCommand::Include { record, common } => {
            let record = name(&record)?;
            context.tenant()?.take_in(&record, common.options()).await?
        }
        LinkCommand::New { record, common } => {
            let record = name(&record)?;
            context.tenant()?.link_anew(&record, common.options()).await?
        }
        LinkCommand::Merge { record, into, dry_run } => {
            let (record, into) = (name(&record)?, name(&into)?);
            let merged = context.tenant()?.merge_records(&record, &into, dry_run).await?;
            context.output.show(&merged, merged_text)?;
            return Ok(Done::Well);
        }
    };
    context.output.show(&linked, |linked| linked.iter().map(text).collect::<Vec<_>>().join("\n"))?;
    Ok(Done::Well)
}

/// What one record took over from another, and what is left of that.
fn merged_text(merged: &MergedView) -> String {
    let MergedView { record, title, merged: gone, merged_title, taken, left, referring, dry } = merged;
    let called = |title: &Option<String>| {
        title.as_ref().map(|title| format!(" \u{ab}{title}\u{bb}")).unwrap_or_default()
    };
    let mut text = format!("~ {record}{}", called(title));
    for MergedField { field, value } in taken {
        text.push_str(&format!("\n    + {field}: {}", cell(&value.to_string(), LONGEST)));
    }
    text.push_str(&format!("\n- {gone}{}", called(merged_title)));
    for MergedField { field, value } in left {
        text.push_str(&format!("\n    - {field}: {}", cell(&value.to_string(), LONGEST)));
    }
    for of in referring {
        text.push_str(&format!("\n~ {of} refers to {record}"));
    }
    let back = remedy::command(&Remedy::RestoreRecord { record: gone.to_data() });
    text + &match dry {
        true => format!("\n{gone} would be merged into {record}; nothing was done"),
        false => format!(
            "\n{gone} is merged into {record}; its syncs read it with the next run. To bring it back: {back}"
        ),
    }
}

/// Both records beside each other, and what was done with them.
fn text(one: &Linked) -> String {
    let mut text = String::new();
    if !one.fields.is_empty() {
        let counterpart = one.counterpart.as_ref().map_or_else(String::new, RecordName::to_string);
        let mut rows = match counterpart.as_str() {
            "" => table(["field", &one.record.to_string()]),
            other => table(["field", &one.record.to_string(), "field", other]),
        };
        let value = |value: &Option<entente_core::Value>| {
            value.as_ref().map_or_else(String::new, |value| cell(&value.to_string(), 50))
        };
        for field in &one.fields {
            let (own, other) = (value(&field.value), value(&field.other));
            let mut row = vec![field.field.clone(), own];
            if one.counterpart.is_some() {
                row.extend([field.other_field.clone(), other]);
            }
            rows.add_row(row);
        }
        text = format!("{rows}\n");
    }
    text + &line(one)
}

fn line(one: &Linked) -> String {
    let next = remedy::command(&Remedy::Sync { sync: Some(one.sync.clone()) });
    let (record, sync) = (&one.record, &one.sync);
    match (one.takes_part, one.dry) {
        (Some(false), true) => return format!("{record} would be left out of {sync}"),
        (Some(false), false) => {
            let back = remedy::command(&Remedy::TakeIn { sync: sync.clone(), record: record.to_data() });
            return format!("{record} is left out of {sync}; to take it in again: {back}");
        }
        (Some(true), true) => return format!("{record} would take part in {sync} again"),
        (Some(true), false) => {
            return format!("{record} takes part in {sync} again; the next run decides it: {next}");
        }
        (None, _) => {}
    }
    match &one.counterpart {
        Some(other) if one.dry && one.removed => {
            format!("the link of {record} with {} would be removed in {sync}", other)
        }
        Some(other) if one.dry => format!("{record} would be linked with {} in {sync}", other),
        None if one.dry => format!("{record} would count as without counterpart in {sync}"),
        Some(other) if one.removed => format!(
            "{record} is no longer linked with {} in {sync}; neither is made again on the other side until you say so",
            other
        ),
        Some(other) => {
            format!("{record} is linked with {}; the next run compares them: {next}", other)
        }
        None => format!("{record} has no counterpart; the next run decides it anew: {next}"),
    }
}
