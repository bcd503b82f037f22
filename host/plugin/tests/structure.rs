//! Holds the sources to what `src/lib.rs` says about them: a layer knows only those below it, no version of
//! the plugin interface leaks, and functions stay short.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use structure::{Source, functions_stay_short, named, sources};

/// From the lowest layer to the highest. A layer is a file or folder in `src`; those of one line do not know
/// each other, but for `limits`, which every layer may know.
const LAYERS: &[&[&str]] = &[
    &["text", "files", "process", "limits"],
    &["address"],
    &["component"],
    &["compile"],
    &["fair"],
    &["egress"],
    &["wire"],
    &["run"],
];
/// What sees everything: the list of public names, and tests and fuzz targets of the whole crate.
const ABOVE_ALL: &[&str] = &["lib", "fuzzing", "limits_page", "security", "versions"];

fn all() -> Vec<Source> {
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

fn height(layer: &str) -> Option<usize> {
    LAYERS.iter().position(|layers| layers.contains(&layer))
}

/// A line without its comment.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

#[test]
fn a_layer_knows_only_those_below_it() {
    let mut seen = 0;
    for source in all() {
        let own = source.top();
        if ABOVE_ALL.contains(&own) {
            continue;
        }
        let own_height = height(own).unwrap_or_else(|| panic!("{}: which layer is it on?", source.path));
        for (number, line) in source.lines.iter().enumerate() {
            let at = format!("{}:{}: {line}", source.path, number + 1);
            assert!(own == "wire" || !line.contains("super::super"), "name the layer by crate::: {at}");
            for other in named(code(line), "crate::").filter(|other| *other != own) {
                // Names that the crate shows as a whole may come from any layer.
                let height = height(other).unwrap_or_else(|| panic!("name its layer: {at}"));
                assert!(height < own_height, "{own} must not know {other}: {at}");
                seen += 1;
            }
        }
    }
    assert!(seen > 50, "imports are found: {seen}");
}

#[test]
fn no_version_of_the_interface_leaks() {
    for source in all().iter().filter(|source| !source.path.starts_with("wire/")) {
        for line in source.lines.iter().filter(|_| source.path != "fuzzing.rs") {
            assert!(!code(line).to_lowercase().contains("v0_"), "{}: {line}", source.path);
        }
    }
}

#[test]
fn functions_stay_short_here() {
    let functions = functions_stay_short(&all());
    assert!(functions > 200, "functions are found: {functions}");
}
