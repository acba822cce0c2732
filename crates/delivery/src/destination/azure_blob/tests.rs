use serde_json::{Value, json};

use crate::{DestinationConfig, ManagedBy};

#[track_caller]
fn check(change: Value, expected: &[&str]) {
    let mut config =
        json!({"account": "acme1", "container": "audit", "sas": "sv=2021&sp=crw&sig=hush%3D"});
    for (name, value) in change.as_object().unwrap() {
        config[name] = value.clone();
    }
    let found: Vec<String> =
        match DestinationConfig::validate("azure_blob", &config, ManagedBy::Tenant) {
            Ok((config, _)) => {
                assert!(!serde_json::to_string(&config).unwrap().contains("hush"));
                Vec::new()
            }
            Err(violations) => violations.into_iter().map(|bad| bad.pointer).collect(),
        };
    assert_eq!(found, expected);
}

#[test]
fn what_is_wrong_is_named() {
    check(json!({}), &[]);
    check(json!({"sas": "?sv=2021&sig=x"}), &[]);
    check(json!({"endpoint": "https://127.0.0.1:10000/acme1"}), &[]);
    check(json!({"account": "Acme"}), &["/config/account"]);
    check(json!({"container": "a--b"}), &["/config/container"]);
    check(json!({"sas": "sv=2021"}), &["/config/sas"]);
    check(json!({"sas": "sig=a b"}), &["/config/sas"]);
    check(json!({"endpoint": "https://x.example.com/?a"}), &["/config/endpoint"]);
}
