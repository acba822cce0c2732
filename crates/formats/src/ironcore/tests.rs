use attestary_event::{EnvironmentId, Event, EventId, Fields, TenantId};
use proptest::prelude::*;

use super::*;
use crate::intake::ironcore::tests::accepted;

/// What TSP clients send, and what Logdriver would deliver of it.
const REQUESTS: &str = include_str!("../../fixtures/ironcore/requests.ndjson");
const DELIVERED: &str = include_str!("../../fixtures/ironcore/delivered.ndjson");

fn event(tenant: &str, body: &[u8]) -> Event {
    Event {
        id: EventId([0x42; 16]),
        tenant: TenantId::restored(tenant),
        environment: EnvironmentId::restored("production"),
        seq: 7,
        received_at: Timestamp(1_700_000_000_000),
        flags: 0,
        leaf_hash: [0x24; 32],
        body: body.into(),
    }
}

fn delivered(event: &Event) -> String {
    let fields = event.fields();
    let mut out = Vec::new();
    encode(&View { event, fields: &fields }, &mut out);
    String::from_utf8(out).unwrap()
}

/// What a TSP request is delivered as.
#[track_caller]
fn round_trip(request: &str) -> String {
    let accepted = accepted(request);
    delivered(&event(accepted.tenant.as_str(), &accepted.body))
}

const RAYS: &str = r#""tspRayId":"42424242-4242-4242-4242-424242424242""#;

/// Checks the delivered form of a native event; ray ids are left out of `expected`.
#[track_caller]
fn check(body: &str, expected: &str) {
    let seen = delivered(&event("t", body.as_bytes()));
    let logdriver_ray = format!("\"logdriverRayId\":\"{}\"", ray_id(&[0x24; 32]));
    let seen = seen
        .replace(&format!("{RAYS},"), "")
        .replace(&format!(",{logdriver_ray}"), "")
        .replace(&logdriver_ray, "");
    assert_eq!(seen, expected);
}

// seeds: IC-21
// IC-21
#[test]
fn tsp_requests_are_delivered_in_the_tsp_form() {
    assert_eq!(DELIVERED.lines().count(), 7);
    for (request, expected) in REQUESTS.lines().zip(DELIVERED.lines()) {
        assert_eq!(round_trip(request), expected);
    }
}

#[test]
fn native_events_fill_the_same_places() {
    check(
        r#"{"action":"document.opened","occurred_at":"2026-05-05T19:44:42.6569+02:00","actor":{"type":"user","id":"u","name":"U"},"targets":[{"type":"document","id":"d"},{"id":"e"}],"context":{"ip":"203.0.113.9","request_id":"r"},"labels":["pii","eu"],"metadata":{"a":1.50}}"#,
        r#"{"tenantId":"t","timestamp":"2026-05-05T17:44:42.656Z","iclFields":{"dataLabel":"pii,eu","sourceIp":"203.0.113.9","objectId":"d","requestingId":"u","event":"document.opened","requestId":"r"},"customFields":{"a":1.50}}"#,
    );
    check(
        r#"{"action":"a","occurred_at":"2026-05-05T18:02:17.000Z","actor":{"type":"anonymous"}}"#,
        r#"{"tenantId":"t","timestamp":"2026-05-05T18:02:17Z","iclFields":{"requestingId":"anonymous","event":"a"},"customFields":{}}"#,
    );
}

#[test]
fn retention_runs_have_ironcores_name() {
    check(
        r#"{"action":"attestary.retention.applied","occurred_at":"2026-05-05T18:02:17.010Z","actor":{"type":"system","id":"attestary"}}"#,
        r#"{"tenantId":"t","timestamp":"2026-05-05T18:02:17.010Z","iclFields":{"requestingId":"attestary","event":"PERIODIC_ENFORCE_RETENTION_POLICY"},"customFields":{}}"#,
    );
}

#[test]
fn an_event_that_lost_its_values_still_encodes() {
    check(
        "{}",
        r#"{"tenantId":"t","timestamp":"2023-11-14T22:13:20Z","iclFields":{},"customFields":{}}"#,
    );
}

