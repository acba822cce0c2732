//! What every destination makes of an answer.

use super::*;
use crate::verdict::Response;

fn response(status: u16, body: &str) -> Reply {
    Reply::Http(Response { status, body: body.to_owned().into(), ..Response::default() })
}

/// Returns the verdict as a word, with the indices refused and to be retried.
fn verdict(kind: &str, status: u16, body: &str, events: usize) -> String {
    let (_, config, format) = all().into_iter().find(|(name, ..)| *name == kind).unwrap();
    match make(kind, &config, &format).config.judge(&response(status, body), events) {
        Verdict::Partial(partial) => {
            let refused: Vec<usize> = partial.rejected.iter().map(|item| item.index).collect();
            format!("partial refused {refused:?} retry {:?}", partial.retry)
        }
        other => other.name().to_owned(),
    }
}

#[track_caller]
fn check(kind: &str, status: u16, body: &str, expected: &str) {
    assert_eq!(verdict(kind, status, body, 3), expected, "{kind} {status} {body}");
}

/// Statuses that mean the same to every destination, whatever the body.
#[test]
fn the_common_table_holds_everywhere() {
    for (kind, ..) in all() {
        for status in [429, 502, 503, 504] {
            check(kind, status, "", "retry");
            check(kind, status, "<html>", "retry");
        }
        for status in [301, 307, 401, 403, 404, 405, 407] {
            check(kind, status, "", "pause");
        }
        check(kind, 413, "", "split");
        check(kind, 410, "", "disable");
        for status in [400, 422] {
            check(kind, status, "no json", "reject");
        }
        check(kind, 500, "", if kind == "otlp" { "pause" } else { "retry" });
        for body in ["", "{", "[]", "null", "{\"errors\":true}", "\u{0}"] {
            let word = verdict(kind, 200, body, 3);
            // Only an answer that is one of the bulk API confirms there.
            let expected: &[&str] =
                if kind == "elasticsearch" { &["pause", "retry"] } else { &["delivered"] };
            assert!(expected.contains(&word.as_str()), "{kind} {body:?}: {word}");
        }
    }
}

