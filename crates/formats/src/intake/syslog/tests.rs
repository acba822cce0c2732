use serde_json::{Value, json};

use super::*;

fn now() -> Timestamp {
    Timestamp::parse("2026-01-02T12:00:00Z").unwrap()
}

fn event(text: &str) -> Value {
    let mapped = read(text.as_bytes(), now()).map("192.0.2.7", &Limits::default()).unwrap();
    serde_json::from_slice(&mapped.json).unwrap()
}

#[track_caller]
fn header(text: &str, expected: (Option<&str>, Option<&str>, Option<&str>, Option<&str>, &str)) {
    let message = read(text.as_bytes(), now());
    let time = message.header.time.map(|time| time.to_string());
    let seen = (
        time.as_deref(),
        message.header.host.as_deref(),
        message.header.application.as_deref(),
        message.header.process.as_deref(),
        message.text.as_str(),
    );
    assert_eq!(seen, expected, "{text}");
}

#[test]
fn headers_of_both_standards_are_read() {
    // The examples of RFC 5424, 6.5 and RFC 3164, 5.4.
    header(
        "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \u{feff}'su root' failed",
        (
            Some("2003-10-11T22:14:15.003Z"),
            Some("mymachine.example.com"),
            Some("su"),
            None,
            "'su root' failed",
        ),
    );
    header(
        "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
        (
            Some("2025-10-11T22:14:15.000Z"),
            Some("mymachine"),
            Some("su"),
            None,
            "'su root' failed for lonvick on /dev/pts/8",
        ),
    );
    header("<0>1 - - - - - -", (None, None, None, None, ""));
    header(
        "<13>Jan  2 08:00:00 host app[42]: text",
        (Some("2026-01-02T08:00:00.000Z"), Some("host"), Some("app"), Some("42"), "text"),
    );
    header(
        "<13>2026-01-01T10:00:00.5+02:00 host app: text",
        (Some("2026-01-01T08:00:00.500Z"), Some("host"), Some("app"), None, "text"),
    );
    header("<13>Feb 30 08:00:00 x", (None, None, None, None, "Feb 30 08:00:00 x"));
    header("Use the BFG!", (None, None, None, None, "Use the BFG!"));
    header("<192>x", (None, None, None, None, "<192>x"));
    header(
        "<13>\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}",
        (None, None, None, None, "\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}"),
    );
    header(
        "<13>Jan\u{20ac}\u{20ac} 08:00:00 x",
        (None, None, None, None, "Jan\u{20ac}\u{20ac} 08:00:00 x"),
    );
}

