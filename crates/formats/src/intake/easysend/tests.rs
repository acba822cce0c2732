use attestary_event::{
    EnvironmentId, Event, EventId, Limits, Timestamp, View,
    actions::KnownActions,
    intake::{Context, DigestKey, Door, accept},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::parse;
use crate::Format;

const PAYLOAD_A: &str = include_str!("../../../fixtures/easysend/payload-a.json");
const PAYLOAD_B: &str = include_str!("../../../fixtures/easysend/payload-b.json");

/// Takes the payload in as the service does.
fn stored(payload: &str) -> Event {
    let limits = Limits::default();
    let mapped = parse(payload.as_bytes(), None, &limits).unwrap();
    let tenant = attestary_event::TenantId::parse("elsewhere").unwrap();
    let context = Context {
        now: Timestamp(1_795_307_951_123),
        actions: KnownActions::builtin(),
        limits: &limits,
        default_tenant: Some(&tenant),
    };
    let accepted = accept(&mapped.json, Door::Adapter, &context, &DigestKey::new(&[0; 32]))
        .unwrap_or_else(|violations| {
            panic!("{violations:?} in {}", String::from_utf8_lossy(&mapped.json))
        });
    Event {
        id: EventId([1; 16]),
        tenant: accepted.tenant,
        environment: EnvironmentId::restored("production"),
        seq: 1,
        received_at: context.now,
        flags: 0,
        leaf_hash: [2; 32],
        body: accepted.body.into(),
    }
}

fn emitted(payload: &str, format: &str) -> String {
    let format: Format = serde_json::from_str(format).unwrap();
    let event = stored(payload);
    let fields = event.fields();
    let mut out = Vec::new();
    format.encode(&View { event: &event, fields: &fields }, KnownActions::builtin(), &mut out);
    String::from_utf8(out).unwrap()
}

fn body(payload: &str) -> Value {
    serde_json::from_slice(&stored(payload).body).unwrap()
}

// seeds: ES-08 ES-09 with the published payloads
#[test]
fn payloads_go_out_byte_for_byte_as_they_came_in() {
    assert_eq!(emitted(PAYLOAD_A, r#"{"type":"easysend"}"#), PAYLOAD_A.trim_end());
    assert_eq!(emitted(PAYLOAD_B, r#"{"type":"easysend","payload":"b"}"#), PAYLOAD_B.trim_end());
}

// seeds: ES-08 ES-11 ES-12 ES-14
#[test]
fn payload_a_has_its_native_members() {
    let event = body(PAYLOAD_A);
    assert_eq!(event["action"], "OPENED");
    assert_eq!(event["occurred_at"], "2024-07-30T16:48:53.990Z");
    assert_eq!(event["actor"], json!({ "type": "user", "id": "ygvRhMXpAqY" }));
    let targets = json!([
        { "type": "digitalJourney", "id": "Eafgucj6oCbDZxt9NVgI" }, { "type": "workflow_step", "id": "xxxxxxxx" }
    ]);
    assert_eq!(event["targets"], targets);
    let context = json!({ "ip": "199.203.234.130", "session_id": "ygvRhMXpAqY", "parent_session_id": "k03P5rnmq-8" });
    assert_eq!(event["context"], context);
    assert_eq!([&event["outcome"], &event["category"]], ["success", "process"]);
    assert_eq!(stored(PAYLOAD_A).tenant.as_str(), "customer");
    let kept = &event["source"]["fields"];
    assert_eq!(kept["is_co_browsing_on"], false);
    assert_eq!(kept["delivery_method"], "send_link");
    for mapped in ["rid", "role", "ip", "@timestamp", "customer_id", "security_event_type"] {
        assert_eq!(kept[mapped], Value::Null, "{mapped} stands in a member of its own");
    }
}

// seeds: ES-09 ES-12 ES-14
#[test]
fn payload_b_is_read_nested_and_dotted() {
    let nested = body(PAYLOAD_B);
    let dotted = body(
        r#"{"@timestamp":"2024-11-20T10:37:42.943305","client.ip":"::1","ecs.version":"8.11","event.action":"OPENED","event.timezone":"UTC"}"#,
    );
    for event in [nested, dotted] {
        assert_eq!(event["action"], "OPENED");
        assert_eq!(event["context"]["ip"], "::1");
        assert_eq!(event["occurred_at"], "2024-11-20T10:37:42.943Z", "no zone means UTC");
        assert_eq!(event["category"], "process");
    }
    let more = r#"{"@timestamp":"2024-11-20T10:37:42.943305","client":{"ip":"::1","port":4},"ecs":{"version":"8.17"},"event":{"action":"OPENED","timezone":"Asia/Jerusalem","id":7},"geo":{"city":"x"},"labels":{"a":1.50}}"#;
    assert_eq!(emitted(more, r#"{"type":"easysend","payload":"b"}"#), more);
}

// seeds: ES-05 ES-06 ES-07
#[test]
fn event_names_are_known_whatever_family_they_are_of() {
    for (name, category, outcome) in [
        ("LINK_SENT", "process", "success"),
        ("OPENED", "process", "success"),
        ("STEP_COMPLETED", "process", "success"),
        ("DATA_SUBMITTED", "process", "success"),
        ("COMPLETED", "process", "success"),
        ("OTP_SENT", "authentication", "success"),
        ("OTP_RESENT", "authentication", "success"),
        ("OTP_PASSED", "authentication", "success"),
        ("OTP_FAILED", "authentication", "failure"),
        ("SESSION_BLOCKED", "authentication", "denied"),
        ("CheckAuthResponseMissingCredentials", "authentication", "failure"),
        ("CheckAuthResponseAuthenticationSucceed", "authentication", "success"),
        ("CheckAuthResponseAuthenticationError", "authentication", "failure"),
        ("CheckAuthResponseAuthenticationFailed", "authentication", "failure"),
        ("whatever it is", "other", "unknown"),
    ] {
        let payload = json!({ "security_event_type": name, "rid": "r", "customer_id": "c" });
        let event = body(&payload.to_string());
        assert_eq!(
            [&event["action"], &event["category"], &event["outcome"]],
            [name, category, outcome]
        );
    }
}

#[test]
fn odd_values_are_kept_and_no_reason_to_refuse() {
    let long = "x".repeat(2_000);
    let payload = json!({
        "security_event_type": "OPENED", "customer_id": "c", "rid": long, "role": "user", "ip": null,
        "process_id": 7, "session_type": "digitalJourney", "@timestamp": "soon", "workflow_step_id": "", "new": [1]
    });
    let event = body(&payload.to_string());
    assert_eq!(event["actor"], json!({ "type": "anonymous" }));
    assert_eq!(event["source"]["flags"], json!([super::UNREADABLE_TIME]));
    let out: Value =
        serde_json::from_str(&emitted(&payload.to_string(), r#"{"type":"easysend"}"#)).unwrap();
    for (name, value) in payload.as_object().unwrap() {
        assert_eq!(&out[name], value, "{name}");
    }
}

#[test]
fn a_payload_without_an_event_is_refused_by_name() {
    for (payload, pointer) in [
        ("{}", "/event/action"),
        (r#"{"security_event_type":""}"#, "/security_event_type"),
        (r#"{"security_event_type":7}"#, "/security_event_type"),
        (r#"{"event":{"action":""}}"#, "/event/action"),
        ("[]", ""),
        ("{", ""),
    ] {
        let violation = parse(payload.as_bytes(), None, &Limits::default()).unwrap_err();
        assert_eq!(violation.pointer, pointer, "{payload}: {violation}");
    }
}

proptest! {
    #[test]
    fn any_flat_payload_comes_back(
        values in proptest::collection::btree_map("[a-zA-Z@_]{1,12}", "[ -~é]{0,12}", 0..8),
        name in "[A-Za-z ]{1,20}", rid in "[ -~é]{0,20}", role in "[ -~]{0,8}", ip in "[0-9a-f.:]{0,20}",
    ) {
        let mut payload = json!({ "security_event_type": name, "rid": rid, "role": role, "ip": ip, "customer_id": "c" });
        for (key, value) in values {
            payload[key] = value.into();
        }
        let out: Value = serde_json::from_str(&emitted(&payload.to_string(), r#"{"type":"easysend"}"#)).unwrap();
        for (name, value) in payload.as_object().unwrap() {
            prop_assert_eq!(&out[name], value, "{}", name);
        }
    }
}
