//! Instants as milliseconds since the Unix epoch, and their RFC 3339 text.

use std::fmt;

/// An instant in milliseconds since 1970-01-01T00:00:00Z; negative before.
///
/// Range: years -9999 to 9999, which covers every time an adapter may hand over (Go's zero time included).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Parses RFC 3339 with an offset; digits past milliseconds are cut.
    pub fn parse(text: &str) -> Option<Self> {
        // jiff also accepts forms that RFC 3339 does not (no seconds, a bracketed zone, comma fractions).
        let bytes = text.as_bytes();
        let shape = bytes.len() >= 20
            && bytes[4] == b'-'
            && bytes[7] == b'-'
            && matches!(bytes[10], b'T' | b't' | b' ')
            && bytes[13] == b':'
            && bytes[16] == b':'
            && !text.contains(['[', ',']);
        if !shape {
            return None;
        }
        let instant: jiff::Timestamp = text.parse().ok()?;
        Some(Self(instant.as_nanosecond().div_euclid(1_000_000) as i64))
    }

    /// Parses RFC 3339, reading a time without an offset as UTC (for adapters only).
    pub fn parse_zoneless(text: &str) -> Option<Self> {
        Self::parse(text).or_else(|| Self::parse(&format!("{text}Z")))
    }
}

impl fmt::Display for Timestamp {
    /// Writes RFC 3339 in UTC with exactly three decimals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(instant) => write!(f, "{instant:.3}"),
            Err(_) => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<i64>) {
        assert_eq!(Timestamp::parse(text).map(|t| t.0), expected, "{text}");
    }

    #[test]
    fn native_times_need_an_offset() {
        check("2026-11-22T00:39:11.123Z", Some(1_795_307_951_123));
        check("2026-11-22T01:39:11.123999+01:00", Some(1_795_307_951_123));
        check("0001-01-01T00:00:00Z", Some(-62_135_596_800_000));
        check("2026-11-22T00:39:11.123", None);
        check("2026-11-22", None);
        check("2026-11-22T00:39Z", None);
        check("yesterday", None);
        check("", None);
    }

    #[test]
    fn text_has_three_decimals_and_utc() {
        assert_eq!(Timestamp(1_795_307_951_000).to_string(), "2026-11-22T00:39:11.000Z");
        assert_eq!(
            Timestamp::parse_zoneless("2024-11-20T10:37:42.943305").unwrap().to_string(),
            "2024-11-20T10:37:42.943Z"
        );
    }
}
