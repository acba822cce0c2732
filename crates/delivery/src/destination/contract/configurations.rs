//! Configurations: every mistake is named, secrets are taken out, and kept secrets never go elsewhere.

use super::*;

#[track_caller]
fn check(kind: &str, config: Value, expected: &[&str]) {
    let found = match DestinationConfig::validate(kind, &config, ManagedBy::Operator) {
        Ok(_) => Vec::new(),
        Err(violations) => violations.into_iter().map(|violation| violation.pointer).collect(),
    };
    assert_eq!(found, expected, "{kind} {config}");
}

#[test]
fn every_mistake_is_named() {
    check("splunk", json!({}), &["/config/url", "/config/token"]);
    check("splunk", json!({"url": "ftp://a.b", "token": ""}), &["/config/url", "/config/token"]);
    check(
        "splunk",
        json!({"url": "https://a.b", "token": "t", "acknowledgement": "maybe"}),
        &["/config/acknowledgement"],
    );
    check("splunk", json!({"url": "https://a.b", "token": "t", "indx": "x"}), &["/config/indx"]);
    check("splunk", json!({"url": "https://a.b", "token": "t\r\nx: y"}), &["/config/token"]);
    check("elasticsearch", json!({"url": "https://a.b", "index": "Audit"}), &["/config/index"]);
    check("elasticsearch", json!({"url": "https://a.b", "index": "../_all"}), &["/config/index"]);
    check(
        "elasticsearch",
        json!({"url": "https://a.b", "index": "a", "username": "u"}),
        &["/config/password"],
    );
    check(
        "elasticsearch",
        json!({"url": "https://a.b", "index": "a", "api_key": "k", "bearer": "b"}),
        &["/config/api_key"],
    );
    check(
        "elasticsearch",
        json!({"url": "https://a.b", "index": "a", "layout": "weekly"}),
        &["/config/layout"],
    );
    check("datadog", json!({"api_key": "k", "site": "example.com"}), &["/config/site"]);
    check("datadog", json!({}), &["/config/api_key"]);
    check(
        "sentinel",
        json!({"url": "https://a.b", "rule": "../x", "stream": "s", "directory": "d", "client_id": "c", "client_secret": "s"}),
        &["/config/rule"],
    );
    check(
        "sentinel",
        json!({}),
        &[
            "/config/url",
            "/config/rule",
            "/config/stream",
            "/config/directory",
            "/config/client_id",
            "/config/client_secret",
        ],
    );
    check(
        "google-cloud-logging",
        json!({"project": "p", "credentials": {"type": "x"}}),
        &["/config/credentials"],
    );
    check(
        "google-secops",
        json!({"project": "p", "region": "us", "instance": "i", "credentials": "no", "log_type": "X"}),
        &["/config/credentials", "/config/forwarder"],
    );
    check(
        "otlp",
        json!({"url": "https://a.b", "headers": {"host": "x"}}),
        &["/config/headers/host"],
    );
    check("loki", json!({"url": "https://a.b", "labels": {"tenant": "x"}}), &["/config/labels"]);
    check("loki", json!({"url": "https://a.b", "labels": {"a-b": "x"}}), &["/config/labels"]);
    check(
        "loki",
        json!({"url": "https://a.b", "username": "u", "password": "p", "bearer": "b"}),
        &["/config/bearer"],
    );
    check("sumo", json!({"url": "https://a.b/x", "category": "a\nb"}), &["/config/category"]);
    check("sumo", json!({}), &["/config/url"]);
    check("sumo", json!({"url": "https://a.b/"}), &["/config/url"]);
    check("newrelic", json!({"api_key": "k", "region": "mars"}), &["/config/region"]);
    check("http", json!({"url": "https://a.b", "record": "x"}), &["/config/record"]);
    check("http", json!({"url": "https://a.b", "record": "{{nope}}"}), &["/config/record"]);
    check("http", json!({"url": "https://a.b", "record": "{{event"}), &["/config/record"]);
    check(
        "http",
        json!({"url": "https://a.b", "record": "{\"a\":{{/actor/id}}}"}),
        &["/config/record"],
    );
    check("http", json!({"url": "https://a.b", "open": "{{event}}"}), &["/config/open"]);
    check("http", json!({"url": "https://a.b", "method": "GET"}), &["/config/method"]);
    check("http", json!({"url": "https://a.b", "success": [404]}), &["/config/success"]);
    check("http", json!({"url": "https://a.b", "events_max": 0}), &["/config/events_max"]);
    check(
        "http",
        json!({"url": "https://a.b", "content_type": "a\r\nb"}),
        &["/config/content_type"],
    );
}

