//! Slot proofs: where a tenant's head stood in an epoch, under an anchor checkpoint.

use attestary_event::{EnvironmentId, TenantId, Violation};
use attestary_ledger::{Checkpoint, Hash, Note, ProofFile, SlotProof};
use attestary_store::catalog::{AnchorRow, AnchorWith};
use attestary_verify::Growth;

use crate::{AccessError, Caller, ReadError, Service, error::cause, proofs::prove_error};

/// A tenant's head in an epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchored {
    /// The proof with the anchor checkpoint that it leads to.
    pub proof: SlotProof,
    /// Name of the tenant's log.
    pub origin: String,
    /// Events under the head that stood at the slot.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
}

impl Service {
    /// Returns the slot proof of the newest anchored epoch, or of one that was kept.
    pub async fn slot_proof(
        &self,
        caller: &Caller,
        tenant: Option<&str>,
        epoch: Option<u64>,
    ) -> Result<SlotProof, ReadError> {
        let tenant = self.readable(caller, tenant, "proofs.slot")?;
        self.record_tree_read(caller, &tenant, "proofs.slot").await?;
        let environment = caller.environment()?;
        let mut found = self.anchored(environment, &tenant, epoch).await?;
        if found.is_none() && epoch.is_none() {
            self.anchor_soon().await;
            found = self.anchored(environment, &tenant, None).await?;
        }
        Ok(found.ok_or(AccessError::NotFound)?.proof)
    }

    /// Returns how the log grew from the head that stood in an epoch up to `size`, or to the newest checkpoint.
    pub async fn anchored_growth(
        &self,
        caller: &Caller,
        tenant: Option<&str>,
        epoch: Option<u64>,
        size: Option<u64>,
    ) -> Result<Growth, ReadError> {
        let tenant = self.readable(caller, tenant, "proofs.slot")?;
        self.record_tree_read(caller, &tenant, "proofs.slot").await?;
        let environment = caller.environment()?;
        let found = self.anchored(environment, &tenant, epoch).await?;
        let found = found.ok_or(AccessError::NotFound)?;
        let newest = self.fixed_head(environment, &tenant).await?.size;
        let size = size.unwrap_or(newest);
        if size > newest || size < found.size {
            let detail = format!("is between the anchored size {} and {newest}", found.size);
            return Err(ReadError::Invalid(vec![Violation::new("/size", detail)]));
        }
        self.growth(environment, &tenant, &found, size).await
    }

    /// Returns the file that leads from an anchored head to a checkpoint of `size` events.
    pub(crate) async fn growth(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        anchored: &Anchored,
        size: u64,
    ) -> Result<Growth, ReadError> {
        let proof = self.store().consistency(environment, tenant, anchored.size, size).await;
        let hashes = proof.map_err(prove_error)?.hashes;
        let text = Checkpoint::new(&anchored.origin, anchored.size, anchored.root).to_string();
        Ok(Growth { to: size, hashes, text, note: None })
    }

    /// Returns the tenant's anchored head, for which an epoch is made when there are witnesses and it has none yet.
    pub(crate) async fn anchored_for_evidence(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
    ) -> Result<Option<Anchored>, ReadError> {
        let found = self.anchored(environment, tenant, None).await?;
        if found.is_some() || self.settings().anchors.witnesses.is_none() {
            return Ok(found);
        }
        self.anchor_soon().await;
        self.anchored(environment, tenant, None).await
    }

    /// Returns a tenant's head in an anchored epoch; `None` when it stood in none, or the epoch was not kept.
    pub(crate) async fn anchored(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        epoch: Option<u64>,
    ) -> Result<Option<Anchored>, ReadError> {
        let unavailable = |error| ReadError::Unavailable(cause(error));
        let row = self.catalog(move |catalog| match epoch {
            Some(epoch) => catalog.anchor_of(epoch),
            None => catalog.newest_anchor(AnchorWith::Quorum),
        });
        let Some(row) = row.await.map_err(unavailable)? else { return Ok(None) };
        self.anchored_under(environment, tenant, &row, epoch).await
    }

    /// Returns the newest time-stamp, and the tenant's head under the checkpoint that it covers.
    pub(crate) async fn stamped(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
    ) -> Result<Option<(Vec<u8>, Anchored)>, ReadError> {
        let row = self.catalog(|catalog| catalog.newest_anchor(AnchorWith::Stamp)).await;
        let row = row.map_err(|error| ReadError::Unavailable(cause(error)))?;
        // Verifiers ask for the quorum wherever an anchor checkpoint stands.
        let row = row.filter(|row| row.quorum || self.settings().anchors.witnesses.is_none());
        let Some(row) = row else { return Ok(None) };
        let found = self.anchored_under(environment, tenant, &row, None).await?;
        Ok(row.stamp.zip(found))
    }

    async fn anchored_under(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        row: &AnchorRow,
        epoch: Option<u64>,
    ) -> Result<Option<Anchored>, ReadError> {
        let Some(log) = self.store().log(environment, tenant) else { return Ok(None) };
        let Some(number) = self.kept_epoch(row, epoch).await? else { return Ok(None) };
        let Some(epoch) = self.store().epoch(number).await.map_err(prove_error)? else {
            return Ok(None);
        };
        let size = epoch.size(log.slot);
        let Some(way) = epoch.prove(log.slot).filter(|_| size > 0) else { return Ok(None) };
        let note = Note::parse(row.note.as_bytes())
            .map_err(|error| ReadError::Unavailable(cause(error)))?;
        let record = self.store().anchor_inclusion(number, row.size).await.map_err(prove_error)?;
        let root = self.store().root(environment, tenant, size).await.map_err(prove_error)?;
        let record = ProofFile {
            extra: Some(epoch.record.to_string().into_bytes()),
            index: number,
            hashes: record.hashes,
            checkpoint: note,
        };
        let slots = epoch.record.slots;
        let proof = SlotProof { epoch: number, slot: log.slot, slots, hashes: way.hashes, record };
        Ok(Some(Anchored { proof, origin: log.origin, size, root }))
    }

    /// Returns the epoch that is looked at: the one named, or the newest under the checkpoint whose heads are there.
    async fn kept_epoch(
        &self,
        row: &AnchorRow,
        epoch: Option<u64>,
    ) -> Result<Option<u64>, ReadError> {
        if epoch.is_some()
            || self.store().last_epoch().is_some_and(|last| last.record.epoch + 1 == row.size)
        {
            return Ok(epoch.or(row.size.checked_sub(1)));
        }
        let size = row.size;
        let kept = self.catalog(attestary_store::Catalog::kept_epochs).await;
        let kept = kept.map_err(|error| ReadError::Unavailable(cause(error)))?;
        Ok(kept.iter().rev().map(|(epoch, _)| *epoch).find(|epoch| *epoch < size))
    }
}
