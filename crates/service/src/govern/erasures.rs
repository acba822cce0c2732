//! Erasure: values that a person or an operator wants gone leave every place that the service keeps; proofs stay.
//!
//! A request waits while a hold keeps what it asks for, is refused in a locked log, and goes on where a stop
//! interrupted it. It names a person only until it is done.

use std::collections::{HashMap, HashSet};

use attestary_event::{Event, EventId, TenantId, Violation, filter::Filter};
use attestary_ledger::RemovalList;
use attestary_store::{
    Catalog, LogHead, Pick, Picker, Pickers, Sealed,
    catalog::{ErasureRow, RemovalKind},
};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    holds::{Hold, parse_filter},
    removals::Part,
    subject::{InAudit, InLog, Subject},
};
use crate::{
    AccessError, Caller, ChangeError, ReadError, Scope, Service,
    audit::{Act, action},
    cursor::{decode_text, encode_text},
    error::cause,
    ids::mint,
    keys::change_error,
};

const EVENTS_MAX: usize = 1_000;
const FIELDS_MAX: usize = 100;
const VALUES_MAX: usize = 16;
const VALUE_BYTES_MIN: usize = 3;
const VALUE_BYTES_MAX: usize = 1_024;
const BASIS_BYTES_MAX: usize = 256;
/// Members that every event must have to be one.
const FIXED: [&str; 5] = ["/action", "/category", "/outcome", "/severity", "/occurred_at"];

/// State of an erasure that waits for a hold.
const PENDING: &str = "pending";

/// Which erasures to go on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TakeUp {
    /// Those that wait for a hold as well: finding out whether it still holds them reads the whole log.
    All,
    /// Those that nothing holds.
    Running,
}

/// What is to be erased; exactly one of `events`, `filter` and `subject`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewErasure {
    /// Ids of events.
    pub events: Option<Vec<String>>,
    /// Text in the filter language.
    pub filter: Option<String>,
    /// Values that name a person: ids, e-mail addresses, names.
    pub subject: Option<Vec<String>>,
    /// Pointers of the fields that go, with all below them; without, the whole payload goes.
    pub fields: Option<Vec<String>>,
    /// Why it is lawful. It stands in the log for ever and must not name anybody.
    #[serde(skip)]
    pub legal_basis: String,
}

/// One page of erasures, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasurePage {
    /// The erasures.
    pub erasures: Vec<ErasureRow>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

/// Picks events by id or filter, whole or by field.
struct Chosen {
    ids: Option<HashSet<EventId>>,
    filter: Option<Filter>,
    fields: Option<Vec<String>>,
}

impl Picker for Chosen {
    fn needs_content(&self) -> bool {
        self.filter.is_some() || self.fields.is_some()
    }

