//! Test: the tests and limits that SECURITY.md names exist.

use crate::Limits;
use std::collections::BTreeSet;
use std::path::Path;

/// The texts in backticks in a column of the table.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The names of all functions in the sources of a folder.
fn functions(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let names = text
                .lines()
                .filter_map(|line| line.split_once("fn ")?.1.split_once('('))
                .map(|(name, _)| name.to_owned());
            found.extend(names);
        }
    }
}

#[test]
fn what_the_security_page_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = std::fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let mut there = BTreeSet::new();
    for folder in ["host", "tests/e2e", "tests/engine", "tests/plugin"] {
        functions(&root.join(folder), &mut there);
    }
    let limits: BTreeSet<&str> = Limits::default().table().iter().map(|limit| limit.name).collect();
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() > 20, "the table is read");
    for row in rows {
        let [attack, stops, tests] = row[..] else { panic!("three columns: {row:?}") };
        assert!(quoted(tests).count() > 0, "no test shows what stops «{attack}»");
        for test in quoted(tests) {
            assert!(there.contains(test), "SECURITY.md names the test {test}, which there is not");
        }
        for limit in quoted(stops) {
            assert!(limits.contains(limit), "SECURITY.md names the limit {limit}, which there is not");
        }
    }
}
