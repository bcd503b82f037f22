//! `entente completion`: what a shell needs to complete commands and options.

use super::Cli;
use super::door::{Data, data_output};
use super::output::Done;
use clap::CommandFactory;
use clap_complete::Shell;

/// Options of `entente completion`.
#[derive(Debug, clap::Args)]
pub(super) struct CompletionArgs {
    /// The shell
    shell: Shell,
}

/// Runs the command.
pub(super) fn run(args: &CompletionArgs) -> anyhow::Result<Done> {
    clap_complete::generate(args.shell, &mut Cli::command(), "entente", &mut data_output(Data::Text));
    Ok(Done::Well)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
