//! Checkpoints inside a stream: the signed head of the log over what the cursor has passed.
//!
//! A receiver that keeps them can say later, without asking the service, that it holds every event and that none was
//! changed: the leaf hashes of the events before `size` have the root that the log signed. Each checkpoint carries the
//! roots of the perfect subtrees of its tree, so that whoever holds the events between two checkpoints can link them
//! without holding those before.
//!
//! A checkpoint is the event `attestary.checkpoint`, written in the destination's format, in a request of its own. It
//! stands in no log: its `seq` is the size of the tree and its leaf hash is zero. Its size and its time are saved before
//! the first attempt and its signature is deterministic, so that every attempt has the same id and the same bytes. It
//! never holds events up: one that cannot be delivered now is tried again beside them, one that is refused is left out,
//! for the next one covers all that it did.

use std::time::Duration;

use attestary_event::{Event, EventId, Timestamp, Violation, event::hex};
use attestary_ledger::Hash;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::{health::Phase, schedule, spec::Spec, state::State, verdict::Verdict};

/// The least time between two checkpoints of a stream, in seconds.
pub const SECONDS_MIN: u64 = 10;
/// The most time between two checkpoints of a stream that goes on, in seconds.
pub const SECONDS_MAX: u64 = 86_400;

/// A tree head that its log has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Name of the log.
    pub origin: String,
    /// Events that it covers: those with a lower seq.
    pub size: u64,
    /// Root over their leaf hashes.
    pub root: Hash,
    /// Roots of the perfect subtrees of that tree, largest first.
    pub subtrees: Vec<Hash>,
    /// The signed note (C2SP tlog-checkpoint), as it is checked.
    pub note: String,
}

/// The newest checkpoint of a stream, from its first attempt on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Events that it covers.
    pub size: u64,
    /// The time that stands in it, in milliseconds since the epoch.
    pub at_ms: i64,
    /// Failed attempts.
    #[serde(default)]
    pub failures: u32,
    /// When it is tried again, in milliseconds since the epoch; `None` when it was confirmed or refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_ms: Option<i64>,
}

/// Returns what is wrong with a pause between checkpoints; 0 means none at all.
pub fn violation(seconds: u64) -> Option<Violation> {
    let fine = seconds == 0 || (SECONDS_MIN..=SECONDS_MAX).contains(&seconds);
    (!fine).then(|| {
        let detail = format!(
            "must be 0 (no checkpoints) or between {SECONDS_MIN} and {SECONDS_MAX}; this is {seconds}"
        );
        Violation::new("/checkpoint_seconds", detail)
    })
}

/// When a checkpoint is to be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Now: this one.
    Now(Mark),
    /// Not before so long.
    In(Duration),
    /// Not before the cursor has moved.
    Never,
}

/// Returns when a stream with a checkpoint every `seconds` gets the next one.
///
/// While events cannot be delivered there is none: what the receiver does not take has its turn first.
pub(crate) fn due(state: &State, seconds: u64, now: Timestamp) -> Due {
    if seconds == 0 || state.health.phase != Phase::Active || state.failures > 0 {
        return Due::Never;
    }
    let fresh = Mark { size: state.cursor, at_ms: now.0, failures: 0, again_ms: Some(now.0) };
    let pause = Duration::from_secs(seconds);
    let (at_ms, longest, next) = match state.checkpoint {
        None if state.cursor == 0 => return Due::Never,
        None => return Due::Now(fresh),
        Some(mark) => match mark.again_ms {
            Some(again_ms) => (again_ms, schedule::RETRY_AFTER.1, mark),
            None if mark.size >= state.cursor => return Due::Never,
            None => (mark.at_ms.saturating_add(pause.as_millis() as i64), pause, fresh),
        },
    };
    let wait = Duration::from_millis(at_ms.saturating_sub(now.0).max(0).unsigned_abs());
    // A clock that was set back must not silence the stream.
    if wait.is_zero() || wait > longest { Due::Now(next) } else { Due::In(wait) }
}

impl Mark {
    /// Returns the mark after an attempt.
    pub(crate) fn after(self, verdict: &Verdict, now: Timestamp, random: u64) -> Self {
        match verdict {
            Verdict::Retry { after, .. } => {
                let wish = after.map(|after| schedule::clamp(after.delay(now)));
                self.postponed(wish, now, random)
            }
            Verdict::Partial(partial) if partial.rejected.is_empty() => {
                self.postponed(None, now, random)
            }
            Verdict::Pause { .. } | Verdict::Disable { .. } => self.postponed(None, now, random),
            _ => Self { again_ms: None, ..self },
        }
    }

    /// Returns the mark to be tried again later.
    pub(crate) fn postponed(self, wish: Option<Duration>, now: Timestamp, random: u64) -> Self {
        let failures = self.failures.saturating_add(1);
        let wait = wish.unwrap_or_else(|| schedule::back_off(failures, random));
        // Without a pause at all it would be tried as fast as the receiver refuses.
        let wait = wait.max(schedule::BASE).as_millis() as i64;
        Self { failures, again_ms: Some(now.0.saturating_add(wait)), ..self }
    }
}

/// Returns the event that carries a checkpoint.
pub(crate) fn event(spec: &Spec, signed: &Signed, at: Timestamp) -> Event {
    let subtrees: Vec<String> = signed.subtrees.iter().map(|root| hex(root)).collect();
    let body = json!({
        "action": "attestary.checkpoint",
        "occurred_at": at.to_string(),
        "actor": { "type": "service", "id": "attestary" },
        "outcome": "success",
        "severity": 1,
        "category": "service",
        "description": format!("The log has signed its first {} events.", signed.size),
        "metadata": {
            "checkpoint": signed.note, "origin": signed.origin, "size": signed.size,
            "root": hex(&signed.root), "subtrees": subtrees,
        },
    });
    Event {
        id: id(spec, signed),
        tenant: spec.tenant.clone(),
        environment: spec.environment.clone(),
        seq: signed.size,
        received_at: at,
        flags: Event::SERVICE,
        leaf_hash: [0; 32],
        body: body.to_string().into_bytes().into(),
    }
}

/// Returns the id of a checkpoint in a stream: a UUID of version 8 (RFC 9562) made from what it is.
fn id(spec: &Spec, signed: &Signed) -> EventId {
    let mut hash = Sha256::new_with_prefix(b"attestary stream checkpoint v1\n");
    hash.update(spec.label());
    hash.update(b"\n");
    hash.update(&signed.note);
    let digest = hash.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = 0x80 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    EventId(bytes)
}

#[cfg(test)]
mod tests;
