use attestary_event::{EnvironmentId, Event, EventId, TenantId, Timestamp};

use super::*;
use crate::{batch::Record, destination::DestinationConfig, secret::Secret};

fn event(seq: u64) -> Event {
    Event {
        id: EventId([seq as u8; 16]),
        tenant: TenantId::restored("acme"),
        environment: EnvironmentId::restored("production"),
        seq,
        received_at: Timestamp(0),
        flags: 0,
        leaf_hash: [seq as u8; 32],
        body: Box::from(*br#"{"action":"user.login","occurred_at":"2026-11-22T00:39:11.123Z","actor":{"type":"user","id":"u1"}}"#),
    }
}

fn batch(format: &Format, seqs: &[u64]) -> Batch {
    let (mut bytes, mut records) = (Vec::new(), Vec::new());
    for seq in seqs {
        let event = event(*seq);
        let fields = event.fields();
        let start = bytes.len();
        encode(
            &View { event: &event, fields: &fields },
            format,
            KnownActions::builtin(),
            &mut bytes,
        );
        records.push(Record {
            seq: *seq,
            id: event.id,
            received_at: event.received_at,
            leaf_hash: event.leaf_hash,
            bytes: start..bytes.len(),
        });
    }
    Batch {
        from_seq: seqs[0],
        next_seq: seqs[0] + seqs.len() as u64,
        records,
        bytes,
        kind: crate::Kind::Events,
    }
}

fn send(format: &str, seqs: &[u64], secrets: &Secrets) -> (HeaderMap, Bytes) {
    let format: Format = serde_json::from_str(format).unwrap();
    let config = Config {
        url: Url::parse("https://siem.example.com/in").unwrap(),
        headers: Vec::new(),
        ca: None,
        signature: Scheme::V1,
        client_certificate: None,
        token_url: None,
        client_id: None,
        scope: String::new(),
        payload: Payload::default(),
    };
    let spec = crate::spec::sample(DestinationConfig::Webhook(config.clone()));
    let (id, at) = ("dst_X-1-2", Timestamp(1_614_265_330_999));
    let envelope = Envelope { id, at, secrets, format: &format, spec: &spec };
    match config.request(&batch(&format, seqs), &envelope) {
        Request::Http { headers, body, .. } => (headers, body),
        other => panic!("a webhook makes an HTTP request, not {other:?}"),
    }
}

#[test]
fn the_signature_is_that_of_the_specification() {
    // The example in the verification section of the Standard Webhooks libraries.
    let secret = SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let signed = signature(
        &secret,
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "1614265330",
        br#"{"test": 2432232314}"#,
    );
    assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[test]
fn every_valid_secret_signs() {
    let secrets = Secrets {
        signing: vec![SigningSecret::new([1; 32]), SigningSecret::new([2; 32])],
        ..Secrets::default()
    };
    let (headers, body) = send(r#"{"type":"json"}"#, &[1, 2], &secrets);
    assert_eq!(headers["webhook-id"], "dst_X-1-2");
    assert_eq!(headers["webhook-timestamp"], "1614265330");
    let expected: Vec<String> = secrets
        .signing
        .iter()
        .map(|secret| signature(secret, "dst_X-1-2", "1614265330", &body))
        .collect();
    assert_eq!(headers["webhook-signature"], expected.join(" "));
    assert_ne!(expected[0], expected[1]);
}

#[track_caller]
fn check_body(format: &str, seqs: &[u64], kind: fn(&serde_json::Value) -> bool) {
    let (headers, body) = send(format, seqs, &Secrets::default());
    let parsed: Vec<serde_json::Value> = serde_json::from_slice(&body).unwrap();
    assert_eq!((parsed.len(), parsed.iter().all(kind)), (seqs.len(), true), "{parsed:?}");
    assert_eq!(headers["content-type"], "application/json");
}

#[test]
fn the_body_is_a_json_array() {
    check_body(r#"{"type":"json"}"#, &[1, 2, 3], |event| {
        event["seq"].is_u64() && event["leaf_hash"].is_string()
    });
    check_body(r#"{"type":"json"}"#, &[1], serde_json::Value::is_object);
    check_body(r#"{"type":"ironcore"}"#, &[1, 2], serde_json::Value::is_object);
    check_body(r#"{"type":"cef"}"#, &[1, 2], |line| {
        line.as_str().is_some_and(|line| line.starts_with("CEF:0|"))
    });
}

#[test]
fn formats_without_seq_carry_it_in_headers() {
    let (headers, _) = send(r#"{"type":"ironcore"}"#, &[1, 2], &Secrets::default());
    assert_eq!(headers["attestary-seq"], "1,2");
    assert_eq!(headers["attestary-leaf-hash"], format!("{},{}", "01".repeat(32), "02".repeat(32)));
    assert!(
        headers["attestary-event-id"]
            .to_str()
            .unwrap()
            .starts_with("01010101-0101-0101-0101-010101010101,")
    );
    let (headers, _) = send(r#"{"type":"json"}"#, &[1, 2], &Secrets::default());
    assert!(!headers.contains_key("attestary-seq"));
}

#[test]
fn forms_of_other_systems_carry_seq_and_leaf_hash_in_headers() {
    for name in ["easysend", "formio", "ironcore"] {
        let (headers, _) = send(&format!(r#"{{"type":"{name}"}}"#), &[1, 2], &Secrets::default());
        assert_eq!(headers["attestary-seq"], "1,2", "{name}");
    }
    for name in
        ["leef", "ecs", "ocsf", "structured-data", "cloudevents", "otlp", "asim", "udm", "csv"]
    {
        let (headers, _) = send(&format!(r#"{{"type":"{name}"}}"#), &[1, 2], &Secrets::default());
        assert!(!headers.contains_key("attestary-seq"), "{name}");
    }
}

#[test]
fn every_format_stands_in_the_array_as_what_it_is() {
    for name in ["ecs", "ocsf", "cloudevents", "otlp", "asim", "udm", "easysend"] {
        let (_, body) = send(&format!(r#"{{"type":"{name}"}}"#), &[1, 2], &Secrets::default());
        let items: Vec<serde_json::Value> = serde_json::from_slice(&body).unwrap();
        assert!(items.len() == 2 && items.iter().all(serde_json::Value::is_object), "{name}");
    }
    for name in ["leef", "structured-data", "csv", "formio"] {
        let (_, body) = send(&format!(r#"{{"type":"{name}"}}"#), &[1, 2], &Secrets::default());
        let items: Vec<String> = serde_json::from_slice(&body).unwrap();
        assert_eq!(items.len(), 2, "{name}");
    }
    let (headers, _) = send(r#"{"type":"cloudevents"}"#, &[1], &Secrets::default());
    assert_eq!(headers["content-type"], "application/cloudevents-batch+json");
}

#[test]
fn a_batch_in_headers_fits_what_servers_take() {
    let format: Format = serde_json::from_str(r#"{"type":"ironcore"}"#).unwrap();
    let last = 1_000_000_000_000;
    let seqs: Vec<u64> = (last..last + events_ceiling(&format) as u64).collect();
    let (headers, _) = send(r#"{"type":"ironcore"}"#, &seqs, &Secrets::default());
    let bytes: usize =
        headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    assert!(bytes < 8_000, "{bytes}");
}

#[test]
fn extra_headers_are_sent_and_never_replace_ours() {
    let secrets = Secrets {
        headers: [("authorization", "Bearer x"), ("webhook-id", "forged"), ("host", "evil")]
            .map(|(name, value)| (name.to_owned(), Secret::new(value)))
            .into(),
        ..Secrets::default()
    };
    let (headers, _) = send(r#"{"type":"json"}"#, &[1], &secrets);
    assert_eq!(
        (&headers["authorization"], &headers["webhook-id"]),
        (&"Bearer x".parse().unwrap(), &"dst_X-1-2".parse().unwrap())
    );
    assert!(headers["authorization"].is_sensitive() && !headers.contains_key("host"));
}

#[test]
fn the_guard_sees_the_host_and_port_that_are_dialled() {
    #[track_caller]
    fn check(url: &str, port: u16, encrypted: bool) {
        let config = serde_json::json!({ "url": url });
        let (config, _) =
            DestinationConfig::validate("webhook", &config, crate::ManagedBy::Operator).unwrap();
        let target = config.target().unwrap();
        assert_eq!((target.port, target.encrypted), (port, encrypted), "{url}");
    }
    check("https://a.b", 443, true);
    check("http://a.b", 80, false);
    check("https://a.b:8443/x", 8443, true);
}
