//! Payload B: Elastic Common Schema 8.11, published 2024-11. Members are nested or have dotted keys.

use attestary_event::{Fields, Kind, Violation, scan::Scanned};

use super::{Mapped, Residue, fitting, time};
use crate::intake::object::{ObjectWriter, is_key, member, members};

/// Maps a payload that was scanned.
pub(super) fn map(scanned: &Scanned, tenant: Option<&str>) -> Result<Mapped, Violation> {
    let (fields, body) = (&scanned.fields, scanned.compact.as_slice());
    let action = text(fields, "event", "action").filter(|action| (1..=256).contains(&action.len()));
    let action = action.ok_or_else(|| {
        let detail = "an event name of 1 to 256 bytes is required: security_event_type in payload A, \
                      event.action in payload B";
        Violation::new("/event/action", detail)
    })?;
    let ip = fitting(text(fields, "client", "ip"), 256);
    let sent_time = fields.get("/@timestamp").filter(|field| field.kind == Kind::String);
    let occurred = sent_time.and_then(|field| time(field.value));
    let mut json = Vec::with_capacity(512);
    let mut event = ObjectWriter::open(&mut json);
    event.optional("tenant", tenant).text("action", action);
    event.optional("occurred_at", occurred.map(|time| time.to_string()).as_deref());
    event.object("actor", |actor| _ = actor.text("type", "anonymous"));
    event.object("context", |context| _ = context.optional("ip", ip));
    let mut residue = Residue::default();
    for entry in members(body) {
        let (key, value) = entry;
        let regular = is_key(key, "client") && only(value, &[("ip", ip)])
            || is_key(key, "event")
                && only(value, &[("action", Some(action)), ("timezone", Some("UTC"))])
            || is_key(key, "ecs") && only(value, &[("version", Some("8.11"))])
            || is_key(key, "geo") && value == b"{}";
        if !regular {
            residue.keep(entry);
        }
    }
    residue.write("b", sent_time.is_some() && occurred.is_none(), &mut event);
    event.close();
    Ok(Mapped { json, area: None })
}

/// Returns a string member of an object, or the member with the dotted key.
fn text<'a>(fields: &'a Fields, object: &str, name: &str) -> Option<&'a str> {
    let nested = fields.get(&format!("/{object}/{name}"));
    let field = nested.or_else(|| fields.get(&format!("/{object}.{name}")))?;
    (field.kind == Kind::String).then_some(field.value)
}

/// True when the object has exactly these members: then the encoder writes it as it came.
fn only(object: &[u8], wanted: &[(&str, Option<&str>)]) -> bool {
    members(object).count() == wanted.len()
        && wanted.iter().all(|(name, text)| {
            let mut own = Vec::new();
            attestary_event::scan::write_string(text.unwrap_or_default(), &mut own);
            text.is_some() && member(object, name) == Some(own.as_slice())
        })
}
