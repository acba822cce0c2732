//! What a restored data directory says of itself: logs that began anew, and erasures that a backup undid.
//!
//! New incarnations are opened while nothing is served (`attestary renew`). Their genesis events name what they go on from;
//! the event written here says so once more where readers look, in the log itself.

use attestary_event::{EnvironmentId, EventId, TenantId, event::hex};
use attestary_ledger::{RemovalList, removal::Removed};
use attestary_store::{
    Catalog, LogHead, Outcome,
    catalog::{IncarnationRow, RemovalKind},
};

use crate::{
    Caller, ChangeError, Service,
    audit::{Act, action},
    error::cause,
    govern::removals::Part,
    keys::change_error,
    submit::submit_error,
};

/// Logs that are told together.
const TOLD_MAX: usize = 500;

impl Service {
    /// Writes into every log that began anew from what it did.
    pub(crate) async fn announce_incarnations(&self) -> Result<(), ChangeError> {
        loop {
            let rows = self.catalog(|catalog| catalog.unannounced_incarnations(TOLD_MAX)).await;
            let rows = rows.map_err(change_error)?;
            if rows.is_empty() {
                break;
            }
            self.announce(&rows).await?;
            self.catalog(move |catalog| catalog.announce_incarnations(&rows))
                .await
                .map_err(change_error)?;
        }
        let anchor = self.catalog(Catalog::anchor_log).await.map_err(change_error)?;
        let Some(row) = anchor.filter(|row| !row.announced) else { return Ok(()) };
        let act = Act::new(action::RESTORED, "anchor.restore")
            .with("origin", self.store().anchor_origin())
            .with("previous_epochs", row.epochs);
        let caller = Caller::installation_itself();
        let audit = TenantId::audit();
        let written = self.record_once(&caller, &audit, EventId(row.event), act).await;
        written.map_err(ChangeError::Audit)?;
        self.catalog(Catalog::announce_anchor_log).await.map_err(change_error)
    }

    async fn announce(&self, rows: &[IncarnationRow]) -> Result<(), ChangeError> {
        let logs = self.present_logs();
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            // A tenant that was deleted since needs to hear nothing.
            let Some(log) = logs.iter().find(|log| log.slot == row.slot) else { continue };
            let act = Act::new(action::RESTORED, "log.restore")
                .with("origin", log.origin.as_str())
                .with("previous_origin", self.store().log_origin(&row.log_id))
                .with("previous_size", row.size)
                .with("previous_root", hex(&row.root));
            let caller = Caller::installation(&log.environment);
            let json = act.json(&caller);
            let id = Some(EventId(row.event));
            let event = self.prepare_own(&log.environment, &log.tenant, json, id);
            events.push(event.map_err(ChangeError::Audit)?);
        }
        let outcomes = self.store().submit(events).await.map_err(submit_error);
        for outcome in outcomes.map_err(ChangeError::Audit)? {
            if matches!(outcome, Outcome::Damaged) {
                tracing::error!("a damaged log does not say that it began anew");
            }
        }
        Ok(())
    }

    fn present_logs(&self) -> Vec<LogHead> {
        let environments = self.directory().environments().into_iter().map(|found| found.name);
        let all = environments.chain([EnvironmentId::restored(crate::caller::SYSTEM)]);
        all.flat_map(|environment| self.store().logs(&environment)).collect()
    }

    /// Carries out again what a restored backup brought back: erasures that the catalog does not know.
    pub(crate) async fn replay_erasures(&self) -> Result<(), ChangeError> {
        let unavailable = |error| ChangeError::Unavailable(cause(error));
        for id in self.store().kept_erasures().await.map_err(unavailable)? {
            let of = id.clone();
            let known = self.catalog(move |catalog| catalog.removal(&of)).await;
            if known.map_err(change_error)?.is_some() {
                continue;
            }
            let list = self.store().kept_erasure(&id).await.map_err(unavailable)?;
            let list = RemovalList::parse(&list)
                .map_err(|error| ChangeError::Unavailable(cause(error)))?;
            if let Some((head, size)) = self.log_of(list.origin()).await? {
                let _turn = self.govern().turn().await;
                let list = within(&list, &head.origin, size);
                if list.events() > 0 {
                    tracing::warn!(removal = %id, "an erasure is carried out again after a restore");
                    let caller = Caller::installation(&head.environment);
                    let parts = vec![Part { head, list }];
                    self.store().seal().await;
                    self.remove(&caller, RemovalKind::Erasure, &id, parts, &[]).await?;
                    for _ in 0..2 {
                        let wiped = self.store().wipe().await;
                        wiped.map_err(|error| ChangeError::Unavailable(cause(error)))?;
                    }
                }
            }
            self.store().forget_erasure(&id).await.map_err(unavailable)?;
        }
        Ok(())
    }

    /// Returns the log that has or had this origin, and how many of its events had it: what came later under the old name is
    /// not there, and what came under the new one is something else.
    async fn log_of(&self, origin: &str) -> Result<Option<(LogHead, u64)>, ChangeError> {
        let logs = self.present_logs();
        if let Some(log) = logs.iter().find(|log| log.origin == origin) {
            return Ok(Some((log.clone(), log.size)));
        }
        let older = self.store().incarnation_called(origin).await.map_err(change_error)?;
        let Some(older) = older else { return Ok(None) };
        let log = logs.into_iter().find(|log| log.slot == older.slot);
        Ok(log.map(|log| (log, older.size)))
    }
}

/// Returns what the list names of the first `size` events, as a list of the log `origin`.
fn within(list: &RemovalList, origin: &str, size: u64) -> RemovalList {
    let mut cut = RemovalList::new(origin);
    for line in list.lines() {
        match line {
            Removed::Payloads { first, last } => {
                for seq in *first..=(*last).min(size.saturating_sub(1)) {
                    cut.push_payload(seq);
                }
            }
            Removed::Fields { seq, indexes } if *seq < size => {
                cut.push_fields(*seq, indexes.clone());
            }
            Removed::Fields { .. } => {}
        }
    }
    cut
}
