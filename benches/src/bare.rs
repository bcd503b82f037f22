//! Baseline: the rows that the program wrote, inserted again by bare SQLite.

use crate::took::{Took, Watch};
use anyhow::Result;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, params_from_iter};
use std::path::Path;

/// Rows of each table in one transaction, as many as a page of a report has.
const ROWS: usize = 1_000;

/// The result of the inserts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written {
    /// The duration of inserts and commits.
    pub(crate) took: Took,
    /// The number of rows.
    pub(crate) rows: u64,
}

/// Columns of the primary key; one that is a number is what the rows are put in order by, since they were
/// made in that order.
fn order(connection: &Connection, table: &str) -> Result<Option<String>> {
    let sql = "SELECT name, pk FROM pragma_table_info(?1) WHERE type = 'INTEGER' AND pk > 0 ORDER BY pk DESC LIMIT 1";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([table])?;
    Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
}

/// Writes everything that a database holds into an empty one with the same tables, indexes and settings: one
/// prepared insert a table, a transaction for every thousand rows of each. Reading is not timed.
///
/// # Errors
/// Where SQLite fails.
pub(crate) fn write_again(database: &Path, copy: &Path) -> Result<Written> {
    let from = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut into = Connection::open(copy)?;
    into.set_prepared_statement_cache_capacity(64);
    let page_size: i64 = from.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    into.pragma_update(None, "page_size", page_size)?;
    into.pragma_update(None, "journal_mode", "WAL")?;
    into.pragma_update(None, "synchronous", "NORMAL")?;
    into.pragma_update(None, "temp_store", "MEMORY")?;

    let mut statement =
        from.prepare("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND type = 'table' AND name NOT LIKE 'sqlite_%'")?;
    let tables: Vec<(String, String)> =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let mut statement =
        from.prepare("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND type <> 'table'")?;
    let others: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for sql in tables.iter().map(|(_, sql)| sql).chain(&others) {
        into.execute_batch(sql)?;
    }

    let mut readers = Vec::new();
    let mut inserts = Vec::new();
    for (table, _) in &tables {
        let order = order(&from, table)?.map(|column| format!(" ORDER BY {column}")).unwrap_or_default();
        let reader = from.prepare(&format!("SELECT * FROM {table}{order}"))?;
        let marks = vec!["?"; reader.column_count()].join(", ");
        inserts.push(format!("INSERT INTO {table} VALUES ({marks})"));
        readers.push(reader);
    }
    let mut cursors = Vec::new();
    for reader in &mut readers {
        let columns = reader.column_count();
        cursors.push((reader.query([])?, columns));
    }

    let mut written = Written { took: Took::default(), rows: 0 };
    loop {
        let mut chunk: Vec<Vec<Vec<Value>>> = Vec::with_capacity(cursors.len());
        for (rows, columns) in &mut cursors {
            let mut taken = Vec::new();
            while taken.len() < ROWS
                && let Some(row) = rows.next()?
            {
                taken.push((0..*columns).map(|column| row.get(column)).collect::<Result<_, _>>()?);
            }
            chunk.push(taken);
        }
        let rows: usize = chunk.iter().map(Vec::len).sum();
        if rows == 0 {
            return Ok(written);
        }
        written.rows += rows as u64;
        let watch = Watch::start();
        let transaction = into.transaction()?;
        for (insert, rows) in inserts.iter().zip(&chunk) {
            let mut insert = transaction.prepare_cached(insert)?;
            for row in rows {
                insert.execute(params_from_iter(row))?;
            }
        }
        transaction.commit()?;
        written.took += watch.took();
    }
}
