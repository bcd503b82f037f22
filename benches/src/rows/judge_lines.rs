//! Throughput of `entente judge` on standard input, beside parsing the same lines.

use super::{Row, thousands};
use crate::bench::Bench;
use crate::child;
use crate::line::Line;
use crate::quantity::Quantity;
use anyhow::{Context, Result};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read};

/// Lines of JSON in, verdicts out.
#[derive(Debug)]
pub(super) struct JudgeLines;

#[derive(Deserialize)]
struct Parsed<'a> {
    #[serde(borrow)]
    mode: Cow<'a, str>,
    #[serde(borrow)]
    left: Given<'a>,
    #[serde(borrow)]
    right: Given<'a>,
}

#[derive(Deserialize)]
struct Given<'a> {
    #[serde(borrow)]
    value: &'a RawValue,
    #[serde(borrow, default)]
    possible: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    certain: Option<Cow<'a, str>>,
}

/// Reads lines and takes them apart, times left as text.
///
/// # Errors
/// Where a line cannot be read.
pub(crate) fn read_lines(input: impl Read) -> Result<()> {
    let mut input = BufReader::with_capacity(1 << 16, input);
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        let Parsed { mode, left, right } = serde_json::from_slice(&line)?;
        std::hint::black_box((
            mode,
            left.value.get(),
            left.possible,
            left.certain,
            right.value.get(),
            right.possible,
            right.certain,
        ));
        line.clear();
    }
    Ok(())
}

fn lines(count: u64) -> String {
    let mut text = String::new();
    for number in 0..count {
        let mode = ["hard", "best", "fuzzy"][(number % 3) as usize];
        let (minute, second) = (number / 60 % 60, number % 60);
        // Writing into a text does not fail.
        let _ = writeln!(
            text,
            r#"{{"mode":"{mode}","left":{{"value":"Person {number}","certain":"2020-01-31T18:{minute:02}:{second:02}Z","possible":null}},"right":{{"value":"Person {}","possible":"2020-01-31T19:{second:02}:{minute:02}+01:00"}}}}"#,
            number + number % 2,
        );
    }
    text
}

#[async_trait(?Send)]
impl Row for JudgeLines {
    fn name(&self) -> &'static str {
        "judge-lines"
    }

    async fn measure(&self, bench: &mut Bench) -> Result<Vec<Line>> {
        let count = if bench.options.quick { 200_000 } else { 1_000_000 };
        let file = bench.folder.path().join("lines.jsonl");
        std::fs::write(&file, lines(count))?;
        let (entente, own) = (child::entente()?, std::env::current_exe()?);
        let (mut judged, mut parsed) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            judged.push(child::run(&entente, &["judge"], Some(&file))?);
            parsed.push(child::run(&own, &["--workload", "lines", "--times", "1"], Some(&file))?);
        }
        for times in [&mut judged, &mut parsed] {
            times.sort_by(f64::total_cmp);
        }
        let (judged, parsed) = (*judged.get(1).context("three runs")?, *parsed.get(1).context("three runs")?);
        let note = format!("{} lines, {}", thousands(count), Quantity::PerSecond(count as f64 / judged));
        let line = Line::new("entente judge from standard input", Quantity::Seconds(judged)).note(note);
        Ok(vec![line.beside("reading and parsing the same lines", Quantity::Seconds(parsed)).at_most(2.0)])
    }
}