#[test]
fn splunk_tells_events_from_configuration_by_its_code() {
    let answer = |code: u32| format!(r#"{{"text":"x","code":{code}}}"#);
    for (status, code) in [
        (403, 1),
        (401, 2),
        (401, 3),
        (403, 4),
        (400, 5),
        (400, 7),
        (400, 10),
        (400, 11),
        (400, 16),
        (400, 21),
        (400, 22),
    ] {
        check("splunk", status, &answer(code), "pause");
    }
    for code in [6, 12, 13, 15] {
        check("splunk", 400, &answer(code), "reject");
        let named = format!(r#"{{"text":"x","code":{code},"invalid-event-number":1}}"#);
        check("splunk", 400, &named, "partial refused [1] retry [0, 2]");
        let beyond = format!(r#"{{"text":"x","code":{code},"invalid-event-number":3}}"#);
        check("splunk", 400, &beyond, "reject");
    }
    for (status, code) in [(500, 8), (503, 9), (503, 18), (503, 19), (503, 20), (503, 23)] {
        check("splunk", status, &answer(code), "retry");
    }
    check("splunk", 200, &answer(0), "delivered");
}

#[test]
fn the_bulk_api_is_judged_document_by_document() {
    let items =
        |items: &[&str]| format!(r#"{{"took":1,"errors":true,"items":[{}]}}"#, items.join(","));
    let of = |status: u16, kind: &str| {
        format!(r#"{{"create":{{"status":{status},"error":{{"type":"{kind}","reason":"r"}}}}}}"#)
    };
    let fine = r#"{"create":{"status":201}}"#;
    let (there, busy) =
        (of(409, "version_conflict_engine_exception"), of(429, "es_rejected_execution_exception"));
    let bad = of(400, "document_parsing_exception");
    check("elasticsearch", 200, r#"{"errors":false}"#, "delivered");
    check("elasticsearch", 200, &items(&[fine, &there, fine]), "delivered");
    check("elasticsearch", 200, &items(&[fine, &bad, fine]), "partial refused [1] retry []");
    check(
        "elasticsearch",
        200,
        &items(&[&busy, &bad, &of(503, "x")]),
        "partial refused [1] retry [0, 2]",
    );
    check("elasticsearch", 200, &items(&[fine, fine]), "retry");
    for kind in ["index_not_found_exception", "cluster_block_exception", "validation_exception"] {
        check("elasticsearch", 200, &items(&[fine, &of(400, kind), fine]), "pause");
    }
    for status in [401, 403, 404] {
        check("elasticsearch", 200, &items(&[fine, &of(status, "x"), fine]), "pause");
    }
    // An answer that was cut off is asked for in smaller parts.
    check("elasticsearch", 200, &"x".repeat(2 * 1024 * 1024), "split");
}

#[test]
fn a_reason_never_shows_what_the_document_held() {
    let body = r#"{"errors":true,"items":[{"create":{"status":400,"error":{"type":"mapper_parsing_exception","reason":"failed to parse field [metadata.ip] of type [ip] in document with id 'a2'. Preview of field's value: 'hush'"}}}]}"#;
    let (_, config, format) = all().remove(1);
    let Verdict::Partial(partial) =
        make("elasticsearch", &config, &format).config.judge(&response(200, body), 1)
    else {
        panic!("one document was refused");
    };
    let item = &partial.rejected[0];
    assert!(item.reason.detail.contains("[metadata.ip] of type [ip]"), "{}", item.reason.detail);
    assert!(
        !item.reason.detail.contains("hush") && item.excerpt.as_ref().unwrap().contains("hush")
    );
}

#[test]
fn cloud_logging_names_the_entries_it_refused() {
    let body = |entries: &str| {
        format!(
            r#"{{"error":{{"code":400,"details":[{{"@type":"type.googleapis.com/google.logging.v2.WriteLogEntriesPartialErrors","logEntryErrors":{{{entries}}}}}]}}}}"#
        )
    };
    check("google-cloud-logging", 400, &body(r#""1":{"code":3}"#), "partial refused [1] retry []");
    check(
        "google-cloud-logging",
        400,
        &body(r#""0":{"code":8},"2":{"code":3}"#),
        "partial refused [2] retry [0]",
    );
    check("google-cloud-logging", 403, &body(r#""0":{"code":7}"#), "pause");
    check("google-cloud-logging", 400, &body(r#""7":{"code":3}"#), "reject");
    check("google-cloud-logging", 400, r#"{"error":{"code":400}}"#, "reject");
}

#[test]
fn a_partial_success_of_otlp_is_final() {
    let body = |count: &str| {
        format!(r#"{{"partialSuccess":{{"rejectedLogRecords":{count},"errorMessage":"x"}}}}"#)
    };
    check("otlp", 200, "{}", "delivered");
    check("otlp", 200, &body("\"0\""), "delivered");
    check("otlp", 200, &body("\"1\""), "partial refused [0, 1, 2] retry []");
    check("otlp", 200, &body("2"), "partial refused [0, 1, 2] retry []");
}

#[test]
fn credentials_are_named_as_such() {
    for (kind, status, body) in [
        ("splunk", 403, r#"{"text":"Invalid token","code":4}"#),
        ("datadog", 403, ""),
        ("sentinel", 403, ""),
    ] {
        let (_, config, format) = all().into_iter().find(|(name, ..)| *name == kind).unwrap();
        let verdict = make(kind, &config, &format).config.judge(&response(status, body), 1);
        assert_eq!(verdict.reason().unwrap().code, Cause::Credentials, "{kind}");
    }
}

#[test]
fn only_configured_statuses_confirm_a_template() {
    let config = json!({"url": "https://a.b/", "success": [201]});
    let made = make("http", &config, &json!(null));
    assert_eq!(made.config.judge(&response(201, ""), 1).name(), "delivered");
    assert_eq!(made.config.judge(&response(202, ""), 1).name(), "retry");
}

proptest::proptest! {
    /// Hostile answers: no panic, and indices that name events of the batch, each once.
    #[test]
    fn whatever_is_answered_names_events_of_the_batch(
        status in proptest::sample::select(vec![200_u16, 201, 204, 207, 400, 403, 500]),
        body in proptest::prop_oneof![
            "\\PC{0,80}",
            r#"\{"errors":true,"items":\[(\{"create":\{"status":[2-5][0-9]{2}\}\},?){0,5}\]\}"#,
            r#"\{"code":[0-9]{1,2},"invalid-event-number":[0-9]{1,20}\}"#,
            r#"\{"partialSuccess":\{"rejectedLogRecords":"?[0-9]{1,20}"?\}\}"#,
            r#"\{"error":\{"details":\[\{"logEntryErrors":\{"[0-9]{1,3}":\{"code":[0-9]{1,2}\}\}\}\]\}\}"#,
        ],
        events in 1_usize..5,
    ) {
        for (kind, config, format) in all() {
            let made = make(kind, &config, &format);
            let Verdict::Partial(partial) = made.config.judge_answer(status, body.as_bytes(), events) else {
                continue;
            };
            let mut named: Vec<usize> = partial.rejected.iter().map(|item| item.index).collect();
            proptest::prop_assert!(named.is_sorted() && partial.retry.is_sorted());
            named.extend(&partial.retry);
            named.sort_unstable();
            let count = named.len();
            named.dedup();
            proptest::prop_assert!(count > 0 && named.len() == count, "{} {:?}", kind, partial);
            proptest::prop_assert!(named.iter().all(|index| *index < events), "{} {:?}", kind, partial);
        }
    }
}
