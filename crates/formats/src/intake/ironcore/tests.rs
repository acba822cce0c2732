use attestary_event::{
    Fields, Timestamp,
    actions::KnownActions,
    intake::{Accepted, Context, DigestKey, Door, accept},
};

use super::*;

/// Requests as the clients send them: Node's were recorded; the others follow from the rules of each client
/// (Go: escaped markup, zero time, no prefix; PHP: nulls; Alloy: event at the top; Java: any order).
const REQUESTS: &str = include_str!("../../../fixtures/ironcore/requests.ndjson");
const EVENTS: &str = include_str!("../../../fixtures/ironcore/events.ndjson");

fn map(body: &str) -> Result<Mapped, Refusal> {
    parse(body.as_bytes(), &Limits::default())
}

/// Maps a body and sends the result through intake, as the endpoint does.
#[track_caller]
pub(crate) fn accepted(body: &str) -> Accepted {
    accept_mapped(&map(body).unwrap())
}

#[track_caller]
fn accept_mapped(mapped: &Mapped) -> Accepted {
    let context = Context {
        now: Timestamp(1_795_307_951_123),
        actions: KnownActions::builtin(),
        limits: &Limits::default(),
        default_tenant: None,
    };
    let accepted =
        accept(&mapped.json, Door::Adapter, &context, &DigestKey::new(&[0; 32])).unwrap();
    assert_eq!(accepted.tenant.as_str(), mapped.tenant);
    assert_eq!(accepted.id, None);
    accepted
}

/// A request with the usual members and one more in each place.
fn request(top: &str, icl_fields: &str, custom: &str) -> String {
    format!(
        "{{\"tenantId\":\"t\",{top}\"iclFields\":{{{icl_fields}\"requestingId\":\"u\",\"event\":\"USER_LOGIN\"}},\"customFields\":{custom}}}"
    )
}

/// Checks members of the accepted event; `~` means absent.
#[track_caller]
fn check(body: &str, expected: &[(&str, &str)]) {
    let accepted = accepted(body);
    for (pointer, value) in expected {
        let seen = accepted.fields.get(pointer).and_then(|field| field.text());
        assert_eq!(
            seen.unwrap_or("~"),
            *value,
            "{pointer} of {}",
            String::from_utf8_lossy(&accepted.body)
        );
    }
}

#[track_caller]
fn check_refused(body: &str, pointer: &str) {
    match map(body) {
        Err(refusal @ Refusal::InvalidBody(_)) => {
            assert_eq!((refusal.status(), refusal.code()), (400, 102));
            let Refusal::InvalidBody(violation) = refusal else { unreachable!() };
            assert_eq!(violation.pointer, pointer, "{violation} of {body}");
        }
        other => panic!("{body} gave {other:?}"),
    }
}

// seeds: IC-26 with bytes of the Node, Java, Go, PHP and Alloy clients
// IC-01, IC-10, IC-26
#[test]
fn the_clients_requests_become_the_expected_events() {
    assert_eq!(REQUESTS.lines().count(), 7);
    assert_eq!(EVENTS.lines().count(), 7);
    for (request, event) in REQUESTS.lines().zip(EVENTS.lines()) {
        let mapped = map(request).unwrap();
        assert_eq!(std::str::from_utf8(&mapped.json).unwrap(), event);
        accept_mapped(&mapped);
    }
}

