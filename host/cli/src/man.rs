//! `entente man`: a man page for each command.

use super::output::Done;
use anyhow::Context as _;
use std::path::PathBuf;

/// Options of `entente man`.
#[derive(Debug, clap::Args)]
pub(super) struct ManArgs {
    /// The folder; it has to be there
    folder: PathBuf,
}

/// Runs the command.
pub(super) fn run(args: &ManArgs) -> anyhow::Result<Done> {
    clap_mangen::generate_to(super::command(), &args.folder)
        .with_context(|| format!("{} cannot be written", args.folder.display()))?;
    Ok(Done::Well)
}
