//! Deleting a tenant's log: its name at once, its events from every segment before the call returns.

use std::sync::Arc;

use attestary_event::{EnvironmentId, TenantId, id::ulid};
use tokio::sync::oneshot;

use super::{Inner, ReadError, Store, writer::Message};
use crate::{
    catalog::{CatalogError, SwapCommit},
    segment::{SegmentError, Segments, rewrite},
};

/// Why a log was not deleted all the way. Its name is gone; calling again goes on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeleteError {
    /// A segment cannot be rewritten.
    #[error("a segment cannot be rewritten")]
    Segment(#[source] SegmentError),
    /// The rewrite cannot be committed.
    #[error("the rewrite cannot be committed")]
    Catalog(#[source] CatalogError),
    /// The process is stopping.
    #[error("the service is stopping")]
    Stopping,
}

impl Store {
    /// Deletes a tenant's log. New events of the tenant open a new log under a new origin. Returns false when
    /// there was no log.
    pub async fn delete_log(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
    ) -> Result<bool, DeleteError> {
        let Ok(slot) = self.0.view.slot(environment, tenant).ok_or(ReadError::NoLog) else {
            return Ok(false);
        };
        let (reply, done) = oneshot::channel();
        let partition = self.0.placement.of(environment, tenant);
        if !self.send(partition, Message::Delete { slot, reply }).await || done.await.is_err() {
            return Err(DeleteError::Stopping);
        }
        // The seal leaves the deleted log's unsealed events out and commits its head as deleted.
        self.seal().await;
        let inner = Arc::clone(&self.0);
        let rewritten = tokio::task::spawn_blocking(move || inner.rewrite_without(slot)).await;
        rewritten.map_err(|_| DeleteError::Stopping)??;
        Ok(true)
    }
}

impl Inner {
    fn rewrite_without(&self, slot: u64) -> Result<(), DeleteError> {
        let _one_at_a_time = self.manifest.lock();
        let manifest =
            self.catalog.manifest(&self.view.manifest()).map_err(DeleteError::Catalog)?;
        let mut commit = SwapCommit::default();
        let mut paths = Vec::new();
        for meta in manifest.segments.iter().filter(|meta| meta.extent(slot).is_some()) {
            paths.push(meta.path.clone());
            commit.removed_segments.push(meta.id.clone());
            let written =
                rewrite::without(&self.segments, meta, slot).map_err(DeleteError::Segment)?;
            let Some(written) = written else { continue };
            let now_ms = self.world.clock.now_ms();
            let id = ulid(now_ms, self.world.random());
            self.catalog.intend(&[Segments::path(&id)]).map_err(DeleteError::Catalog)?;
            let put = self.segments.put_in_place_of(meta, &id, written);
            commit.new_segments.push(put.map_err(DeleteError::Segment)?);
        }
        if paths.is_empty() {
            return Ok(());
        }
        self.catalog.commit_swap(&commit).map_err(DeleteError::Catalog)?;
        let manifest =
            self.catalog.manifest(&self.view.manifest()).map_err(DeleteError::Catalog)?;
        self.view.set_manifest(manifest, None);
        for path in &paths {
            self.segments.delete(path).map_err(DeleteError::Segment)?;
        }
        self.catalog.forget_paths(&paths).map_err(DeleteError::Catalog)?;
        self.catalog.purge().map_err(DeleteError::Catalog)
    }
}
