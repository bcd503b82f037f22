//! `entente apply`: the configuration from a file.

use super::door::{Data, data_output};
use super::output::{Done, Usage};
use super::{Context, remedy};
use anyhow::Context as _;
use entente::{ApplyOptions, File, FileInputs};
use entente_plugin::{read_at_most, read_text};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// More than any limit allows; the limit of the tenant is looked at later.
const MOST_COMPONENT: u64 = 256 << 20;

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
    let text = read_text(&args.file).with_context(|| format!("{} cannot be read", args.file.display()))?;
    let file = File::parse(&text).with_context(|| args.file.display().to_string())?;
    let folder = args.file.parent().unwrap_or(Path::new(""));
    let component = |path: &Path| {
        let path = folder.join(path);
        let named = |why: io::Error| io::Error::new(why.kind(), format!("{}: {why}", path.display()));
        read_at_most(&path, MOST_COMPONENT).map_err(named)
    };
    let variable = |name: &str| std::env::var(name).ok();
    let inputs = FileInputs { component: &component, variable: &variable };
    let options = ApplyOptions { dry_run: args.dry_run, prune: args.prune };
    let plan = tenant.apply(&file, inputs, options).await?;
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
    writeln!(data_output(Data::Text), "{}", text.trim_end())?;
    Ok(Done::Well)
}
