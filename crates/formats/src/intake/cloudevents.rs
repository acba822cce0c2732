//! Intake of CloudEvents 1.0 in their JSON format.
//!
//! `type` is the action, `time` the time, `subject` a target. `data` with the members `action` and `actor` is taken as
//! a native event, which the attributes complete; any other object is the metadata, and any other value stands in it as
//! `data`. The actor of such an event is who the extensions `actorid` and `actortype` name, else the source itself as a
//! service. The pair of source and id identifies a CloudEvent, so it becomes the event's id.

use attestary_event::{Fields, Kind, Limits, Timestamp, Violation, scan};

use super::object::{Members, ObjectWriter, is_key, member, members};

/// Attributes with a meaning here; all others are extensions that stand in `source.fields`.
const KNOWN: [&str; 12] = [
    "specversion",
    "id",
    "source",
    "type",
    "time",
    "subject",
    "datacontenttype",
    "data",
    "tenant",
    "tenantid",
    "actorid",
    "actortype",
];

/// A native submission made from a CloudEvent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// Whose event it is, when it says so.
    pub tenant: Option<String>,
    /// What identifies it: source and id.
    pub identity: (String, String),
    /// The native event as JSON, without id and tenant.
    pub json: Vec<u8>,
}

/// Maps one event in the structured JSON format.
pub fn parse(event: &[u8], limits: &Limits) -> Result<Mapped, Violation> {
    let scanned = scan::scan(event, limits)?;
    let (fields, object) = (&scanned.fields, Members::of(&scanned.compact));
    let version = required(fields, "/specversion")?;
    if !version.starts_with("1.") && version != "1" {
        return Err(Violation::new(
            "/specversion",
            format!("must be 1.0; this one is {version:?}"),
        ));
    }
    if object.get("data_base64").is_some() {
        return Err(Violation::new("/data_base64", "is not taken: data must be JSON"));
    }
    let (id, source) = (required(fields, "/id")?, required(fields, "/source")?);
    let kind = required(fields, "/type")?;
    let time = text(fields, "/time")?;
    let occurred = time.map(|time| {
        Timestamp::parse_zoneless(time)
            .ok_or_else(|| Violation::new("/time", "must be an RFC 3339 time"))
    });
    let occurred = occurred.transpose()?;
    let subject = text(fields, "/subject")?.filter(|subject| (1..=1024).contains(&subject.len()));
    let data = object.get("data").filter(|data| *data != b"null");
    let native =
        data.filter(|data| member(data, "action").is_some() && member(data, "actor").is_some());
    let mut tenant = text(fields, "/tenant")?.or(text(fields, "/tenantid")?);
    let mut json = Vec::with_capacity(event.len() + 256);
    let mut out = ObjectWriter::open(&mut json);
    if let Some(native) = native {
        for entry in members(native) {
            let ours = ["id", "tenant", "environment", "seq", "received_at", "leaf_hash", "source"];
            if !ours.iter().any(|name| is_key(entry.0, name)) {
                out.raw_members([&entry]);
            }
        }
        tenant = tenant.or(fields.get("/data/tenant").and_then(|field| field.text()));
        if member(native, "occurred_at").is_none() {
            out.optional("occurred_at", occurred.map(|time| time.to_string()).as_deref());
        }
    } else {
        out.text("action", kind);
        out.optional("occurred_at", occurred.map(|time| time.to_string()).as_deref());
        let actor = text(fields, "/actorid")?;
        out.object("actor", |out| {
            let kind = text(fields, "/actortype").ok().flatten();
            let default = if actor.is_some() { "user" } else { "service" };
            out.text("type", kind.unwrap_or(default)).text("id", actor.unwrap_or(source));
        });
        out.objects("targets", subject, |target, id| {
            target.text("type", "subject").text("id", id);
        });
        match data {
            Some(object) if object.starts_with(b"{") => _ = out.raw("metadata", object),
            Some(value) => {
                out.object("metadata", |metadata| _ = metadata.raw("data", value));
            }
            None => {}
        }
    }
    out.object("source", |out| {
        out.text("system", "cloudevents");
        out.object("fields", |residue| {
            residue.text("id", id).text("source", source);
            if native.is_some() {
                residue.text("type", kind).optional("subject", subject);
            }
            for entry in object.iter() {
                if !KNOWN.iter().any(|name| is_key(entry.0, name)) {
                    residue.raw_members([entry]);
                }
            }
        });
    });
    out.close();
    Ok(Mapped {
        tenant: tenant.map(str::to_owned),
        identity: (source.to_owned(), id.to_owned()),
        json,
    })
}

