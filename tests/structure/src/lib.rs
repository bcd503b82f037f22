//! Structure tests shared by the crates of the host: the sources of a crate as text, imports between its
//! files, and function lengths. The sources are formatted by rustfmt, which `./check form` verifies.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The most lines that a function may have, from its signature to its closing brace.
pub const LONGEST_FUNCTION: usize = 70;

/// A file of a crate.
#[derive(Debug)]
pub struct Source {
    /// Below `src`: `run/engine.rs`.
    pub path: String,
    /// Its lines, as they are.
    pub lines: Vec<String>,
}

/// Names of files or folders, with those that each imports.
pub type Imports = BTreeMap<String, BTreeSet<String>>;

impl Source {
    /// Whether it holds tests only.
    pub fn is_test(&self) -> bool {
        self.path.ends_with("tests.rs") || self.path.contains("tests/")
    }

    /// `run` for `run/engine.rs`, `limits` for `limits.rs`.
    pub fn top(&self) -> &str {
        self.path.split('/').next().unwrap().trim_end_matches(".rs")
    }

    /// The lines before its tests, with their numbers and without comments.
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let code = self.lines.iter().take_while(|line| *line != "#[cfg(test)]");
        code.enumerate().map(|(index, line)| (index + 1, line.split("//").next().unwrap_or_default()))
    }
}

/// What a line names after each `prefix`: `pair` in `use super::pair::Pair;` after `super::`.
pub fn named<'l>(line: &'l str, prefix: &'l str) -> impl Iterator<Item = &'l str> {
    line.split(prefix).skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        &rest[..end]
    })
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

/// Every file of a folder of sources.
pub fn sources(root: &Path) -> Vec<Source> {
    let mut files = Vec::new();
    collect(root, &mut files);
    files.sort();
    let source = |file: PathBuf| Source {
        path: file.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/"),
        lines: std::fs::read_to_string(&file).unwrap().lines().map(str::to_owned).collect(),
    };
    files.into_iter().map(source).collect()
}

/// Which files of one folder import which by `super::`. Tests are left out.
pub fn imports(sources: &[Source]) -> Imports {
    let known: BTreeSet<&str> = sources.iter().map(Source::top).collect();
    let mut imports = Imports::new();
    for source in sources.iter().filter(|source| !source.is_test()) {
        let own = imports.entry(source.top().to_owned()).or_default();
        for name in source.code().flat_map(|(_, line)| named(line, "super::").collect::<Vec<_>>()) {
            if name != source.top() && known.contains(name) {
                own.insert(name.to_owned());
            }
        }
    }
    imports
}

/// Strongly connected components of more than one file: each of its files reaches every other one.
pub fn circles(imports: &Imports) -> Vec<Vec<String>> {
    let reached = |from: &String| {
        let (mut reached, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(next) = open.pop() {
            for name in imports.get(next).into_iter().flatten() {
                if reached.insert(name) {
                    open.push(name);
                }
            }
        }
        reached
    };
    let all: BTreeMap<&String, BTreeSet<&String>> =
        imports.keys().map(|file| (file, reached(file))).collect();
    let mut circles = BTreeSet::new();
    for (file, reached) in &all {
        let back = |other: &&&String| all.get(**other).is_some_and(|reached| reached.contains(*file));
        let circle: Vec<String> = reached.iter().filter(back).map(|name| (*name).clone()).collect();
        if circle.len() > 1 {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

/// Fails where a function is too long. Answers how many there are.
pub fn functions_stay_short(sources: &[Source]) -> usize {
    let mut functions = 0;
    for source in sources {
        for (start, line) in source.lines.iter().enumerate() {
            let code = line.trim_start();
            // What stands before the parameters; a visibility such as pub(super) has parentheses of its own.
            let seen = match code.strip_prefix("pub(") {
                Some(rest) => rest.split_once(')').map_or("", |(_, rest)| rest),
                None => code,
            };
            let head = seen.split('(').next().unwrap_or_default();
            if code.starts_with("//") || !head.split_whitespace().any(|word| word == "fn") {
                continue;
            }
            functions += 1;
            // A declaration of a trait has no body.
            let signature = source.lines[start..].iter().find(|line| line.ends_with(['{', '}', ';']));
            if signature.is_none_or(|last| last.ends_with(['}', ';'])) {
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
    functions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), lines: text.lines().map(str::to_owned).collect() }
    }

    #[test]
    fn a_circle_is_found_and_a_test_makes_none() {
        let sources = [
            source("a.rs", "use super::b::B;\nuse super::d;"),
            source("b.rs", "use super::c::C; // super::d\n#[cfg(test)]\nmod tests { use super::e; }"),
            source("c.rs", "fn c() -> super::a::A {}"),
            source("d.rs", ""),
            source("e.rs", "use super::d::D;"),
            source("d/tests.rs", "use super::e;"),
        ];
        let imports = imports(&sources);
        assert_eq!(imports["b"], BTreeSet::from(["c".to_owned()]));
        assert_eq!(circles(&imports), [["a", "b", "c"]]);
    }

    #[test]
    fn a_declaration_has_no_body() {
        let declared =
            "trait T {\n    fn a(\n        &self,\n    );\n".to_owned() + &"    fn b();\n".repeat(90) + "}";
        assert_eq!(functions_stay_short(&[source("declared.rs", &declared)]), 91);
    }

    #[test]
    #[should_panic(expected = "long.rs:2: 71 lines")]
    fn a_long_function_is_found() {
        let body = "    1;\n".repeat(LONGEST_FUNCTION - 1);
        functions_stay_short(&[source("long.rs", &format!("/// fn\nfn long() {{\n{body}}}\n"))]);
    }
}
