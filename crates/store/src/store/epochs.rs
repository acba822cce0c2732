//! Epochs: all heads in one tree, and the anchor log of their records.
//!
//! The signing thread makes an epoch: it fixes what grew, sets the leaves that changed, and fixes the anchor log's own head
//! by the same rule as any other ([`crate::signing`]), with a register value of its own. The catalog holds records and heads;
//! the trees of the newest epoch and of the one that is held for proofs stay in memory.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use attestary_ledger::{
    Checkpoint, ConsistencyProof, EpochRecord, EpochTree, Hash, InclusionProof, NodeSource,
    ProveError as LedgerError, TileKind, TilePath, epoch::head_leaf, node_hash, tile, tree,
};
use hashbrown::HashSet;
use parking_lot::{Mutex, RwLock};
use tokio::sync::oneshot;

use super::{
    Inner, Store,
    proving::{HeadError, ProveError},
    signer::{Demand, Failed},
    view::View,
};
use crate::{
    catalog::{Catalog, CatalogError, EpochHead, EpochRow},
    signing::{
        Committed, Head, LocalHeads, Refusal, Signing, SigningError, register::FileRegister,
    },
};

/// The anchor log's place among the partitions of the signing table.
pub(super) const PARTITION: u32 = u32::MAX;
/// The anchor log's slot in its signing batches; no tenant's log gets there.
const SLOT: u64 = u64::MAX;
/// All heads are written together once a day, so that finding an epoch's heads lays few values over each other.
const WHOLE_EVERY_MS: u64 = 24 * 3_600_000;
/// Epochs stay one by one for this long, then one of each hour, and after a week one of each day.
const SINGLE_MS: u64 = 3_600_000;
const HOUR_MS: u64 = 3_600_000;
const HOURLY_MS: u64 = 7 * DAY_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// One epoch with its tree.
#[derive(Debug)]
pub struct Epoch {
    /// Its record in the anchor log.
    pub record: EpochRecord,
    tree: EpochTree,
    /// Events under each slot's head; 0 for vacant slots.
    sizes: Vec<u64>,
}

impl Epoch {
    /// Returns how many events the head at a slot covers; 0 when the slot was vacant.
    pub fn size(&self, slot: u64) -> u64 {
        usize::try_from(slot).ok().and_then(|slot| self.sizes.get(slot)).copied().unwrap_or(0)
    }

    /// Returns the proof of a slot's leaf; `None` when there was no such slot.
    pub fn prove(&self, slot: u64) -> Option<InclusionProof> {
        self.tree.prove(slot)
    }

    fn of(record: EpochRecord, heads: &[EpochHead]) -> Self {
        let (mut tree, mut sizes) = (EpochTree::default(), Vec::new());
        set(&mut tree, &mut sizes, heads);
        Self { record, tree, sizes }
    }
}

fn set(tree: &mut EpochTree, sizes: &mut Vec<u64>, heads: &[EpochHead]) {
    let leaves: Vec<(u64, Hash)> = heads.iter().map(|head| (head.slot, head.leaf)).collect();
    tree.set_leaves(&leaves);
    sizes.resize(tree.slots() as usize, 0);
    for head in heads {
        sizes[head.slot as usize] = head.size;
    }
}

/// What everybody sees of the epochs.
#[derive(Debug, Default)]
pub(super) struct EpochState {
    /// Epochs that may be shown.
    count: AtomicU64,
    newest: RwLock<Option<Arc<Epoch>>>,
    held: RwLock<Option<Arc<Epoch>>>,
    refusal: RwLock<Option<Refusal>>,
    /// Level-8 nodes of the anchor log, from the first on.
    nodes: Mutex<Vec<Hash>>,
}

/// The catalog as the local half of the rule, with the epoch that the next head covers.
struct AnchorHeads {
    catalog: Arc<Catalog>,
    next: Mutex<Option<EpochRow>>,
}

impl LocalHeads for AnchorHeads {
    type Error = CatalogError;

    fn committed(&self) -> Result<Committed, CatalogError> {
        self.catalog.signing_committed(PARTITION)
    }

    fn commit(&self, committed: &Committed, _heads: &[Head]) -> Result<(), CatalogError> {
        let row = self.next.lock().take();
        let row = row.ok_or(CatalogError::Conflict { what: "no epoch is to be made".into() })?;
        self.catalog.commit_epoch(PARTITION, committed, &row)
    }
}

