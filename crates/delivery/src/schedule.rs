//! When to try again: full jitter under an exponential bound, for ever.
//!
//! Randomness comes in as a number, so that the same number always gives the same delay.

use std::time::Duration;

/// Bound of the first delay.
pub const BASE: Duration = Duration::from_secs(1);
/// Bound of every delay.
pub const CAP: Duration = Duration::from_mins(5);
/// What a receiver's `Retry-After` is clamped to.
pub const RETRY_AFTER: (Duration, Duration) = (Duration::from_secs(1), Duration::from_hours(1));
/// Range of the delay between two looks at a paused destination.
pub const PROBE: (Duration, Duration) = (Duration::from_mins(5), Duration::from_mins(15));

/// Returns the bound of the delay after this many failures in a row (1 for the first).
pub fn bound(failures: u32) -> Duration {
    // 2^9 s is past the cap already; the limit keeps the shift from overflowing.
    let doublings = failures.saturating_sub(1).min(16);
    (BASE * (1 << doublings)).min(CAP)
}

/// Returns the delay after this many failures in a row: uniform between zero and the bound.
pub fn back_off(failures: u32, random: u64) -> Duration {
    uniform(Duration::ZERO, bound(failures), random)
}

/// Returns the delay until the next look at a paused destination.
pub fn probe(random: u64) -> Duration {
    uniform(PROBE.0, PROBE.1, random)
}

/// Returns a receiver's wish, clamped.
pub fn clamp(wish: Duration) -> Duration {
    wish.clamp(RETRY_AFTER.0, RETRY_AFTER.1)
}

fn uniform(low: Duration, high: Duration, random: u64) -> Duration {
    let span = high.saturating_sub(low).as_millis() as u64 + 1;
    // The high half of the product maps the whole range of `random` evenly (Lemire).
    low + Duration::from_millis(((u128::from(random) * u128::from(span)) >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_doubles_up_to_the_cap() {
        #[track_caller]
        fn check(failures: u32, seconds: u64) {
            assert_eq!(bound(failures), Duration::from_secs(seconds), "{failures}");
        }
        check(0, 1);
        check(1, 1);
        check(2, 2);
        check(8, 128);
        check(9, 256);
        check(10, 300);
        check(u32::MAX, 300);
    }

    #[test]
    fn jitter_is_full() {
        #[track_caller]
        fn check(failures: u32, random: u64, millis: u64) {
            assert_eq!(back_off(failures, random), Duration::from_millis(millis));
        }
        check(1, 0, 0);
        check(1, u64::MAX, 1_000);
        check(1, u64::MAX / 2, 500);
        check(99, u64::MAX, 300_000);
        check(99, 0, 0);
    }

    #[test]
    fn a_paused_destination_is_looked_at_every_5_to_15_minutes() {
        assert_eq!(probe(0), Duration::from_mins(5));
        assert_eq!(probe(u64::MAX), Duration::from_mins(15));
    }

    #[test]
    fn a_wish_is_clamped_to_1_s_and_1_h() {
        #[track_caller]
        fn check(wish: u64, seconds: u64) {
            assert_eq!(clamp(Duration::from_secs(wish)), Duration::from_secs(seconds));
        }
        check(0, 1);
        check(30, 30);
        check(86_400, 3_600);
    }
}