#[test]
fn structured_data_is_read_and_a_broken_one_is_text() {
    let read_it = |data: &str| read(format!("<165>1 - h a p m {data}").as_bytes(), now());
    let message = read_it(r#"[a@1 k="v\"\]\\" l="\x"][b@1] text"#);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        message.header.data,
        [
            ("a@1".to_owned(), vec![pair("k", r#"v"]\"#), pair("l", r"\x")]),
            ("b@1".to_owned(), vec![])
        ]
    );
    assert_eq!(message.text, "text");
    for broken in ["[", "[a k=v]", "[a k=\"v]", "[a]x", "[=]", "[a  k=\"v\"]"] {
        let message = read_it(broken);
        assert_eq!(message.header.data, [], "{broken}");
        assert!(message.text.contains(broken), "{broken}");
    }
}

#[test]
fn a_plain_message_is_an_event_of_its_application() {
    let event =
        event("<11>1 2026-01-01T00:00:00Z web1 billing 7 card.declined [x@1 n=\"1\"] no funds");
    assert_eq!(event["action"], "card.declined");
    assert_eq!(event["actor"], json!({ "type": "service", "id": "billing" }));
    assert_eq!(event["severity"], 7);
    assert_eq!(event["description"], "no funds");
    let fields = json!({ "facility": 1, "severity": 3, "host": "web1", "application": "billing",
        "process": "7", "message_id": "card.declined", "data": { "x@1": { "n": "1" } } });
    assert_eq!(
        event["source"],
        json!({ "system": "syslog", "sender": "192.0.2.7", "fields": fields })
    );
    let nobody = self::event("hello");
    assert_eq!([&nobody["action"], &nobody["actor"]["id"]], [&json!(MESSAGE), &json!("192.0.2.7")]);
    let own = self::event("<11>1 - - a - attestary.key.created - x");
    assert_eq!(own["action"], "foreign.attestary.key.created");
    let long = self::event(&"\u{e4}".repeat(5_000));
    assert_eq!(long["description"].as_str().unwrap().len(), 8192);
    assert_eq!(long["source"]["fields"]["rest"].as_str().unwrap().len(), 10_000 - 8192);
}

#[test]
fn cef_of_our_own_format_comes_back_whole() {
    let line = include_str!("../../golden/full.cef");
    let message = read(format!("<110>Jan  1 00:00:00 h {line}").as_bytes(), now());
    assert_eq!(message.content(), Content::Cef);
    let mapped = message.map("x", &Limits::default()).unwrap();
    assert_eq!(
        mapped.key.as_deref(),
        Some("Attestary\nAuditLog\n01930b5e-5a53-709e-8f3c-0123456789ac")
    );
    let event: Value = serde_json::from_slice(&mapped.json).unwrap();
    let source = event["source"]["fields"].clone();
    let mut event = event;
    event.as_object_mut().unwrap().remove("source");
    assert_eq!(
        event,
        json!({
            "action": "impersonation.started", "occurred_at": "2026-11-22T00:39:11.123Z",
            "actor": { "type": "user", "id": "u=123", "name": "Ali\\ce | \"A\"", "email": "alice@example.com",
                "groups": ["admins", "a,b"] },
            "impersonator": { "type": "support", "id": "s_9" },
            "on_behalf_of": { "type": "service", "id": "billing" },
            "targets": [{ "type": "user", "id": "u_7", "name": "Bob = Builder" }, { "type": "document", "id": "d:1,2" }],
            "context": { "ip": "2001:db8::9", "user_agent": "Mozilla/5.0 (X11; key=value)", "session_id": "sess 1",
                "request_id": "req-1", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "attempted_identity": "root",
                "http": { "method": "POST", "url": "https://app.example.com/x?a=1&b=2", "status": 201 } },
            "outcome": "success", "reason": "ticket\n4711", "severity": 7, "category": "impersonation",
            "description": event["description"], "labels": ["pii", "hr"],
            "changes": [{ "field": "role", "old": "user", "new": "admin" }, { "field": "quota", "old": 1e3, "new": 10.0 }],
            "metadata": { "note": "x=1 suid=evil", "sep": "\u{2028}\u{85}", "deep": { "b": [1, 2.0, { "c": null }] } },
        })
    );
    assert!(
        event["description"].as_str().unwrap().starts_with("Support took over\r\nwith consent")
    );
    assert_eq!(source["cs1"], "acme|eu");
    assert_eq!([&source["vendor"], &source["cn1"]], [&json!("Attestary"), &json!("69001")]);
    assert!(source.get("cs6").is_none() && source.get("suid").is_none());
}

#[test]
fn cef_of_others_keeps_what_has_no_member() {
    let event = event(
        "<134>Jan  1 10:00:00 fw CEF:0|Sec\\|urity|threat|1.0|100|worm stopped|High|src=10.0.0.1 dst=2.1.2.2 \
         request=http://x/?a=b c=d spt=1232 rt=Jan 01 2026 09:59:59 outcome=Blocked spt=9 fname=a b.txt",
    );
    assert_eq!(event["action"], "100");
    assert_eq!(event["occurred_at"], "2026-01-01T09:59:59.000Z");
    assert_eq!(event["actor"], json!({ "type": "service", "id": "Sec|urity threat" }));
    assert_eq!([&event["severity"], &event["outcome"]], [&json!(8), &json!("denied")]);
    assert_eq!(
        event["targets"],
        json!([{ "type": "file", "id": "a b.txt" }, { "type": "host", "id": "2.1.2.2" }])
    );
    assert_eq!(event["context"], json!({ "ip": "10.0.0.1", "http": { "url": "http://x/?a=b" } }));
    let fields = &event["source"]["fields"];
    assert_eq!(
        [&fields["spt"], &fields["c"], &fields["host"]],
        [&json!("1232"), &json!("d"), &json!("fw")]
    );
}

#[test]
fn broken_cef_is_refused_with_what_is_wrong() {
    for (text, says) in [
        ("CEF:2|a|b|c|d|e|1|", "version"),
        ("CEF:0|a|b|c", "device version"),
        ("CEF:0|a|b|c| |e|1|", "empty"),
        ("CEF:0|a|b|c|d|e|1|nothing", "no pair"),
    ] {
        let refused = read(text.as_bytes(), now()).map("x", &Limits::default()).unwrap_err();
        assert!(refused.detail.contains(says), "{text}: {}", refused.detail);
    }
    assert_eq!(event("CEF:0|a|b|c|d|e|1")["action"], "d");
}

#[test]
fn form_io_lines_are_told_by_their_beginning() {
    let line = include_str!("../../../fixtures/formio/documented.log").lines().next().unwrap();
    let content = |text: String| read(text.as_bytes(), now()).content();
    assert_eq!(content(line.to_owned()), Content::Formio);
    assert_eq!(content(format!("<13>1 - h formio 1 - - {line}")), Content::Formio);
    assert_eq!(content(format!("<13>Jan  1 10:00:00 h formio[1]: {line}")), Content::Formio);
    assert_eq!(content("<13>x: 2024".into()), Content::Message);
}