// seeds: IC-03 IC-04
// IC-02, IC-03, IC-04
#[test]
fn tenant_actor_and_label_are_kept_verbatim() {
    check(
        &request("", r#""dataLabel":"PII €\u2028","#, "{}"),
        &[
            ("/actor/id", "u"),
            ("/actor/type", "user"),
            ("/labels/0", "PII €\u{2028}"),
            ("/labels/1", "~"),
        ],
    );
    assert_eq!(
        accepted(&request("", "", "{}").replace("\"t\"", "\" Tenant/é\"")).tenant.as_str(),
        " Tenant/é"
    );
}

// seeds: IC-05
// IC-05
#[test]
fn a_time_is_kept_as_sent_and_its_absence_means_now() {
    for (time, expected) in [
        ("", "2026-11-22T00:39:11.123Z"),
        ("\"timestampMillis\":null,", "2026-11-22T00:39:11.123Z"),
        ("\"timestampMillis\":0,", "1970-01-01T00:00:00.000Z"),
        ("\"timestampMillis\":1,", "1970-01-01T00:00:00.001Z"),
        ("\"timestampMillis\":-62135596800000,", "0001-01-01T00:00:00.000Z"),
        ("\"timestampMillis\":1700000000123,", "2023-11-14T22:13:20.123Z"),
    ] {
        check(
            &request(time, "", "{}"),
            &[("/occurred_at", expected), ("/source/timestamp_millis", "~")],
        );
    }
}

// seeds: IC-05
#[test]
fn an_odd_time_is_never_an_error_and_its_token_is_kept() {
    for (token, expected, flag) in [
        ("1700000000123.75", "2023-11-14T22:13:20.123Z", "~"),
        ("17e11", "2023-11-14T22:13:20.000Z", "~"),
        ("-0.5", "1969-12-31T23:59:59.999Z", "~"),
        ("18446744073709551615", "2026-11-22T00:39:11.123Z", TIME_OUT_OF_RANGE),
        ("-62167219200001", "2026-11-22T00:39:11.123Z", TIME_OUT_OF_RANGE),
        ("1e999", "2026-11-22T00:39:11.123Z", TIME_OUT_OF_RANGE),
    ] {
        check(
            &request(&format!("\"timestampMillis\":{token},"), "", "{}"),
            &[
                ("/occurred_at", expected),
                ("/source/timestamp_millis", token),
                ("/source/flags/0", flag),
            ],
        );
    }
}

// seeds: IC-06
// IC-06
#[test]
fn absent_and_null_optionals_are_equal() {
    let null = r#""dataLabel":null,"sourceIp":null,"objectId":null,"requestId":null,"#;
    assert_eq!(map(&request("", null, "{}")), map(&request("", "", "{}")));
    check(
        &request("", "", "{}"),
        &[
            ("/labels/0", "~"),
            ("/context/ip", "~"),
            ("/targets/0/id", "~"),
            ("/context/request_id", "~"),
        ],
    );
}

#[test]
fn optionals_that_are_there_are_mapped() {
    check(
        &request("", r#""sourceIp":"::1","objectId":"o","requestId":"r","#, "{}"),
        &[
            ("/context/ip", "::1"),
            ("/targets/0/id", "o"),
            ("/targets/0/type", "object"),
            ("/context/request_id", "r"),
            ("/source/icl_fields", "~"),
        ],
    );
    check(
        &request("", r#""sourceIp":"999.1.2.3 or so","#, "{}"),
        &[("/context/ip", "999.1.2.3 or so")],
    );
}

#[test]
fn optionals_that_do_not_fit_stay_in_the_source() {
    let (long, longer) = ("x".repeat(257), "y".repeat(1025));
    check(
        &request(
            "",
            &format!("\"sourceIp\":\"{long}\",\"objectId\":\"{longer}\",\"dataLabel\":\"\","),
            "{}",
        ),
        &[
            ("/context/ip", "~"),
            ("/source/icl_fields/sourceIp", &long),
            ("/targets/0/id", "~"),
            ("/source/icl_fields/objectId", &longer),
            ("/labels/0", "~"),
            ("/source/icl_fields/dataLabel", ""),
            ("/source/flags/0", OVERLONG_VALUE),
        ],
    );
    check(&request("", "\"dataLabel\":\"\",", "{}"), &[("/source/flags/0", "~")]);
}

// seeds: IC-07
// IC-07
#[test]
fn custom_fields_are_kept_to_the_token() {
    let custom =
        r#"{"z":"1","a":5.10,"big":12345678901234567890123,"o":{"a":[1,null,{}]},"é\n/~":"\"x\""}"#;
    let json = map(&request("", "", custom)).unwrap().json;
    let json = std::str::from_utf8(&json).unwrap();
    assert!(json.contains(&format!("\"metadata\":{custom},")), "{json}");
    check(
        &request("", "", custom),
        &[("/metadata/a", "5.10"), ("/metadata/big", "12345678901234567890123")],
    );
}

// seeds: IC-07
#[test]
fn empty_null_and_absent_custom_fields_are_equal() {
    let empty = map(&request("", "", "{ }")).unwrap();
    assert_eq!(map(&request("", "", "null")).unwrap(), empty);
    assert_eq!(map(&request("", "", "{}").replace(",\"customFields\":{}", "")).unwrap(), empty);
    assert!(!String::from_utf8(empty.json).unwrap().contains("metadata"));
}

// seeds: IC-08
// IC-08, IC-10
#[test]
fn every_predefined_name_is_known_and_not_flagged() {
    let names = "USER_ADD USER_SUSPEND USER_REMOVE USER_LOGIN USER_TIMEOUT_SESSION USER_LOCKOUT USER_LOGOUT \
        USER_CHANGE_PERMISSIONS USER_EXPIRE_PASSWORD USER_RESET_PASSWORD USER_CHANGE_PASSWORD USER_REJECT_LOGIN \
        USER_ENABLE_TWO_FACTOR USER_DISABLE_TWO_FACTOR USER_CHANGE_EMAIL USER_REQUEST_EMAIL_VERIFICATION \
        USER_VERIFY_EMAIL ADMIN_ADD ADMIN_REMOVE ADMIN_CHANGE_PERMISSIONS ADMIN_CHANGE_SETTING DATA_IMPORT \
        DATA_EXPORT DATA_ENCRYPT DATA_DECRYPT DATA_CREATE DATA_DELETE DATA_DENY_ACCESS DATA_CHANGE_PERMISSIONS \
        PERIODIC_ENFORCE_RETENTION_POLICY PERIODIC_CREATE_BACKUP";
    assert_eq!(names.split_whitespace().count(), 31);
    for name in names.split_whitespace().chain(["ENFORCE_RETENTION_POLICY", "CREATE_BACKUP"]) {
        let body = request("", "", "{}").replace("USER_LOGIN", name);
        check(&body, &[("/action", name), ("/source/flags/0", "~")]);
        assert!(KnownActions::builtin().find(name).is_some(), "{name}");
    }
}

// seeds: IC-09 IC-10
// IC-09
#[test]
fn other_names_are_stored_verbatim_and_flagged() {
    for (name, flag) in [
        ("CUSTOM_REPORT", "~"),
        ("CUSTOM_A_B", "~"),
        ("CUSTOM_A_", "~"),
        ("CUSTOM_A1", UNCONVENTIONAL_NAME),
        ("CUSTOM_lower", UNCONVENTIONAL_NAME),
        ("CUSTOM_", UNCONVENTIONAL_NAME),
        ("CUSTOM__A", UNCONVENTIONAL_NAME),
        ("CUSTOM_Weird name-9", UNCONVENTIONAL_NAME),
        ("USER_DANCED", "~"),
        ("document.opened", UNCLASSIFIED_NAME),
        ("custom_A", UNCLASSIFIED_NAME),
    ] {
        let body = request("", "", "{}").replace("USER_LOGIN", name);
        check(&body, &[("/action", name), ("/source/flags/0", flag)]);
        assert_eq!(
            map(&body).unwrap().flags,
            Vec::from_iter([flag].into_iter().filter(|flag| *flag != "~"))
        );
    }
}

// IC-10
#[test]
fn the_event_stands_in_either_place() {
    let alloy = r#"{"tenantId":"t","event":"DATA_EXPORT","iclFields":{"requestingId":"u"}}"#;
    check(
        alloy,
        &[("/action", "DATA_EXPORT"), ("/source/extra", "~"), ("/source/extra/event", "~")],
    );
    let empty_inside =
        r#"{"tenantId":"t","event":"DATA_EXPORT","iclFields":{"requestingId":"u","event":""}}"#;
    check(empty_inside, &[("/action", "DATA_EXPORT"), ("/source/extra/event", "~")]);
    let both =
        r#"{"tenantId":"t","event":"OUTER","iclFields":{"requestingId":"u","event":"USER_ADD"}}"#;
    check(both, &[("/action", "USER_ADD"), ("/source/extra/event", "OUTER")]);
    check(
        &both.replace("OUTER", "USER_ADD"),
        &[("/action", "USER_ADD"), ("/source/extra/event", "~")],
    );
}

#[test]
fn unknown_members_are_kept_in_the_source() {
    check(
        &request("\"version\":7.0,\"nothing\":null,", "\"new\":{\"a\":1e2},\"none\":null,", "{}"),
        &[
            ("/source/extra/version", "7.0"),
            ("/source/extra/nothing", "~"),
            ("/source/icl_fields/new/a", "1e2"),
            ("/source/icl_fields/none", "~"),
        ],
    );
}

#[test]
fn alloys_default_requester_is_a_program() {
    let body = request("", "", "{}").replace("\"u\"", "\"IronCore Labs Alloy SDK\"");
    check(&body, &[("/actor/type", "service"), ("/actor/id", "IronCore Labs Alloy SDK")]);
}

// IC-11
#[test]
fn what_is_missing_or_empty_is_refused() {
    let good = request("", "", "{}");
    map(&good).unwrap();
    for tenant in ["\"\"", "null", "1", "{}", "[]", "\"_audit\"", "\"a\\u0000\""] {
        check_refused(&good.replace("\"t\"", tenant), "/tenantId");
    }
    check_refused(&good.replace("\"tenantId\":\"t\",", ""), "/tenantId");
    for name in ["\"\"", "null"] {
        check_refused(&good.replace("\"USER_LOGIN\"", name), "/iclFields/event");
        check_refused(
            &good.replace("\"USER_LOGIN\"", &format!("{name},\"x\":1}},\"event\":{{\"a\":\"\"")),
            "/event",
        );
    }
    check_refused(&good.replace("\"USER_LOGIN\"", "7"), "/iclFields/event");
    for requester in ["\"\"", "null", "7", "[\"u\"]"] {
        check_refused(&good.replace("\"u\"", requester), "/iclFields/requestingId");
    }
    check_refused(r#"{"tenantId":"t","event":"A_B"}"#, "/iclFields/requestingId");
    check_refused(r#"{"tenantId":"t","event":"A_B","iclFields":null}"#, "/iclFields/requestingId");
}

// IC-11
#[test]
fn wrong_types_and_broken_json_are_refused() {
    for member in ["dataLabel", "sourceIp", "objectId", "requestId"] {
        for value in ["1", "true", "{}", "[]", "{\"a\":1}", "[\"x\"]"] {
            check_refused(
                &request("", &format!("\"{member}\":{value},"), "{}"),
                &format!("/iclFields/{member}"),
            );
        }
    }
    for time in ["\"1700000000123\"", "true", "{}", "[1]"] {
        check_refused(
            &request(&format!("\"timestampMillis\":{time},"), "", "{}"),
            "/timestampMillis",
        );
    }
    for custom in ["[]", "\"x\"", "1", "false", "[{}]"] {
        check_refused(&request("", "", custom), "/customFields");
    }
    for broken in ["", "null", "[]", "{", "{}x", "{\"tenantId\":\"t\"", "\u{feff}{}"] {
        assert!(matches!(map(broken), Err(Refusal::InvalidBody(_))), "{broken}");
    }
    check_refused(
        &request("", "\"requestId\":\"a\",\"requestId\":\"b\",", "{}"),
        "/iclFields/requestId",
    );
    let deep = format!("{}1{}", "[".repeat(20), "]".repeat(20));
    assert!(map(&request("", "", &format!("{{\"a\":{deep}}}"))).is_err());
    assert!(map(&request("", "", &format!("{{\"a\":\"{}\"}}", "x".repeat(70_000)))).is_err());
    assert!(parse(b"{\"tenantId\":\"\xff\"}", &Limits::default()).is_err());
}

// IC-11
#[test]
fn replies_have_the_protocols_codes_and_words() {
    let invalid = Refusal::from(attestary_event::Violation::new("/x", "null"));
    for (refusal, status, body) in [
        (
            Refusal::Unauthorized,
            401,
            r#"{"code":101,"message":"Request authorization header API key was incorrect."}"#,
        ),
        (invalid, 400, r#"{"code":102,"message":"Request body was invalid."}"#),
        (Refusal::Throttled, 429, r#"{"code":100,"message":"Unknown request error occurred"}"#),
        (
            Refusal::NotDurable,
            503,
            r#"{"code":301,"message":"Tenant Security Proxy could not accept the security event"}"#,
        ),
        (
            Refusal::KeyManagement,
            400,
            r#"{"code":200,"message":"Tenant has no primary KMS configuration."}"#,
        ),
    ] {
        assert_eq!((refusal.status(), refusal.body().as_str()), (status, body));
        assert!(!refusal.body().contains(SUCCESS));
    }
    assert_eq!(
        error_body(100, "slow \"down\" null"),
        r#"{"code":100,"message":"slow \"down\" nil"}"#
    );
    assert_eq!(SUCCESS, "null");
}

// IC-24
#[test]
fn reported_operations_become_counted_events() {
    let report = |operations: &str| {
        let body = format!(
            r#"{{"tenantId":"t","iclFields":{{"requestingId":"u","dataLabel":"PII"}},"customFields":{{"a":"b"}},"operations":{operations}}}"#
        );
        report_operations(body.as_bytes(), &Limits::default())
    };
    let sums = |operations: &str| -> Vec<String> {
        let events = report(operations).unwrap();
        let events = events.iter().map(|mapped| {
            let fields = accept_mapped(mapped).fields;
            assert_eq!(fields.get("/labels/0").unwrap().value, "PII");
            assert_eq!(fields.get("/metadata/a").unwrap().value, "b");
            let text = |pointer: &str| fields.get(pointer).unwrap().value.to_owned();
            format!(
                "{} {} {}",
                text("/action"),
                text("/metadata/attestary_operations"),
                text("/metadata/attestary_keys")
            )
        });
        events.collect()
    };
    let edek = "C".repeat(600);
    assert_eq!(
        sums(&format!(
            r#"{{"{edek}":{{"wraps":1,"unwraps":3}},"x/y~":{{"wraps":2,"unwraps":0}}}}"#
        )),
        ["DATA_ENCRYPT 3 2", "DATA_DECRYPT 3 1"]
    );
    assert_eq!(sums(r#"{"k":{"wraps":0,"unwraps":7},"l":{}}"#), ["DATA_DECRYPT 7 1"]);
    assert!(sums("{}").is_empty());
    assert!(sums("null").is_empty());
    let many: Vec<String> =
        (0..4_000).map(|key| format!("\"{key}\":{{\"wraps\":1,\"unwraps\":1}}")).collect();
    assert_eq!(
        sums(&format!("{{{}}}", many.join(","))),
        ["DATA_ENCRYPT 4000 4000", "DATA_DECRYPT 4000 4000"]
    );
    for wrong in [
        "[]",
        "1",
        r#"{"k":1}"#,
        r#"{"k":{"wraps":-1}}"#,
        r#"{"k":{"wraps":1.5}}"#,
        r#"{"k":{"wraps":"1"}}"#,
    ] {
        assert_eq!(report(wrong).unwrap_err().code(), 102, "{wrong}");
    }
    let reserved = r#"{"tenantId":"t","iclFields":{"requestingId":"u"},"customFields":{"attestary_keys":"1"}}"#;
    assert_eq!(report_operations(reserved.as_bytes(), &Limits::default()).unwrap_err().code(), 102);
}

// IC-25
#[test]
fn the_paths_of_key_management_are_listed_once() {
    let mut paths = Vec::from(KEY_MANAGEMENT_PATHS);
    paths.push(REPORT_OPERATIONS_PATH);
    paths.push(EVENT_PATH);
    assert!(paths.iter().all(|path| path.starts_with("/api/1/")));
    paths.sort_unstable();
    paths.dedup();
    assert_eq!(paths.len(), 9);
}

#[test]
fn source_and_flags_agree() {
    let mapped =
        map(&request("\"timestampMillis\":1e30,", "", "{}").replace("USER_LOGIN", "odd")).unwrap();
    assert_eq!(mapped.flags, [UNCLASSIFIED_NAME, TIME_OUT_OF_RANGE]);
    let fields = Fields::parse(&mapped.json, &Limits::default()).unwrap();
    let flags: Vec<&str> = fields.under("/source/flags").map(|field| field.value).collect();
    assert_eq!(flags, mapped.flags);
}
