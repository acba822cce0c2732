//! What may be configured, and what a message says of itself. What readers make of it is tested with a real server.

use attestary_event::{Event, EventId, Timestamp};
use serde_json::{Value, json};

use super::*;
use crate::{destination::DestinationConfig, spec};

fn base(more: Value) -> Value {
    let mut config = json!({
        "address": "smtp.example.com:587", "from": "audit@example.com", "to": ["siem@example.org"]
    });
    for (name, value) in more.as_object().unwrap() {
        config[name] = value.clone();
    }
    config
}

#[test]
fn what_cannot_work_is_named() {
    #[track_caller]
    fn check(managed_by: ManagedBy, more: Value, expected: &[&str]) {
        let found = DestinationConfig::validate("mail", &base(more.clone()), managed_by);
        let pointers: Vec<String> = found.err().map_or_else(Vec::new, |violations| {
            violations.into_iter().map(|violation| violation.pointer).collect()
        });
        assert_eq!(pointers, expected, "{more}");
    }
    let check_own = |more: Value, expected: &[&str]| check(ManagedBy::Operator, more, expected);
    check_own(json!({}), &[]);
    check_own(json!({ "to": "one@example.org", "security": "none" }), &[]);
    check_own(json!({ "user": "u", "password": "p", "security": "tls" }), &[]);
    check_own(json!({ "payload": { "encode": ["gzip", "base64"], "carriage": "file" } }), &[]);
    check(ManagedBy::Tenant, json!({ "security": "none" }), &["/config/security"]);
    check_own(json!({ "security": "ssl" }), &["/config/security"]);
    check_own(json!({ "address": "smtp.example.com" }), &["/config/address"]);
    check_own(json!({ "from": "audit" }), &["/config/from"]);
    check_own(json!({ "from": "a@b\r\nRCPT TO:<x@y>" }), &["/config/from"]);
    check_own(json!({ "to": [] }), &["/config/to"]);
    check_own(json!({ "to": ["a@example.com", "a b@example.com"] }), &["/config/to/1"]);
    check_own(json!({ "to": vec!["a@example.com"; 21] }), &["/config/to"]);
    check_own(json!({ "subject": "a\r\nBcc: x@y" }), &["/config/subject"]);
    check_own(json!({ "user": "u" }), &["/config/user"]);
    check_own(json!({ "password": "p" }), &["/config/user"]);
    check_own(json!({ "port": 25 }), &["/config/port"]);
}

fn batch(count: u64) -> Batch {
    let mut bytes = Vec::new();
    let records = (0..count).map(|seq| {
        let start = bytes.len();
        bytes.extend_from_slice(format!("{{\"seq\":{seq}}}\n").as_bytes());
        crate::batch::Record {
            seq,
            id: EventId([1; 16]),
            received_at: Timestamp(0),
            leaf_hash: [0; 32],
            bytes: start..bytes.len(),
        }
    });
    let records = records.collect();
    Batch { from_seq: 0, next_seq: count, records, bytes, kind: crate::Kind::Events }
}

fn message(more: Value, count: u64) -> String {
    let (destination, mut secrets) =
        DestinationConfig::validate("mail", &base(more), ManagedBy::Operator).unwrap();
    secrets.signing.push(crate::secret::SigningSecret::new_pair([7; 32]));
    let spec = spec::sample(destination);
    let envelope = Envelope {
        id: "dst_1-0-2",
        at: Timestamp(1_700_000_000_000),
        secrets: &secrets,
        format: &spec.format,
        spec: &spec,
    };
    let Request::Mail(mail) = spec.destination.request(&batch(count), &envelope) else {
        panic!("mail destinations make mails")
    };
    assert_eq!(
        (mail.from.as_str(), mail.to.as_slice()),
        ("audit@example.com", &["siem@example.org".to_owned()][..])
    );
    String::from_utf8(mail.message).unwrap()
}

#[test]
fn a_message_is_the_same_for_every_attempt_and_names_its_batch() {
    let said =
        message(json!({ "subject": "{tenant}/{environment}: {count} ({first}-{last}) {x}" }), 3);
    assert_eq!(
        said,
        message(json!({ "subject": "{tenant}/{environment}: {count} ({first}-{last}) {x}" }), 3)
    );
    for line in [
        "Message-ID: <dst_1-0-2@example.com>",
        "Subject: acme/production: 3 (0-2) {x}",
        "Date: Tue, 14 Nov 2023 22:13:20 +0000",
        "Auto-Submitted: auto-generated",
        "From: <audit@example.com>",
        "To: <siem@example.org>",
        "{\"seq\":0}",
    ] {
        assert!(format!("\r\n{said}").contains(&format!("\r\n{line}\r\n")), "{line}: {said}");
    }
}

#[test]
fn what_a_value_holds_is_no_placeholder_and_no_header() {
    let (destination, secrets) = DestinationConfig::validate(
        "mail",
        &base(json!({ "subject": "{tenant}" })),
        ManagedBy::Operator,
    )
    .unwrap();
    let mut spec = spec::sample(destination);
    spec.tenant = attestary_event::TenantId::restored("{count} Bcc: x@y é");
    let envelope = Envelope {
        id: "dst_1-0-0",
        at: Timestamp(0),
        secrets: &secrets,
        format: &spec.format,
        spec: &spec,
    };
    let DestinationConfig::Mail(config) = &spec.destination else { panic!("it is mail") };
    assert_eq!(config.subject_of(&batch(1), &envelope), "{count} Bcc: x@y é");
    let Request::Mail(mail) = spec.destination.request(&batch(1), &envelope) else {
        panic!("mail destinations make mails")
    };
    let said = String::from_utf8(mail.message).unwrap();
    assert!(!said.contains("\r\nBcc:"), "{said}");
    assert_eq!(said.matches("Subject: ").count(), 1);
}

#[test]
fn a_file_has_the_name_of_its_batch_and_a_signed_text_is_a_jws() {
    let said = message(json!({ "payload": { "carriage": "file", "encode": ["gzip"] } }), 2);
    assert!(said.contains("filename=\"dst_1-0-2.ndjson.gz\""), "{said}");
    assert!(said.contains("Content-Type: application/gzip"), "{said}");
    assert!(said.contains("2 audit events of acme (production) are attached"), "{said}");
    let said = message(json!({ "payload": { "carriage": "file" } }), 1);
    assert!(said.contains("filename=\"dst_1-0-2.json\""), "{said}");
    let said = message(json!({ "payload": { "encode": ["jws"] } }), 1);
    let body = said.split_once("\r\n\r\n").unwrap().1.replace("=\r\n", "").replace("=3D", "=");
    assert_eq!(body.trim().split('.').count(), 3, "{said}");
}

#[test]
fn an_event_is_one_line() {
    let event = Event {
        id: EventId([1; 16]),
        tenant: attestary_event::TenantId::restored("acme"),
        environment: attestary_event::EnvironmentId::restored("production"),
        seq: 1,
        received_at: Timestamp(0),
        flags: 0,
        leaf_hash: [1; 32],
        body: Box::from(*br#"{"action":"a.b"}"#),
    };
    let fields = event.fields();
    let mut out = Vec::new();
    let view = View { event: &event, fields: &fields };
    Config::encode(&view, &Format::default(), KnownActions::builtin(), &mut out);
    assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
    assert!(out.ends_with(b"}\n"));
}
