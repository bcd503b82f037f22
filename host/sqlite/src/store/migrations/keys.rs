//! Migration 16: rewrites stored keys that are not ASCII, or longer than a key may be, in the form that keys have now.
//! The form of ASCII keys is the one that they had.

use entente_core::{KEY_SEPARATOR, Kind, Value, bounded_key, canonical_identifier};
use rusqlite::{Connection, params};
use rusqlite_migration::HookResult;

/// The columns of a key that tell whether it has to be rewritten: more bytes than characters, or too many.
fn differs(column: &str) -> String {
    format!("(length(CAST({column} AS BLOB)) <> length({column}) OR length({column}) > 512)")
}

/// A key in the form that it has now; `None` where it is none any more. The old form was trimmed and in lower case, and
/// an address among them still has its `@`, so that no kind is needed.
fn now(key: &str) -> Option<String> {
    let text = |text: &str| canonical_identifier(&Kind::Text, &Value::text(text));
    let mut parts = key.split(KEY_SEPARATOR);
    let first = text(parts.next()?)?;
    let mut key = first;
    for part in parts {
        key.push(KEY_SEPARATOR);
        key.push_str(&text(part)?);
    }
    Some(bounded_key(key))
}

pub(super) fn apply(connection: &Connection) -> HookResult {
    hub(connection)?;
    index(connection)?;
    for side in ["left", "right"] {
        pairs(connection, &format!("{side}_keys"))?;
    }
    Ok(())
}

fn hub(connection: &Connection) -> HookResult {
    let sql = format!("SELECT field, canonical, record FROM hub_key WHERE {}", differs("canonical"));
    let mut select = connection.prepare(&sql)?;
    let rows: Vec<(i64, String, i64)> =
        select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect::<Result<_, _>>()?;
    let mut remove =
        connection.prepare("DELETE FROM hub_key WHERE field = ?1 AND canonical = ?2 AND record = ?3")?;
    let mut put =
        connection.prepare("INSERT OR IGNORE INTO hub_key (field, canonical, record) VALUES (?1, ?2, ?3)")?;
    for (field, key, record) in rows {
        remove.execute(params![field, key, record])?;
        if let Some(key) = now(&key) {
            put.execute(params![field, key, record])?;
        }
    }
    Ok(())
}

fn index(connection: &Connection) -> HookResult {
    let sql = format!("SELECT mapping, side, rank, text, pair FROM pair_key WHERE {}", differs("text"));
    let mut select = connection.prepare(&sql)?;
    let rows: Vec<(i64, i64, i64, String, i64)> = select
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))?
        .collect::<Result<_, _>>()?;
    let mut remove = connection.prepare(
        "DELETE FROM pair_key WHERE mapping = ?1 AND side = ?2 AND rank = ?3 AND text = ?4 AND pair = ?5",
    )?;
    let mut put = connection.prepare(
        "INSERT OR IGNORE INTO pair_key (mapping, side, rank, text, pair) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for (mapping, side, rank, key, pair) in rows {
        remove.execute(params![mapping, side, rank, key, pair])?;
        if let Some(key) = now(&key) {
            put.execute(params![mapping, side, rank, key, pair])?;
        }
    }
    Ok(())
}

/// The copy of its keys that the row of a pair has.
fn pairs(connection: &Connection, column: &str) -> HookResult {
    let sql = format!("SELECT id, {column} FROM pair WHERE {column} IS NOT NULL AND {}", differs(column));
    let mut select = connection.prepare(&sql)?;
    let rows: Vec<(i64, String)> =
        select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let mut update = connection.prepare(&format!("UPDATE pair SET {column} = ?2 WHERE id = ?1"))?;
    for (id, text) in rows {
        let Ok(keys) = serde_json::from_str::<Vec<(u32, String)>>(&text) else { continue };
        let plain = |key: &str| key.is_ascii() && key.len() <= 512;
        let mut keys: Vec<(u32, String)> = keys
            .into_iter()
            .filter_map(|(rank, key)| Some((rank, if plain(&key) { key } else { now(&key)? })))
            .collect();
        keys.dedup();
        let text = (!keys.is_empty()).then(|| serde_json::to_string(&keys)).transpose();
        update.execute(params![id, text.unwrap_or(None)])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{apply as migrate, to};
    use super::*;
    use std::path::Path;

    #[test]
    fn v5_keys_of_version_15_get_their_form_of_today() {
        let mut connection = Connection::open_in_memory().unwrap();
        // Its rows stand without their mapping and fields.
        connection.pragma_update(None, "foreign_keys", false).unwrap();
        to(&mut connection, 15);
        let long = "y".repeat(600);
        let row = "INSERT INTO pair (id, mapping, status, attempts, dirty, context, left_filtered, right_filtered, left_id, right_id, left_deleted, left_keys, right_keys, agreed) VALUES";
        let keys = |keys: &[&str]| {
            serde_json::to_string(&keys.iter().map(|key| (0, key)).collect::<Vec<_>>()).unwrap()
        };
        let left =
            ["strasse", "stra\u{df}e", "u\u{308}", "ada@b\u{fc}cher.example", "a\u{1f}\u{e4}", long.as_str()];
        connection
            .execute(
                &format!("{row} (1, 1, 'ok', 0, 0, 0, 0, 0, 'l', 'r', NULL, ?1, '[[0,\"plain\"]]', '')"),
                [keys(&left)],
            )
            .unwrap();
        connection
            .execute(
                &format!("{row} (2, 1, 'deleted', 0, 0, 0, 0, 0, 'l2', 'r2', 5, ?1, ?1, '')"),
                [keys(&["gone"])],
            )
            .unwrap();
        let put = "INSERT INTO pair_key (mapping, side, rank, text, pair) VALUES (1, ?1, 0, ?2, ?3)";
        for key in left {
            connection.execute(put, params![0, key, 1]).unwrap();
        }
        for (side, key, pair) in [(1, "plain", 1), (0, "gone", 2), (1, "gone", 2)] {
            connection.execute(put, params![side, key, pair]).unwrap();
        }
        connection
            .execute("INSERT INTO hub_key VALUES (7, 'mu\u{308}ller', 1), (7, 'plain', 2)", [])
            .unwrap();
        migrate(&mut connection, Path::new("x.db")).unwrap();
        let texts = |sql: &str| -> Vec<String> {
            let mut statement = connection.prepare(sql).unwrap();
            statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
        };
        let mut expected = vec![
            "a\u{1f}\u{e4}".to_owned(),
            "ada@xn--bcher-kva.example".to_owned(),
            "strasse".to_owned(),
            bounded_key(long.clone()),
            "\u{fc}".to_owned(),
        ];
        assert_eq!(texts("SELECT text FROM pair_key WHERE side = 0 ORDER BY text"), expected);
        assert_eq!(texts("SELECT text FROM pair_key WHERE side = 1 ORDER BY text"), ["gone", "plain"]);
        assert_eq!(texts("SELECT canonical FROM hub_key ORDER BY 1"), ["m\u{fc}ller", "plain"]);
        let copy = texts("SELECT left_keys FROM pair WHERE left_keys IS NOT NULL");
        let copy: Vec<(u32, String)> = serde_json::from_str(&copy[0]).unwrap();
        let mut copy: Vec<String> = copy.into_iter().map(|(_, key)| key).collect();
        copy.sort();
        expected.sort();
        assert_eq!((copy.len(), copy), (5, expected));
        assert_eq!(texts("SELECT right_keys FROM pair ORDER BY id"), ["[[0,\"plain\"]]", "[[0,\"gone\"]]"]);
    }
}
