//! Overhead of WebAssembly: the plugin as a component, beside the same plugin compiled natively.

use super::{Row, thousands};
use crate::bench::Bench;
use crate::line::Line;
use crate::quantity::Quantity;
use crate::took::{Took, median};
use crate::world::Guest;
use anyhow::Result;
use async_trait::async_trait;
use made_up::people::Ids;

const RECORDS: u64 = 100_000;

/// A whole first run.
#[derive(Debug)]
pub(super) struct Component;

#[async_trait(?Send)]
impl Row for Component {
    fn name(&self) -> &'static str {
        "component"
    }

    async fn measure(&self, bench: &mut Bench) -> Result<Vec<Line>> {
        let (mut component, mut native): (Vec<Took>, Vec<Took>) = Default::default();
        // In turn, so that a slow minute of the machine falls on both.
        for _ in 0..3 {
            component.push(bench.world(RECORDS, Ids::Sequential).await?.first_sync(Guest::Component).await?);
            native.push(bench.world(RECORDS, Ids::Sequential).await?.first_sync(Guest::Native).await?);
        }
        let (component, native) = (median(component), median(native));
        let line =
            Line::took(format!("plugin as a component, first sync of {}", thousands(RECORDS)), component);
        let note = format!("processor {:.2} s beside {:.2} s", component.cpu, native.cpu);
        Ok(vec![
            line.beside("the same plugin compiled natively", Quantity::Seconds(native.wall))
                .at_most(1.3)
                .note(note),
        ])
    }
}
