//! One page call of 1,000 rows of 8 fields, in each direction.

use super::Row;
use crate::bench::Bench;
use crate::line::Line;
use crate::page::PageCall;
use crate::quantity::Quantity;
use crate::took::{Took, repeat};
use crate::world::Guest;
use anyhow::{Context, Result};
use async_trait::async_trait;
use made_up::people::PAGE_ROWS;

const CALLS: usize = 201;

/// Out of the plugin, and into it.
#[derive(Debug)]
pub(super) struct PageCalls;

#[async_trait(?Send)]
impl Row for PageCalls {
    fn name(&self) -> &'static str {
        "page-call"
    }

    async fn measure(&self, bench: &mut Bench) -> Result<Vec<Line>> {
        let (component, folder) = (bench.made_up()?, bench.folder.path().to_owned());
        // The calls have a runtime of their own, and one cannot wait within another.
        std::thread::spawn(move || {
            let call = PageCall::new(Guest::Component, &component, &folder)?;
            let native = PageCall::new(Guest::Native, &component, &folder)?;
            // What fails here has worked a moment ago.
            let out = repeat(CALLS, || drop(call.report()));
            let into = repeat(CALLS, || drop(call.execute()));
            let made = repeat(CALLS, || drop(native.report()));
            let mut copy = Vec::with_capacity(1 << 20);
            let copied = repeat(CALLS, || call.copy(&mut copy));
            let line = |what: &str, took: Took| {
                let line = Line::took(format!("one page call, 1,000 rows of 8 fields, {what}"), took);
                line.beside("native copy of the same values", Quantity::Seconds(copied.wall))
            };
            let a_row = |took: Took| Quantity::Seconds(took.wall / f64::from(PAGE_ROWS));
            let out_note =
                format!("{} a row, of which making the row up takes {} natively", a_row(out), a_row(made));
            Ok(vec![
                line("out of the plugin", out).note(out_note),
                line("into the plugin", into).note(format!("{} a row", a_row(into))),
            ])
        })
        .join()
        .ok()
        .context("the thread of the calls has panicked")?
    }
}
