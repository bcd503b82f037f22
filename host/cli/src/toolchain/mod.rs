//! Builds a plugin from its source: what `entente plugin build DIR` does.
//!
//! The files of the folder tell the language. Python and JavaScript are for the tools of these languages (`scripted`), which get the
//! interface from here. A plugin author in Rust should need nothing but a crate. The two things that are usually missing are a
//! compiler that knows the WebAssembly target, and a tool that turns the compiled module into a component.
//! The second is a library call. For the first, several ways are tried, cheapest first:
//!
//! 1. the target is installed already;
//! 2. `rustup target add`, for a bounded time, since behind some firewalls it never returns;
//! 3. Debian's compiler, which comes with the source of its standard library. The packages are only unpacked
//!    into a folder of the project: no root, and nothing on the system changes;
//! 4. an error that says why each way failed and what to install.
//!
//! Everything here is synchronous and waits for other programs. Call it from a thread that may block.

mod apt;
mod choose;
mod compile;
mod component;
mod crate_info;
mod debian;
mod environment;
mod error;
mod lock;
mod manifest;
mod packages;
mod process;
mod progress;
mod project;
mod rustup;
mod scripted;
mod sdk;
mod target;
mod wit;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::whole_file::target;
use entente_plugin::Manifest;

pub(crate) use component::{FOLDER, as_component};
pub(crate) use environment::clean;
pub use error::BuildError;
pub(crate) use manifest::add_manifest;
pub use progress::Progress;
use project::Language;

/// The compiler target of a plugin. It imports nothing by itself, so that a plugin imports what its world
/// names and no more.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// How to build. The default suits a plugin in a checkout of its own.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BuildOptions {
    /// Where a compiler is kept that had to be fetched. Without it: `ENTENTE_TOOLCHAIN_DIR`, else
    /// `.toolchain` at the root of the checkout that holds the plugin, else in cargo's workspace.
    pub toolchain_dir: Option<PathBuf>,
    /// Where cargo puts what it compiles. Without it: the target folder of the plugin's own workspace; in other languages
    /// `target` in the folder of the plugin.
    pub target_dir: Option<PathBuf>,
    /// What the plugin asks for. Without it: `plugin.toml` in the folder of the plugin.
    pub manifest: Option<PathBuf>,
    /// Where the component goes. Without it: `components/NAME.wasm` in the target folder.
    pub output: Option<PathBuf>,
    /// How long `rustup target add` may take before it is ended and another way is tried.
    pub target_timeout: Duration,
    /// Fetch nothing: neither a compiler nor a dependency.
    pub offline: bool,
}

impl Default for BuildOptions {
    fn default() -> Self {
        Self {
            toolchain_dir: None,
            target_dir: None,
            manifest: None,
            output: None,
            target_timeout: Duration::from_secs(20),
            offline: false,
        }
    }
}

/// A component that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Built {
    /// The file of the component.
    pub component: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// The name of the package.
    pub package: String,
    /// The version of the package.
    pub version: String,
    /// What it asks for.
    pub manifest: Manifest,
    /// What compiled it.
    pub compiler: Compiler,
}

/// What compiles a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compiler {
    /// The machine's own compiler, which had the target.
    Installed,
    /// The machine's own compiler; rustup added the target just now.
    RustupAdded,
    /// Debian's compiler, unpacked in this folder.
    Debian {
        /// The folder that stands for `/`.
        root: PathBuf,
    },
    /// componentize-py, with a Python in the component.
    ComponentizePy,
    /// componentize-js, with a JavaScript engine in the component.
    ComponentizeJs,
}

impl std::fmt::Display for Compiler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Installed => f.write_str("the installed Rust compiler"),
            Self::RustupAdded => write!(f, "the installed Rust compiler, with {TARGET} added by rustup"),
            Self::ComponentizePy => f.write_str("componentize-py"),
            Self::ComponentizeJs => f.write_str("componentize-js"),
            Self::Debian { root } => write!(f, "Debian's Rust compiler in {}", root.display()),
        }
    }
}

/// Builds the plugin whose source is in `dir` and returns where its component is.
///
/// Safe to call for several plugins at once, from threads or processes: what must not happen twice waits.
///
/// # Errors
/// When `dir` holds nothing that can become a plugin, when no compiler can be had, when the code does not
/// compile, or when a file cannot be written. Every error says what to do next.
pub fn build_plugin(
    dir: &Path,
    options: &BuildOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Built, BuildError> {
    if let Some(output) = &options.output {
        // Before minutes of compiling.
        target(output).map_err(|source| BuildError::Place { path: output.clone(), source })?;
    }
    match project::recognise(dir)? {
        (dir, Language::Rust) => build_crate(&dir, options, progress),
        (dir, language) => scripted::build(&dir, language, options, progress),
    }
}

fn build_crate(
    dir: &Path,
    options: &BuildOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Built, BuildError> {
    // Before anything is fetched: a folder that cannot be built should say so at once. Only a machine without
    // cargo has to get one first.
    let early = match environment::program("cargo") {
        Some(cargo) => Some(crate_info::read(compile::cargo_of_machine(&cargo), dir, options)?),
        None => None,
    };
    let workspace = early.as_ref().map_or(dir, |info| info.workspace_root.as_path());
    let toolchain_dir = environment::toolchain_dir(options.toolchain_dir.as_deref(), dir, workspace)?;

    let compiler = choose::compiler(dir, &toolchain_dir, options, progress)?;
    let plugin = match early {
        Some(info) => info,
        None => crate_info::read(compile::cargo(&compiler)?, dir, options)?,
    };

    // Before minutes of compiling: what is wrong in it should show at once.
    let mut manifest = manifest::read(&plugin.dir, options.manifest.as_deref())?;
    manifest.name.clone_from(&plugin.package);
    manifest.version.clone_from(&plugin.version);

    // Held to the end: plugins of one crate name share their files in a target folder.
    let _guard = compile::claim(&plugin, progress)?;
    let module = compile::compile(&plugin, &compiler, options, progress)?;
    progress(Progress::Encoding);
    let component = add_manifest(&as_component(module)?, &manifest)?;
    component::check(&component)?;
    let file = component::path(&plugin, options.output.as_deref());
    component::write(&file, &component)?;
    Ok(Built {
        component: file,
        bytes: component.len() as u64,
        package: plugin.package,
        version: plugin.version,
        manifest,
        compiler,
    })
}
