//! Proofs: heads that may be signed, tree hashes, tiles, and what single leaves commit to.
//!
//! Everything is given out for sizes under a fixed head only: a tree that nobody signed is nobody's business.

use std::{ops::Range, sync::Arc};

use attestary_event::{EnvironmentId, ErrorKind, EventId, TenantId};
use attestary_ledger::{
    ConsistencyProof, Frontier, Hash, InclusionProof, ProveError as LedgerError, TileKind,
    TilePath, tile, tree,
};
use hashbrown::HashMap;
use tokio::sync::oneshot;

use super::{
    Inner, Store,
    nodes::Nodes,
    signer::{Demand, Failed},
};
use crate::{
    catalog::CatalogError,
    query::{Committed, ReadView, Remains},
    segment::SegmentError,
    signing::{Head, Refusal},
};

/// The newest head of a log that may be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedHead {
    /// Fixed number of the log.
    pub slot: u64,
    /// `<log_name>/t/<log id>`.
    pub origin: String,
    /// Leaves.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
}

/// An event as its leaf commits to it: what a verifier needs to compute the leaf again, as far as it is there.
pub type Disclosed = Committed;

/// Why there is no head.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// The tenant has no log.
    #[error("the tenant has no log")]
    NoLog,
    /// Nothing is signed until a person has looked.
    #[error("nothing is signed: {0}")]
    Refused(Refusal),
    /// It failed this time.
    #[error("the head could not be fixed: {0}")]
    Failed(String),
    /// Acknowledged events of the log are damaged.
    #[error("the log is damaged and gets no new head")]
    Damaged,
    /// The process is stopping.
    #[error("the service is stopping")]
    Stopping,
}

impl HeadError {
    /// Returns what the caller should do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoLog => ErrorKind::NotFound,
            Self::Damaged => ErrorKind::Corrupt,
            Self::Refused(_) | Self::Failed(_) | Self::Stopping => ErrorKind::Unavailable,
        }
    }
}

/// Why something was not proved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProveError {
    /// There is no head.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The place is not in the tree that may be signed.
    #[error("{index} is not in a tree of {size} events")]
    Range {
        /// Index or size asked for.
        index: u64,
        /// Size of the newest head.
        size: u64,
    },
    /// The tree cannot be read.
    #[error("the tree cannot be read")]
    Segment(#[source] SegmentError),
    /// The epochs cannot be read.
    #[error("the epochs cannot be read")]
    Catalog(#[source] CatalogError),
}

impl ProveError {
    /// Returns what the caller should do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Head(error) => error.kind(),
            Self::Range { .. } => ErrorKind::Invalid,
            Self::Segment(error) => error.kind(),
            Self::Catalog(error) => error.kind(),
        }
    }

    fn of_ledger(error: LedgerError<SegmentError>, head: u64) -> Self {
        match error {
            LedgerError::Read { source } => Self::Segment(source),
            LedgerError::Index { index, .. } => Self::Range { index, size: head },
            LedgerError::Order { old, .. } => Self::Range { index: old, size: head },
            _ => Self::Range { index: 0, size: head },
        }
    }
}

impl Store {
    /// Returns why no head is signed any more, until a person has looked.
    pub fn signing_refusal(&self) -> Option<Refusal> {
        self.0.signer.refusal()
    }

    /// Returns the newest head that may be signed, without making one.
    pub fn last_head(&self, environment: &EnvironmentId, tenant: &TenantId) -> Option<FixedHead> {
        let slot = self.0.view.slot(environment, tenant)?;
        self.fixed(self.0.view.fixed_head(slot)?)
    }

    /// Returns a head over everything that was accepted before the call.
    pub async fn head(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
    ) -> Result<FixedHead, HeadError> {
        let slot = self.0.view.slot(environment, tenant).ok_or(HeadError::NoLog)?;
        let size = self.0.view.size(slot).ok_or(HeadError::NoLog)?;
        if let Some(head) = self.0.view.fixed_head(slot).filter(|head| head.size >= size) {
            return self.fixed(head).ok_or(HeadError::NoLog);
        }
        let (reply, done) = oneshot::channel();
        if !self.0.signer.demand(Demand::Head { slot, reply }) {
            return Err(HeadError::Stopping);
        }
        match done.await {
            Ok(Ok(())) => {}
            Ok(Err(Failed::Refused(refusal))) => return Err(HeadError::Refused(refusal)),
            Ok(Err(Failed::Now(reason))) => return Err(HeadError::Failed(reason)),
            Err(_) => return Err(HeadError::Stopping),
        }
        let head = self.0.view.fixed_head(slot).filter(|head| head.size >= size);
        head.and_then(|head| self.fixed(head)).ok_or(HeadError::Damaged)
    }

