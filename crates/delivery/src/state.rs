//! What is remembered about a destination across restarts.
//!
//! The driver saves it after a confirmation and before the next send, so that it lags the truth and never leads it:
//! after a crash at most the batch in flight is sent again. It is stored as JSON with a version; a newer version is
//! refused rather than guessed at.

use attestary_event::{Timestamp, Violation};
use serde::{Deserialize, Serialize};

use crate::{
    checkpoint::Mark,
    health::{Health, Reason},
    receipt::Receipt,
};

/// Version of the stored form.
pub const VERSION: u8 = 1;

/// Where a new destination starts in its tenant's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the next event.
    Now,
    /// With the first retained event.
    Beginning,
    /// With this seq.
    Seq(u64),
    /// With the first event received at or after this time.
    Time(Timestamp),
}

impl Start {
    /// Parses `"now"`, `"beginning"`, a seq (a number) or an RFC 3339 time.
    pub fn parse(value: &serde_json::Value) -> Result<Self, Violation> {
        let found = match value {
            serde_json::Value::Null => Some(Self::Now),
            serde_json::Value::Number(number) => number.as_u64().map(Self::Seq),
            serde_json::Value::String(text) if text == "now" => Some(Self::Now),
            serde_json::Value::String(text) if text == "beginning" => Some(Self::Beginning),
            serde_json::Value::String(text) => Timestamp::parse(text).map(Self::Time),
            _ => None,
        };
        found.ok_or_else(|| {
            Violation::new(
                "/start",
                "start is \"now\", \"beginning\", a seq or a time such as 2026-11-22T00:00:00Z",
            )
        })
    }
}

/// The range of the batch that was fixed before its first attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Seq of its first event.
    pub first_seq: u64,
    /// Seq of its last event.
    pub last_seq: u64,
}

/// Counters since the destination was created.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Attempts, tests included.
    pub attempts: u64,
    /// Events that the destination confirmed; repeats count again.
    pub delivered: u64,
    /// Events set aside.
    pub quarantined: u64,
    /// Events that retention removed before they were delivered.
    pub lost_to_retention: u64,
}

/// The last attempt that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastError {
    /// When, in milliseconds since the epoch.
    pub at_ms: i64,
    /// Why.
    pub reason: Reason,
}

/// The state of one destination. See the module's text for when it is saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Version of this form.
    pub version: u8,
    /// Lowest seq that is not confirmed; events that the filter excludes count as confirmed.
    pub cursor: u64,
    /// The batch that was being attempted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
    /// The batches behind it that were being attempted at the same time; ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ahead: Vec<Pending>,
    /// State and reason.
    pub health: Health,
    /// Failed attempts in a row.
    #[serde(default)]
    pub failures: u32,
    /// Since when attempts fail, in milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since_ms: Option<i64>,
    /// Bits of the notices given about the present failure.
    #[serde(default)]
    pub noticed: u8,
    /// Batch size that the receiver was found to take, when it is below the configured one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_cap: Option<usize>,
    /// Batches confirmed since the last change of `bytes_cap`.
    #[serde(default)]
    pub confirmed_at_cap: u32,
    /// Bisection: the last seq of the stretch that holds an event the receiver refuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspect_until: Option<u64>,
    /// Bisection: the last seq of the next batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<u64>,
    /// Seqs behind the cursor that are confirmed or set aside already: parts of a batch that was partly taken.
    /// Ascending; at most one batch of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settled: Vec<u64>,
    /// Events set aside since the last confirmation.
    #[serde(default)]
    pub refused_in_a_row: u32,
    /// Counters.
    #[serde(default)]
    pub totals: Totals,
    /// When the destination last confirmed a batch, in milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success_ms: Option<i64>,
    /// The last failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<LastError>,
    /// What became of the events behind the cursor; absent in states of the first release until the first batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
    /// The newest checkpoint that was sent, or is being tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Mark>,
}

/// Why a stored state could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// Not the stored form of a state.
    #[error("the stored state of a destination does not parse")]
    Parse(#[source] serde_json::Error),
    /// Written by a newer release.
    #[error(
        "the stored state of a destination has version {found}; this release reads up to {VERSION}"
    )]
    Version {
        /// The version found.
        found: u8,
    },
}

impl State {
    /// Returns the state of a new destination that starts at `cursor`.
    pub fn new(cursor: u64, now: Timestamp) -> Self {
        Self {
            version: VERSION,
            cursor,
            pending: None,
            ahead: Vec::new(),
            health: Health::active(now),
            failures: 0,
            failing_since_ms: None,
            noticed: 0,
            bytes_cap: None,
            confirmed_at_cap: 0,
            suspect_until: None,
            ceiling: None,
            settled: Vec::new(),
            refused_in_a_row: 0,
            totals: Totals::default(),
            last_success_ms: None,
            last_error: None,
            receipt: Some(Receipt::new(cursor)),
            checkpoint: None,
        }
    }

    /// Reads the stored form.
    pub fn from_json(text: &str) -> Result<Self, StateError> {
        #[derive(Deserialize)]
        struct Head {
            version: u8,
        }
        let head: Head = serde_json::from_str(text).map_err(StateError::Parse)?;
        if head.version > VERSION {
            return Err(StateError::Version { found: head.version });
        }
        serde_json::from_str(text).map_err(StateError::Parse)
    }

    /// Returns the stored form.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a state holds only text, numbers and options of them")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_survives_storage() {
        let mut state = State::new(7, Timestamp(5));
        state.pending = Some(Pending { first_seq: 7, last_seq: 9 });
        state.ceiling = Some(8);
        assert_eq!(State::from_json(&state.to_json()).unwrap(), state);
    }

    #[test]
    fn a_state_of_version_1_still_reads() {
        let stored = r#"{"version":1,"cursor":42,"health":{"phase":"paused","reason":{"code":"user","detail":"paused by a person"},"since_ms":3}}"#;
        let state = State::from_json(stored).unwrap();
        assert_eq!((state.cursor, state.health.rests()), (42, true));
    }

    #[test]
    fn a_newer_state_is_refused() {
        let stored = r#"{"version":2,"cursor":{"new":"form"}}"#;
        assert!(matches!(State::from_json(stored), Err(StateError::Version { found: 2 })));
        assert!(matches!(State::from_json("{"), Err(StateError::Parse(_))));
    }

    #[test]
    fn a_start_is_a_word_a_seq_or_a_time() {
        #[track_caller]
        fn check(json: &str, expected: Option<Start>) {
            assert_eq!(Start::parse(&serde_json::from_str(json).unwrap()).ok(), expected, "{json}");
        }
        check("null", Some(Start::Now));
        check("\"now\"", Some(Start::Now));
        check("\"beginning\"", Some(Start::Beginning));
        check("17", Some(Start::Seq(17)));
        check("\"1970-01-01T00:00:01Z\"", Some(Start::Time(Timestamp(1_000))));
        check("-1", None);
        check("1.5", None);
        check("\"later\"", None);
        check("true", None);
    }
}
