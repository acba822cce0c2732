//! Intake of any JSON object a line, by a map that says which member comes from where.
//!
//! ```json
//! {"fields": {"action": "/event/name", "actor.id": "/user", "tenant": "=acme", "occurred_at": "/ts"}, "rest": "metadata"}
//! ```
//!
//! A value that begins with `/` is an RFC 6901 pointer into the line; one that begins with `=` is the text after it.
//! What no pointer takes becomes the metadata (`"rest": "metadata"`, the default) or is left out (`"rest": "drop"`).
//! Times may be RFC 3339, without a zone (UTC), or numbers of seconds or milliseconds since 1970.

use std::{borrow::Cow, collections::BTreeMap};

use attestary_event::{
    Fields, Kind, Limits, Timestamp, Violation,
    scan::{self, write_string},
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::object::{ObjectWriter, is_key, members};

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
#[derive(Debug, Clone)]
pub struct FieldMap {
    /// In the order in which members are written.
    sources: Vec<Source>,
    /// Members of the line that a pointer takes whole.
    taken: Vec<String>,
    /// Whether the rest becomes the metadata.
    rest: bool,
}

/// Where one member comes from.
#[derive(Debug, Clone)]
struct Source {
    /// As the map names it.
    name: String,
    /// Where it stands in an event, below objects; the first target and the only label for theirs.
    path: Vec<String>,
    /// A pointer, or `=` and a text.
    from: String,
}

/// A map as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    fields: BTreeMap<String, String>,
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
        let map: Written = serde_json::from_str(text).map_err(|error| error.to_string())?;
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
        let rest = map.rest == Rest::Metadata && !map.fields.contains_key("metadata");
        let whole = map.fields.values().filter_map(|from| from.strip_prefix('/'));
        let taken = whole.map(str::to_owned).collect();
        let mut sources: Vec<Source> = map.fields.into_iter().map(Source::of).collect();
        sources.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { sources, taken, rest })
    }

    /// Maps one line.
    pub fn map(&self, line: &[u8], limits: &Limits) -> Result<Mapped, Violation> {
        let scanned = scan::scan(line, limits)?;
        let fields = &scanned.fields;
        let (mut tenant, mut id) = (None, None);
        let mut json = Vec::with_capacity(line.len() + 256);
        let mut out = Nested { out: &mut json, open: Vec::with_capacity(3), actor: false };
        out.out.push(b'{');
        for source in &self.sources {
            let Some(value) = value(&source.name, &source.from, fields)? else { continue };
            match source.name.as_str() {
                "tenant" => tenant = Some(value.plain()),
                "id" => id = Some(value.plain()),
                _ => out.put(&source.path, &value),
            }
        }
        out.finish();
        let mut out = ObjectWriter::reopen(&mut json);
        if self.rest {
            // Whole members that no pointer takes; a pointer into a member takes only that part of it out of sight.
            let taken = |key: &[u8]| self.taken.iter().any(|path| is_key(key, path));
            out.object("metadata", |metadata| {
                for member in members(&scanned.compact).filter(|(key, _)| !taken(key)) {
                    metadata.raw_members([&member]);
                }
            });
        }
        out.object("source", |source| _ = source.text("system", "ndjson"));
        out.close();
        Ok(Mapped { tenant, id, json })
    }
}

impl Source {
    fn of((name, from): (String, String)) -> Self {
        let mut path: Vec<String> = name.split('.').map(str::to_owned).collect();
        match path[0].as_str() {
            "target" => path[0] = "targets".into(),
            "label" => path[0] = "labels".into(),
            _ => {}
        }
        Self { name, path, from }
    }
}

/// Writes members at paths that come in their order, and the objects around them.
struct Nested<'a> {
    out: &'a mut Vec<u8>,
    /// Names of the objects that are open.
    open: Vec<&'a str>,
    /// Whether an actor was written.
    actor: bool,
}

