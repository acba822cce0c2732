//! Elastic Common Schema: one JSON document per event, nested, as Elasticsearch and its clients index it.
//!
//! `event.id`, `event.sequence` and `event.hash` carry id, seq and leaf hash. All that ECS has no field for stands
//! under `attestary`, which is meant to be mapped as `flattened`: tenants choose the names in there, and with one
//! field each they would exhaust the index's mapping. An address that is none is kept there too: in a field of type
//! `ip` it would make Elasticsearch refuse the whole document. Spec: elastic/ecs, field reference.

#[cfg(test)]
mod tests;

use attestary_event::{
    View,
    actions::{KnownActions, Outcome},
};

use crate::{
    intake::object::{ObjectWriter, member},
    party::{self, Party},
    product::Options,
    residue, texts,
};

/// The version whose fields are used; later ones of the same major version add fields only.
const ECS_VERSION: &str = "8.11.0";

/// Appends the event as one document.
pub(crate) fn encode(
    view: &View<'_>,
    actions: &KnownActions,
    options: &Options,
    out: &mut Vec<u8>,
) {
    let mut document = ObjectWriter::open(out);
    document.display("@timestamp", texts::occurred_at(view));
    document.object("ecs", |ecs| _ = ecs.text("version", ECS_VERSION));
    document.object("event", |event| put_event(event, view, actions, options));
    document.optional("message", texts::message(view, actions).as_deref());
    document.object("user", |user| put_user(user, view));
    put_source(&mut document, view);
    document.object("organization", |tenant| _ = tenant.text("id", view.event.tenant.as_str()));
    document.object("related", |related| put_related(related, view));
    let labels = (0..).map_while(|index| view.text(&format!("/labels/{index}")));
    document.texts("tags", labels);
    document.object("attestary", |rest| put_rest(rest, view, actions));
    document.close();
}

fn put_event(
    event: &mut ObjectWriter<'_>,
    view: &View<'_>,
    actions: &KnownActions,
    options: &Options,
) {
    event
        .text("kind", "event")
        .display("id", view.event.id)
        .number("sequence", view.event.seq)
        .hex("hash", &view.event.leaf_hash)
        .optional("action", view.text("/action"));
    if let Some(spec) = texts::known(view, actions) {
        event.texts("category", spec.ecs_category.iter().map(String::as_str));
        event.texts("type", spec.ecs_type.iter().map(String::as_str));
    }
    let outcome = match texts::outcome(view, actions) {
        Outcome::Success => "success",
        Outcome::Failure | Outcome::Denied => "failure",
        Outcome::Unknown => "unknown",
    };
    event
        .text("outcome", outcome)
        .optional("reason", view.text("/reason"))
        .number("severity", texts::severity(view, actions))
        .display("created", view.event.received_at)
        .display("ingested", view.event.received_at)
        .text("module", "attestary")
        .text("dataset", "attestary.audit")
        .text("provider", &options.product);
}

/// The actor; whom it was done to; for whom it was done.
fn put_user(user: &mut ObjectWriter<'_>, view: &View<'_>) {
    put_party(user, Party::at(view, "/actor"));
    let target = party::targets(view).find(Party::is_user);
    user.object("target", |object| put_party(object, target.unwrap_or_default()));
    user.object("effective", |object| put_party(object, Party::at(view, "/on_behalf_of")));
}

fn put_party(object: &mut ObjectWriter<'_>, party: Party<'_>) {
    object.optional("id", party.id).optional("name", party.name).optional("email", party.email);
}

fn put_source(document: &mut ObjectWriter<'_>, view: &View<'_>) {
    if let Some(address) = texts::address(view) {
        for name in ["source", "client"] {
            document.object(name, |endpoint| _ = endpoint.display("ip", address));
        }
    }
    let original = view.text("/context/user_agent");
    document.object("user_agent", |agent| _ = agent.optional("original", original));
    document.object("http", |http| {
        http.object("request", |request| {
            request
                .optional("id", view.text("/context/request_id"))
                .optional("method", view.text("/context/http/method"));
        });
        http.object("response", |response| {
            if let Some(status) = texts::http_status(view) {
                response.number("status_code", status);
            }
        });
    });
    document.object("url", |url| _ = url.optional("original", view.text("/context/http/url")));
    document.object("trace", |trace| _ = trace.optional("id", view.text("/context/trace_id")));
}

/// Everybody and every address, so that one search finds the event whatever their part in it was.
fn put_related(related: &mut ObjectWriter<'_>, view: &View<'_>) {
    let parties =
        ["/actor", "/impersonator", "/on_behalf_of"].map(|pointer| Party::at(view, pointer));
    let users = parties.into_iter().chain(party::targets(view).filter(Party::is_user));
    let mut names: Vec<&str> =
        users.flat_map(|user| [user.id, user.name, user.email]).flatten().collect();
    names.extend(view.text("/context/attempted_identity"));
    names.sort_unstable();
    names.dedup();
    related.texts("user", names);
    if let Some(address) = texts::address(view) {
        related.texts("ip", [address.to_string().as_str()]);
    }
}

fn put_rest(rest: &mut ObjectWriter<'_>, view: &View<'_>, actions: &KnownActions) {
    rest.text("environment", view.event.environment.as_str())
        .optional("category", texts::category(view, actions))
        .text("outcome", texts::outcome(view, actions).as_str());
    rest.object("actor", |actor| {
        residue::copy_inner(view, "actor", &["type", "groups", "metadata"], actor);
    });
    residue::copy_members(view, &["impersonator", "on_behalf_of", "targets"], rest);
    rest.object("context", |context| {
        const NAMES: [&str; 4] =
            ["session_id", "parent_session_id", "location", "attempted_identity"];
        residue::copy_inner(view, "context", &NAMES, context);
        context.optional("address", texts::address_text(view));
        let http = member(&view.event.body, "context").and_then(|outer| member(outer, "http"));
        let duration_ms = http.and_then(|http| residue::filled(http, "duration_ms"));
        context.optional_raw("duration_ms", duration_ms);
    });
    residue::copy_members(view, &["changes", "schema_version", "metadata"], rest);
    if texts::truncated(view) {
        rest.raw("truncated", b"true");
    }
}
