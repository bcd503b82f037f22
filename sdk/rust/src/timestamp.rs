//! Timestamps: moments in UTC, to the microsecond.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Unreadable;

/// A moment: microseconds since 1970-01-01T00:00:00 UTC.
///
/// As JSON it is RFC 3339, which most remote systems speak, so it can stand in the structs that answers are
/// read into. Local times have to be converted by the plugin, which alone knows the zone of the remote
/// system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest moment that has a calendar date here.
    pub const MIN: Self = Self(DateTime::<Utc>::MIN_UTC.timestamp_micros());
    /// The latest moment that has a calendar date here.
    pub const MAX: Self = Self(DateTime::<Utc>::MAX_UTC.timestamp_micros());

    /// From microseconds since 1970. Moments beyond the calendar become the nearest one within.
    pub const fn from_micros(micros: i64) -> Self {
        if micros < Self::MIN.0 {
            Self::MIN
        } else if micros > Self::MAX.0 {
            Self::MAX
        } else {
            Self(micros)
        }
    }

    /// From whole seconds since 1970.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self::from_micros(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Seconds since 1970, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Reads RFC 3339, for instance `2020-01-31T18:00:00.25+01:00`. Digits below the microsecond are cut off.
    /// Years before 0 and after 9999, which RFC 3339 does not have, are read with a sign, as they are written. Put into a
    /// [`Value`](crate::Value), a text that is none is `Unreadable`, never `Null`.
    ///
    /// # Errors
    /// [`Unreadable`], with the text.
    pub fn parse(text: &str) -> Result<Self, Unreadable> {
        let trimmed = text.trim();
        let moment = if trimmed.starts_with(['+', '-']) {
            trimmed.parse::<DateTime<Utc>>()
        } else {
            DateTime::parse_from_rfc3339(trimmed).map(|moment| moment.to_utc())
        };
        let expected = "a date and time such as 2020-01-31T18:00:00Z";
        moment.map(|moment| Self(moment.timestamp_micros())).map_err(|_| Unreadable::new(text, expected))
    }

    /// Reads the form that HTTP headers have, for instance `Sun, 06 Nov 1994 08:49:37 GMT`.
    pub fn parse_http(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc2822(text.trim()).ok().map(|moment| Self(moment.timestamp_micros()))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with six decimals: texts of one length sort like the moments.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = DateTime::<Utc>::from_timestamp_micros(self.0).unwrap_or_default();
        f.write_str(&moment.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for micros in [0, -1, 1, 1_577_836_800_000_000, -62_135_596_800_000_000] {
            let moment = Timestamp::from_micros(micros);
            assert_eq!(Timestamp::parse(&moment.to_string()), Ok(moment), "{moment}");
        }
        assert_eq!(Timestamp::from_micros(i64::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::from_micros(-1).seconds(), -1);
    }

    #[test]
    fn reads_offsets_and_http_dates() {
        let new_year = Timestamp::from_seconds(1_577_836_800);
        assert_eq!(Timestamp::parse("2020-01-01T01:00:00+01:00"), Ok(new_year));
        assert_eq!(Timestamp::parse_http("Wed, 01 Jan 2020 00:00:00 GMT"), Some(new_year));
        for text in ["", "2020-01-01", "yesterday", "2020-02-30T00:00:00Z"] {
            assert!(Timestamp::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn is_a_text_in_json() {
        let moment = Timestamp::from_micros(1_577_836_800_000_001);
        let json = serde_json::to_string(&moment).unwrap();
        assert_eq!(json, "\"2020-01-01T00:00:00.000001Z\"");
        assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), moment);
        assert!(serde_json::from_str::<Timestamp>("\"soon\"").is_err());
    }
}
