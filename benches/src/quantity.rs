//! Formatting of quantities for people.

use serde::Serialize;
use std::fmt;

/// A figure with its unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quantity {
    /// A time.
    Seconds(f64),
    /// A size.
    Bytes(u64),
    /// So many in a second.
    PerSecond(f64),
    /// So many.
    Count(u64),
}

impl Quantity {
    /// The bare number, in the unit of the case.
    pub fn number(self) -> f64 {
        match self {
            Self::Seconds(number) | Self::PerSecond(number) => number,
            Self::Bytes(number) | Self::Count(number) => number as f64,
        }
    }
}

/// Three digits that mean something.
fn digits(f: &mut fmt::Formatter<'_>, number: f64, unit: &str) -> fmt::Result {
    let places = if number < 10.0 { 2 } else { usize::from(number < 100.0) };
    write!(f, "{number:.places$} {unit}")
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Seconds(s) if s >= 1.0 => digits(f, s, "s"),
            Self::Seconds(s) if s >= 1e-3 => digits(f, s * 1e3, "ms"),
            Self::Seconds(s) if s >= 1e-6 => digits(f, s * 1e6, "µs"),
            Self::Seconds(s) => digits(f, s * 1e9, "ns"),
            Self::Bytes(bytes) if bytes >= 1 << 20 => digits(f, bytes as f64 / f64::from(1 << 20), "MiB"),
            Self::Bytes(bytes) => digits(f, bytes as f64 / 1024.0, "KiB"),
            Self::Count(n) => write!(f, "{n}"),
            Self::PerSecond(n) if n >= 1e6 => digits(f, n / 1e6, "million/s"),
            Self::PerSecond(n) if n >= 1e3 => digits(f, n / 1e3, "thousand/s"),
            Self::PerSecond(n) => digits(f, n, "/s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Quantity::*;

    #[test]
    fn three_digits_and_a_unit() {
        let texts = [
            Seconds(12.34),
            Seconds(0.00123),
            Seconds(5e-8),
            Bytes(3 << 20),
            PerSecond(2.5e7),
            PerSecond(912.0),
        ];
        let texts = texts.map(|quantity| quantity.to_string());
        assert_eq!(texts, ["12.3 s", "1.23 ms", "50.0 ns", "3.00 MiB", "25.0 million/s", "912 /s"]);
    }
}
