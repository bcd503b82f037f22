//! Judging by JSON lines: the form in which other programs ask for verdicts.

use super::claim::{Claim, Evidence, Mode, judge};
use crate::record::Timestamp;
use chrono::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(borrow, default)]
    mode: Option<Cow<'a, str>>,
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
    #[serde(borrow, default, alias = "by")]
    possible: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    after: Option<Cow<'a, str>>,
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

/// Answers a JSON line that asks for a verdict: appends `{"winner":…,"reason":…}` to `output`, or
/// `{"error":…,"line":number}` where the line cannot be read. Says whether it could.
///
/// A line is `{"mode":"hard"|"best"|"fuzzy"|"span","left":{"value":V,"possible":T,"certain":T},"right":{…}}`: V any
/// JSON value, T an RFC 3339 instant with offset, or null. A line without a mode has the `usual` one. `"by"` is another
/// name of `possible`, and `"after":T` the lower bound that mode span has beside it.
pub fn judge_line(line: &[u8], usual: Mode, number: u64, output: &mut Vec<u8>) -> bool {
    let (read, written) = match answer(line, usual) {
        Ok(answer) => (true, serde_json::to_writer(&mut *output, &answer)),
        Err(error) => (false, serde_json::to_writer(&mut *output, &Bad { error, line: number })),
    };
    // Texts and numbers always become JSON, and memory always takes it.
    debug_assert!(written.is_ok());
    read
}

fn instant(side: &str, name: &str, text: Option<&str>) -> Result<Option<Timestamp>, String> {
    let Some(text) = text else { return Ok(None) };
    DateTime::parse_from_rfc3339(text)
        .map(|moment| Some(moment.to_utc().into()))
        .map_err(|_| format!("{side}.{name}: '{text}' is not an instant with offset; write for example 2020-01-31T18:00:00+01:00"))
}

fn evidence(side: &str, given: &Given<'_>) -> Result<Evidence, String> {
    let certain = instant(side, "certain", given.certain.as_deref())?;
    let possible = instant(side, "possible", given.possible.as_deref())?;
    let after = instant(side, "after", given.after.as_deref())?;
    if let (Some(after), Some(by)) = (after, certain.or(possible))
        && after >= by
    {
        return Err(format!("{side}.after: {after} is not before {by}, so that no moment is in the span"));
    }
    Ok(Evidence { certain, possible, after })
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

fn answer(line: &[u8], usual: Mode) -> Result<Answer, String> {
    let line: Line<'_> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let mode = match line.mode.as_deref() {
        None => usual,
        Some(word) => Mode::from_word(word)
            .ok_or_else(|| format!("'{word}' is no mode; known are hard, best, fuzzy, span"))?,
    };
    let (left, right) = (evidence("left", &line.left)?, evidence("right", &line.right)?);
    let equal = same(line.left.value, line.right.value);
    let verdict =
        judge(mode, &Claim { value: &true, evidence: &left }, &Claim { value: &equal, evidence: &right });
    Ok(Answer { winner: verdict.winner.word(), reason: verdict.reason.text() })
}
