//! Intake of Retraced events, and the receipt that its clients compute again.
//!
//! `fields` becomes the metadata; what has no native member (`crud`, `metadata`, `external_id`, `component`,
//! `version`, the group's name, a time in another spelling) stands in `source.fields`, where filters reach it.
//! [`Submitted::hash`] is computed over the values as they were sent, before anything else touches them; it is a
//! receipt for the client and is never stored.

mod receipt;

use attestary_event::{Fields, Kind, Limits, Timestamp, Violation, scan};

use super::object::{Members, ObjectWriter, is_key, member};
pub use receipt::Submitted;
use receipt::{Pairs, Values};

/// Times beyond the year 3000 in milliseconds are micro- or nanoseconds.
const YEAR_3000_MS: i64 = 32_503_680_000_000;

/// The members of an event.
const KNOWN: [&str; 15] = [
    "action",
    "crud",
    "group",
    "created",
    "actor",
    "target",
    "source_ip",
    "description",
    "is_failure",
    "is_anonymous",
    "fields",
    "metadata",
    "external_id",
    "component",
    "version",
];

/// A native submission made from an event, and what its receipt is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// The native event as JSON; it names a tenant only when the event names a group.
    pub json: Vec<u8>,
    /// What the receipt covers.
    pub submitted: Submitted,
}

/// Maps one event.
pub fn parse(event: &[u8], limits: &Limits) -> Result<Mapped, Violation> {
    let scanned = scan::scan(event, limits)?;
    let (fields, object) = (&scanned.fields, &Members::of(&scanned.compact));
    for (key, _) in object.iter() {
        if !KNOWN.iter().any(|name| is_key(key, name)) {
            let name = std::str::from_utf8(key).unwrap_or_default().trim_matches('"');
            return Err(Violation::new(format!("/{name}"), "is not a member of an event"));
        }
    }
    let values = Values::read(fields, object)?;
    let crud = text(fields, "/crud")?;
    if crud.is_some_and(|crud| !matches!(crud, "c" | "r" | "u" | "d")) {
        return Err(Violation::new("/crud", "must be c, r, u or d"));
    }
    let created = created(fields)?;
    let mut json = Vec::with_capacity(event.len() + 256);
    let mut native = ObjectWriter::open(&mut json);
    native.optional("tenant", filled(values.group)).text("action", values.action);
    let occurred =
        created.as_ref().and_then(|created| created.instant).map(|time| time.to_string());
    native.optional("occurred_at", occurred.as_deref());
    actor(fields, object, &values, &mut native)?;
    if let Some(id) = filled(values.target) {
        let kind = text(fields, "/target/type")?.and_then(filled);
        let described = Described::of(fields, object, &TARGET)?;
        native.objects("targets", [()], |target, ()| {
            target.optional("type", kind).text("id", id);
            described.write(target);
        });
    }
    let ip = filled(values.source_ip);
    native.object("context", |context| _ = context.optional("ip", ip));
    if let Some(failed) = values.is_failure {
        native.text("outcome", if failed { "failure" } else { "success" });
    }
    native.optional("description", text(fields, "/description")?);
    let own_fields = object.get("fields").filter(|_| values.fields.is_some());
    native.optional_raw("metadata", own_fields);
    native.object("source", |source| {
        source.text("system", "retraced");
        source.object("fields", |residue| {
            for name in ["crud", "external_id", "component", "version", "metadata"] {
                let value = object.get(name).filter(|value| *value != b"null");
                residue.optional_raw(name, value);
            }
            let group = object.get("group").and_then(|group| member(group, "name"));
            residue.optional_raw("group_name", group.filter(|name| name.starts_with(b"\"")));
            if created.as_ref().is_some_and(|created| occurred.as_deref() != Some(&created.token)) {
                residue.optional_raw("created", object.get("created"));
            }
        });
    });
    native.close();
    Ok(Mapped { json, submitted: values.submitted() })
}

/// Writes the actor; without an id it is anonymous, which the event must say.
fn actor(
    fields: &Fields,
    object: &Members<'_>,
    values: &Values<'_>,
    native: &mut ObjectWriter<'_>,
) -> Result<(), Violation> {
    let id = filled(values.actor);
    if id.is_none() && !values.is_anonymous {
        let detail = "an actor with an id is required unless is_anonymous is true";
        return Err(Violation::new(ACTOR.id, detail));
    }
    let described = Described::of(fields, object, &ACTOR)?;
    native.object("actor", |actor| {
        actor.text("type", if values.is_anonymous { "anonymous" } else { "user" });
        actor.optional("id", id);
        described.write(actor);
    });
    Ok(())
}

