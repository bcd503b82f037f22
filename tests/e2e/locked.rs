//! A database that another program writes to.

use crate::world::{Home, text};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// Takes the write lock of the database that it is given, says so, and keeps it until its input ends.
const HOLDS: &str = "
import sqlite3, sys
held = sqlite3.connect(sys.argv[1])
held.execute('BEGIN IMMEDIATE')
print('held', flush=True)
sys.stdin.read()
";

#[test]
fn a_database_that_another_program_writes_to_is_told_with_its_name() {
    let home = Home::new();
    home.run_with(&["record", "import", "contact", "-"], "E-mail\na@example.org\n").well();
    let database = text(&home.path().join("tenants/default/entente.db"));
    let mut holder = Command::new("python3")
        .args(["-c", HOLDS, &database])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said, "held\n");
    // What only reads does not wait.
    home.run(&["record", "list", "contact"]).well();
    let set = ["record", "set", "contact:1", "city=Umeå"];
    let who = format!("(process {}) writes to it", holder.id());
    home.run(&set).fails(
        1,
        &["is locked: python", &who, "nothing was written; wait for its end, or end it, and do this again"],
    );
    drop(holder.stdin.take());
    holder.wait().unwrap();
    home.run(&set).well();
}
