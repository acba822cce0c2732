//! The task of one tail: read what is behind the position, hand it over, wait for more.

use std::time::Duration;

use attestary_event::{EnvironmentId, Hidden, TenantId, filter::Filter};
use attestary_store::{Order, Page, Search};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{TailEnd, TailPart};
use crate::{Principal, Service};

/// Events of one page.
const PAGE_EVENTS: usize = 500;
/// Bytes of the bodies of one page, if it has more than one event.
const PAGE_BYTES: usize = 256 * 1024;
/// Events evaluated for one page: a tenth of a second, so that a tail that catches up is never long unheard.
const SCAN_BUDGET: usize = 100_000;
/// How often something is sent when there is nothing to show; readers take 5 s of silence for a dead connection.
const IDLE_EVERY: Duration = Duration::from_secs(2);
/// How often the right to read is checked: a revoked key ends its tails within a second.
const CHECK_EVERY: Duration = Duration::from_millis(250);
/// Pause before the next page once the reader has caught up: a busy log is read ten times a second, not at each batch.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a reader may take for one part.
const TAKE_TIME_MAX: Duration = Duration::from_secs(30);

pub(super) struct Task {
    pub(super) service: Service,
    pub(super) principal: Principal,
    pub(super) environment: EnvironmentId,
    pub(super) tenant: TenantId,
    pub(super) filter: Filter,
    /// What of each event is not shown.
    pub(super) hidden: Hidden,
    /// Everything up to this seq was looked at.
    pub(super) after: Option<u64>,
    /// The log's size; closed when the log is deleted.
    pub(super) size: watch::Receiver<u64>,
    pub(super) sender: mpsc::Sender<TailPart>,
    /// The listener stops.
    pub(super) until: CancellationToken,
}

/// What ends a task: a reason to tell the reader, or the reader itself.
enum Over {
    Because(TailEnd),
    ReaderGone,
}

impl Task {
    /// Runs until the tail is over, and says why if somebody is there to hear it.
    pub(super) async fn run(mut self, stopping: CancellationToken) {
        if let Over::Because(end) = self.follow(&stopping).await {
            // Room comes with what the reader takes next; one that takes nothing sees the connection end.
            let end = self.sender.send(TailPart::End(end));
            let _ = tokio::time::timeout(CHECK_EVERY, end).await;
        }
    }

    async fn follow(&mut self, stopping: &CancellationToken) -> Over {
        // The first part comes at once, if only to say where the tail begins.
        let mut last_sent: Option<Instant> = None;
        loop {
            self.size.mark_unchanged();
            let mut page = match self.page().await {
                Ok(page) => page,
                Err(over) => return over,
            };
            // A filter that no later seq can match stands still before the end: that counts as caught up too.
            let caught_up = page.next == self.after
                || page.next.is_none_or(|next| next + 1 >= *self.size.borrow());
            self.after = page.next.or(self.after);
            if let Some(over) = self.over(stopping) {
                return over;
            }
            crate::lens::prune(&self.hidden, &mut page.events);
            if !page.events.is_empty() {
                last_sent = Some(Instant::now());
                if let Err(over) = self.send(TailPart::Events(page.events), stopping).await {
                    return over;
                }
            }
            if caught_up && let Err(over) = self.idle(&mut last_sent, stopping).await {
                return over;
            }
        }
    }

    /// Waits until the log has grown.
    async fn idle(
        &mut self,
        last_sent: &mut Option<Instant>,
        stopping: &CancellationToken,
    ) -> Result<(), Over> {
        tokio::time::sleep(PAUSE).await;
        // A closed channel is a deleted log, which the next page finds.
        while !self.size.has_changed().unwrap_or(true) {
            if let Some(over) = self.over(stopping) {
                return Err(over);
            }
            if last_sent.is_none_or(|sent| sent.elapsed() >= IDLE_EVERY) {
                *last_sent = Some(Instant::now());
                self.send(TailPart::Idle { seq: self.after }, stopping).await?;
            }
            self.wait(stopping).await;
        }
        Ok(())
    }

    /// Reads the events behind the position.
    async fn page(&self) -> Result<Page, Over> {
        let search = Search {
            filter: self.filter.clone(),
            from: None,
            to: None,
            order: Order::Ascending,
            limit: PAGE_EVENTS,
            bytes_max: PAGE_BYTES,
            after: self.after,
            scan_budget: SCAN_BUDGET,
        };
        let page = self.service.store().query(&self.environment, &self.tenant, search).await;
        page.map_err(|error| {
            if matches!(error, attestary_store::ReadError::NoLog) {
                return Over::Because(TailEnd::LogDeleted);
            }
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "a tail could not go on reading");
            Over::Because(TailEnd::Failed)
        })
    }

    /// Returns why nothing more may be shown.
    fn over(&self, stopping: &CancellationToken) -> Option<Over> {
        if self.sender.is_closed() {
            Some(Over::ReaderGone)
        } else if !self.service.is_valid(&self.principal) {
            Some(Over::Because(TailEnd::KeyInvalid))
        } else if self.size.has_changed().is_err() {
            // Another log may have the tenant's name by now: what was read is dropped.
            Some(Over::Because(TailEnd::LogDeleted))
        } else if self.until.is_cancelled() || stopping.is_cancelled() {
            Some(Over::Because(TailEnd::Stopping))
        } else {
            None
        }
    }

    /// Waits until something may have changed, at most until the next check.
    async fn wait(&mut self, stopping: &CancellationToken) {
        tokio::select! {
            _ = self.size.changed() => self.size.mark_changed(),
            () = self.sender.closed() => {}
            () = self.until.cancelled() => {}
            () = stopping.cancelled() => {}
            () = tokio::time::sleep(CHECK_EVERY) => {}
        }
    }

    /// Hands a part over. While the reader takes its time, the right to read is checked as ever.
    async fn send(&self, part: TailPart, stopping: &CancellationToken) -> Result<(), Over> {
        let deadline = Instant::now() + TAKE_TIME_MAX;
        loop {
            match tokio::time::timeout(CHECK_EVERY, self.sender.reserve()).await {
                Ok(Ok(room)) => {
                    room.send(part);
                    return Ok(());
                }
                Ok(Err(_)) => return Err(Over::ReaderGone),
                Err(_) if Instant::now() >= deadline => {
                    return Err(Over::Because(TailEnd::TooSlow));
                }
                Err(_) => {
                    if let Some(over) = self.over(stopping) {
                        return Err(over);
                    }
                }
            }
        }
    }
}