    fn pick(&mut self, event: &Sealed<'_>) -> Pick {
        let chosen = (self.ids.is_some() || self.filter.is_some())
            && event.flags & Event::SERVICE == 0
            && self.ids.as_ref().is_none_or(|ids| ids.contains(&event.id))
            && self
                .filter
                .as_ref()
                .is_none_or(|filter| event.view.as_ref().is_some_and(|view| filter.matches(view)));
        if !chosen {
            return Pick::Keep;
        }
        let (Some(pointers), Some(view)) = (&self.fields, &event.view) else {
            return Pick::Payload;
        };
        let below = |pointer: &str| {
            pointers.iter().any(|of| {
                pointer
                    .strip_prefix(of.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        };
        let gone = view.fields.iter().zip(event.indexes).filter(|(field, _)| below(field.pointer));
        let gone: Vec<_> = gone.map(|(_, index)| *index).collect();
        if gone.is_empty() { Pick::Keep } else { Pick::Fields(gone) }
    }
}

/// Asks the holds about everything that another picker picks.
struct Held {
    inner: Box<dyn Picker>,
    holds: Vec<Hold>,
    holding: std::sync::Arc<Mutex<HashSet<String>>>,
}

impl Picker for Held {
    fn needs_content(&self) -> bool {
        self.inner.needs_content() || !self.holds.is_empty()
    }

    fn pick(&mut self, event: &Sealed<'_>) -> Pick {
        let pick = self.inner.pick(event);
        if let (false, Some(view)) = (pick == Pick::Keep, &event.view) {
            let holding = self.holds.iter().filter(|hold| hold.matches(view));
            self.holding.lock().extend(holding.map(|hold| hold.id.clone()));
        }
        pick
    }
}

impl Service {
    /// Takes a request for erasure in and begins it.
    pub async fn request_erasure(
        &self,
        caller: &Caller,
        tenant: &str,
        new: NewErasure,
    ) -> Result<ErasureRow, ChangeError> {
        self.permit(caller, Scope::Admin, "erasure.request")?;
        let tenant = self.visible(caller, tenant)?;
        let environment = caller.environment()?.clone();
        check(&new)?;
        if self.govern().ruling(&environment, &tenant).lock {
            let reason = "the tenant's log is locked: its events can be read, not erased, until their retention ends";
            return Err(ChangeError::Conflict { reason: reason.to_owned() });
        }
        let now_ms = self.clock().now_ms();
        let by = if new.subject.is_some() {
            "subject"
        } else if new.filter.is_some() {
            "filter"
        } else {
            "events"
        };
        let row = ErasureRow {
            id: mint("era_", now_ms, self.rng()),
            environment,
            tenant,
            state: "running".to_owned(),
            request: Some(
                serde_json::to_string(&new)
                    .map_err(|error| ChangeError::Unavailable(cause(error)))?,
            ),
            legal_basis: new.legal_basis,
            result: json!({ "by": by }).to_string(),
            created_ms: now_ms,
            created_by: caller.principal.id().to_owned(),
            done_ms: None,
        };
        // The record of the request must not bring back what is about to go.
        let act = Act::new(action::POLICY, "erasure.request")
            .on("tenant", row.tenant.as_str())
            .on("erasure", &row.id)
            .with("by", by)
            .with("legal_basis", row.legal_basis.as_str());
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        let kept = row.clone();
        self.catalog(move |catalog| catalog.create_erasure(&kept)).await.map_err(change_error)?;
        self.take_up_erasures(TakeUp::Running);
        Ok(row)
    }

    /// Returns one erasure.
    pub async fn erasure(
        &self,
        caller: &Caller,
        tenant: &str,
        id: &str,
    ) -> Result<ErasureRow, ReadError> {
        self.permit(caller, Scope::Admin, "erasure.get")?;
        let row = self.erasure_row(caller, tenant, id).await?;
        let act = Act::new(action::VIEW, "erasure.get")
            .on("tenant", row.tenant.as_str())
            .on("erasure", id);
        self.record(caller, act).await.map_err(ReadError::Audit)?;
        Ok(row)
    }

    pub(super) async fn erasure_row(
        &self,
        caller: &Caller,
        tenant: &str,
        id: &str,
    ) -> Result<ErasureRow, ReadError> {
        let tenant = self.visible(caller, tenant)?;
        let environment = caller.environment()?;
        let of = id.to_owned();
        let row = self.catalog(move |catalog| catalog.erasure(&of)).await;
        let row = row.map_err(|error| ReadError::Unavailable(cause(error)))?;
        let own = |row: &ErasureRow| row.environment == *environment && row.tenant == tenant;
        row.filter(own).ok_or(AccessError::NotFound.into())
    }

    /// Returns a page of a tenant's erasures, newest first.
    pub async fn list_erasures(
        &self,
        caller: &Caller,
        tenant: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ErasurePage, ReadError> {
        self.permit(caller, Scope::Admin, "erasure.list")?;
        let tenant = self.visible(caller, tenant)?;
        let environment = caller.environment()?.clone();
        let list = format!("erasures {environment} {tenant}");
        let before = cursor.map(|text| decode_text(&list, text, self.cursor_key())).transpose()?;
        let read = move |catalog: &Catalog| {
            catalog.erasures(&environment, &tenant, before.as_deref(), limit + 1)
        };
        let mut erasures =
            self.catalog(read).await.map_err(|error| ReadError::Unavailable(cause(error)))?;
        let more = erasures.len() > limit;
        erasures.truncate(limit);
        let last = erasures.last().filter(|_| more);
        let next_cursor = last.map(|row| encode_text(&list, &row.id, self.cursor_key()));
        self.recorded_list(caller, "erasure.list", erasures.len()).await?;
        Ok(ErasurePage { erasures, next_cursor })
    }

    /// Takes up what waits or was interrupted, in the background.
    pub(crate) fn take_up_erasures(&self, which: TakeUp) {
        let service = self.clone();
        self.spawn(move |_| async move {
            if let Err(error) = service.resume_erasures(which).await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "an erasure stopped and is tried again"
                );
            }
        });
    }

    /// Goes on with erasures that are not done.
    pub(crate) async fn resume_erasures(&self, which: TakeUp) -> Result<(), ChangeError> {
        let _turn = self.govern().turn().await;
        let rows = self.catalog(Catalog::unfinished_erasures).await.map_err(change_error)?;
        for row in rows.into_iter().filter(|row| which == TakeUp::All || row.state != PENDING) {
            self.erase(row).await?;
        }
        Ok(())
    }

    /// Carries one erasure out, or notes that it waits for a hold.
    async fn erase(&self, mut row: ErasureRow) -> Result<(), ChangeError> {
        let Some(request) = &row.request else {
            // Everything is out of the segments; what held the bytes was being wiped.
            return self.wipe_and_end(row).await;
        };
        let request: NewErasure = serde_json::from_str(request)
            .map_err(|error| ChangeError::Unavailable(cause(error)))?;
        let Some(log) = self.store().log(&row.environment, &row.tenant) else {
            // The tenant was deleted meanwhile, with all its events.
            row.result = json!({ "events": 0, "note": "the tenant was deleted" }).to_string();
            return self.end_erasure(row).await;
        };
        // Nothing that is to go may be left where only the next seal would bring it.
        self.store().seal().await;
        let holds = self.holds_in_force(&row.environment, &row.tenant).await?;
        let (parts, holding) = self.find(&row, &log, &request, holds).await?;
        if !holding.is_empty() {
            return self.note_pending(row, holding).await;
        }
        let found = erased(&parts);
        let caller = Caller::installation(&row.environment);
        let facts = [
            ("legal_basis", Value::from(row.legal_basis.as_str())),
            ("requested_by", Value::from(row.created_by.as_str())),
        ];
        let stretches = parts.first().map(|part| stretches(&part.list)).unwrap_or_default();
        let (removals, rewritten) = if parts.is_empty() {
            Default::default()
        } else {
            self.remove(&caller, RemovalKind::Erasure, &row.id, parts, &facts).await?
        };
        let exports = if removals.is_empty() {
            Vec::new()
        } else {
            self.delete_exports_of(&row.environment, &row.tenant).await?
        };
        let answers = self.blank_answers(&row, stretches).await?;
        let not_reached = self.blank_mentions(&row, &request).await?;
        let before: Value = serde_json::from_str(&row.result).unwrap_or_default();
        let result = json!({
            "by": before["by"], "events": found.0, "fields": found.1,
            "removals": removals.iter().map(|removal| removal.id.as_str()).collect::<Vec<_>>(),
            "segments": rewritten.segments, "bytes_before": rewritten.bytes_before,
            "bytes_after": rewritten.bytes_after, "delivery_answers": answers, "not_reached": not_reached,
            "exports": exports,
        });
        (row.request, row.result) = (None, result.to_string());
        let kept = row.clone();
        self.catalog(move |catalog| catalog.update_erasure(&kept)).await.map_err(change_error)?;
        self.wipe_and_end(row).await
    }

    async fn wipe_and_end(&self, row: ErasureRow) -> Result<(), ChangeError> {
        // Twice: what the first seal wrote is remembered in memory until the second.
        for _ in 0..2 {
            self.store().wipe().await.map_err(|error| ChangeError::Unavailable(cause(error)))?;
        }
        self.end_erasure(row).await
    }

    /// Finds what is to go in the tenant's log and, for a person, in what the audit log says about the tenant.
    async fn find(
        &self,
        row: &ErasureRow,
        log: &LogHead,
        request: &NewErasure,
        holds: Vec<Hold>,
    ) -> Result<(Vec<Part>, Vec<String>), ChangeError> {
        let holding = std::sync::Arc::new(Mutex::new(HashSet::new()));
        let inner: Box<dyn Picker> = match &request.subject {
            Some(values) => Box::new(InLog(Subject::new(values))),
            None => Box::new(Chosen::of(request)),
        };
        let picker = Held { inner, holds, holding: std::sync::Arc::clone(&holding) };
        let mut pickers: Pickers = HashMap::new();
        pickers.insert(log.slot, Box::new(picker));
        let audit = self.store().log(&row.environment, &TenantId::audit());
        if let (Some(values), Some(audit)) = (&request.subject, &audit) {
            let picker = InAudit(Subject::new(values), row.tenant.clone());
            pickers.insert(audit.slot, Box::new(picker));
        }
        let picked = self.store().pick(None, pickers).await;
        let (mut lists, _) = picked.map_err(|error| ChangeError::Unavailable(cause(error)))?;
        let heads = [Some(log.clone()), audit.filter(|audit| audit.slot != log.slot)];
        let parts = heads
            .into_iter()
            .flatten()
            .filter_map(|head| lists.remove(&head.slot).map(|list| Part { head, list }));
        let parts = parts.collect();
        let mut holding: Vec<_> = std::mem::take(&mut *holding.lock()).into_iter().collect();
        holding.sort();
        Ok((parts, holding))
    }

    async fn note_pending(&self, row: ErasureRow, holding: Vec<String>) -> Result<(), ChangeError> {
        let mut result: Value = serde_json::from_str(&row.result).unwrap_or_default();
        result["holds"] = holding.into();
        let waiting = ErasureRow { state: PENDING.to_owned(), result: result.to_string(), ..row };
        self.catalog(move |catalog| catalog.update_erasure(&waiting)).await.map_err(change_error)
    }

    async fn end_erasure(&self, row: ErasureRow) -> Result<(), ChangeError> {
        let done_ms = Some(self.clock().now_ms());
        let done = ErasureRow { state: "done".to_owned(), request: None, done_ms, ..row };
        self.catalog(move |catalog| catalog.update_erasure(&done)).await.map_err(change_error)?;
        self.catalog(Catalog::purge).await.map_err(change_error)
    }

    async fn blank_answers(
        &self,
        row: &ErasureRow,
        stretches: Vec<(u64, u64)>,
    ) -> Result<u64, ChangeError> {
        let (environment, tenant) = (row.environment.clone(), row.tenant.clone());
        let blank =
            move |catalog: &Catalog| catalog.blank_answers(&environment, &tenant, &stretches);
        self.catalog(blank).await.map_err(change_error)
    }

    /// Takes a person out of released holds, and lists what people wrote that still names the person.
    async fn blank_mentions(
        &self,
        row: &ErasureRow,
        request: &NewErasure,
    ) -> Result<Vec<Value>, ChangeError> {
        let Some(values) = &request.subject else { return Ok(Vec::new()) };
        let subject = Subject::new(values);
        let policy = self.govern().own(&row.environment, Some(&row.tenant));
        let (environment, tenant) = (row.environment.clone(), row.tenant.clone());
        let mut not_reached = Vec::new();
        if policy.is_some_and(|policy| subject.is_in(&policy.document().to_string())) {
            not_reached.push(json!({ "type": "retention" }));
        }
        let reach = move |catalog: &Catalog| {
            let holds = catalog.holds(&environment, &tenant, false, None, usize::MAX >> 1)?;
            for hold in holds {
                let texts = [&hold.name, &hold.filter, &hold.custodians, &hold.reason];
                if !texts.into_iter().any(|text| subject.is_in(text)) {
                    continue;
                }
                if hold.released_ms.is_some() {
                    catalog.blank_hold(&hold.id)?;
                } else {
                    not_reached.push(json!({ "type": "hold", "id": hold.id }));
                }
            }
            for destination in catalog.destinations_of(&environment, &tenant)? {
                let texts = [&destination.name, &destination.filter, &destination.config];
                if texts.into_iter().any(|text| subject.is_in(text)) {
                    not_reached.push(json!({ "type": "destination", "id": destination.id }));
                }
            }
            for view in catalog.views(&environment, &tenant)? {
                if subject.is_in(&view.name) || subject.is_in(&view.filter) {
                    not_reached.push(json!({ "type": "saved_view", "id": view.id }));
                }
            }
            Ok(not_reached)
        };
        self.catalog(reach).await.map_err(change_error)
    }
}

impl Chosen {
    fn of(request: &NewErasure) -> Self {
        let ids = request.events.as_ref();
        Self {
            ids: ids.map(|ids| ids.iter().filter_map(|id| EventId::parse(id)).collect()),
            filter: request.filter.as_ref().and_then(|text| Filter::parse(text).ok()),
            fields: request.fields.clone(),
        }
    }
}

/// Returns the events and the single fields that go.
fn erased(parts: &[Part]) -> (u64, u64) {
    let events = parts.iter().map(|part| part.list.events()).sum();
    let lines = parts.iter().flat_map(|part| part.list.lines());
    let fields = lines.map(|line| match line {
        attestary_ledger::removal::Removed::Fields { indexes, .. } => indexes.len() as u64,
        attestary_ledger::removal::Removed::Payloads { .. } => 0,
    });
    (events, fields.sum())
}

fn stretches(list: &RemovalList) -> Vec<(u64, u64)> {
    list.lines().iter().map(attestary_ledger::removal::Removed::seqs).collect()
}

fn check(new: &NewErasure) -> Result<(), ChangeError> {
    let mut violations = Vec::new();
    let mut refuse =
        |pointer: &str, detail: String| violations.push(Violation::new(pointer, detail));
    let given = [new.events.is_some(), new.filter.is_some(), new.subject.is_some()];
    if given.iter().filter(|given| **given).count() != 1 {
        refuse("", "give exactly one of \"events\", \"filter\" and \"subject\"".to_owned());
    }
    let mut count = |name: &str, values: Option<&Vec<String>>, max: usize| {
        if values.is_some_and(|values| values.is_empty() || values.len() > max) {
            refuse(&format!("/{name}"), format!("must have 1 to {max} items"));
        }
    };
    count("events", new.events.as_ref(), EVENTS_MAX);
    count("subject", new.subject.as_ref(), VALUES_MAX);
    count("fields", new.fields.as_ref(), FIELDS_MAX);
    for (at, id) in new.events.iter().flatten().enumerate() {
        if EventId::parse(id).is_none() {
            refuse(&format!("/events/{at}"), "must be the id of an event, a UUID".to_owned());
        }
    }
    for (at, value) in new.subject.iter().flatten().enumerate() {
        if !(VALUE_BYTES_MIN..=VALUE_BYTES_MAX).contains(&value.len()) {
            let detail = format!(
                "must have {VALUE_BYTES_MIN} to {VALUE_BYTES_MAX} bytes; this one has {}",
                value.len()
            );
            refuse(&format!("/subject/{at}"), detail);
        }
    }
    if new.subject.is_some() && new.fields.is_some() {
        refuse("/fields", "a person's fields are found by \"subject\" alone".to_owned());
    }
    for (at, pointer) in new.fields.iter().flatten().enumerate() {
        if !pointer.starts_with('/') || pointer.len() > VALUE_BYTES_MAX {
            refuse(
                &format!("/fields/{at}"),
                "must be a JSON pointer such as /context/ip".to_owned(),
            );
        } else if FIXED.contains(&pointer.as_str()) {
            let detail =
                format!("{pointer} says what happened; leave \"fields\" out to erase whole events");
            refuse(&format!("/fields/{at}"), detail);
        }
    }
    if new.legal_basis.is_empty() || new.legal_basis.len() > BASIS_BYTES_MAX {
        refuse("/legal_basis", format!("must have 1 to {BASIS_BYTES_MAX} bytes"));
    }
    if let Some(text) = &new.filter {
        match parse_filter(text) {
            Err(problem) => return Err(ChangeError::Filter(problem)),
            Ok(filter) if filter.is_relative() => {
                refuse("/filter", "\"now\" means nothing here: the erasure may wait".to_owned());
            }
            Ok(_) => {}
        }
    }
    if let Some(values) = &new.subject
        && Subject::new(values).is_in(&new.legal_basis)
    {
        refuse(
            "/legal_basis",
            "it stands in the log for ever and must not name the person".to_owned(),
        );
    }
    if violations.is_empty() { Ok(()) } else { Err(ChangeError::Invalid(violations)) }
}
