use super::*;

fn redaction(rules: Vec<Rule>, detection: Detection) -> Redaction {
    Redaction { rules, detection, detectors: vec![] }
}

fn rule(pointers: &[&str], label: Option<&str>, action: Action) -> Rule {
    Rule {
        name: "r".into(),
        pointers: pointers.iter().map(ToString::to_string).collect(),
        label: label.map(str::to_owned),
        action,
    }
}

#[track_caller]
fn check(places: &[&Redaction], body: &str, expected: &str) {
    let fields = Fields::of_stored(body.as_bytes());
    let redacted = apply(places, body.as_bytes(), &fields, &TokenKey::new(&[7; 32]));
    let after = redacted.body.as_deref().unwrap_or(body.as_bytes());
    assert_eq!(std::str::from_utf8(after).unwrap(), expected);
    assert_eq!(redacted.body.is_some(), body != expected, "{body}");
    // Doing it again changes nothing but tokens and masks, which are named by the same rules.
    assert!(redacted.hits.iter().all(|hit| !hit.by.is_empty()));
}

#[test]
fn rules_name_fields_by_pointer_and_the_first_decides() {
    let all = redaction(
        vec![
            rule(&["/actor/email"], None, Action::Mask),
            rule(&["/metadata/*/ssn", "/metadata/gone"], None, Action::Drop),
            rule(&["/context/ip", "/actor"], None, Action::Mask),
        ],
        Detection::Off,
    );
    check(
        &[&all],
        r#"{"action":"a","actor":{"type":"user","id":"u_1","email":"al@example.com"},"context":{"ip":"203.0.113.9"},"metadata":{"a":{"ssn":1,"b":2},"gone":{"x":[1,2]},"n":1.50}}"#,
        r#"{"action":"a","actor":{"type":"user","id":"***","email":"***@example.com"},"context":{"ip":"203.0.113.0"},"metadata":{"a":{"b":2},"n":1.50}}"#,
    );
    check(
        &[&all],
        r#"{"action":"a","actorx":{"email":"x"}}"#,
        r#"{"action":"a","actorx":{"email":"x"}}"#,
    );
    check(
        &[&all],
        r#"{"context":{"ip":"2001:db8:1:2::3"}}"#,
        r#"{"context":{"ip":"2001:db8:1::"}}"#,
    );
}

