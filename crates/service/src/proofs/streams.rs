//! Checkpoints for the streams of destinations: heads at the places that cursors have reached.

use attestary_delivery::checkpoint::Signed;
use attestary_event::{EnvironmentId, TenantId};
use attestary_store::FixedHead;

use super::prove_error;
use crate::{ReadError, Service};

impl Service {
    /// Returns the signed checkpoint over the first `size` events; `None` when the log has fewer.
    ///
    /// It is the head of a tree that a fixed head continues, so it can contradict nothing that was signed. Same size, same
    /// bytes: the key is the one that is valid for the size.
    pub(crate) async fn checkpoint_at(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        size: u64,
    ) -> Result<Option<Signed>, ReadError> {
        let known = self.store().last_head(environment, tenant).filter(|head| head.size >= size);
        let head = match known {
            Some(head) => head,
            None => self.fixed_head(environment, tenant).await?,
        };
        if size > head.size {
            return Ok(None);
        }
        let frontier = self.store().frontier(environment, tenant, size).await;
        let frontier = frontier.map_err(prove_error)?;
        let head = FixedHead { size, root: frontier.root(), ..head };
        let note = self.sign(environment, tenant, &head).await?.to_string();
        let FixedHead { origin, root, .. } = head;
        Ok(Some(Signed { origin, size, root, subtrees: frontier.peaks().to_vec(), note }))
    }
}
