//! Holds the sources to what `src/lib.rs` says about them: a floor knows only those below it, no version of
//! the plugin interface leaks, and functions stay short.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

/// From the lowest floor to the highest. A floor is a file or folder in `src`; those of one line do not know
/// each other, but for `limits`, which every floor may know.
const FLOORS: &[&[&str]] = &[
    &["text", "files", "limits"],
    &["address"],
    &["component"],
    &["compile"],
    &["fair"],
    &["egress"],
    &["wire"],
    &["run"],
];
/// What sees everything: the list of public names, and tests and fuzz targets of the whole crate.
const ABOVE_ALL: &[&str] = &["lib", "fuzzing", "limits_page", "security"];
const LONGEST_FUNCTION: usize = 70;

struct Source {
    /// Below `src`: `run/engine.rs`.
    path: String,
    lines: Vec<String>,
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    let source = |file: PathBuf| Source {
        path: file.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/"),
        lines: std::fs::read_to_string(&file).unwrap().lines().map(str::to_owned).collect(),
    };
    files.into_iter().map(source).collect()
}

/// `run` for `run/engine.rs`, `limits` for `limits.rs`.
fn floor(path: &str) -> &str {
    path.split('/').next().unwrap().trim_end_matches(".rs")
}

fn height(floor: &str) -> Option<usize> {
    FLOORS.iter().position(|floors| floors.contains(&floor))
}

/// A line without its comment.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

/// What a line of code names after `crate::`.
fn named(line: &str) -> impl Iterator<Item = &str> {
    code(line).split("crate::").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        &rest[..end]
    })
}

#[test]
fn a_floor_knows_only_those_below_it() {
    let mut seen = 0;
    for source in sources() {
        let own = floor(&source.path);
        if ABOVE_ALL.contains(&own) {
            continue;
        }
        let own_height = height(own).unwrap_or_else(|| panic!("{}: which floor is it on?", source.path));
        for (number, line) in source.lines.iter().enumerate() {
            let at = format!("{}:{}: {line}", source.path, number + 1);
            assert!(own == "wire" || !line.contains("super::super"), "name the floor by crate::: {at}");
            for other in named(line).filter(|other| *other != own) {
                // Names that the crate shows as a whole may come from any floor.
                let height = height(other).unwrap_or_else(|| panic!("name its floor: {at}"));
                assert!(height < own_height, "{own} must not know {other}: {at}");
                seen += 1;
            }
        }
    }
    assert!(seen > 50, "imports are found: {seen}");
}

#[test]
fn no_version_of_the_interface_leaks() {
    for source in sources().iter().filter(|source| !source.path.starts_with("wire/")) {
        for line in source.lines.iter().filter(|_| source.path != "fuzzing.rs") {
            assert!(!code(line).contains("v0_"), "{}: {line}", source.path);
        }
    }
}

#[test]
fn functions_stay_short() {
    let mut functions = 0;
    for source in sources() {
        for (start, line) in source.lines.iter().enumerate() {
            let code = line.trim_start();
            let head = code.split('(').next().unwrap_or_default();
            if code.starts_with("//") || !head.split_whitespace().any(|word| word == "fn") {
                continue;
            }
            functions += 1;
            if code.ends_with(['}', ';']) {
                continue;
            }
            // rustfmt closes a function at the indentation that it begins with.
            let close = format!("{}}}", &line[..line.len() - code.len()]);
            let length =
                1 + source.lines[start..].iter().take_while(|line| !line.starts_with(&close)).count();
            let at = format!("{}:{}", source.path, start + 1);
            assert!(length <= LONGEST_FUNCTION, "{at}: {length} lines; {LONGEST_FUNCTION} are the most");
        }
    }
    assert!(functions > 200, "functions are found: {functions}");
}
