//! The sealing thread: writes frozen events as a segment and commits segment, journal position and heads together.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender},
    },
    time::Duration,
};

use tokio::sync::oneshot;

use super::{ids, view::View, world::World, writer::Message};
use crate::{
    catalog::{Catalog, CatalogError, JournalPosition, SealCommit},
    id_filter::IdFilter,
    partition::Frozen,
    segment::{self, Row, SegmentError, Segments},
    tail::Tail,
};

/// How long a failed seal waits before it is tried again. Intake goes on meanwhile, up to its bound.
const RETRY_DELAY: Duration = Duration::from_secs(2);

pub(super) struct Seal {
    pub(super) partition: u32,
    pub(super) frozen: Frozen,
    pub(super) tail: Arc<Tail>,
    pub(super) waiting: Vec<oneshot::Sender<()>>,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum SealError {
    #[error("cannot write the segment")]
    Segment(#[source] SegmentError),
    #[error("cannot commit the segment")]
    Catalog(#[source] CatalogError),
}

pub(super) struct Sealer {
    pub(super) world: World,
    pub(super) catalog: Arc<Catalog>,
    pub(super) segments: Arc<Segments>,
    pub(super) view: Arc<View>,
    pub(super) ids: Arc<IdFilter>,
    /// Serialises everything that replaces the manifest.
    pub(super) manifest: Arc<parking_lot::Mutex<()>>,
    /// Wakes the merging thread.
    pub(super) sealed: SyncSender<()>,
}

impl Sealer {
    /// Seals for all partitions, one after the other, until they are gone.
    pub(super) fn run(self, seals: &Receiver<Seal>, partitions: &[SyncSender<Message>]) {
        let mut failed = VecDeque::new();
        while let Some(seal) = failed.pop_front().or_else(|| seals.recv().ok()) {
            let Seal { partition, frozen, tail, waiting } = seal;
            match self.seal(partition, &frozen, &tail) {
                Ok(version) => {
                    for waiter in waiting {
                        let _ = waiter.send(());
                    }
                    // A partition that is gone needs no news; others may still seal.
                    let sealed = Message::Sealed { frozen: Box::new(frozen), version };
                    let _ = partitions[partition as usize].send(sealed);
                }
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "sealing failed and is tried again"
                    );
                    match seals.recv_timeout(RETRY_DELAY) {
                        Ok(other) => failed.push_back(other),
                        Err(RecvTimeoutError::Timeout) => {}
                        Err(RecvTimeoutError::Disconnected) => return,
                    }
                    failed.push_back(Seal { partition, frozen, tail, waiting });
                }
            }
        }
    }

    /// Seals what a partition froze and returns the new manifest version.
    pub(super) fn seal(
        &self,
        partition: u32,
        frozen: &Frozen,
        tail: &Tail,
    ) -> Result<u64, SealError> {
        let mut rows = tail.sorted(|slot| self.view.has(slot)).peekable();
        let mut new_segments = Vec::new();
        let mut ids = Vec::with_capacity(tail.events());
        if rows.peek().is_some() {
            let rows = rows.map(|unsealed| {
                let record = unsealed.record();
                ids.push(record.id());
                Row { record, node16: unsealed.node() }
            });
            let written = segment::write(rows, &self.world.log_name, self.view.as_ref())
                .map_err(SealError::Segment)?;
            let now_ms = self.world.clock.now_ms();
            let id = attestary_event::id::ulid(now_ms, self.world.random());
            self.catalog.intend(&[Segments::path(&id)]).map_err(SealError::Catalog)?;
            new_segments.push(
                self.segments.put(&id, partition, now_ms, written).map_err(SealError::Segment)?,
            );
            self.ids.add(&ids, now_ms);
        }
        let commit = SealCommit {
            partition,
            position: JournalPosition {
                generation: frozen.position.generation,
                offset: frozen.position.offset,
                batch: frozen.position.batch,
                owner_epoch: frozen.position.owner_epoch,
            },
            next_slot: frozen.next_slot,
            new_segments,
            removed_segments: vec![],
            heads: frozen.heads.clone(),
        };
        let _one_at_a_time = self.manifest.lock();
        let version = self.catalog.commit_seal(&commit).map_err(SealError::Catalog)?;
        let manifest = self.catalog.manifest(&self.view.manifest()).map_err(SealError::Catalog)?;
        if self.ids.window_from_ms().is_some() {
            let (_, given_up) = ids::window(&manifest, self.ids.ids_max());
            given_up.iter().for_each(|meta| self.segments.drop_id_run(meta));
        }
        self.view.set_manifest(manifest, Some(partition));
        // Full means that it was woken already.
        let _ = self.sealed.try_send(());
        Ok(version)
    }
}
