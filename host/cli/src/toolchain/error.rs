//! What can go wrong in a build. Every text says what happened and what to do next.

use std::io;
use std::path::PathBuf;

use entente_core::Foreign;
use thiserror::Error;

use super::TARGET;

/// How many lines of a compiler's output an error shows. The whole output is in the error's field.
const SHOWN_LINES: usize = 40;

/// Why a plugin was not built.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The folder is not there, or cannot be opened.
    #[error("cannot open the folder {}: {source}. Give the folder of a plugin's source, the one with its Cargo.toml", path.display())]
    Folder {
        /// The folder as given.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The folder has none of the files that a language begins with.
    #[error("{} has none of Cargo.toml (Rust), package.json (JavaScript), pyproject.toml and app.py (Python). Give the folder of a plugin's source, or the .wasm file that the tools of another language have made", path.display())]
    NotAProject {
        /// The folder.
        path: PathBuf,
    },
    /// The tool that makes components of a language is not there.
    #[error("{tool} is not installed: {looked}. In {}:\n  {}", path.display(), commands.join("\n  "))]
    NoTool {
        /// The tool.
        tool: &'static str,
        /// Where it was looked for.
        looked: String,
        /// The folder of the plugin.
        path: PathBuf,
        /// Commands that install it.
        commands: Vec<String>,
    },
    /// The folder does not say what the plugin exports and imports.
    #[error("there is no {}. It says what the plugin is, and what it uses; for one that sends requests with a secret:\n\n{WORLD}", path.display())]
    NoWorld {
        /// The file.
        path: PathBuf,
    },
    /// The world of the plugin is not right.
    #[error("{}: {reason}", path.display())]
    World {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The file with what the plugin asks for cannot be used.
    #[error("{}: {reason}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line.
        reason: String,
    },
    /// What a manifest should go into is no component.
    #[error("the manifest cannot be put into this file: {reason}")]
    NotAComponent {
        /// What it is instead.
        reason: String,
    },
    /// No host would install what was made.
    #[error("it was built, and no host would install it: {reason}")]
    NotInstallable {
        /// Why.
        reason: String,
    },
    /// The `Cargo.toml` is that of a workspace and not of a package.
    #[error("{} is a workspace, not one plugin. Give the folder of one of its packages: {}", path.display(), list(members))]
    Workspace {
        /// The folder.
        path: PathBuf,
        /// The folders of its packages.
        members: Vec<PathBuf>,
    },
    /// cargo cannot read the crate.
    #[error("cargo cannot read {}:\n{}\nCorrect the file and build again", manifest.display(), excerpt(stderr))]
    Metadata {
        /// The `Cargo.toml`.
        manifest: PathBuf,
        /// What cargo said.
        stderr: String,
    },
    /// The crate does not compile to a module.
    #[error("the package {package} makes no WebAssembly module. Add to {}:\n\n[lib]\ncrate-type = [\"cdylib\"]\n", manifest.display())]
    NoCdylib {
        /// The name of the package.
        package: String,
        /// The `Cargo.toml`.
        manifest: PathBuf,
    },
    /// No compiler for the target, and none could be had.
    #[error(
        "no compiler for {TARGET}, and none could be set up:{}\nDo one of these and build again:\n  - rustup target add {TARGET}\n  - on Debian: apt-get install gcc, and let this command fetch the compiler (packages rustc-web, cargo-web, rust-web-src, libstd-rust-web-dev) from a machine that reaches its package source\n  - copy the toolchain folder of a machine where it worked, and name it in ENTENTE_TOOLCHAIN_DIR",
        reasons(attempts)
    )]
    NoCompiler {
        /// Each way that was tried, and why it failed.
        attempts: Vec<String>,
    },
    /// The folder for compilers cannot be used.
    #[error("cannot write to the toolchain folder {}: {source}. Make it writable, or name another in ENTENTE_TOOLCHAIN_DIR", path.display())]
    ToolchainFolder {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A program could not be started or followed.
    #[error("cannot run {program}: {source}. See that it is installed and on the PATH")]
    Program {
        /// The program.
        program: String,
        /// What the system says.
        source: io::Error,
    },
    /// A program did not end in its time.
    #[error("{program} did not end within {seconds} s and was stopped. Run it by hand in {} to see what it waits for", path.display())]
    Slow {
        /// The program.
        program: String,
        /// Its time.
        seconds: u64,
        /// Where it ran.
        path: PathBuf,
    },
    /// The code does not compile.
    #[error(
        "the plugin {package} does not compile:\n{}\nCorrect the code and build again{}",
        excerpt(stderr),
        advice(stderr)
    )]
    Compile {
        /// The name of the package.
        package: String,
        /// All that cargo and the compiler said.
        stderr: String,
    },
    /// cargo was content but left no module.
    #[error("cargo compiled {package} but left no module at {}. Remove the target folder and build again", path.display())]
    NoModule {
        /// The name of the package.
        package: String,
        /// Where the module was expected.
        path: PathBuf,
    },
    /// The bytes are no core module.
    #[error(
        "not a core WebAssembly module: {reason}. Give the module that the compiler wrote; a finished component is taken as well"
    )]
    NotAModule {
        /// What the parser says.
        reason: String,
    },
    /// The module does not say which WIT world it is written for.
    #[error(
        "the module describes no component: it does not say which world it is written for. In Rust, depend on entente-sdk and export the plugin with its macro (or, without the SDK, with wit_bindgen::generate! and export!); in other languages, generate bindings with wit-bindgen, or put the world in with `wasm-tools component embed`"
    )]
    NoComponentType,
    /// The module does not fit the world that it names.
    #[error(
        "the module cannot become a component: {reason}. It must import nothing but what its WIT world names; a dependency that needs a file system, sockets or a JavaScript host is the usual cause"
    )]
    Encode {
        /// What the encoder says.
        reason: String,
    },
    /// The component cannot be where it was asked for.
    #[error("{} cannot be written: {source}", path.display())]
    Place {
        /// The place.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {source}. See that the folder is writable and the disk not full", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// What an author begins with.
const WORLD: &str = "\
package my:plugin;

world plugin {
  include entente:integration/integration@0.1.0-draft.2;
  include entente:integration/with-secrets@0.1.0-draft.2;
  // For Python; JavaScript has `fetch`.
  import wasi:http/outgoing-handler@0.2.12;
}
";

fn list(paths: &[PathBuf]) -> String {
    if paths.is_empty() {
        return "it has none yet".to_owned();
    }
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn reasons(attempts: &[String]) -> String {
    attempts.iter().map(|attempt| format!("\n  - {attempt}")).collect()
}

fn advice(stderr: &str) -> &'static str {
    if stderr.contains("linker `cc` not found") {
        ". Build scripts and macros need a C compiler to link with: install gcc"
    } else if stderr.contains("lock file") && stderr.contains("--locked") {
        ". Cargo.lock does not fit Cargo.toml: run `cargo update --workspace` in the plugin's folder"
    } else if stderr.contains("entente-sdk") && stderr.contains("failed to load source for dependency") {
        ". The folder of the SDK is not there. Without one, `entente-sdk = \"0.1.0\"` in Cargo.toml takes the copy that this program carries"
    } else {
        ""
    }
}

/// The part of a compiler's output that helps: from the first error on, without lines that only tell how far
/// it got.
pub(super) fn excerpt(output: &str) -> String {
    let lines: Vec<&str> = output.lines().filter(|line| !is_status(line)).collect();
    let first = lines.iter().position(|line| line.starts_with("error")).unwrap_or(0);
    let from = if lines.len() <= SHOWN_LINES { 0 } else { first };
    let shown: Vec<&str> = lines.iter().skip(from).take(SHOWN_LINES).copied().collect();
    let left = lines.len().saturating_sub(from + shown.len());
    // Indented: no line of a stranger's program begins like one of ours.
    let lines = shown.iter().map(|line| format!("  | {}", Foreign::new(line)));
    let mut text = lines.collect::<Vec<_>>().join("\n").trim_end().to_owned();
    if left > 0 {
        text.push_str(&format!("\n… and {left} more lines"));
    }
    if text.is_empty() {
        text.push_str("  (it said nothing)");
    }
    text
}

fn is_status(line: &str) -> bool {
    let Some(word) = line.strip_prefix("  ").and_then(|line| line.split_whitespace().next()) else {
        return false;
    };
    matches!(
        word,
        "Compiling"
            | "Checking"
            | "Downloading"
            | "Downloaded"
            | "Updating"
            | "Locking"
            | "Adding"
            | "Fresh"
            | "Blocking"
            | "Finished"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_starts_at_the_first_error() {
        let mut output = String::from("   Compiling a v0.1.0\n");
        for number in 0..50 {
            output.push_str(&format!("warning: {number}\n"));
        }
        output.push_str("error[E0308]: mismatched types\n");
        for number in 0..60 {
            output.push_str(&format!(" line {number}\n"));
        }
        let text = excerpt(&output);
        assert!(text.starts_with("  | error[E0308]"), "{text}");
        assert!(text.ends_with("… and 21 more lines"), "{text}");
        assert_eq!(text.lines().count(), SHOWN_LINES + 1);
    }

    #[test]
    fn a_short_output_is_shown_whole_but_for_status_lines() {
        let text = excerpt("    Updating index\nerror: no\n   Compiling x v1\n\nCaused by:\n  yes\n");
        assert_eq!(text, "  | error: no\n  | \n  | Caused by:\n  |   yes");
        assert_eq!(excerpt(""), "  (it said nothing)");
    }

    #[test]
    fn no_compiler_names_every_way_and_the_remedy() {
        let error = BuildError::NoCompiler {
            attempts: vec![
                "rustc: not installed".into(),
                "rustup: not installed".into(),
                "Debian: no apt-get".into(),
            ],
        };
        let text = error.to_string();
        for part in [
            "rustc: not installed",
            "rustup: not installed",
            "Debian: no apt-get",
            "rustup target add wasm32-unknown-unknown",
            "rustc-web",
            "ENTENTE_TOOLCHAIN_DIR",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }

    #[test]
    fn a_crate_without_module_is_told_what_to_write() {
        let error = BuildError::NoCdylib { package: "demo".into(), manifest: "demo/Cargo.toml".into() };
        assert!(error.to_string().contains("crate-type = [\"cdylib\"]"));
    }

    #[test]
    fn a_missing_linker_is_explained() {
        let error =
            BuildError::Compile { package: "demo".into(), stderr: "error: linker `cc` not found".into() };
        assert!(error.to_string().contains("install gcc"));
    }

    #[test]
    fn a_workspace_lists_its_members() {
        let error =
            BuildError::Workspace { path: "all".into(), members: vec!["all/a".into(), "all/b".into()] };
        assert!(error.to_string().contains("all/a, all/b"));
        let error = BuildError::Workspace { path: "all".into(), members: vec![] };
        assert!(error.to_string().contains("it has none yet"));
    }
}
