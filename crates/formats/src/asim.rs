//! Microsoft Sentinel's ASIM: one JSON object per event whose members are the columns of a schema's table.
//!
//! The known action's OCSF class picks the schema: Authentication 0.1.4, UserManagement 0.1.2, else AuditEvent
//! 0.1.2. `EventUid` carries the id; seq, leaf hash and everything without a column stand in
//! `AdditionalFields`, which is of type dynamic. Source: Microsoft's ASIM schema references and its schema tester.

mod event_type;
#[cfg(test)]
mod tests;

use attestary_event::{
    View,
    actions::{KnownActions, Outcome},
};

use crate::{
    intake::object::ObjectWriter,
    party::{self, Party},
    product::Options,
    residue, texts,
};
use event_type::{EventType, Table};

/// Appends the event as one object.
pub(crate) fn encode(
    view: &View<'_>,
    actions: &KnownActions,
    options: &Options,
    out: &mut Vec<u8>,
) {
    let event_type = event_type::choose(view, actions);
    let mut columns = ObjectWriter::open(out);
    put_common(&mut columns, view, actions, options, event_type);
    put_actor(&mut columns, view, event_type.table);
    match event_type.table {
        Table::Authentication => put_subject(&mut columns, view, options),
        Table::UserManagement => put_managed(&mut columns, view),
        Table::AuditEvent => put_object(&mut columns, view, options),
    }
    if let Some(address) = texts::address(view) {
        columns.display("SrcIpAddr", address);
    }
    columns.optional("HttpUserAgent", view.text("/context/user_agent"));
    columns.object("AdditionalFields", |rest| put_rest(rest, view, actions));
    columns.close();
}

fn put_common(
    columns: &mut ObjectWriter<'_>,
    view: &View<'_>,
    actions: &KnownActions,
    options: &Options,
    event_type: EventType,
) {
    let occurred_at = texts::occurred_at(view);
    // A shortened event keeps the columns that the schema demands and those that say which event it is.
    if !texts::truncated(view) {
        columns
            .display("TimeGenerated", occurred_at)
            .display("EventOriginalSeverity", texts::severity(view, actions));
    }
    columns
        .number("EventCount", 1)
        .display("EventStartTime", occurred_at)
        .display("EventEndTime", occurred_at)
        .text("EventType", event_type.name)
        .text("EventResult", result(texts::outcome(view, actions)))
        .optional("EventOriginalResultDetails", view.text("/reason"))
        .text("EventSeverity", severity(texts::severity(view, actions)))
        .display("EventUid", view.event.id)
        .optional("EventOriginalType", view.text("/action"))
        .optional("EventMessage", texts::message(view, actions).as_deref())
        .text("EventProduct", &options.product)
        .text("EventVendor", &options.vendor)
        .text("EventSchema", event_type.table.name())
        .text("EventSchemaVersion", event_type.table.version())
        // A cloud source without a device of its own reports the product.
        .text("Dvc", &options.product);
}

fn result(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "Success",
        Outcome::Failure | Outcome::Denied => "Failure",
        Outcome::Unknown => "NA",
    }
}

fn severity(severity: u8) -> &'static str {
    match severity {
        0..=3 => "Informational",
        4 | 5 => "Low",
        6 | 7 => "Medium",
        _ => "High",
    }
}

/// The actor; in Authentication only when somebody else acted as the user.
fn put_actor(columns: &mut ObjectWriter<'_>, view: &View<'_>, table: Table) {
    let pointer = if table == Table::Authentication { "/impersonator" } else { "/actor" };
    let actor = Party::at(view, pointer);
    put_user(columns, &USER_COLUMNS[0], actor);
    columns.optional("ActorOriginalUserType", actor.kind.filter(|_| actor.is_named()));
    if table != Table::Authentication {
        columns.optional("ActorSessionId", view.text("/context/session_id"));
    }
}

