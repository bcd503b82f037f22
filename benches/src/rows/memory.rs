//! Peak memory of the program, for few records and many.

use super::{Row, thousands};
use crate::bench::Bench;
use crate::child;
use crate::line::Line;
use crate::quantity::Quantity;
use crate::world::NAME;
use anyhow::{Context, Result};
use async_trait::async_trait;
use made_up::people::Ids;

const MIB: u64 = 1 << 20;

/// First sync and full compare in processes of their own.
#[derive(Debug)]
pub(super) struct Memory;

#[async_trait(?Send)]
impl Row for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn measure(&self, bench: &mut Bench) -> Result<Vec<Line>> {
        let entente = child::entente()?;
        let sizes =
            if bench.options.quick { vec![10_000, 100_000] } else { vec![10_000, 100_000, 1_000_000] };
        let mut lines = Vec::new();
        let mut peaks: [Vec<u64>; 2] = Default::default();
        let words = ["first sync", "full compare"];
        for records in sizes {
            let world = bench.world(records, Ids::Random).await?;
            let home = world.home().to_str().context("the folder has a strange name")?;
            let sync = ["--home", home, "--json", "sync", NAME];
            for (place, full) in [false, true].into_iter().enumerate() {
                let arguments = if full { [&sync[..], &["--full"]].concat() } else { sync.to_vec() };
                let used = child::run_with_memory(&entente, &arguments)?;
                let what = format!("peak memory, {} of {}", words[place], thousands(records));
                lines.push(match used.peak {
                    Some(peak) => {
                        peaks[place].push(peak);
                        let note = format!("{} in a process of its own", Quantity::Seconds(used.wall));
                        Line::new(what, Quantity::Bytes(peak)).under(Quantity::Bytes(200 * MIB)).note(note)
                    }
                    None => Line::missing(what, "the system does not tell"),
                });
            }
        }
        for (word, peaks) in words.into_iter().zip(peaks) {
            if let (Some(least), Some(most)) = (peaks.iter().min(), peaks.iter().max()) {
                let apart = most - least;
                let line = Line::new(
                    format!("peak memory, {word}: fewest and most records apart"),
                    Quantity::Bytes(apart),
                );
                lines.push(line.goal("at most 64 MiB", apart <= 64 * MIB));
            }
        }
        Ok(lines)
    }
}
