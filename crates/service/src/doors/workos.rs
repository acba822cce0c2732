//! WorkOS: its events in, its exports, and its links to the portal.

use std::fmt::Write as _;

use attestary_event::Timestamp;
use attestary_formats::intake::workos;
use bytes::Bytes;

use super::{Foreign, Taken, each, with_id};
use crate::{
    Caller, ChangeError, Destination, Export, ExportLink, IntakeError, ItemViolation, NewExport,
    NewPortalSession, Person, PortalCreated, ReadError, Retention, Scope, Service,
};

/// How long the link to the portal waits to be opened, as WorkOS's own does.
const PORTAL_LINK_SECONDS: u64 = 5 * 60;

/// What a WorkOS export is made from. Within a list any, between lists all.
#[derive(Debug, Clone, Default)]
pub struct WorkosExport {
    /// The organisation: the tenant.
    pub organization: String,
    /// Only events that happened at or after this time.
    pub from: Option<Timestamp>,
    /// Only events that happened before this time.
    pub to: Option<Timestamp>,
    /// Actions.
    pub actions: Vec<String>,
    /// Names of actors.
    pub actor_names: Vec<String>,
    /// Ids of actors.
    pub actor_ids: Vec<String>,
    /// Types of targets.
    pub targets: Vec<String>,
    /// The caller's key for idempotency.
    pub idempotency_key: Option<String>,
}

impl WorkosExport {
    /// Returns the filter; what the service itself wrote into the log is no event of the application.
    fn filter(&self) -> String {
        let mut filter = String::from("-action:attestary.*");
        for (path, values) in [
            ("action", &self.actions),
            ("actor.name", &self.actor_names),
            ("actor.id", &self.actor_ids),
            ("targets.type", &self.targets),
        ] {
            let clauses: Vec<String> =
                values.iter().map(|value| format!("{path}:\"{}\"", quoted(value))).collect();
            if !clauses.is_empty() {
                let _ = write!(filter, " ({})", clauses.join(" OR "));
            }
        }
        filter
    }
}

/// What WorkOS shows of an organisation's audit log.
#[derive(Debug)]
pub struct WorkosConfiguration {
    /// How long events are kept.
    pub retention: Retention,
    /// `active`; `inactive` while this door is switched off; `disabled` when the tenant is closed.
    pub state: &'static str,
    /// The oldest destination of a type that WorkOS knows, and the name of that type.
    pub stream: Option<(&'static str, Destination)>,
}

/// Types of log streams as WorkOS names them, by the destination's own.
const STREAMS: [(&str, &str); 5] = [
    ("datadog", "Datadog"),
    ("s3", "S3"),
    ("sentinel", "AzureSentinel"),
    ("splunk", "Splunk"),
    ("webhook", "GenericHttps"),
];

/// What stands between quotes in the filter language for exactly this text.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '"' | '\\' | '*') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

impl Service {
    /// Takes one WorkOS event. The caller's key for idempotency, not the content, decides what is a repeat.
    ///
    /// Pointers of violations are those of the WorkOS body.
    pub async fn workos_event(
        &self,
        caller: &Caller,
        body: Bytes,
        idempotency_key: Option<&str>,
    ) -> Result<Taken, IntakeError> {
        self.permit(caller, Scope::Ingest, "events.submit")?;
        let (bytes, key) = (body.len(), idempotency_key.map(str::to_owned));
        let work = move |service: &Self, caller: &Caller| {
            let events = each([&*body], |body| {
                let mapped = workos::parse(body, service.limits())?;
                let id = |key: &str| service.foreign_id("workos", &mapped.organization, key);
                let id = key.as_deref().map(|key| id(key).to_string());
                let json = with_id(id.as_deref(), None, mapped.json);
                Ok(Foreign { json, system: "workos", area: None })
            })?;
            service.check_foreign(caller, &events, None).map_err(in_workos_terms)
        };
        let checked = self.check(caller, bytes, work).await?;
        self.take_checked(caller, checked).await
    }