impl<'a> Nested<'a> {
    fn put(&mut self, path: &'a [String], value: &Found<'_>) {
        self.actor_before(&path[0]);
        let (name, objects) = path.split_last().expect("a path has a name");
        let common = self.open.iter().zip(objects).take_while(|(a, b)| *a == b).count();
        self.close(common);
        for object in &objects[common..] {
            self.key(object);
            self.out.extend_from_slice(if object == "targets" { b"[{" } else { b"{" });
            self.open.push(object);
        }
        self.key(name);
        match name.as_str() {
            "labels" => {
                self.out.push(b'[');
                value.write(self.out);
                self.out.push(b']');
            }
            _ => value.write(self.out),
        }
    }

    /// Writes the actor of lines that have none, where it belongs.
    fn actor_before(&mut self, next: &str) {
        if next >= "actor" && !self.actor {
            self.actor = true;
            if next != "actor" {
                self.close(0);
                self.key("actor");
                self.out.extend_from_slice(br#"{"type":"anonymous"}"#);
            }
        }
    }

    fn key(&mut self, name: &str) {
        if !self.out.ends_with(b"{") {
            self.out.push(b',');
        }
        write_string(name, self.out);
        self.out.push(b':');
    }

    fn close(&mut self, depth: usize) {
        while self.open.len() > depth {
            let targets = self.open.pop() == Some("targets");
            self.out.extend_from_slice(if targets { b"}]" } else { b"}" });
        }
    }

    fn finish(mut self) {
        // After every name that begins with a letter.
        self.actor_before("~");
        self.close(0);
    }
}

/// A value that was found.
#[derive(Debug)]
enum Found<'a> {
    Text(Cow<'a, str>),
    /// A number of one of the four members that are numbers, or the metadata.
    Json(Value),
}

impl Found<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => write_string(text, out),
            Self::Json(value) => out.extend_from_slice(value.to_string().as_bytes()),
        }
    }

    fn plain(&self) -> String {
        match self {
            Self::Text(text) => text.to_string(),
            Self::Json(value) => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
        }
    }
}

