//! Which key signs a log's checkpoint, and the trust file that says so to verifiers.

use std::fmt::Write as _;

use attestary_event::{EnvironmentId, EventId, TenantId};
use attestary_ledger::VerifierKey;
use attestary_store::{
    FixedHead,
    catalog::{Catalog, LogKeyRow},
};

use crate::{
    AccessError, Caller, ChangeError, ReadError, Scope, Service,
    audit::{Act, action},
    error::cause,
};

/// A new key epoch of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotatedKey {
    /// Counts from 0 with the log's first key.
    pub epoch: u32,
    /// The smallest tree that the new key signs.
    pub first_size: u64,
    /// The new key in the form of signed notes.
    pub verifier_key: String,
}

/// A key of a log and from which size on it signs.
pub(crate) struct LogKey {
    pub(crate) epoch: u32,
    pub(crate) first_size: u64,
    pub(crate) verifier: VerifierKey,
}

impl Service {
    /// Returns the log's trust file: what a verifier must know beforehand. With `anchor` it demands that heads are anchored;
    /// by default it does when there are witnesses.
    pub async fn trust_file(
        &self,
        caller: &Caller,
        tenant: Option<&str>,
        anchor: Option<bool>,
    ) -> Result<String, ReadError> {
        let tenant = self.readable(caller, tenant, "proofs.trust")?;
        let environment = caller.environment()?;
        self.record_tree_read(caller, &tenant, "proofs.trust").await?;
        let head = self.fixed_head(environment, &tenant).await?;
        let keys = self.log_keys(environment, &tenant, &head).await?;
        let anchor = match anchor.unwrap_or(self.settings().anchors.witnesses.is_some()) {
            true => Some(self.anchor_trust().map_err(ReadError::Unavailable)?),
            false => None,
        };
        Ok(trust_file(&head, &keys, anchor))
    }

    /// Returns the keys of a log, from the first on.
    pub(crate) async fn log_keys(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        head: &FixedHead,
    ) -> Result<Vec<LogKey>, ReadError> {
        let rows = self.key_rows(environment, tenant, head).await?;
        let later = rows.iter().filter_map(|row| Some((row.epoch, row.first_size?)));
        let keys = std::iter::once((0, 0)).chain(later).map(|(epoch, first_size)| {
            let signer = self.vault().log_signer(&head.origin, epoch);
            let signer = signer.map_err(|error| ReadError::Unavailable(cause(error)))?;
            Ok(LogKey { epoch, first_size, verifier: signer.verifier().clone() })
        });
        keys.collect()
    }

    /// Returns the epoch of the key that signs this head.
    pub(crate) async fn key_epoch(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        head: &FixedHead,
    ) -> Result<u32, ReadError> {
        let rows = self.key_rows(environment, tenant, head).await?;
        let begun = rows.iter().filter(|row| row.first_size.is_some_and(|size| size <= head.size));
        Ok(begun.map(|row| row.epoch).max().unwrap_or(0))
    }

    /// Returns the key epochs of a log after its first, all of them settled.
    async fn key_rows(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        head: &FixedHead,
    ) -> Result<Vec<LogKeyRow>, ReadError> {
        let rows = self.read_key_rows(head.slot).await?;
        if rows.iter().all(|row| row.first_size.is_some()) {
            return Ok(rows);
        }
        // A rotation is under way in this process, or was when an earlier one ended.
        let _turn = self.key_turn().acquire().await;
        self.settle_key_rows(environment, tenant, head.slot).await
    }

    async fn read_key_rows(&self, slot: u64) -> Result<Vec<LogKeyRow>, ReadError> {
        let rows = self.catalog(move |catalog| catalog.log_keys(slot)).await;
        rows.map_err(|error| ReadError::Unavailable(cause(error)))
    }

    /// Settles epochs whose rotation was cut short: the log says whether the event came into it. Needs the turn.
    async fn settle_key_rows(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        slot: u64,
    ) -> Result<Vec<LogKeyRow>, ReadError> {
        for row in self.read_key_rows(slot).await? {
            if row.first_size.is_some() {
                continue;
            }
            let found = self.store().event(environment, tenant, EventId(row.event)).await;
            let found = found.map_err(|error| ReadError::Unavailable(cause(error)))?;
            let first_size = found.map(|event| event.seq + 1);
            let settled = self
                .catalog(move |catalog| catalog.settle_log_key(row.slot, row.epoch, first_size));
            settled.await.map_err(|error| ReadError::Unavailable(cause(error)))?;
        }
        self.read_key_rows(slot).await
    }

    /// Begins a new key epoch of a log: the next checkpoint that covers the event about it is signed with the new key.
    pub async fn rotate_log_key(
        &self,
        caller: &Caller,
        tenant: &str,
    ) -> Result<RotatedKey, ChangeError> {
        self.permit(caller, Scope::Admin, "tenant.key.rotate")?;
        let tenant = self.visible(caller, tenant)?;
        let environment = caller.environment()?.clone();
        let log = self.store().log(&environment, &tenant).ok_or(AccessError::NotFound)?;
        // One rotation at a time: they are rare, and their epochs count up.
        let _turn = self.key_turn().acquire().await;
        let rows = self.settle_key_rows(&environment, &tenant, log.slot).await;
        let rows = rows.map_err(|error| ChangeError::Unavailable(cause(error)))?;
        let epoch = rows.last().map_or(1, |row| row.epoch + 1);
        let signer = self.vault().log_signer(&log.origin, epoch);
        let signer = signer.map_err(|error| ChangeError::Unavailable(cause(error)))?;
        let vkey = signer.verifier().to_string();
        let act = || {
            Act::new(action::KEY, "tenant.key.rotate")
                .on("tenant", tenant.as_str())
                .with("key_epoch", epoch)
                .with("verifier_key", vkey.as_str())
        };
        self.record(caller, act()).await.map_err(ChangeError::Audit)?;
        // Noted first: whoever finds the note without a size asks the log whether the event is there.
        let event = self.event_id(self.clock().now_ms());
        let row = LogKeyRow { slot: log.slot, epoch, event: event.0, first_size: None };
        let added = self.catalog(move |catalog| catalog.add_log_key(&row)).await;
        added.map_err(|error| ChangeError::Unavailable(cause(error)))?;
        let seq =
            self.record_in(caller, &tenant, event, act()).await.map_err(ChangeError::Audit)?;
        let settled =
            move |catalog: &Catalog| catalog.settle_log_key(row.slot, epoch, Some(seq + 1));
        let settled = self.catalog(settled).await;
        settled.map_err(|error| ChangeError::Unavailable(cause(error)))?;
        Ok(RotatedKey { epoch, first_size: seq + 1, verifier_key: vkey })
    }
}

fn trust_file(head: &FixedHead, keys: &[LogKey], anchor: Option<(String, String)>) -> String {
    let mut text =
        format!("#attestary trust v1\n#attestary tenant {} {}\n", head.origin, head.slot);
    for key in keys {
        let _ = writeln!(text, "log {}", key.verifier);
    }
    if keys.len() > 1 {
        for key in keys {
            let _ =
                writeln!(text, "#attestary key {} {} {}", key.verifier, key.epoch, key.first_size);
        }
    }
    let (log, quorum) = anchor.unwrap_or_else(|| (String::new(), "quorum none\n".to_owned()));
    text.push_str(&log);
    text.push_str(&quorum);
    text
}
