//! What destinations say in their tenant's log: gaps, and changes of their state.
//!
//! A note is saved with the delivery state that it speaks about. Here it becomes an event of the service in the
//! tenant's log, and is removed when that event is durable. The event's id is made from the note's number, so a
//! note that is taken twice gives one event. Who wants to be told by a webhook makes a destination whose filter
//! selects these events; it does not depend on the one that they speak about.

use std::time::Duration;

use attestary_delivery::{DestinationId, Facts, Gap, Notice};
use attestary_event::{EventId, Timestamp};
use attestary_store::{Outcome, catalog::NoteRow};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{IntakeError, Service, audit::action, error::cause, ids, submit::submit_error};

/// Notes taken at once.
const NOTES_AT_ONCE: usize = 100;
/// How long to wait before notes that could not be recorded are taken again.
const AGAIN: Duration = Duration::from_secs(5);
/// How often the outbox is looked at without a call, for notes of an earlier run.
const LOOK_EVERY: Duration = Duration::from_mins(5);

/// A note as stored.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Note {
    Gap(Gap),
    Notice { notice: Notice },
}

/// Returns the notes that facts give rise to.
pub(super) fn of(facts: &Facts, now_ms: u64) -> Vec<(u64, String)> {
    let gaps = facts.gaps.iter().map(|gap| Note::Gap(*gap));
    let notices = facts.notices.iter().map(|notice| Note::Notice { notice: notice.clone() });
    gaps.chain(notices)
        .map(|note| (now_ms, serde_json::to_string(&note).expect("a note holds texts and numbers")))
        .collect()
}

impl Service {
    /// Turns notes into events for as long as the service runs.
    pub(super) fn start_notes(&self) {
        let service = self.clone();
        self.spawn(|stopping| async move {
            let nudged = service.destinations().nudge();
            let mut wait = Duration::ZERO;
            loop {
                tokio::select! {
                    biased;
                    () = stopping.cancelled() => return,
                    () = nudged.notified() => {}
                    () = tokio::time::sleep(wait) => {}
                }
                wait = match service.take_notes().await {
                    Ok(()) => LOOK_EVERY,
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(
                            error,
                            "what destinations have to say could not be recorded"
                        );
                        AGAIN
                    }
                };
            }
        });
    }

    async fn take_notes(&self) -> Result<(), IntakeError> {
        let unavailable = |error| IntakeError::Unavailable(cause(error));
        loop {
            let notes = self.catalog(|catalog| catalog.delivery_notes(NOTES_AT_ONCE)).await;
            let notes = notes.map_err(unavailable)?;
            if notes.is_empty() {
                return Ok(());
            }
            for note in notes {
                self.record_note(&note).await?;
                let number = note.number;
                let removed =
                    self.catalog(move |catalog| catalog.remove_delivery_note(number)).await;
                removed.map_err(|error| IntakeError::Unavailable(cause(error)))?;
            }
        }
    }

    async fn record_note(&self, row: &NoteRow) -> Result<(), IntakeError> {
        // A tenant that was deleted has no log to say it in.
        if self.store().log(&row.environment, &row.tenant).is_none() {
            return Ok(());
        }
        let Some(json) = event(row) else {
            tracing::error!(destination.id = %row.destination, "a stored note does not parse");
            return Ok(());
        };
        let id = event_id(row);
        let prepared = self.prepare_own(&row.environment, &row.tenant, json, Some(id))?;
        let outcomes = self.store().submit(vec![prepared]).await.map_err(submit_error)?;
        match outcomes.as_slice() {
            [Outcome::Accepted(_) | Outcome::Duplicate(_)] => Ok(()),
            _ => {
                tracing::error!(destination.id = %row.destination, "a note was refused by the log");
                Ok(())
            }
        }
    }
}

/// Returns the id of a note's event: the same each time it is taken.
fn event_id(row: &NoteRow) -> EventId {
    let text = format!("delivery note {} {} {}", row.number, row.destination, row.made_ms);
    ids::repeatable(row.made_ms, &text)
}

