//! Time-stamps of anchor checkpoints (RFC 3161): a log's own clock is no evidence.

use attestary_delivery::errand::{self, Errand};
use attestary_ledger::{
    Note,
    stamp::{self, REPLY_BYTES_MAX, REQUEST_TYPE},
};
use attestary_store::catalog::AnchorRow;

use super::settings::StampSettings;
use crate::{Service, error::cause};

impl Service {
    /// Has a checkpoint stamped when the last stamp is old enough; a failure is shown and tried again at the next epoch.
    pub(super) async fn stamp_when_due(&self, row: &AnchorRow, note: &Note) {
        let Some(settings) = &self.settings().anchors.stamps else { return };
        let now = self.clock().monotonic();
        let last = self.anchors().known.lock().stamped_at;
        if last.is_some_and(|last| now.saturating_sub(last) < settings.every) {
            return;
        }
        match self.stamp(settings, note.text()).await {
            Ok((reply, time)) => {
                let stamped = AnchorRow { stamp: Some(reply), ..row.clone() };
                if let Err(error) = self.keep_row(stamped).await {
                    tracing::error!(error = &*error, "a time-stamp could not be saved");
                    return;
                }
                let mut known = self.anchors().known.lock();
                known.stamp = Some((time, row.size));
                known.stamp_failed = None;
                known.stamped_at = Some(now);
            }
            Err(why) => {
                metrics::counter!("attestary_stamp_failures_total").increment(1);
                tracing::error!(reason = why, "no time-stamp was had; the next epoch tries again");
                self.anchors().known.lock().stamp_failed = Some(why);
            }
        }
    }

    /// Returns the reply and the time in it.
    async fn stamp(
        &self,
        settings: &StampSettings,
        text: &str,
    ) -> Result<(Vec<u8>, String), String> {
        let mut nonce = [0; 8];
        self.rng().fill(&mut nonce);
        let errand = Errand {
            url: settings.url.clone(),
            media_type: REQUEST_TYPE,
            body: stamp::request(text, nonce).into(),
            ca: settings.ca.clone(),
            reply_max: REPLY_BYTES_MAX,
        };
        let answer = errand::post(&self.outbound(), errand).await.map_err(|error| error.detail)?;
        if answer.status != 200 {
            return Err(format!("the authority answered {}", answer.status));
        }
        let stamp = stamp::check(&answer.body, text, Some(nonce));
        let stamp = stamp.map_err(|error| cause(error).to_string())?;
        Ok((answer.body.to_vec(), stamp.time))
    }
}
