//! What is taken from the environment of this process, and which part of it the programs get that it starts.

use std::env;
use std::ffi::{OsStr, OsString};
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

/// Gives the command what compilers and package managers need of the environment, and nothing else: a build runs
/// code of the plugin's author and of all its dependencies, and secrets often stand in variables.
pub(crate) fn clean(command: &mut Command) {
    give(command, env::vars_os(), under_cargo());
}

fn give(command: &mut Command, variables: impl IntoIterator<Item = (OsString, OsString)>, nested: bool) {
    command.env_clear();
    command.envs(
        variables.into_iter().filter(|(name, _)| name.to_str().is_some_and(|name| passes(name, nested))),
    );
    // The output is read by this program and shown as text.
    command.env("CARGO_TERM_COLOR", "never").env("CARGO_TERM_PROGRESS_WHEN", "never").env("LC_ALL", "C");
}

/// What a build needs of the environment, by name. Which toolchain to use, where it keeps its files and how it reaches
/// its registry is the person's choice; flags, wrappers and target folders are always meant for another compiler.
const LISTED: [&str; 76] = [
    // The user and the system.
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "TZ",
    "LANG",
    "LANGUAGE",
    "TMPDIR",
    "TMP",
    "TEMP",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "XDG_RUNTIME_DIR",
    // Windows.
    "SYSTEMROOT",
    "SYSTEMDRIVE",
    "WINDIR",
    "COMSPEC",
    "PATHEXT",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "PROGRAMDATA",
    "PROGRAMFILES",
    "PROGRAMFILES(X86)",
    "PROGRAMW6432",
    "NUMBER_OF_PROCESSORS",
    "PROCESSOR_ARCHITECTURE",
    "INCLUDE",
    "LIB",
    "LIBPATH",
    // macOS.
    "SDKROOT",
    "DEVELOPER_DIR",
    "MACOSX_DEPLOYMENT_TARGET",
    // The way to the registries.
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "FTP_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NIX_SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
    // Rust.
    "CARGO_HOME",
    "CARGO_LOG",
    "CARGO_BUILD_JOBS",
    "RUSTUP_HOME",
    "RUSTUP_DIST_SERVER",
    "RUSTUP_DIST_ROOT",
    "RUSTUP_UPDATE_ROOT",
    "RUSTUP_AUTO_INSTALL",
    "RUST_BACKTRACE",
    // Compilers that crates with parts in C call.
    "CC",
    "CXX",
    "AR",
    "WASI_SDK_PATH",
    "PKG_CONFIG_PATH",
    // Python and JavaScript, and those who keep several versions of them.
    "VIRTUAL_ENV",
    "PYENV_ROOT",
    "PYENV_VERSION",
    "CONDA_PREFIX",
    "NVM_DIR",
    "NVM_BIN",
    "FNM_DIR",
    "VOLTA_HOME",
    "ASDF_DIR",
    "ASDF_DATA_DIR",
    "MISE_DATA_DIR",
    "PIP_CACHE_DIR",
    "NPM_CONFIG_CACHE",
    "NPM_CONFIG_PREFIX",
];

/// What begins like this is listed too.
const LISTED_BEGINNINGS: [&str; 8] = [
    "LC_",
    "CARGO_HTTP_",
    "CARGO_NET_",
    "CARGO_REGISTRIES_",
    "CARGO_REGISTRY_",
    "CARGO_SOURCE_",
    "CARGO_CACHE_",
    "CARGO_TERM_",
];

/// What a person sets for the compiler, and an outer cargo for itself.
const OF_A_TOOLCHAIN: [&str; 7] = [
    "CARGO",
    "RUSTC",
    "RUSTDOC",
    "RUSTUP_TOOLCHAIN",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "DYLD_FALLBACK_LIBRARY_PATH",
];

/// Whether a build gets a variable. `nested`: this process was started by a cargo.
fn passes(name: &str, nested: bool) -> bool {
    // Some programs write them small, and to Windows it is all the same.
    let name = name.to_ascii_uppercase();
    // Registries have theirs in cargo's file of credentials, which cargo alone reads.
    const SECRET: [&str; 4] = ["TOKEN", "SECRET", "PASSWORD", "_KEY"];
    if SECRET.iter().any(|word| name.contains(word)) {
        return false;
    }
    if OF_A_TOOLCHAIN.contains(&name.as_str()) {
        return !nested;
    }
    LISTED.contains(&name.as_str()) || LISTED_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
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
            assert!(!passes(name, false), "{name} when called from a shell");
            assert!(!passes(name, true), "{name} when called from cargo");
        }
    }

    #[test]
    fn what_a_person_sets_stays() {
        for name in [
            "CARGO_HOME",
            "CARGO_NET_OFFLINE",
            "CARGO_HTTP_PROXY",
            "CARGO_REGISTRIES_X_INDEX",
            "https_proxy",
            "LC_CTYPE",
            "RUSTUP_DIST_SERVER",
            "CARGO_BUILD_JOBS",
            "PATH",
            "HOME",
            "RUSTUP_HOME",
        ] {
            assert!(passes(name, false), "{name}");
            assert!(passes(name, true), "{name}");
        }
    }

    #[test]
    fn the_toolchain_of_an_outer_cargo_is_not_that_of_the_plugin() {
        for name in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN", "LD_LIBRARY_PATH"] {
            assert!(!passes(name, true), "{name}");
            assert!(passes(name, false), "{name}");
        }
    }

    #[test]
    fn x11_a_build_gets_what_is_listed_and_no_secret() {
        let there = [
            ("PATH", "/bin"),
            ("ENTENTE_KEY", "canary"),
            ("ENTENTE_HOME", "/home"),
            ("SHOP_API_KEY", "canary"),
            ("AWS_SECRET_ACCESS_KEY", "canary"),
            ("GITHUB_TOKEN", "canary"),
            ("DATABASE_URL", "canary"),
            ("SSH_AUTH_SOCK", "canary"),
            ("CARGO_REGISTRY_TOKEN", "canary"),
            ("CARGO_REGISTRIES_X_TOKEN", "canary"),
            ("CARGO_REGISTRIES_X_INDEX", "sparse+https://x.example.com/"),
            ("no_proxy", "localhost"),
        ];
        for nested in [false, true] {
            let mut command = Command::new("cargo");
            command.env("SET_BEFORE", "canary");
            give(&mut command, there.map(|(name, value)| (name.into(), value.into())), nested);
            let given: Vec<&str> = command.get_envs().map(|(name, _)| name.to_str().unwrap()).collect();
            let expected = [
                "CARGO_REGISTRIES_X_INDEX",
                "CARGO_TERM_COLOR",
                "CARGO_TERM_PROGRESS_WHEN",
                "LC_ALL",
                "PATH",
                "no_proxy",
            ];
            assert_eq!(given, expected);
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
