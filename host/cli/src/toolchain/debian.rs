//! Debian's compiler, unpacked into a folder. It builds the standard library for the target from the source
//! that it brings, so nothing has to exist in compiled form. Later builds share the result through their
//! target folder.
//!
//! `debian` in the toolchain folder is complete or absent: it gets its name when all is unpacked and the
//! compiler has answered. A set-up that was killed leaves a folder `setup-…`, which the next one removes. To
//! have a newer compiler, remove `debian`.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::apt::{self, Apt};
use super::process::{self, RunError};
use super::{Progress, environment, packages, target};

const SETUP: &str = "setup-";
/// The loader may have to read a library of 150 MB from a cold disk.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// A compiler that is unpacked and can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Debian {
    root: PathBuf,
    libraries: OsString,
    linker: PathBuf,
}

/// Where the compiler is, in a toolchain folder.
pub(super) fn root(toolchain_dir: &Path) -> PathBuf {
    toolchain_dir.join("debian")
}

/// Whether a compiler is unpacked.
pub(super) fn is_unpacked(toolchain_dir: &Path) -> bool {
    root(toolchain_dir).join("usr/bin/rustc").is_file()
}

impl Debian {
    /// Finds the parts of an unpacked compiler. `dir` is where the machine's own compiler is asked for its
    /// linker if Debian's is not there.
    pub(super) fn open(root: &Path, dir: &Path) -> Result<Self, String> {
        let libraries = library_path(root)?;
        let linker = linker(root)
            .or_else(|| target::sysroot(dir).ok().and_then(|sysroot| rust_lld(&sysroot)))
            .or_else(|| ["wasm-ld", "rust-lld"].into_iter().find_map(environment::program))
            .ok_or("there is no linker for WebAssembly: install Debian's package lld, or a Rust toolchain with rust-lld")?;
        Ok(Self { root: root.to_path_buf(), libraries, linker })
    }

    /// cargo, set up to use this compiler.
    pub(super) fn cargo(&self) -> Command {
        let mut command = self.command("cargo");
        command
            .env("RUSTC", self.root.join("usr/bin/rustc"))
            .env("RUSTDOC", self.root.join("usr/bin/rustdoc"))
            // Building the standard library is an unstable feature of cargo; this admits it in a stable one.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", &self.linker);
        command
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.root.join("usr/bin").join(program));
        environment::clean(&mut command);
        command.env("LD_LIBRARY_PATH", &self.libraries);
        command
    }

    /// Runs the compiler and cargo once, so that a missing library shows here and not in a plugin's build.
    fn answers(&self) -> Result<(), String> {
        for program in ["rustc", "cargo"] {
            let mut command = self.command(program);
            command.arg("-V");
            match process::run(command, Some(ANSWER_LIMIT), &mut |_| {}) {
                Ok(finished) if finished.status.success() => {}
                Ok(finished) => {
                    return Err(format!("{program} of Debian does not run here: {}", finished.stderr.trim()));
                }
                Err(RunError::Io(error)) => {
                    return Err(format!("{program} of Debian does not run here: {error}"));
                }
                Err(RunError::Slow { .. }) => {
                    return Err(format!("{program} of Debian does not answer"));
                }
            }
        }
        Ok(())
    }
}

/// Fetches and unpacks the compiler. The caller holds the lock of the folder.
pub(super) fn set_up(
    toolchain_dir: &Path,
    dir: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), String> {
    if let Some(missing) = apt::PROGRAMS.iter().find(|program| !environment::has_program(program)) {
        return Err(format!("this is no Debian: there is no {missing}"));
    }
    remove_leftovers(toolchain_dir, None);
    let failed =
        |what: &str, error: std::io::Error| format!("cannot {what} in {}: {error}", toolchain_dir.display());
    let setup = tempfile::Builder::new()
        .prefix(SETUP)
        .tempdir_in(toolchain_dir)
        .map_err(|error| failed("make a folder", error))?;
    let (apt_dir, debs, unpacked) =
        (setup.path().join("apt"), setup.path().join("debs"), setup.path().join("root"));
    fs::create_dir(&debs).map_err(|error| failed("make a folder", error))?;
    fs::create_dir(&unpacked).map_err(|error| failed("make a folder", error))?;

    progress(Progress::PackageLists);
    let apt = Apt::new(&apt_dir)?;
    let updated = apt.update();
    let names = choose(&apt).map_err(|reason| match &updated {
        Ok(()) => reason,
        Err(update) => format!("{reason} ({update})"),
    })?;
    apt.download(&names, &debs, progress)?;
    unpack_all(&debs, &unpacked, names.len(), progress)?;
    Debian::open(&unpacked, dir)?.answers()?;

    let finished = root(toolchain_dir);
    if finished.exists() {
        // Not one of ours: it lacks the compiler.
        fs::remove_dir_all(&finished).map_err(|error| failed("remove a broken compiler", error))?;
    }
    fs::rename(&unpacked, &finished).map_err(|error| failed("name the compiler's folder", error))?;
    // Once more: when a set-up is killed, the program that it was running goes on writing for a while.
    remove_leftovers(toolchain_dir, Some(setup.path()));
    Ok(())
}

fn choose(apt: &Apt) -> Result<Vec<String>, String> {
    let depends = apt.depends(&packages::ROOTS)?;
    let mut names = packages::select(&depends, &apt::installed()?)?;
    // Not every release has the linker under this name; then another is looked for when it is needed.
    names.extend(packages::linker_package(&names).filter(|name| apt.depends(&[name]).is_ok()));
    Ok(names)
}

