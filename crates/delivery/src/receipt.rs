//! The contiguity receipt: what became of every event of a stretch of the log.
//!
//! A receipt speaks for the seqs from `from_seq` up to, not including, `next_seq`. Each of them was confirmed by the
//! destination, excluded by the filter, set aside with a record, or removed by retention before it was delivered;
//! the four counts add up to the length of the stretch. The root is the root of an RFC 6962 tree over the leaf hashes
//! of the confirmed events in log order. Whoever received them computes the same root from the `leaf_hash` of
//! each event, and for a destination that got everything from seq 0 on it is the root of the log itself at that size,
//! the one in the tenant's checkpoint.
//!
//! A receipt begins anew when the filter or the receiver is changed.

use std::collections::BTreeMap;

use attestary_event::event::hex;
use attestary_ledger::{Frontier, Hash};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::batch::Batch;

/// What became of a stretch of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// First seq it speaks for.
    pub from_seq: u64,
    /// The seq after the last one it speaks for.
    pub next_seq: u64,
    /// Events that the filter excluded.
    pub excluded: u64,
    /// Events that were set aside.
    pub quarantined: u64,
    /// Events that retention removed first.
    pub lost_to_retention: u64,
    /// Events behind `next_seq` that are done with already, because a batch was partly taken: confirmed ones with
    /// their leaf hash.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    ahead: BTreeMap<u64, Option<Leaf>>,
    /// The tree over the confirmed events; its size is their number.
    #[serde(serialize_with = "write_tree", deserialize_with = "read_tree")]
    tree: Frontier,
}

impl Receipt {
    /// Returns the receipt of nothing, at a seq.
    pub fn new(from_seq: u64) -> Self {
        Self {
            from_seq,
            next_seq: from_seq,
            excluded: 0,
            quarantined: 0,
            lost_to_retention: 0,
            ahead: BTreeMap::new(),
            tree: Frontier::default(),
        }
    }

    /// Returns the number of confirmed events.
    pub fn delivered(&self) -> u64 {
        self.tree.size()
    }

    /// Returns the root over the leaf hashes of the confirmed events.
    pub fn root(&self) -> Hash {
        self.tree.root()
    }

    /// Returns true when every event of the stretch was confirmed.
    pub fn is_whole(&self) -> bool {
        self.excluded == 0 && self.quarantined == 0 && self.lost_to_retention == 0
    }

    /// A batch was confirmed. Events that it speaks for already, sent again after a broken stream, count once.
    pub(crate) fn confirm(&mut self, batch: &Batch) {
        self.settle(batch, batch.next_seq, |_| Some(true));
    }

    /// The events of a batch were set aside; the others of its stretch are excluded.
    pub(crate) fn set_aside(&mut self, batch: &Batch) {
        self.settle(batch, batch.next_seq, |_| Some(false));
    }

    /// Accounts for everything before `next_seq`, and remembers which later events of the batch are done with.
    ///
    /// `outcome` tells by the place in the batch: confirmed, set aside, or `None` for open.
    pub(crate) fn settle(
        &mut self,
        batch: &Batch,
        next_seq: u64,
        outcome: impl Fn(usize) -> Option<bool>,
    ) {
        for (index, record) in batch.records.iter().enumerate() {
            if record.seq < self.next_seq {
                continue;
            }
            if let Some(confirmed) = outcome(index) {
                self.ahead.insert(record.seq, confirmed.then_some(Leaf(record.leaf_hash)));
            }
        }
        let (length, done) = self.pass(next_seq);
        self.excluded += length - done;
        self.check();
    }

    /// Retention removed what lies before `first_retained`.
    pub(crate) fn lose(&mut self, first_retained: u64) {
        let (length, done) = self.pass(first_retained);
        self.lost_to_retention += length - done;
        self.check();
    }

    /// Moves on to `next_seq`. Returns the length of the stretch and how many of its events were done with.
    fn pass(&mut self, next_seq: u64) -> (u64, u64) {
        let length = next_seq.saturating_sub(self.next_seq);
        self.next_seq = self.next_seq.max(next_seq);
        let later = self.ahead.split_off(&self.next_seq);
        let done = std::mem::replace(&mut self.ahead, later);
        for leaf in done.values() {
            match leaf {
                Some(leaf) => {
                    self.tree.append(leaf.0);
                }
                None => self.quarantined += 1,
            }
        }
        (length, done.len() as u64)
    }

    fn check(&self) {
        let sum = self.delivered() + self.excluded + self.quarantined + self.lost_to_retention;
        debug_assert_eq!(sum, self.next_seq - self.from_seq, "every seq is accounted for once");
    }
}

fn parse_hex(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).ok()?;
    }
    Some(hash)
}

/// A leaf hash, stored in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Leaf(Hash);

impl TryFrom<String> for Leaf {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        parse_hex(&text).map(Self).ok_or("not a hash in hexadecimal")
    }
}

