//! The Rust SDK for plugins outside of this repository: the copy of `sdk/rust` that the program carries.

use std::fs;
use std::path::{Path, PathBuf};

use super::{BuildError, component};

/// The name of its package.
pub(super) const PACKAGE: &str = "entente-sdk";

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../../sdk/rust/", $name)))),*]
    };
}

/// Every file of `sdk/rust`.
const FILES: &[(&str, &str)] = files![
    "Cargo.toml",
    "src/bindings.rs",
    "src/clock.rs",
    "src/convert.rs",
    "src/describe.rs",
    "src/error.rs",
    "src/export.rs",
    "src/host.rs",
    "src/http/encode.rs",
    "src/http/mod.rs",
    "src/http/request.rs",
    "src/http/response.rs",
    "src/http/transport.rs",
    "src/integration.rs",
    "src/lib.rs",
    "src/log.rs",
    "src/lookup.rs",
    "src/mapping.rs",
    "src/order.rs",
    "src/report.rs",
    "src/secrets.rs",
    "src/settings.rs",
    "src/state.rs",
    "src/testing.rs",
    "src/timestamp.rs",
    "src/turn.rs",
    "src/value.rs",
    "src/vectors.rs",
    "src/webhook.rs",
    "wit/data.wit",
    "wit/host.wit",
    "wit/lookup.wit",
    "wit/mapping-manual.wit",
    "wit/order-execution.wit",
    "wit/sync-report.wit",
    "wit/webhook.wit",
    "wit/world.wit",
];

/// The files of the plugin interface, by name.
pub(super) fn wit() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().filter_map(|(name, text)| Some((name.strip_prefix("wit/")?, *text)))
}

/// Writes the copy into a target folder, where only what differs is written, so that cargo compiles it once. Returns its folder.
pub(super) fn write(target_dir: &Path) -> Result<PathBuf, BuildError> {
    let folder = target_dir.join(PACKAGE);
    for (name, text) in FILES {
        component::write(&folder.join(name), text.as_bytes())?;
    }
    // Every file there counts as a part of the interface.
    let wit = folder.join("wit");
    let cannot = |source| BuildError::Write { path: wit.clone(), source };
    for entry in fs::read_dir(&wit).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        if !self::wit().any(|(name, _)| entry.file_name() == name) {
            fs::remove_file(entry.path()).map_err(cannot)?;
        }
    }
    Ok(folder)
}

/// Lets cargo find the copy by itself as well, so that `cargo test` and editors work in the workspace of a plugin. A
/// configuration that is there is the author's and stays as it is.
pub(super) fn offer(workspace: &Path, sdk: &Path) -> Result<(), BuildError> {
    let file = workspace.join(".cargo").join("config.toml");
    let beside = workspace.join(".cargo").join("config");
    if file.symlink_metadata().is_ok() || beside.symlink_metadata().is_ok() {
        return Ok(());
    }
    // As cargo reads it: from the folder that `.cargo` is in. Relative, so that the workspace can be moved.
    let path = sdk.strip_prefix(workspace).unwrap_or(sdk).to_string_lossy().into_owned();
    let text = format!(
        "# Written by `entente plugin build`, which puts the SDK there: for `cargo test` and editors. It is not written again.\n\
         [patch.crates-io]\n{PACKAGE} = {{ path = {} }}\n",
        toml::Value::String(path)
    );
    component::write(&file, text.as_bytes())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn files(folder: &Path, below: &str, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder.join(below)).unwrap().map(Result::unwrap) {
            let name = format!("{below}{}", entry.file_name().to_str().unwrap());
            if entry.path().is_dir() {
                files(folder, &format!("{name}/"), found);
            } else {
                found.insert(name);
            }
        }
    }

    #[test]
    fn every_file_of_the_sdk_is_carried() {
        let mut found = BTreeSet::new();
        files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/rust"), "", &mut found);
        assert_eq!(FILES.iter().map(|(name, _)| (*name).to_owned()).collect::<BTreeSet<_>>(), found);
    }

    #[test]
    fn the_configuration_of_the_author_stays() {
        let workspace = tempfile::tempdir().unwrap();
        let file = workspace.path().join(".cargo/config.toml");
        offer(workspace.path(), &workspace.path().join("target/entente-sdk")).unwrap();
        let written = fs::read_to_string(&file).unwrap();
        assert!(
            written.ends_with("[patch.crates-io]\nentente-sdk = { path = \"target/entente-sdk\" }\n"),
            "{written}"
        );
        fs::write(&file, "# mine\n").unwrap();
        offer(workspace.path(), Path::new("/elsewhere/entente-sdk")).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "# mine\n");
    }

    #[test]
    fn the_copy_is_written_once_and_holds_no_other_interface() {
        let target = tempfile::tempdir().unwrap();
        let folder = write(target.path()).unwrap();
        let time = || fs::metadata(folder.join("Cargo.toml")).unwrap().modified().unwrap();
        let first = time();
        fs::write(folder.join("wit/older.wit"), "").unwrap();
        assert_eq!(write(target.path()).unwrap(), folder);
        assert_eq!(time(), first);
        assert!(!folder.join("wit/older.wit").exists());
        let mut found = BTreeSet::new();
        files(&folder, "", &mut found);
        assert_eq!(found.len(), FILES.len());
    }
}
