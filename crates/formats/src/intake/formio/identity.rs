//! Ids for lines that have none: the same lines of the same import always get the same ids.

use std::{collections::HashMap, mem};

use attestary_event::EventId;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// Lines of one generation. Equal lines differ in nothing but their order, so they share the millisecond and
/// the request; a request that reads tens of thousands of records lies within two generations. 65,536 entries
/// take about 2 MiB.
const GENERATION_LINES_MAX: usize = 65_536;

/// Separates these ids from everything else that may be derived from the same key.
const DOMAIN: &[u8] = b"attestary formio event id v1\0";

/// Counts equal lines among the recent ones, in two generations: when the newer is full, the older goes.
#[derive(Debug, Default)]
pub(super) struct Occurrences {
    newer: HashMap<[u8; 16], u32>,
    older: HashMap<[u8; 16], u32>,
}

impl Occurrences {
    /// Returns how often the same bytes were counted before.
    pub(super) fn count(&mut self, raw: &[u8]) -> u32 {
        let digest = Sha256::digest(raw);
        let key: [u8; 16] = std::array::from_fn(|index| digest[index]);
        let before = self.newer.get(&key).or_else(|| self.older.get(&key)).copied().unwrap_or(0);
        if self.newer.len() >= GENERATION_LINES_MAX {
            self.older = mem::take(&mut self.newer);
        }
        self.newer.insert(key, before.saturating_add(1));
        before
    }
}

/// Returns a version 8 UUID (RFC 9562, 5.8): HMAC-SHA-256 over the tenant's length and bytes, the occurrence
/// and the line.
pub(super) fn event_id(key: &[u8; 32], tenant: &str, raw: &[u8], occurrence: u32) -> EventId {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(DOMAIN);
    mac.update(&(tenant.len() as u64).to_le_bytes());
    mac.update(tenant.as_bytes());
    mac.update(&occurrence.to_le_bytes());
    mac.update(raw);
    let hash = mac.finalize().into_bytes();
    let mut id: [u8; 16] = std::array::from_fn(|index| hash[index]);
    id[6] = id[6] & 0x0f | 0x80;
    id[8] = id[8] & 0x3f | 0x80;
    EventId(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_depend_on_key_tenant_line_and_occurrence() {
        let id = |key: u8, tenant: &str, raw: &str, occurrence| {
            event_id(&[key; 32], tenant, raw.as_bytes(), occurrence)
        };
        let first = id(1, "t", "line", 0);
        assert_eq!(first, id(1, "t", "line", 0));
        for other in [
            id(2, "t", "line", 0),
            id(1, "u", "line", 0),
            id(1, "tl", "ine", 0),
            id(1, "t", "line", 1),
        ] {
            assert_ne!(first, other);
        }
        assert_eq!(first.to_string().as_bytes()[14], b'8', "version 8");
        assert!(
            matches!(first.to_string().as_bytes()[19], b'8' | b'9' | b'a' | b'b'),
            "RFC variant"
        );
    }

    #[test]
    fn equal_lines_are_numbered_across_one_generation() {
        let mut occurrences = Occurrences::default();
        assert_eq!(occurrences.count(b"a"), 0);
        assert_eq!(occurrences.count(b"a"), 1);
        for line in 0..GENERATION_LINES_MAX as u32 {
            assert_eq!(occurrences.count(&line.to_le_bytes()), 0);
        }
        assert_eq!(occurrences.count(b"a"), 2, "still known from the older generation");
        assert!(occurrences.newer.len() + occurrences.older.len() <= 2 * GENERATION_LINES_MAX);
    }
}
