//! `entente judge`: JSON lines in, a verdict with its reason out for each.

use super::output::Done;
use chrono::DateTime;
use entente_core::{Claim, Evidence, Mode, Timestamp, judge};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::io::{BufRead, Write};

/// Says which side of a field wins, and why
///
/// Reads JSON lines from standard input and answers a line for each:
///
///   {"mode":"hard"|"best"|"fuzzy","left":{"value":V,"possible":T,"certain":T},"right":{…}}
///
/// V is any JSON value, T an ISO 8601 instant with offset, or null. The answer is
/// {"winner":"left"|"right"|"equal"|"unresolved", "reason":"…"}; a line that cannot be read is answered with
/// {"error":"…","line":N}, and the rest goes on.
#[derive(Debug, clap::Args)]
pub(super) struct JudgeArgs {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(borrow)]
    mode: Cow<'a, str>,
    #[serde(borrow)]
    left: Given<'a>,
    #[serde(borrow)]
    right: Given<'a>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given<'a> {
    #[serde(borrow)]
    value: &'a RawValue,
    #[serde(borrow, default)]
    possible: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    certain: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct Answer {
    winner: &'static str,
    reason: &'static str,
}

#[derive(Serialize)]
struct Bad {
    error: String,
    line: u64,
}

fn instant(side: &str, name: &str, text: Option<&str>) -> Result<Option<Timestamp>, String> {
    let Some(text) = text else { return Ok(None) };
    DateTime::parse_from_rfc3339(text)
        .map(|moment| Some(moment.to_utc().into()))
        .map_err(|_| format!("{side}.{name}: '{text}' is not an instant with offset; write for example 2020-01-31T18:00:00+01:00"))
}

fn evidence(side: &str, given: &Given<'_>) -> Result<Evidence, String> {
    Ok(Evidence {
        certain: instant(side, "certain", given.certain.as_deref())?,
        possible: instant(side, "possible", given.possible.as_deref())?,
    })
}

/// Content is compared as JSON, not as text: the order of keys and the spelling of a text do not matter.
fn same(left: &RawValue, right: &RawValue) -> bool {
    left.get() == right.get()
        || match (
            serde_json::from_str::<serde_json::Value>(left.get()),
            serde_json::from_str::<serde_json::Value>(right.get()),
        ) {
            (Ok(left), Ok(right)) => left == right,
            _ => false,
        }
}

fn answer(line: &[u8]) -> Result<Answer, String> {
    let line: Line<'_> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let mode = Mode::from_word(&line.mode)
        .ok_or_else(|| format!("'{}' is no mode; known are hard, best, fuzzy", line.mode))?;
    let (left, right) = (evidence("left", &line.left)?, evidence("right", &line.right)?);
    let equal = same(line.left.value, line.right.value);
    let verdict =
        judge(mode, &Claim { value: &true, evidence: left }, &Claim { value: &equal, evidence: right });
    Ok(Answer { winner: verdict.winner.word(), reason: verdict.reason.text() })
}

/// Answers every line of the input.
///
/// # Errors
/// Where the input cannot be read or the output not be written.
pub(super) fn answer_lines(mut input: impl BufRead, mut output: impl Write) -> anyhow::Result<Done> {
    let mut line = Vec::new();
    let mut number = 0;
    let mut done = Done::Well;
    while input.read_until(b'\n', &mut line)? > 0 {
        number += 1;
        match answer(line.trim_ascii_end()) {
            Ok(answer) => serde_json::to_writer(&mut output, &answer)?,
            Err(error) => {
                done = Done::WithProblems;
                serde_json::to_writer(&mut output, &Bad { error, line: number })?;
            }
        }
        output.write_all(b"\n")?;
        line.clear();
    }
    output.flush()?;
    Ok(done)
}

/// Runs the command.
pub(super) fn run() -> anyhow::Result<Done> {
    let stdin = std::io::stdin().lock();
    let stdout = std::io::BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    answer_lines(std::io::BufReader::with_capacity(1 << 16, stdin), stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &str) -> (Vec<String>, Done) {
        let mut output = Vec::new();
        let done = answer_lines(input.as_bytes(), &mut output).unwrap();
        (String::from_utf8(output).unwrap().lines().map(str::to_owned).collect(), done)
    }

    #[test]
    fn a_line_for_each() {
        let (answers, done) = lines(concat!(
            r#"{"mode":"hard","left":{"value":1,"certain":"2020-01-01T00:00:00Z"},"right":{"value":2,"certain":"2020-01-01T00:00:00+01:00","possible":null}}"#,
            "\n",
            r#"{"mode":"fuzzy","left":{"value":{"a":1,"b":"x"}},"right":{"value":{"b":"\u0078","a":1}}}"#,
            "\n",
            "\n",
            r#"{"mode":"soft","left":{"value":1},"right":{"value":2}}"#,
            "\n",
            r#"{"mode":"best","left":{"value":1,"possible":"2020-01-01"},"right":{"value":2}}"#,
            "\n",
            r#"{"mode":"best","left":{"value":0},"right":{"value":false}}"#,
        ));
        assert_eq!(done, Done::WithProblems);
        assert_eq!(answers[0], r#"{"winner":"left","reason":"its certain change time is later"}"#);
        assert!(answers[1].contains("equal"));
        assert!(answers[2].contains(r#""line":3"#), "{}", answers[2]);
        assert!(answers[3].contains("known are hard, best, fuzzy"));
        assert!(answers[4].contains("left.possible"));
        assert!(answers[5].contains("unresolved"));
        assert_eq!(answers.len(), 6);
    }

    #[test]
    fn bytes_that_are_no_text_are_one_bad_line() {
        let mut output = Vec::new();
        answer_lines(
            &b"\xff\xfe\n{\"mode\":\"hard\",\"left\":{\"value\":1},\"right\":{\"value\":1}}\n"[..],
            &mut output,
        )
        .unwrap();
        let text = String::from_utf8(output).unwrap();
        assert!(text.starts_with(r#"{"error":"#) && text.lines().count() == 2, "{text}");
    }
}
