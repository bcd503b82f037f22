//! `entente apply`: the configuration from a file.

use super::output::{Done, Usage, print_line};
use super::{Context, remedy};
use entente::ApplyOptions;
use std::path::PathBuf;

/// Options of `entente apply`.
#[derive(Debug, clap::Args)]
pub(super) struct ApplyArgs {
    /// The file, such as entente.toml; its form is described in docs/configuration.md
    file: PathBuf,
    /// Only show the difference
    #[arg(long)]
    dry_run: bool,
    /// Also remove integrations and syncs that the file does not name
    #[arg(long)]
    prune: bool,
}

/// Runs the command.
pub(super) async fn run(args: ApplyArgs, context: &Context) -> anyhow::Result<Done> {
    let tenant = context.tenant()?;
    let plan = tenant.apply(&args.file, ApplyOptions { dry_run: args.dry_run, prune: args.prune }).await?;
    context.output.show(&plan, |plan| {
        let mut text: Vec<String> = plan.lines.iter().map(ToString::to_string).collect();
        text.extend(
            plan.notices.iter().map(|notice| format!("note: {notice}{}", remedy::lines(&notice.remedies))),
        );
        text.push(match (plan.is_empty(), args.dry_run) {
            (true, _) => "nothing to change".to_owned(),
            (false, true) => format!("{} differences; nothing was saved", plan.lines.len()),
            (false, false) => format!("{} differences applied", plan.lines.len()),
        });
        text.join("\n")
    })?;
    Ok(Done::Well)
}

/// Prints the stored configuration.
pub(super) async fn export(context: &Context) -> anyhow::Result<Done> {
    let text = context.tenant()?.configuration().export().await?;
    if context.output.json {
        return Err(Usage("the configuration is a TOML file; leave --json out".to_owned()).into());
    }
    print_line(text.trim_end());
    Ok(Done::Well)
}