#[test]
fn tokens_are_the_same_for_the_same_value() {
    let hmac = redaction(vec![rule(&["/metadata"], None, Action::Hmac)], Detection::Off);
    let token = TokenKey::new(&[7; 32]).token("x");
    assert_eq!(token.len(), TOKEN_PREFIX.len() + 32);
    assert_ne!(token, TokenKey::new(&[8; 32]).token("x"));
    let expected = format!(r#"{{"metadata":{{"a":"{token}","b":["{token}"]}}}}"#);
    check(&[&hmac], r#"{"metadata":{"a":"x","b":["x"],"t":true,"e":{}}}"#, &expected);
}

#[test]
fn labels_limit_a_rule_to_events_that_carry_them() {
    let labelled = redaction(vec![rule(&[], Some("pii"), Action::Drop)], Detection::Off);
    check(
        &[&labelled],
        r#"{"action":"a","actor":{"type":"user","id":"u"},"labels":["x","pii"],"metadata":{"k":"v"},"severity":3}"#,
        r#"{"action":"a","actor":{"type":"user"},"labels":["x","pii"],"severity":3}"#,
    );
    let body = r#"{"action":"a","actor":{"id":"u"},"labels":["pi"]}"#;
    check(&[&labelled], body, body);
}

#[test]
fn what_an_event_is_made_of_stays() {
    for pointer in FIXED {
        assert!(is_fixed(pointer));
    }
    assert!(is_fixed("/labels/0") && !is_fixed("/labelsx") && !is_fixed("/actor/id"));
    let all = redaction(vec![rule(&["/action", "/labels"], None, Action::Drop)], Detection::Off);
    let body = r#"{"action":"a","labels":["x"]}"#;
    check(&[&all], body, body);
}

#[test]
fn both_places_count_and_the_foreign_form_goes() {
    let environment = redaction(vec![rule(&["/metadata/a"], None, Action::Drop)], Detection::Off);
    let tenant = redaction(vec![rule(&["/metadata"], None, Action::Mask)], Detection::Off);
    check(
        &[&environment, &tenant],
        r#"{"metadata":{"a":"x","b":"y"},"source":{"raw":{"a":"x"}}}"#,
        r#"{"metadata":{"b":"***"}}"#,
    );
    let body = r#"{"actor":{"id":"x"},"source":{"raw":{"a":"x"}}}"#;
    check(&[&environment, &tenant], body, body);
}

#[test]
fn secrets_are_found_in_strings_that_no_rule_names() {
    let mask = redaction(vec![], Detection::Mask);
    check(
        &[&mask],
        r#"{"description":"card 4111 1111 1111 1111 declined","metadata":{"n":4111111111111111}}"#,
        r#"{"description":"card [card] declined","metadata":{"n":4111111111111111}}"#,
    );
    let report = redaction(vec![], Detection::Report);
    let body = r#"{"description":"key AKIAIOSFODNN7EXAMPLE"}"#;
    check(&[&report], body, body);
    let fields = Fields::of_stored(body.as_bytes());
    let found = apply(&[&report], body.as_bytes(), &fields, &TokenKey::new(&[7; 32]));
    let hit = Hit { pointer: "/description".into(), by: "aws_key".into(), redacted: false };
    assert_eq!(found.hits, [hit]);
}

#[test]
fn every_detector_finds_its_own_and_leaves_the_rest() {
    let check = |text: &str, expected: &str| {
        assert_eq!(detect::replace(text, &detect::find(text, &[])), expected, "{text}");
    };
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
    check(&format!("token={jwt}."), "token=[jwt].");
    check(&format!("Bearer {jwt}"), "Bearer [jwt]");
    check("key AKIAIOSFODNN7EXAMPLE, gone", "key [aws_key], gone");
    check("xAKIAIOSFODNN7EXAMPLE", "xAKIAIOSFODNN7EXAMPLE");
    check(&format!("ghp_{}", "a1".repeat(18)), "[git_token]");
    check("ghp_short", "ghp_short");
    check(&format!("xoxb-{}", "1234567890-".repeat(2)), "[slack_token]-");
    check(&format!("sk_live_{}", "a1b2c3d4e5f6g7h8"), "[payment_key]");
    check(&format!("AIza{}", "x".repeat(35)), "[google_key]");
    check(&format!("sk-ant-{}", "x1-".repeat(10)), "[model_key]-");
    check(&format!("with atsk1{} inside", "a1B".repeat(25)), "with [attestary_key] inside");
    check("-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----x", "[private_key]x");
    check("-----BEGIN PRIVATE KEY-----\nMII", "[private_key]");
    check("-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE-----");
    check("Authorization: Basic dXNlcjpwYXNzd29yZA==", "Authorization: Basic [authorization]");
    check("basic understanding-of-things", "basic understanding-of-things");
    check("postgres://app:s3cret@db/x", "postgres://app:[url_password]@db/x");
    check("https://example.com/a:b@c", "https://example.com/a:b@c");
    check("4111-1111-1111-1111", "[card]");
    check("4111-1111-1111-1112", "4111-1111-1111-1112");
    check("378282246310005 5555555555554444", "[card] [card]");
    check("2026 4111 1111 1111 1111 7", "2026 [card] 7");
    check("4111/1111/1111/1111", "4111/1111/1111/1111");
    check("5555555555554444 and 30569309025904", "[card] and [card]");
    check("0000000000000000", "0000000000000000");
    check("order 41111111111111111111111", "order 41111111111111111111111");
    check("id-4111111111111111x", "id-4111111111111111x");
    check("1.4111111111111111", "1.4111111111111111");
    check("ключ 4111111111111111 €", "ключ [card] €");
    check("", "");
}

#[test]
fn detectors_have_names() {
    for detector in Detector::ALL {
        assert_eq!(Detector::named(detector.name()), Some(detector));
    }
    assert_eq!(Detector::named("x"), None);
}

proptest::proptest! {
    #[test]
    fn finds_are_apart_and_on_boundaries(text in "(\\PC|[0-9 -]|AKIA|eyJ|://|@|:|Bearer |-----BEGIN ){0,60}") {
        let finds = detect::find(&text, &[]);
        let mut end = 0;
        for find in &finds {
            assert!(find.range.start >= end && find.range.end <= text.len());
            end = find.range.end;
        }
        detect::replace(&text, &finds);
    }
}
