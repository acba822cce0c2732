//! The anchor log's keys: a key epoch is a range of sizes of the anchor log, as for any log.
//!
//! The anchor log holds epoch records and nothing else, so the rotation stands in the audit log of the installation. A
//! witness must know the new key before the next epoch: give it both.

use std::fmt::Write as _;

use attestary_ledger::{NoteSigner, Policy};
use attestary_store::catalog::LogKeyRow;

use crate::{
    Caller, ChangeError, RotatedKey, Scope, Service, WitnessPolicy,
    audit::{Act, action},
    error::{Cause, cause},
    keys::change_error,
};

/// The anchor log's place among the keys of logs; no tenant's log gets there.
const SLOT: u64 = u64::MAX;

/// From which size on a key of the anchor log signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AnchorKey {
    epoch: u32,
    first_size: u64,
}

const FIRST: AnchorKey = AnchorKey { epoch: 0, first_size: 0 };

impl Service {
    /// Reads the key epochs.
    pub(super) async fn restore_anchor_keys(&self) -> Result<(), Cause> {
        let rows = self.catalog(|catalog| catalog.log_keys(SLOT)).await.map_err(cause)?;
        let later = rows
            .iter()
            .filter_map(|row| Some(AnchorKey { epoch: row.epoch, first_size: row.first_size? }));
        self.anchors().known.lock().keys = std::iter::once(FIRST).chain(later).collect();
        Ok(())
    }

    /// Begins a new key epoch of the anchor log: the next epoch's checkpoint is signed with the new key.
    pub async fn rotate_anchor_key(&self, caller: &Caller) -> Result<RotatedKey, ChangeError> {
        self.permit(caller, Scope::Operator, "anchor.key.rotate")?;
        // No epoch is made meanwhile.
        let _turn = self.anchors().turn.acquire().await;
        let last = self.anchor_keys().last().copied().unwrap_or(FIRST);
        let key = AnchorKey {
            epoch: last.epoch + 1,
            first_size: (self.store().epochs() + 1).max(last.first_size + 1),
        };
        let signer = self.signer_of(key).map_err(ChangeError::Unavailable)?;
        let verifier_key = signer.verifier().to_string();
        let act = Act::new(action::KEY, "anchor.key.rotate")
            .with("key_epoch", key.epoch)
            .with("first_size", key.first_size)
            .with("verifier_key", verifier_key.as_str());
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        let event = self.event_id(self.clock().now_ms()).0;
        let first_size = Some(key.first_size);
        let row = LogKeyRow { slot: SLOT, epoch: key.epoch, event, first_size };
        self.catalog(move |catalog| catalog.add_log_key(&row)).await.map_err(change_error)?;
        self.anchors().known.lock().keys.push(key);
        Ok(RotatedKey { epoch: key.epoch, first_size: key.first_size, verifier_key })
    }

    fn anchor_keys(&self) -> Vec<AnchorKey> {
        let known = self.anchors().known.lock();
        if known.keys.is_empty() { vec![FIRST] } else { known.keys.clone() }
    }

    fn signer_of(&self, key: AnchorKey) -> Result<NoteSigner, Cause> {
        self.vault().log_signer(&self.store().anchor_origin(), key.epoch).map_err(cause)
    }

    /// Returns the key for a checkpoint of so many epochs.
    pub(super) fn anchor_signer(&self, size: u64) -> Result<NoteSigner, Cause> {
        let keys = self.anchor_keys();
        let begun = keys.iter().rev().find(|key| key.first_size <= size);
        self.signer_of(begun.copied().unwrap_or(FIRST))
    }

    /// Returns the key that signs the anchor log's next checkpoint, in the form of signed notes.
    pub fn anchor_key(&self) -> Option<String> {
        let signer = self.anchor_signer(self.store().epochs() + 1);
        signer.ok().map(|signer| signer.verifier().to_string())
    }

    /// Returns what is asked of anchor checkpoints: one of the log's own keys, and the witnesses with their quorum.
    pub(super) fn anchor_policy(&self) -> Option<Policy> {
        let (_, lines) = self.anchor_trust().ok()?;
        let mut text = String::new();
        for key in self.anchor_keys() {
            let _ = writeln!(text, "log {}", self.signer_of(key).ok()?.verifier());
        }
        Policy::parse((text + &lines).as_bytes()).ok()
    }

    /// Returns the lines that a trust file of a tenant's log gets, so that it demands the anchor.
    pub(crate) fn anchor_trust(&self) -> Result<(String, String), Cause> {
        let mut text = format!("#attestary anchor {}\n", self.store().anchor_origin());
        let keys = self.anchor_keys();
        for key in &keys {
            let vkey = self.signer_of(*key)?.verifier().to_string();
            let _ = writeln!(text, "log {vkey}");
            if keys.len() > 1 {
                let _ = writeln!(text, "#attestary key {vkey} {} {}", key.epoch, key.first_size);
            }
        }
        let witnesses = &self.settings().anchors.witnesses;
        let lines = witnesses.as_ref().map_or("quorum none\n", WitnessPolicy::lines);
        Ok((text, lines.to_owned()))
    }
}
