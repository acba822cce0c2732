//! Anchor checkpoints in a bucket that nobody can rewrite.

use attestary_delivery::errand;
use attestary_store::catalog::AnchorRow;

use crate::Service;

impl Service {
    /// Puts a checkpoint into the configured bucket when the last one is old enough, as
    /// `<prefix>/anchor/<size, 20 digits>.txt`. A failure is shown and tried again at the next epoch.
    pub(super) async fn keep_when_due(&self, row: &AnchorRow) {
        let Some(settings) = &self.settings().anchors.keeping else { return };
        let now = self.clock().monotonic();
        let last = self.anchors().known.lock().kept_at;
        if !row.quorum || last.is_some_and(|last| now.saturating_sub(last) < settings.every) {
            return;
        }
        let key = format!("anchor/{:020}.txt", row.size);
        let (guard, clock) = (self.outbound(), self.delivery_clock());
        let (config, secrets, body) = (&settings.config, &settings.secrets, row.note.clone());
        let kept = errand::keep(&guard, clock, config, secrets, &key, body.into()).await;
        let mut known = self.anchors().known.lock();
        match kept {
            Ok(()) => {
                known.kept = Some(row.size);
                known.keep_failed = None;
                known.kept_at = Some(now);
            }
            Err(why) => {
                metrics::counter!("attestary_anchor_keep_failures_total").increment(1);
                tracing::error!(
                    reason = why,
                    "a checkpoint was not kept; the next epoch tries again"
                );
                known.keep_failed = Some(why);
            }
        }
    }
}
