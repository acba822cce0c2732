//! Proofs: checkpoints, tiles, proof files, consistency, and what a verifier must trust.
//!
//! The store fixes a log's head before it can be signed here; nothing else is ever signed. Signatures are made when
//! somebody asks: Ed25519 is deterministic, so the same head has the same signature each time.
//!
//! Reading a log's tree shows no content, but it is a read all the same: it is recorded, once a minute for each
//! principal, log and kind of read, since one look at a large log takes thousands of tiles.

mod keys;
mod page;
mod receipts;
mod streams;

use attestary_event::{EnvironmentId, EventId, TenantId, Violation};
use attestary_ledger::{Checkpoint, ConsistencyProof, Hash, Note, ProofFile, TilePath};
use attestary_store::{FixedHead, HeadError, ProveError};

pub use keys::RotatedKey;
pub use page::{EVENTS_MAX as PAGE_PROOF_MAX, FieldProof, PageProof, Proved, Salts};
pub use receipts::{Evidence, Wanted};

use crate::{
    AccessError, Caller, ReadError, Service,
    audit::{Act, Minute, action},
    error::cause,
};

/// The proof that one tree began another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consistency {
    /// Name of the log.
    pub origin: String,
    /// Sizes and hashes.
    pub proof: ConsistencyProof,
    /// Root of the older tree.
    pub old_root: Hash,
    /// Root of the newer tree.
    pub new_root: Hash,
}

/// The proof of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventProof {
    /// Identity of the event.
    pub id: EventId,
    /// The proof with the checkpoint that it leads to; its extra data is the entry.
    pub file: ProofFile,
}

impl Service {
    /// Returns a signed checkpoint over everything that the log held when the call began.
    pub async fn checkpoint(
        &self,
        caller: &Caller,
        tenant: Option<&str>,
    ) -> Result<Note, ReadError> {
        let tenant = self.readable(caller, tenant, "proofs.checkpoint")?;
        self.record_tree_read(caller, &tenant, "proofs.checkpoint").await?;
        let (_, note) = self.signed_head(caller.environment()?, &tenant).await?;
        Ok(note)
    }

    /// Returns a tile or an entry bundle under the newest checkpoint.
    ///
    /// # Errors
    /// `NotFound` when the checkpoint does not cover the whole tile.
    pub async fn tile(
        &self,
        caller: &Caller,
        tenant: Option<&str>,
        path: TilePath,
    ) -> Result<Vec<u8>, ReadError> {
        let tenant = self.readable(caller, tenant, "proofs.tile")?;
        self.record_tree_read(caller, &tenant, "proofs.tile").await?;
        match self.store().tile(caller.environment()?, &tenant, path).await {
            Err(ProveError::Range { .. }) => Err(AccessError::NotFound.into()),
            tile => tile.map_err(prove_error),
        }
    }

    /// Returns the proof of an event under a checkpoint that covers it.
    pub async fn event_proof(
        &self,
        caller: &Caller,
        tenant: Option<&str>,
        id: EventId,
    ) -> Result<EventProof, ReadError> {
        let tenant = self.readable(caller, tenant, "events.proof")?;
        let environment = caller.environment()?;
        let seq = self.store().position(environment, &tenant, id).await;
        let seq = seq.map_err(|error| ReadError::Unavailable(cause(error)))?;
        let act = Act::new(action::VIEW, "events.proof")
            .on("tenant", tenant.as_str())
            .with("event_id", id.to_string())
            .with("result_count", usize::from(seq.is_some()));
        self.record_read(caller, &tenant, act).await.map_err(ReadError::Audit)?;
        let seq = seq.ok_or(AccessError::NotFound)?;
        let (head, note) = self.signed_head(environment, &tenant).await?;
        let mut files = self.proof_files(environment, &tenant, &head, &note, vec![seq]).await?;
        let file = files.pop().ok_or(AccessError::NotFound)?;
        Ok(EventProof { id, file })
    }