/// Puts attributes that came as headers (without `ce-`) and a body of JSON together to the structured form.
pub fn structured<'a>(
    attributes: impl IntoIterator<Item = (&'a str, &'a str)>,
    body: &[u8],
) -> Vec<u8> {
    let mut json = Vec::with_capacity(body.len() + 256);
    let mut out = ObjectWriter::open(&mut json);
    for (name, value) in attributes {
        if name != "data" {
            out.text(name, value);
        }
    }
    if !body.is_empty() {
        out.raw("data", body);
    }
    out.close();
    json
}

fn text<'a>(fields: &'a Fields, pointer: &str) -> Result<Option<&'a str>, Violation> {
    match fields.get(pointer) {
        None => Ok(None),
        Some(field) if field.kind == Kind::Null => Ok(None),
        Some(field) if field.kind == Kind::String => Ok(Some(field.value)),
        Some(_) => Err(Violation::new(pointer, "must be a string")),
    }
}

fn required<'a>(fields: &'a Fields, pointer: &str) -> Result<&'a str, Violation> {
    let value = text(fields, pointer)?.filter(|text| !text.is_empty());
    value.ok_or_else(|| Violation::new(pointer, "is required and must not be empty"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn mapped(event: &Value) -> (Mapped, Value) {
        let mapped = parse(event.to_string().as_bytes(), &Limits::default()).unwrap();
        let json = serde_json::from_slice(&mapped.json).unwrap();
        (mapped, json)
    }

    #[test]
    fn attributes_and_data_have_their_places() {
        let event = json!({ "specversion": "1.0", "id": "1", "source": "/app", "type": "doc.read",
            "time": "2026-11-22T00:39:11.123456Z", "subject": "doc_1", "tenant": "acme", "actorid": "u",
            "traceparent": "00-x", "datacontenttype": "application/json", "data": { "n": 1.50 } });
        let (mapped, native) = mapped(&event);
        assert_eq!(mapped.tenant.as_deref(), Some("acme"));
        assert_eq!(mapped.identity, ("/app".into(), "1".into()));
        assert_eq!(native["action"], "doc.read");
        assert_eq!(native["occurred_at"], "2026-11-22T00:39:11.123Z");
        assert_eq!(native["actor"], json!({ "type": "user", "id": "u" }));
        assert_eq!(native["targets"], json!([{ "type": "subject", "id": "doc_1" }]));
        assert_eq!(native["metadata"], json!({ "n": 1.5 }));
        assert_eq!(native["source"]["fields"]["traceparent"], "00-x");
    }

    #[test]
    fn native_data_is_the_event_and_odd_data_is_kept() {
        let event = |data: Value| json!({ "specversion": "1.0", "id": "1", "source": "/app", "type": "t", "data": data });
        let inner =
            json!({ "id": "x", "tenant": "acme", "action": "a", "actor": { "id": "u" }, "seq": 7 });
        let (native, json) = mapped(&event(inner));
        assert_eq!(native.tenant.as_deref(), Some("acme"));
        assert_eq!(
            [&json["action"], &json["actor"]["id"], &json["seq"]],
            [&json!("a"), &json!("u"), &Value::Null]
        );
        let (_, json) = mapped(&event(json!([1])));
        assert_eq!(json["metadata"], json!({ "data": [1] }));
        assert_eq!(json["actor"], json!({ "type": "service", "id": "/app" }));
    }

    #[test]
    fn binary_attributes_make_the_same_event() {
        let headers =
            [("specversion", "1.0"), ("id", "1"), ("source", "s"), ("type", "t"), ("tenant", "a")];
        let mapped = parse(&structured(headers, br#"{"k":1}"#), &Limits::default()).unwrap();
        assert_eq!(mapped.tenant.as_deref(), Some("a"));
        assert!(parse(&structured(headers, b"not json"), &Limits::default()).is_err());
    }

    #[test]
    fn what_is_missing_is_named() {
        for (event, pointer) in [
            (json!({}), "/specversion"),
            (json!({ "specversion": "0.3" }), "/specversion"),
            (json!({ "specversion": "1.0", "id": "", "source": "s", "type": "t" }), "/id"),
            (json!({ "specversion": "1.0", "id": "1", "source": "s", "type": 1 }), "/type"),
            (
                json!({ "specversion": "1.0", "id": "1", "source": "s", "type": "t", "time": "x" }),
                "/time",
            ),
            (
                json!({ "specversion": "1.0", "id": "1", "source": "s", "type": "t", "data_base64": "" }),
                "/data_base64",
            ),
        ] {
            let refused = parse(event.to_string().as_bytes(), &Limits::default()).unwrap_err();
            assert_eq!(refused.pointer, pointer, "{event}");
        }
    }
}
