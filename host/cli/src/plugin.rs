//! `entente plugin`: from source to an installed component.

use super::Context;
use super::output::{Done, Output, Usage, cell, table};
use super::progress::spinner;
use super::remedy;
use crate::toolchain::{BuildOptions, Built, add_manifest, build_plugin};
use anyhow::Context as _;
use entente::InstalledPlugin;
use entente::view::{AskView, BuiltPluginView, InspectionView};
use entente_plugin::{Limits, MANIFEST_FILE, Manifest, inspect, read_component, read_text};
use entente_sync::Remedy;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The commands below `entente plugin`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum PluginCommand {
    /// Compile a Rust plugin and make the component, with what plugin.toml asks for
    ///
    /// Uses an installed wasm target; else tries to add one; else unpacks a compiler from Debian packages
    /// into .toolchain. A component that other tools have made gets its manifest: entente plugin build
    /// FILE.wasm --manifest plugin.toml --output OUT.wasm
    Build {
        /// The folder of the crate, or a component
        dir: PathBuf,
        /// What the plugin asks for, for a component that other tools have made [default: plugin.toml beside
        /// Cargo.toml]
        #[arg(long, requires = "output")]
        manifest: Option<PathBuf>,
        /// Where the component goes [default: components/ in the target folder]
        #[arg(long, short)]
        output: Option<PathBuf>,
        /// Download nothing
        #[arg(long)]
        offline: bool,
    },
    /// Say what a file is and what it asks for
    Inspect {
        /// The .wasm file
        file: PathBuf,
    },
    /// Install a component, so that integrations can use it
    Install {
        /// The .wasm file
        file: PathBuf,
        /// The name [default: that of the file]
        #[arg(long)]
        name: Option<String>,
    },
    /// Forget a plugin that no integration runs
    Remove {
        /// The plugin, by name (all its versions) or digest
        name: String,
    },
    /// Installed plugins
    List,
}

/// Builds a plugin, with a spinner.
pub(super) fn build(dir: &Path, options: &BuildOptions, output: Output) -> anyhow::Result<Built> {
    let bar = spinner(output.shows_progress(), "");
    let built = build_plugin(dir, options, &mut |progress| bar.set_message(progress.to_string()));
    bar.finish_and_clear();
    Ok(built?)
}

/// Whole or not at all; somebody may be reading the file.
fn write(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let context = || format!("{} cannot be written", file.display());
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = tempfile::NamedTempFile::new_in(folder).with_context(context)?;
    temporary.write_all(bytes).with_context(context)?;
    temporary.persist(file).with_context(context)?;
    Ok(())
}

/// A line for each thing that is asked for.
fn asks_lines(manifest: &Manifest) -> String {
    AskView::all(manifest).iter().map(|ask| format!("\n  - it {} ({})", ask.words, ask.reason)).collect()
}

fn describe(shown: &InspectionView) -> String {
    let inspection = &shown.inspection;
    let mut text = format!(
        "a plugin for entente:integration@{}, world {}\n{} bytes, {} functions, sha256 {}",
        inspection.version, inspection.world, inspection.size, inspection.functions, inspection.digest
    );
    let manifest = &inspection.manifest;
    if !manifest.name.is_empty() {
        text = format!("{} {}: {}\n{text}", manifest.name, manifest.version, manifest.description);
    }
    let uses: String = inspection.asks.iter().map(|ask| format!("\n  - it {}", ask.words())).collect();
    for (what, lines) in [("it uses", uses), ("it asks for", asks_lines(manifest))] {
        let lines = if lines.is_empty() { " nothing" } else { lines.as_str() };
        text.push_str(&format!("\n{what}:{lines}"));
    }
    if let Some(refused) = &shown.refused {
        text.push_str(&format!("\nit cannot be used as it is: {}", refused.text));
    }
    text.push_str(match (inspection.lookup, inspection.webhook) {
        (true, true) => "\nit can look records up by identifiers, and takes webhooks",
        (true, false) => "\nit can look records up by identifiers",
        (false, true) => "\nit takes webhooks",
        (false, false) => "",
    });
    for (kind, names) in &inspection.producers {
        text.push_str(&format!("\n{kind}: {}", names.join(", ")));
    }
    text
}

/// The name of a file as that of a plugin.
fn named_by(file: &Path) -> Result<String, Usage> {
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    match entente::check_name("plugin", stem) {
        Ok(()) => Ok(stem.to_owned()),
        Err(why) => Err(Usage(format!(
            "the name of the file cannot be that of the plugin ({why}); name it with --name"
        ))),
    }
}

/// The limits of the tenant. Looking at a file makes no home folder.
async fn limits(context: &Context) -> anyhow::Result<Limits> {
    match context.home() {
        Ok(home) if home.is_dir() => Ok(context.tenant()?.limits().await?),
        _ => Ok(Limits::default()),
    }
}

fn install_remedy(file: &Path) -> Remedy {
    Remedy::InstallPlugin { file: Some(file.to_string_lossy().into_owned()) }
}

