//! Baseline: a simple script that compares a hash, upserts the record, and upserts a row that links both ids.

use crate::took::{Took, Watch};
use anyhow::Result;
use made_up::people::{Content, FIELDS, People};
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use sha2::{Digest, Sha256};
use std::path::Path;

/// Records in one transaction.
const BATCH: u64 = 500;

const TABLES: &str = "
    CREATE TABLE contact (id INTEGER PRIMARY KEY, first_name, last_name, email, phone, city, country, job_title, score);
    CREATE TABLE link (remote TEXT PRIMARY KEY, local INTEGER, hash BLOB) WITHOUT ROWID;
";

const UPSERT: &str = "INSERT INTO contact VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (id) DO UPDATE SET
    first_name = excluded.first_name, last_name = excluded.last_name, email = excluded.email, phone = excluded.phone,
    city = excluded.city, country = excluded.country, job_title = excluded.job_title, score = excluded.score";

/// Takes in everybody.
///
/// # Errors
/// Where SQLite fails.
pub(crate) fn upsert(people: &People, database: &Path) -> Result<Took> {
    let watch = Watch::start();
    let mut connection = Connection::open(database)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.execute_batch(TABLES)?;
    let mut from = 0;
    while from < people.records {
        let to = (from + BATCH).min(people.records);
        let transaction = connection.transaction()?;
        {
            let mut known = transaction.prepare_cached("SELECT hash FROM link WHERE remote = ?1")?;
            let mut upsert = transaction.prepare_cached(UPSERT)?;
            let sql = "INSERT INTO link VALUES (?1, ?2, ?3) ON CONFLICT (remote) DO UPDATE SET hash = excluded.hash";
            let mut link = transaction.prepare_cached(sql)?;
            for number in from..to {
                let id = people.id(number);
                let mut hash = Sha256::new();
                let mut values = vec![rusqlite::types::Value::Integer(number as i64 + 1)];
                for field in 0..FIELDS.len() {
                    values.push(match people.content(number, field) {
                        Content::Text(text) => {
                            hash.update(&text);
                            text.into()
                        }
                        Content::Number(number) => {
                            hash.update(number.to_le_bytes());
                            number.into()
                        }
                    });
                    hash.update([0x1f]);
                }
                let hash: Vec<u8> = hash.finalize().to_vec();
                let old: Option<Vec<u8>> = known.query_row([&id], |row| row.get(0)).optional()?;
                if old.as_ref() != Some(&hash) {
                    upsert.execute(params_from_iter(values))?;
                    link.execute(params![id, number as i64 + 1, hash])?;
                }
            }
        }
        transaction.commit()?;
        from = to;
    }
    Ok(watch.took())
}
