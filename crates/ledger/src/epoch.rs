//! Epochs: one tree over the heads of all tenants, and the record of its root that stands in the anchor log.
//!
//! Leaf `k` of the epoch tree belongs to slot `k`, which one tenant's log holds for ever: the same head at another slot has
//! another leaf. A slot that nobody holds yet has a leaf of its own, so every slot is filled in every epoch. Record `n` is
//! leaf `n` of the anchor log: epochs count from 0 and none is left out.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::{Hash, InclusionProof, MemoryTree, NodeSource as _, leaf_hash, policy::Accepted, text};

/// First line of an epoch record; frozen.
const MAGIC: &str = "attestary/epoch/v1";

/// Longest record in bytes: the magic, three decimals of 20 digits, a root, five newlines.
pub const RECORD_BYTES_MAX: usize = MAGIC.len() + 3 * 20 + 44 + 5;

/// How long before its epoch a cosignature may be dated: clocks that differ by five minutes are reported elsewhere.
pub const COSIGNED_EARLY_S_MAX: u64 = 300;

/// How long after its epoch a cosignature may be dated: the longest interval between two epochs.
pub const COSIGNED_LATE_S_MAX: u64 = 3_600;

/// Returns the leaf of a held slot: RFC 6962 leaf of `"AEH1" ‖ u64 slot ‖ SHA-256(checkpoint note text)`.
pub fn head_leaf(slot: u64, checkpoint: &str) -> Hash {
    let digest: Hash = Sha256::digest(checkpoint.as_bytes()).into();
    leaf_hash(&[b"AEH1".as_slice(), &slot.to_be_bytes(), &digest].concat())
}

/// Returns the leaf of a slot that was never held: RFC 6962 leaf of `"AEH0" ‖ u64 slot`.
pub fn vacant_leaf(slot: u64) -> Hash {
    leaf_hash(&[b"AEH0".as_slice(), &slot.to_be_bytes()].concat())
}

/// The tree over all slots; it keeps its nodes, so that a changed head costs one hash for each level.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EpochTree {
    tree: MemoryTree,
}

impl EpochTree {
    /// Returns the number of slots.
    pub fn slots(&self) -> u64 {
        self.tree.size()
    }

    /// Sets the head of a slot, by the note text of its checkpoint. Slots up to it come into being, vacant.
    pub fn set_head(&mut self, slot: u64, checkpoint: &str) {
        while self.slots() <= slot {
            self.tree.append(vacant_leaf(self.slots()));
        }
        self.tree.replace(slot, head_leaf(slot, checkpoint));
    }

    /// Sets the leaves of many held slots ([`head_leaf`]), in the order of slots, each named once. Slots up to the last one
    /// come into being, vacant. Every node above them is hashed once.
    pub fn set_leaves(&mut self, leaves: &[(u64, Hash)]) {
        let Some((last, _)) = leaves.last() else { return };
        while self.slots() <= *last {
            self.tree.append(vacant_leaf(self.slots()));
        }
        self.tree.replace_all(leaves);
    }

    /// Returns the leaf of a slot; `None` when there is no such slot.
    pub fn leaf(&self, slot: u64) -> Option<Hash> {
        let mut leaf = [[0; 32]];
        let Ok(()) = (slot < self.slots()).then(|| self.tree.read(0, slot, &mut leaf))?;
        Some(leaf[0])
    }

    /// Returns the record of an epoch with this tree.
    pub fn record(&self, epoch: u64, unix_ms: u64) -> EpochRecord {
        EpochRecord { epoch, unix_ms, slots: self.slots(), root: self.tree.root() }
    }

    /// Returns the proof of a slot; `None` when there is no such slot.
    pub fn prove(&self, slot: u64) -> Option<InclusionProof> {
        InclusionProof::generate(&self.tree, slot, self.slots()).ok()
    }
}

/// One entry of the anchor log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochRecord {
    /// Number of the epoch and index of the record, from 0.
    pub epoch: u64,
    /// Wall clock in milliseconds since 1970.
    pub unix_ms: u64,
    /// Number of slots, vacant ones included.
    pub slots: u64,
    /// Root of the epoch tree.
    pub root: Hash,
}

