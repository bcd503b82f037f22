//! `entente link`: the word of a person about the counterpart of a record.

use super::Context;
use super::output::{Done, Usage};
use super::remedy;
use entente::{Linked, RecordName};
use entente_sync::Remedy;

/// The commands below `entente link`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum LinkCommand {
    /// Say which record of the other system is the counterpart of one that has none: the next run compares them
    ///
    /// For a record that was sent and never answered, where nothing but a person can tell whether it was made; also for
    /// one that has several possible counterparts.
    Set {
        /// A record without a counterpart: contact:12 of the hub, HelloWorld/person:p3
        record: RecordText,
        /// Its counterpart on the other side, which has none either
        counterpart: RecordText,
        #[command(flatten)]
        common: CommonArgs,
    },
    /// Say that a record that was sent and never answered was not made: the next run may make it
    New {
        /// The record that it was sent for: contact:12 of the hub, HelloWorld/person:p3
        record: RecordText,
        #[command(flatten)]
        common: CommonArgs,
    },
}

/// A record as it was typed.
type RecordText = String;

/// What both have.
#[derive(Debug, clap::Args)]
pub(super) struct CommonArgs {
    /// Only in this sync
    #[arg(long)]
    sync: Option<String>,
    /// Wait for a run that is under way
    #[arg(long)]
    wait: bool,
}

/// Runs the command.
pub(super) async fn run(command: LinkCommand, context: &Context) -> anyhow::Result<Done> {
    let name = |text: &str| text.parse::<RecordName>().map_err(Usage);
    let linked = match command {
        LinkCommand::Set { record, counterpart, common } => {
            let (record, counterpart) = (name(&record)?, name(&counterpart)?);
            let tenant = context.tenant()?;
            tenant.link_records(&record, &counterpart, common.sync.as_deref(), common.wait).await?
        }
        LinkCommand::New { record, common } => {
            let record = name(&record)?;
            context.tenant()?.link_anew(&record, common.sync.as_deref(), common.wait).await?
        }
    };
    context.output.show(&linked, |linked| linked.iter().map(line).collect::<Vec<_>>().join("\n"))?;
    Ok(Done::Well)
}

fn line(one: &Linked) -> String {
    let next = remedy::command(&Remedy::Sync { sync: Some(one.sync.clone()) });
    match &one.counterpart {
        Some(counterpart) => format!(
            "{} is linked with {}; the next run compares them: {next}",
            one.record.shown(),
            counterpart.shown()
        ),
        None => {
            format!("{} counts as not made; the next run decides it anew: {next}", one.record.shown())
        }
    }
}
