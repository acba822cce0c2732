//! Times in filters: a date-time is one millisecond, a date is its whole day in UTC.

use super::Comparator;
use crate::Timestamp;

const DAY_MS: i64 = 86_400_000;

/// The stretch of time that a value means, in milliseconds since the epoch: `start` included, `end` not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: i64,
    pub(super) end: i64,
}

impl Span {
    /// Reads an RFC 3339 date-time with an offset, or a date.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(day) = date(text) {
            let start = day * DAY_MS;
            return Some(Self { start, end: start + DAY_MS });
        }
        Timestamp::parse(text).map(|time| Self { start: time.0, end: time.0 + 1 })
    }

    /// Returns true when `time` stands to this span as the operator says; `:` is the same as `=`.
    pub(super) fn admits(&self, comparator: Comparator, time: i64) -> bool {
        match comparator {
            Comparator::Equal => self.start <= time && time < self.end,
            Comparator::NotEqual => time < self.start || self.end <= time,
            Comparator::Less => time < self.start,
            Comparator::LessOrEqual => time < self.end,
            Comparator::Greater => self.end <= time,
            Comparator::GreaterOrEqual => self.start <= time,
        }
    }
}

/// Reads the time of a stored value; the service's own form takes the short way.
pub(super) fn milliseconds(text: &str) -> Option<i64> {
    canonical(text.as_bytes())
        .or_else(|| Timestamp::parse(text).map(|time| time.0))
        .or_else(|| date(text).map(|day| day * DAY_MS))
}

/// `YYYY-MM-DDTHH:MM:SS.mmmZ`, exactly.
fn canonical(bytes: &[u8]) -> Option<i64> {
    let shape = bytes.len() == 24 && bytes[10] == b'T' && bytes[13] == b':' && bytes[16] == b':';
    if !shape || bytes[19] != b'.' || bytes[23] != b'Z' {
        return None;
    }
    let day = civil_day(&bytes[..10])?;
    let (hour, minute, second) =
        (number(&bytes[11..13])?, number(&bytes[14..16])?, number(&bytes[17..19])?);
    let milli = number(&bytes[20..23])?;
    (hour < 24 && minute < 60 && second < 60)
        .then_some(day * DAY_MS + hour * 3_600_000 + minute * 60_000 + second * 1_000 + milli)
}

/// `YYYY-MM-DD` as days since the epoch.
fn date(text: &str) -> Option<i64> {
    (text.len() == 10).then(|| civil_day(text.as_bytes())).flatten()
}

fn civil_day(bytes: &[u8]) -> Option<i64> {
    if bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let (year, month, day) = (number(&bytes[..4])?, number(&bytes[5..7])?, number(&bytes[8..])?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    // Counted in years that start in March, so that the leap day comes last.
    let (shifted, from_march) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era_days =
        365 * shifted + shifted.div_euclid(4) - shifted.div_euclid(100) + shifted.div_euclid(400);
    (1..=last).contains(&day).then_some(era_days + (153 * from_march + 2) / 5 + day - 1 - 719_468)
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |value, digit| {
        digit.is_ascii_digit().then(|| value * 10 + i64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(i64, i64)>) {
        assert_eq!(Span::parse(text).map(|span| (span.start, span.end)), expected, "{text}");
    }

    #[test]
    fn a_date_is_its_day_and_a_time_one_millisecond() {
        check("1970-01-01", Some((0, DAY_MS)));
        check("2000-02-29", Some((951_782_400_000, 951_868_800_000)));
        check("2026-11-22T00:39:11.123Z", Some((1_795_307_951_123, 1_795_307_951_124)));
        check("2026-02-29", None);
        check("2026-13-01", None);
        check("2026-00-10", None);
        check("2026-11-22T00:39:11", None);
        check("20261122", None);
        check("ééééé", None);
        check("now", None);
    }

    #[test]
    fn the_short_way_refuses_what_is_not_exactly_its_form() {
        for text in [
            "2026-11-22T24:00:00.000Z",
            "2026-11-22 00:00:00.000Z",
            "2026-11-22T00:00:00.0000",
            "+026-11-22T00:00:00.000Z",
        ] {
            assert_eq!(canonical(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_short_way_agrees_with_the_calendar(ms in -62_167_219_200_000_i64..253_370_764_800_000) {
            let text = Timestamp(ms).to_string();
            prop_assert_eq!(canonical(text.as_bytes()), Some(ms), "{}", text);
            prop_assert_eq!(date(&text[..10]), Some(ms.div_euclid(DAY_MS)));
        }
    }
}