fn unpack_all(debs: &Path, root: &Path, of: usize, progress: &mut dyn FnMut(Progress)) -> Result<(), String> {
    let mut files: Vec<PathBuf> = debs
        .read_dir()
        .map_err(|error| format!("cannot read the fetched packages: {error}"))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension() == Some(OsStr::new("deb")))
        .collect();
    files.sort();
    if files.len() < of {
        return Err(format!("apt-get fetched {} of {of} packages", files.len()));
    }
    for (index, file) in files.iter().enumerate() {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let package = name.split('_').next().unwrap_or_default().to_owned();
        progress(Progress::Unpacking { package, number: index + 1, of });
        apt::unpack(file, root)?;
        // At once, not at the end: the packages and their contents together take a gigabyte.
        let _ = fs::remove_file(file);
        prune(root);
    }
    Ok(())
}

/// Removes what no build reads. The source of the compiler alone is larger than all the rest.
fn prune(root: &Path) {
    for name in ["usr/share/doc", "usr/share/man", "usr/share/lintian"] {
        let _ = fs::remove_dir_all(root.join(name));
    }
    for source in folders(&root.join("usr/src")) {
        for entry in source.read_dir().into_iter().flatten().flatten() {
            if entry.file_name() == "library" {
                continue;
            }
            let path = entry.path();
            let _ = if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                fs::remove_dir_all(&path)
            } else {
                fs::remove_file(&path)
            };
        }
    }
}

fn remove_leftovers(toolchain_dir: &Path, except: Option<&Path>) {
    for folder in folders(toolchain_dir) {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(SETUP) && except != Some(folder.as_path()) {
            tracing::debug!(folder = %folder.display(), "removing what a set-up left that was cut short");
            let _ = fs::remove_dir_all(&folder);
        }
    }
}

/// The folders with the compiler's libraries. They are named after the processor.
fn library_path(root: &Path) -> Result<OsString, String> {
    let mut found: Vec<PathBuf> =
        ["usr/lib", "lib"].iter().flat_map(|lib| folders(&root.join(lib))).collect();
    found.retain(|folder| folder.file_name().is_some_and(|name| name.to_string_lossy().contains("-linux-")));
    if found.is_empty() {
        return Err(format!("{} holds no libraries: remove the folder and build again", root.display()));
    }
    found.sort();
    env::join_paths(&found)
        .map_err(|_| format!("the path {} contains a colon: choose another toolchain folder", root.display()))
}

/// The linker that was unpacked with the compiler.
fn linker(root: &Path) -> Option<PathBuf> {
    let mut found = folders(&root.join("usr/lib"));
    found.retain(|folder| folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with("llvm-")));
    found.sort();
    found.into_iter().rev().map(|folder| folder.join("bin/wasm-ld")).find(|file| file.is_file())
}

/// The linker that rustup's toolchains bring.
fn rust_lld(sysroot: &Path) -> Option<PathBuf> {
    let file = format!("bin/rust-lld{}", env::consts::EXE_SUFFIX);
    folders(&sysroot.join("lib/rustlib"))
        .into_iter()
        .map(|folder| folder.join(&file))
        .find(|file| file.is_file())
}

fn folders(parent: &Path) -> Vec<PathBuf> {
    let Ok(entries) = parent.read_dir() else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn touch(root: &Path, name: &str) {
        let file = root.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "").unwrap();
    }

    #[test]
    fn the_parts_of_a_compiler_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        touch(root, "usr/lib/aarch64-linux-gnu/libLLVM.so");
        touch(root, "usr/lib/llvm-9/bin/lld");
        touch(root, "usr/lib/llvm-22/bin/wasm-ld");
        let debian = Debian::open(root, root).unwrap();
        assert_eq!(debian.linker, root.join("usr/lib/llvm-22/bin/wasm-ld"));
        assert_eq!(debian.libraries, root.join("usr/lib/aarch64-linux-gnu"));
    }

    #[test]
    fn an_empty_folder_is_no_compiler() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_unpacked(folder.path()));
        assert!(Debian::open(folder.path(), folder.path()).unwrap_err().contains("remove the folder"));
    }

    #[test]
    fn only_the_library_of_the_source_stays() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for name in [
            "usr/src/rustc-1/library/std/lib.rs",
            "usr/src/rustc-1/compiler/x.rs",
            "usr/src/rustc-1/x.py",
            "usr/share/doc/a",
            "usr/bin/rustc",
        ] {
            touch(root, name);
        }
        prune(root);
        assert!(
            root.join("usr/src/rustc-1/library/std/lib.rs").exists() && root.join("usr/bin/rustc").exists()
        );
        for gone in ["usr/src/rustc-1/compiler", "usr/src/rustc-1/x.py", "usr/share/doc"] {
            assert!(!root.join(gone).exists(), "{gone}");
        }
    }

    #[test]
    fn leftovers_go_and_the_compiler_stays() {
        let folder = tempfile::tempdir().unwrap();
        touch(folder.path(), "setup-abc/root/usr/bin/rustc");
        touch(folder.path(), "debian/usr/bin/rustc");
        remove_leftovers(folder.path(), None);
        assert!(!folder.path().join("setup-abc").exists());
        assert!(is_unpacked(folder.path()));
    }
}