/// Runs the command.
pub(super) async fn run(command: PluginCommand, context: &Context) -> anyhow::Result<Done> {
    match command {
        PluginCommand::Build { dir, manifest: Some(manifest), output: Some(output), .. } => {
            wrap(&dir, &manifest, &output, context)
        }
        PluginCommand::Build { dir, output, offline, .. } => compile(&dir, output, offline, context),
        PluginCommand::Inspect { file } => look(&file, context).await,
        PluginCommand::Install { file, name } => install(&file, name, context).await,
        PluginCommand::Remove { name } => {
            let removed = context.tenant()?.configuration().remove_plugin(&name).await?;
            context.output.show(&removed, |_| format!("removed the plugin {name}"))?;
            Ok(Done::Well)
        }
        PluginCommand::List => {
            let plugins = context.tenant()?.list_plugins().await?;
            context.output.show(&plugins, |plugins| list_text(plugins))?;
            Ok(Done::Well)
        }
    }
}

/// Gives a component that other tools have made its manifest.
fn wrap(component: &Path, manifest: &Path, output: &Path, context: &Context) -> anyhow::Result<Done> {
    let text = read_text(manifest).with_context(|| format!("{} cannot be read", manifest.display()))?;
    let manifest = Manifest::from_toml(&text).with_context(|| manifest.display().to_string())?;
    let limits = Limits::default();
    let what = || component.display().to_string();
    let bytes = add_manifest(&read_component(component, &limits)?, &manifest).with_context(what)?;
    let inspection = InspectionView::from(inspect(&bytes, &limits).with_context(what)?);
    write(output, &bytes)?;
    context.output.show(&inspection, |inspection| {
        let next = remedy::lines(&[install_remedy(output)]);
        format!("{}\n{}{next}", output.display(), describe(inspection))
    })?;
    Ok(Done::Well)
}

/// Compiles a plugin from its source.
fn compile(dir: &Path, output: Option<PathBuf>, offline: bool, context: &Context) -> anyhow::Result<Done> {
    let options = BuildOptions { output, offline, ..BuildOptions::default() };
    let Built { component, bytes, package, version, compiler, manifest, .. } =
        build(dir, &options, context.output)?;
    let shown = BuiltPluginView {
        component: component.to_string_lossy().into_owned(),
        bytes,
        package,
        version,
        compiler: compiler.to_string(),
        manifest,
    };
    context.output.show(&shown, |shown| {
        let asks = match asks_lines(&shown.manifest).as_str() {
            "" => format!(
                "\nit asks for nothing; what it needs, and why, goes into {MANIFEST_FILE} beside Cargo.toml"
            ),
            asks => format!("\nit asks for:{asks}"),
        };
        let BuiltPluginView { package, version, compiler, component, bytes, .. } = shown;
        let next = remedy::lines(&[install_remedy(Path::new(component))]);
        format!("{package} {version} built with {compiler}: {component} ({bytes} bytes){asks}{next}")
    })?;
    Ok(Done::Well)
}

async fn look(file: &Path, context: &Context) -> anyhow::Result<Done> {
    let limits = limits(context).await?;
    let bytes = read_component(file, &limits)?;
    let inspection = inspect(&bytes, &limits).with_context(|| file.display().to_string())?;
    context.output.show(&InspectionView::from(inspection), describe)?;
    Ok(Done::Well)
}

async fn install(file: &Path, name: Option<String>, context: &Context) -> anyhow::Result<Done> {
    let name = match name {
        Some(name) => name,
        None => named_by(file)?,
    };
    let tenant = context.tenant()?;
    let bytes = read_component(file, &tenant.limits().await?)?;
    let (installed, inspection) =
        tenant.install_plugin(&name, &bytes).await.with_context(|| file.display().to_string())?;
    context.output.show(&installed, |installed| {
        let digest: String = installed.digest.chars().take(12).collect();
        let described = describe(&InspectionView::from(inspection));
        let next = remedy::lines(&[Remedy::AddIntegration { plugin: Some(installed.name.clone()) }]);
        format!("installed {} ({digest}…)\n{described}{next}", installed.name)
    })?;
    Ok(Done::Well)
}

fn list_text(plugins: &[InstalledPlugin]) -> String {
    if plugins.is_empty() {
        let next = remedy::lines(&[Remedy::BuildPlugin { folder: None }]);
        return format!("no plugin is installed{next}");
    }
    let mut rows = table(["name", "digest", "bytes", "interface", "installed", "", "what it says it is"]);
    for plugin in plugins {
        rows.add_row(vec![
            plugin.name.clone(),
            plugin.digest.chars().take(12).collect(),
            plugin.size.to_string(),
            plugin.version.clone().unwrap_or_default(),
            plugin.installed.to_string(),
            if plugin.current { String::new() } else { "older".to_owned() },
            cell(&plugin.description, 60),
        ]);
    }
    rows.to_string()
}
