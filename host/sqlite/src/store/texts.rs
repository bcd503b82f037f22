//! Texts of a database that came from elsewhere. Where it is read, a name, a status or a sentence is taken for one that this
//! program wrote, and printed as it is; so whatever acts on a terminal is taken out of them before anything reads it.
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

/// Those of them whose names operators give, and a shell completes: letters a to z, digits, dash and underscore. Objects and
/// fields are named by plugins too.
const GIVEN: [&str; 8] =
    ["name", "sync", "relation", "integration", "plugin", "exchange", "left_exchange", "right_exchange"];

/// The length limit of such a name.
const LONGEST_GIVEN: usize = 64;

/// The columns that hold what somebody said: values, ids, tokens. In their JSON only the keys are ours.
const SAID: &[(&str, &[&str])] = &[
    ("change", &["key", "record", "ticket"]),
    ("conflict", &["left_value", "right_value", "ruling"]),
    ("hub_key", &["canonical"]),
    ("hub_record", &["data", "stamps"]),
    ("hub_tombstone", &["data", "stamps"]),
    ("hub_word", &["word"]),
    ("import_update", &["data", "stamps", "written"]),
    ("integration", &["settings"]),
    ("integration_description", &["settings"]),
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

/// The keys of JSON, in all other columns, under which somebody's words or values stand: a text, or lists of texts. An object
/// under them has keys of its own, since some of our keys are names that somebody gave.
pub(crate) const SAID_KEYS: [&str; 21] = [
    "b", "choices", "code", "constant", "contains", "default", "f", "file", "id", "ids", "is", "not", "now",
    "o", "options", "planned", "said", "text", "v", "value", "values",
];

/// The columns of JSON. One that this parser cannot read whole is no column of ours: the reader of a type passes over what it
/// does not know, and would find what was not cleaned.
const JSON: &[(&str, &[&str])] = &[
    ("change", &["fields", "reason_data"]),
    ("conflict", &["left_value", "reason_data", "right_value", "ruling"]),
    ("custom_definition", &["definition"]),
    ("hub_field", &["choices", "targets"]),
    ("hub_record", &["data", "stamps"]),
    ("hub_tombstone", &["data", "stamps"]),
    ("import_update", &["data", "stamps", "written"]),
    ("integration", &["grants", "settings"]),
    ("integration_description", &["description", "manual", "settings"]),
    ("integration_health", &["remedies"]),
    ("integration_previous", &["grants"]),
    ("known_schema", &["description"]),
    ("pair", &["agreed", "differing", "left_keys", "left_seen", "reason_data", "right_keys", "right_seen"]),
    ("progress", &["place"]),
    ("run", &["counts", "notices", "options", "remedies"]),
    ("sync_definition", &["definition"]),
    ("trust", &["trust"]),
];

/// Takes what acts on a terminal out of all texts of a database that are printed as they are, in its own form
/// ([`Foreign`]). Returns what is wrong where a name has it: what a name names could not be found any more.
pub(super) fn take_in(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("entente_shown", 2, flags, |context| {
        let (text, said) = (context.get_raw(0).as_str()?, context.get(1)?);
        cleaned_json(text, said).map_err(|error| rusqlite::Error::UserFunctionError(error.into()))
    })?;
    connection.create_scalar_function("entente_shown", 1, flags, |context| {
        Ok(cleaned_text(context.get_raw(0).as_str()?))
    })?;
    for (table, column) in columns(connection)? {
        if NAMES.contains(&column.as_str()) {
            if let Some(name) = bad_name(connection, &table, &column)? {
                let name = Foreign::new(name).cut(100);
                return Ok(Some(format!("its {table} has the {column} '{name}', which is no name")));
            }
            continue;
        }
        let is_of = |list: &[(&str, &[&str])]| {
            list.iter().any(|(of, columns)| *of == table && columns.contains(&column.as_str()))
        };
        let shown = match (is_of(JSON), is_of(SAID)) {
            (true, said) => format!("entente_shown(\"{column}\", {said})"),
            (false, false) => format!("entente_shown(\"{column}\")"),
            (false, true) => continue,
        };
        let update = format!(
            "UPDATE \"{table}\" SET \"{column}\" = {shown} WHERE typeof(\"{column}\") = 'text' AND {shown} IS NOT NULL"
        );
        if connection.execute(&update, []).is_err() {
            return Ok(Some(format!(
                "its {table} holds in {column} what cannot be read, or what cannot be twice"
            )));
        }
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

/// Finds a name that acts on a terminal, or that nobody can have given.
fn bad_name(connection: &Connection, table: &str, column: &str) -> rusqlite::Result<Option<String>> {
    let query = format!("SELECT DISTINCT \"{column}\" FROM \"{table}\" WHERE typeof(\"{column}\") = 'text'");
    let mut names = connection.prepare(&query)?;
    let mut rows = names.query([])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        if name.contains(acts_on_a_terminal) || (GIVEN.contains(&column) && !can_be_given(&name)) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Whether operators can have given this name. It is empty where there is none: a run of an import has no sync.
fn can_be_given(name: &str) -> bool {
    // Links that were forgotten are kept under the name of their relation, and until when they were in force.
    let name = match name.rsplit_once(" until ") {
        Some((relation, until)) if until.bytes().all(|byte| byte.is_ascii_digit()) => relation,
        _ => name,
    };
    name.len() <= LONGEST_GIVEN && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// A text as it may be printed, where that differs.
fn cleaned_text(text: &str) -> Option<String> {
    text.contains(acts_on_a_terminal).then(|| Foreign::new(text).to_string())
}

/// JSON as it may be printed, where that differs: its keys, and its texts but for what somebody said (`keys_only`: all of them
/// are).
///
/// # Errors
/// Where it is no JSON.
fn cleaned_json(text: &str, keys_only: bool) -> Result<Option<String>, serde_json::Error> {
    // Only what has an escape can hold a control character.
    if !text.contains(|c| c == '\\' || acts_on_a_terminal(c)) {
        return Ok(None);
    }
    let mut value: Value = serde_json::from_str(text)?;
    Ok(clean(&mut value, keys_only).then(|| value.to_string()))
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
                let said = !value.is_object() && SAID_KEYS.contains(&key.as_str());
                clean(value, keys_only || said) | changed
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
            (r#"{"contact":{"read":1}}"#, None, None),
            (r#"{"a\nb":1}"#, Some(r#"{"a\\nb":1}"#), Some(r#"{"a\\nb":1}"#)),
            (r#"{"object":"a\nb"}"#, Some(r#"{"object":"a\\nb"}"#), None),
            (r#"{"said":{"text":"a\nb"}}"#, None, None),
            (r#"{"id":{"object":"a\nb"}}"#, Some(r#"{"id":{"object":"a\\nb"}}"#), None),
            (r#"{"values":[["a\nb","c"]]}"#, None, None),
            (r#"["a\u001bb",{"id":"a\nb"}]"#, Some(r#"["a\\u{1b}b",{"id":"a\nb"}]"#), None),
            (
                r#"{"is":{"a\nb":"c\nd"}}"#,
                Some(r#"{"is":{"a\\nb":"c\\nd"}}"#),
                Some(r#"{"is":{"a\\nb":"c\nd"}}"#),
            ),
            ("\"a\u{202e}\"", Some("\"a\\\\u{202e}\""), None),
        ] {
            assert_eq!(cleaned_json(text, false).unwrap().as_deref(), shown, "{text}");
            assert_eq!(cleaned_json(text, true).unwrap().as_deref(), keys, "{text}");
        }
        for (text, shown) in [
            ("done", None),
            ("done\nFORGED", Some(r"done\nFORGED")),
            // Read as JSON it would have nothing to clean.
            ("\n\"next: run this\"\n", Some(r#"\n"next: run this"\n"#)),
        ] {
            assert_eq!(cleaned_text(text).as_deref(), shown, "{text}");
        }
        // What is cleaned is clean.
        let once = cleaned_text("a\n\u{1b}b").unwrap();
        assert_eq!(cleaned_text(&once), None, "{once}");
        let once = cleaned_json(r#"{"a\nb":["c\td"]}"#, false).unwrap().unwrap();
        assert_eq!(cleaned_json(&once, false).unwrap(), None, "{once}");
        // What a reader would pass over hides nothing.
        let deep = format!(r#"{{"zz":{}{},"object":"a\u000aFORGED"}}"#, "[".repeat(200), "]".repeat(200));
        let joined = r#"1},"z":{"object":"a\u000aFORGED""#;
        for hidden in [r#"{"object":"a\u000aFORGED","zz":1e999}"#, &deep, joined] {
            assert!(cleaned_json(hidden, false).is_err() && cleaned_json(hidden, true).is_err(), "{hidden}");
        }
    }

    #[test]
    fn names_that_operators_give_have_nothing_that_a_shell_runs() {
        let long = "x".repeat(LONGEST_GIVEN);
        for good in ["", "HelloWorld", "crm-2_x", "sales until 1700000000000000", &long] {
            assert!(can_be_given(good), "{good}");
        }
        let longer = format!("{long}x");
        for bad in ["a b", "shop;touch x", "$(touch x)", "`x`", "a/b", "ä", "sales until now", &longer] {
            assert!(!can_be_given(bad), "{bad}");
        }
        assert!(GIVEN.iter().all(|column| NAMES.contains(column)));
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
