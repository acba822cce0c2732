//! Google Security Operations' Unified Data Model: one JSON `UDMEvent` per event, in the names of the Protobuf.
//!
//! The known action's OCSF class picks `metadata.event_type`; an event that lacks the nouns a type requires is a
//! `GENERIC_EVENT`. `metadata.product_log_id` carries the id; seq, leaf hash and everything without a field
//! stand in `additional`, as strings: its numbers are doubles, which would change them. Source: Google's UDM field
//! list and usage guide.

mod event_type;
#[cfg(test)]
mod tests;

use attestary_event::{
    View,
    actions::{KnownActions, Outcome},
    event::write_hex,
};

use crate::{
    intake::object::ObjectWriter,
    party::{self, Party},
    product::Options,
    residue, texts,
};

/// Appends the event as one `UDMEvent`.
pub(crate) fn encode(
    view: &View<'_>,
    actions: &KnownActions,
    options: &Options,
    out: &mut Vec<u8>,
) {
    let event_type = event_type::choose(view, actions);
    let mut event = ObjectWriter::open(out);
    event.object("metadata", |metadata| {
        metadata
            .display("event_timestamp", texts::occurred_at(view))
            .display("collected_timestamp", view.event.received_at)
            .text("event_type", event_type)
            .text("vendor_name", &options.vendor)
            .text("product_name", &options.product)
            .display("product_log_id", view.event.id)
            .optional("product_event_type", view.text("/action"))
            .optional("description", texts::message(view, actions).as_deref());
    });
    event.object("principal", |principal| put_principal(principal, view));
    event.object("target", |target| put_target(target, view, options, event_type));
    event.object("network", |network| put_network(network, view));
    put_result(&mut event, view, actions, event_type);
    if matches!(event_type, "USER_LOGIN" | "USER_LOGOUT") {
        event.object("extensions", |extensions| {
            extensions.object("auth", |auth| _ = auth.text("type", "AUTHTYPE_UNSPECIFIED"));
        });
    }
    event.object("additional", |rest| put_rest(rest, view, actions));
    event.close();
}

fn put_principal(principal: &mut ObjectWriter<'_>, view: &View<'_>) {
    principal.object("user", |user| put_user(user, Party::at(view, "/actor")));
    if let Some(address) = texts::address(view) {
        principal.texts("ip", [address.to_string().as_str()]);
    }
}

fn put_user(user: &mut ObjectWriter<'_>, party: Party<'_>) {
    user.optional("userid", party.id)
        .optional("user_display_name", party.name)
        .texts("email_addresses", party.email);
}

/// The user concerned, the first thing concerned, and the application it happened in.
fn put_target(target: &mut ObjectWriter<'_>, view: &View<'_>, options: &Options, event_type: &str) {
    let user = event_type::target_user(view, event_type);
    target.object("user", |object| put_user(object, user.unwrap_or_default()));
    let thing = party::targets(view).find(|thing| !thing.is_user()).or_else(|| {
        // What a type demands as a resource may be a user.
        let demanded = event_type.starts_with("USER_RESOURCE_");
        party::targets(view).next().filter(|_| demanded)
    });
    if let Some(thing) = thing {
        target.object("resource", |resource| {
            resource
                .optional("product_object_id", thing.id)
                .optional("name", thing.label())
                .optional("resource_subtype", thing.kind);
        });
    }
    target.text("application", &options.product);
}

fn put_network(network: &mut ObjectWriter<'_>, view: &View<'_>) {
    network.optional("session_id", view.text("/context/session_id"));
    network.object("http", |http| {
        http.optional("method", view.text("/context/http/method"))
            .optional("user_agent", view.text("/context/user_agent"));
        if let Some(status) = texts::http_status(view) {
            http.number("response_code", status);
        }
    });
}

fn put_result(
    event: &mut ObjectWriter<'_>,
    view: &View<'_>,
    actions: &KnownActions,
    event_type: &str,
) {
    let outcome = texts::outcome(view, actions);
    let action = match outcome {
        Outcome::Success => "ALLOW",
        Outcome::Denied => "BLOCK",
        Outcome::Failure => "FAIL",
        Outcome::Unknown => "UNKNOWN_ACTION",
    };
    let failed = matches!(outcome, Outcome::Denied | Outcome::Failure);
    event.objects("security_result", [()], |result, ()| {
        result.texts("action", [action]);
        if failed && event_type == "USER_LOGIN" {
            result.texts("category", ["AUTH_VIOLATION"]);
        }
        let category = texts::category(view, actions);
        result
            .texts("category_details", category)
            .text("severity", severity(texts::severity(view, actions)))
            .optional("description", view.text("/reason"));
    });
}

fn severity(severity: u8) -> &'static str {
    match severity {
        0 | 1 => "INFORMATIONAL",
        2 | 3 => "LOW",
        4..=6 => "MEDIUM",
        7 | 8 => "HIGH",
        _ => "CRITICAL",
    }
}

/// What has no field: strings and, as text, JSON.
fn put_rest(rest: &mut ObjectWriter<'_>, view: &View<'_>, actions: &KnownActions) {
    let mut leaf_hash = Vec::with_capacity(64);
    write_hex(&view.event.leaf_hash, &mut leaf_hash);
    rest.display("seq", view.event.seq)
        .text("leaf_hash", &String::from_utf8_lossy(&leaf_hash))
        .text("tenant", view.event.tenant.as_str())
        .text("environment", view.event.environment.as_str());
    if texts::outcome(view, actions) == Outcome::Denied {
        rest.text("outcome", "denied");
    }
    const TEXTS: [(&str, &str); 8] = [
        ("actor_type", "/actor/type"),
        ("request_id", "/context/request_id"),
        ("parent_session_id", "/context/parent_session_id"),
        ("trace_id", "/context/trace_id"),
        ("location", "/context/location"),
        ("url", "/context/http/url"),
        ("attempted_identity", "/context/attempted_identity"),
        ("schema_version", "/schema_version"),
    ];
    for (key, pointer) in TEXTS {
        rest.optional(key, view.text(pointer));
    }
    rest.optional("source_address", texts::address_text(view));
    for name in ["impersonator", "on_behalf_of", "targets", "labels", "changes", "metadata"] {
        let json = residue::filled(&view.event.body, name);
        rest.optional(name, json.and_then(|json| std::str::from_utf8(json).ok()));
    }
    if texts::truncated(view) {
        rest.text("truncated", "true");
    }
}