    fn fixed(&self, head: Head) -> Option<FixedHead> {
        let Head { slot, size, root } = head;
        let origin = self.0.view.head(slot, &self.0.world.log_name)?.origin;
        Some(FixedHead { slot, origin, size, root })
    }

    /// Returns the proof that event `index` is in the first `size` events, which a fixed head covers.
    pub async fn inclusion(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        index: u64,
        size: u64,
    ) -> Result<InclusionProof, ProveError> {
        let head = self.covering(environment, tenant, size)?;
        self.prove(head, move |nodes| {
            InclusionProof::generate(nodes, index, size)
                .map_err(|error| ProveError::of_ledger(error, size))
        })
        .await
    }

    /// Returns the proof that the first `old` events begin the first `new` ones, which a fixed head covers.
    pub async fn consistency(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        old: u64,
        new: u64,
    ) -> Result<ConsistencyProof, ProveError> {
        let head = self.covering(environment, tenant, new)?;
        self.prove(head, move |nodes| {
            ConsistencyProof::generate(nodes, old, new)
                .map_err(|error| ProveError::of_ledger(error, new))
        })
        .await
    }

    /// Returns the root over the first `size` events, which a fixed head covers.
    pub async fn root(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        size: u64,
    ) -> Result<Hash, ProveError> {
        let head = self.covering(environment, tenant, size)?;
        self.prove(head, move |nodes| tree::root(nodes, size).map_err(ProveError::Segment)).await
    }

    /// Returns the perfect subtrees that make up the first `size` events, which a fixed head covers.
    pub async fn frontier(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        size: u64,
    ) -> Result<Frontier, ProveError> {
        let head = self.covering(environment, tenant, size)?;
        self.prove(head, move |nodes| Frontier::generate(nodes, size).map_err(ProveError::Segment))
            .await
    }

    /// Returns the bytes of a tile or entry bundle, which the newest fixed head covers.
    pub async fn tile(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        path: TilePath,
    ) -> Result<Vec<u8>, ProveError> {
        let first = path.index().saturating_mul(tile::TILE_WIDTH);
        let end = first.saturating_add(path.width() as u64);
        match path.kind() {
            TileKind::Hashes(level) => {
                let height = tile::TILE_HEIGHT * u32::from(level);
                let size = end.saturating_mul(1 << height);
                let head = self.covering(environment, tenant, size)?;
                self.prove(head, move |nodes| {
                    let mut hashes = vec![[0; 32]; path.width()];
                    attestary_ledger::NodeSource::read(nodes, height, first, &mut hashes)
                        .map_err(ProveError::Segment)?;
                    Ok(tile::encode(&hashes).to_vec())
                })
                .await
            }
            TileKind::Entries => {
                self.covering(environment, tenant, end)?;
                let events = self.disclosed(environment, tenant, first..end).await?;
                let entries: Vec<_> = events.iter().map(|event| event.entry.encode()).collect();
                let bundle = tile::bundle::encode(entries.iter().map(<[u8; 88]>::as_slice));
                Ok(bundle.expect("a bundle has at most 256 entries of 88 bytes"))
            }
        }
    }

    /// Returns the events of `seqs` as their leaves commit to them, in order. All of them must be there.
    pub async fn disclosed(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        seqs: Range<u64>,
    ) -> Result<Vec<Disclosed>, ProveError> {
        let slot = self.0.view.slot(environment, tenant).ok_or(HeadError::NoLog)?;
        let inner = Arc::clone(&self.0);
        let read = tokio::task::spawn_blocking(move || inner.disclosed(slot, &seqs));
        read.await.map_err(|_| HeadError::Stopping)?.map_err(ProveError::Segment)
    }

    /// Returns the events at `seqs` as their leaves commit to them, in the order of `seqs`. All of them must be there.
    pub async fn disclosed_at(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        seqs: Vec<u64>,
    ) -> Result<Vec<Disclosed>, ProveError> {
        let slot = self.0.view.slot(environment, tenant).ok_or(HeadError::NoLog)?;
        let inner = Arc::clone(&self.0);
        let read = tokio::task::spawn_blocking(move || inner.disclosed_at(slot, &seqs));
        read.await.map_err(|_| HeadError::Stopping)?.map_err(ProveError::Segment)
    }

