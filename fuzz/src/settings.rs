//! `entente.toml`: what is wrong is told with its position; what is right, exported and read again, is the same.

use super::sides;
use entente::{Checked, File, Position, Problems, check};
use entente_cli::fuzzing::export;
use entente_sync::{Description, ProposedMapping};
use std::collections::BTreeMap;
use std::sync::LazyLock;

static DESCRIPTIONS: LazyLock<BTreeMap<String, Description>> = LazyLock::new(sides::descriptions);
static MANUALS: LazyLock<BTreeMap<String, Vec<ProposedMapping>>> = LazyLock::new(sides::manuals);

fn checked(file: &File) -> Result<Checked, Problems> {
    check(file, &DESCRIPTIONS, &MANUALS)
}

fn is_within(position: &Position, text: &str) {
    let lines = text.matches('\n').count() + 1;
    assert!((1..=lines).contains(&position.line), "line {} of {lines}", position.line);
    let line = text.split('\n').nth(position.line - 1).unwrap_or_default();
    assert!(
        (1..=line.chars().count() + 1).contains(&position.column),
        "column {} of «{line}»",
        position.column
    );
}

/// Looks at one input.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let file = match File::parse(text) {
        Ok(file) => file,
        Err(error) => {
            is_within(&error.position, text);
            assert!(!error.message.contains('\n'), "{}", error.message);
            return;
        }
    };
    file.needed();
    let right = match checked(&file) {
        Ok(right) => right,
        Err(problems) => {
            assert!(!problems.0.is_empty());
            problems
                .0
                .iter()
                .filter_map(|problem| problem.position.as_ref())
                .for_each(|position| is_within(position, text));
            return;
        }
    };
    let written = export(&right, &[]);
    let again = File::parse(&written).unwrap_or_else(|error| panic!("{error}\n{written}"));
    let again = checked(&again).unwrap_or_else(|error| panic!("{error}\n{written}"));
    assert_eq!((&again.objects, &again.fields), (&right.objects, &right.fields), "\n{written}");
    assert_eq!(again.syncs, right.syncs, "\n{written}");
    assert_eq!(export(&again, &[]), written);
}
