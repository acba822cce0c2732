//! Intake of WorkOS audit log events: the body of `POST /audit_logs/events`.
//!
//! Actors, targets and metadata have the native shape, so they are copied as the tokens they arrived as. `location`
//! is an address or any text: an address becomes `context.ip`, whose text is given back, anything else
//! `context.location`. What WorkOS does not know is refused, by the same rules as natively.

use std::net::IpAddr;

use attestary_event::{Limits, Violation, scan};

use super::object::{ObjectWriter, member, members};

/// A native submission made from a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// The organisation: the tenant.
    pub organization: String,
    /// The native event as JSON, without an id.
    pub json: Vec<u8>,
}

/// The members of the body and of its event, with the native member that takes each.
const BODY: [&str; 2] = ["organization_id", "event"];
const EVENT: [(&str, &str); 6] = [
    ("action", "action"),
    ("occurred_at", "occurred_at"),
    ("version", "schema_version"),
    ("actor", "actor"),
    ("targets", "targets"),
    ("metadata", "metadata"),
];

/// Maps one body. Pointers of violations are WorkOS's.
pub fn parse(body: &[u8], limits: &Limits) -> Result<Mapped, Violation> {
    let scanned = scan::scan(body, limits)?;
    let organization = scanned.fields.get("/organization_id").and_then(|field| field.text());
    let organization = organization.filter(|text| !text.is_empty()).ok_or_else(|| {
        Violation::new("/organization_id", "is required and must be a string that is not empty")
    })?;
    let object = scanned.compact.as_slice();
    known(object, "", &|name| BODY.contains(&name))?;
    let event = member(object, "event").filter(|event| event.starts_with(b"{"));
    let event =
        event.ok_or_else(|| Violation::new("/event", "is required and must be an object"))?;
    known(event, "/event", &|name| name == "context" || EVENT.iter().any(|(own, _)| *own == name))?;

    let mut json = Vec::with_capacity(body.len() + 64);
    let mut native = ObjectWriter::open(&mut json);
    native.text("tenant", organization);
    for (theirs, ours) in EVENT {
        native.optional_raw(ours, member(event, theirs));
    }
    if let Some(context) = member(event, "context").filter(|context| *context != b"null") {
        known(context, "/event/context", &|name| matches!(name, "location" | "user_agent"))?;
        let location = scanned.fields.get("/event/context/location");
        let is_address = location.is_some_and(|text| text.value.parse::<IpAddr>().is_ok());
        native.object("context", |native| {
            let place = if is_address { "ip" } else { "location" };
            native.optional_raw(place, member(context, "location"));
            native.optional_raw("user_agent", member(context, "user_agent"));
        });
    }
    native.object("source", |source| _ = source.text("system", "workos"));
    native.close();
    Ok(Mapped { organization: organization.to_owned(), json })
}

/// Returns the pointer into a WorkOS body for a pointer into the native event that was made from it.
pub fn pointer(native: &str) -> String {
    match native {
        "/tenant" => "/organization_id".into(),
        "/schema_version" => "/event/version".into(),
        "/context/ip" => "/event/context/location".into(),
        other => format!("/event{other}"),
    }
}

/// Refuses members that are not known.
fn known(object: &[u8], at: &str, is_known: &dyn Fn(&str) -> bool) -> Result<(), Violation> {
    if !object.starts_with(b"{") {
        return Err(Violation::new(at, "must be an object"));
    }
    for (key, _) in members(object) {
        let name = std::str::from_utf8(key).unwrap_or_default().trim_matches('"');
        if !is_known(name) {
            return Err(Violation::new(format!("{at}/{name}"), "is not known"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn body() -> Value {
        json!({ "organization_id": "org_1", "event": {
            "action": "document.updated", "occurred_at": "2026-11-22T00:39:11.123Z", "version": 2,
            "actor": { "type": "user", "id": "u_1", "name": "A", "metadata": { "n": 1.50, "b": true } },
            "targets": [{ "type": "document", "id": "d" }, { "type": "team", "id": "t" }],
            "context": { "location": "203.0.113.9", "user_agent": "x" }, "metadata": { "k": "v" } } })
    }

    #[track_caller]
    fn refused(change: impl Fn(&mut Value), expected: &str) {
        let mut body = body();
        change(&mut body);
        let text = body.to_string();
        assert_eq!(parse(text.as_bytes(), &Limits::default()).unwrap_err().pointer, expected);
    }

    #[test]
    fn every_member_has_its_place() {
        let mapped = parse(body().to_string().as_bytes(), &Limits::default()).unwrap();
        assert_eq!(mapped.organization, "org_1");
        let event: Value = serde_json::from_slice(&mapped.json).unwrap();
        let sent = &body()["event"];
        for (theirs, ours) in EVENT {
            assert_eq!(event[ours], sent[theirs], "{theirs}");
        }
        assert_eq!(event["context"], json!({ "ip": "203.0.113.9", "user_agent": "x" }));
        assert!(String::from_utf8(mapped.json).unwrap().contains(r#""n":1.5"#));
        let mut place = body();
        place["event"]["context"]["location"] = "Vienna".into();
        let mapped = parse(place.to_string().as_bytes(), &Limits::default()).unwrap();
        let event: Value = serde_json::from_slice(&mapped.json).unwrap();
        assert_eq!(event["context"]["location"], "Vienna");
    }

    #[test]
    fn what_is_missing_or_unknown_is_named() {
        refused(|body| body["organization_id"] = Value::Null, "/organization_id");
        refused(|body| body["event"] = json!([]), "/event");
        refused(|body| body["event"]["id"] = json!("x"), "/event/id");
        refused(|body| body["event"]["context"]["ip"] = json!("x"), "/event/context/ip");
        refused(|body| body["event"]["context"] = json!("x"), "/event/context");
        refused(|body| body["other"] = json!(1), "/other");
        assert_eq!(pointer("/actor/id"), "/event/actor/id");
    }
}
