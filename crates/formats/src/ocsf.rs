//! Open Cybersecurity Schema Framework, versions 1.1.0 and 1.8.0: one JSON object per event.
//!
//! The known actions name class and activity; an event that lacks what its class requires goes out in a class that
//! asks less (`class` decides). `metadata.uid` and `metadata.sequence` carry id and seq. The schema refuses unknown
//! attributes, so all that the class has no attribute for stands in `unmapped`, with `leaf_hash` among it.
//! Spec: ocsf/ocsf-schema 1.1.0 and 1.8.0.

mod class;
mod objects;
#[cfg(test)]
mod tests;

use attestary_event::{
    View,
    actions::{KnownActions, Outcome},
};
use serde::{Deserialize, Serialize};

use crate::{
    format::Version,
    intake::object::ObjectWriter,
    party::{self, Party},
    product, residue, texts,
};
use class::Class;

/// Options of the OCSF format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Version of the format.
    pub version: Version,
    /// Version of the schema.
    pub schema: Schema,
    /// Vendor: 1–63 bytes.
    #[serde(deserialize_with = "product::name")]
    pub vendor: String,
    /// Product: 1–63 bytes.
    #[serde(deserialize_with = "product::name")]
    pub product: String,
}

/// The versions of the schema that can be emitted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Schema {
    /// What Amazon Security Lake checks against.
    #[serde(rename = "1.1.0")]
    V1_1,
    /// The newest release that is supported.
    #[default]
    #[serde(rename = "1.8.0")]
    V1_8,
}

impl Schema {
    fn as_str(self) -> &'static str {
        match self {
            Self::V1_1 => "1.1.0",
            Self::V1_8 => "1.8.0",
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            version: Version,
            schema: Schema::default(),
            vendor: product::default_vendor(),
            product: product::default_product(),
        }
    }
}

/// Returns the class in which an event goes out.
pub fn class_uid(view: &View<'_>, actions: &KnownActions, schema: Schema) -> u32 {
    class::choose(view, actions, schema).uid
}

/// Appends the event as one object.
pub(crate) fn encode(
    view: &View<'_>,
    actions: &KnownActions,
    options: &Options,
    out: &mut Vec<u8>,
) {
    let class = class::choose(view, actions, options.schema);
    let mut object = ObjectWriter::open(out);
    put_classification(&mut object, view, actions, class);
    object.object("metadata", |metadata| put_metadata(metadata, view, options));
    object.optional("message", texts::message(view, actions).as_deref());
    put_parties(&mut object, view, options, class);
    if class.has_request(options.schema) {
        objects::put_request(&mut object, view, options.schema);
    }
    object.object("unmapped", |rest| put_unmapped(rest, view, actions, options.schema, class));
    object.close();
}

fn put_classification(
    object: &mut ObjectWriter<'_>,
    view: &View<'_>,
    actions: &KnownActions,
    class: Class,
) {
    let status = match texts::outcome(view, actions) {
        Outcome::Success => 1,
        Outcome::Failure | Outcome::Denied => 2,
        Outcome::Unknown => 0,
    };
    object
        .number("activity_id", class.activity)
        .number("category_uid", class.uid / 1_000)
        .number("class_uid", class.uid)
        .number("type_uid", class.uid * 100 + u32::from(class.activity))
        .number("severity_id", severity(texts::severity(view, actions)))
        .number("status_id", status)
        .optional("status_detail", view.text("/reason"))
        .number("time", texts::occurred_at(view).0);
    if class.activity == Class::OTHER {
        // Activity 99 is named by the source.
        let action = view.text("/action").unwrap_or_default();
        object.text("activity_name", &texts::name(action, actions));
    }
}

/// Maps 0–10 to informational, low, medium, high and critical.
fn severity(severity: u8) -> u8 {
    match severity {
        0 | 1 => 1,
        2 | 3 => 2,
        4..=6 => 3,
        7 | 8 => 4,
        _ => 5,
    }
}