/// Where an actor or target says what.
struct Party {
    member: &'static str,
    id: &'static str,
    name: &'static str,
    href: &'static str,
    fields: &'static str,
}

const ACTOR: Party = Party {
    member: "actor",
    id: "/actor/id",
    name: "/actor/name",
    href: "/actor/href",
    fields: "/actor/fields",
};
const TARGET: Party = Party {
    member: "target",
    id: "/target/id",
    name: "/target/name",
    href: "/target/href",
    fields: "/target/fields",
};

/// Name, href and fields of an actor or target.
struct Described<'a> {
    name: Option<&'a str>,
    href: Option<&'a str>,
    fields: Option<&'a [u8]>,
}

impl<'a> Described<'a> {
    fn of(fields: &'a Fields, object: &Members<'a>, party: &Party) -> Result<Self, Violation> {
        let own = object.get(party.member).and_then(|object| member(object, "fields"));
        let own = own.filter(|own| *own != b"null");
        Pairs::read(own, party.fields)?;
        Ok(Self { name: text(fields, party.name)?, href: text(fields, party.href)?, fields: own })
    }

    fn write(&self, writer: &mut ObjectWriter<'_>) {
        writer.optional("name", self.name);
        writer.object("metadata", |metadata| {
            metadata.optional("href", self.href).optional_raw("fields", self.fields);
        });
    }
}

impl<'a> Values<'a> {
    fn read(fields: &'a Fields, object: &Members<'a>) -> Result<Self, Violation> {
        let id = |name: &str, pointer: &str| -> Result<&'a str, Violation> {
            let id = text(fields, pointer)?.unwrap_or_default();
            let given = object.get(name).is_some_and(|value| value != b"null" && value != b"{}");
            if given && id.is_empty() && name != ACTOR.member {
                return Err(Violation::new(pointer, format!("is required when {name} is given")));
            }
            Ok(id)
        };
        let own = |name: &str, pointer: &str| {
            Pairs::read(object.get(name).filter(|value| *value != b"null"), pointer)
        };
        let action = text(fields, "/action")?.and_then(filled);
        Ok(Self {
            action: action.ok_or_else(|| Violation::new("/action", "is required"))?,
            target: id(TARGET.member, TARGET.id)?,
            actor: id(ACTOR.member, ACTOR.id)?,
            group: id("group", "/group/id")?,
            source_ip: text(fields, "/source_ip")?.unwrap_or_default(),
            is_failure: flag(fields, "/is_failure")?,
            is_anonymous: flag(fields, "/is_anonymous")?.unwrap_or_default(),
            fields: own("fields", "/fields")?,
            external_id: text(fields, "/external_id")?.unwrap_or_default(),
            metadata: own("metadata", "/metadata")?,
        })
    }
}

/// `created` as sent, and as an instant where one can express it.
struct Created {
    token: String,
    instant: Option<Timestamp>,
}

fn created(fields: &Fields) -> Result<Option<Created>, Violation> {
    const POINTER: &str = "/created";
    let Some(field) = fields.get(POINTER) else { return Ok(None) };
    let instant = match field.kind {
        Kind::Null => return Ok(None),
        Kind::String => Timestamp::parse_zoneless(field.value),
        Kind::Number => field.value.parse::<i64>().ok().map(|number| {
            let ms = [1, 1_000, 1_000_000].into_iter().map(|unit| number / unit);
            Timestamp(ms.clone().find(|ms| ms.abs() <= YEAR_3000_MS).unwrap_or(number / 1_000_000))
        }),
        _ => None,
    };
    if instant.is_none() {
        return Err(Violation::new(
            POINTER,
            "must be a time: RFC 3339, or milliseconds since 1970",
        ));
    }
    Ok(Some(Created { token: field.value.to_owned(), instant }))
}

/// Returns a string member; absent and `null` are the same.
fn text<'a>(fields: &'a Fields, pointer: &str) -> Result<Option<&'a str>, Violation> {
    match fields.get(pointer) {
        Some(field) if field.kind == Kind::String => Ok(Some(field.value)),
        Some(field) if field.kind == Kind::Null => Ok(None),
        None if fields.under(pointer).next().is_none() => Ok(None),
        _ => Err(Violation::new(pointer, "must be a string")),
    }
}

fn flag(fields: &Fields, pointer: &str) -> Result<Option<bool>, Violation> {
    match fields.get(pointer).map(|field| field.kind) {
        None | Some(Kind::Null) => Ok(None),
        Some(Kind::True) => Ok(Some(true)),
        Some(Kind::False) => Ok(Some(false)),
        Some(_) => Err(Violation::new(pointer, "must be true or false")),
    }
}

