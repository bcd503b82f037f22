//! The size of the release binary, and its build time.

use super::Row;
use crate::bench::Bench;
use crate::child;
use crate::line::Line;
use crate::quantity::Quantity;
use crate::took::Watch;
use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use std::process::Command;

/// The release binary.
#[derive(Debug)]
pub(super) struct Binary;

#[async_trait(?Send)]
impl Row for Binary {
    fn name(&self) -> &'static str {
        "binary"
    }

    async fn measure(&self, bench: &mut Bench) -> Result<Vec<Line>> {
        let entente = child::entente()?;
        let mut size =
            Line::new("size of the release binary", Quantity::Bytes(std::fs::metadata(&entente)?.len()));
        let stripped = bench.folder.path().join("stripped");
        if Command::new("strip")
            .arg("-o")
            .arg(&stripped)
            .arg(&entente)
            .status()
            .is_ok_and(|status| status.success())
        {
            size = size.note(format!(
                "{} without symbols and line numbers",
                Quantity::Bytes(std::fs::metadata(&stripped)?.len())
            ));
        }
        let what = "time of a cold build";
        if !bench.options.cold_build {
            return Ok(vec![size, Line::missing(what, "takes many minutes; ask for it with --cold-build")]);
        }
        let target = tempfile::tempdir_in(bench.folder.path())?;
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args(["build", "--release", "--package", "entente-cli", "--manifest-path"])
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"));
        let watch = Watch::start();
        let status = cargo.arg("--target-dir").arg(target.path()).status().context("cargo cannot be run")?;
        ensure!(status.success(), "the build failed");
        Ok(vec![size, Line::took(what, watch.took())])
    }
}
