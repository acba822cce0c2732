//! The task of one alert: reads what is behind its position, counts, writes an event when the alert is raised.

use std::{collections::BTreeSet, time::Duration};

use attestary_event::{
    Event, EventId, Fields, Timestamp, View,
    filter::{Field, Filter},
};
use attestary_store::{Order, Outcome, Page, ReadError, Search, catalog::AlertRow};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use super::counts::{Counts, Raised, Rule};
use crate::{IntakeError, Service, audit::action, error::cause, ids, submit::submit_error};

/// Events of one page.
const PAGE_EVENTS: usize = 500;
/// Bytes of the bodies of one page, if it has more than one event.
const PAGE_BYTES: usize = 1 << 20;
/// Events evaluated for one page.
const SCAN_BUDGET: usize = 100_000;
/// Pause before the next page once everything is counted: a busy log is read ten times a second, not at each batch.
const PAUSE: Duration = Duration::from_millis(100);
/// Pause after something failed.
const AGAIN: Duration = Duration::from_secs(5);
/// How often a count that raised nothing is saved: so much of the log is counted again after a crash.
const SAVE_EVERY: Duration = Duration::from_secs(30);
/// A longer value is counted by its digest.
const VALUE_BYTES_MAX: usize = 256;

pub(super) struct Task {
    service: Service,
    row: AlertRow,
    filter: Filter,
    field: Option<Field>,
    counts: Counts,
    /// The log's size; closed when the log is deleted.
    size: watch::Receiver<u64>,
    saved_at: Instant,
    saved_seq: u64,
}