/// The signing thread's part.
pub(super) struct Epochs {
    signing: Signing<AnchorHeads, FileRegister>,
    local: Arc<Catalog>,
    state: Arc<EpochState>,
    log_name: String,
    /// Logs whose heads were shown since the last epoch.
    pub(super) changed: HashSet<u64>,
    latest: Option<Latest>,
}

/// What the next epoch is made from.
struct Latest {
    tree: EpochTree,
    sizes: Vec<u64>,
    last: Option<EpochRecord>,
    whole_ms: Option<u64>,
}

impl Epochs {
    pub(super) fn new(
        catalog: &Arc<Catalog>,
        register: FileRegister,
        owner_epoch: u64,
        state: Arc<EpochState>,
        log_name: String,
    ) -> Self {
        let local = AnchorHeads { catalog: Arc::clone(catalog), next: Mutex::new(None) };
        let signing = Signing::new(local, register, PARTITION, owner_epoch);
        let (local, changed) = (Arc::clone(catalog), HashSet::new());
        Self { signing, local, state, log_name, changed, latest: None }
    }

    /// Shows the epochs of earlier processes once catalog and register agree.
    pub(super) fn settle(&mut self) -> Result<(), SigningError<CatalogError>> {
        let confirmed = self.signing.settle();
        if let Some(refusal) = self.signing.refusal() {
            let mut known = self.state.refusal.write();
            if known.is_none() {
                tracing::error!(%refusal, "no epoch is made until a person has looked");
                *known = Some(refusal.clone());
            }
        }
        confirmed?;
        if self.latest.is_none() {
            let latest = self.load().map_err(SigningError::Local)?;
            let count = latest.last.map_or(0, |record| record.epoch + 1);
            self.state.count.store(count, Ordering::Release);
            if let Some(record) = latest.last {
                let (tree, sizes) = (latest.tree.clone(), latest.sizes.clone());
                *self.state.newest.write() = Some(Arc::new(Epoch { record, tree, sizes }));
            }
            self.latest = Some(latest);
        }
        Ok(())
    }

    fn load(&self) -> Result<Latest, CatalogError> {
        let last = self.local.last_epoch()?;
        let heads = match &last {
            Some(record) => self.local.epoch_heads(record.epoch)?.unwrap_or_default(),
            None => Vec::new(),
        };
        let (mut tree, mut sizes) = (EpochTree::default(), Vec::new());
        set(&mut tree, &mut sizes, &heads);
        let whole_ms = self.local.last_whole_epoch_ms()?;
        Ok(Latest { tree, sizes, last, whole_ms })
    }

    /// Makes an epoch over the heads that are shown.
    pub(super) fn make(
        &mut self,
        view: &View,
        now_ms: u64,
    ) -> Result<(), SigningError<CatalogError>> {
        self.settle()?;
        let Some(mut latest) = self.latest.take() else { return Ok(()) };
        let mut slots: Vec<u64> = self.changed.iter().copied().collect();
        slots.sort_unstable();
        let changed: Vec<EpochHead> =
            slots.iter().filter_map(|slot| self.changed_head(view, &latest, *slot)).collect();
        set(&mut latest.tree, &mut latest.sizes, &changed);
        let last_ms = latest.last.map_or(0, |record| record.unix_ms);
        let epoch = latest.last.map_or(0, |record| record.epoch + 1);
        let record = latest.tree.record(epoch, now_ms.max(last_ms));
        let whole = latest
            .whole_ms
            .is_none_or(|whole_ms| whole_ms.saturating_add(WHOLE_EVERY_MS) <= record.unix_ms);
        let heads = if whole { latest.heads() } else { changed };
        let nodes = Records { catalog: &self.local, state: &self.state, next: Some(&record) };
        let root = tree::root(&nodes, epoch + 1).map_err(SigningError::Local)?;
        *self.signing.local().next.lock() = Some(EpochRow { record, whole, heads });
        // When this fails, the next turn finds out what came of it and loads anew.
        self.signing.fix(vec![Head { slot: SLOT, size: epoch + 1, root }])?;
        self.changed.clear();
        latest.last = Some(record);
        if whole {
            latest.whole_ms = Some(record.unix_ms);
        }
        let (tree, sizes) = (latest.tree.clone(), latest.sizes.clone());
        *self.state.newest.write() = Some(Arc::new(Epoch { record, tree, sizes }));
        self.state.count.store(epoch + 1, Ordering::Release);
        self.latest = Some(latest);
        Ok(())
    }

