//! Test: the tests and limits that SECURITY.md names exist, in the table and in the text, and the tests are run.

use crate::Limits;
use std::collections::BTreeSet;
use std::path::Path;

/// The texts in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// What looks like the name of a test: words with underlines between them.
fn is_named_as_test(text: &str) -> bool {
    text.split('_').count() > 2
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// What looks like the name of a limit: words with dashes between them.
fn is_named_as_limit(text: &str) -> bool {
    let words: Vec<&str> = text.split('-').collect();
    words.len() > 1
        && words.iter().all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()))
}

/// The names of the tests in a source that are run: functions with the attribute of one, and not with `ignore`.
fn tests_in(source: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut attributes: Vec<&str> = Vec::new();
    // Of an attribute that takes more than a line.
    let mut open = false;
    for line in source.lines().map(str::trim) {
        if open || line.starts_with("#[") {
            open = !line.ends_with(']');
            attributes.push(line);
            continue;
        }
        if line.starts_with("//") {
            continue;
        }
        let name = line.split_once("fn ").and_then(|(_, rest)| rest.split_once('('));
        let has = |attribute: &str| attributes.iter().any(|line| line.starts_with(attribute));
        if let Some((name, _)) = name
            && (has("#[test]") || has("#[tokio::test"))
            && !has("#[ignore")
        {
            found.insert(name.to_owned());
        }
        attributes.clear();
    }
    found
}

/// The tests in the sources of a folder.
fn tests_below(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.extend(tests_in(&std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// What is wrong with a page: rows without a test, and what it names and there is not.
fn wrong(page: &str, tests: &BTreeSet<String>, limits: &BTreeSet<&str>) -> Vec<String> {
    let mut wrong = Vec::new();
    let (rows, prose): (Vec<&str>, Vec<&str>) = page.lines().partition(|line| line.starts_with('|'));
    for row in rows.iter().skip(2) {
        let columns: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [attack, stops, shown] = columns[..] else {
            wrong.push(format!("three columns: {row}"));
            continue;
        };
        if quoted(shown).count() == 0 {
            wrong.push(format!("no test shows what stops «{attack}»"));
        }
        wrong.extend(
            quoted(shown).filter(|test| !tests.contains(*test)).map(|test| format!("no test: {test}")),
        );
        let named = quoted(stops).chain(quoted(attack).filter(|name| is_named_as_limit(name)));
        wrong.extend(named.filter(|limit| !limits.contains(limit)).map(|limit| format!("no limit: {limit}")));
    }
    let prose = prose.join("\n");
    for name in quoted(&prose) {
        if is_named_as_test(name) && !tests.contains(name) {
            wrong.push(format!("no test: {name}"));
        }
        if is_named_as_limit(name) && !limits.contains(name) {
            wrong.push(format!("no limit: {name}"));
        }
    }
    wrong
}

#[test]
fn what_the_security_page_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = std::fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let mut tests = BTreeSet::new();
    for folder in ["host", "tests/e2e", "tests/engine", "tests/plugin"] {
        tests_below(&root.join(folder), &mut tests);
    }
    let table = Limits::default().table();
    let limits: BTreeSet<&str> = table.iter().map(|limit| limit.name).collect();
    assert!(page.lines().filter(|line| line.starts_with('|')).count() > 22, "the table is read");
    assert_eq!(wrong(&page, &tests, &limits), [""; 0]);
}

#[test]
fn a_page_that_names_what_is_not_there_is_told() {
    let source = "
        #[tokio::test(flavor = \"multi_thread\")]
        async fn one_that_is_run() {}
        #[cfg(unix)]
        #[test]
        // Why.
        fn one_of_a_system() {}
        #[test]
        #[ignore = \"it takes long\"]
        fn one_that_is_ignored() {}
        #[allow(
            dead_code
        )]
        fn one_that_is_none() {}
    ";
    let tests = tests_in(source);
    assert_eq!(tests.iter().map(String::as_str).collect::<Vec<_>>(), ["one_of_a_system", "one_that_is_run"]);
    let limits = BTreeSet::from(["cpu-time"]);
    let page = "
Plugins end at `cpu-time`, as `one_that_is_run` shows; `plugin remove` and `secret.key` are neither.
Others end at `gpu-time`, as `one_that_is_ignored` shows.

| attack | what stops it | test |
|---|---|---|
| one | `cpu-time` | `one_of_a_system` |
| two | `gpu-time` | `one_that_is_none` |
| three | nothing | nothing |
";
    let told = [
        "no test: one_that_is_none",
        "no limit: gpu-time",
        "no test shows what stops «three»",
        "no limit: gpu-time",
        "no test: one_that_is_ignored",
    ];
    assert_eq!(wrong(page, &tests, &limits), told);
}
