//! Tables of good and bad events, and the property that text and fields of an accepted event say the same.

use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp(1_795_308_919_123);

fn key() -> DigestKey {
    DigestKey::new(&[7; 32])
}

#[track_caller]
fn submit_with(
    json: &str,
    door: Door,
    default_tenant: Option<&TenantId>,
) -> Result<Accepted, Vec<Violation>> {
    let context = Context {
        now: NOW,
        actions: KnownActions::builtin(),
        limits: &Limits::default(),
        default_tenant,
    };
    accept(json.as_bytes(), door, &context, &key())
}

#[track_caller]
fn submit(json: &str) -> Result<Accepted, Vec<Violation>> {
    submit_with(json, Door::Native, None)
}

/// Good: the stored body is exactly `body`, and it flattens to the fields.
#[track_caller]
fn good(json: &str, body: &str) {
    let accepted = submit(json).unwrap_or_else(|violations| panic!("{json}: {violations:?}"));
    assert_eq!(String::from_utf8(accepted.body.clone()).unwrap(), body);
    check_consistent(&accepted);
}

#[track_caller]
fn check_consistent(accepted: &Accepted) {
    let of_body =
        Fields::parse(&accepted.body, &Limits { fields_max: 1000, ..Limits::default() }).unwrap();
    let left: Vec<_> = of_body.iter().collect();
    let right: Vec<_> = accepted.fields.iter().collect();
    assert_eq!(left, right);
    let time = accepted.fields.get("/occurred_at").unwrap();
    assert_eq!(Timestamp::parse(time.value), Some(Timestamp(accepted.occurred_ms)));
    assert_eq!(
        accepted.fields.get("/severity").unwrap().value.parse::<i64>(),
        Ok(i64::from(accepted.severity))
    );
}

/// Bad: exactly these violations, each given as its pointer and a piece of its detail.
#[track_caller]
fn bad(json: &str, expected: &[(&str, &str)]) {
    let violations = submit(json).expect_err(json);
    let pointers: Vec<_> = violations.iter().map(|violation| violation.pointer.as_str()).collect();
    assert_eq!(
        pointers,
        expected.iter().map(|(pointer, _)| *pointer).collect::<Vec<_>>(),
        "{json}: {violations:?}"
    );
    for (violation, (_, piece)) in violations.iter().zip(expected) {
        assert!(violation.detail.contains(piece), "{violation} lacks {piece:?}");
    }
}

