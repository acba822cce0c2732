//! Payload A: flat JSON of 32 fields, published 2024-07.

use attestary_event::{Fields, Kind, Violation, scan::Scanned};

use super::{Mapped, Residue, fitting, time};
use crate::intake::object::{Member, ObjectWriter, is_key, members};

/// Bytes that the native members take.
const TYPE_BYTES_MAX: usize = 64;
const TARGET_TYPE_BYTES_MAX: usize = 256;
const ID_BYTES_MAX: usize = 1024;
const IP_BYTES_MAX: usize = 256;
const ACTION_BYTES_MAX: usize = 256;

/// Values that the encoder writes when an event has no other: kept only when they differ.
const CONSTANTS: [(&str, &str); 3] =
    [("message", "Security log"), ("eventGroup", "security_events"), ("log_level", "INFO")];

/// The fields that have native members, as far as those can hold them.
#[derive(Debug)]
struct Flat<'a> {
    action: &'a str,
    tenant: Option<&'a str>,
    role: Option<&'a str>,
    rid: Option<&'a str>,
    master_rid: Option<&'a str>,
    process: Option<&'a str>,
    session_type: Option<&'a str>,
    step: Option<&'a str>,
    ip: Option<&'a str>,
    time: Option<&'a str>,
}

/// Maps a payload that was scanned.
pub(super) fn map(scanned: &Scanned, tenant: Option<&str>) -> Result<Mapped, Violation> {
    let flat = Flat::read(&scanned.fields)?;
    let occurred = flat.time.and_then(time).map(|time| time.to_string());
    let own_tenant = fitting(flat.tenant, 128);
    let tenant = tenant.or(own_tenant);
    let status = text(&scanned.fields, "/authentication_status");
    let mut json = Vec::with_capacity(1024);
    let mut event = ObjectWriter::open(&mut json);
    event.optional("tenant", tenant).text("action", flat.action);
    event.optional("occurred_at", occurred.as_deref());
    event.object("actor", |actor| match (flat.role, flat.rid) {
        (role, Some(rid)) => _ = actor.text("type", role.unwrap_or("user")).text("id", rid),
        (_, None) => _ = actor.text("type", "anonymous"),
    });
    let process = flat.process.map(|id| (flat.session_type, id));
    let step = flat.step.map(|id| (Some("workflow_step"), id));
    event.objects("targets", process.into_iter().chain(step), |target, (kind, id)| {
        target.optional("type", kind).text("id", id);
    });
    event.object("context", |context| {
        context
            .optional("ip", flat.ip)
            .optional("session_id", flat.rid)
            .optional("parent_session_id", flat.master_rid);
    });
    event.optional("outcome", status.and_then(outcome));
    let mut residue = Residue::default();
    for member in members(&scanned.compact) {
        if !flat.gives_back(member, tenant, occurred.as_deref()) {
            residue.keep(member);
        }
    }
    residue.write("a", flat.time.is_some() && occurred.is_none(), &mut event);
    event.close();
    Ok(Mapped { json, area: flat.session_type.map(str::to_owned) })
}

impl<'a> Flat<'a> {
    fn read(fields: &'a Fields) -> Result<Self, Violation> {
        const ACTION: &str = "/security_event_type";
        let action = text(fields, "/security_event_type").filter(|action| !action.is_empty());
        let action =
            action.ok_or_else(|| Violation::new(ACTION, "must be a string that is not empty"))?;
        if action.len() > ACTION_BYTES_MAX {
            let detail =
                format!("has at most {ACTION_BYTES_MAX} bytes; this one has {}", action.len());
            return Err(Violation::new(ACTION, detail));
        }
        let rid = fitting(text(fields, "/rid"), ID_BYTES_MAX);
        let process = fitting(text(fields, "/process_id"), ID_BYTES_MAX);
        // A type without its id has no place of its own.
        let kind =
            |name, max, id: Option<&str>| fitting(text(fields, name), max).filter(|_| id.is_some());
        Ok(Self {
            action,
            tenant: text(fields, "/customer_id"),
            role: kind("/role", TYPE_BYTES_MAX, rid),
            rid,
            master_rid: fitting(text(fields, "/master_rid"), ID_BYTES_MAX),
            process,
            session_type: kind("/session_type", TARGET_TYPE_BYTES_MAX, process)
                .filter(|kind| *kind != "workflow_step"),
            step: fitting(text(fields, "/workflow_step_id"), ID_BYTES_MAX),
            ip: fitting(text(fields, "/ip"), IP_BYTES_MAX),
            time: text(fields, "/@timestamp"),
        })
    }

    /// True when the encoder writes this member with the same value from the native members.
    fn gives_back(&self, member: Member<'_>, tenant: Option<&str>, time: Option<&str>) -> bool {
        let (key, value) = member;
        let is = |name: &str, text: Option<&str>| {
            is_key(key, name) && text.is_some_and(|text| is_string(value, text))
        };
        // A name that is canonical here would come back as EasySend's own.
        let canonical = self.action.contains('.');
        (is("security_event_type", Some(self.action)) && !canonical)
            || is("customer_id", tenant)
            || is("specificCustomerName", tenant)
            || is("role", self.role)
            || is("rid", self.rid)
            || is("master_rid", self.master_rid)
            || is("process_id", self.process)
            || is("session_type", self.session_type)
            || is("workflow_step_id", self.step)
            || is("ip", self.ip)
            || is("@timestamp", time)
            || CONSTANTS.iter().any(|(name, text)| is(name, Some(text)))
    }
}

/// Returns a string.
fn text<'a>(fields: &'a Fields, pointer: &str) -> Option<&'a str> {
    let field = fields.get(pointer)?;
    (field.kind == Kind::String).then_some(field.value)
}

/// True when the JSON is this text, spelt as our own writer spells it.
fn is_string(json: &[u8], text: &str) -> bool {
    if json.len() == text.len() + 2 {
        // What has to be escaped makes the text longer.
        return json[1..=text.len()] == *text.as_bytes()
            && json.starts_with(b"\"")
            && !text.bytes().any(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f));
    }
    if memchr::memchr(b'\\', json).is_none() {
        return false;
    }
    let mut own = Vec::with_capacity(json.len());
    attestary_event::scan::write_string(text, &mut own);
    own == json
}

/// The wire value stays in the residue; this is what filters go by.
fn outcome(status: &str) -> Option<&'static str> {
    match status.to_ascii_lowercase().as_str() {
        "success" | "succeeded" | "succeed" | "passed" => Some("success"),
        "failure" | "failed" | "error" => Some("failure"),
        "blocked" | "denied" => Some("denied"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use attestary_event::scan::write_string;

    use super::*;

    #[test]
    fn a_token_is_a_text_when_our_writer_spells_it_so() {
        let texts = ["", "a", "a\"", "\\", "\\n", "\n", "x\u{1}", "é", "\"\"", "ab"];
        let tokens = [
            r#""""#,
            r#""a""#,
            r#""a\"""#,
            r#""\\""#,
            r#""\n""#,
            r#""\u0001""#,
            r#""\u0061""#,
            "1",
            "null",
            r#""é""#,
            "{}",
        ];
        for text in texts {
            let mut own = Vec::new();
            write_string(text, &mut own);
            assert!(is_string(&own, text), "{text:?}");
            for token in tokens {
                assert_eq!(
                    is_string(token.as_bytes(), text),
                    own == token.as_bytes(),
                    "{text:?} {token}"
                );
            }
        }
    }
}
