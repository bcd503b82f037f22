//! What is taken from the environment of this process, and what must not reach the programs that it starts.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::BuildError;

/// True when this process was itself started by cargo (`cargo run`, `cargo test`). cargo then has set
/// variables that describe the outer build.
fn under_cargo() -> bool {
    env::var_os("CARGO_MANIFEST_DIR").is_some()
}

/// Where to find a program of the Rust toolchain: `$CARGO` or `$RUSTC` when a person set it, else the one on
/// the PATH. Under an outer cargo the variable names that cargo's own compiler, which may not be the one that
/// the plugin's folder asks for, so the PATH goes first.
pub(super) fn program(name: &str) -> Option<PathBuf> {
    let named = env::var_os(name.to_uppercase()).filter(|value| !value.is_empty()).map(PathBuf::from);
    if under_cargo() {
        on_path(name).or(named.filter(|file| file.is_file()))
    } else {
        named.or_else(|| on_path(name))
    }
}

/// Where a program is on the PATH.
pub(super) fn on_path(name: &str) -> Option<PathBuf> {
    find_on_path(name, env::var_os("PATH").as_deref())
}

/// Whether a program is on the PATH.
pub(super) fn has_program(name: &str) -> bool {
    on_path(name).is_some()
}

/// Takes from the command what belongs to an outer build or to the compiler of the host.
pub(super) fn clean(command: &mut Command) {
    let nested = under_cargo();
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| leaks(name, nested)) {
            command.env_remove(&name);
        }
    }
    // The output is read by this program and shown as text.
    command.env("CARGO_TERM_COLOR", "never").env("CARGO_TERM_PROGRESS_WHEN", "never").env("LC_ALL", "C");
}

/// Whether a variable would change the plugin's build in a way that nobody asked for. Flags, wrappers and
/// target folders are always meant for the host's compiler; which toolchain to use is the person's choice
/// unless an outer cargo set it.
fn leaks(name: &str, nested: bool) -> bool {
    const CARGO_SETTINGS: [&str; 9] = [
        "CARGO_HOME",
        "CARGO_HTTP_",
        "CARGO_NET_",
        "CARGO_REGISTR",
        "CARGO_TERM_",
        "CARGO_SOURCE_",
        "CARGO_LOG",
        "CARGO_CACHE_",
        "CARGO_BUILD_JOBS",
    ];
    const OF_A_BUILD: [&str; 15] = [
        "RUSTFLAGS",
        "RUSTDOCFLAGS",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_BOOTSTRAP",
        "RUSTC_LINKER",
        "OUT_DIR",
        "TARGET",
        "HOST",
        "NUM_JOBS",
        "OPT_LEVEL",
        "PROFILE",
        "MAKEFLAGS",
        "MFLAGS",
        "DEBUG",
    ];
    const OF_AN_OUTER_CARGO: [&str; 8] = [
        "CARGO",
        "RUSTC",
        "RUSTDOC",
        "RUSTUP_TOOLCHAIN",
        "RUST_RECURSION_COUNT",
        "LD_LIBRARY_PATH",
        "DYLD_LIBRARY_PATH",
        "DYLD_FALLBACK_LIBRARY_PATH",
    ];
    if OF_AN_OUTER_CARGO.contains(&name) {
        return nested;
    }
    if OF_A_BUILD.contains(&name) || name.starts_with("__CARGO") {
        return true;
    }
    name.starts_with("CARGO") && !CARGO_SETTINGS.iter().any(|setting| name.starts_with(setting))
}

fn find_on_path(name: &str, path: Option<&OsStr>) -> Option<PathBuf> {
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    env::split_paths(path?).map(|folder| folder.join(&file)).find(|candidate| candidate.is_file())
}

