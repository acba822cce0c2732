use proptest::prelude::*;
use serde_json::Value;

use crate::{
    golden::{check_golden, record},
    json::tests::{event, hostile_event},
};

/// The published payload A, cleaned to valid JSON.
const PAYLOAD_A: &str = include_str!("../../fixtures/easysend/payload-a.json");
const PAYLOAD_B: &str = include_str!("../../fixtures/easysend/payload-b.json");
const A: &str = r#"{"type":"easysend"}"#;
const B: &str = r#"{"type":"easysend","payload":"b"}"#;

/// The event that payload A maps to: what no member holds stands in `source.fields`.
const MAPPED_A: &str = r#""action":"OPENED","occurred_at":"2024-07-30T16:48:53.990Z","actor":{"type":"user","id":"ygvRhMXpAqY"},"targets":[{"type":"digitalJourney","id":"Eafgucj6oCbDZxt9NVgI"},{"type":"workflow_step","id":"xxxxxxxx"}],"context":{"ip":"199.203.234.130","parent_session_id":"k03P5rnmq-8"},"outcome":"success","category":"process","source":{"system":"easysend","fields":{"environment":"customer-easysend","product_type":"Player","customer_id":"customer","specificCustomerName":"customer","environment_type":"production","player_version":"31.21.2","server_url":"https://customer.easysend.app","is_co_browsing_on":false,"delivery_method":"send_link","authentication_method":"ssoCognito","authentication_status":"success","logger":"es.log.player_backend.server.service.events_pubsub.subscribers.security_events_handler","type":"python","execution_id":"97722750-893f-4fe0-bf21-26d6162a62aa","hostname":"leumi-player-web-8895dbd5d-mqz5b","LogSize":1157,"path_name":"/app/player_backend/server/service/events_pubsub/subscribers/security_events_handler.py","logging_version":1,"category":"Default","commit_id":"ab48c12751e2c99c88b83b51c4152ef28027b38e"}}"#;

#[test]
fn the_worked_event_and_one_with_every_member_give_the_golden_payloads() {
    check_golden(A, "easysend-a.json");
    check_golden(B, "easysend-b.json");
}

// seeds: ES-08 with the published payload
#[test]
fn payload_a_comes_back_byte_for_byte() {
    assert_eq!(record(&event(MAPPED_A), A), PAYLOAD_A.trim_end());
}

// seeds: ES-09 with the published payload
#[test]
fn payload_b_comes_back_byte_for_byte() {
    let mapped = r#""action":"OPENED","occurred_at":"2024-11-20T10:37:42.943Z","context":{"ip":"::1"},"source":{"system":"easysend","fields":{"@timestamp":"2024-11-20T10:37:42.943305"}}"#;
    assert_eq!(record(&event(mapped), B), PAYLOAD_B.trim_end());
}

#[track_caller]
fn check(format: &str, members: &str, pointer: &str, expected: Value) {
    let record: Value = serde_json::from_str(&record(&event(members), format)).unwrap();
    assert_eq!(record.pointer(pointer).unwrap_or(&Value::Null), &expected, "{record}");
}

#[test]
fn events_from_elsewhere_fill_the_same_fields() {
    check(A, r#""action":"otp.failed""#, "/security_event_type", "OTP_FAILED".into());
    check(A, r#""action":"process.link.opened""#, "/security_event_type", "OPENED".into());
    check(A, r#""action":"otp.failed""#, "/authentication_status", "failure".into());
    check(A, r#""action":"report.sent""#, "/security_event_type", "report.sent".into());
    check(A, r#""action":"report.sent""#, "/authentication_status", Value::Null);
    check(
        A,
        r#""action":"a","metadata":{"delivery_method":"sms"}"#,
        "/delivery_method",
        "sms".into(),
    );
    check(
        A,
        r#""action":"a","metadata":{"delivery_method":{"x":1}}"#,
        "/delivery_method",
        Value::Null,
    );
    check(
        B,
        r#""action":"a","occurred_at":"2026-11-22T00:39:11.123Z""#,
        "/@timestamp",
        "2026-11-22T00:39:11.123000".into(),
    );
}

// seeds: ES-10
#[test]
fn only_the_chosen_groups_go_out() {
    let event_only = r#"{"type":"easysend","groups":["event"]}"#;
    check(event_only, MAPPED_A, "/rid", "ygvRhMXpAqY".into());
    check(event_only, MAPPED_A, "/message", Value::Null);
    check(event_only, MAPPED_A, "/commit_id", Value::Null);
}

#[test]
fn another_systems_source_is_not_taken_for_easysends() {
    let foreign = r#""action":"a","source":{"system":"formio","fields":{"rid":"forged"}}"#;
    check(A, foreign, "/rid", Value::Null);
}

proptest! {
    #[test]
    fn every_event_is_one_object(event in hostile_event()) {
        for format in [A, B] {
            let record: Value = serde_json::from_str(&record(&event, format)).unwrap();
            prop_assert!(record["@timestamp"].is_string());
        }
    }
}
