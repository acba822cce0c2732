//! Doors for standard forms: CloudEvents, Kubernetes audit events, and lines of JSON with a field map.

use attestary_event::{
    TenantId,
    scan::{Batch, BatchForm, split_batch},
};
use attestary_formats::intake::{cloudevents, fieldmap::FieldMap, kubernetes};

use super::{Foreign, Taken, with_id};
use crate::{Caller, IntakeError, ItemViolation, Scope, Service};

impl Service {
    /// Takes CloudEvents in the structured form: one, or a batch.
    pub async fn cloudevents(
        &self,
        caller: &Caller,
        body: &[u8],
        tenant: Option<&str>,
    ) -> Result<Taken, IntakeError> {
        self.permit(caller, Scope::Ingest, "events.submit")?;
        let events = match split_batch(body, BatchForm::Json, self.limits())? {
            Batch::One(event) => vec![event],
            Batch::Many(events) => events,
        };
        let mapped = each(events.into_iter().enumerate(), |event| {
            let mapped = cloudevents::parse(event, self.limits())?;
            let (source, id) = &mapped.identity;
            let key = format!("{source}\n{id}");
            let tenant = tenant.or(mapped.tenant.as_deref());
            Ok(self.identified(caller, "cloudevents", tenant, Some(&key), &mapped.json))
        })?;
        self.take(caller, mapped, parsed(tenant)).await
    }

    /// Takes what a Kubernetes API server's audit webhook sends.
    pub async fn kubernetes_events(
        &self,
        caller: &Caller,
        body: &[u8],
        tenant: Option<&str>,
    ) -> Result<Taken, IntakeError> {
        self.permit(caller, Scope::Ingest, "events.submit")?;
        let items = kubernetes::items(body, self.limits()).map_err(|violation| {
            IntakeError::Invalid(vec![ItemViolation { index: 0, violation }])
        })?;
        let events = items.iter().map(Vec::as_slice).enumerate();
        let mapped = each(events, |event| {
            let mapped = kubernetes::parse(event, self.limits())?;
            let (audit_id, stage) = &mapped.identity;
            let key = format!("{audit_id}\n{stage}");
            Ok(self.identified(caller, "kubernetes", tenant, Some(&key), &mapped.json))
        })?;
        self.take(caller, mapped, parsed(tenant)).await
    }

    /// Takes one JSON object a line, by a map of its members.
    pub async fn mapped_lines(
        &self,
        caller: &Caller,
        body: &[u8],
        map: &FieldMap,
        tenant: Option<&str>,
    ) -> Result<Taken, IntakeError> {
        self.permit(caller, Scope::Ingest, "events.submit")?;
        let lines = match split_batch(body, BatchForm::Ndjson, self.limits())? {
            Batch::One(line) => vec![line],
            Batch::Many(lines) => lines,
        };
        let mapped = each(lines.into_iter().enumerate(), |line| {
            let mapped = map.map(line, self.limits())?;
            let tenant = tenant.or(mapped.tenant.as_deref());
            Ok(self.identified(caller, "ndjson", tenant, mapped.id.as_deref(), &mapped.json))
        })?;
        self.take(caller, mapped, parsed(tenant)).await
    }

    /// Returns the submission with its tenant, and with the id that its own system's key becomes.
    fn identified(
        &self,
        caller: &Caller,
        system: &'static str,
        tenant: Option<&str>,
        key: Option<&str>,
        json: &[u8],
    ) -> Foreign {
        let named = tenant.or(caller.only_tenant().map(TenantId::as_str));
        let id = key.map(|key| self.foreign_id(system, named.unwrap_or_default(), key).to_string());
        Foreign { json: with_id(id.as_deref(), tenant, json), system, area: None }
    }
}

/// Maps every event, or lists what is wrong with each bad one.
fn each<'a>(
    events: impl Iterator<Item = (usize, &'a [u8])>,
    map: impl Fn(&'a [u8]) -> Result<Foreign, attestary_event::Violation>,
) -> Result<Vec<Foreign>, IntakeError> {
    let (mut mapped, mut wrong) = (Vec::new(), Vec::new());
    for (index, event) in events {
        match map(event) {
            Ok(event) => mapped.push(event),
            Err(violation) => wrong.push(ItemViolation { index, violation }),
        }
    }
    if wrong.is_empty() { Ok(mapped) } else { Err(IntakeError::Invalid(wrong)) }
}

fn parsed(tenant: Option<&str>) -> Option<TenantId> {
    tenant.and_then(|tenant| TenantId::parse(tenant).ok())
}
