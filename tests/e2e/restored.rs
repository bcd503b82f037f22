//! A tenant that was restored from somebody else's export (X4): whatever stands in its database, no line that is printed is a
//! stranger's.
//!
//! Every column of every table that holds text is altered, one after the other, since what cannot be read hides what stands
//! beside it; those of the hub's own tables together. Left out, as the test prints: columns that are empty here, and columns of
//! names, for which the restore is refused (`a_database_that_is_not_ours_is_not_taken`).

use crate::terminal::{FORGED, home};
use crate::world::{Home, Output, text};
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::io::Read;

/// The columns of names.
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

/// What is printed of a tenant, the words of its commands.
const COMMANDS: &[&[&str]] = &[
    &["status"],
    &["status", "evil", "--differing"],
    &["retry", "--list"],
    &["run", "list"],
    &["run", "show", "1"],
    &["run", "undo", "1", "--dry-run"],
    &["run", "show", "2"],
    &["run", "show", "2", "--log"],
    &["run", "undo", "2", "--dry-run"],
    &["record", "list", "thing"],
    &["record", "show", "thing:1"],
    &["record", "show", "evil/thing:1"],
    &["conflict", "list"],
    &["integration", "list"],
    &["integration", "grant", "evil"],
    &["plugin", "list"],
    &["tenant", "limits"],
    &["export"],
];

/// The columns of a table that hold text, and some.
fn columns(database: &Connection) -> Vec<(String, String)> {
    let mut columns = database
        .prepare("SELECT m.name, c.name FROM sqlite_schema AS m, pragma_table_info(m.name) AS c WHERE m.type = 'table' AND c.type = 'TEXT' ORDER BY 1, 2")
        .unwrap();
    let columns = columns.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    columns.map(Result::unwrap).collect()
}

/// Appends a line to a text; of JSON to every text and every key in it.
fn with_a_line(text: &str) -> String {
    fn within(json: &mut Value) {
        match json {
            Value::String(text) => text.push_str(&format!("\n{FORGED}\n")),
            Value::Array(list) => list.iter_mut().for_each(within),
            Value::Object(map) => {
                for (key, mut value) in std::mem::take(map) {
                    within(&mut value);
                    // A key that is altered is no key of ours; beside it the right one stays, so that the rest is read.
                    map.insert(format!("{key}\n{FORGED}\n"), value.clone());
                    map.insert(key, value);
                }
            }
            _ => {}
        }
    }
    match serde_json::from_str::<Value>(text) {
        Ok(mut json) if json.is_array() || json.is_object() => {
            within(&mut json);
            json.to_string()
        }
        _ => format!("{text}\n{FORGED}\n"),
    }
}

/// The files of an export, by path.
type Files = Vec<(String, Vec<u8>)>;

fn files_of(archive: &str) -> Files {
    let mut archive = tar::Archive::new(std::fs::File::open(archive).unwrap());
    let read = |entry: std::io::Result<tar::Entry<'_, std::fs::File>>| {
        let (mut entry, mut bytes) = (entry.unwrap(), Vec::new());
        entry.read_to_end(&mut bytes).unwrap();
        (text(&entry.path().unwrap()), bytes)
    };
    archive.entries().unwrap().map(read).collect()
}

/// An export as somebody would make it whose database has these columns of a table altered.
fn altered(home: &Home, files: &Files, table: &str, columns: &[&str]) -> String {
    let path = home.dir.path().join("altered.db");
    std::fs::write(&path, &files.iter().find(|(name, _)| name == "entente.db").unwrap().1).unwrap();
    let database = Connection::open(&path).unwrap();
    database.pragma_update(None, "foreign_keys", false).unwrap();
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    database
        .create_scalar_function("with_a_line", 1, flags, |context| {
            Ok(with_a_line(context.get_raw(0).as_str()?))
        })
        .unwrap();
    for column in columns {
        let update = format!(
            "UPDATE \"{table}\" SET \"{column}\" = with_a_line(\"{column}\") WHERE \"{column}\" IS NOT NULL"
        );
        database.execute(&update, []).unwrap();
    }
    database.close().unwrap();
    let database = std::fs::read(&path).unwrap();
    let file = home.dir.path().join("altered.tar");
    let mut archive = tar::Builder::new(std::fs::File::create(&file).unwrap());
    for (name, bytes) in files {
        let bytes = match name.as_str() {
            "entente.db" => database.clone(),
            "entente-tenant.json" => {
                let mut list: Value = serde_json::from_slice(bytes).unwrap();
                for content in list["contents"].as_array_mut().unwrap() {
                    if content["path"] == "entente.db" {
                        content["bytes"] = database.len().into();
                        content["sha256"] = hex::encode(Sha256::digest(&database)).into();
                    }
                }
                serde_json::to_vec(&list).unwrap()
            }
            _ => bytes.clone(),
        };
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        header.set_entry_type(tar::EntryType::Regular);
        archive.append_data(&mut header, name, &bytes[..]).unwrap();
    }
    archive.into_inner().unwrap();
    text(&file)
}

fn assert_nothing_is_forged(what: &str, output: &Output) {
    for line in output.stdout.lines().chain(output.stderr.lines()) {
        assert!(!line.trim_start().starts_with("FORGED"), "a stranger's line, of {what}:{output}");
    }
}

/// What is altered together: of a table the columns with text in them, of those with the most to read one after the other.
#[expect(clippy::print_stdout, reason = "a proof says what it leaves out")]
fn groups(database: &Connection) -> Vec<(String, Vec<String>)> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for (table, column) in columns(database) {
        let there =
            format!("SELECT count(*) FROM \"{table}\" WHERE \"{column}\" IS NOT NULL AND \"{column}\" <> ''");
        let count: i64 = database.query_row(&there, [], |row| row.get(0)).unwrap();
        if count == 0 || NAMES.contains(&column.as_str()) {
            println!("left out: {table}.{column}, which is {}", if count == 0 { "empty" } else { "a name" });
            continue;
        }
        let together = table.starts_with("hub_");
        match groups.last_mut() {
            Some((last, columns)) if together && *last == table => columns.push(column),
            _ => groups.push((table, vec![column])),
        }
    }
    groups
}

#[test]
fn x4_a_restored_database_begins_no_lines_of_its_own() {
    let home = home();
    let export = text(&home.dir.path().join("export.tar"));
    home.run(&["tenant", "export", "default", "--output", &export]).well();
    let files = files_of(&export);
    let groups = groups(&Connection::open(home.path().join("tenants/default/entente.db")).unwrap());
    let (mut restored, mut refused) = (0, 0);
    for (n, (table, columns)) in groups.iter().enumerate() {
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let (what, tenant) = (format!("{table}: {}", columns.join(", ")), format!("t{n}"));
        let file = altered(&home, &files, table, &columns);
        let added = home.run(&["tenant", "add", &tenant, "--from", &file]);
        assert_nothing_is_forged(&what, &added);
        if added.code != 0 {
            refused += 1;
            println!("{what}: refused: {}", added.stderr.trim());
            continue;
        }
        restored += 1;
        for command in COMMANDS {
            let args: Vec<&str> = command.iter().copied().chain(["--tenant", &tenant]).collect();
            assert_nothing_is_forged(&what, &home.run(&args));
        }
    }
    println!("{restored} altered databases restored, {refused} refused");
    assert!(restored >= 30, "{restored} restored, {refused} refused");
}
