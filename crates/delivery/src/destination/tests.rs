use serde_json::json;

use super::*;

/// Validates as a tenant unless the type is the operator's, and returns the pointers of what is wrong.
fn pointers(kind: &str, config: &Value, managed_by: ManagedBy) -> Vec<String> {
    match DestinationConfig::validate(kind, config, managed_by) {
        Ok(_) => Vec::new(),
        Err(violations) => violations.into_iter().map(|violation| violation.pointer).collect(),
    }
}

#[track_caller]
fn check(kind: &str, config: Value, expected: &[&str]) {
    assert_eq!(pointers(kind, &config, ManagedBy::Operator), expected, "{kind} {config}");
}

#[test]
fn every_mistake_is_named() {
    check("syslog", json!({"address": "siem.example.com:6514", "transport": "tls"}), &[]);
    check(
        "syslog",
        json!({"address": "10.0.0.1:514", "transport": "tcp", "framing": "lf", "facility": 10}),
        &[],
    );
    check("syslog", json!({"address": "[fd00::1]:514", "transport": "udp"}), &[]);
    check("syslog", json!({}), &["/config/address", "/config/transport"]);
    check("syslog", json!({"address": "siem", "transport": "tcp"}), &["/config/address"]);
    check("syslog", json!({"address": "siem:0", "transport": "tcp"}), &["/config/address"]);
    check("syslog", json!({"address": "siem:70000", "transport": "tcp"}), &["/config/address"]);
    check("syslog", json!({"address": "a b:514", "transport": "tcp"}), &["/config/address"]);
    check(
        "syslog",
        json!({"address": 514, "transport": "quic"}),
        &["/config/address", "/config/transport"],
    );
    check(
        "syslog",
        json!({"address": "a.b:514", "transport": "tcp", "framing": "crlf"}),
        &["/config/framing"],
    );
    check(
        "syslog",
        json!({"address": "a.b:514", "transport": "tcp", "facility": 24}),
        &["/config/facility"],
    );
    check(
        "syslog",
        json!({"address": "a.b:514", "transport": "tls", "framing": "lf"}),
        &["/config/framing"],
    );
    check(
        "syslog",
        json!({"address": "a.b:514", "transport": "udp", "frame_bytes_max": 100_000}),
        &["/config/frame_bytes_max"],
    );
    check(
        "syslog",
        json!({"address": "a.b:514", "transport": "tls", "ca": "nonsense"}),
        &["/config/ca"],
    );
    check(
        "syslog",
        json!({"address": "a.b:514", "transport": "tcp", "port": 1}),
        &["/config/port"],
    );
    check("webhook", json!({"url": "https://siem.example.com/in?token=1"}), &[]);
    check(
        "webhook",
        json!({"url": "https://siem.example.com", "headers": {"Authorization": "Bearer x"}}),
        &[],
    );
    check("webhook", json!({}), &["/config/url"]);
    check("webhook", json!({"url": "siem.example.com"}), &["/config/url"]);
    check("webhook", json!({"url": "ftp://siem.example.com"}), &["/config/url"]);
    check("webhook", json!({"url": "https://me:pw@siem.example.com"}), &["/config/url"]);
    check("webhook", json!({"url": "https://siem.example.com/#x"}), &["/config/url"]);
    check(
        "webhook",
        json!({"url": format!("https://siem.example.com/{}", "x".repeat(2_048))}),
        &["/config/url"],
    );
    check(
        "webhook",
        json!({"url": "https://a.b", "headers": {"Host": "c.d", "X-A": 1}}),
        &["/config/headers/Host", "/config/headers/X-A"],
    );
    check("webhook", json!({"url": "https://a.b", "headers": []}), &["/config/headers"]);
    check("webhook", json!({"url": "https://a.b", "secret": "whsec_"}), &["/config/secret"]);
    check("file", json!({"path": "audit.ndjson"}), &[]);
    check("file", json!({"path": "audit.ndjson", "rotate_bytes": 1_048_576, "files_max": 5}), &[]);
    check("file", json!({"path": "../audit"}), &["/config/path"]);
    check("file", json!({"path": "a", "rotate_bytes": 1}), &["/config/rotate_bytes"]);
    check("stdout", json!({}), &[]);
    check("stdout", json!({"path": "x"}), &["/config/path"]);
    check("stdout", json!([]), &["/config"]);
    check("pigeon", json!({}), &["/type"]);
}

#[test]
fn tenants_may_not_have_what_is_the_operators() {
    #[track_caller]
    fn check(kind: &str, config: Value, expected: &[&str]) {
        assert_eq!(pointers(kind, &config, ManagedBy::Tenant), expected, "{kind} {config}");
    }
    check("file", json!({"path": "a"}), &["/type"]);
    check("stdout", json!({}), &["/type"]);
    check(
        "syslog",
        json!({"address": "siem.example.com:514", "transport": "tcp"}),
        &["/config/transport"],
    );
    check(
        "syslog",
        json!({"address": "siem.example.com:514", "transport": "udp"}),
        &["/config/transport"],
    );
    check("syslog", json!({"address": "siem.example.com:6514", "transport": "tls"}), &[]);
    check("webhook", json!({"url": "https://siem.example.com/"}), &[]);
}

#[test]
fn header_values_are_taken_out_of_what_is_shown() {
    let config =
        json!({"url": "https://siem.example.com/in", "headers": {"Authorization": "Bearer hush"}});
    let (config, secrets) =
        DestinationConfig::validate("webhook", &config, ManagedBy::Tenant).unwrap();
    let shown = serde_json::to_value(&config).unwrap();
    assert_eq!(
        shown,
        json!({"type": "webhook", "config": {"url": "https://siem.example.com/in", "headers": ["authorization"], "signature": "v1"}})
    );
    assert_eq!(secrets.headers["authorization"].danger_reveal(), "Bearer hush");
    assert_eq!(serde_json::from_value::<DestinationConfig>(shown).unwrap(), config);
}

#[test]
fn a_configuration_survives_storage() {
    #[track_caller]
    fn check(kind: &str, config: Value) {
        let (config, _) = DestinationConfig::validate(kind, &config, ManagedBy::Operator).unwrap();
        let stored = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<DestinationConfig>(&stored).unwrap(), config, "{stored}");
    }
    check(
        "syslog",
        json!({"address": "10.0.0.1:514", "transport": "tcp", "framing": "lf", "facility": 10}),
    );
    check("file", json!({"path": "a", "files_max": 3}));
    check("stdout", json!({}));
    check("webhook", json!({"url": "https://a.b/c?d=e"}));
}

#[test]
fn a_summary_names_no_path_and_no_token() {
    #[track_caller]
    fn check(kind: &str, config: Value, expected: &str) {
        let (config, _) = DestinationConfig::validate(kind, &config, ManagedBy::Operator).unwrap();
        assert_eq!(config.summary(), expected);
    }
    check("webhook", json!({"url": "https://a.b/t0ken?k=s3cret"}), "POST https://a.b");
    check("webhook", json!({"url": "https://a.b:8443"}), "POST https://a.b:8443");
    check("syslog", json!({"address": "a.b:514", "transport": "udp"}), "syslog udp://a.b:514");
    check("file", json!({"path": "x.log"}), "file x.log");
}
