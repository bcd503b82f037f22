//! Texts of a database that came from elsewhere. Where it is read, a name, a status or a sentence is taken for one that this
//! program wrote, and printed as it is; so whatever acts on a terminal is taken out of them before the database is opened.
//! What strangers said has a type of its own where it is read ([`Foreign`]), and stays as it is.

use entente_core::{Foreign, acts_on_a_terminal};
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use serde_json::Value;

/// The columns of names, by whatever table: names of what the program defines hold no control characters, and are printed
/// as they are.
const NAMES: [&str; 14] = [
    "name",
    "sync",
    "relation",
    "object",
    "field",
    "integration",
    "plugin",
    "exchange",
    "left_exchange",
    "right_exchange",
    "left_object",
    "right_object",
    "left_field",
    "right_field",
];

/// The columns that hold what somebody said: values, ids, tokens. In their JSON only the keys are ours.
const SAID: &[(&str, &[&str])] = &[
    ("change", &["key", "record", "fields", "ticket"]),
    ("conflict", &["left_value", "right_value", "ruling"]),
    ("hub_key", &["canonical"]),
    ("hub_record", &["data", "stamps"]),
    ("integration", &["settings"]),
    ("integration_secret", &["key"]),
    (
        "pair",
        &[
            "left_id",
            "right_id",
            "left_version",
            "right_version",
            "agreed",
            "left_seen",
            "right_seen",
            "left_keys",
            "right_keys",
        ],
    ),
    ("pair_key", &["text"]),
    ("progress", &["place"]),
    ("state", &["key"]),
];

/// The keys of JSON, in all other columns, under which somebody's words or values stand.
const SAID_KEYS: [&str; 17] = [
    "choices", "code", "constant", "contains", "default", "id", "ids", "is", "not", "now", "planned", "said",
    "text", "value", "values", "settings", "options",
];

