//! Intake of Kubernetes audit events (`audit.k8s.io/v1`), as the API server's audit webhook sends them.
//!
//! The action is `kubernetes.RESOURCE.VERB`. Audit id and stage identify an event, since one request gives an event for
//! each stage. Bodies of requests and responses are left out: they may hold secrets, and the size of an event is
//! bounded; what is needed of them is audited at level Metadata anyway.

use attestary_event::{Fields, Limits, Timestamp, Violation, scan};

use super::object::{ObjectWriter, member};

/// A native submission made from an audit event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// What identifies it: audit id and stage.
    pub identity: (String, String),
    /// The native event as JSON, without id and tenant.
    pub json: Vec<u8>,
}

/// Limits for one audit event before its bodies are left out.
fn roomy(limits: &Limits) -> Limits {
    Limits {
        event_bytes_max: limits.batch_bytes_max,
        string_bytes_max: limits.batch_bytes_max,
        fields_max: 65_536,
        array_max: 65_536,
        depth_max: 64,
        key_bytes_max: 4 * 1024,
        ..*limits
    }
}

/// Returns the events of an `EventList`, or the one event that the body is.
pub fn items(body: &[u8], limits: &Limits) -> Result<Vec<Vec<u8>>, Violation> {
    let scanned = scan::scan(body, &roomy(limits))?;
    let object = scanned.compact.as_slice();
    match member(object, "kind") {
        Some(b"\"EventList\"") => {
            let items = member(object, "items").filter(|items| items.starts_with(b"["));
            let items = items.ok_or_else(|| Violation::new("/items", "must be an array"))?;
            Ok(elements(items).map(<[u8]>::to_vec).collect())
        }
        Some(b"\"Event\"") => Ok(vec![object.to_vec()]),
        _ => Err(Violation::new("/kind", "must be EventList or Event, of audit.k8s.io")),
    }
}

/// Maps one event.
pub fn parse(event: &[u8], limits: &Limits) -> Result<Mapped, Violation> {
    let scanned = scan::scan(event, &roomy(limits))?;
    let (fields, object) = (&scanned.fields, scanned.compact.as_slice());
    let audit_id = required(fields, "/auditID", 256)?;
    let stage = required(fields, "/stage", 64)?;
    let verb = required(fields, "/verb", 64)?;
    let resource = at(fields, "/objectRef/resource", 128).unwrap_or("nonresource");
    let time =
        at(fields, "/stageTimestamp", 64).or_else(|| at(fields, "/requestReceivedTimestamp", 64));
    let occurred = time.and_then(Timestamp::parse_zoneless);
    let mut json = Vec::with_capacity(1024);
    let mut out = ObjectWriter::open(&mut json);
    out.text("action", &format!("kubernetes.{resource}.{verb}"));
    out.optional("occurred_at", occurred.map(|time| time.to_string()).as_deref());
    let real = at(fields, "/user/username", 1024);
    let impersonated = at(fields, "/impersonatedUser/username", 1024);
    match impersonated {
        Some(user) => {
            party(&mut out, "actor", user, groups(object, "impersonatedUser"));
            if let Some(real) = real {
                out.object("impersonator", |out| _ = out.text("type", kind(real)).text("id", real));
            }
        }
        None => match real {
            Some(user) => party(&mut out, "actor", user, groups(object, "user")),
            None => _ = out.object("actor", |actor| _ = actor.text("type", "anonymous")),
        },
    }
    out.objects("targets", target(fields), |out, (kind, id)| {
        out.text("type", &kind).text("id", &id);
    });
    let code = at(fields, "/responseStatus/code", 3).and_then(|code| code.parse::<u16>().ok());
    out.object("context", |context| {
        context
            .optional("ip", at(fields, "/sourceIPs/0", 256))
            .optional("user_agent", at(fields, "/userAgent", 4096))
            .text("request_id", audit_id);
        context.object("http", |http| {
            http.optional("url", at(fields, "/requestURI", 8192));
            if let Some(code) = code.filter(|code| (100..=599).contains(code)) {
                http.number("status", code);
            }
        });
    });
    out.optional("outcome", outcome(fields, code));
    out.optional("reason", at(fields, "/responseStatus/message", 4096));
    out.text("category", "administration");
    out.object("metadata", |metadata| {
        metadata.text("stage", stage).text("verb", verb);
        metadata.optional("level", at(fields, "/level", 64));
        let annotations = member(object, "annotations").filter(|json| json.len() <= 16 * 1024);
        metadata.optional_raw("annotations", annotations);
        metadata.optional_raw(
            "object",
            member(object, "objectRef").filter(|json| json.len() <= 8 * 1024),
        );
    });
    out.object("source", |source| _ = source.text("system", "kubernetes"));
    out.close();
    Ok(Mapped { identity: (audit_id.to_owned(), stage.to_owned()), json })
}

/// The object that the request was about: namespace and name, or the kind of object alone.
fn target(fields: &Fields) -> Option<(String, String)> {
    let resource = at(fields, "/objectRef/resource", 128)?;
    let kind = match at(fields, "/objectRef/subresource", 64) {
        Some(sub) => format!("{resource}/{sub}"),
        None => resource.to_owned(),
    };
    let name = at(fields, "/objectRef/name", 512).unwrap_or("*");
    let id = match at(fields, "/objectRef/namespace", 256) {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name.to_owned(),
    };
    Some((kind, id))
}