impl From<Leaf> for String {
    fn from(leaf: Leaf) -> Self {
        hex(&leaf.0)
    }
}

/// The stored form of the tree: its size and the roots of its perfect subtrees.
#[derive(Serialize, Deserialize)]
struct Stored {
    size: u64,
    peaks: Vec<String>,
}

fn write_tree<S: Serializer>(tree: &Frontier, serializer: S) -> Result<S::Ok, S::Error> {
    let peaks = tree.peaks().iter().map(|peak| hex(peak)).collect();
    Stored { size: tree.size(), peaks }.serialize(serializer)
}

fn read_tree<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Frontier, D::Error> {
    let stored = Stored::deserialize(deserializer)?;
    let peaks: Option<Vec<Hash>> = stored.peaks.iter().map(|text| parse_hex(text)).collect();
    peaks
        .and_then(|peaks| Frontier::restore(stored.size, peaks))
        .ok_or_else(|| D::Error::custom("the tree of a receipt does not fit its size"))
}

#[cfg(test)]
mod tests {
    use attestary_event::{EventId, Timestamp};

    use super::*;
    use crate::batch::{Kind, Record};

    fn batch(from_seq: u64, next_seq: u64, seqs: &[u64]) -> Batch {
        let records = seqs.iter().map(|seq| Record {
            seq: *seq,
            id: EventId([0; 16]),
            received_at: Timestamp(0),
            leaf_hash: [*seq as u8; 32],
            bytes: 0..0,
        });
        Batch {
            from_seq,
            next_seq,
            records: records.collect(),
            bytes: Vec::new(),
            kind: Kind::Events,
        }
    }

    fn root(seqs: &[u8]) -> Hash {
        let mut tree = Frontier::default();
        for seq in seqs {
            tree.append([*seq; 32]);
        }
        tree.root()
    }

    #[test]
    fn every_seq_is_accounted_for_once() {
        let mut receipt = Receipt::new(3);
        receipt.confirm(&batch(3, 8, &[3, 5, 6]));
        assert_eq!((receipt.next_seq, receipt.delivered(), receipt.excluded), (8, 3, 2));
        // A stream broke and the end was sent again, with two more.
        receipt.confirm(&batch(5, 10, &[5, 6, 8, 9]));
        assert_eq!((receipt.next_seq, receipt.delivered(), receipt.excluded), (10, 5, 2));
        receipt.set_aside(&batch(10, 11, &[10]));
        receipt.lose(15);
        receipt.lose(12);
        receipt.confirm(&batch(15, 20, &[]));
        assert_eq!((receipt.quarantined, receipt.lost_to_retention, receipt.excluded), (1, 4, 7));
        assert_eq!(receipt.root(), root(&[3, 5, 6, 8, 9]));
        assert!(!receipt.is_whole());
    }

    #[test]
    fn a_batch_that_was_partly_taken_is_accounted_for_in_log_order() {
        let mut receipt = Receipt::new(0);
        // 0 confirmed, 1 open, 2 set aside, 4 confirmed; 3 is excluded.
        let first = batch(0, 5, &[0, 1, 2, 4]);
        receipt.settle(&first, 1, |index| [Some(true), None, Some(false), Some(true)][index]);
        assert_eq!((receipt.next_seq, receipt.delivered(), receipt.quarantined), (1, 1, 0));
        let stored = serde_json::to_string(&receipt).unwrap();
        let mut receipt: Receipt = serde_json::from_str(&stored).unwrap();
        receipt.confirm(&batch(1, 6, &[1, 5]));
        assert_eq!((receipt.next_seq, receipt.quarantined, receipt.excluded), (6, 1, 1));
        assert_eq!(receipt.root(), root(&[0, 1, 4, 5]));
        // Retention overtakes an open event; what was confirmed behind it stays confirmed.
        receipt.settle(&batch(6, 9, &[6, 7, 8]), 6, |index| (index > 0).then_some(true));
        receipt.lose(10);
        assert_eq!((receipt.lost_to_retention, receipt.delivered()), (2, 6));
        assert_eq!(receipt.root(), root(&[0, 1, 4, 5, 7, 8]));
    }

    #[test]
    fn a_receipt_survives_storage() {
        let mut receipt = Receipt::new(0);
        receipt.confirm(&batch(0, 7, &[0, 1, 2, 3, 4, 5, 6]));
        let stored = serde_json::to_string(&receipt).unwrap();
        assert_eq!(serde_json::from_str::<Receipt>(&stored).unwrap(), receipt);
        assert!(receipt.is_whole() && receipt.root() == root(&[0, 1, 2, 3, 4, 5, 6]));
        let damaged = stored.replace("\"size\":7", "\"size\":6");
        assert!(serde_json::from_str::<Receipt>(&damaged).is_err());
    }
}
