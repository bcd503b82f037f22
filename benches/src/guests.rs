//! The measured plugins, built from source as `entente plugin build` does.

use anyhow::{Context, Result};
use entente_cli::{BuildOptions, build_plugin};
use std::path::{Path, PathBuf};

fn build(name: &str) -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins").join(name);
    let built = build_plugin(&folder, &BuildOptions::default(), &mut |_| {})
        .with_context(|| format!("plugins/{name} cannot be built"))?;
    Ok(built.component)
}

/// The component of `plugins/made-up`.
///
/// # Errors
/// Where it cannot be built.
pub fn made_up() -> Result<PathBuf> {
    build("made-up")
}

/// The component of `plugins/hostile`.
pub(crate) fn hostile() -> Result<PathBuf> {
    build("hostile")
}

/// The component of `plugins/helloworld`.
///
/// # Errors
/// Where it cannot be built.
pub fn hello_world() -> Result<PathBuf> {
    build("helloworld")
}