#[test]
fn another_systems_source_is_not_read() {
    let body = r#"{"action":"a","occurred_at":"2026-05-05T18:02:17Z","actor":{"type":"anonymous"},"source":{"system":"formio","icl_fields":{"sourceIp":"forged"}}}"#;
    assert!(!delivered(&event("t", body.as_bytes())).contains("forged"));
}

// seeds: IC-22
// IC-22
#[test]
fn ray_ids_are_the_events_own() {
    let one = ray_id(&[0x24; 32]);
    assert_eq!(one.len(), 16);
    assert!(one.bytes().all(|b| b.is_ascii_alphanumeric()));
    let mut hash = [0x24; 32];
    hash[15] ^= 1;
    assert_ne!(ray_id(&hash), one);
    assert_eq!(ray_id(&[0xff; 32]).len(), 16);
    assert_eq!(ray_id(&[0; 32]), "0000000000000000");
}

/// Any text that a client can send in a place without a length.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,12}",
        "[\\x00-\\x7f]{0,12}",
        Just(String::new()),
        "x{250,260}",
        "y{1020,1030}"
    ]
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof!["-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,5})?", "[1-9]e[0-9]{1,3}"]
}

/// The JSON text of a custom value: a string mostly, but Node passes anything.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => text().prop_map(|text| serde_json::to_string(&text).unwrap()),
        2 => number(),
        1 => Just("true".to_owned()),
        1 => Just("null".to_owned()),
        1 => Just("{}".to_owned()),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3)
                .prop_map(|items| format!("[{}]", items.join(","))),
            inner.prop_map(|value| format!("{{\"k\":{value}}}")),
        ]
    })
}

proptest! {
    // IC-07, IC-21
    #[test]
    fn intake_and_delivery_give_name_and_fields_back(
        name in "[\\PC]{1,40}",
        requester in "[\\PC]{1,40}",
        optional in proptest::collection::vec(proptest::option::of(text()), 4),
        custom in proptest::collection::btree_map("[\\PC]{0,8}", value(), 0..5),
        at_top in any::<bool>(),
        millis in -62_167_219_200_000i64..253_402_207_200_000,
    ) {
        prop_assume!(!name.starts_with("attestary."));
        let json = |text: &String| serde_json::to_string(text).unwrap();
        let names = ["dataLabel", "sourceIp", "objectId", "requestId"];
        let mut icl_fields = vec![format!("\"requestingId\":{}", json(&requester))];
        let event_member = format!("\"event\":{}", json(&name));
        let top = if at_top { format!("{event_member},") } else { icl_fields.push(event_member); String::new() };
        icl_fields.extend(names.iter().zip(&optional).map(|(name, value)| {
            format!("\"{name}\":{}", value.as_ref().map_or("null".to_owned(), json))
        }));
        let custom: Vec<String> = custom.iter().map(|(key, value)| format!("{}:{value}", json(key))).collect();
        let custom = format!("{{{}}}", custom.join(","));
        let request = format!(
            "{{\"tenantId\":\"t\",\"timestampMillis\":{millis},{top}\"iclFields\":{{{}}},\"customFields\":{custom}}}",
            icl_fields.join(",")
        );

        let delivered = round_trip(&request);
        let fields = Fields::parse(delivered.as_bytes(), &attestary_event::Limits::default()).unwrap();
        let seen = |member: &str| fields.get(&format!("/iclFields/{member}")).and_then(|field| field.text()).map(str::to_owned);
        prop_assert_eq!(seen("event"), Some(name));
        prop_assert_eq!(seen("requestingId"), Some(requester));
        for (name, value) in names.iter().zip(optional) {
            prop_assert_eq!(seen(name), value);
        }
        let timestamp = fields.get("/timestamp").unwrap().value;
        prop_assert_eq!(Timestamp::parse(timestamp), Some(Timestamp(millis)));
        // Number tokens and key order included; only the spelling of escapes is the scanner's.
        let custom = attestary_event::scan::scan(custom.as_bytes(), &attestary_event::Limits::default()).unwrap();
        let end = format!(",\"customFields\":{}}}", String::from_utf8(custom.compact).unwrap());
        prop_assert!(delivered.ends_with(&end), "{} in {}", end, delivered);
    }
}
