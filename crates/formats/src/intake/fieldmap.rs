//! Intake of any JSON object a line, by a map that says which member comes from where.
//!
//! ```json
//! {"fields": {"action": "/event/name", "actor.id": "/user", "tenant": "=acme", "occurred_at": "/ts"}, "rest": "metadata"}
//! ```
//!
//! A value that begins with `/` is an RFC 6901 pointer into the line; one that begins with `=` is the text after it.
//! What no pointer takes becomes the metadata (`"rest": "metadata"`, the default) or is left out (`"rest": "drop"`).
//! Times may be RFC 3339, without a zone (UTC), or numbers of seconds or milliseconds since 1970.

use std::collections::BTreeMap;

use attestary_event::{Fields, Kind, Limits, Timestamp, Violation, scan};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::object::{ObjectWriter, members};

/// Members that a map may set, as dotted names.
const MEMBERS: [&str; 33] = [
    "id",
    "tenant",
    "action",
    "occurred_at",
    "actor.type",
    "actor.id",
    "actor.name",
    "actor.email",
    "impersonator.id",
    "on_behalf_of.id",
    "target.type",
    "target.id",
    "target.name",
    "context.ip",
    "context.user_agent",
    "context.session_id",
    "context.parent_session_id",
    "context.request_id",
    "context.trace_id",
    "context.location",
    "context.http.method",
    "context.http.url",
    "context.http.status",
    "context.http.duration_ms",
    "context.attempted_identity",
    "outcome",
    "reason",
    "severity",
    "category",
    "description",
    "label",
    "schema_version",
    "metadata",
];

/// Numbers from here on are milliseconds: the year 5138 in seconds, 1973 in milliseconds.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// A declarative map.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldMap {
    /// Where each member comes from.
    fields: BTreeMap<String, String>,
    /// What becomes of the rest.
    #[serde(default)]
    rest: Rest,
}

/// What becomes of members that the map does not name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Rest {
    #[default]
    Metadata,
    Drop,
}

/// A native submission made from a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// Whose event it is, when the map says so.
    pub tenant: Option<String>,
    /// What identifies it in its own system, when the map says so.
    pub id: Option<String>,
    /// The native event as JSON, without id and tenant.
    pub json: Vec<u8>,
}

impl FieldMap {
    /// Reads a map; says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let map: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        for (name, from) in &map.fields {
            if !MEMBERS.contains(&name.as_str()) {
                return Err(format!(
                    "fields: \"{name}\" is no member; known are {}",
                    MEMBERS.join(", ")
                ));
            }
            if !from.starts_with(['/', '=']) {
                return Err(format!("fields.{name}: begins with / (a pointer) or = (a text)"));
            }
        }
        if !map.fields.contains_key("action") {
            return Err("fields: \"action\" is required".into());
        }
        Ok(map)
    }

    /// Maps one line.
    pub fn map(&self, line: &[u8], limits: &Limits) -> Result<Mapped, Violation> {
        let scanned = scan::scan(line, limits)?;
        let fields = &scanned.fields;
        let mut event = Map::new();
        let (mut tenant, mut id) = (None, None);
        for (name, from) in &self.fields {
            let Some(value) = value(name, from, fields)? else { continue };
            match name.as_str() {
                "tenant" => tenant = Some(plain(&value)),
                "id" => id = Some(plain(&value)),
                _ => set(&mut event, name, value),
            }
        }
        if !event.contains_key("actor") {
            event.insert("actor".into(), serde_json::json!({ "type": "anonymous" }));
        }
        let mut json = Vec::with_capacity(line.len() + 128);
        let mut out = ObjectWriter::open(&mut json);
        for (name, value) in &event {
            out.raw(name, value.to_string().as_bytes());
        }
        if self.rest == Rest::Metadata && !self.fields.contains_key("metadata") {
            // Whole members that no pointer takes; a pointer into a member takes only that part of it out of sight.
            let taken = |key: &[u8]| {
                self.fields.values().any(|from| {
                    from.strip_prefix('/').is_some_and(|path| super::object::is_key(key, path))
                })
            };
            let rest: Vec<_> = members(&scanned.compact).filter(|(key, _)| !taken(key)).collect();
            out.object("metadata", |metadata| metadata.raw_members(&rest));
        }
        out.object("source", |source| _ = source.text("system", "ndjson"));
        out.close();
        Ok(Mapped { tenant, id, json })
    }
}

/// Returns the value for a member; nothing where the line has none.
fn value(name: &str, from: &str, fields: &Fields) -> Result<Option<Value>, Violation> {
    let (kind, text) = match from.strip_prefix('=') {
        Some(text) => (Kind::String, text),
        None => match fields.get(from) {
            Some(field) => (field.kind, field.value),
            None if name == "metadata" => return Ok(object(from, fields)),
            None => return Ok(None),
        },
    };
    let number = || serde_json::from_str::<Value>(text).ok();
    Ok(match (name, kind) {
        (_, Kind::Null | Kind::EmptyObject | Kind::EmptyArray) => None,
        ("occurred_at", _) => {
            Some(time(kind, text).ok_or_else(|| Violation::new(from, "is no time"))?)
        }
        ("severity" | "schema_version" | "context.http.status" | "context.http.duration_ms", _) => {
            Some(number().unwrap_or_else(|| text.into()))
        }
        (_, Kind::True) => Some("true".into()),
        (_, Kind::False) => Some("false".into()),
        _ if text.is_empty() => None,
        _ => Some(text.into()),
    })
}

