//! Architecture tests of the engine's sources: a layer (data, traits, pure, run) imports from lower layers
//! only, there are no import cycles, pure files do no I/O, and functions stay short. ARCHITECTURE.md
//! describes the same rules.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use structure::{Source, circles, functions_stay_short, imports, sources};

/// From the lowest layer to the highest. A file imports from its own layer and from those below.
const LAYERS: &[(&str, &[&str])] = &[
    (
        "data",
        &[
            "budget",
            "change",
            "definition",
            "description",
            "difference",
            "feature",
            "json",
            "limits",
            "notice",
            "number",
            "options",
            "failure",
            "order",
            "pair",
            "progress",
            "reason",
            "reason_counts",
            "remedy",
            "report",
            "run",
            "subject",
        ],
    ),
    ("traits", &["env", "error", "exchange", "ledger", "observer", "operator"]),
    (
        "pure",
        &[
            "answer", "echo", "filter", "grouped", "identity", "links", "lookup", "open", "outgoing", "plan",
            "reported", "settle", "unfit", "unlink", "working",
        ],
    ),
    (
        "run",
        &[
            "apply",
            "collect",
            "convert",
            "counterparts",
            "decide",
            "deletions",
            "deliver",
            "duplicates",
            "engine",
            "execute",
            "intake",
            "local",
            "outcome",
            "parents",
            "phases",
            "reconcile",
            "refused_fields",
            "recover",
            "rehearsal",
            "schema_drift",
            "session",
            "split",
            "strangers",
            "trust",
            "undo",
            "unmade",
            "untangle",
            "wait",
        ],
    ),
];

fn all() -> Vec<Source> {
    let mut all = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    all.retain(|source| source.path != "lib.rs");
    all
}

fn layer(file: &str) -> usize {
    LAYERS
        .iter()
        .position(|(_, files)| files.contains(&file))
        .unwrap_or_else(|| panic!("{file}.rs: which layer is it on?"))
}

#[test]
fn a_layer_knows_only_those_below_it() {
    let imports = imports(&all());
    for (file, imported) in &imports {
        for other in imported {
            let (own, below) = (layer(file), layer(other));
            let (own_name, other_name) = (LAYERS[own].0, LAYERS[below].0);
            assert!(below <= own, "{file}.rs ({own_name}) must not know {other}.rs ({other_name})");
        }
    }
    let listed: usize = LAYERS.iter().map(|(_, files)| files.len()).sum();
    assert_eq!(imports.len(), listed, "a layer lists a file that is not there");
}

#[test]
fn a_file_is_imported_by_its_name() {
    for source in all().iter().filter(|source| !source.is_test()) {
        for (number, line) in source.code() {
            assert!(!line.contains("crate::"), "say super::file::Name: {}:{number}: {line}", source.path);
        }
    }
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    assert_eq!(circles(&imports(&all())), Vec::<Vec<String>>::new());
}

#[test]
fn what_is_pure_asks_nobody() {
    for source in all().iter().filter(|source| LAYERS[layer(source.top())].0 == "pure") {
        for (number, line) in source.code() {
            let asks = ["async ", ".await", "dyn Ledger", "dyn Exchange", "Session"]
                .iter()
                .find(|word| line.contains(*word));
            assert_eq!(asks, None, "{}:{number}: {line}", source.path);
        }
    }
}

#[test]
fn functions_stay_short_here() {
    let functions = functions_stay_short(&all());
    assert!(functions > 300, "functions are found: {functions}");
}
