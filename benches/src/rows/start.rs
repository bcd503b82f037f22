//! Start-up time of the program.

use super::Row;
use crate::bench::Bench;
use crate::child;
use crate::line::Line;
use crate::quantity::Quantity;
use crate::world::{Guest, NAME};
use anyhow::{Context, Result};
use async_trait::async_trait;
use made_up::people::Ids;

/// `entente --version`, and `entente sync` with nothing to do.
#[derive(Debug)]
pub(super) struct Start;

#[async_trait(?Send)]
impl Row for Start {
    fn name(&self) -> &'static str {
        "start"
    }

    async fn measure(&self, bench: &mut Bench) -> Result<Vec<Line>> {
        let entente = child::entente()?;
        let version = Quantity::Seconds(child::middle(21, &entente, &["--version"])?);
        let world = bench.world(1_000, Ids::Sequential).await?;
        world.first_sync(Guest::Component).await?;
        let home = world.home().to_str().context("the folder has a strange name")?;
        let sync = Quantity::Seconds(child::middle(21, &entente, &["--home", home, "sync", NAME])?);
        Ok(vec![
            Line::new("entente --version", version).under(Quantity::Seconds(0.020)),
            Line::new("entente sync with nothing to do", sync)
                .under(Quantity::Seconds(0.060))
                .note("1,000 pairs, one plugin"),
        ])
    }
}
