//! The first sync into an empty hub, beside the same rows inserted by bare SQLite.

use super::{Row, thousands};
use crate::bare;
use crate::bench::Bench;
use crate::line::Line;
use crate::naive;
use crate::quantity::Quantity;
use crate::took::median;
use anyhow::Result;
use async_trait::async_trait;
use made_up::people::Ids;

/// First sync of 100,000 and 1,000,000 contacts, with sequential and random ids.
#[derive(Debug)]
pub(super) struct FirstSync;

#[async_trait(?Send)]
impl Row for FirstSync {
    fn name(&self) -> &'static str {
        "first-sync"
    }

    async fn measure(&self, bench: &mut Bench) -> Result<Vec<Line>> {
        let mut lines = Vec::new();
        for (ids, word) in [(Ids::Sequential, "sequential"), (Ids::Random, "random")] {
            let mut before: Option<[f64; 2]> = None;
            for records in bench.sizes() {
                let (world, took) = bench.synced(records, ids).await?;
                let (database, took, people) = (world.database(), *took, world.people);
                let what = format!("first sync of {} contacts, {word} ids", thousands(records));

                let mut bare = Vec::new();
                let mut rows = 0;
                for _ in 0..if records > 100_000 { 1 } else { 3 } {
                    let copy = tempfile::tempdir_in(bench.folder.path())?;
                    let written = bare::write_again(&database, &copy.path().join("bare.db"))?;
                    rows = written.rows;
                    bare.push(written.took);
                }
                let bare = median(bare);
                let size = Quantity::Bytes(std::fs::metadata(&database)?.len());
                let note = format!(
                    "{} a record; {} rows, {size}; processor {:.2} s beside {:.2} s",
                    Quantity::Seconds(took.wall / records as f64),
                    thousands(rows),
                    took.cpu,
                    bare.cpu
                );
                let line = Line::took(&what, took)
                    .beside("the same rows inserted by bare SQLite", Quantity::Seconds(bare.wall));
                lines.push(line.at_most(2.0).note(note));

                let folder = tempfile::tempdir_in(bench.folder.path())?;
                let naive = naive::upsert(&people, &folder.path().join("naive.db"))?;
                lines.push(
                    Line::took(&what, took).beside(
                        "naive: compare a hash, upsert, upsert one link",
                        Quantity::Seconds(naive.wall),
                    ),
                );

                if let Some([small, small_bare]) = before {
                    let (growth, bare_growth) = (took.wall / small, bare.wall / small_bare);
                    let what = format!("its growth from 100,000 to {}, {word} ids", thousands(records));
                    let note = format!("{growth:.1} ×, beside {bare_growth:.1} × for bare SQLite");
                    // A tenth: what two such measurements differ by anyway.
                    let holds = growth <= bare_growth * 1.1;
                    lines.push(Line::took(what, took).goal("as bare SQLite grows", holds).note(note));
                }
                before = Some([took.wall, bare.wall]);
            }
        }
        Ok(lines)
    }
}
