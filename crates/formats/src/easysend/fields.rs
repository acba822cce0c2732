//! The 32 fields of payload A in their published order, and where their values stand in an event.

use attestary_event::{
    View,
    actions::{KnownActions, Outcome},
};
use serde::{Deserialize, Serialize};

use crate::{
    intake::object::ObjectWriter,
    party::{self, Party},
    texts,
};

/// The three groups of payload A.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// Customer, product and environment.
    Environment,
    /// What happened.
    Event,
    /// What EasySend's logger adds, `@timestamp` among it.
    Logger,
}

impl Group {
    pub(super) const ALL: [Self; 3] = [Self::Environment, Self::Event, Self::Logger];
}

/// One field.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) group: Group,
}

/// The fields in the order of the published payload.
pub(super) const FIELDS: [Field; 32] = {
    const fn of(group: Group, name: &'static str) -> Field {
        Field { name, group }
    }
    use Group::{Environment, Event, Logger};
    [
        of(Environment, "message"),
        of(Environment, "environment"),
        of(Environment, "product_type"),
        of(Environment, "customer_id"),
        of(Environment, "specificCustomerName"),
        of(Environment, "environment_type"),
        of(Environment, "player_version"),
        of(Environment, "server_url"),
        of(Event, "process_id"),
        of(Event, "master_rid"),
        of(Event, "rid"),
        of(Event, "role"),
        of(Event, "security_event_type"),
        of(Event, "session_type"),
        of(Event, "eventGroup"),
        of(Event, "ip"),
        of(Event, "is_co_browsing_on"),
        of(Event, "delivery_method"),
        of(Event, "workflow_step_id"),
        of(Event, "authentication_method"),
        of(Event, "authentication_status"),
        of(Logger, "logger"),
        of(Logger, "type"),
        of(Logger, "execution_id"),
        of(Logger, "hostname"),
        of(Logger, "LogSize"),
        of(Logger, "path_name"),
        of(Logger, "log_level"),
        of(Logger, "logging_version"),
        of(Logger, "@timestamp"),
        of(Logger, "category"),
        of(Logger, "commit_id"),
    ]
};

/// Writes a field from the mapped members. Returns false when they hold no value for it.
pub(super) fn put_mapped(
    name: &str,
    view: &View<'_>,
    actions: &KnownActions,
    payload: &mut ObjectWriter<'_>,
) -> bool {
    let target = || party::targets(view).find(|target| target.kind != Some("workflow_step"));
    let step = || party::targets(view).find(|target| target.kind == Some("workflow_step"));
    let actor = || Party::at(view, "/actor");
    let text = match name {
        "message" => Some("Security log"),
        "customer_id" | "specificCustomerName" => Some(view.event.tenant.as_str()),
        "environment_type" => Some(view.event.environment.as_str()),
        "process_id" => target().and_then(|target| target.id),
        "session_type" => target().and_then(|target| target.kind),
        "workflow_step_id" => step().and_then(|step| step.id),
        "master_rid" => view.text("/context/parent_session_id"),
        "rid" => actor().id.or(view.text("/context/session_id")),
        "role" => actor().kind,
        "security_event_type" => Some(event_name(view, actions)),
        "eventGroup" => Some("security_events"),
        "ip" => view.text("/context/ip"),
        "authentication_status" => authentication_status(view, actions),
        "log_level" => Some("INFO"),
        "@timestamp" => {
            payload.display(name, texts::occurred_at(view));
            return true;
        }
        _ => None,
    };
    payload.optional(name, text);
    text.is_some()
}

/// Returns the name that EasySend has for the action, published or coined; else the action itself.
pub(super) fn event_name<'a>(view: &View<'a>, actions: &'a KnownActions) -> &'a str {
    let action = view.text("/action").unwrap_or_default();
    let Some(spec) = texts::known(view, actions) else { return action };
    let names = || spec.aliases.iter().filter(|alias| alias.family == "easysend");
    let own = names().any(|alias| alias.name == action);
    let published = names().find(|alias| !alias.coined).or_else(|| names().next());
    published.filter(|_| !own).map_or(action, |alias| alias.name.as_str())
}

/// Says how it ended for events of the authentication group only, as EasySend does.
fn authentication_status(view: &View<'_>, actions: &KnownActions) -> Option<&'static str> {
    if texts::category(view, actions) != Some("authentication") {
        return None;
    }
    match texts::outcome(view, actions) {
        Outcome::Success => Some("success"),
        Outcome::Failure | Outcome::Denied => Some("failure"),
        Outcome::Unknown => None,
    }
}