    /// Returns the head of a log when it is larger than in the last epoch. A deleted log keeps its last one.
    fn changed_head(&self, view: &View, latest: &Latest, slot: u64) -> Option<EpochHead> {
        let head = view.fixed_head(slot)?;
        let known = usize::try_from(slot).ok().and_then(|slot| latest.sizes.get(slot));
        if known.is_some_and(|size| *size >= head.size) {
            return None;
        }
        let origin = view.head(slot, &self.log_name)?.origin;
        let text = Checkpoint::new(&origin, head.size, head.root).to_string();
        Some(EpochHead { slot, size: head.size, leaf: head_leaf(slot, &text) })
    }
}

impl Latest {
    fn heads(&self) -> Vec<EpochHead> {
        let sizes = self.sizes.iter().copied().zip(0_u64..);
        let held = sizes.filter(|(size, _)| *size > 0);
        held.filter_map(|(size, slot)| Some(EpochHead { slot, size, leaf: self.tree.leaf(slot)? }))
            .collect()
    }
}

/// The anchor log's tree: leaves from the records, level-8 nodes computed once.
struct Records<'a> {
    catalog: &'a Catalog,
    state: &'a EpochState,
    /// A record that is not in the catalog yet.
    next: Option<&'a EpochRecord>,
}

const NODE_LEVEL: u32 = 8;
const NODE_RECORDS: u64 = 1 << NODE_LEVEL;

impl Records<'_> {
    fn leaves(&self, first: u64, leaves: &mut [Hash]) -> Result<(), CatalogError> {
        let records = self.catalog.epoch_records(first, leaves.len())?;
        let records = records.iter().chain(self.next);
        let mut found = 0;
        for (leaf, (record, epoch)) in leaves.iter_mut().zip(records.zip(first..)) {
            if record.epoch != epoch {
                return Err(missing(epoch));
            }
            *leaf = record.leaf_hash();
            found += 1;
        }
        if found == leaves.len() { Ok(()) } else { Err(missing(first + found as u64)) }
    }
}

fn missing(epoch: u64) -> CatalogError {
    CatalogError::Corrupt { what: format!("the record of epoch {epoch} is missing") }
}

impl NodeSource for Records<'_> {
    type Error = CatalogError;

    fn kept_level(&self, level: u32) -> u32 {
        if level < NODE_LEVEL { 0 } else { NODE_LEVEL }
    }

    fn read(&self, level: u32, first: u64, nodes: &mut [Hash]) -> Result<(), CatalogError> {
        if level == 0 {
            return self.leaves(first, nodes);
        }
        for (node, index) in nodes.iter_mut().zip(first..) {
            let known = self.state.nodes.lock().get(index as usize).copied();
            if let Some(known) = known {
                *node = known;
                continue;
            }
            let mut leaves = [[0; 32]; NODE_RECORDS as usize];
            self.leaves(index << NODE_LEVEL, &mut leaves)?;
            let mut width = leaves.len();
            while width > 1 {
                width /= 2;
                for at in 0..width {
                    leaves[at] = node_hash(&leaves[2 * at], &leaves[2 * at + 1]);
                }
            }
            *node = leaves[0];
            // A record that is not committed yet must not be remembered: it may never be.
            let pending = self.next.is_some_and(|next| next.epoch >> NODE_LEVEL == index);
            let mut known = self.state.nodes.lock();
            if known.len() as u64 == index && !pending {
                known.push(*node);
            }
        }
        Ok(())
    }
}

/// Returns the name of the anchor log: the first one's, or that of a later incarnation.
pub(super) fn anchor_origin(log_name: &str, log_id: Option<&str>) -> String {
    log_id.map_or_else(|| format!("{log_name}/anchor"), |id| format!("{log_name}/anchor/{id}"))
}

/// The head of the anchor log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnchorHead {
    /// Epochs.
    pub size: u64,
    /// Root over their records.
    pub root: Hash,
}

