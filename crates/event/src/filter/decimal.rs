//! Numbers compared as the decimal tokens they are written with.
//!
//! No token is turned into a float, so 9007199254740993 and 9007199254740992 differ, and 1.0, 1 and 10e-1
//! are equal. Exponents beyond ±10^15 are held there: such numbers compare by their digits only.

use std::cmp::Ordering;

const EXPONENT_MAX: i64 = 1_000_000_000_000_000;

/// Returns true when `text` is a number token of RFC 8259.
pub(super) fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole)
        && (whole.len() == 1 || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent
            .is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
}

/// Compares two number tokens by value.
pub(super) fn compare(left: &str, right: &str) -> Ordering {
    match (small(left), small(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        _ => Number::new(left).compare(&Number::new(right)),
    }
}

/// Integers of at most 18 digits: nearly all numbers in events.
fn small(token: &str) -> Option<i64> {
    if token.len() <= 18 { token.parse().ok() } else { None }
}

/// 0.d₁d₂d₃… × 10^scale, with d₁ not zero unless the number is zero.
struct Number<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    scale: i64,
}

impl<'a> Number<'a> {
    fn new(token: &'a str) -> Self {
        let negative = token.starts_with('-');
        let unsigned = token.strip_prefix('-').unwrap_or(token);
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let whole = whole.trim_start_matches('0').as_bytes();
        let significant =
            if whole.is_empty() { fraction.trim_start_matches('0') } else { fraction };
        let exponent = clamped(exponent);
        let scale = exponent + whole.len() as i64 - (fraction.len() - significant.len()) as i64;
        Self { negative, whole, fraction: significant.as_bytes(), scale }
    }

    fn is_zero(&self) -> bool {
        self.whole.is_empty() && self.fraction.iter().all(|&digit| digit == b'0')
    }

    fn compare(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| match (number.is_zero(), number.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let by_sign = sign(self).cmp(&sign(other));
        if by_sign != Ordering::Equal || self.is_zero() {
            return by_sign;
        }
        let by_size = self.scale.cmp(&other.scale).then_with(|| self.compare_digits(other));
        if self.negative { by_size.reverse() } else { by_size }
    }

    fn compare_digits(&self, other: &Self) -> Ordering {
        let digits = |number: &Self, at: usize| {
            let in_fraction = at.wrapping_sub(number.whole.len());
            number
                .whole
                .get(at)
                .or_else(|| number.fraction.get(in_fraction))
                .copied()
                .unwrap_or(b'0')
        };
        let longest =
            (self.whole.len() + self.fraction.len()).max(other.whole.len() + other.fraction.len());
        (0..longest)
            .map(|at| digits(self, at).cmp(&digits(other, at)))
            .find(|o| o.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

fn clamped(exponent: &str) -> i64 {
    let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent).trim_start_matches('0');
    let size = if digits.is_empty() {
        0
    } else {
        digits.parse().unwrap_or(EXPONENT_MAX).min(EXPONENT_MAX)
    };
    if exponent.starts_with('-') { -size } else { size }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(left: &str, right: &str, expected: Ordering) {
        assert!(is_number(left) && is_number(right), "{left} {right}");
        assert_eq!(compare(left, right), expected, "{left} with {right}");
        assert_eq!(compare(right, left), expected.reverse(), "{right} with {left}");
    }

    #[test]
    fn tokens_compare_by_value() {
        check("5", "5.0", Ordering::Equal);
        check("10e-1", "1", Ordering::Equal);
        check("0.001", "1E-3", Ordering::Equal);
        check("-0", "0.0e9", Ordering::Equal);
        check("9007199254740993", "9007199254740992", Ordering::Greater);
        check("9007199254740993.0", "9007199254740992.5", Ordering::Greater);
        check("-1", "-1.5", Ordering::Greater);
        check("-1", "1", Ordering::Less);
        check("12345678901234567890", "12345678901234567891", Ordering::Less);
        check("9.99", "10", Ordering::Less);
        check("0.10", "0.1", Ordering::Equal);
        check("0.0", "0.1", Ordering::Less);
        check("1e400", "9e399", Ordering::Greater);
        check("-1e400", "-9e399", Ordering::Less);
        check("1e99999999999999999999", "1", Ordering::Greater);
        check("1e-99999999999999999999", "0", Ordering::Greater);
    }

    #[test]
    fn only_json_numbers_are_numbers() {
        for text in [
            "", "-", "+1", "01", "1.", ".5", "1e", "0x1", "NaN", "1_000", "１", "1e+-1", "--1",
            "1.e1",
        ] {
            assert!(!is_number(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn comparing_agrees_with_integers(a in any::<i128>(), b in any::<i128>(), places in 0_usize..20) {
            let shifted = |n: i128| format!("{n}{}e-{places}", "0".repeat(places));
            prop_assert_eq!(compare(&a.to_string(), &b.to_string()), a.cmp(&b));
            prop_assert_eq!(compare(&shifted(a), &b.to_string()), a.cmp(&b));
        }
    }
}
