use attestary_event::EventId;

use super::*;
use crate::{DestinationConfig, ManagedBy, Secrets, batch::Record, destination::Request};

fn batch(seqs: &[u64], kind: Kind) -> Batch {
    let mut bytes = Vec::new();
    let records = seqs.iter().map(|seq| {
        let start = bytes.len();
        bytes.extend_from_slice(format!("{{\"seq\":{seq}}}\n").as_bytes());
        Record {
            seq: *seq,
            id: EventId([*seq as u8; 16]),
            received_at: Timestamp(1_700_000_000_000),
            leaf_hash: [*seq as u8; 32],
            bytes: start..bytes.len(),
        }
    });
    let records: Vec<Record> = records.collect();
    let next_seq = seqs.last().map_or(0, |seq| seq + 1);
    Batch { from_seq: seqs[0], next_seq, records, bytes, kind }
}

fn put(kind: &str, config: serde_json::Value, batch: &Batch, at: i64) -> Put {
    let (destination, secrets): (_, Secrets) =
        DestinationConfig::validate(kind, &config, ManagedBy::Tenant).unwrap();
    let mut spec = crate::spec::sample(destination);
    spec.tenant = attestary_event::TenantId::restored("a/b c");
    let format = Format::default();
    let id = "dst_X-test-1";
    let at = Timestamp(at);
    let envelope = Envelope { id, at, secrets: &secrets, format: &format, spec: &spec };
    match spec.destination.request(batch, &envelope) {
        Request::Object(put) => *put,
        other => panic!("an object store makes an object, not {other:?}"),
    }
}

fn s3(extra: serde_json::Value) -> serde_json::Value {
    let mut config = serde_json::json!({
        "bucket": "audit-acme", "region": "eu-central-1", "access_key_id": "AKIA", "secret_access_key": "hush",
    });
    let more = extra.as_object().unwrap().clone();
    config.as_object_mut().unwrap().extend(more);
    config
}

#[test]
fn a_key_names_tenant_hour_and_range() {
    let put =
        put("s3", s3(serde_json::json!({"prefix": "logs/x"})), &batch(&[5, 7], Kind::Events), 0);
    let url = put.url.as_str();
    let start = "https://audit-acme.s3.eu-central-1.amazonaws.com/logs/x/environment%3Dproduction/tenant%3Da%252Fb%2520c/\
                 dt%3D2023-11-14/hour%3D22/00000000000000000005-00000000000000000007-";
    assert!(url.starts_with(start), "{url}");
    assert!(url.ends_with(".ndjson.gz"), "{url}");
}

#[test]
fn a_key_depends_on_events_and_form_and_never_on_the_attempt() {
    let of = |seqs: &[u64], at: i64| {
        put("s3", s3(serde_json::json!({})), &batch(seqs, Kind::Events), at).url
    };
    assert_eq!(of(&[1, 2], 0), of(&[1, 2], 99_000_000));
    assert_ne!(of(&[1, 2], 0), of(&[1, 3], 0));
    let mut other = batch(&[1, 2], Kind::Events);
    other.records[0].leaf_hash = [9; 32];
    assert_ne!(of(&[1, 2], 0), put("s3", s3(serde_json::json!({})), &other, 0).url);
    assert_ne!(
        digest(&other, &Format::default(), Content::Lines),
        digest(&other, &serde_json::from_str(r#"{"type":"cef"}"#).unwrap(), Content::Lines)
    );
    assert_ne!(
        digest(&other, &Format::default(), Content::Lines),
        digest(&other, &Format::default(), Content::Parquet)
    );
}

#[test]
fn an_object_is_put_only_where_nothing_is() {
    let lock = serde_json::json!({"object_lock": {"mode": "compliance", "days": 10}});
    let locked = put("s3", s3(lock.clone()), &batch(&[1], Kind::Events), 0);
    assert_eq!(locked.headers["if-none-match"], "*");
    assert_eq!(locked.headers["x-amz-object-lock-mode"], "COMPLIANCE");
    let until = &locked.headers["x-amz-object-lock-retain-until-date"];
    assert!(until.to_str().unwrap().starts_with("1970-01-11T00:00:00"), "{until:?}");
    assert_eq!(locked.headers[&locked.digest.0], locked.digest.1);
    let test = put("s3", s3(lock), &batch(&[0], Kind::Test), 0);
    assert!(test.headers.get("x-amz-object-lock-mode").is_none());
    assert!(test.url.path().ends_with("/attestary-test/dst_X-test-1.ndjson.gz"), "{}", test.url);
}

#[test]
fn a_checkpoint_lies_locked_beside_the_events() {
    let lock = serde_json::json!({"object_lock": {"mode": "compliance", "days": 10}});
    let put = put("s3", s3(lock), &batch(&[7], Kind::Checkpoint), 0);
    let path = put.url.path();
    assert!(path.contains("/hour%3D22/checkpoint-00000000000000000007-"), "{path}");
    assert_eq!(put.headers["x-amz-object-lock-mode"], "COMPLIANCE");
}

#[test]
fn a_blob_is_put_with_the_same_key() {
    let config =
        serde_json::json!({"account": "acme1", "container": "audit", "sas": "?sv=1&sig=a%2Bb"});
    let put = put("azure_blob", config, &batch(&[1], Kind::Events), 0);
    assert!(
        put.url.as_str().starts_with("https://acme1.blob.core.windows.net/audit/environment%3D")
    );
    assert_eq!(
        (&put.headers["if-none-match"], &put.headers["x-ms-blob-type"]),
        (&"*".parse().unwrap(), &"BlockBlob".parse().unwrap())
    );
    assert!(!put.url.as_str().contains("sig="), "the signature is added by the transport");
}

#[track_caller]
fn check_judge(status: u16, code: &str, expected: &str) {
    let excerpt = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>");
    let verdict = judge(&Response { status, excerpt, ..Response::default() });
    assert_eq!(verdict.name(), expected, "{status} {code}");
}

#[test]
fn answers_of_stores_never_set_events_aside() {
    check_judge(200, "", "delivered");
    check_judge(400, "InvalidRequest", "pause");
    check_judge(400, "RequestTimeout", "retry");
    check_judge(403, "RequestTimeTooSkewed", "pause");
    check_judge(403, "AccessDenied", "pause");
    check_judge(404, "NoSuchBucket", "pause");
    check_judge(409, "ConditionalRequestConflict", "retry");
    check_judge(301, "PermanentRedirect", "pause");
    check_judge(422, "", "pause");
    check_judge(500, "InternalError", "retry");
    check_judge(503, "SlowDown", "retry");
    check_judge(413, "", "split");
    assert_eq!(judge_existing(true).name(), "delivered");
    assert_eq!(judge_existing(false).name(), "pause");
}

#[test]
fn a_prefix_is_a_path_without_surprises() {
    #[track_caller]
    fn check(prefix: &str, expected: bool) {
        assert_eq!(prefix_problem(prefix).is_none(), expected, "{prefix:?}");
    }
    check("", true);
    check("audit/a=b", true);
    check("/audit", false);
    check("audit/", false);
    check("a//b", false);
    check("a/../b", false);
    check("a b", false);
    check("ä", false);
    check(&"x".repeat(257), false);
}