/// An event with these members besides tenant, action and actor.
fn with(members: &str) -> String {
    format!(r#"{{"tenant":"acme","action":"user.login","actor":{{"id":"u"}},{members}}}"#)
}

/// One violation by a member of an otherwise good event.
#[track_caller]
fn bad_member(members: &str, pointer: &str, piece: &str) {
    bad(&with(members), &[(pointer, piece)]);
}

/// A member of an otherwise good event that is kept as it is.
#[track_caller]
fn good_member(members: &str) {
    let accepted =
        submit(&with(members)).unwrap_or_else(|violations| panic!("{members}: {violations:?}"));
    let body = String::from_utf8(accepted.body.clone()).unwrap();
    assert!(body.contains(members), "{body} lacks {members}");
    check_consistent(&accepted);
}

const DEFAULTS: &str = r#""category":"authentication","severity":3,"outcome":"success"}"#;
const TIME: &str = r#""occurred_at":"2026-11-22T00:55:19.123Z""#;

#[test]
fn defaults_come_from_the_known_action_and_the_clock() {
    good(
        r#"{"tenant":"acme","action":"user.login","actor":{"type":"user","id":"u"}}"#,
        &format!(r#"{{"action":"user.login","actor":{{"type":"user","id":"u"}},{TIME},{DEFAULTS}"#),
    );
    good(
        r#"{"tenant":"acme","action":"no.such.action","actor":{"type":"user","id":"u"}}"#,
        &format!(
            r#"{{"action":"no.such.action","actor":{{"type":"user","id":"u"}},{TIME},"category":"other","severity":3,"outcome":"unknown"}}"#
        ),
    );
    good(
        r#"{"severity":9,"category":"mine","outcome":"denied","occurred_at":"2026-11-22T01:39:11+01:00","tenant":"acme","action":"user.login","actor":{"type":"user","id":"u"}}"#,
        r#"{"severity":9,"category":"mine","outcome":"denied","occurred_at":"2026-11-22T01:39:11+01:00","action":"user.login","actor":{"type":"user","id":"u"}}"#,
    );
}

#[test]
fn an_explicit_null_is_replaced_by_the_default() {
    good(
        r#"{"id":null,"outcome":null,"tenant":"acme","severity":null,"action":"USER_LOGIN","category":null,"actor":{"id":"u","type":null},"occurred_at":null}"#,
        &format!(
            r#"{{"outcome":"success","severity":3,"action":"USER_LOGIN","category":"authentication","actor":{{"id":"u","type":"user"}},{TIME}}}"#
        ),
    );
    good_member(r#""context":{"ip":null,"http":null},"metadata":null,"labels":null"#);
}

#[test]
fn an_actor_with_an_id_only_is_a_user_and_an_anonymous_one_needs_no_id() {
    good(
        r#" { "actor" : { "id" : "u" } , "action" : "user.login" , "tenant" : "acme" } "#,
        &format!(r#"{{"actor":{{"type":"user","id":"u"}},"action":"user.login",{TIME},{DEFAULTS}"#),
    );
    good(
        r#"{"tenant":"acme","action":"user.login","actor":{"type":"anonymous"}}"#,
        &format!(r#"{{"action":"user.login","actor":{{"type":"anonymous"}},{TIME},{DEFAULTS}"#),
    );
    let needs_id = [("/actor/id", "unless the actor's type is \"anonymous\"")];
    bad(r#"{"tenant":"acme","action":"a","actor":{}}"#, &needs_id);
    bad(r#"{"tenant":"acme","action":"a","actor":{"type":"service","name":"cron"}}"#, &needs_id);
    bad(r#"{"tenant":"acme","action":"a","actor":{"id":null}}"#, &needs_id);
}

#[test]
fn id_and_tenant_leave_the_body_wherever_they_stand() {
    let id = r#""id":"01930b5e-5a53-709e-8f3c-0123456789ab""#;
    let tenant = r#""tenant":"acme""#;
    let rest = r#""action":"user.login","actor":{"type":"user","id":"u"}"#;
    let body = format!(r#"{{{rest},{TIME},{DEFAULTS}"#);
    good(&format!("{{{id},{tenant},{rest}}}"), &body);
    good(&format!("{{{rest},{id},{tenant}}}"), &body);
    good(&format!("{{{tenant},{rest},{id}}}"), &body);
    good(&format!("{{{rest},{tenant}}}"), &body);
}

#[test]
fn what_must_be_given() {
    bad(
        "{}",
        &[("/action", "is required"), ("/actor", "is required"), ("/tenant", "no default tenant")],
    );
    bad(
        r#"{"tenant":null,"action":null,"actor":null}"#,
        &[
            ("/action", "must not be null"),
            ("/actor", "must not be null"),
            ("/tenant", "no default tenant"),
        ],
    );
    bad_member(r#""targets":[{"id":"a"},{"type":"document"}]"#, "/targets/1/id", "is required");
    bad_member(r#""targets":[null]"#, "/targets/0", "must not be null");
    bad_member(r#""impersonator":{"type":"support"}"#, "/impersonator/id", "is required");
    bad_member(r#""changes":[{"old":1}]"#, "/changes/0/field", "is required");
}

#[test]
fn a_default_tenant_stands_in() {
    let tenant = TenantId::parse("umbrella").unwrap();
    let json = r#"{"action":"a","actor":{"id":"u"}}"#;
    assert_eq!(submit_with(json, Door::Native, Some(&tenant)).unwrap().tenant, tenant);
    let named = r#"{"action":"a","actor":{"id":"u"},"tenant":"acme"}"#;
    assert_eq!(submit_with(named, Door::Native, Some(&tenant)).unwrap().tenant.as_str(), "acme");
}

#[test]
fn wrong_types_are_named() {
    bad_member(r#""reason":5"#, "/reason", "must be a string; found the number 5");
    bad_member(r#""reason":["x"]"#, "/reason", "must be a string; found an array");
    bad_member(r#""severity":"high""#, "/severity", "must be a number; found a string of 4 bytes");
    bad_member(
        r#""context":"10.0.0.1""#,
        "/context",
        "must be an object; found a string of 8 bytes",
    );
    bad_member(r#""context":[]"#, "/context", "must be an object; found an array");
    bad_member(r#""targets":{"0":{"id":"x"}}"#, "/targets", "must be an array; found an object");
    bad_member(r#""metadata":[1]"#, "/metadata", "must be an object; found an array");
    bad_member(r#""labels":["a",true]"#, "/labels/1", "must be a string; found the boolean true");
    bad_member(
        r#""changes":[{"field":{}}]"#,
        "/changes/0/field",
        "must be a string; found an object",
    );
    bad(
        r#"{"tenant":7,"action":["a"],"actor":"u"}"#,
        &[
            ("/tenant", "must be a string"),
            ("/action", "must be a string"),
            ("/actor", "must be an object"),
        ],
    );
}

#[test]
fn values_stay_inside_their_limits() {
    let long = |bytes: usize| "x".repeat(bytes);
    good_member(r#""severity":0"#);
    good_member(r#""severity":10"#);
    bad_member(r#""severity":11"#, "/severity", "from 0 to 10; found 11");
    bad_member(r#""severity":-1"#, "/severity", "from 0 to 10; found -1");
    bad_member(r#""severity":5.0"#, "/severity", "whole number");
    bad_member(r#""severity":99999999999999999999"#, "/severity", "found 99999999999999999999");
    bad_member(
        r#""outcome":"ok""#,
        "/outcome",
        r#"one of "success", "failure", "denied", "unknown"; found "ok""#,
    );
    bad_member(r#""id":"42""#, "/id", r#"must be a UUID"#);
    bad_member(r#""id":"01930b5e5a53709e8f3c0123456789ab""#, "/id", "with hyphens");
    bad_member(r#""occurred_at":"2026-11-22T00:39:11""#, "/occurred_at", "with an offset");
    bad_member(
        r#""context":{"http":{"status":99}}"#,
        "/context/http/status",
        "from 100 to 599; found 99",
    );
    bad_member(
        r#""context":{"http":{"duration_ms":-1}}"#,
        "/context/http/duration_ms",
        "must not be negative",
    );
    good_member(r#""context":{"http":{"duration_ms":12.5e0}}"#);
    good_member(&format!(r#""labels":["{}"]"#, long(256)));
    bad_member(
        &format!(r#""labels":["{}"]"#, long(257)),
        "/labels/0",
        "at most 256 bytes; this one has 257",
    );
    bad_member(r#""labels":[""]"#, "/labels/0", "must not be empty");
    // Two bytes of text for each escaped quote and backslash, four for an emoji: the unescaped bytes count.
    good_member(&format!(r#""labels":["{}"]"#, r#"\""#.repeat(256)));
    bad_member(&format!(r#""labels":["{}"]"#, "😀".repeat(65)), "/labels/0", "this one has 260");
    bad(
        &format!(r#"{{"tenant":"{}","action":"a","actor":{{"id":"u"}}}}"#, long(129)),
        &[("/tenant", "at most 128 bytes; this one has 129")],
    );
}

#[test]
fn no_more_of_a_value_is_repeated_than_64_characters() {
    let violations = submit(&with(&format!(r#""outcome":"{}""#, "s".repeat(500)))).unwrap_err();
    assert!(violations[0].detail.contains(&"s".repeat(63)));
    assert!(!violations[0].detail.contains(&"s".repeat(64)));
    let violations =
        submit(&with(r#""actor":"sk_live_secret""#).replacen(r#""actor":{"id":"u"},"#, "", 1))
            .unwrap_err();
    assert!(!violations[0].detail.contains("secret"), "{violations:?}");
}

#[test]
fn unknown_members_are_refused_with_the_nearest_name() {
    bad_member(r#""occurredAt":"x""#, "/occurredAt", "did you mean /occurred_at?");
    bad_member(r#""timestamp":"x""#, "/timestamp", "did you mean /occurred_at?");
    bad_member(r#""user_agent":"x""#, "/user_agent", "did you mean /context/user_agent?");
    bad_member(r#""target":{}"#, "/target", "did you mean /targets?");
    bad_member(r#""colour":"red""#, "/colour", r#"data of your own goes into "metadata""#);
    bad_member(
        r#""context":{"userAgent":"x"}"#,
        "/context/userAgent",
        "did you mean /context/user_agent?",
    );
    bad_member(
        r#""targets":[{"id":"x","nmae":"y"}]"#,
        "/targets/0/nmae",
        "did you mean /targets/*/name?",
    );
    bad_member(r#""a/b~c":1"#, "/a~1b~0c", "is not a member of the event");
    bad_member(r#""tab\tkey":1"#, "/tab\tkey", "is not a member of the event");
    good_member(r#""metadata":{"anything":{"goes":[1,{"x":null}],"}":"{\"["}}"#);
}

#[test]
fn what_the_service_sets_cannot_be_given() {
    for member in ["seq", "received_at", "environment", "leaf_hash", "duplicate"] {
        bad_member(&format!(r#""{member}":1"#), &format!("/{member}"), "is set by the service");
    }
    bad_member(r#""source":{}"#, "/source", "adapters");
    bad(
        r#"{"tenant":"_audit","action":"attestary.view","actor":{"id":"u"}}"#,
        &[("/tenant", "reserved for the service"), ("/action", "reserved for the service")],
    );
    bad(
        r#"{"tenant":"acme","action":"\u0061ttestary.genesis","actor":{"id":"u"}}"#,
        &[("/action", "reserved")],
    );
}

#[test]
fn adapters_may_set_source_and_the_service_its_own_actions() {
    let json = r#"{"tenant":"acme","action":"a","actor":{"id":"u"},"source":{"system":"formio"}}"#;
    let accepted = submit_with(json, Door::Adapter, None).unwrap();
    assert_eq!(accepted.fields.get("/source/system").unwrap().value, "formio");
    let own = r#"{"action":"attestary.view","actor":{"id":"u"}}"#;
    assert!(submit_with(own, Door::Adapter, Some(&TenantId::audit())).is_err());
    let accepted = submit_with(own, Door::Service, Some(&TenantId::audit())).unwrap();
    assert_eq!(accepted.tenant, TenantId::audit());
    assert_eq!(accepted.fields.get("/category").unwrap().value, "service");
}

#[test]
fn every_violation_is_listed_up_to_a_bound() {
    bad(
        r#"{"tenant":"","action":"","actor":{"id":""},"severity":20,"x":1}"#,
        &[
            ("/tenant", "must not be empty"),
            ("/action", "must not be empty"),
            ("/actor/id", "must not be empty"),
            ("/severity", "from 0 to 10"),
            ("/x", "is not a member"),
        ],
    );
    let many: Vec<String> = (0..100).map(|index| format!(r#""unknown_{index}":1"#)).collect();
    assert_eq!(submit(&with(&many.join(","))).unwrap_err().len(), VIOLATIONS_MAX);
}

#[test]
fn bytes_that_do_not_scan_give_one_violation() {
    assert_eq!(submit("[]").unwrap_err().len(), 1);
    assert_eq!(submit(r#"{"tenant":"a","tenant":"b"}"#).unwrap_err().len(), 1);
    assert_eq!(submit("").unwrap_err().len(), 1);
}

#[test]
fn the_digest_tells_repeats_from_other_events() {
    let id = r#""id":"01930b5e-5a53-709e-8f3c-0123456789ab""#;
    let digest = |members: &str| submit(&with(&format!("{id}{members}"))).unwrap().digest;
    let first = digest(r#","metadata":{"a":1,"b":"x"},"reason":"r""#);
    assert_ne!(first, [0; 16]);
    assert_eq!(
        first,
        digest(r#" , "reason":"\u0072", "metadata": {"b":"x", "a":1}"#),
        "order, space and escapes"
    );
    assert_ne!(
        first,
        digest(r#","metadata":{"a":1.0,"b":"x"},"reason":"r""#),
        "another number token"
    );
    assert_ne!(
        first,
        digest(r#","metadata":{"a":1,"b":"x"},"reason":"r","severity":3"#),
        "a default that is stated"
    );
    assert_ne!(digest(r#","labels":["ab","c"]"#), digest(r#","labels":["a","bc"]"#));
    let other_key = DigestKey::new(&[8; 32]);
    let fields = Fields::parse(br#"{"a":1}"#, &Limits::default()).unwrap();
    assert_ne!(other_key.digest(&fields, &mut vec![]), key().digest(&fields, &mut vec![]));
    assert_eq!(submit(&with(r#""reason":"r""#)).unwrap().digest, [0; 16], "no id, no digest");
    assert_eq!(format!("{:?}", key()), "DigestKey(…)");
}

/// Any JSON, small.
fn json_value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("-1.50e+3".to_owned()),
        Just("{}".to_owned()),
        Just("[]".to_owned()),
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::btree_map(any::<String>(), inner, 0..4).prop_map(|members| {
                let members = members
                    .iter()
                    .map(|(k, v)| format!("{} : {v}", serde_json::to_string(k).unwrap()));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }),
        ]
    })
}

/// Some of the members of an event, each good by itself, in any order.
fn members() -> impl Strategy<Value = Vec<String>> {
    let optional = vec![
        r#""id":"01930b5e-5a53-709e-8f3c-0123456789ab""#,
        r#""id":null"#,
        r#""occurred_at":"2020-02-29T23:59:59.5-00:30""#,
        r#""occurred_at":null"#,
        r#""severity":-0"#,
        r#""severity":null"#,
        r#""outcome":"denied""#,
        r#""outcome":null"#,
        r#""category":null"#,
        r#""targets":[{"id":"1"},{"id":"2","metadata":{"0":[]}}]"#,
        r#""context":{}"#,
        r#""labels":["\"","\\"]"#,
    ];
    let actor = prop::sample::select(vec![
        r#""actor":{"id":"u"}"#,
        r#""actor":{"id":"u","type":null}"#,
        r#""actor":{"type":"anonymous","groups":[]}"#,
        r#""actor":{"name":"a-b","id":"u","metadata":{"type":null}}"#,
    ]);
    (prop::sample::subsequence(optional, 0..12), actor, json_value(), json_value())
        .prop_map(|(optional, actor, first, second)| {
            let mut members: Vec<String> = optional.into_iter().map(str::to_owned).collect();
            members.sort_by_key(|member| member.split(':').next().map(str::to_owned));
            members.dedup_by_key(|member| member.split(':').next().map(str::to_owned));
            members.extend([
                actor.to_owned(),
                r#""tenant":"acme""#.to_owned(),
                r#""action":"DATA_EXPORT""#.to_owned(),
            ]);
            members.push(format!(r#""changes":[{{"field":"f","old":{first},"new":{second}}}]"#));
            members.push(format!(r#""metadata":{{"x":{first},"":{second}}}"#));
            members
        })
        .prop_shuffle()
}

proptest! {
    #[test]
    fn flattening_the_body_gives_the_fields(members in members()) {
        let accepted = submit(&format!("{{{}}}", members.join(" , ")));
        let accepted = accepted.map_err(|violations| TestCaseError::fail(format!("{violations:?}")))?;
        check_consistent(&accepted);
        let stored = Fields::of_stored(&accepted.body);
        prop_assert!(stored.get("/id").is_none() && stored.get("/tenant").is_none());
    }

    #[test]
    fn no_input_panics(text in r#"[{}\[\]",:a-z0-9\\ ]{0,80}"#, value in json_value()) {
        let _ = submit(&text);
        for name in ["id", "tenant", "action", "actor", "targets", "context", "labels", "changes", "severity"] {
            let _ = submit(&format!(r#"{{"{name}":{value}}}"#));
        }
    }
}

#[test]
fn buffers_carry_nothing_from_one_event_to_the_next() {
    let context = Context {
        now: NOW,
        actions: KnownActions::builtin(),
        limits: &Limits::default(),
        default_tenant: None,
    };
    let actor = r#""tenant":"t","actor":{"id":"u"}"#;
    let id = r#""id":"01930b5e-5a53-709e-8f3c-0123456789ab""#;
    let events = [
        format!(
            r#"{{ {actor}, "action":"a.b", {id}, "metadata":{{"k\u0041":"v\n","n":[1,[],{{}}]}} }}"#
        ),
        format!(r#"{{{actor},"action":"c.d"}}"#),
        format!(r#"{{{actor},"action":"broken","metadata":{{"x":[1,2"#),
        format!(r#"{{{actor},"action":"e.f","occurred_at":7,"unknown":1}}"#),
        format!(r#"{{{actor},"action":"g.h",{id},"occurred_at":null,"severity":9}}"#),
    ];
    let mut scratch = Scratch::default();
    for event in events.iter().chain(events.iter().rev()) {
        let json = event.as_bytes();
        let alone = accept(json, Door::Native, &context, &key());
        let reused = accept_with(json, Door::Native, &context, &key(), &mut scratch);
        assert_eq!(format!("{:?}", alone.as_ref().err()), format!("{:?}", reused.as_ref().err()));
        let (Ok(alone), Ok(reused)) = (alone, reused) else { continue };
        assert_eq!(alone.fields, reused.fields);
        assert_eq!((alone.body, alone.digest), (reused.body.clone(), reused.digest));
        scratch.recycle(reused);
    }
}
