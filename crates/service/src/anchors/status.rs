//! What is known of epochs and anchors: for the API, metrics and the alarm.

use std::collections::{BTreeMap, HashSet};

use attestary_store::catalog::{AnchorRow, AnchorWith};

use crate::{
    Service,
    error::{Cause, cause},
};

/// How epochs and anchors are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorStatus {
    /// Name of the anchor log.
    pub origin: String,
    /// Its key in the form of signed notes.
    pub verifier_key: String,
    /// Number of epochs.
    pub epochs: u64,
    /// When the last one was made, in milliseconds since the epoch.
    pub last_ms: Option<u64>,
    /// Epochs under the newest checkpoint that counts as anchored.
    pub anchored: Option<u64>,
    /// The first of the epochs that no quorum saw, while there are such.
    pub unwitnessed_since: Option<u64>,
    /// Why the last epoch was not made.
    pub failed: Option<String>,
    /// The witnesses in the policy's order.
    pub witnesses: Vec<WitnessStatus>,
    /// Time and size of the last time-stamp.
    pub stamp: Option<(String, u64)>,
    /// Why the last stamp was not had.
    pub stamp_failed: Option<String>,
    /// Size of the checkpoint that was kept last.
    pub kept: Option<u64>,
    /// Why the last checkpoint was not kept.
    pub keep_failed: Option<String>,
}

/// How a witness is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WitnessStatus {
    /// Name in the policy.
    pub name: String,
    /// Epochs that it cosigned last.
    pub cosigned: Option<u64>,
    /// Why it did not cosign the last epoch.
    pub refused: Option<String>,
}

/// What the service keeps in mind.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) failed: Option<String>,
    /// Size of the newest checkpoint with a quorum.
    pub(super) anchored: Option<u64>,
    last_ms: Option<u64>,
    unwitnessed_since: Option<u64>,
    witnesses: BTreeMap<String, WitnessStatus>,
    /// The anchor log's keys, the first one first.
    pub(super) keys: Vec<super::keys::AnchorKey>,
    /// Witnesses whose other history was reported.
    pub(super) forked: HashSet<String>,
    pub(super) stamp: Option<(String, u64)>,
    pub(super) stamp_failed: Option<String>,
    /// When a stamp was tried last, on the monotonic clock.
    pub(super) stamped_at: Option<std::time::Duration>,
    pub(super) kept: Option<u64>,
    pub(super) keep_failed: Option<String>,
    pub(super) kept_at: Option<std::time::Duration>,
}

impl Known {
    pub(super) fn made(&mut self, row: &AnchorRow, unix_ms: u64) {
        self.last_ms = Some(unix_ms);
        if row.quorum {
            self.anchored = Some(row.size);
        }
    }

    pub(super) fn asked(&mut self, name: &str, cosigned: Option<u64>, refused: Option<String>) {
        let status = self.witnesses.entry(name.to_owned()).or_default();
        status.cosigned = cosigned.or(status.cosigned);
        status.refused = refused;
        if cosigned.is_some() {
            self.forked.remove(name);
        }
    }

    /// Notes whether a quorum saw an epoch. Returns the first unwitnessed epoch when that begins or ends.
    pub(super) fn witnessed(&mut self, quorum: bool, epoch: u64) -> Option<u64> {
        match (quorum, self.unwitnessed_since) {
            (true, Some(_)) => self.unwitnessed_since.take(),
            (false, None) => {
                self.unwitnessed_since = Some(epoch);
                Some(epoch)
            }
            _ => None,
        }
    }
}

impl Service {
    /// Takes up what earlier processes knew.
    pub(super) async fn restore_anchors(&self) -> Result<(), Cause> {
        let read = |catalog: &attestary_store::Catalog| {
            Ok::<_, attestary_store::catalog::CatalogError>((
                catalog.newest_anchor(AnchorWith::Quorum)?,
                catalog.newest_anchor(AnchorWith::Nothing)?,
            ))
        };
        let (anchored, newest) = self.catalog(read).await.map_err(cause)?;
        let mut known = self.anchors().known.lock();
        known.anchored = anchored.map(|row| row.size);
        known.last_ms = self.store().last_epoch().map(|epoch| epoch.record.unix_ms);
        // An alarm that was raised before goes on; its end is told once.
        let open = newest.filter(|row| !row.quorum && self.settings().anchors.witnesses.is_some());
        known.unwitnessed_since = open.map(|_| known.anchored.unwrap_or(0));
        Ok(())
    }

    /// Returns how epochs and anchors are; `None` when no epochs are made and there are none.
    pub fn anchor_status(&self) -> Option<AnchorStatus> {
        let settings = &self.settings().anchors;
        let epochs = self.store().epochs();
        if settings.epoch_every.is_none() && epochs == 0 {
            return None;
        }
        // The keys are known under the same lock.
        let verifier_key = self.anchor_key()?;
        let known = self.anchors().known.lock();
        let policy = settings.witnesses.as_ref();
        let witnesses = policy.map_or(&[][..], |policy| &policy.witnesses).iter().map(|witness| {
            let status = known.witnesses.get(&witness.name).cloned().unwrap_or_default();
            WitnessStatus { name: witness.name.clone(), ..status }
        });
        Some(AnchorStatus {
            origin: self.store().anchor_origin(),
            verifier_key,
            epochs,
            last_ms: known.last_ms,
            anchored: known.anchored,
            unwitnessed_since: known.unwitnessed_since,
            failed: known.failed.clone(),
            witnesses: witnesses.collect(),
            stamp: known.stamp.clone(),
            stamp_failed: known.stamp_failed.clone(),
            kept: known.kept,
            keep_failed: known.keep_failed.clone(),
        })
    }
}
