//! How a destination fares: its state, why, and what people are told about it.
//!
//! | state | meaning |
//! |---|---|
//! | `active` | the last thing that was tried worked, or nothing was tried yet |
//! | `failing` | tried again with growing delays, for as long as the events are retained |
//! | `paused` | waits for a person; except after a pause by a person or a 410 it is tried again every 5–15 min |
//!
//! The cursor is kept in every state.

use std::time::Duration;

use attestary_event::Timestamp;
use serde::{Deserialize, Serialize};

/// The state of a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Delivers.
    Active,
    /// Does not deliver now; a retry may cure it.
    Failing,
    /// Does not deliver; a person must do something.
    Paused,
}

impl Phase {
    /// Returns the word used in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Failing => "failing",
            Self::Paused => "paused",
        }
    }
}

/// Why a destination is in its state; stable codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cause {
    /// Nothing is wrong.
    Ok,
    /// A person paused it.
    User,
    /// The endpoint said that it is gone for good (410).
    Gone,
    /// The receiver answered with a status that needs a change of its configuration or ours.
    Refused,
    /// The receiver, or whoever gives its tokens, does not accept the credentials.
    Credentials,
    /// It refused so many events in a row that the events are unlikely to be the reason.
    RefusesEverything,
    /// The receiver is overloaded and said so.
    Throttled,
    /// The receiver answered that it cannot take events now.
    Unavailable,
    /// The name has no address, or the resolver did not answer.
    Resolve,
    /// The outbound guard does not allow the address.
    Blocked,
    /// No connection.
    Connect,
    /// The connection broke.
    Broken,
    /// The receiver took too long.
    Timeout,
    /// The certificate expired or is not valid yet.
    CertificateExpired,
    /// The certificate is for another name.
    CertificateName,
    /// The certificate's issuer is not trusted.
    CertificateUnknownAuthority,
    /// The certificate is unusable in another way.
    Certificate,
    /// TLS failed for another reason.
    Tls,
    /// The answer was not HTTP.
    Protocol,
    /// The file or output could not be written.
    Storage,
    /// The configuration cannot work.
    Configuration,
    /// Our own log could not be read.
    Log,
}

/// Why, as a code and a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Stable code.
    pub code: Cause,
    /// One sentence for people; may name a status, never an event's content.
    pub detail: String,
}

impl Reason {
    /// Returns a reason.
    pub fn new(code: Cause, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }

    /// Returns the reason of a destination that works.
    pub fn ok() -> Self {
        Self::new(Cause::Ok, "")
    }
}

/// State and reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The state.
    pub phase: Phase,
    /// Why.
    pub reason: Reason,
    /// When this state with this cause began, in milliseconds since the epoch.
    pub since_ms: i64,
}

impl Health {
    /// Returns the health of a destination that works.
    pub fn active(now: Timestamp) -> Self {
        Self { phase: Phase::Active, reason: Reason::ok(), since_ms: now.0 }
    }

    /// Changes state and reason; `since_ms` moves only when state or cause differ.
    pub(crate) fn become_(&mut self, phase: Phase, reason: Reason, now: Timestamp) {
        if self.phase != phase || self.reason.code != reason.code {
            self.since_ms = now.0;
        }
        self.phase = phase;
        self.reason = reason;
    }

    /// Returns true when only a person may start it again.
    pub fn rests(&self) -> bool {
        self.phase == Phase::Paused && matches!(self.reason.code, Cause::User | Cause::Gone)
    }
}

/// What the tenant's administrators should be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Notice {
    /// Failures in a row, or a failure that lasts: after 4 attempts, 1 hour and 24 hours.
    Failing {
        /// Failed attempts in a row.
        failures: u32,
        /// Since when, in milliseconds since the epoch.
        since_ms: i64,
        /// The last reason.
        reason: Reason,
    },
    /// Paused: a person must do something.
    Paused {
        /// Why.
        reason: Reason,
    },
    /// Delivers again after a notice.
    Recovered {
        /// Since when it had failed, in milliseconds since the epoch.
        since_ms: i64,
    },
}

/// Failed attempts after which the first notice is due.
pub const NOTICE_FAILURES: u32 = 4;
/// Lengths of a failure after which further notices are due.
pub const NOTICE_AFTER: [Duration; 2] = [Duration::from_hours(1), Duration::from_hours(24)];

/// Returns the bits of the notices that are due.
pub(crate) fn due(failures: u32, failing: Duration) -> u8 {
    let mut bits = u8::from(failures >= NOTICE_FAILURES);
    for (index, after) in NOTICE_AFTER.iter().enumerate() {
        bits |= u8::from(failing >= *after) << (index + 1);
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_are_due_after_four_failures_an_hour_and_a_day() {
        #[track_caller]
        fn check(failures: u32, seconds: u64, expected: u8) {
            assert_eq!(due(failures, Duration::from_secs(seconds)), expected);
        }
        check(3, 0, 0);
        check(4, 0, 0b001);
        check(3, 3_599, 0);
        check(3, 3_600, 0b010);
        check(9, 86_399, 0b011);
        check(9, 86_400, 0b111);
    }
}
