//! The world of a plugin whose language needs the interface as WIT: the author's `world.wit` with the packages that it names beside it.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use wit_parser::Resolve;

use super::{BuildError, sdk};

/// The author's file: what the plugin is, and what it uses.
pub(super) const WORLD_FILE: &str = "world.wit";

/// Packages of WASI that a world may name, in the version that the host speaks.
const WASI: [(&str, &str); 3] = [
    ("http.wit", include_str!("wasi/http.wit")),
    ("io.wit", include_str!("wasi/io.wit")),
    ("clocks.wit", include_str!("wasi/clocks.wit")),
];

/// A world in a temporary folder.
#[derive(Debug)]
pub(super) struct World {
    folder: TempDir,
    pub(super) name: String,
}

impl World {
    /// The world of the plugin in this folder.
    pub(super) fn of(dir: &Path) -> Result<Self, BuildError> {
        let file = dir.join(WORLD_FILE);
        let author = fs::read_to_string(&file).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => BuildError::NoWorld { path: file.clone() },
            _ => BuildError::World { path: file.clone(), reason: source.to_string() },
        })?;
        let folder =
            tempfile::tempdir().map_err(|source| BuildError::Write { path: std::env::temp_dir(), source })?;
        let interface = folder.path().join("deps").join("entente-integration");
        let write = |path: &Path, text: &str| {
            fs::write(path, text).map_err(|source| BuildError::Write { path: path.to_path_buf(), source })
        };
        fs::create_dir_all(&interface)
            .map_err(|source| BuildError::Write { path: interface.clone(), source })?;
        write(&folder.path().join(WORLD_FILE), &author)?;
        for (name, text) in sdk::wit() {
            write(&interface.join(name), text)?;
        }
        for (name, text) in WASI {
            write(&folder.path().join("deps").join(name), text)?;
        }
        let name = name_of(folder.path())
            .map_err(|reason| BuildError::World { path: file, reason: shown(&reason, folder.path()) })?;
        Ok(Self { folder, name })
    }

    /// The folder with the WIT.
    pub(super) fn wit(&self) -> &Path {
        self.folder.path()
    }

    /// A place for a file that is gone with the world.
    pub(super) fn scratch(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }
}

/// The name of the only world of the package, in the form that the tools take.
fn name_of(folder: &Path) -> Result<String, String> {
    let mut resolve = Resolve::default();
    let pushed = resolve.push_dir(folder);
    let (package, _) = pushed.map_err(|error| resolve.render_error(&error))?;
    let world = resolve.select_world(&[package], None).map_err(|error| format!("{error:#}"))?;
    Ok(resolve.worlds[world].name.clone())
}

/// Without the name of the temporary folder.
fn shown(reason: &str, folder: &Path) -> String {
    let folder = folder.display();
    reason.replace(&format!("failed to parse package: {folder}: "), "").replace(&format!("{folder}/"), "")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn of(world: &str) -> Result<World, BuildError> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(WORLD_FILE), world).unwrap();
        World::of(folder.path())
    }

    #[test]
    fn a_world_includes_what_the_plugin_needs() {
        let world = of("package my:plugin;
            world mail {
              include entente:integration/integration@0.1.0-draft.2;
              include entente:integration/with-state@0.1.0-draft.2;
              import wasi:http/outgoing-handler@0.2.12;
            }")
        .unwrap();
        assert_eq!(world.name, "mail");
    }

    #[test]
    fn the_world_that_an_error_proposes_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let text = World::of(folder.path()).unwrap_err().to_string();
        assert!(text.contains("world.wit"), "{text}");
        let (_, world) = text.split_once("\n\n").unwrap();
        assert_eq!(of(world).unwrap().name, "plugin");
    }

    #[test]
    fn a_world_that_is_none_is_shown_with_its_line() {
        let text =
            of("package my:plugin;\nworld mail {\n  include entente:integration/mail@0.1.0-draft.2;\n}")
                .unwrap_err()
                .to_string();
        assert!(
            text.contains("world.wit:3") && text.contains("mail@0.1.0") && !text.contains("/deps"),
            "{text}"
        );
        assert!(of("package my:plugin;").is_err(), "no world");
    }
}
