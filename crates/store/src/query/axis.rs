//! The time axis of a histogram: buckets of one length that begin at round times.

use attestary_event::Timestamp;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;

/// Lengths that people read easily, in milliseconds. Beyond the last, it is doubled.
const LENGTHS: [i64; 33] = [
    1,
    2,
    5,
    10,
    20,
    50,
    100,
    200,
    500,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    WEEK,
    2 * WEEK,
    4 * WEEK,
    13 * WEEK,
    52 * WEEK,
];

/// 1970-01-05 was a Monday: weeks begin on one.
const MONDAY: i64 = 4 * DAY;

/// No event is further from the epoch: 35,000 years in milliseconds.
const TIME_MAX: i64 = 1 << 50;

/// How the time is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Division {
    /// At most so many buckets, of the shortest easy length that does it. One is too few for most times: it may
    /// become two.
    Buckets(usize),
    /// Buckets of so many milliseconds.
    Every(i64),
}

/// More buckets would be needed than are allowed.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
#[error("{wanted} buckets are needed; the limit is {limit}")]
pub struct TooManyBuckets {
    /// What the time and the length need.
    pub wanted: u64,
    /// What is allowed.
    pub limit: usize,
}

/// Buckets of one length without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axis {
    /// Beginning of the first bucket, in milliseconds since the epoch.
    pub start_ms: i64,
    /// Length of each bucket in milliseconds.
    pub length_ms: i64,
    /// Number of buckets.
    pub buckets: usize,
}

impl Axis {
    /// Returns the axis that covers `min_ms` to `max_ms`, both included.
    ///
    /// # Errors
    /// When a given length would need more than `limit` buckets.
    pub fn of(
        min_ms: i64,
        max_ms: i64,
        division: Division,
        limit: usize,
    ) -> Result<Self, TooManyBuckets> {
        let (min_ms, max_ms) = (min_ms.max(-TIME_MAX), max_ms.min(TIME_MAX));
        match division {
            Division::Every(length_ms) => Self::cut(min_ms, max_ms, length_ms.max(1), limit),
            Division::Buckets(wanted) => {
                let most = wanted.clamp(1, limit);
                let fitting = LENGTHS.iter().map(|length| Self::cut(min_ms, max_ms, *length, most));
                let fitting = fitting.into_iter().find_map(Result::ok);
                fitting.map_or_else(|| Ok(Self::of_years(min_ms, max_ms, most)), Ok)
            }
        }
    }

    /// Returns the bucket that holds `time_ms`, if the axis reaches there.
    pub fn bucket(&self, time_ms: i64) -> Option<usize> {
        let index = time_ms.saturating_sub(self.start_ms).div_euclid(self.length_ms);
        let index = usize::try_from(index).ok()?;
        (index < self.buckets).then_some(index)
    }

    /// Returns when the bucket at `index` begins.
    pub fn start(&self, index: usize) -> Timestamp {
        Timestamp(self.start_ms.saturating_add(self.length_ms.saturating_mul(index as i64)))
    }

    fn cut(min_ms: i64, max_ms: i64, length_ms: i64, limit: usize) -> Result<Self, TooManyBuckets> {
        // In 128 bits: the ends are what a request says.
        let length = i128::from(length_ms);
        let offset = if length_ms % WEEK == 0 { i128::from(MONDAY) } else { 0 };
        let first = (i128::from(min_ms) - offset).div_euclid(length);
        let last = (i128::from(max_ms) - offset).div_euclid(length);
        let wanted = u64::try_from(last - first + 1).unwrap_or(u64::MAX);
        if wanted > limit as u64 {
            return Err(TooManyBuckets { wanted, limit });
        }
        let start_ms = i64::try_from(first * length + offset).unwrap_or(min_ms);
        Ok(Self { start_ms, length_ms, buckets: wanted as usize })
    }

    /// The longest length, doubled as often as it takes.
    fn of_years(min_ms: i64, max_ms: i64, most: usize) -> Self {
        let longest = LENGTHS[LENGTHS.len() - 1];
        // 52 weeks, doubled twenty times, are longer than any two times are apart.
        let multiples = (1..=20).map(|shift| longest << shift);
        let mut cuts = multiples.map(|length| Self::cut(min_ms, max_ms, length, most.max(2)));
        cuts.find_map(Result::ok).unwrap_or(Self {
            start_ms: min_ms,
            length_ms: longest << 20,
            buckets: 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time(text: &str) -> i64 {
        Timestamp::parse(text).unwrap().0
    }

    #[track_caller]
    fn check(from: &str, to: &str, buckets: usize, start: &str, length_ms: i64, count: usize) {
        let axis = Axis::of(time(from), time(to) - 1, Division::Buckets(buckets), 500).unwrap();
        assert_eq!(axis.start(0).to_string(), start);
        assert_eq!((axis.length_ms, axis.buckets), (length_ms, count));
    }

    #[test]
    fn lengths_are_easy_and_starts_are_round() {
        let day = ("2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z");
        check(day.0, day.1, 60, "2026-11-22T00:00:00.000Z", 30 * MINUTE, 48);
        check(day.0, day.1, 24, "2026-11-22T00:00:00.000Z", HOUR, 24);
        check(day.0, day.1, 23, "2026-11-22T00:00:00.000Z", 2 * HOUR, 12);
        check(day.0, "2026-11-22T00:00:01Z", 60, "2026-11-22T00:00:00.000Z", 20, 50);
        check(
            "2026-11-22T10:07:00Z",
            "2026-11-22T11:03:00Z",
            4,
            "2026-11-22T10:00:00.000Z",
            30 * MINUTE,
            3,
        );
        // 2026-11-18 is a Wednesday.
        check(
            "2026-11-18T00:00:00Z",
            "2026-12-18T00:00:00Z",
            10,
            "2026-11-16T00:00:00.000Z",
            WEEK,
            5,
        );
        check(
            "0001-01-01T00:00:00Z",
            "9999-01-01T00:00:00Z",
            60,
            "-000072-12-24T00:00:00.000Z",
            256 * 52 * WEEK,
            40,
        );
    }

    #[test]
    fn a_given_length_has_a_limit() {
        let every = |length_ms| Axis::of(0, 10_000 - 1, Division::Every(length_ms), 10);
        assert_eq!(every(1_000).map(|axis| axis.buckets), Ok(10));
        assert_eq!(every(999), Err(TooManyBuckets { wanted: 11, limit: 10 }));
        let widest = Axis::of(i64::MIN, i64::MAX, Division::Every(1), 10);
        assert_eq!(widest, Err(TooManyBuckets { wanted: 1 << 51 | 1, limit: 10 }));
    }

    proptest! {
        #[test]
        fn every_time_of_the_range_has_a_bucket(a in -TIME_MAX..=TIME_MAX, b in -TIME_MAX..=TIME_MAX, buckets in 1..600usize, part: u64) {
            let (min, max) = (a.min(b), a.max(b));
            let axis = Axis::of(min, max, Division::Buckets(buckets), 500).unwrap();
            prop_assert!(axis.buckets <= buckets.clamp(2, 500));
            let inside = (i128::from(min) + i128::from(part) % (i128::from(max) - i128::from(min) + 1)) as i64;
            for time in [min, inside, max] {
                let bucket = axis.bucket(time).unwrap();
                prop_assert!(axis.start(bucket).0 <= time);
            }
        }
    }
}
