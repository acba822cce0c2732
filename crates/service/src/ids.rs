//! Ids that the service makes: minted ones, a prefix and a ULID; and those of events that it may make again.

use attestary_event::{EventId, id::ulid};
use attestary_store::Rng;
use sha2::{Digest as _, Sha256};

/// Returns `prefix` and a ULID of this millisecond.
pub(crate) fn mint(prefix: &str, now_ms: u64, rng: &dyn Rng) -> String {
    let mut random = [0; 10];
    rng.fill(&mut random);
    format!("{prefix}{}", ulid(now_ms, random))
}

/// Returns the id of an event that must be the same each time it is made: from the time it speaks of, in milliseconds
/// since the epoch, and a text that no other event has.
pub(crate) fn repeatable(unix_ms: u64, text: &str) -> EventId {
    let mut random = [0; 10];
    random.copy_from_slice(&Sha256::digest(text)[..10]);
    EventId::v7(unix_ms, random)
}
