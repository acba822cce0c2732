use serde_json::{Value as Json, json};

use super::*;

fn request(record: Json) -> Request {
    let body = json!({ "resourceLogs": [{
        "resource": { "attributes": [
            { "key": "service.name", "value": { "stringValue": "shop" } },
            { "key": "tenant.id", "value": { "stringValue": "acme" } },
        ], "droppedAttributesCount": 1 },
        "scopeLogs": [{ "scope": { "name": "audit", "version": "1" }, "logRecords": [record] }],
        "schemaUrl": "x",
    }] });
    Request::from_json(body.to_string().as_bytes()).unwrap()
}

fn mapped(record: Json) -> (Mapped, Json) {
    let request = request(record);
    // Both forms are the same request.
    let binary = Request::from_protobuf(&request.encode_to_vec()).unwrap();
    assert_eq!(binary, request);
    let records = request.map(&Names::new(vec!["*".into()]));
    let event = records.events.into_iter().next().unwrap();
    let json = serde_json::from_slice(&event.json).unwrap();
    (event, json)
}

fn text(key: &str, value: &str) -> Json {
    json!({ "key": key, "value": { "stringValue": value } })
}

#[test]
fn conventional_attributes_go_to_their_members_and_the_rest_is_metadata() {
    let (event, json) = mapped(json!({
        "timeUnixNano": "1795307951123456789", "severityNumber": 17, "eventName": "order.refunded",
        "body": { "stringValue": "Refunded" }, "traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa0ba902b7",
        "attributes": [text("user.id", "u_1"), text("user.name", "Ann"), text("client.address", "203.0.113.9"),
            text("event.outcome", "failure"), text("log.record.uid", "k1"), text("url.full", "/x"),
            { "key": "http.response.status_code", "value": { "intValue": "502" } },
            { "key": "amount", "value": { "doubleValue": 1.5 } },
            { "key": "big", "value": { "intValue": 9007199254740993_i64 } },
            { "key": "list", "value": { "arrayValue": { "values": [{ "boolValue": true }, {}] } } },
            { "key": "map", "value": { "kvlistValue": { "values": [text("a", "b")] } } }],
    }));
    assert_eq!(event.tenant.as_deref(), Some("acme"));
    assert_eq!(event.key, Some(Key::Uid("k1".into())));
    assert_eq!(json["action"], "order.refunded");
    assert_eq!(json["occurred_at"], "2026-11-22T00:39:11.123Z");
    assert_eq!(json["actor"], json!({ "type": "user", "id": "u_1", "name": "Ann" }));
    assert_eq!(
        [&json["outcome"], &json["severity"], &json["description"]],
        [&json!("failure"), &json!(8), &json!("Refunded")]
    );
    assert_eq!(
        json["context"],
        json!({ "ip": "203.0.113.9", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "http": { "url": "/x", "status": 502 } })
    );
    assert_eq!(
        json["metadata"],
        json!({ "amount": 1.5, "big": 9007199254740993_i64, "list": [true, null], "map": { "a": "b" } })
    );
    assert_eq!(
        json["source"],
        json!({ "system": "otlp", "fields": {
        "resource": { "service.name": "shop", "tenant.id": "acme" }, "scope": "audit", "scope_version": "1",
        "span_id": "00f067aa0ba902b7" } })
    );
}

#[test]
fn a_record_without_a_user_is_of_its_service() {
    let (event, json) =
        mapped(json!({ "attributes": [text("event.name", "job.done"), text("tenant", "other")],
        "body": { "kvlistValue": { "values": [text("k", "v")] } } }));
    assert_eq!(event.tenant.as_deref(), Some("other"));
    assert_eq!([&json["action"], &json["occurred_at"]], [&json!("job.done"), &Json::Null]);
    assert_eq!(json["actor"], json!({ "type": "service", "id": "shop" }));
    assert_eq!(json["source"]["fields"]["body"], json!({ "k": "v" }));
    assert!(json.get("metadata").is_none());
}

#[test]
fn what_our_own_format_writes_comes_back() {
    let line = include_bytes!("../../golden/full.otlp.json");
    let request = Request::from_json(line).unwrap();
    let records = request.map(&Names::new(vec!["impersonation.*".into()]));
    let event = &records.events[0];
    assert_eq!(event.key, Some(Key::Id("01930b5e-5a53-709e-8f3c-0123456789ac".into())));
    assert_eq!(event.tenant.as_deref(), Some("acme|eu"));
    let json: Json = serde_json::from_slice(&event.json).unwrap();
    assert_eq!(json["action"], "impersonation.started");
    assert_eq!(json["actor"]["id"], "u=123");
    assert_eq!(json["targets"][1]["id"], "d:1,2");
    assert_eq!(json["changes"][0], json!({ "field": "role", "old": "user", "new": "admin" }));
    assert_eq!(json["impersonator"]["id"], "s_9");
    assert_eq!([&json["outcome"], &json["severity"]], [&json!("success"), &json!(7)]);
    assert_eq!(json["metadata"]["note"], "x=1 suid=evil");
    assert_eq!(json["context"]["http"]["status"], 201);
}

#[test]
fn only_names_on_the_list_become_events() {
    let names = Names::new(vec!["user.login".into(), "audit.*".into()]);
    for (name, allowed) in [
        ("user.login", true),
        ("user.login.failed", false),
        ("audit.", true),
        ("audit.x", true),
        ("audi", false),
        ("", false),
    ] {
        assert_eq!(names.allow(name), allowed, "{name}");
    }
    assert!(!Names::new(vec!["*".into()]).allow(""));
    assert!(!Names::default().allow("x"));
    let records = request(json!({ "body": { "stringValue": "GET /" } })).map(&names);
    assert_eq!((records.events.len(), records.ignored), (0, 1));
}

#[test]
fn what_is_no_request_is_refused() {
    for body in [
        "",
        "7",
        "{\"resourceLogs\":{}}",
        "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"timeUnixNano\":\"x\"}]}]}]}",
    ] {
        assert!(Request::from_json(body.as_bytes()).is_err(), "{body}");
    }
    assert!(Request::from_json(b"{}").unwrap().records() == 0);
    assert!(Request::from_protobuf(&[0x0a, 0x7f]).is_err());
    // Nesting is bounded in both forms.
    let mut deep = AnyValue { value: Some(Value::Bool(true)) };
    for _ in 0..200 {
        deep = AnyValue { value: Some(Value::Array(wire::ArrayValue { values: vec![deep] })) };
    }
    let record = LogRecord { body: Some(deep), ..LogRecord::default() };
    let logs = wire::ScopeLogs { scope: None, log_records: vec![record] };
    let request = Request {
        resource_logs: vec![wire::ResourceLogs { resource: None, scope_logs: vec![logs] }],
    };
    assert!(Request::from_protobuf(&request.encode_to_vec()).is_err());
    let json = format!("{{\"resourceLogs\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
    assert!(Request::from_json(json.as_bytes()).is_err());
}