#[test]
fn secrets_are_taken_out_of_what_is_shown_and_stored() {
    for (kind, config, _) in all() {
        let (config, secrets) =
            DestinationConfig::validate(kind, &config, ManagedBy::Operator).unwrap();
        let stored = serde_json::to_string(&config).unwrap();
        for hush in ["t0ken", "k3y", "s3cret", "PRIVATE KEY", "Bearer t"] {
            assert!(!stored.contains(hush), "{kind}: {stored}");
        }
        assert_eq!(serde_json::from_str::<DestinationConfig>(&stored).unwrap(), config, "{stored}");
        assert!(stored.starts_with(&format!("{{\"type\":\"{kind}\"")), "{stored}");
        assert_eq!(config.kind(), kind);
        let kept = serde_json::to_vec(&secrets).unwrap();
        assert_eq!(serde_json::from_slice::<Secrets>(&kept).unwrap(), secrets);
        assert!(!format!("{secrets:?}").contains("k3y"));
    }
}

#[test]
fn a_kept_secret_goes_only_where_it_went_before() {
    #[track_caller]
    fn check(kind: &str, before: &Value, after: &Value, expected: &[&str]) {
        let (config, secrets) =
            DestinationConfig::validate(kind, before, ManagedBy::Operator).unwrap();
        let known = Some((&config, &secrets));
        let changed = DestinationConfig::validate_change(kind, after, ManagedBy::Operator, known);
        match changed {
            Ok((_, kept)) => assert!(expected.is_empty() && kept == secrets, "{kind} {after}"),
            Err(bad) => {
                let found: Vec<String> = bad.into_iter().map(|bad| bad.pointer).collect();
                assert_eq!(found, expected, "{kind} {after}");
            }
        }
    }
    let splunk = json!({"url": "https://a.example.com:8088", "token": "t"});
    check("splunk", &splunk, &json!({"url": "https://a.example.com:8088", "index": "x"}), &[]);
    check("splunk", &splunk, &json!({"url": "https://evil.example.com:8088"}), &["/config/token"]);
    check("splunk", &splunk, &json!({"url": "https://a.example.com:9200"}), &["/config/token"]);
    check("splunk", &splunk, &json!({"url": "http://a.example.com:8088"}), &["/config/token"]);
    let sumo = json!({"url": "https://a.example.com/receiver/t0ken"});
    check("sumo", &sumo, &json!({"url": "https://a.example.com/", "category": "x"}), &[]);
    check("sumo", &sumo, &json!({"category": "x"}), &[]);
    check("sumo", &sumo, &json!({"url": "https://evil.example.com/"}), &["/config/url"]);
    let sentinel = json!({
        "url": "https://a.b", "rule": "r", "stream": "s", "directory": "d", "client_id": "c", "client_secret": "s",
    });
    let mut moved = sentinel.clone();
    moved.as_object_mut().unwrap().remove("client_secret");
    check("sentinel", &sentinel, &moved, &[]);
    moved["token_url"] = json!("https://evil.example.com/token");
    check("sentinel", &sentinel, &moved, &["/config/client_secret"]);
}

#[test]
fn formats_that_cannot_be_carried_are_refused() {
    #[track_caller]
    fn check(kind: &str, format: &str, expected: bool) {
        let (_, config, _) = all().into_iter().find(|(name, ..)| *name == kind).unwrap();
        let (config, _) = DestinationConfig::validate(kind, &config, ManagedBy::Operator).unwrap();
        let format: Format = serde_json::from_value(json!({ "type": format })).unwrap();
        assert_eq!(config.check_format(&format).is_ok(), expected, "{kind}");
    }
    check("otlp", "otlp", true);
    check("otlp", "json", false);
    check("google-secops", "udm", true);
    check("google-secops", "cef", false);
    check("splunk", "cef", true);
}

#[test]
fn only_operators_write_templates() {
    let config = json!({"url": "https://a.b"});
    let refused = DestinationConfig::validate("http", &config, ManagedBy::Tenant).unwrap_err();
    assert_eq!(refused[0].pointer, "/type");
}

#[test]
fn a_summary_names_no_path_and_no_secret() {
    for (kind, config, _) in all() {
        let (config, _) = DestinationConfig::validate(kind, &config, ManagedBy::Operator).unwrap();
        let summary = config.summary();
        assert!(summary.starts_with(&format!("{kind} https://")), "{summary}");
        assert!(!summary[kind.len() + 9..].contains('/'), "{summary}");
    }
}

#[test]
fn the_guard_is_asked_about_the_token_endpoint_too() {
    use crate::guard::{Guard, Owner, Policy};
    let config = json!({
        "url": "https://a.example.com", "rule": "r", "stream": "s", "directory": "d", "client_id": "c",
        "client_secret": "s", "token_url": "https://169.254.169.254/token",
    });
    let (config, _) = DestinationConfig::validate("sentinel", &config, ManagedBy::Tenant).unwrap();
    let owner = Owner {
        environment: EnvironmentId::restored("production"),
        tenant: TenantId::restored("acme"),
    };
    let refused = Guard::system(Policy::default()).check(&owner, &config);
    assert_eq!(
        refused.iter().map(|bad| bad.pointer.as_str()).collect::<Vec<_>>(),
        ["/config/token_url"]
    );
}
