use serde_json::{Value, json};

use crate::{DestinationConfig, ManagedBy};

fn config(change: Value) -> Result<String, Vec<String>> {
    let mut config = json!({
        "bucket": "audit-acme", "region": "eu-central-1", "access_key_id": "AKIA", "secret_access_key": "hush-hush",
    });
    for (name, value) in change.as_object().unwrap() {
        config[name] = value.clone();
    }
    match DestinationConfig::validate("s3", &config, ManagedBy::Tenant) {
        Ok((config, secrets)) => {
            let shown = serde_json::to_string(&config).unwrap();
            assert!(!shown.contains("hush") && !format!("{secrets:?}").contains("hush"), "{shown}");
            assert_eq!(secrets.value("secret_access_key").unwrap().danger_reveal(), "hush-hush");
            let again: DestinationConfig = serde_json::from_str(&shown).unwrap();
            assert_eq!(again, config);
            let target = config.target().unwrap();
            let crate::guard::Host::Name(host) = target.host else { panic!("a name") };
            Ok(format!("{host}:{}", target.port))
        }
        Err(violations) => Err(violations.into_iter().map(|bad| bad.pointer).collect()),
    }
}

#[test]
fn the_bucket_is_a_host_unless_its_name_has_dots() {
    assert_eq!(config(json!({})).unwrap(), "audit-acme.s3.eu-central-1.amazonaws.com:443");
    assert_eq!(config(json!({"bucket": "a.b.c"})).unwrap(), "s3.eu-central-1.amazonaws.com:443");
    assert_eq!(
        config(json!({"region": "cn-north-1"})).unwrap(),
        "audit-acme.s3.cn-north-1.amazonaws.com.cn:443"
    );
    assert_eq!(
        config(json!({"endpoint": "https://minio.example.com:9000/x"})).unwrap(),
        "minio.example.com:9000"
    );
}

#[track_caller]
fn check(change: Value, pointer: &str) {
    assert_eq!(config(change).unwrap_err(), vec![pointer.to_owned()]);
}

#[test]
fn what_is_wrong_is_named() {
    check(json!({"bucket": "Audit"}), "/config/bucket");
    check(json!({"bucket": "a/../b"}), "/config/bucket");
    check(json!({"bucket": "192.168.1.1"}), "/config/bucket");
    check(json!({"region": "eu.evil.com/"}), "/config/region");
    check(json!({"access_key_id": ""}), "/config/access_key_id");
    check(json!({"secret_access_key": null}), "/config/secret_access_key");
    check(json!({"endpoint": "ftp://x"}), "/config/endpoint");
    check(json!({"endpoint": "https://x.example.com/?a"}), "/config/endpoint");
    check(json!({"object_lock": {"mode": "soft", "days": 1}}), "/config/object_lock");
    check(json!({"object_lock": {"mode": "compliance", "days": 0}}), "/config/object_lock/days");
    check(json!({"age_seconds": 0}), "/config/age_seconds");
    check(json!({"bytes_max": 20_000_000}), "/config/bytes_max");
    check(json!({"compression": "zip"}), "/config/compression");
    check(json!({"role": "x"}), "/config/role");
}