fn put_metadata(metadata: &mut ObjectWriter<'_>, view: &View<'_>, options: &Options) {
    let event = view.event;
    metadata.text("version", options.schema.as_str());
    metadata.object("product", |product| {
        product.text("name", &options.product).text("vendor_name", &options.vendor);
    });
    metadata
        .display("uid", event.id)
        .text("tenant_uid", event.tenant.as_str())
        .number("sequence", event.seq)
        .number("logged_time", event.received_at.0)
        .optional("correlation_uid", view.text("/context/request_id"));
    let labels = (0..).map_while(|index| view.text(&format!("/labels/{index}")));
    metadata.texts("labels", labels);
}

/// What the class requires of users, groups and things, and the actor and address where it has them.
fn put_parties(object: &mut ObjectWriter<'_>, view: &View<'_>, options: &Options, class: Class) {
    match class.uid {
        Class::ACCOUNT_CHANGE | Class::USER_ACCESS => {
            object.object("user", |user| objects::put_user(user, class::affected_user(view)));
        }
        Class::AUTHENTICATION => {
            object.object("user", |user| {
                objects::put_user(user, class::subject(view));
                objects::put_groups(user, view);
            });
            object.object("service", |service| _ = service.text("name", &options.product));
            object.object("session", |session| {
                session.optional("uid", view.text("/context/session_id"));
            });
        }
        Class::GROUP_MANAGEMENT => {
            object.object("group", |group| objects::put_thing(group, class::group(view)));
            let user = party::targets(view).find(Party::is_user).unwrap_or_default();
            object.object("user", |object| objects::put_user(object, user));
        }
        Class::ENTITY_MANAGEMENT => {
            object.object("entity", |entity| objects::put_thing(entity, class::entity(view)));
        }
        Class::WEB_RESOURCES => {
            object.objects("web_resources", party::targets(view), objects::put_thing);
        }
        Class::FILE_HOSTING => object_file(object, view),
        _ => {}
    }
    if class.uid == Class::USER_ACCESS {
        object.texts("privileges", class::privileges(view));
    }
    // Who signs in is the user already.
    if class.uid != Class::AUTHENTICATION && class.has_actor(options.schema) {
        objects::put_actor(object, view);
    }
    if class.has_source(options.schema) {
        objects::put_source(object, view, &options.product, class);
    }
}

fn object_file(object: &mut ObjectWriter<'_>, view: &View<'_>) {
    let file = class::entity(view);
    object.object("file", |object| {
        object.optional("name", file.label()).optional("uid", file.id).number("type_id", 0);
    });
}

/// Everything that the class has no attribute for.
fn put_unmapped(
    rest: &mut ObjectWriter<'_>,
    view: &View<'_>,
    actions: &KnownActions,
    schema: Schema,
    class: Class,
) {
    rest.optional("action", view.text("/action"))
        .hex("leaf_hash", &view.event.leaf_hash)
        .text("environment", view.event.environment.as_str())
        .optional("category", texts::category(view, actions));
    if texts::outcome(view, actions) == Outcome::Denied {
        rest.text("outcome", "denied");
    }
    if objects::maps_actor(view) && (class.uid == Class::AUTHENTICATION || class.has_actor(schema))
    {
        rest.object("actor", |actor| residue::copy_inner(view, "actor", &["metadata"], actor));
    } else {
        residue::copy_members(view, &["actor"], rest);
    }
    residue::copy_members(view, &["impersonator", "on_behalf_of"], rest);
    let several = party::targets(view).nth(1).is_some();
    if class.uid != Class::WEB_RESOURCES && (several || class.uid == 0 || class.names_no_target()) {
        residue::copy_members(view, &["targets"], rest);
    }
    rest.object("context", |context| {
        residue::copy_inner(view, "context", &["parent_session_id", "trace_id"], context);
        residue::copy_inner(view, "context", &["location", "attempted_identity"], context);
        if !class.has_request(schema) {
            residue::copy_inner(view, "context", &["user_agent", "http"], context);
        } else if !objects::maps_request(view, schema) {
            residue::copy_inner(view, "context", &["http"], context);
        }
        if class.uid != Class::AUTHENTICATION && !class.has_actor(schema) {
            residue::copy_inner(view, "context", &["session_id"], context);
        }
        if !class.has_source(schema) || texts::address(view).is_none() {
            residue::copy_inner(view, "context", &["ip"], context);
        }
    });
    residue::copy_members(view, &["changes", "schema_version", "metadata"], rest);
    if texts::truncated(view) {
        rest.raw("truncated", b"true");
    }
}
