//! Which package a folder holds, what its module is called and where cargo compiles it: asked of cargo, since
//! only cargo knows its own rules.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use super::process::{self, RunError};
use super::{BuildError, BuildOptions, sdk};

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
    /// It depends on the SDK by version, and says nowhere which folder that is.
    pub(super) needs_sdk: bool,
    /// It has a profile of its own for release builds.
    pub(super) has_profile: bool,
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
    #[serde(default)]
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// `None`: a folder.
    source: Option<String>,
}

impl Dependency {
    fn is_published_sdk(&self) -> bool {
        self.name == sdk::PACKAGE
            && self.source.as_deref().is_some_and(|source| source.starts_with("registry+"))
    }
}

/// What is of interest in the `Cargo.toml` of the workspace, where cargo reads these two from.
#[derive(Default, Deserialize)]
struct Root {
    #[serde(default)]
    patch: BTreeMap<String, BTreeMap<String, toml::Value>>,
    #[serde(default)]
    profile: BTreeMap<String, toml::Value>,
}

impl Root {
    /// cargo has read the file before; what it took is not refused here.
    fn of(workspace: &Path) -> Self {
        let text = fs::read_to_string(workspace.join("Cargo.toml")).unwrap_or_default();
        toml::from_str(&text).unwrap_or_default()
    }

    fn patches_sdk(&self) -> bool {
        self.patch.values().any(|patches| patches.contains_key(sdk::PACKAGE))
    }
}

#[derive(Deserialize)]
struct Target {
    name: String,
    crate_types: Vec<String>,
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
    let root = Root::of(&info.workspace_root);
    info.needs_sdk &= !root.patches_sdk();
    info.has_profile = root.profile.contains_key("release");
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
        needs_sdk: package.dependencies.iter().any(Dependency::is_published_sdk),
        has_profile: false,
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
                  "dependencies":[{{"name":"entente-sdk","source":"registry+https://github.com/rust-lang/crates.io-index","req":"^0.1.0"}}],
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
        assert!(info.needs_sdk);
    }

    #[test]
    fn a_workspace_may_have_the_sdk_and_a_profile_itself() {
        let folder = tempfile::tempdir().unwrap();
        let root = |text: &str| {
            fs::write(folder.path().join("Cargo.toml"), text).unwrap();
            let root = Root::of(folder.path());
            (root.patches_sdk(), root.profile.contains_key("release"))
        };
        assert_eq!(root("[package]\nname = \"p\""), (false, false));
        assert_eq!(root("[profile.release]\nlto = true\n[profile.dev]"), (false, true));
        assert_eq!(root("[patch.crates-io]\nentente-sdk = { path = \"../sdk\" }"), (true, false));
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
}
