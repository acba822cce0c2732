//! The guard against a clock that jumps: nothing is removed on the word of a clock that cannot be right.
//!
//! Two signs: the wall clock leaves the monotonic one by more than five minutes while the service runs, or it stands
//! more than 24 hours ahead of the last time that was seen and saved. Either pauses retention until an operator says
//! that the clock is right. Intake goes on. A service that was stopped for longer than a day asks too: from inside,
//! the two look the same.

use std::time::Duration;

use attestary_store::catalog::CatalogError;
use parking_lot::Mutex;

use super::period::DAY_MS;
use crate::{
    Caller, ChangeError, ReadError, Scope, Service,
    audit::{Act, action},
    error::cause,
};

/// How far the clocks may part between two looks.
const DRIFT_MAX_MS: u64 = 5 * 60 * 1000;
const SEEN: &str = "clock_seen_ms";
const PAUSED: &str = "retention_paused_ms";

/// The two clocks when they were last looked at.
#[derive(Debug, Default)]
pub(crate) struct Watch(Mutex<Option<(u64, Duration)>>);

impl Watch {
    /// Returns by how much the wall clock left the monotonic one since the last look, forward or back.
    fn drift(&self, now_ms: u64, monotonic: Duration) -> i64 {
        let last = self.0.lock().replace((now_ms, monotonic));
        let Some((wall_ms, at)) = last else { return 0 };
        let passed = monotonic.saturating_sub(at).as_millis() as i64;
        now_ms.cast_signed() - wall_ms.cast_signed() - passed
    }
}

/// What is known of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockState {
    /// The wall clock, in milliseconds since the epoch.
    pub now_ms: u64,
    /// When retention was paused because of the clock; `None` while it is not.
    pub paused_ms: Option<u64>,
}

impl Service {
    /// Looks at the clocks. Returns false when they cannot be trusted to remove anything.
    pub(crate) async fn watch_clock(&self) -> Result<bool, ChangeError> {
        let now_ms = self.clock().now_ms();
        let drift_ms = self.govern().clock.drift(now_ms, self.clock().monotonic());
        let read = |catalog: &attestary_store::Catalog| {
            Ok::<_, CatalogError>((catalog.guard_value(SEEN)?, catalog.guard_value(PAUSED)?))
        };
        let (seen, paused) =
            self.catalog(read).await.map_err(|error| ChangeError::Unavailable(cause(error)))?;
        if paused.is_some_and(|paused| paused > 0) {
            return Ok(false);
        }
        let ahead_ms = now_ms.saturating_sub(seen.unwrap_or(now_ms));
        if drift_ms.unsigned_abs() <= DRIFT_MAX_MS && ahead_ms <= DAY_MS {
            self.remember(SEEN, now_ms).await?;
            return Ok(true);
        }
        tracing::error!(
            clock.drift_ms = drift_ms,
            clock.ahead_ms = ahead_ms,
            "the clock jumped: nothing is removed until an operator confirms the time"
        );
        let act = Act::new(action::CLOCK, "clock.stepped")
            .with("drift_ms", drift_ms)
            .with("ahead_ms", ahead_ms);
        self.record(&Caller::installation_itself(), act).await.map_err(ChangeError::Audit)?;
        self.remember(PAUSED, now_ms.max(1)).await?;
        Ok(false)
    }

    /// Returns what is known of the clock.
    pub async fn clock_state(&self, caller: &Caller) -> Result<ClockState, ReadError> {
        self.permit(caller, Scope::Operator, "clock.get")?;
        self.record(caller, Act::new(action::VIEW, "clock.get")).await.map_err(ReadError::Audit)?;
        let paused = self.catalog(|catalog| catalog.guard_value(PAUSED)).await;
        let paused = paused.map_err(|error| ReadError::Unavailable(cause(error)))?;
        Ok(ClockState {
            now_ms: self.clock().now_ms(),
            paused_ms: paused.filter(|paused| *paused > 0),
        })
    }

    /// Takes an operator's word that the clock is right: retention goes on.
    pub async fn confirm_clock(&self, caller: &Caller) -> Result<ClockState, ChangeError> {
        self.permit(caller, Scope::Operator, "clock.confirm")?;
        let now_ms = self.clock().now_ms();
        let act = Act::new(action::POLICY, "clock.confirm").with("now_ms", now_ms);
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        self.govern().clock.drift(now_ms, self.clock().monotonic());
        self.remember(SEEN, now_ms).await?;
        self.remember(PAUSED, 0).await?;
        Ok(ClockState { now_ms, paused_ms: None })
    }

    pub(crate) async fn remember(&self, name: &'static str, value: u64) -> Result<(), ChangeError> {
        let set = self.catalog(move |catalog| catalog.set_guard_value(name, value)).await;
        set.map_err(|error| ChangeError::Unavailable(cause(error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_part_are_noticed() {
        let watch = Watch::default();
        let check = |wall: u64, seconds: u64, expected: i64| {
            assert_eq!(watch.drift(wall, Duration::from_secs(seconds)), expected);
        };
        check(1_000_000, 10, 0);
        check(1_060_000, 70, 0);
        check(1_120_000 + 3_600_000, 130, 3_600_000);
        check(1_180_000, 190, -3_600_000);
        check(1_240_000, 250, 0);
    }
}
