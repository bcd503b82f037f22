//! Plugins in Python and JavaScript: what componentize-py and componentize-js make of a project and its world.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use entente_core::Foreign;
use serde::Deserialize;

use super::process::{self, RunError};
use super::project::Language;
use super::wit::World;
use super::{
    BuildError, BuildOptions, Built, Compiler, Progress, add_manifest, component, environment, manifest,
};

/// The versions that the tests use; what errors say how to get.
const COMPONENTIZE_PY: &str = "componentize-py==0.25.0";
const COMPONENTIZE_JS: &str = "@bytecodealliance/componentize-js@0.23.0";

/// The module that `app.py` is.
const PYTHON_APP: &str = "app";

/// Given to node, which resolves the package from the folder of the project.
const SCRIPT: &str = include_str!("componentize.mjs");
/// Ends the script where the package is not installed.
const NOT_INSTALLED: i32 = 9;

/// What a project says of itself.
#[derive(Debug, Default, PartialEq, Deserialize)]
struct Package {
    name: Option<String>,
    version: Option<String>,
    main: Option<String>,
}

#[derive(Default, Deserialize)]
struct PyProject {
    #[serde(default)]
    project: Package,
}

/// Builds the plugin in this folder.
pub(super) fn build(
    dir: &Path,
    language: Language,
    options: &BuildOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Built, BuildError> {
    let package = package(dir, language)?;
    let mut manifest = manifest::read(dir, options.manifest.as_deref())?;
    let folder_name = || dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if let Some(name) = &package.name {
        // Without the scope of npm, which is no part of a file's name.
        manifest.name = name.rsplit('/').next().unwrap_or(name).to_owned();
    } else if manifest.name.is_empty() {
        manifest.name = folder_name();
    }
    if let Some(version) = &package.version {
        manifest.version.clone_from(version);
    }
    let world = World::of(dir)?;
    let made = world.scratch("made.wasm");
    let (command, compiler) = match language {
        Language::JavaScript => {
            let main = package.main.as_deref().unwrap_or("index.js");
            let http = !manifest.hosts.is_empty();
            (javascript(dir, &dir.join(main), &world, &made, http)?, Compiler::ComponentizeJs)
        }
        _ => (python(dir, &world, &made)?, Compiler::ComponentizePy),
    };
    run(command, language, &manifest.name, dir, progress)?;
    let bytes = fs::read(&made)
        .map_err(|_| BuildError::NoModule { package: manifest.name.clone(), path: made.clone() })?;
    let component = add_manifest(&bytes, &manifest)?;
    component::check(&component)?;
    let target = options.target_dir.clone().unwrap_or_else(|| dir.join("target"));
    let usual = || target.join(component::FOLDER).join(format!("{}.wasm", manifest.name));
    let file = options.output.clone().unwrap_or_else(usual);
    component::write(&file, &component)?;
    Ok(Built {
        component: file,
        bytes: component.len() as u64,
        package: manifest.name.clone(),
        version: manifest.version.clone(),
        manifest,
        compiler,
    })
}

/// The name and version that the project has for its own language.
fn package(dir: &Path, language: Language) -> Result<Package, BuildError> {
    type Read = fn(&str) -> Result<Package, String>;
    let (file, read): (&str, Read) = match language {
        Language::JavaScript => {
            ("package.json", |text| serde_json::from_str(text).map_err(|error| error.to_string()))
        }
        _ => ("pyproject.toml", |text| {
            let file: PyProject = toml::from_str(text).map_err(|error| error.to_string())?;
            Ok(file.project)
        }),
    };
    let path = dir.join(file);
    match fs::read_to_string(&path) {
        Ok(text) => read(&text).map_err(|reason| BuildError::Manifest { path, reason }),
        Err(_) if language == Language::Python => Ok(Package::default()),
        Err(source) => Err(BuildError::Manifest { path, reason: source.to_string() }),
    }
}

/// componentize-py of the project's own environment, else the one on the PATH.
fn python(dir: &Path, world: &World, made: &Path) -> Result<Command, BuildError> {
    let environment = dir.join(".venv");
    let bin = environment.join(if cfg!(windows) { "Scripts" } else { "bin" });
    let own = bin.join(format!("componentize-py{}", env::consts::EXE_SUFFIX));
    let program = if own.is_file() { Some(own) } else { environment::on_path("componentize-py") };
    let program = program.ok_or_else(|| BuildError::NoTool {
        tool: "componentize-py",
        looked: format!("neither in {} nor on the PATH", bin.display()),
        path: dir.to_path_buf(),
        commands: vec![
            "python3 -m venv .venv".to_owned(),
            format!(".venv/bin/pip install {COMPONENTIZE_PY}"),
        ],
    })?;
    let mut command = Command::new(program);
    environment::clean(&mut command);
    command.arg("--wit-path").arg(world.wit()).args(["--world", &world.name, "componentize"]);
    command.arg("--python-path").arg(dir).arg("--output").arg(made).arg(PYTHON_APP).current_dir(dir);
    // What went wrong in Python is what helps, and not where in the tool.
    command.env("RUST_BACKTRACE", "0");
    if environment.is_dir() {
        command.env("VIRTUAL_ENV", &environment);
    }
    Ok(command)
}

/// node, with the script.
fn javascript(
    dir: &Path,
    source: &Path,
    world: &World,
    made: &Path,
    http: bool,
) -> Result<Command, BuildError> {
    if !source.is_file() {
        let reason =
            format!("`main` names {}, which is not there", Foreign::new(source.display().to_string()));
        return Err(BuildError::Manifest { path: dir.join("package.json"), reason });
    }
    let node = environment::on_path("node").ok_or_else(|| BuildError::NoTool {
        tool: "node",
        looked: "not on the PATH".to_owned(),
        path: dir.to_path_buf(),
        commands: vec![
            "apt-get install nodejs npm    # or another way to Node.js 20 or later".to_owned(),
            format!("npm install --save-dev {COMPONENTIZE_JS}"),
        ],
    })?;
    let mut command = Command::new(node);
    environment::clean(&mut command);
    command.args(["--input-type=module", "--eval", SCRIPT, "--"]).arg(source).arg(world.wit());
    command.arg(&world.name).arg(made).arg(if http { "http" } else { "no-http" }).current_dir(dir);
    Ok(command)
}

fn run(
    command: Command,
    language: Language,
    package: &str,
    dir: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), BuildError> {
    let program = PathBuf::from(command.get_program());
    progress(Progress::Compiling(String::new()));
    let finished = process::run(command, None, &mut |_| {}).map_err(|error| match error {
        RunError::Io(source) => BuildError::Program { program: program.display().to_string(), source },
        RunError::Slow { stderr } => BuildError::Compile { package: package.to_owned(), stderr },
    })?;
    if finished.status.success() {
        return Ok(());
    }
    if language == Language::JavaScript && finished.status.code() == Some(NOT_INSTALLED) {
        return Err(BuildError::NoTool {
            tool: "componentize-js",
            looked: "not in node_modules of the project or of a folder above it".to_owned(),
            path: dir.to_path_buf(),
            commands: vec![
                format!("npm install --save-dev {COMPONENTIZE_JS}"),
                format!("entente plugin build {}", dir.display()),
            ],
        });
    }
    let said = if finished.stderr.trim().is_empty() { finished.stdout } else { finished.stderr };
    Err(BuildError::Compile { package: package.to_owned(), stderr: said })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn names_and_versions_are_those_of_the_project() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(package(folder.path(), Language::Python).unwrap(), Package::default());
        fs::write(
            folder.path().join("pyproject.toml"),
            "[project]\nname = \"mail\"\nversion = \"1.2\"\n[tool.x]\n",
        )
        .unwrap();
        let named = package(folder.path(), Language::Python).unwrap();
        assert_eq!((named.name.as_deref(), named.version.as_deref()), (Some("mail"), Some("1.2")));
        assert!(package(folder.path(), Language::JavaScript).is_err(), "there is none");
        fs::write(folder.path().join("package.json"), r#"{"name":"@me/mail","main":"src/plugin.js"}"#)
            .unwrap();
        let named = package(folder.path(), Language::JavaScript).unwrap();
        assert_eq!((named.name.as_deref(), named.main.as_deref()), (Some("@me/mail"), Some("src/plugin.js")));
        fs::write(folder.path().join("package.json"), "{").unwrap();
        assert!(
            package(folder.path(), Language::JavaScript).unwrap_err().to_string().contains("package.json")
        );
    }
}
