//! Which package a folder holds, what its module is called and where cargo compiles it: asked of cargo, since
//! only cargo knows its own rules.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use super::process::{self, RunError};
use super::{BuildError, BuildOptions};

/// cargo answers in a moment; only a toolchain that rustup fetches first takes longer.
const LIMIT: Duration = Duration::from_secs(120);

/// The package of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CrateInfo {
    pub(super) dir: PathBuf,
    pub(super) manifest: PathBuf,
    /// What cargo calls this very package, over all its versions and places.
    pub(super) id: String,
    pub(super) package: String,
    pub(super) version: String,
    /// The name of the file that the compiler writes, without `.wasm`.
    pub(super) crate_name: String,
    pub(super) target_dir: PathBuf,
    pub(super) workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    target_directory: PathBuf,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    crate_types: Vec<String>,
}

/// The full name of the folder, if it is one with a `Cargo.toml`.
pub(super) fn crate_folder(dir: &Path) -> Result<PathBuf, BuildError> {
    let unusable = |source| BuildError::Folder { path: dir.to_path_buf(), source };
    let folder = dir.canonicalize().map_err(unusable)?;
    if !fs::metadata(&folder).map_err(unusable)?.is_dir() {
        return Err(unusable(io::Error::from(io::ErrorKind::NotADirectory)));
    }
    if folder.join("Cargo.toml").is_file() { Ok(folder) } else { Err(BuildError::NotACrate { path: folder }) }
}

/// Asks cargo about the package in `dir`.
pub(super) fn read(mut cargo: Command, dir: &Path, options: &BuildOptions) -> Result<CrateInfo, BuildError> {
    let manifest = dir.join("Cargo.toml");
    cargo
        .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
        .arg(&manifest)
        .current_dir(dir);
    let program = cargo.get_program().to_string_lossy().into_owned();
    let finished = process::run(cargo, Some(LIMIT), &mut |_| {}).map_err(|error| match error {
        RunError::Io(source) => BuildError::Program { program: program.clone(), source },
        RunError::Slow { .. } => BuildError::Slow {
            program: "cargo metadata".into(),
            seconds: LIMIT.as_secs(),
            path: dir.to_path_buf(),
        },
    })?;
    if !finished.status.success() {
        return Err(BuildError::Metadata { manifest, stderr: finished.stderr });
    }
    let mut info = parse(&finished.stdout, dir)?;
    if let Some(target_dir) = &options.target_dir {
        // cargo runs in another folder than this program.
        info.target_dir = std::path::absolute(target_dir)
            .map_err(|source| BuildError::Write { path: target_dir.clone(), source })?;
    }
    Ok(info)
}

/// Reads cargo's answer. Pure but for comparing paths.
fn parse(answer: &str, dir: &Path) -> Result<CrateInfo, BuildError> {
    let manifest = dir.join("Cargo.toml");
    let metadata: Metadata = serde_json::from_str(answer).map_err(|error| BuildError::Metadata {
        manifest: manifest.clone(),
        stderr: format!("cargo's answer makes no sense: {error}"),
    })?;
    let package =
        metadata.packages.iter().find(|package| same_file(&package.manifest_path, &manifest)).ok_or_else(
            || {
                let members = metadata
                    .packages
                    .iter()
                    .filter_map(|package| package.manifest_path.parent().map(Path::to_path_buf));
                BuildError::Workspace { path: dir.to_path_buf(), members: members.collect() }
            },
        )?;
    let target = package
        .targets
        .iter()
        .find(|target| target.crate_types.iter().any(|kind| kind == "cdylib"))
        .ok_or_else(|| BuildError::NoCdylib { package: package.name.clone(), manifest: manifest.clone() })?;
    Ok(CrateInfo {
        dir: dir.to_path_buf(),
        id: package.id.clone(),
        package: package.name.clone(),
        version: package.version.clone(),
        crate_name: target.name.replace('-', "_"),
        target_dir: metadata.target_directory,
        workspace_root: metadata.workspace_root,
        manifest,
    })
}

fn same_file(one: &Path, other: &Path) -> bool {
    one == other || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn answer(crate_types: &str) -> String {
        format!(
            r#"{{"packages":[
                {{"id":"path+file:///w/other#0.1.0","name":"other","version":"0.1.0","manifest_path":"/w/other/Cargo.toml","targets":[]}},
                {{"id":"path+file:///w/my-plugin#1.2.3","name":"my-plugin","version":"1.2.3","manifest_path":"/w/my-plugin/Cargo.toml","extra":1,
                  "targets":[{{"name":"gen","crate_types":["bin"],"kind":["bin"]}},{{"name":"my-plugin","crate_types":[{crate_types}]}}]}}],
              "target_directory":"/w/target","workspace_root":"/w","version":1}}"#
        )
    }

    #[test]
    fn the_package_of_the_folder_is_found_among_the_members() {
        let info = parse(&answer(r#""cdylib","rlib""#), Path::new("/w/my-plugin")).unwrap();
        assert_eq!(info.package, "my-plugin");
        assert_eq!(info.version, "1.2.3");
        assert_eq!(info.crate_name, "my_plugin");
        assert_eq!(info.id, "path+file:///w/my-plugin#1.2.3");
        assert_eq!(info.target_dir, Path::new("/w/target"));
        assert_eq!(info.workspace_root, Path::new("/w"));
    }

    #[test]
    fn a_crate_without_cdylib_is_refused() {
        let error = parse(&answer(r#""lib""#), Path::new("/w/my-plugin")).unwrap_err();
        assert!(matches!(error, BuildError::NoCdylib { package, .. } if package == "my-plugin"));
    }

    #[test]
    fn a_workspace_names_its_members() {
        let error = parse(&answer(r#""cdylib""#), Path::new("/w")).unwrap_err();
        assert!(
            matches!(error, BuildError::Workspace { members, .. } if members == [Path::new("/w/other"), Path::new("/w/my-plugin")])
        );
    }

    #[test]
    fn an_answer_that_is_no_metadata_is_an_error() {
        assert!(matches!(parse("{}", Path::new("/w")), Err(BuildError::Metadata { .. })));
    }

    #[test]
    fn a_folder_must_be_there_and_hold_a_crate() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(crate_folder(&folder.path().join("none")), Err(BuildError::Folder { .. })));
        assert!(matches!(crate_folder(folder.path()), Err(BuildError::NotACrate { .. })));
        let file = folder.path().join("Cargo.toml");
        fs::write(&file, "").unwrap();
        assert!(matches!(crate_folder(&file), Err(BuildError::Folder { .. })));
        assert_eq!(crate_folder(folder.path()).unwrap(), folder.path().canonicalize().unwrap());
    }
}
