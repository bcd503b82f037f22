//! A full compare without differences, beside the reads that it needs at least.

use super::{Row, thousands};
use crate::bench::Bench;
use crate::line::Line;
use crate::quantity::Quantity;
use crate::took::{Took, Watch, median};
use crate::world::{Guest, World};
use anyhow::{Result, ensure};
use async_trait::async_trait;
use entente_core::Timestamp;
use entente_sync::{Exchange, MappingId, Reading, ReportRequest, RunOptions, Side, Wanted, Window};
use made_up::people::Ids;
use rusqlite::{Connection, OpenFlags};

/// Rows of a page, as the engine asks for them.
const PAGE_ROWS: u32 = 500;

/// `--full`.
#[derive(Debug)]
pub(super) struct Full;

/// Reads every page of a side as the engine does, and by the id of each row the columns of its pair. The pair
/// is read by bare SQLite: it is not turned into anything.
async fn read(exchange: &dyn Exchange, side: Side, world: &World, pairs: &Connection) -> Result<u64> {
    let definition = world.definition();
    let mapping = &definition.mappings[0];
    let wanted = Wanted {
        object: mapping.object(side).to_owned(),
        fields: mapping.fields.iter().map(|field| field.name(side).to_owned()).collect(),
        ids: Vec::new(),
        window: Window { since: None, until: Timestamp::from_micros(i64::MAX) },
        bookmark: None,
        full: true,
    };
    let mut request = ReportRequest {
        cursor: None,
        iteration: 0,
        objects: vec![wanted],
        first_time: false,
        limit: PAGE_ROWS,
        options: Vec::new(),
        sync: definition.name.clone(),
    };
    let mut found = 0;
    loop {
        let page = exchange.report(&request).await?;
        let ids = page.batches.iter().flat_map(|batch| &batch.rows).map(|row| row.id.as_str());
        found += by_id(pairs, mapping.id, side, ids)?;
        match page.next {
            Some(cursor) => request.cursor = Some(cursor),
            None => return Ok(found),
        }
        request.iteration += 1;
    }
}

fn by_id<'a>(
    pairs: &Connection,
    mapping: MappingId,
    side: Side,
    ids: impl Iterator<Item = &'a str>,
) -> Result<u64> {
    let column = match side {
        Side::Left => "left_id",
        Side::Right => "right_id",
    };
    let mut statement =
        pairs.prepare_cached(&format!("SELECT * FROM pair WHERE mapping = ?1 AND {column} = ?2"))?;
    let columns = statement.column_count();
    let mut found = 0;
    for id in ids {
        let mut rows = statement.query((mapping, id))?;
        if let Some(row) = rows.next()? {
            for column in 0..columns {
                std::hint::black_box(row.get_ref(column)?);
            }
            found += 1;
        }
    }
    Ok(found)
}

#[async_trait(?Send)]
impl Row for Full {
    fn name(&self) -> &'static str {
        "full"
    }

    async fn measure(&self, bench: &mut Bench) -> Result<Vec<Line>> {
        let mut lines = Vec::new();
        for records in bench.sizes() {
            let (world, _) = bench.synced(records, Ids::Sequential).await?;
            let repeats = if records > 100_000 { 1 } else { 3 };
            let (mut runs, mut readings): (Vec<Took>, Vec<Took>) = Default::default();
            for _ in 0..repeats {
                let (took, end) = world.run(Guest::Component, RunOptions::sync(Reading::Full)).await?;
                ensure!(end.run.writes() == 0, "{} records written of none", end.run.writes());
                runs.push(took);

                let right = world.exchange(Guest::Component).await?;
                let pairs = Connection::open_with_flags(world.database(), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
                let watch = Watch::start();
                for (side, exchange) in
                    [(Side::Left, world.tenant().hub() as &dyn Exchange), (Side::Right, right.as_ref())]
                {
                    let found = read(exchange, side, world, &pairs).await?;
                    ensure!(found == records, "{found} pairs read of {records}");
                }
                readings.push(watch.took());
            }
            let (took, reading) = (median(runs), median(readings));
            let line =
                Line::took(format!("full compare of {} pairs, nothing differs", thousands(records)), took);
            let beside = "lifting the same pages of both sides, reading each pair by its id";
            let note = format!(
                "{} a record; processor {:.2} s beside {:.2} s",
                Quantity::Seconds(took.wall / records as f64),
                took.cpu,
                reading.cpu
            );
            lines.push(line.beside(beside, Quantity::Seconds(reading.wall)).at_most(2.0).note(note));
        }
        Ok(lines)
    }
}