    /// Returns the events at `seqs` and the proofs that they are in the first `size` events, which a fixed head covers.
    pub async fn inclusions(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        seqs: Vec<u64>,
        size: u64,
    ) -> Result<Vec<(Disclosed, InclusionProof)>, ProveError> {
        let head = self.covering(environment, tenant, size)?;
        let inner = Arc::clone(&self.0);
        let made = tokio::task::spawn_blocking(move || {
            let events = inner.disclosed_at(head.slot, &seqs).map_err(ProveError::Segment)?;
            let (view, segments, cache) = (&*inner.view, &*inner.segments, &*inner.nodes);
            let nodes = Nodes { view, segments, cache, slot: head.slot, size: head.size };
            let proofs = events.into_iter().map(|event| {
                let proof = InclusionProof::generate(&nodes, event.entry.seq, size);
                Ok((event, proof.map_err(|error| ProveError::of_ledger(error, size))?))
            });
            proofs.collect()
        });
        made.await.map_err(|_| HeadError::Stopping)?
    }

    /// Returns the position of the event called `id`; of repeats, the lowest.
    pub async fn position(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        id: EventId,
    ) -> Result<Option<u64>, super::ReadError> {
        if let Some(event) = self.event(environment, tenant, id).await? {
            return Ok(Some(event.seq));
        }
        // Its payload may be gone; its place in the log is not.
        let slot = self.slot(environment, tenant)?;
        let found = self.find_ids(vec![(slot, vec![id])]).await?;
        Ok(found.into_iter().flatten().next().map(|found| found.seq))
    }

    /// Returns the log's fixed head when it covers `size` events.
    fn covering(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        size: u64,
    ) -> Result<Head, ProveError> {
        let slot = self.0.view.slot(environment, tenant).ok_or(HeadError::NoLog)?;
        let head = self.0.view.fixed_head(slot);
        let covered = head.map_or(0, |head| head.size);
        head.filter(|head| head.size >= size)
            .ok_or(ProveError::Range { index: size, size: covered })
    }

    async fn prove<T: Send + 'static>(
        &self,
        head: Head,
        proof: impl Fn(&Nodes<'_>) -> Result<T, ProveError> + Send + 'static,
    ) -> Result<T, ProveError> {
        let inner = Arc::clone(&self.0);
        let answer = tokio::task::spawn_blocking(move || {
            let (view, segments, cache) = (&*inner.view, &*inner.segments, &*inner.nodes);
            proof(&Nodes { view, segments, cache, slot: head.slot, size: head.size })
        });
        answer.await.map_err(|_| HeadError::Stopping)?
    }
}

impl Inner {
    /// Reads neighbours together and keeps the order that was asked for.
    fn disclosed_at(&self, slot: u64, seqs: &[u64]) -> Result<Vec<Disclosed>, SegmentError> {
        let mut sorted = seqs.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let mut found = HashMap::with_capacity(sorted.len());
        for run in sorted.chunk_by(|a, b| a + 1 == *b) {
            let events = self.disclosed(slot, &(run[0]..run[run.len() - 1] + 1))?;
            found.extend(events.into_iter().map(|event| (event.entry.seq, event)));
        }
        let missing = |index| SegmentError::NoNode { slot, level: 0, index };
        seqs.iter().map(|&seq| found.get(&seq).cloned().ok_or_else(|| missing(seq))).collect()
    }

    fn disclosed(&self, slot: u64, seqs: &Range<u64>) -> Result<Vec<Disclosed>, SegmentError> {
        loop {
            let version = self.view.manifest().version;
            match self.disclosed_once(slot, seqs) {
                Err(SegmentError::Missing { .. }) if self.view.manifest().version != version => {}
                read => return read,
            }
        }
    }

    fn disclosed_once(&self, slot: u64, seqs: &Range<u64>) -> Result<Vec<Disclosed>, SegmentError> {
        let mut found: Vec<Option<Disclosed>> = vec![None; (seqs.end - seqs.start) as usize];
        let mut note = |event: Disclosed| {
            let at = event.entry.seq - seqs.start;
            if let Some(place) = found.get_mut(at as usize) {
                *place = Some(event);
            }
        };
        let log = crate::segment::Logs::log(&*self.view, slot)
            .ok_or(SegmentError::UnknownLog { slot })?;
        let manifest = self.view.visit_unsealed(slot, seqs.clone(), 1, |unsealed| {
            let record = unsealed.record();
            note(Disclosed {
                entry: record.entry(log.origin_id),
                remains: Remains::Whole { seed: record.seed(), body: record.body().into() },
            });
        });
        let sealed_end = seqs.end.min(manifest.next_seq(slot));
        if seqs.start < sealed_end {
            let view = ReadView {
                manifest: &manifest,
                segments: &self.segments,
                unsealed: &(),
                logs: &*self.view,
            };
            view.committed(slot, &(seqs.start..sealed_end), &mut note)?;
        }
        let missing = |index| SegmentError::NoNode { slot, level: 0, index };
        let found = found.into_iter().zip(seqs.start..);
        found.map(|(event, seq)| event.ok_or_else(|| missing(seq))).collect()
    }
}
