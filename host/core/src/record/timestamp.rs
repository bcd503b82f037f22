//! Timestamps: moments in UTC, to the microsecond.

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, TimeZone, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Microseconds since 1970-01-01T00:00:00 UTC: what the plugin interface carries and what is stored.
///
/// In JSON it is its ISO 8601 text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Timestamp::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// When the value of a field came to be: the span after `after` and not later than `at`, or exactly `at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldTime {
    /// The moment, or the upper bound of the span, such as the record's change time.
    pub at: Timestamp,
    /// Whether this is the field's own change time: a span of one moment.
    pub certain: bool,
    /// The lower bound of the span: the value was not there yet at this moment. `None`: not known, or certain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Timestamp>,
}

/// The start of the year 100: before any value that people wrote, and a date in every calendar.
const BEFORE_PEOPLE: Timestamp = Timestamp::from_micros(-59_011_459_200_000_000);

impl FieldTime {
    /// The field's own change time.
    pub const fn certain(at: Timestamp) -> Self {
        Self { at, certain: true, after: None }
    }

    /// An upper bound alone: the value came to be at this moment or before.
    pub const fn by(at: Timestamp) -> Self {
        Self { at, certain: false, after: None }
    }

    /// The time of a value that a sync wrote at this moment under a link that was wrong: it is no evidence of what people
    /// wanted. It lies before everything that people wrote, and of two such values the one that was written first is the
    /// later one, since it has less of the wrong link.
    pub fn of_sync(written: Timestamp) -> Self {
        // Down to the year 6: writes up to 2063 are told apart.
        let at = BEFORE_PEOPLE.micros() - written.micros().clamp(0, -BEFORE_PEOPLE.micros() / 20);
        Self::between(Some(Timestamp::from_micros(at - 1)), Timestamp::from_micros(at))
    }

    /// The time of a value that people wrote, nobody knows when, until this moment.
    pub fn of_people(until: Timestamp) -> Self {
        Self::between(Some(BEFORE_PEOPLE), until)
    }

    /// The lower bound of the span. What people wrote is never older than all dates.
    pub(crate) fn lower(&self) -> Option<Timestamp> {
        self.after.or((!self.certain && self.at > BEFORE_PEOPLE).then_some(BEFORE_PEOPLE))
    }

    /// Whether it is that of a value that a sync wrote.
    pub fn is_of_sync(&self) -> bool {
        !self.certain && self.at <= BEFORE_PEOPLE
    }

    /// A span. A lower bound that does not lie before the upper one tells of a clock that is wrong, and is left
    /// out.
    pub fn between(after: Option<Timestamp>, by: Timestamp) -> Self {
        Self { at: by, certain: false, after: after.filter(|after| *after < by) }
    }
}

/// A text that cannot be parsed as a date and time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' is not a date and time; write for example 2020-01-31 18:00:00 or 2020-01-31T18:00:00+01:00"
)]
pub struct TimestampError {
    /// What was given.
    pub text: String,
}

impl Timestamp {
    /// The earliest moment that has a calendar date here.
    pub const MIN: Timestamp = Timestamp(DateTime::<Utc>::MIN_UTC.timestamp_micros());
    /// The latest moment that has a calendar date here.
    pub const MAX: Timestamp = Timestamp(DateTime::<Utc>::MAX_UTC.timestamp_micros());

    /// From microseconds since 1970; moments without a calendar date are moved to the nearest that has one.
    pub const fn from_micros(micros: i64) -> Self {
        if micros < Self::MIN.0 {
            Self::MIN
        } else if micros > Self::MAX.0 {
            Self::MAX
        } else {
            Self(micros)
        }
    }

    /// Microseconds since 1970-01-01T00:00:00 UTC.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Microseconds since an earlier moment, saturating: what is stored may be of anybody's making. Negative where `earlier` is
    /// later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Truncated to a multiple of `step` microseconds, which is what a remote of that precision would report.
    pub const fn cut_to(self, step: u64) -> Self {
        if step <= 1 || step > i64::MAX as u64 {
            return self;
        }
        Self::from_micros(self.0.saturating_sub(self.0.rem_euclid(step as i64)))
    }

    /// Later by this duration, saturating.
    pub fn later_by(self, pause: std::time::Duration) -> Self {
        Self::from_micros(self.0.saturating_add(i64::try_from(pause.as_micros()).unwrap_or(i64::MAX)))
    }

    /// Earlier by this number of microseconds.
    pub const fn earlier_by(self, micros: i64) -> Self {
        Self::from_micros(self.0.saturating_sub(micros))
    }

