//! Runs cargo and finds the module that it made.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::crate_info::CrateInfo;
use super::debian::Debian;
use super::lock::Lock;
use super::process::{self, RunError};
use super::{BuildError, BuildOptions, Compiler, Progress, TARGET, component, environment, sdk};

/// Small and quick to load: the host compiles a plugin once, optimised. For crates without a profile of their own.
const PROFILE: [&str; 5] = [
    "profile.release.opt-level='s'",
    "profile.release.lto=true",
    "profile.release.strip='debuginfo'",
    "profile.release.panic='abort'",
    "profile.release.codegen-units=1",
];

/// The machine's own cargo, in an environment without an outer build.
pub(super) fn cargo_of_machine(cargo: &Path) -> Command {
    let mut command = Command::new(cargo);
    environment::clean(&mut command);
    command
}

/// The cargo that goes with the compiler.
pub(super) fn cargo(compiler: &Compiler) -> Result<Command, BuildError> {
    match compiler {
        Compiler::Installed | Compiler::RustupAdded | Compiler::ComponentizePy | Compiler::ComponentizeJs => {
            Ok(cargo_of_machine(&environment::program("cargo").unwrap_or_else(|| PathBuf::from("cargo"))))
        }
        Compiler::Debian { root } => {
            let debian = Debian::open(root, root)
                .map_err(|reason| BuildError::NoCompiler { attempts: vec![reason] })?;
            Ok(debian.cargo())
        }
    }
}

/// Takes the name of the crate in its target folder, for as long as the guard lives.
///
/// cargo names a module after its crate and nothing else. Two plugins of one name in one target folder write
/// the same file, and cargo takes the file that is there for the one that it compiled. So builds of one name
/// go one after the other, and when the plugin is another one than the last time the old file is removed.
pub(super) fn claim(plugin: &CrateInfo, progress: &mut dyn FnMut(Progress)) -> Result<Lock, BuildError> {
    let folder = plugin.target_dir.join(component::FOLDER);
    let file = |kind: &str| folder.join(format!(".{}.{kind}", plugin.crate_name));
    let cannot = |path: &Path| {
        let path = path.to_path_buf();
        move |source| BuildError::Write { path, source }
    };
    let lock =
        Lock::acquire(&file("lock"), &mut || progress(Progress::Waiting("compiles a plugin of this name")))
            .map_err(cannot(&file("lock")))?;
    let owner = file("owner");
    if fs::read_to_string(&owner).is_ok_and(|text| text == plugin.id) {
        return Ok(lock);
    }
    let release = plugin.target_dir.join(TARGET).join("release");
    for module in
        [release.join("deps"), release].map(|folder| folder.join(format!("{}.wasm", plugin.crate_name)))
    {
        match fs::remove_file(&module) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(cannot(&module)(error));
            }
            _ => {}
        }
    }
    fs::write(&owner, &plugin.id).map_err(cannot(&owner))?;
    Ok(lock)
}

/// Compiles the plugin and returns the bytes of its module.
pub(super) fn compile(
    plugin: &CrateInfo,
    compiler: &Compiler,
    options: &BuildOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<u8>, BuildError> {
    let mut command = cargo(compiler)?;
    let program = command.get_program().to_string_lossy().into_owned();
    command.args([
        "build",
        "--release",
        "--lib",
        "--target",
        TARGET,
        "--message-format",
        "json-render-diagnostics",
    ]);
    command.arg("--manifest-path").arg(&plugin.manifest).arg("--target-dir").arg(&plugin.target_dir);
    command.arg("--package").arg(&plugin.id).current_dir(&plugin.dir);
    if plugin.workspace_root.join("Cargo.lock").is_file() {
        command.arg("--locked");
    }
    if options.offline {
        command.arg("--offline");
    }
    if !plugin.has_profile {
        command.args(PROFILE.iter().flat_map(|setting| ["--config", *setting]));
    }
    if plugin.needs_sdk {
        let folder = sdk::write(&plugin.target_dir)?;
        sdk::offer(&plugin.workspace_root, &folder)?;
        let folder = toml::Value::String(folder.to_string_lossy().into_owned());
        command.args(["--config", &format!("patch.crates-io.{}.path={folder}", sdk::PACKAGE)]);
    }
    if matches!(compiler, Compiler::Debian { .. }) {
        command.arg("-Zbuild-std=std,panic_abort");
    }
    progress(Progress::Compiling(String::new()));
    let mut on_line = |line: &str| {
        let line = line.trim();
        // The other stream is cargo's messages in JSON.
        if !line.is_empty() && !line.starts_with('{') {
            progress(Progress::Compiling(line.to_owned()));
        }
    };
    let finished = process::run(command, None, &mut on_line).map_err(|error| match error {
        RunError::Io(source) => BuildError::Program { program, source },
        RunError::Slow { stderr } => BuildError::Compile { package: plugin.package.clone(), stderr },
    })?;
    if !finished.status.success() {
        return Err(BuildError::Compile { package: plugin.package.clone(), stderr: finished.stderr });
    }
    let usual = plugin.target_dir.join(TARGET).join("release").join(format!("{}.wasm", plugin.crate_name));
    let module = module_path(&finished.stdout, &plugin.id).unwrap_or(usual);
    fs::read(&module).map_err(|_| BuildError::NoModule { package: plugin.package.clone(), path: module })
}

#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    package_id: String,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// The module of the package, from cargo's messages.
fn module_path(messages: &str, id: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter(|message| message.reason == "compiler-artifact" && message.package_id == id)
        .flat_map(|message| message.filenames)
        .find(|file| file.extension() == Some(OsStr::new("wasm")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_that_of_the_package() {
        let messages = r#"{"reason":"compiler-artifact","package_id":"a","filenames":["/t/liba.rlib"]}
not json
{"reason":"compiler-artifact","package_id":"b","target":{"name":"b"},"filenames":["/t/libb.rlib","/t/b.wasm"]}
{"reason":"build-finished","success":true}"#;
        assert_eq!(module_path(messages, "b"), Some(PathBuf::from("/t/b.wasm")));
        assert_eq!(module_path(messages, "a"), None);
        assert_eq!(module_path("", "a"), None);
    }

    #[test]
    fn another_plugin_of_the_same_name_removes_the_module() {
        let folder = tempfile::tempdir().unwrap();
        let mut plugin = CrateInfo {
            dir: "/w/p".into(),
            manifest: "/w/p/Cargo.toml".into(),
            id: "one".into(),
            package: "p".into(),
            version: "0.1.0".into(),
            crate_name: "p".into(),
            target_dir: folder.path().into(),
            workspace_root: "/w".into(),
            needs_sdk: false,
            has_profile: false,
        };
        let module = folder.path().join(TARGET).join("release/deps/p.wasm");
        fs::create_dir_all(module.parent().unwrap()).unwrap();
        let remains = |plugin: &CrateInfo| {
            fs::write(&module, "old").unwrap();
            drop(claim(plugin, &mut |_| {}).unwrap());
            module.exists()
        };
        assert!(!remains(&plugin), "of unknown origin");
        assert!(remains(&plugin), "its own");
        plugin.id = "two".into();
        assert!(!remains(&plugin), "of the other one");
        assert!(remains(&plugin), "its own");
    }
}