impl EpochRecord {
    /// Parses a record; it has one form.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > RECORD_BYTES_MAX {
            return None;
        }
        let mut lines = str::from_utf8(bytes).ok()?.strip_suffix('\n')?.split('\n');
        if lines.next()? != MAGIC {
            return None;
        }
        let epoch = lines.next().and_then(text::decimal)?;
        let unix_ms = lines.next().and_then(text::decimal)?;
        let slots = lines.next().and_then(text::decimal)?;
        let root = lines.next().and_then(text::hash)?;
        lines.next().is_none().then_some(Self { epoch, unix_ms, slots, root })
    }

    /// Returns the leaf hash in the anchor log.
    pub fn leaf_hash(&self) -> Hash {
        leaf_hash(self.to_string().as_bytes())
    }

    /// Says whether the cosignatures of an anchor checkpoint are dated as they can be.
    ///
    /// No witness saw the record before it was made. A checkpoint that ends with the record must also be cosigned soon; a
    /// later one may be cosigned at any later time.
    pub fn cosigned_in_time(&self, accepted: &Accepted) -> bool {
        let made_s = self.unix_ms / 1_000;
        let newest = accepted.checkpoint.size == self.epoch.saturating_add(1);
        accepted.cosignatures.iter().all(|cosignature| {
            let early = cosignature.time_s.saturating_add(COSIGNED_EARLY_S_MAX) < made_s;
            let late = cosignature.time_s > made_s.saturating_add(COSIGNED_LATE_S_MAX);
            !(early || newest && late)
        })
    }
}

/// The text that is hashed.
impl fmt::Display for EpochRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epoch, unix_ms, slots, root } = self;
        write!(f, "{MAGIC}\n{epoch}\n{unix_ms}\n{slots}\n{}\n", text::base64(root))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Checkpoint, policy::Cosignature};

    #[test]
    fn slots_keep_their_place() {
        let mut tree = EpochTree::default();
        tree.set_head(3, "three\n");
        tree.set_head(1, "one\n");
        let leaves =
            [vacant_leaf(0), head_leaf(1, "one\n"), vacant_leaf(2), head_leaf(3, "three\n")];
        assert_eq!(tree.tree, leaves.into_iter().collect());
        let (record, proof) = (tree.record(0, 1), tree.prove(1).unwrap());
        assert_eq!(proof.verify(&leaves[1], &record.root), Ok(()));
        assert!(proof.verify(&head_leaf(2, "one\n"), &record.root).is_err());
        assert_eq!(tree.prove(4), None);
        tree.set_head(1, "one again\n");
        assert_ne!(tree.record(1, 2).root, record.root);
    }

    #[test]
    fn many_leaves_at_once_give_the_tree_of_one_after_the_other() {
        for slots in 1..40_u64 {
            let (mut one, mut many) = (EpochTree::default(), EpochTree::default());
            for round in 0..6_u64 {
                let changed = (0..slots).filter(|slot| (slot * 7 + round) % 5 < 2);
                let leaves: Vec<(u64, Hash)> =
                    changed.map(|slot| (slot, head_leaf(slot, &format!("{round}\n")))).collect();
                many.set_leaves(&leaves);
                leaves.iter().for_each(|(slot, _)| one.set_head(*slot, &format!("{round}\n")));
                assert_eq!(one, many, "{slots} slots, round {round}");
            }
        }
    }

    #[test]
    fn records_have_one_form() {
        let longest =
            EpochRecord { epoch: u64::MAX, unix_ms: u64::MAX, slots: u64::MAX, root: [255; 32] };
        let text = longest.to_string();
        assert_eq!(text.len(), RECORD_BYTES_MAX);
        assert_eq!(EpochRecord::parse(text.as_bytes()), Some(longest));
        let max = u64::MAX.to_string();
        for other in [
            String::new(),
            text.replace("/v1", "/v2"),
            text.replacen(&max, "01", 1),
            text.replacen(&max, "", 1),
            text.replacen(&max, &format!("{max}0"), 1),
            text[..text.len() - 1].to_owned(),
            format!("{}x\n", text.replacen(&max, "1", 2)),
            text.replacen('\n', "\r\n", 1),
        ] {
            assert_eq!(EpochRecord::parse(other.as_bytes()), None, "{other:?}");
        }
    }

    #[track_caller]
    fn check(size: u64, time_s: u64, expected: bool) {
        let record = EpochRecord { epoch: 7, unix_ms: 1_000_999, slots: 1, root: [0; 32] };
        let cosignatures = vec![Cosignature { witness: 0, time_s }];
        let checkpoint = Checkpoint::new("anchor", size, [0; 32]);
        let accepted = Accepted { checkpoint, logs: vec![0], cosignatures };
        assert_eq!(record.cosigned_in_time(&accepted), expected, "{size} {time_s}");
    }

    #[test]
    fn cosignatures_are_dated_as_they_can_be() {
        check(8, 1_000, true);
        check(8, 699, false);
        check(8, 700, true);
        check(8, 4_600, true);
        check(8, 4_601, false);
        check(9, 4_601, true);
        check(9, u64::MAX, true);
        check(9, 699, false);
    }
}
