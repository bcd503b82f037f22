//! Incremental runs with no change or few, over many pairs and few.

use super::{Row, thousands};
use crate::bench::{Bench, EDITED};
use crate::child;
use crate::line::Line;
use crate::quantity::Quantity;
use crate::took::{Took, median};
use crate::world::{Guest, NAME};
use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use entente_sync::RunOptions;
use made_up::people::Ids;

/// The few.
const FEW: u64 = 1_000;
/// Runs of each.
const RUNS: usize = 7;

/// Some runs over so many pairs, each after an edit of some people where `edit` says so.
async fn runs(bench: &mut Bench, records: u64, edit: bool) -> Result<Took> {
    let (world, _) = bench.synced(records, Ids::Sequential).await?;
    // The run after a large one still takes in what that one wrote.
    world.run(Guest::Component, RunOptions::default()).await?;
    let mut times = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        if edit {
            world.edit().await?;
        }
        let (took, end) = world.run(Guest::Component, RunOptions::default()).await?;
        let expected = if edit { EDITED } else { 0 };
        ensure!(end.run.writes() == expected, "{} records written of {expected}", end.run.writes());
        times.push(took);
    }
    Ok(median(times))
}

async fn line(bench: &mut Bench, what: &str, edit: bool) -> Result<Vec<Line>> {
    let many = bench.largest();
    let few = runs(bench, FEW, edit).await?;
    let took = runs(bench, many, edit).await?;
    let line =
        Line::took(format!("{what} {} pairs, remote that reports only what changed", thousands(many)), took);
    Ok(vec![
        line.beside(format!("the same over {}", thousands(FEW)), Quantity::Seconds(few.wall)).at_most(2.0),
    ])
}

/// The program in a process of its own, which also counts what waits for the operator.
async fn program(bench: &mut Bench, records: u64) -> Result<Quantity> {
    let entente = child::entente()?;
    let (world, _) = bench.synced(records, Ids::Sequential).await?;
    let home = world.home().to_str().context("the folder has a strange name")?;
    Ok(Quantity::Seconds(child::middle(RUNS, &entente, &["--home", home, "sync", NAME])?))
}

/// Nothing has changed.
#[derive(Debug)]
pub(super) struct NoChange;

#[async_trait(?Send)]
impl Row for NoChange {
    fn name(&self) -> &'static str {
        "no-change"
    }

    async fn measure(&self, bench: &mut Bench) -> Result<Vec<Line>> {
        let mut lines = line(bench, "no-change run over", false).await?;
        let many = bench.largest();
        let few = program(bench, FEW).await?;
        let took = program(bench, many).await?;
        let line = Line::new(
            format!("entente sync with nothing to do over {} pairs, the whole program", thousands(many)),
            took,
        );
        lines.push(line.beside(format!("the same over {}", thousands(FEW)), few).at_most(2.0));
        Ok(lines)
    }
}

/// Ten records have changed.
#[derive(Debug)]
pub(super) struct TenChanges;

#[async_trait(?Send)]
impl Row for TenChanges {
    fn name(&self) -> &'static str {
        "ten-changes"
    }

    async fn measure(&self, bench: &mut Bench) -> Result<Vec<Line>> {
        line(bench, "ten changes among", true).await
    }
}
