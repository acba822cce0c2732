//! Configurations of Kafka destinations.

use serde_json::{Value, json};

use crate::destination::{DestinationConfig, ManagedBy};

#[track_caller]
fn check(config: &Value, managed_by: ManagedBy, expected: &[&str]) {
    let made = DestinationConfig::validate("kafka", config, managed_by);
    let pointers: Vec<String> = match made {
        Ok(_) => Vec::new(),
        Err(bad) => bad.into_iter().map(|violation| violation.pointer).collect(),
    };
    assert_eq!(pointers, expected, "{config}");
}

#[test]
fn mistakes_are_named() {
    let operator = ManagedBy::Operator;
    let good = json!({"brokers": ["kafka.example.com:9092"], "topic": "audit"});
    check(&good, operator, &[]);
    check(&good, ManagedBy::Tenant, &["/type"]);
    check(&json!({}), operator, &["/config/brokers", "/config/topic"]);
    check(&json!({"brokers": [], "topic": "a"}), operator, &["/config/brokers"]);
    check(&json!({"brokers": ["a.b:9092", "a"], "topic": "a"}), operator, &["/config/brokers/1"]);
    check(&json!({"brokers": ["a.b:9092"], "topic": "a b"}), operator, &["/config/topic"]);
    let half = json!({"brokers": ["a.b:9092"], "topic": "a", "mechanism": "plain", "user": "u"});
    check(&half, operator, &["/config/mechanism"]);
    let other = json!({"brokers": ["a.b:9092"], "topic": "a", "mechanism": "gssapi"});
    check(&other, operator, &["/config/mechanism"]);
    let whole = json!({
        "brokers": ["a.b:9092", "[::1]:9093"], "topic": "a", "tls": true, "mechanism": "scram-sha-512",
        "user": "u", "password": "p", "compression": "none",
    });
    check(&whole, operator, &[]);
}

#[test]
fn every_error_of_a_broker_means_something() {
    use crate::verdict::Reply;
    for code in -1..130 {
        let reply = super::refusal(code);
        assert!(!matches!(reply, Reply::Written), "{code}");
    }
}