/// The columns of a user: id, type of the id, name, type of the name.
const USER_COLUMNS: [[&str; 4]; 2] = [
    ["ActorUserId", "ActorUserIdType", "ActorUsername", "ActorUsernameType"],
    ["TargetUserId", "TargetUserIdType", "TargetUsername", "TargetUsernameType"],
];

/// Writes a user. Application ids are of no type that ASIM lists; an e-mail address is a UPN, all else simple.
fn put_user(columns: &mut ObjectWriter<'_>, names: &[&str; 4], user: Party<'_>) {
    if let Some(id) = user.id {
        columns.text(names[0], id).text(names[1], "Other");
    }
    let name = user.email.map(|email| (email, "UPN"));
    if let Some((name, kind)) = name.or(user.label().map(|name| (name, "Simple"))) {
        columns.text(names[2], name).text(names[3], kind);
    }
}

/// Authentication: the user who signs in or out is the target user.
fn put_subject(columns: &mut ObjectWriter<'_>, view: &View<'_>, options: &Options) {
    let mut user = Party::at(view, "/actor");
    if !user.is_named() {
        user.name = view.text("/context/attempted_identity").filter(|name| !name.is_empty());
    }
    put_user(columns, &USER_COLUMNS[1], user);
    columns
        .optional("TargetOriginalUserType", user.kind)
        .optional("TargetSessionId", view.text("/context/session_id"));
    if !texts::truncated(view) {
        put_application(columns, options);
    }
}

fn put_application(columns: &mut ObjectWriter<'_>, options: &Options) {
    columns.text("TargetAppName", &options.product).text("TargetAppType", "SaaS application");
}

/// UserManagement: whom it was done to, and the group.
fn put_managed(columns: &mut ObjectWriter<'_>, view: &View<'_>) {
    let user = party::targets(view).find(Party::is_user);
    put_user(columns, &USER_COLUMNS[1], user.unwrap_or_default());
    if let Some(group) = event_type::group(view) {
        columns.optional("GroupId", group.id).optional("GroupName", group.label());
        columns.optional("GroupOriginalType", group.kind);
    }
}

/// AuditEvent: what was done to what.
fn put_object(columns: &mut ObjectWriter<'_>, view: &View<'_>, options: &Options) {
    let object = party::targets(view).next().unwrap_or_default();
    columns
        .text("Operation", view.text("/action").unwrap_or("unknown"))
        // The column is mandatory: what was done to nothing was done to the application.
        .text("Object", object.label().unwrap_or(&options.product))
        .optional("ObjectId", object.id)
        .text("ObjectType", "Other")
        .optional("OriginalObjectType", object.kind);
    if !texts::truncated(view) {
        put_application(columns, options);
    }
    for (column, name) in [("OldValue", "old"), ("NewValue", "new")] {
        columns.optional(column, view.text(&format!("/changes/0/{name}")));
    }
}

fn put_rest(rest: &mut ObjectWriter<'_>, view: &View<'_>, actions: &KnownActions) {
    rest.number("seq", view.event.seq)
        .hex("leaf_hash", &view.event.leaf_hash)
        .text("tenant", view.event.tenant.as_str())
        .text("environment", view.event.environment.as_str())
        .display("received_at", view.event.received_at)
        .optional("category", texts::category(view, actions));
    if texts::outcome(view, actions) == Outcome::Denied {
        rest.text("outcome", "denied");
    }
    rest.object("actor", |actor| {
        residue::copy_inner(view, "actor", &["name", "groups", "metadata"], actor);
    });
    residue::copy_members(view, &["impersonator", "on_behalf_of", "targets"], rest);
    rest.object("context", |context| {
        const NAMES: [&str; 6] = [
            "parent_session_id",
            "request_id",
            "trace_id",
            "location",
            "http",
            "attempted_identity",
        ];
        residue::copy_inner(view, "context", &NAMES, context);
        context.optional("ip", texts::address_text(view));
    });
    residue::copy_members(view, &["labels", "changes", "schema_version", "metadata"], rest);
    if texts::truncated(view) {
        rest.raw("truncated", b"true");
    }
}
