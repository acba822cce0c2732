//! Doors for standard forms: CloudEvents, Kubernetes audit events, and lines of JSON with a field map.

use attestary_event::{
    TenantId,
    scan::{BatchForm, split_batch},
};
use attestary_formats::intake::{cloudevents, fieldmap::FieldMap, kubernetes};
use bytes::Bytes;

use super::{Foreign, Taken, each, parsed, with_id};
use crate::{Caller, IntakeError, ItemViolation, Scope, Service};

impl Service {
    /// Takes CloudEvents in the structured form: one, or a batch.
    pub async fn cloudevents(
        &self,
        caller: &Caller,
        body: Bytes,
        tenant: Option<&str>,
    ) -> Result<Taken, IntakeError> {
        self.permit(caller, Scope::Ingest, "events.submit")?;
        let (bytes, named) = (body.len(), tenant.map(str::to_owned));
        let map = move |service: &Self, caller: &Caller| {
            let events = split_batch(&body, BatchForm::Json, service.limits())?;
            each(events.into_events(), |event| {
                let mapped = cloudevents::parse(event, service.limits())?;
                let (source, id) = &mapped.identity;
                let key = format!("{source}\n{id}");
                let tenant = named.as_deref().or(mapped.tenant.as_deref());
                Ok(service.identified(caller, "cloudevents", tenant, Some(&key), mapped.json))
            })
        };
        self.take(caller, bytes, parsed(tenant), map).await
    }

    /// Takes what a Kubernetes API server's audit webhook sends.
    pub async fn kubernetes_events(
        &self,
        caller: &Caller,
        body: Bytes,
        tenant: Option<&str>,
    ) -> Result<Taken, IntakeError> {
        self.permit(caller, Scope::Ingest, "events.submit")?;
        let (bytes, named) = (body.len(), tenant.map(str::to_owned));
        let map = move |service: &Self, caller: &Caller| {
            let items = kubernetes::items(&body, service.limits()).map_err(|violation| {
                IntakeError::Invalid(vec![ItemViolation { index: 0, violation }])
            })?;
            each(items.iter().map(Vec::as_slice), |event| {
                let mapped = kubernetes::parse(event, service.limits())?;
                let (audit_id, stage) = &mapped.identity;
                let key = format!("{audit_id}\n{stage}");
                let tenant = named.as_deref();
                Ok(service.identified(caller, "kubernetes", tenant, Some(&key), mapped.json))
            })
        };
        self.take(caller, bytes, parsed(tenant), map).await
    }

    /// Takes one JSON object a line, by a map of its members.
    pub async fn mapped_lines(
        &self,
        caller: &Caller,
        body: Bytes,
        fields: FieldMap,
        tenant: Option<&str>,
    ) -> Result<Taken, IntakeError> {
        self.permit(caller, Scope::Ingest, "events.submit")?;
        let (bytes, named) = (body.len(), tenant.map(str::to_owned));
        let map = move |service: &Self, caller: &Caller| {
            let lines = split_batch(&body, BatchForm::Ndjson, service.limits())?;
            each(lines.into_events(), |line| {
                let mapped = fields.map(line, service.limits())?;
                let tenant = named.as_deref().or(mapped.tenant.as_deref());
                Ok(service.identified(caller, "ndjson", tenant, mapped.id.as_deref(), mapped.json))
            })
        };
        self.take(caller, bytes, parsed(tenant), map).await
    }

    /// Returns the submission with its tenant, and with the id that its own system's key becomes.
    fn identified(
        &self,
        caller: &Caller,
        system: &'static str,
        tenant: Option<&str>,
        key: Option<&str>,
        json: Vec<u8>,
    ) -> Foreign {
        let named = tenant.or(caller.only_tenant().map(TenantId::as_str));
        let id = key.map(|key| self.foreign_id(system, named.unwrap_or_default(), key).to_string());
        Foreign { json: with_id(id.as_deref(), tenant, json), system, area: None }
    }
}