    /// Returns the proof that the log's first `old` events began its first `new` ones; without `new`, those under the
    /// newest checkpoint.
    pub async fn consistency(
        &self,
        caller: &Caller,
        tenant: Option<&str>,
        old: u64,
        new: Option<u64>,
    ) -> Result<Consistency, ReadError> {
        let tenant = self.readable(caller, tenant, "proofs.consistency")?;
        let environment = caller.environment()?;
        self.record_tree_read(caller, &tenant, "proofs.consistency").await?;
        let head = self.fixed_head(environment, &tenant).await?;
        let new = new.unwrap_or(head.size);
        let mut violations = Vec::new();
        if new > head.size {
            let detail = format!("is beyond the newest checkpoint, which has {} events", head.size);
            violations.push(Violation::new("/to", detail));
        } else if old > new {
            violations
                .push(Violation::new("/from", format!("is larger than \"to\", which is {new}")));
        }
        if !violations.is_empty() {
            return Err(ReadError::Invalid(violations));
        }
        let store = self.store();
        let proof = store.consistency(environment, &tenant, old, new).await.map_err(prove_error)?;
        let old_root = store.root(environment, &tenant, old).await.map_err(prove_error)?;
        let new_root = store.root(environment, &tenant, new).await.map_err(prove_error)?;
        Ok(Consistency { origin: head.origin, proof, old_root, new_root })
    }

    /// Returns the log's head over everything that it holds now.
    pub(crate) async fn fixed_head(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
    ) -> Result<FixedHead, ReadError> {
        self.store().head(environment, tenant).await.map_err(head_error)
    }

    /// Returns the log's head over everything that it holds now, and its signed checkpoint.
    pub(crate) async fn signed_head(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
    ) -> Result<(FixedHead, Note), ReadError> {
        let head = self.fixed_head(environment, tenant).await?;
        let note = self.sign(environment, tenant, &head).await?;
        Ok((head, note))
    }

    /// Signs a head that the store has fixed, with the key that is valid for its size.
    pub(crate) async fn sign(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        head: &FixedHead,
    ) -> Result<Note, ReadError> {
        let text = Checkpoint::new(&head.origin, head.size, head.root).to_string();
        self.sign_text(environment, tenant, head, text).await
    }

    /// Signs a text with the key of a log that is valid for its head. The text must not pass for a checkpoint of
    /// anything but that head: its first line is no origin.
    pub(crate) async fn sign_text(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        head: &FixedHead,
        text: String,
    ) -> Result<Note, ReadError> {
        let epoch = self.key_epoch(environment, tenant, head).await?;
        let signer = self.vault().log_signer(&head.origin, epoch);
        let signer = signer.map_err(|error| ReadError::Unavailable(cause(error)))?;
        let signed = Note::new(text).and_then(|mut note| {
            let signature = signer.sign(note.text());
            note.push(signature)?;
            Ok(note)
        });
        signed.map_err(|error| ReadError::Unavailable(cause(error)))
    }

    /// Returns the proof files of the events at `seqs`, in their order.
    pub(crate) async fn proof_files(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        head: &FixedHead,
        checkpoint: &Note,
        seqs: Vec<u64>,
    ) -> Result<Vec<ProofFile>, ReadError> {
        let proofs = self.store().inclusions(environment, tenant, seqs, head.size).await;
        let files = proofs.map_err(prove_error)?.into_iter().map(|(event, proof)| ProofFile {
            extra: Some(event.entry.encode().to_vec()),
            index: proof.index,
            hashes: proof.hashes,
            checkpoint: checkpoint.clone(),
        });
        Ok(files.collect())
    }

    /// Records a read of a log's tree, once a minute for each principal, log and operation.
    pub(crate) async fn record_tree_read(
        &self,
        caller: &Caller,
        tenant: &TenantId,
        operation: &'static str,
    ) -> Result<(), ReadError> {
        let minute = Minute::of(self.clock().now_ms());
        let topic = format!("{operation} {} {tenant}", caller.environment);
        if !self.coalescer().first(caller.principal.id(), &topic, minute) {
            return Ok(());
        }
        let act = Act::new(action::VIEW, operation).on("tenant", tenant.as_str());
        self.record(caller, act).await.map_err(ReadError::Audit)
    }
}

pub(crate) fn head_error(error: HeadError) -> ReadError {
    match error {
        HeadError::NoLog => AccessError::NotFound.into(),
        HeadError::Refused(refusal) => ReadError::SigningRefused { reason: refusal.to_string() },
        other => ReadError::Unavailable(cause(other)),
    }
}

pub(crate) fn prove_error(error: ProveError) -> ReadError {
    match error {
        ProveError::Head(error) => head_error(error),
        other => ReadError::Unavailable(cause(other)),
    }
}