impl Store {
    /// Returns the anchor log's name: `<log_name>/anchor`, and after a restore `<log_name>/anchor/<ULID>`.
    pub fn anchor_origin(&self) -> String {
        self.0.anchor_origin.clone()
    }

    /// Returns why no epoch is made any more, until a person has looked.
    pub fn epoch_refusal(&self) -> Option<Refusal> {
        self.0.epochs.refusal.read().clone()
    }

    /// Makes an epoch over all that was accepted before the call, and returns its record.
    pub async fn make_epoch(&self) -> Result<EpochRecord, HeadError> {
        let (reply, done) = oneshot::channel();
        if !self.0.signer.demand(Demand::Epoch { reply }) {
            return Err(HeadError::Stopping);
        }
        match done.await {
            Ok(Ok(())) => {}
            Ok(Err(Failed::Refused(refusal))) => return Err(HeadError::Refused(refusal)),
            Ok(Err(Failed::Now(reason))) => return Err(HeadError::Failed(reason)),
            Err(_) => return Err(HeadError::Stopping),
        }
        self.last_epoch().map(|epoch| epoch.record).ok_or(HeadError::NoLog)
    }

    /// Returns the newest epoch.
    pub fn last_epoch(&self) -> Option<Arc<Epoch>> {
        self.0.epochs.newest.read().clone()
    }

    /// Returns the number of epochs.
    pub fn epochs(&self) -> u64 {
        self.0.epochs.count.load(Ordering::Acquire)
    }

    /// Returns an epoch with its tree; `None` when it was thinned out or never was. The one that was asked for last stays in
    /// memory beside the newest.
    pub async fn epoch(&self, epoch: u64) -> Result<Option<Arc<Epoch>>, ProveError> {
        if epoch >= self.epochs() {
            return Ok(None);
        }
        let kept = [&self.0.epochs.newest, &self.0.epochs.held].map(|kept| kept.read().clone());
        if let Some(found) = kept.into_iter().flatten().find(|kept| kept.record.epoch == epoch) {
            *self.0.epochs.held.write() = Some(Arc::clone(&found));
            return Ok(Some(found));
        }
        let found = self.on_records(move |inner| {
            let records = inner.catalog.epoch_records(epoch, 1)?;
            let heads = inner.catalog.epoch_heads(epoch)?;
            Ok(records
                .first()
                .zip(heads)
                .map(|(record, heads)| Arc::new(Epoch::of(*record, &heads))))
        });
        let found = found.await?;
        if let Some(found) = &found {
            *self.0.epochs.held.write() = Some(Arc::clone(found));
        }
        Ok(found)
    }

    /// Returns the anchor log's head; `None` before the first epoch.
    pub async fn anchor_head(&self) -> Result<Option<AnchorHead>, ProveError> {
        let size = self.epochs();
        if size == 0 {
            return Ok(None);
        }
        let root = self.on_records(move |inner| tree::root(&inner.records(), size)).await?;
        Ok(Some(AnchorHead { size, root }))
    }

    /// Returns the proof that the first `old` epochs begin the first `new` ones.
    pub async fn anchor_consistency(
        &self,
        old: u64,
        new: u64,
    ) -> Result<ConsistencyProof, ProveError> {
        self.anchor_covers(new)?;
        let proof = move |inner: &Inner| Ok(ConsistencyProof::generate(&inner.records(), old, new));
        self.on_records(proof).await?.map_err(|error| of_ledger(error, old, new))
    }

    /// Returns the proof that a record is among the first `size` ones.
    pub async fn anchor_inclusion(
        &self,
        epoch: u64,
        size: u64,
    ) -> Result<InclusionProof, ProveError> {
        self.anchor_covers(size)?;
        let proof =
            move |inner: &Inner| Ok(InclusionProof::generate(&inner.records(), epoch, size));
        self.on_records(proof).await?.map_err(|error| of_ledger(error, epoch, size))
    }