/// Why the task cannot go on now.
#[derive(Debug, thiserror::Error)]
enum TaskError {
    #[error("the log could not be read")]
    Read(#[source] ReadError),
    #[error("the alert could not be recorded")]
    Record(#[source] IntakeError),
}

impl Task {
    pub(super) fn new(
        service: Service,
        row: AlertRow,
        filter: Filter,
        field: Option<Field>,
        size: watch::Receiver<u64>,
    ) -> Self {
        // Counts that cannot be read begin anew: the alert goes on.
        let counts = serde_json::from_str(&row.counts).unwrap_or_default();
        let saved_seq = row.next_seq;
        Self { service, row, filter, field, counts, size, saved_at: Instant::now(), saved_seq }
    }

    /// Counts until the alert is changed, the log is deleted or the service stops; then saves.
    pub(super) async fn run(mut self, stopping: CancellationToken) {
        while !stopping.is_cancelled() && self.size.has_changed().is_ok() {
            self.size.mark_unchanged();
            let pause = match self.advance().await {
                Ok(true) => {
                    self.wait(&stopping).await;
                    PAUSE
                }
                Ok(false) => Duration::ZERO,
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(alert.id = %self.row.id, error, "an alert cannot go on counting");
                    AGAIN
                }
            };
            tokio::select! {
                () = stopping.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.save().await;
    }

    /// Waits until the log has grown; saves what waits to be saved.
    async fn wait(&mut self, stopping: &CancellationToken) {
        loop {
            let due = self.saved_at + SAVE_EVERY;
            let unsaved = self.saved_seq != self.row.next_seq;
            tokio::select! {
                _ = self.size.changed() => return self.size.mark_changed(),
                () = stopping.cancelled() => return,
                () = tokio::time::sleep_until(due), if unsaved => self.save().await,
            }
        }
    }

    /// Counts one page. Returns true when there is nothing more to count.
    async fn advance(&mut self) -> Result<bool, TaskError> {
        let page = self.page().await.map_err(TaskError::Read)?;
        let mut raised = Vec::new();
        if !page.events.is_empty() {
            // What a page raises is durable before the counts know of it: whatever fails in between is done again,
            // and the events' ids make it the same.
            let mut counts = self.counts.clone();
            for event in &page.events {
                self.count(&mut counts, event, &mut raised);
            }
            for alert in &raised {
                self.record(alert).await.map_err(TaskError::Record)?;
            }
            self.counts = counts;
        }
        let after = self.row.next_seq.checked_sub(1);
        let caught_up =
            page.next == after || page.next.is_none_or(|next| next + 1 >= *self.size.borrow());
        self.row.next_seq = page.next.map_or(self.row.next_seq, |next| next + 1);
        if let Some(last) = raised.last() {
            self.row.raised_ms = Some(last.last_ms);
        }
        if !raised.is_empty() || self.saved_at.elapsed() >= SAVE_EVERY {
            self.save().await;
        }
        Ok(caught_up)
    }

    async fn page(&self) -> Result<Page, ReadError> {
        let search = Search {
            filter: self.filter.clone(),
            from: None,
            to: None,
            order: Order::Ascending,
            limit: PAGE_EVENTS,
            bytes_max: PAGE_BYTES,
            after: self.row.next_seq.checked_sub(1),
            scan_budget: SCAN_BUDGET,
        };
        self.service.store().query(&self.row.environment, &self.row.tenant, search).await
    }

    fn rule(&self) -> Rule {
        Rule { threshold: self.row.threshold as usize, window_ms: self.row.window_ms }
    }

    /// Counts an event under each of its values. Events that happened longer ago than the window, such as imported
    /// ones, do not count, and alerts never do.
    fn count(&self, counts: &mut Counts, event: &Event, raised: &mut Vec<Raised>) {
        let fields = event.fields();
        let view = View { event, fields: &fields };
        let received_ms = event.received_at.0.max(0) as u64;
        let occurred = view.text("/occurred_at").and_then(Timestamp::parse);
        let is_old = occurred.is_some_and(|at| {
            event.received_at.0.saturating_sub(at.0) >= self.row.window_ms as i64
        });
        if is_old || view.text("/action") == Some(action::ALERT) {
            return;
        }
        for value in self.values(event, &fields) {
            raised.extend(counts.count(self.rule(), &value, received_ms, event.seq));
        }
    }

    /// The values that the event counts for; one for all when nothing is counted apart.
    fn values(&self, event: &Event, fields: &Fields) -> BTreeSet<String> {
        let mut values = BTreeSet::new();
        match &self.field {
            Some(field) => field.each(&View { event, fields }, &mut |value| {
                values.insert(shown(value));
            }),
            None => {
                values.insert(String::new());
            }
        }
        values
    }

    /// Writes the event of an alert into the tenant's log; durable when it returns.
    async fn record(&self, raised: &Raised) -> Result<(), IntakeError> {
        let row = &self.row;
        let event = self.event(raised).to_string().into_bytes();
        let id = event_id(row, raised);
        let event = self.service.prepare_own(&row.environment, &row.tenant, event, Some(id))?;
        let outcomes = self.service.store().submit(vec![event]).await.map_err(submit_error)?;
        match outcomes.as_slice() {
            [Outcome::Accepted(_)] => {
                metrics::counter!("attestary_alerts_raised_total").increment(1);
                tracing::info!(alert.id = %row.id, seq = raised.last_seq, "an alert was raised");
                Ok(())
            }
            [Outcome::Duplicate(_)] => Ok(()),
            _ => Err(IntakeError::Damaged),
        }
    }

    fn event(&self, raised: &Raised) -> serde_json::Value {
        let row = &self.row;
        let time = |ms: u64| Timestamp(ms as i64).to_string();
        let mut event = json!({
            "action": action::ALERT,
            "occurred_at": time(raised.last_ms),
            "actor": { "type": "service", "id": "alerts" },
            "targets": [{ "type": "alert", "id": row.id, "name": row.name }],
            "metadata": {
                "count": row.threshold, "window_seconds": row.window_ms / 1_000, "filter": row.filter,
                "first_seq": raised.first_seq, "first_at": time(raised.first_ms), "last_seq": raised.last_seq,
            },
        });
        if let Some(path) = &row.group_by {
            event["metadata"]["group_by"] = path.as_str().into();
            event["metadata"]["group"] = raised.value.as_str().into();
        }
        if raised.withheld > 0 {
            event["metadata"]["withheld"] = raised.withheld.into();
        }
        event
    }

    /// A count that cannot be saved goes on: after a crash more of the log is counted again.
    async fn save(&mut self) {
        self.saved_at = Instant::now();
        if self.saved_seq == self.row.next_seq {
            return;
        }
        let (id, next, raised_ms) = (self.row.id.clone(), self.row.next_seq, self.row.raised_ms);
        let counts = serde_json::to_string(&self.counts).expect("counts are texts and numbers");
        let saved = self
            .service
            .catalog(move |catalog| catalog.save_alert_counts(&id, next, &counts, raised_ms))
            .await;
        match saved {
            Ok(()) => self.saved_seq = next,
            Err(error) => {
                let error = cause(error);
                tracing::warn!(alert.id = %self.row.id, error = &*error, "the count of an alert could not be saved");
            }
        }
    }
}

fn shown(value: &str) -> String {
    if value.len() <= VALUE_BYTES_MAX {
        return value.to_owned();
    }
    format!("sha256:{}", attestary_event::event::hex(&Sha256::digest(value)))
}

/// Returns the id of an alert's event: the same each time these events raise this alert.
fn event_id(row: &AlertRow, raised: &Raised) -> EventId {
    let text = format!("alert {} {} {} {}", row.id, row.version, raised.last_seq, raised.value);
    ids::repeatable(raised.last_ms, &text)
}