    /// Asks for an export as a table for spreadsheets; asking again with the same key gives the same one.
    pub async fn create_workos_export(
        &self,
        caller: &Caller,
        wanted: WorkosExport,
    ) -> Result<Export, ChangeError> {
        let filter = wanted.filter();
        // The key is the client's secret no more than an id; kept is what cannot be told from other ids.
        let repeat_key = wanted
            .idempotency_key
            .as_deref()
            .map(|key| self.foreign_id("workos export", &wanted.organization, key).to_string());
        let new = NewExport {
            format: "csv".into(),
            filter,
            from: wanted.from,
            to: wanted.to,
            repeat_key,
            ..NewExport::default()
        };
        self.create_export(caller, &wanted.organization, new).await
    }

    /// Returns an export by its id alone.
    pub async fn workos_export(&self, caller: &Caller, id: &str) -> Result<Export, ReadError> {
        self.export_of_any(caller, id).await
    }

    /// Returns a new link to a finished export.
    pub async fn link_workos_export(
        &self,
        caller: &Caller,
        export: &Export,
    ) -> Result<ExportLink, ChangeError> {
        self.link_export(caller, export.row.tenant.as_str(), &export.row.id).await
    }

    /// Returns how long an organisation's events are kept.
    pub async fn workos_retention(
        &self,
        caller: &Caller,
        organization: &str,
    ) -> Result<Retention, ReadError> {
        self.retention(caller, Some(organization)).await
    }

    /// Sets how many days an organisation's events are kept.
    pub async fn set_workos_retention(
        &self,
        caller: &Caller,
        organization: &str,
        days: u32,
    ) -> Result<Retention, ChangeError> {
        self.set_retention_days(caller, organization, days).await
    }

    /// Returns what WorkOS calls the configuration of an organisation's audit log.
    pub async fn workos_configuration(
        &self,
        caller: &Caller,
        organization: &str,
    ) -> Result<WorkosConfiguration, ReadError> {
        let retention = self.workos_retention(caller, organization).await?;
        let mut destinations = self.list_destinations(caller, organization).await?;
        destinations.sort_by_key(|destination| destination.created_ms);
        let stream = destinations.into_iter().find_map(|destination| {
            let (_, name) = STREAMS.iter().find(|(kind, _)| *kind == destination.kind)?;
            Some((*name, destination))
        });
        let environment = caller.environment()?;
        let tenant = self.visible(caller, organization)?;
        let state = if self.directory().gate(environment).is_tenant_closed(&tenant) {
            "disabled"
        } else if self.switches().is_off(environment, "workos", None) {
            "inactive"
        } else {
            "active"
        };
        Ok(WorkosConfiguration { retention, state, stream })
    }

    /// Makes a link that shows an organisation's log, or its destinations, to one of its people.
    ///
    /// Older clients do not say who the person is; then the session is in the name of the key that asked.
    pub async fn create_workos_portal(
        &self,
        caller: &Caller,
        organization: &str,
        destinations: bool,
        origin: String,
        person: Option<String>,
    ) -> Result<PortalCreated, ChangeError> {
        let id = person.unwrap_or_else(|| caller.principal.id().to_owned());
        let scopes = match destinations {
            true => vec![Scope::Read, Scope::Destinations],
            false => vec![Scope::Read, Scope::Export],
        };
        let new = NewPortalSession {
            person: Person { id, ..Person::default() },
            scopes,
            origin,
            link_ttl_s: Some(PORTAL_LINK_SECONDS),
            ..NewPortalSession::default()
        };
        self.create_portal_session(caller, organization, new).await
    }
}

/// Names the members of the WorkOS body instead of those that they became.
fn in_workos_terms(error: IntakeError) -> IntakeError {
    let renamed = |mut items: Vec<ItemViolation>| {
        for item in &mut items {
            item.violation.pointer = workos::pointer(&item.violation.pointer);
        }
        items
    };
    match error {
        IntakeError::Invalid(items) => IntakeError::Invalid(renamed(items)),
        IntakeError::Schema(items) => IntakeError::Schema(renamed(items)),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::parse_filter;

    #[test]
    fn lists_are_joined_by_or_and_values_are_taken_literally() {
        let wanted = WorkosExport {
            actions: vec!["a.b".into(), "c*\"d\\".into()],
            actor_ids: vec!["u 1".into()],
            ..WorkosExport::default()
        };
        let filter = wanted.filter();
        assert_eq!(
            filter,
            r#"-action:attestary.* (action:"a.b" OR action:"c\*\"d\\") (actor.id:"u 1")"#
        );
        assert!(parse_filter(&filter).is_ok());
    }
}