/// Returns the object at a pointer, for the metadata.
fn object(from: &str, fields: &Fields) -> Option<Value> {
    let mut map = Map::new();
    for field in fields.under(from) {
        let name = field.pointer[from.len()..].trim_start_matches('/').to_owned();
        map.insert(name, field.text().map_or(Value::Null, Value::from));
    }
    (!map.is_empty()).then_some(Value::Object(map))
}

fn time(kind: Kind, text: &str) -> Option<Value> {
    let time = match kind {
        Kind::Number => {
            let number: f64 = text.parse().ok()?;
            let whole = number as i64;
            let ms =
                if whole.abs() >= MILLISECONDS_FROM { whole } else { (number * 1_000.0) as i64 };
            Timestamp(ms)
        }
        Kind::String => Timestamp::parse_zoneless(text)?,
        _ => return None,
    };
    Some(time.to_string().into())
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Sets a member by its dotted name; `target` is the first target, `label` the only label.
fn set(event: &mut Map<String, Value>, name: &str, value: Value) {
    match name.split_once('.') {
        None if name == "label" => _ = event.insert("labels".into(), Value::Array(vec![value])),
        None => _ = event.insert(name.to_owned(), value),
        Some(("target", inner)) => {
            let targets = event.entry("targets").or_insert_with(|| serde_json::json!([{}]));
            if let Some(target) = targets.get_mut(0).and_then(Value::as_object_mut) {
                target.insert(inner.to_owned(), value);
            }
        }
        Some((outer, inner)) => {
            let object = event.entry(outer).or_insert_with(|| Value::Object(Map::new()));
            if let Some(object) = object.as_object_mut() {
                set(object, inner, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_come_from_where_the_map_says() {
        let map = FieldMap::parse(
            r#"{"fields":{"action":"/event/name","actor.id":"/user","tenant":"=acme","occurred_at":"/ts","id":"/n","target.id":"/doc","target.type":"=document","context.http.status":"/status","label":"/class"}}"#,
        )
        .unwrap();
        let line = br#"{"event":{"name":"doc.read","x":1},"user":"u","ts":1795307951.123,"n":7,"doc":"d","status":200,"class":"pii","more":1.50}"#;
        let mapped = map.map(line, &Limits::default()).unwrap();
        assert_eq!((mapped.tenant.as_deref(), mapped.id.as_deref()), (Some("acme"), Some("7")));
        let event: Value = serde_json::from_slice(&mapped.json).unwrap();
        let expected = json!({ "action": "doc.read", "actor": { "id": "u" }, "occurred_at": "2026-11-22T00:39:11.123Z",
            "targets": [{ "id": "d", "type": "document" }], "context": { "http": { "status": 200 } }, "labels": ["pii"],
            "metadata": { "event": { "name": "doc.read", "x": 1 }, "more": 1.5 }, "source": { "system": "ndjson" } });
        assert_eq!(event, expected);
        assert!(String::from_utf8(mapped.json).unwrap().contains(r#""more":1.5"#));
    }

    #[test]
    fn the_rest_may_be_left_out_and_an_actor_may_be_missing() {
        let map = FieldMap::parse(r#"{"fields":{"action":"/a"},"rest":"drop"}"#).unwrap();
        let event: Value = serde_json::from_slice(
            &map.map(br#"{"a":"x","b":1}"#, &Limits::default()).unwrap().json,
        )
        .unwrap();
        assert_eq!(
            event,
            json!({ "action": "x", "actor": { "type": "anonymous" }, "source": { "system": "ndjson" } })
        );
    }

    #[test]
    fn bad_maps_and_lines_are_refused() {
        for (map, says) in [
            ("{", "EOF"),
            (r#"{"fields":{}}"#, "action"),
            (r#"{"fields":{"action":"/a","actor":"/b"}}"#, "\"actor\" is no member"),
            (r#"{"fields":{"action":"a"}}"#, "begins with"),
            (r#"{"fields":{"action":"/a"},"more":1}"#, "unknown field"),
        ] {
            assert!(FieldMap::parse(map).unwrap_err().contains(says), "{map}");
        }
        let map = FieldMap::parse(r#"{"fields":{"action":"/a","occurred_at":"/t"}}"#).unwrap();
        assert_eq!(
            map.map(br#"{"a":"x","t":"soon"}"#, &Limits::default()).unwrap_err().pointer,
            "/t"
        );
        assert!(map.map(b"[]", &Limits::default()).is_err());
    }
}
