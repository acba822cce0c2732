//! Periods of retention: days, or for ever.

use std::fmt;

/// A day in milliseconds.
pub(crate) const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// A year of retention; leap days are given away.
const YEAR_DAYS: u32 = 365;
/// Longest period that is not for ever: a hundred years.
const DAYS_MAX: u32 = 100 * YEAR_DAYS;

/// How long something is kept. Periods compare by length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Period {
    /// That many days.
    Days(u32),
    /// For ever.
    Unlimited,
}

impl Period {
    /// Reads `unlimited`, or a number with `d` for days or `y` for years of 365 days.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text == "unlimited" {
            return Some(Self::Unlimited);
        }
        let (number, factor) = match text.strip_suffix('y') {
            Some(number) => (number, YEAR_DAYS),
            None => (text.strip_suffix('d')?, 1),
        };
        let plain = !number.starts_with('0') && number.bytes().all(|byte| byte.is_ascii_digit());
        let days = number.parse::<u32>().ok().filter(|_| plain)?.checked_mul(factor)?;
        (1..=DAYS_MAX).contains(&days).then_some(Self::Days(days))
    }

    /// Returns the time before which something is older than this at `now_ms`; `None` when nothing ever is.
    pub(crate) fn cut_off(self, now_ms: u64) -> Option<u64> {
        match self {
            Self::Days(days) => Some(now_ms.saturating_sub(u64::from(days) * DAY_MS)),
            Self::Unlimited => None,
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Days(days) if days % YEAR_DAYS == 0 => write!(f, "{}y", days / YEAR_DAYS),
            Self::Days(days) => write!(f, "{days}d"),
            Self::Unlimited => f.write_str("unlimited"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_have_few_forms() {
        let check = |text, expected: Option<&str>| {
            let shown = Period::parse(text).map(|period| period.to_string());
            assert_eq!(shown.as_deref(), expected, "{text}");
        };
        check("90d", Some("90d"));
        check("1y", Some("1y"));
        check("365d", Some("1y"));
        check("100y", Some("100y"));
        check("unlimited", Some("unlimited"));
        for text in [
            "",
            "0d",
            "01d",
            "-1d",
            "90",
            "90 d",
            "1m",
            "101y",
            "36501d",
            "y",
            "d",
            "99999999999d",
            "١d",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn longer_periods_are_greater() {
        assert!(Period::Days(90) < Period::Days(91));
        assert!(Period::Days(u32::MAX) < Period::Unlimited);
        assert_eq!(Period::Days(2).cut_off(5 * DAY_MS), Some(3 * DAY_MS));
        assert_eq!(Period::Days(9).cut_off(DAY_MS), Some(0));
        assert_eq!(Period::Unlimited.cut_off(DAY_MS), None);
    }
}