    /// Reads ISO 8601 with an offset; without an offset the time is UTC, without a time it is midnight.
    ///
    /// # Errors
    /// [`TimestampError`] where the text is none of these.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        let trimmed = text.trim();
        if let Ok(moment) = DateTime::parse_from_rfc3339(trimmed) {
            return Ok(moment.with_timezone(&Utc).into());
        }
        // Years before 0 and after 9999 are written with a sign.
        if trimmed.starts_with(['+', '-'])
            && let Ok(moment) = trimmed.parse::<DateTime<Utc>>()
        {
            return Ok(moment.into());
        }
        for form in [
            "%Y-%m-%d %H:%M:%S%.f%:z",
            "%Y-%m-%dT%H:%M:%S%.f%z",
            "%Y-%m-%d %H:%M:%S%.f%z",
            "%Y-%m-%dT%H:%M%:z",
        ] {
            if let Ok(moment) = DateTime::parse_from_str(trimmed, form) {
                return Ok(moment.with_timezone(&Utc).into());
            }
        }
        for form in ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"] {
            if let Ok(moment) = NaiveDateTime::parse_from_str(trimmed, form) {
                return Ok(moment.and_utc().into());
            }
        }
        if let Ok(day) = NaiveDate::parse_from_str(trimmed, "%Y-%m-%d")
            && let Some(midnight) = day.and_hms_opt(0, 0, 0)
        {
            return Ok(midnight.and_utc().into());
        }
        Err(TimestampError { text: text.chars().take(80).collect() })
    }

    /// As a calendar date and time in UTC.
    pub fn to_datetime(self) -> DateTime<Utc> {
        Utc.timestamp_micros(self.0).single().unwrap_or_default()
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(moment: DateTime<Utc>) -> Self {
        Self(moment.timestamp_micros())
    }
}

impl fmt::Display for Timestamp {
    /// ISO 8601 in UTC, with as many decimals as there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_datetime().to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        let cases = [
            ("2020-01-01 00:00:00", 1_577_836_800_000_000),
            ("2020-01-01", 1_577_836_800_000_000),
            ("2020-01-01T01:00:00+01:00", 1_577_836_800_000_000),
            ("2020-01-01T01:00:00+0100", 1_577_836_800_000_000),
            ("2020-01-01 00:00:00.000001Z", 1_577_836_800_000_001),
            ("1969-12-31T23:59:59.999999Z", -1),
            ("2040-01-01 00:00", 2_208_988_800_000_000),
        ];
        for (text, micros) in cases {
            assert_eq!(Timestamp::parse(text), Ok(Timestamp(micros)), "{text}");
        }
        for text in ["", "yesterday", "2020-13-01", "2020-02-30", "12:00", "2020-01-01T25:00:00Z"] {
            assert!(Timestamp::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_a_sync_wrote_is_older_than_what_people_wrote_and_the_first_of_two_is_the_later() {
        let written = |text: &str| FieldTime::of_sync(Timestamp::parse(text).unwrap());
        let (first, second) = (written("2026-01-01"), written("2026-01-02"));
        assert!(second.at <= first.lower().unwrap());
        let people = Timestamp::parse("1970-01-01").unwrap();
        for time in [FieldTime::by(people), FieldTime::of_people(people)] {
            assert!(first.at <= time.lower().unwrap() && !time.is_of_sync());
        }
        assert!(first.at < people && first.is_of_sync() && second.is_of_sync());
        assert!(!FieldTime::certain(people).is_of_sync());
        assert_eq!(Timestamp::parse(&first.at.to_string()), Ok(first.at), "it is stored as text");
    }

    #[test]
    fn writes_what_it_reads() {
        for micros in [
            0,
            -1,
            1,
            1_577_836_800_000_000,
            -62_135_596_800_000_000,
            -62_167_219_200_000_001,
            253_402_300_800_000_000,
        ] {
            let moment = Timestamp::from_micros(micros);
            assert_eq!(Timestamp::parse(&moment.to_string()), Ok(moment));
        }
    }

    #[test]
    fn cutting_goes_down_also_before_1970() {
        assert_eq!(Timestamp(1_999_999).cut_to(1_000_000), Timestamp(1_000_000));
        assert_eq!(Timestamp(-1).cut_to(1_000_000), Timestamp(-1_000_000));
        assert_eq!(Timestamp(-1).cut_to(0), Timestamp(-1));
    }

    #[test]
    fn extremes_stay_in_the_calendar() {
        assert_eq!(Timestamp::from_micros(i64::MAX), Timestamp::MAX);
        assert!(Timestamp::MAX.to_string().starts_with('+'));
        assert_eq!(Timestamp::from_micros(i64::MIN).earlier_by(5), Timestamp::MIN);
        // X15: times of a restored database are anybody's.
        assert_eq!(Timestamp::MAX.since(Timestamp::MIN), i64::MAX);
        assert_eq!(Timestamp::MIN.since(Timestamp::MAX), i64::MIN);
        assert_eq!(Timestamp::MAX.later_by(std::time::Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MIN.cut_to(i64::MAX as u64), Timestamp::MIN);
    }
}
