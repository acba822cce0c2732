//! Ids that the service mints: a prefix and a ULID.

use attestary_event::id::ulid;
use attestary_store::Rng;

/// Returns `prefix` and a ULID of this millisecond.
pub(crate) fn mint(prefix: &str, now_ms: u64, rng: &dyn Rng) -> String {
    let mut random = [0; 10];
    rng.fill(&mut random);
    format!("{prefix}{}", ulid(now_ms, random))
}