/// The folder for compilers that had to be fetched.
pub(super) fn toolchain_dir(
    option: Option<&Path>,
    dir: &Path,
    workspace: &Path,
) -> Result<PathBuf, BuildError> {
    let named = option.map(Path::to_path_buf).or_else(|| {
        env::var_os("ENTENTE_TOOLCHAIN_DIR").filter(|value| !value.is_empty()).map(PathBuf::from)
    });
    let folder = named.unwrap_or_else(|| default_toolchain_dir(dir, workspace));
    // Programs are started in other folders than this one.
    std::path::absolute(&folder).map_err(|source| BuildError::ToolchainFolder { path: folder, source })
}

fn default_toolchain_dir(dir: &Path, workspace: &Path) -> PathBuf {
    let checkout = dir.ancestors().filter(|folder| folder.join(".git").exists()).last();
    checkout.unwrap_or(workspace).join(".toolchain")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn an_outer_build_does_not_leak() {
        for name in [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_TARGET_DIR",
            "CARGO_BUILD_TARGET_DIR",
            "CARGO_BUILD_TARGET",
            "RUSTC_WRAPPER",
            "CARGO_MANIFEST_DIR",
            "CARGO_PKG_NAME",
            "CARGO_PROFILE_RELEASE_LTO",
            "CARGO_MAKEFLAGS",
            "CARGO_FEATURE_X",
            "OUT_DIR",
            "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS",
            "CARGO_INCREMENTAL",
            "RUSTC_BOOTSTRAP",
        ] {
            assert!(leaks(name, false), "{name} when called from a shell");
            assert!(leaks(name, true), "{name} when called from cargo");
        }
    }

    #[test]
    fn what_a_person_sets_stays() {
        for name in [
            "CARGO_HOME",
            "CARGO_NET_OFFLINE",
            "CARGO_HTTP_PROXY",
            "CARGO_REGISTRIES_X_TOKEN",
            "CARGO_BUILD_JOBS",
            "PATH",
            "HOME",
            "RUSTUP_HOME",
        ] {
            assert!(!leaks(name, false), "{name}");
            assert!(!leaks(name, true), "{name}");
        }
    }

    #[test]
    fn the_toolchain_of_an_outer_cargo_is_not_that_of_the_plugin() {
        for name in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN", "LD_LIBRARY_PATH"] {
            assert!(leaks(name, true), "{name}");
            assert!(!leaks(name, false), "{name}");
        }
    }

    #[test]
    fn the_toolchain_folder_is_in_the_topmost_checkout() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("outer/inner/plugin");
        std::fs::create_dir_all(&dir).unwrap();
        let workspace = root.path().join("outer/inner");
        assert_eq!(default_toolchain_dir(&dir, &workspace), workspace.join(".toolchain"));
        std::fs::create_dir(root.path().join("outer/inner/.git")).unwrap();
        std::fs::write(root.path().join("outer/.git"), "gitdir: elsewhere").unwrap();
        assert_eq!(default_toolchain_dir(&dir, &workspace), root.path().join("outer/.toolchain"));
    }

    #[test]
    fn a_named_toolchain_folder_wins_and_is_absolute() {
        let folder = toolchain_dir(Some(Path::new("kept")), Path::new("/a"), Path::new("/a")).unwrap();
        assert!(folder.is_absolute() && folder.ends_with("kept"));
    }

    #[test]
    fn programs_are_found_in_path_order() {
        let root = tempfile::tempdir().unwrap();
        let (one, two) = (root.path().join("one"), root.path().join("two"));
        std::fs::create_dir_all(&one).unwrap();
        std::fs::create_dir_all(&two).unwrap();
        let file = format!("tool{}", env::consts::EXE_SUFFIX);
        std::fs::write(two.join(&file), "").unwrap();
        let path = env::join_paths([&one, &two]).unwrap();
        assert_eq!(find_on_path("tool", Some(&path)), Some(two.join(&file)));
        assert_eq!(find_on_path("other", Some(&path)), None);
        assert_eq!(find_on_path("tool", None), None);
    }
}
