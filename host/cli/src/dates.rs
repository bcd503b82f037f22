//! Dates as people type them.

use super::output::Usage;
use chrono::{DateTime, Utc};
use entente_core::Timestamp;
use indicatif::HumanDuration;
use interim::{Dialect, parse_date_string};
use std::time::Duration;

/// The words of relative dates.
const WORDS: [&str; 37] = [
    "now",
    "today",
    "yesterday",
    "tomorrow",
    "ago",
    "last",
    "next",
    "sec",
    "secs",
    "second",
    "seconds",
    "min",
    "mins",
    "minute",
    "minutes",
    "hour",
    "hours",
    "day",
    "days",
    "week",
    "weeks",
    "month",
    "months",
    "year",
    "years",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "am",
    "pm",
    "h",
    "m",
    "s",
];

/// A moment as people tell it: «3 minutes ago».
pub(super) fn ago(at: Timestamp, now: Timestamp) -> String {
    match u64::try_from(now.since(at)) {
        Ok(micros) if micros >= 1_000_000 => format!("{} ago", HumanDuration(Duration::from_micros(micros))),
        _ => "just now".to_owned(),
    }
}

/// Reads a duration that was given for an option: `90s`, `5m`, `2h`, `1d`, or seconds.
///
/// # Errors
/// A text for the person, with what can be written.
pub(super) fn duration(option: &str, text: &str) -> Result<Duration, Usage> {
    let wrong = || Usage(format!("--{option}: '{text}' is no duration; write for example 90s, 5m or 2h"));
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.trim().parse().map_err(|_| wrong())?;
    let seconds = match &text[digits.len()..] {
        "" | "s" => number,
        "m" => number.saturating_mul(60),
        "h" => number.saturating_mul(3600),
        "d" => number.saturating_mul(86_400),
        _ => return Err(wrong()),
    };
    Ok(Duration::from_secs(seconds))
}

/// Reads `2020-01-01 00:00:00` (UTC unless it has an offset), or a time relative to now such as `-10 minutes`
/// or `2 days ago`.
///
/// # Errors
/// A text for the person, with what can be written.
pub(super) fn parse(text: &str, now: DateTime<Utc>) -> Result<Timestamp, String> {
    if let Ok(moment) = Timestamp::parse(text) {
        return Ok(moment);
    }
    let trimmed = text.trim();
    // «-10 minutes», as such options are often written, is «10 minutes ago».
    let words = match trimmed.strip_prefix('-') {
        Some(rest) => format!("{} ago", rest.trim()),
        None => trimmed.to_owned(),
    };
    // The parser takes every word that begins like one it knows: «yesteryear» would be yesterday.
    let mut names = words.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).peekable();
    let relative = names.peek().is_some() && names.all(|word| WORDS.contains(&word.to_lowercase().as_str()));
    match parse_date_string(&words, now, Dialect::Uk) {
        Ok(moment) if relative => Ok(moment.into()),
        _ => Err(format!(
            "'{text}' is not a date; write for example \"2020-01-01 00:00:00\" (UTC), 2020-01-01T00:00:00+01:00, \"-10 minutes\" or \"2 days ago\""
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_and_relative() {
        let now: DateTime<Utc> = "2020-01-02T12:00:00Z".parse().unwrap();
        let cases = [
            ("2020-01-01 00:00:00", "2020-01-01T00:00:00Z"),
            ("2020-01-01T00:00:00+01:00", "2019-12-31T23:00:00Z"),
            ("-10 minutes", "2020-01-02T11:50:00Z"),
            ("- 2 days", "2019-12-31T12:00:00Z"),
            ("3 hours ago", "2020-01-02T09:00:00Z"),
            ("now", "2020-01-02T12:00:00Z"),
        ];
        for (text, moment) in cases {
            assert_eq!(parse(text, now).map(|moment| moment.to_string()), Ok(moment.to_owned()), "{text}");
        }
        for text in ["", "soon", "yesteryear", "2020-02-30", "32/13/2020", "12", "-"] {
            assert!(parse(text, now).is_err(), "{text}: {:?}", parse(text, now));
        }
    }
}