/// Returns the event that a note becomes.
fn event(row: &NoteRow) -> Option<Vec<u8>> {
    let note: Note = serde_json::from_str(&row.note).ok()?;
    DestinationId::parse(&row.destination)?;
    let (name, outcome, changes, metadata) = match note {
        Note::Gap(gap) => (
            "attestary.gap",
            "failure",
            json!([]),
            json!({
                "first_seq": gap.first_seq, "last_seq": gap.last_seq, "count": gap.last_seq - gap.first_seq + 1,
                "reason": "retention removed these events before they were delivered",
            }),
        ),
        Note::Notice { notice } => {
            let (outcome, old, new, metadata) = notice_of(&notice);
            let changes = json!([{ "field": "state", "old": old, "new": new }]);
            (action::DESTINATION, outcome, changes, metadata)
        }
    };
    let mut event = json!({
        "action": name,
        "occurred_at": Timestamp(row.made_ms as i64).to_string(),
        "outcome": outcome,
        "actor": { "type": "service", "id": "delivery" },
        "targets": [{ "type": "destination", "id": row.destination }],
        "metadata": metadata,
    });
    if changes.as_array().is_some_and(|changes| !changes.is_empty()) {
        event["changes"] = changes;
    }
    Some(event.to_string().into_bytes())
}

fn notice_of(notice: &Notice) -> (&'static str, &'static str, &'static str, Value) {
    let since = |since_ms: i64| Timestamp(since_ms).to_string();
    match notice {
        Notice::Failing { failures, since_ms, reason } => (
            "failure",
            "active",
            "failing",
            json!({
                "operation": "destination.failing", "failures": failures, "since": since(*since_ms),
                "reason": reason.code, "detail": reason.detail,
            }),
        ),
        Notice::Paused { reason } => (
            "failure",
            "active",
            "paused",
            json!({ "operation": "destination.paused", "reason": reason.code, "detail": reason.detail }),
        ),
        Notice::Recovered { since_ms } => (
            "success",
            "failing",
            "active",
            json!({ "operation": "destination.recovered", "since": since(*since_ms) }),
        ),
    }
}

#[cfg(test)]
mod tests {
    use attestary_delivery::{Cause, Reason};
    use attestary_event::{EnvironmentId, TenantId};

    use super::*;

    fn row(facts: &Facts) -> NoteRow {
        let (made_ms, note) = of(facts, 1_700_000_000_000).remove(0);
        NoteRow {
            number: 7,
            destination: "dst_01ARYZ6S410000000000000000".to_owned(),
            environment: EnvironmentId::restored("production"),
            tenant: TenantId::restored("acme"),
            made_ms,
            note,
        }
    }

    fn said(facts: &Facts) -> Value {
        serde_json::from_slice(&event(&row(facts)).unwrap()).unwrap()
    }

    #[test]
    fn a_gap_names_its_range() {
        let facts = Facts { gaps: vec![Gap { first_seq: 3, last_seq: 9 }], ..Facts::default() };
        let event = said(&facts);
        assert_eq!(event["action"], "attestary.gap");
        assert_eq!(event["metadata"]["count"], 7);
        assert_eq!(event_id(&row(&facts)), event_id(&row(&facts)));
    }

    #[test]
    fn a_change_of_state_names_old_and_new() {
        let reason = Reason::new(Cause::Refused, "the receiver answered 401");
        let facts = Facts { notices: vec![Notice::Paused { reason }], ..Facts::default() };
        let event = said(&facts);
        assert_eq!(event["action"], "attestary.destination.changed");
        assert_eq!(event["changes"][0]["new"], "paused");
        assert_eq!(event["metadata"]["detail"], "the receiver answered 401");
        let facts = Facts { notices: vec![Notice::Recovered { since_ms: 5 }], ..Facts::default() };
        assert_eq!(said(&facts)["outcome"], "success");
    }
}
