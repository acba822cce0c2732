//! What people see of a destination.

use serde::Serialize;

use crate::{
    health::{Phase, Reason},
    receipt::Receipt,
    state::{LastError, State, Totals},
};

/// How a destination fares now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// State.
    pub state: Phase,
    /// Why.
    pub reason: Reason,
    /// Since when, in milliseconds since the epoch.
    pub since_ms: i64,
    /// Lowest seq that is not confirmed.
    pub cursor: u64,
    /// Events of the log behind the cursor, those that the filter excludes included.
    pub lag_events: u64,
    /// When the oldest unconfirmed event was received, in milliseconds since the epoch, once it was read.
    pub oldest_unconfirmed_ms: Option<i64>,
    /// Failed attempts in a row.
    pub failures: u32,
    /// When the next attempt is due, in milliseconds since the epoch.
    pub retry_at_ms: Option<i64>,
    /// The last failure.
    pub last_error: Option<LastError>,
    /// When a batch was last confirmed, in milliseconds since the epoch.
    pub last_success_ms: Option<i64>,
    /// Counters.
    pub totals: Totals,
    /// What became of the events behind the cursor.
    pub receipt: Option<Receipt>,
}

impl Status {
    /// Returns the status of a saved state, for destinations whose task does not run.
    pub fn of(state: &State, log_size: u64) -> Self {
        let mut status = snapshot(state, None, None);
        status.lag_events = log_size.saturating_sub(state.cursor);
        status
    }
}

/// Returns the status without the lag, which depends on the log's size at the time of asking.
pub(super) fn snapshot(
    state: &State,
    retry_at_ms: Option<i64>,
    oldest_unconfirmed_ms: Option<i64>,
) -> Status {
    Status {
        state: state.health.phase,
        reason: state.health.reason.clone(),
        since_ms: state.health.since_ms,
        cursor: state.cursor,
        lag_events: 0,
        oldest_unconfirmed_ms,
        failures: state.failures,
        retry_at_ms,
        last_error: state.last_error.clone(),
        last_success_ms: state.last_success_ms,
        totals: state.totals,
        receipt: state.receipt.clone(),
    }
}
