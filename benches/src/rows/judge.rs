//! Throughput of the judge.

use super::Row;
use crate::bench::Bench;
use crate::count;
use crate::line::Line;
use crate::quantity::Quantity;
use crate::took::repeat;
use anyhow::Result;
use async_trait::async_trait;
use std::hint::black_box;

/// Rounds over all claims in one measurement.
const ROUNDS: usize = 20_000;

/// Verdicts in a second, on one core.
#[derive(Debug)]
pub(super) struct Judge;

#[async_trait(?Send)]
impl Row for Judge {
    fn name(&self) -> &'static str {
        "judge"
    }

    async fn measure(&self, _: &mut Bench) -> Result<Vec<Line>> {
        let all = count::contents_of_judging();
        let took = repeat(7, || {
            for _ in 0..ROUNDS {
                black_box(count::verdicts(&all));
            }
        });
        let speed = Quantity::PerSecond((all.len() * ROUNDS) as f64 / took.wall);
        let line = Line::new("judge: verdicts on one core", speed).over(Quantity::PerSecond(20e6));
        Ok(vec![line.note("Mautic's in PHP: 1.4 to 3.7 million/s, measured elsewhere")])
    }
}