/// Takes what acts on a terminal out of all texts of a database that are printed as they are, in its own form
/// ([`Foreign`]). Returns what is wrong where a name has it: what a name names could not be found any more.
pub(super) fn take_in(connection: &Connection) -> rusqlite::Result<Option<String>> {
    for (function, clean) in
        [("entente_shown", shown as fn(&str) -> Option<String>), ("entente_shown_keys", shown_keys)]
    {
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        connection.create_scalar_function(function, 1, flags, move |context| {
            Ok(clean(context.get_raw(0).as_str()?))
        })?;
    }
    for (table, column) in columns(connection)? {
        if NAMES.contains(&column.as_str()) {
            if let Some(name) = bad_name(connection, &table, &column)? {
                let name = Foreign::new(name).cut(100);
                return Ok(Some(format!("its {table} has the {column} '{name}', which is no name")));
            }
            continue;
        }
        let said = SAID.iter().any(|(of, columns)| *of == table && columns.contains(&column.as_str()));
        let function = if said { "entente_shown_keys" } else { "entente_shown" };
        connection.execute(
            &format!(
                "UPDATE \"{table}\" SET \"{column}\" = {function}(\"{column}\")
                 WHERE typeof(\"{column}\") = 'text' AND {function}(\"{column}\") IS NOT NULL"
            ),
            [],
        )?;
    }
    Ok(None)
}

/// The columns of all tables.
fn columns(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let mut columns = connection.prepare(
        "SELECT m.name, c.name FROM sqlite_schema AS m, pragma_table_info(m.name) AS c WHERE m.type = 'table' ORDER BY 1, 2",
    )?;
    let columns = columns.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    columns.collect()
}

/// Finds a name that acts on a terminal.
fn bad_name(connection: &Connection, table: &str, column: &str) -> rusqlite::Result<Option<String>> {
    let query = format!("SELECT DISTINCT \"{column}\" FROM \"{table}\" WHERE typeof(\"{column}\") = 'text'");
    let mut names = connection.prepare(&query)?;
    let mut rows = names.query([])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        if name.contains(acts_on_a_terminal) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// A text as it may be printed, where that differs; of JSON, its keys and texts but for what somebody said.
fn shown(text: &str) -> Option<String> {
    cleaned(text, false)
}

/// JSON with keys as they may be printed, where that differs. What is none is left as it is.
fn shown_keys(text: &str) -> Option<String> {
    cleaned(text, true)
}

fn cleaned(text: &str, keys_only: bool) -> Option<String> {
    // Of JSON, only what has an escape can hold a control character, and only what has a bracket has keys.
    if !text.contains(|c| c == '\\' || acts_on_a_terminal(c)) {
        return None;
    }
    let shown = match serde_json::from_str::<Value>(text) {
        Ok(mut json) => clean(&mut json, keys_only).then(|| json.to_string())?,
        Err(_) if keys_only => return None,
        Err(_) => Foreign::new(text).to_string(),
    };
    (shown != text).then_some(shown)
}

/// Cleans a JSON document. Returns whether anything has changed. The parser bounds how deep it is.
fn clean(json: &mut Value, keys_only: bool) -> bool {
    match json {
        Value::String(text) if !keys_only && text.contains(acts_on_a_terminal) => {
            *text = Foreign::new(&*text).to_string();
            true
        }
        Value::Array(list) => list.iter_mut().fold(false, |changed, item| clean(item, keys_only) | changed),
        Value::Object(map) => {
            let bad: Vec<String> =
                map.keys().filter(|key| key.contains(acts_on_a_terminal)).cloned().collect();
            let changed = !bad.is_empty();
            for key in bad {
                let value = map.remove(&key).unwrap_or_default();
                map.insert(Foreign::new(key).to_string(), value);
            }
            map.iter_mut().fold(changed, |changed, (key, value)| {
                clean(value, keys_only || SAID_KEYS.contains(&key.as_str())) | changed
            })
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x4_only_what_somebody_said_keeps_what_acts_on_a_terminal() {
        for (text, shown, keys) in [
            ("done", None, None),
            ("done\nFORGED", Some(r"done\nFORGED"), None),
            (r#"{"contact":{"read":1}}"#, None, None),
            (r#"{"a\nb":1}"#, Some(r#"{"a\\nb":1}"#), Some(r#"{"a\\nb":1}"#)),
            (r#"{"object":"a\nb"}"#, Some(r#"{"object":"a\\nb"}"#), None),
            (r#"{"said":{"text":"a\nb","object":"a\nb"}}"#, None, None),
            (r#"["a\u001bb",{"id":"a\nb"}]"#, Some(r#"["a\\u{1b}b",{"id":"a\nb"}]"#), None),
            (
                r#"{"is":{"a\nb":"c\nd"}}"#,
                Some(r#"{"is":{"a\\nb":"c\nd"}}"#),
                Some(r#"{"is":{"a\\nb":"c\nd"}}"#),
            ),
            ("\"a\u{202e}\"", Some("\"a\\\\u{202e}\""), None),
        ] {
            assert_eq!(super::shown(text).as_deref(), shown, "{text}");
            assert_eq!(shown_keys(text).as_deref(), keys, "{text}");
        }
        // What is cleaned is clean.
        for text in ["a\n\u{1b}b", r#"{"a\nb":["c\td"]}"#] {
            let once = super::shown(text).unwrap();
            assert_eq!(super::shown(&once), None, "{once}");
        }
    }

    #[test]
    fn x4_the_columns_of_what_is_said_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        drop(crate::Store::open(&path).unwrap());
        let there = columns(&Connection::open(&path).unwrap()).unwrap();
        for (table, column) in
            SAID.iter().flat_map(|(table, columns)| columns.iter().map(move |column| (table, column)))
        {
            assert!(there.contains(&((*table).to_owned(), (*column).to_owned())), "{table}.{column}");
        }
        for name in NAMES {
            assert!(there.iter().any(|(_, column)| column == name), "{name}");
        }
    }
}
