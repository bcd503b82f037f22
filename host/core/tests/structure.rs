//! Holds the sources to the rules of the house: no files of the judge import each other in a circle, and functions
//! stay short.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use structure::{circles, functions_stay_short, imports, sources};

#[test]
fn the_files_of_the_judge_do_not_import_each_other_in_a_circle() {
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/judge"));
    let imports = imports(&sources);
    assert!(imports["settle"].len() > 3, "imports are found: {imports:?}");
    assert_eq!(circles(&imports), Vec::<Vec<String>>::new());
}

#[test]
fn functions_stay_short_here() {
    let functions = functions_stay_short(&sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")));
    assert!(functions > 100, "functions are found: {functions}");
}