    /// Returns the bytes of a tile of the anchor log, or of a bundle of records.
    pub async fn anchor_tile(&self, path: TilePath) -> Result<Vec<u8>, ProveError> {
        let first = path.index().saturating_mul(tile::TILE_WIDTH);
        let end = first.saturating_add(path.width() as u64);
        let level = match path.kind() {
            TileKind::Hashes(level) => tile::TILE_HEIGHT * u32::from(level),
            TileKind::Entries => 0,
        };
        self.anchor_covers(end.saturating_mul(1_u64.checked_shl(level).unwrap_or(u64::MAX)))?;
        self.on_records(move |inner| match path.kind() {
            TileKind::Hashes(_) => {
                let mut hashes = vec![[0; 32]; path.width()];
                let records = inner.records();
                for (hash, index) in hashes.iter_mut().zip(first..) {
                    *hash = tree::node(&records, level, index)?;
                }
                Ok(tile::encode(&hashes).to_vec())
            }
            TileKind::Entries => {
                let records = inner.catalog.epoch_records(first, path.width())?;
                let texts: Vec<String> = records.iter().map(ToString::to_string).collect();
                let bundle = tile::bundle::encode(texts.iter().map(String::as_bytes));
                Ok(bundle.expect("a bundle has at most 256 records of 130 bytes"))
            }
        })
        .await
    }

    /// Thins out old epochs: after an hour one of each hour stays, after a week one of each day.
    pub async fn thin_epochs(&self) -> Result<(), ProveError> {
        let now_ms = self.0.world.clock.now_ms();
        self.on_records(move |inner| {
            let kept = inner.catalog.kept_epochs()?;
            for group in groups(&kept, now_ms) {
                inner.catalog.thin_epochs(&group)?;
            }
            Ok(())
        })
        .await
    }

    fn anchor_covers(&self, size: u64) -> Result<(), ProveError> {
        let covered = self.epochs();
        if size <= covered { Ok(()) } else { Err(ProveError::Range { index: size, size: covered }) }
    }

    async fn on_records<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Inner) -> Result<T, CatalogError> + Send + 'static,
    ) -> Result<T, ProveError> {
        let inner = Arc::clone(&self.0);
        let answer = tokio::task::spawn_blocking(move || read(&inner)).await;
        answer.map_err(|_| HeadError::Stopping)?.map_err(ProveError::Catalog)
    }
}

impl Inner {
    fn records(&self) -> Records<'_> {
        Records { catalog: &self.catalog, state: &self.epochs, next: None }
    }
}

fn of_ledger(error: LedgerError<CatalogError>, index: u64, size: u64) -> ProveError {
    match error {
        LedgerError::Read { source } => ProveError::Catalog(source),
        _ => ProveError::Range { index, size },
    }
}

/// Returns groups of neighbouring epochs of which the last one stays. The newest epoch is in none.
fn groups(kept: &[(u64, u64)], now_ms: u64) -> Vec<Vec<u64>> {
    let span = |unix_ms: u64| {
        let age_ms = now_ms.saturating_sub(unix_ms);
        match () {
            () if age_ms > HOURLY_MS => Some((DAY_MS, unix_ms / DAY_MS)),
            () if age_ms > SINGLE_MS => Some((HOUR_MS, unix_ms / HOUR_MS)),
            () => None,
        }
    };
    let kept = &kept[..kept.len().saturating_sub(1)];
    let groups = kept.chunk_by(|a, b| span(a.1).is_some() && span(a.1) == span(b.1));
    groups
        .filter(|group| group.len() > 1)
        .map(|group| group.iter().map(|(epoch, _)| *epoch).collect())
        .collect()
}

impl From<CatalogError> for ProveError {
    fn from(error: CatalogError) -> Self {
        Self::Catalog(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_epochs_are_thinned_by_hour_and_by_day() {
        let now_ms = 100 * DAY_MS;
        let at = |epoch: u64, age_ms: u64| (epoch, now_ms - age_ms);
        let kept = [
            at(0, 9 * DAY_MS),
            at(1, 9 * DAY_MS - 3 * HOUR_MS),
            at(2, 8 * DAY_MS),
            at(3, 2 * HOUR_MS),
            at(4, 2 * HOUR_MS - 60_000),
            at(5, 2 * HOUR_MS - 120_000),
            at(6, 60_000),
            at(7, 30_000),
            at(8, 0),
        ];
        assert_eq!(groups(&kept, now_ms), [vec![0, 1], vec![3, 4, 5]]);
        assert_eq!(groups(&[], now_ms), Vec::<Vec<u64>>::new());
        assert_eq!(groups(&kept[..2], now_ms), Vec::<Vec<u64>>::new(), "the newest stays");
    }
}
