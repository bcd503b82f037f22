//! `entente plugin`: from source to an installed component.

use super::Context;
use super::output::{Done, Output, Usage, cell, table};
use super::progress::spinner;
use super::remedy;
use crate::toolchain::{BuildOptions, Built, FOLDER, add_manifest, as_component, build_plugin};
use crate::whole_file::write_whole;
use anyhow::Context as _;
use entente::InstalledPlugin;
use entente::view::{AskView, BuiltPluginView, InspectionView};
use entente_core::Foreign;
use entente_plugin::{
    Limits, MANIFEST_FILE, Manifest, inspect, read_component, read_text, with_umask_of_user,
};
use entente_sync::Remedy;
use std::path::{Path, PathBuf};

/// The commands below `entente plugin`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum PluginCommand {
    /// Make the component of a plugin from its source, with what plugin.toml asks for
    ///
    /// A folder with Cargo.toml is Rust: it uses an installed wasm target; else tries to add one; else unpacks
    /// a compiler from Debian packages into .toolchain. One with package.json is JavaScript, one with
    /// pyproject.toml or app.py is Python: componentize-js and componentize-py make the component. A file is
    /// what the tools of another language have made, a core module or a component.
    Build {
        /// The folder of the source, or a .wasm file
        dir: PathBuf,
        /// What the plugin asks for [default: plugin.toml in the folder, or beside the file]
        #[arg(long)]
        manifest: Option<PathBuf>,
        /// Where the component goes [default: components/ in the target folder, or beside the file]
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
    let built = with_umask_of_user(|| {
        build_plugin(dir, options, &mut |progress| {
            bar.set_message(Foreign::new(progress.to_string()).cut(200))
        })
    });
    bar.finish_and_clear();
    Ok(built?)
}

/// A line for each thing that is asked for.
fn asks_lines(manifest: &Manifest) -> String {
    AskView::all(manifest).iter().map(|ask| format!("\n  - it {ask}")).collect()
}

fn describe(shown: &InspectionView) -> String {
    let inspection = &shown.inspection;
    let mut text = format!(
        "a plugin for entente:integration@{}, world {}\n{} bytes, {} functions, sha256 {}",
        inspection.version, inspection.world, inspection.size, inspection.functions, inspection.digest
    );
    let manifest = &inspection.manifest;
    if !manifest.name.is_empty() {
        let Manifest { name, version, description, .. } = manifest;
        text =
            format!("it says: {}\n{text}", Foreign::new(format!("{name} {version}: {description}")).quoted());
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
        text.push_str(&format!("\n{kind}, as the file says: {}", names.join(", ")));
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
        PluginCommand::Build { dir: file, manifest, output, .. } if file.is_file() => {
            wrap(&file, manifest, output, context)
        }
        PluginCommand::Build { dir, manifest, output, offline } => {
            compile(&dir, BuildOptions { manifest, output, offline, ..BuildOptions::default() }, context)
        }
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

/// Makes a component of what other tools have made, and gives it its manifest.
fn wrap(
    file: &Path,
    manifest: Option<PathBuf>,
    output: Option<PathBuf>,
    context: &Context,
) -> anyhow::Result<Done> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let manifest = manifest.unwrap_or_else(|| folder.join(MANIFEST_FILE));
    let text = read_text(&manifest).with_context(|| {
        format!(
            "{} cannot be read. It says what the plugin asks for; name another with --manifest",
            manifest.display()
        )
    })?;
    let mut manifest = Manifest::from_toml(&text).with_context(|| manifest.display().to_string())?;
    let name = file.file_stem().unwrap_or_default();
    if manifest.name.is_empty() {
        manifest.name = name.to_string_lossy().into_owned();
    }
    let output = output.unwrap_or_else(|| folder.join(FOLDER).join(name).with_extension("wasm"));
    let limits = Limits::default();
    let what = || file.display().to_string();
    let component = as_component(read_component(file, &limits)?).with_context(what)?;
    let bytes = add_manifest(&component, &manifest).with_context(what)?;
    let inspection = inspect(&bytes, &limits).with_context(what)?;
    inspection.check_asks().with_context(what)?;
    let inspection = InspectionView::from(inspection);
    with_umask_of_user(|| write_whole(&output, &bytes))
        .with_context(|| format!("{} cannot be written", output.display()))?;
    context.output.show(&inspection, |inspection| {
        let next = remedy::lines(&[install_remedy(&output)]);
        format!("{}\n{}{next}", output.display(), describe(inspection))
    })?;
    Ok(Done::Well)
}

/// Compiles a plugin from its source.
fn compile(dir: &Path, options: BuildOptions, context: &Context) -> anyhow::Result<Done> {
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
                "\nit asks for nothing; what it needs, and why, goes into {MANIFEST_FILE} in its folder"
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
