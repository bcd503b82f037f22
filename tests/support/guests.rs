//! Plugins for tests, built from source by the function behind `entente plugin build`.

use entente_cli::{BuildOptions, build_plugin};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

fn build(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins").join(name);
    match build_plugin(&dir, &BuildOptions::default(), &mut |_| {}) {
        Ok(built) => built.component,
        Err(error) => panic!("plugins/{name} cannot be built: {error}"),
    }
}

/// The component of `plugins/helloworld`.
pub fn hello_path() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build("helloworld"))
}

/// The component of `plugins/hostile`.
pub fn hostile_path() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build("hostile"))
}

/// The component of `plugins/made-up`, whose remote system is generated.
pub fn made_up_path() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build("made-up"))
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Its bytes.
pub fn hello_component() -> Vec<u8> {
    read(hello_path())
}

/// Its bytes.
pub fn hostile_component() -> Vec<u8> {
    read(hostile_path())
}