fn filled(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn mapped(event: &Value) -> (Value, Submitted) {
        let mapped = parse(event.to_string().as_bytes(), &Limits::default()).unwrap();
        (serde_json::from_slice(&mapped.json).unwrap(), mapped.submitted)
    }

    #[test]
    fn the_receipts_are_the_published_ones() {
        let event = json!({ "action": "some.record.created", "target": { "id": "t%" }, "actor": { "id": "a" },
            "group": { "id": "g:1" }, "source_ip": "1.2.3.4", "fields": { "b": "1=;", "a": "2" },
            "external_id": "x1", "metadata": { "m": "n" } });
        let (_, submitted) = mapped(&event);
        assert_eq!(
            submitted.preimage("ID"),
            "ID:some.record.created:t%25:a:g%3A1:1.2.3.4:0:0:a=2;b=1%3D%3B;:x1:m=n;"
        );
        let expected = "62c43167a0ff2016c20ef39984f8fc2c320d4aaf4d930466ad0f23dc5d87c43c";
        assert_eq!(submitted.hash("ID"), expected);
    }

    #[test]
    fn absent_and_empty_fields_differ_and_keys_are_in_utf_16_order() {
        let of = |fields: Value| {
            mapped(&json!({ "action": "x", "is_anonymous": true, "fields": fields }))
                .1
                .preimage("I")
        };
        assert_eq!(of(Value::Null), "I:x:::::0:1::");
        assert_eq!(of(json!({})), "I:x:::::0:1:");
        // U+1F600 begins with a surrogate, which comes before U+FFFD.
        assert_eq!(
            of(json!({ "\u{fffd}": "a", "\u{1f600}": "b" })),
            "I:x:::::0:1:\u{1f600}=b;\u{fffd}=a;"
        );
    }

    #[test]
    fn every_member_has_its_place() {
        let event = json!({ "action": "a.b", "crud": "u", "group": { "id": "g", "name": "Group" },
            "created": "2026-11-22T00:39:11.123Z",
            "actor": { "id": "u", "name": "U", "href": "h", "fields": { "k": "v" } },
            "target": { "id": "t", "name": "T", "href": "i", "type": "doc", "fields": {} },
            "source_ip": "1.2.3.4", "description": "d", "is_failure": true, "is_anonymous": false,
            "fields": { "f": "1" }, "metadata": { "m": "2" }, "external_id": "e", "component": "c", "version": "v" });
        let (native, _) = mapped(&event);
        let expected = json!({ "tenant": "g", "action": "a.b", "occurred_at": "2026-11-22T00:39:11.123Z",
            "actor": { "type": "user", "id": "u", "name": "U", "metadata": { "href": "h", "fields": { "k": "v" } } },
            "targets": [{ "type": "doc", "id": "t", "name": "T", "metadata": { "href": "i", "fields": {} } }],
            "context": { "ip": "1.2.3.4" }, "outcome": "failure", "description": "d", "metadata": { "f": "1" },
            "source": { "system": "retraced", "fields": { "crud": "u", "external_id": "e", "component": "c",
                "version": "v", "metadata": { "m": "2" }, "group_name": "Group" } } });
        assert_eq!(native, expected);
    }

    #[test]
    fn times_far_in_the_future_are_finer_units() {
        for (created, expected) in [
            (json!(1_700_000_000_123_i64), "2023-11-14T22:13:20.123Z"),
            (json!(1_700_000_000_123_456_i64), "2023-11-14T22:13:20.123Z"),
            (json!(1_700_000_000_123_456_789_i64), "2023-11-14T22:13:20.123Z"),
            (json!("2023-11-14T22:13:20Z"), "2023-11-14T22:13:20.000Z"),
        ] {
            let (native, _) =
                mapped(&json!({ "action": "x", "is_anonymous": true, "created": created }));
            assert_eq!(native["occurred_at"], expected);
            assert_eq!(native["source"]["fields"]["created"], created, "the spelling is kept");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (event, pointer) in [
            (json!({}), "/action"),
            (json!({ "action": "x" }), "/actor/id"),
            (json!({ "action": "x", "is_anonymous": true, "crud": "x" }), "/crud"),
            (json!({ "action": "x", "is_anonymous": "yes" }), "/is_anonymous"),
            (json!({ "action": "x", "is_anonymous": true, "fields": { "a": 1 } }), "/fields"),
            (json!({ "action": "x", "is_anonymous": true, "group": { "name": "g" } }), "/group/id"),
            (json!({ "action": "x", "is_anonymous": true, "created": "soon" }), "/created"),
            (json!({ "action": "x", "is_anonymous": true, "nope": 1 }), "/nope"),
        ] {
            let refused = parse(event.to_string().as_bytes(), &Limits::default()).unwrap_err();
            assert_eq!(refused.pointer, pointer, "{event}");
        }
    }
}
