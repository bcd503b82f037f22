//! `entente doctor`: whether everything that is needed is there and works.

use super::output::{Done, table};
use super::{Context, remedy};
use entente::view::CheckView;
use entente_sync::Remedy;

/// Options of `entente doctor`.
#[derive(Debug, clap::Args)]
pub(super) struct DoctorArgs {
    /// Do not ask the remote systems
    #[arg(long)]
    offline: bool,
}

/// Runs the command.
pub(super) async fn run(args: DoctorArgs, context: &Context) -> anyhow::Result<Done> {
    let home = context.home();
    let home = home.as_ref().map(|home| home.display().to_string());
    let mut checks = vec![CheckView::new("home folder", home.map_err(wrong))];
    match context.tenant() {
        Ok(tenant) => {
            let key = std::env::var("ENTENTE_KEY").ok();
            checks.extend(tenant.examine(args.offline, key.as_deref()).await);
        }
        Err(error) => checks.push(CheckView::new("database", Err(wrong(&error)))),
    }
    checks.push(CheckView::new("compiler for plugins", Ok(compiler())));
    let well = checks.iter().all(|check| check.well);
    context.output.show(&checks, |checks| {
        let mut rows = table(["", "what", "finding"]);
        for check in checks {
            rows.add_row(vec![
                if check.well { "ok" } else { "wrong" }.to_owned(),
                check.what.clone(),
                check.finding.clone(),
            ]);
        }
        let mut remedies: Vec<&Remedy> = Vec::new();
        for remedy in checks.iter().flat_map(|check| &check.remedies) {
            if !remedies.contains(&remedy) {
                remedies.push(remedy);
            }
        }
        format!("{rows}{}", remedy::lines(remedies))
    })?;
    if !well {
        anyhow::bail!("something needs a look; the lines marked «wrong» say what");
    }
    Ok(Done::Well)
}

/// What is wrong, with what can be done about it.
fn wrong(error: &anyhow::Error) -> (String, Vec<Remedy>) {
    (error.to_string(), remedy::of(error))
}

/// How a plugin would be compiled; that there is no way matters to authors only.
fn compiler() -> String {
    let mut rustc = std::process::Command::new("rustc");
    crate::toolchain::clean(&mut rustc);
    let output = rustc.args(["--print", "sysroot"]).output();
    let sysroot = output
        .ok()
        .filter(|output| output.status.success())
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    match sysroot {
        Some(sysroot)
            if std::path::Path::new(&sysroot).join("lib/rustlib").join(crate::toolchain::TARGET).is_dir() =>
        {
            format!("rustc with {}", crate::toolchain::TARGET)
        }
        Some(_) => format!(
            "rustc without {}; building a plugin adds it, or sets up another compiler",
            crate::toolchain::TARGET
        ),
        None => "no rustc; only needed to build plugins".to_owned(),
    }
}