/// Returns the value for a member; nothing where the line has none.
fn value<'a>(
    name: &str,
    from: &'a str,
    fields: &'a Fields,
) -> Result<Option<Found<'a>>, Violation> {
    let (kind, text) = match from.strip_prefix('=') {
        Some(text) => (Kind::String, text),
        None => match fields.get(from) {
            Some(field) => (field.kind, field.value),
            None if name == "metadata" => return Ok(object(from, fields).map(Found::Json)),
            None => return Ok(None),
        },
    };
    let plain = |text: &'a str| Some(Found::Text(Cow::Borrowed(text)));
    Ok(match (name, kind) {
        (_, Kind::Null | Kind::EmptyObject | Kind::EmptyArray) => None,
        ("occurred_at", _) => {
            let time = time(kind, text).ok_or_else(|| Violation::new(from, "is no time"))?;
            Some(Found::Text(Cow::Owned(time.to_string())))
        }
        ("severity" | "schema_version" | "context.http.status" | "context.http.duration_ms", _) => {
            serde_json::from_str(text).ok().map(Found::Json).or_else(|| plain(text))
        }
        (_, Kind::True) => plain("true"),
        (_, Kind::False) => plain("false"),
        _ if text.is_empty() => None,
        _ => plain(text),
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

fn time(kind: Kind, text: &str) -> Option<Timestamp> {
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
    Some(time)
}

#[cfg(test)]
mod tests {
    use attestary_event::{
        actions::KnownActions,
        intake::{Accepted, Context, DigestKey, Door, accept},
    };
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// The same, plainly: a tree of values is built and written. What is stored must be the same byte for byte.
    fn by_tree(map: &FieldMap, line: &[u8]) -> Result<Mapped, Violation> {
        let scanned = scan::scan(line, &Limits::default())?;
        let (mut event, mut tenant, mut id) = (Map::new(), None, None);
        for source in &map.sources {
            let Some(value) = value(&source.name, &source.from, &scanned.fields)? else { continue };
            let plain = value.plain();
            let value = match value {
                Found::Text(text) => Value::from(text.into_owned()),
                Found::Json(value) => value,
            };
            match source.name.split('.').collect::<Vec<_>>()[..] {
                ["tenant"] => tenant = Some(plain),
                ["id"] => id = Some(plain),
                ["label"] => _ = event.insert("labels".into(), json!([value])),
                ["target", name] => {
                    let targets = event.entry("targets").or_insert_with(|| json!([{}]));
                    targets[0][name] = value;
                }
                [name] => _ = event.insert(name.into(), value),
                [outer, name] => event.entry(outer).or_insert_with(|| json!({}))[name] = value,
                [outer, inner, name] => {
                    event.entry(outer).or_insert_with(|| json!({}))[inner][name] = value;
                }
                _ => unreachable!("no member is deeper"),
            }
        }
        if !event.contains_key("actor") {
            event.insert("actor".into(), json!({ "type": "anonymous" }));
        }
        let mut json = Vec::new();
        let mut out = ObjectWriter::open(&mut json);
        for (name, value) in &event {
            out.raw(name, value.to_string().as_bytes());
        }
        if map.rest {
            let taken = |key: &[u8]| map.taken.iter().any(|path| is_key(key, path));
            let rest: Vec<_> = members(&scanned.compact).filter(|(key, _)| !taken(key)).collect();
            out.object("metadata", |metadata| metadata.raw_members(&rest));
        }
        out.object("source", |source| _ = source.text("system", "ndjson"));
        out.close();
        Ok(Mapped { tenant, id, json })
    }

    fn accepted(json: &[u8]) -> Option<Accepted> {
        let tenant = attestary_event::TenantId::parse("t").unwrap();
        let context = Context {
            now: Timestamp(1_795_307_951_123),
            actions: KnownActions::builtin(),
            limits: &Limits::default(),
            default_tenant: Some(&tenant),
        };
        accept(json, Door::Adapter, &context, &DigestKey::new(&[0; 32])).ok()
    }

    proptest! {
        #[test]
        fn what_is_stored_is_what_a_tree_of_values_gives(
            names in proptest::sample::subsequence(&MEMBERS[..], 0..12),
            from in proptest::collection::vec("(/[abc]|/[abc]/d|=x\"|=7)", 12),
            line in proptest::collection::btree_map(
                "[abcd]",
                prop_oneof![
                    "[a-z\u{0}-\u{22}\\\\\u{7f}-\u{a0}]{0,6}".prop_map(Value::from),
                    any::<i32>().prop_map(Value::from),
                    Just(json!(null)), Just(json!(true)), Just(json!({})), Just(json!([1, "x"])),
                    Just(json!({ "d": "2026-11-22T00:39:11Z", "e": { "f": 1.5 } })),
                    Just(json!({ "d": 1_795_307_951 })),
                ],
                0..5,
            ),
            drop in any::<bool>(),
        ) {
            let mut fields: BTreeMap<&str, &String> = names.into_iter().zip(&from).collect();
            let action = "=a.b".to_owned();
            fields.entry("action").or_insert(&action);
            let map = json!({ "fields": fields, "rest": if drop { "drop" } else { "metadata" } });
            let map = FieldMap::parse(&map.to_string()).unwrap();
            let line = serde_json::to_string(&line).unwrap();
            let (own, tree) = (map.map(line.as_bytes(), &Limits::default()), by_tree(&map, line.as_bytes()));
            match (own, tree) {
                (Ok(own), Ok(tree)) => {
                    prop_assert_eq!((&own.tenant, &own.id), (&tree.tenant, &tree.id));
                    let (own, tree) = (accepted(&own.json), accepted(&tree.json));
                    prop_assert_eq!(own.is_some(), tree.is_some());
                    if let (Some(own), Some(tree)) = (own, tree) {
                        prop_assert_eq!(own.body, tree.body);
                        prop_assert_eq!(own.fields, tree.fields);
                    }
                }
                (own, tree) => prop_assert_eq!(own.err(), tree.err()),
            }
        }
    }

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