fn party(out: &mut ObjectWriter<'_>, name: &str, user: &str, groups: Option<&[u8]>) {
    out.object(name, |party| {
        party.text("type", kind(user)).text("id", user).optional_raw("groups", groups);
    });
}

fn kind(user: &str) -> &'static str {
    if user.starts_with("system:") { "service" } else { "user" }
}

fn groups<'a>(object: &'a [u8], user: &str) -> Option<&'a [u8]> {
    member(member(object, user)?, "groups")
        .filter(|groups| groups.len() <= 8 * 1024 && groups.starts_with(b"[\""))
}

fn outcome(fields: &Fields, code: Option<u16>) -> Option<&'static str> {
    // A decision's name holds a slash.
    let forbidden = at(fields, "/annotations/authorization.k8s.io~1decision", 16) == Some("forbid");
    match code {
        _ if forbidden => Some("denied"),
        Some(401 | 403) => Some("denied"),
        Some(400..) => Some("failure"),
        Some(_) => Some("success"),
        None => None,
    }
}

/// Returns a text that its place takes.
fn at<'a>(fields: &'a Fields, pointer: &str, bytes_max: usize) -> Option<&'a str> {
    fields.get(pointer)?.text().filter(|text| (1..=bytes_max).contains(&text.len()))
}

fn required<'a>(fields: &'a Fields, pointer: &str, bytes_max: usize) -> Result<&'a str, Violation> {
    at(fields, pointer, bytes_max).ok_or_else(|| {
        Violation::new(pointer, format!("is required, a text of 1 to {bytes_max} bytes"))
    })
}

/// Returns the elements of a compact array.
fn elements(array: &[u8]) -> impl Iterator<Item = &[u8]> {
    // An array of the scanner's differs from an object's members by its keys only.
    let mut rest = array.strip_prefix(b"[").unwrap_or_default();
    std::iter::from_fn(move || {
        rest = rest.strip_prefix(b",").unwrap_or(rest);
        if rest.is_empty() || rest.starts_with(b"]") {
            return None;
        }
        let end = super::object::value_end(rest)?;
        let (element, after) = rest.split_at(end);
        rest = after;
        Some(element)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event() -> Value {
        json!({ "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse", "auditID": "a-1",
            "stage": "ResponseComplete", "requestURI": "/api/v1/namespaces/default/secrets/s", "verb": "get",
            "user": { "username": "system:serviceaccount:ns:sa", "groups": ["system:authenticated"] },
            "sourceIPs": ["203.0.113.9", "10.0.0.1"], "userAgent": "kubectl/1.30",
            "objectRef": { "resource": "secrets", "namespace": "default", "name": "s", "apiVersion": "v1" },
            "responseStatus": { "code": 403, "message": "forbidden" }, "responseObject": { "data": "hidden" },
            "requestReceivedTimestamp": "2026-11-22T00:39:11.000001Z", "stageTimestamp": "2026-11-22T00:39:11.123456Z",
            "annotations": { "authorization.k8s.io/decision": "forbid" } })
    }

    fn mapped(event: &Value) -> Value {
        let mapped = parse(event.to_string().as_bytes(), &Limits::default()).unwrap();
        serde_json::from_slice(&mapped.json).unwrap()
    }

    #[test]
    fn an_event_has_its_places_and_no_bodies() {
        let native = mapped(&event());
        assert_eq!(native["action"], "kubernetes.secrets.get");
        assert_eq!(native["occurred_at"], "2026-11-22T00:39:11.123Z");
        assert_eq!(native["actor"]["type"], "service");
        assert_eq!(native["actor"]["groups"], json!(["system:authenticated"]));
        assert_eq!(native["targets"], json!([{ "type": "secrets", "id": "default/s" }]));
        assert_eq!(native["context"]["http"]["status"], 403);
        assert_eq!([&native["outcome"], &native["reason"]], ["denied", "forbidden"]);
        assert!(!native.to_string().contains("hidden"));
    }

    #[test]
    fn who_was_impersonated_acts_and_who_did_it_stands_beside() {
        let mut event = event();
        event["impersonatedUser"] = json!({ "username": "alice" });
        let native = mapped(&event);
        assert_eq!(native["actor"], json!({ "type": "user", "id": "alice" }));
        assert_eq!(native["impersonator"]["id"], "system:serviceaccount:ns:sa");
    }

    #[test]
    fn lists_are_split_and_other_bodies_refused() {
        let list = json!({ "kind": "EventList", "items": [event(), { "x": [1, "]"] }, event()] })
            .to_string();
        let items = items(list.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(items.len(), 3);
        assert_eq!(items[1], br#"{"x":[1,"]"]}"#);
        for body in ["{}", "[]", r#"{"kind":"Pod"}"#, r#"{"kind":"EventList","items":{}}"#] {
            assert!(super::items(body.as_bytes(), &Limits::default()).is_err(), "{body}");
        }
        assert_eq!(parse(b"{}", &Limits::default()).unwrap_err().pointer, "/auditID");
    }
}
