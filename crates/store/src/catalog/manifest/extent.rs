//! Where one tenant's rows are in a segment, and the packed form that the catalog keeps.
//!
//! A segment of many tenants has many extents. They are read together and never queried by SQL, so they are one blob
//! of 64-byte little-endian records per segment instead of rows.

/// Consecutive rows of one tenant in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The tenant's log.
    pub slot: u64,
    /// Index of the first row.
    pub row_start: u32,
    /// Number of rows.
    pub rows: u32,
    /// Lowest seq.
    pub seq_first: u64,
    /// Highest seq.
    pub seq_last: u64,
    /// Earliest `occurred_at` in milliseconds.
    pub occurred_min_ms: i64,
    /// Latest `occurred_at` in milliseconds.
    pub occurred_max_ms: i64,
    /// Earliest `received_at` in milliseconds.
    pub received_min_ms: u64,
    /// Latest `received_at` in milliseconds.
    pub received_max_ms: u64,
}

impl Extent {
    /// Returns true when no seq between first and last is missing, so that seq and row are a subtraction apart.
    pub fn is_dense(&self) -> bool {
        self.seq_last - self.seq_first + 1 == u64::from(self.rows)
    }

    /// Takes in the rows of `next`, which follow its own: of the same log, with higher seqs.
    pub(crate) fn join(&mut self, next: &Self) {
        self.rows += next.rows;
        self.seq_last = next.seq_last;
        self.occurred_min_ms = self.occurred_min_ms.min(next.occurred_min_ms);
        self.occurred_max_ms = self.occurred_max_ms.max(next.occurred_max_ms);
        self.received_min_ms = self.received_min_ms.min(next.received_min_ms);
        self.received_max_ms = self.received_max_ms.max(next.received_max_ms);
    }
}

const EXTENT_BYTES: usize = 64;

pub(super) fn encode(extents: &[Extent]) -> Vec<u8> {
    let mut out = Vec::with_capacity(extents.len() * EXTENT_BYTES);
    for extent in extents {
        out.extend_from_slice(&extent.slot.to_le_bytes());
        out.extend_from_slice(&extent.row_start.to_le_bytes());
        out.extend_from_slice(&extent.rows.to_le_bytes());
        out.extend_from_slice(&extent.seq_first.to_le_bytes());
        out.extend_from_slice(&extent.seq_last.to_le_bytes());
        out.extend_from_slice(&extent.occurred_min_ms.to_le_bytes());
        out.extend_from_slice(&extent.occurred_max_ms.to_le_bytes());
        out.extend_from_slice(&extent.received_min_ms.to_le_bytes());
        out.extend_from_slice(&extent.received_max_ms.to_le_bytes());
    }
    out
}

/// Returns the extents of a segment of `events` rows.
///
/// `None` when the bytes are not whole records, sorted by slot and row without overlaps, each with rows that the segment has
/// and ordered seqs.
pub(super) fn decode(bytes: &[u8], events: u64) -> Option<Vec<Extent>> {
    let (records, rest) = bytes.as_chunks::<EXTENT_BYTES>();
    let extents: Vec<Extent> = records.iter().map(decode_one).collect();
    let end = |extent: &Extent| u64::from(extent.row_start) + u64::from(extent.rows);
    let sorted =
        extents.array_windows().all(|[a, b]| a.slot < b.slot && end(a) <= u64::from(b.row_start));
    let sound = extents.iter().all(|extent| {
        let rows = u64::from(extent.rows);
        rows > 0
            && end(extent) <= events.min(u64::from(u32::MAX))
            && extent.seq_last.checked_sub(extent.seq_first).is_some_and(|more| more >= rows - 1)
    });
    (rest.is_empty() && sorted && sound).then_some(extents)
}

fn decode_one(record: &[u8; EXTENT_BYTES]) -> Extent {
    let word = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&record[at * 8..at * 8 + 8]);
        u64::from_le_bytes(bytes)
    };
    Extent {
        slot: word(0),
        row_start: (word(1) & u64::from(u32::MAX)) as u32,
        rows: (word(1) >> 32) as u32,
        seq_first: word(2),
        seq_last: word(3),
        occurred_min_ms: word(4).cast_signed(),
        occurred_max_ms: word(5).cast_signed(),
        received_min_ms: word(6),
        received_max_ms: word(7),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: [Extent; 2] = [extent(3, 0, 45, 44), extent(9, 45, 20, 30)];

    const fn extent(slot: u64, row_start: u32, rows: u32, seq_last: u64) -> Extent {
        Extent {
            slot,
            row_start,
            rows,
            seq_first: 0,
            seq_last,
            occurred_min_ms: 1,
            occurred_max_ms: 2,
            received_min_ms: 3,
            received_max_ms: 4,
        }
    }

    #[track_caller]
    fn check(change: impl Fn(&mut [Extent; 2]), events: u64, expected: bool) {
        let mut extents = TWO;
        change(&mut extents);
        let decoded = decode(&encode(&extents), events);
        assert_eq!(decoded, expected.then(|| extents.to_vec()));
    }

    #[test]
    fn extents_that_the_segment_cannot_have_are_damage() {
        check(|_| {}, 65, true);
        check(|_| {}, 64, false);
        check(|extents| extents[1].row_start = 44, 65, false);
        check(|extents| extents[1].row_start = u32::MAX, u64::MAX, false);
        check(|extents| extents[1].slot = 3, 65, false);
        check(|extents| extents[0].rows = 0, 65, false);
        check(|extents| extents[0].seq_last = 43, 65, false);
        check(|extents| extents[1].seq_first = 31, 65, false);
        assert_eq!(decode(&encode(&TWO)[1..], 65), None);
    }
}
