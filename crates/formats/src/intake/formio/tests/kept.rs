//! FO-14: text that is no audit line, and everything past a limit.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn check_kept(log: &[u8], expected: &[&str]) {
    let items = read(log);
    let kept: Vec<String> = items
        .iter()
        .map(|item| {
            accepted(item);
            let fields = Fields::parse(&item.json, &Limits::default()).unwrap();
            assert_eq!(fields.get("/action").unwrap().value == UNPARSED, !item.parsed);
            assert_eq!(
                fields.get("/labels/0").is_some_and(|label| label.value == FLAGGED),
                !item.flags.is_empty()
            );
            if item.parsed { fields.get("/action").unwrap().value.to_owned() } else { raw(&fields) }
        })
        .collect();
    assert_eq!(kept, expected);
}

#[test]
fn text_before_the_first_event_is_kept_line_by_line() {
    let login = line("AUTH_LOGIN", "NoProject NoSession NoUser");
    check_kept(
        format!("server up\n\n  listening\n{login}\n").as_bytes(),
        &["server up", "  listening", "AUTH_LOGIN"],
    );
    check_kept(b"", &[]);
    check_kept(b"\n \n\r\n", &[]);
}

#[test]
fn lines_that_only_begin_like_events_are_kept() {
    for text in [
        line("AUTH_LOGIN", ""),
        line("AUTH_LOGIN", "NoProject NoSession"),
        line("AUTH_LOGIN", "NoProject  NoUser"),
        line("AUTHLOGIN", "NoProject NoSession NoUser"),
        line("AUTH__LOGIN", "NoProject NoSession NoUser"),
        line("AUTH_LOGIN", "NoProject NoSession NoUser").replace("04-25", "13-25"),
        line("AUTH_LOGIN", "NoProject NoSession NoUser").replace("14:50", "14.50"),
    ] {
        check_kept(text.as_bytes(), &[&text]);
    }
}

#[test]
fn kept_text_has_the_time_docker_read_it() {
    let (_, fields) = read_one(
        r#"{"log":"server up\n","stream":"stderr","time":"2024-04-25T14:50:03.987654321Z"}"#,
    );
    assert_eq!(fields.get("/occurred_at").unwrap().value, "2024-04-25T14:50:03.987Z");
    assert_eq!(fields.get("/metadata/raw").unwrap().value, "server up");
    assert_eq!(fields.get("/source/flags/0").unwrap().value, UNPARSED_TEXT);
    assert!(
        read_one("server up").1.get("/occurred_at").is_none(),
        "else it is the time of receipt"
    );
}

#[test]
fn json_that_is_no_wrapper_is_text() {
    for text in ["{\"msg\":\"x\"}", "{\"log\":1}", "{\"log\":\"a\",\"log\":\"b\"}", "{broken}"] {
        check_kept(text.as_bytes(), &[text]);
    }
}

#[test]
fn the_last_part_of_a_split_line_may_be_missing() {
    let login = line("AUTH_LOGIN", "NoProject NoSession NoUser");
    let log = format!("{login}\n{{\"log\":\"server\"}}");
    check_kept(log.as_bytes(), &["AUTH_LOGIN"]);
    let log = format!("{{\"log\":\"{login}\"}}\n");
    check_kept(log.as_bytes(), &["AUTH_LOGIN"]);
    let log = format!("server\n{{\"log\":\"{login}\"}}\n");
    check_kept(log.as_bytes(), &["server", "AUTH_LOGIN"]);
}

#[test]
fn a_continuation_has_limits_and_the_rest_is_kept() {
    let token = line("EAUTH_TOKENBAD", "NoProject NoSession NoUser Error: x");
    let log = format!("{token}\n{}", "  at f\n".repeat(CONTINUATION_LINES_MAX + 2));
    check_kept(log.as_bytes(), &["EAUTH_TOKENBAD", "  at f", "  at f"]);
    let long = "y".repeat(CONTINUATION_BYTES_MAX);
    check_kept(format!("{token}\n{long}\n").as_bytes(), &["EAUTH_TOKENBAD", &long]);
}

#[test]
fn a_long_line_is_cut_and_says_so() {
    let name = "n".repeat(2 * LINE_BYTES_MAX);
    let (item, fields) =
        read_one(&line("EAUTH_NOUSER", &format!("NoProject NoSession NoUser {name}")));
    assert_eq!(item.flags, [TRUNCATED]);
    assert_eq!(fields.get("/context/attempted_identity").unwrap().value, &name[..1024]);
    assert_eq!(fields.get("/source/raw_bytes").unwrap().value, LINE_BYTES_MAX.to_string());
    assert_eq!(raw(&fields).len(), 32 * 1024);
    // Every byte needs an escape of six.
    let (item, fields) = read_one(&line(
        "EAUTH_NOUSER",
        &format!("NoProject NoSession NoUser {}", "\x01".repeat(30_000)),
    ));
    assert_eq!(item.flags, [TRUNCATED]);
    assert!(raw(&fields).len() > 8_000);
}

#[test]
fn bytes_that_are_no_text_are_kept_in_hexadecimal() {
    let mut log = line("EAUTH_NOUSER", "NoProject NoSession NoUser caf").into_bytes();
    log.push(0xe9);
    let items = read(&log);
    assert_eq!(items[0].flags, [INVALID_UTF8]);
    assert_eq!(items[0].raw, log);
    let fields = Fields::parse(&items[0].json, &Limits::default()).unwrap();
    assert_eq!(fields.get("/context/attempted_identity").unwrap().value, "caf\u{fffd}");
    assert!(fields.get("/source/raw_hex").unwrap().value.ends_with("20636166e9"));
    check_kept(b"\xff\xfe", &["\u{fffd}\u{fffd}"]);
}

#[test]
fn an_event_followed_by_other_output_is_flagged() {
    let log = line("AUTH_LOGIN", "NoProject NoSession NoUser") + "\nserver says hello\n";
    let (item, fields) = read_one(&log);
    assert_eq!(item.flags, [CONTINUED]);
    assert_eq!(fields.get("/metadata/continuation").unwrap().value, "server says hello");
}

/// Pieces that audit lines are made of, and what breaks them.
fn piece() -> impl Strategy<Value = String> {
    let tokens = [
        "2024-04-25T14:50:03.172Z ",
        "EAUTH_PASSWORD ",
        "REQUEST_START ",
        "EAUTH_BCRYPT ",
        "SUBMISSION_READ ",
        "27759aa2-085b-4719-9193-5bad3fad74a2 ",
        "NoProject ",
        "No User ",
        "new ObjectId(\"659d83632824949f20a88389\") ",
        "659d83632824949f20a882e1 ",
        "new ObjectId(",
        "{\"a\":\"b\"} ",
        "{ ",
        "} ",
        "200 167ms",
        "GET / ",
        "Error: x",
        "\n",
        "\x1b[33m",
        "'",
        "\"",
        "\u{2028}",
        "{\"log\":\"",
        "\"}\n",
        "\0",
    ];
    prop_oneof![4 => proptest::sample::select(tokens.to_vec()).prop_map(str::to_owned), 1 => "\\PC{0,8}"]
}

proptest! {
    #[test]
    fn nothing_is_lost_and_every_item_fits(pieces in proptest::collection::vec(piece(), 0..60)) {
        let log = pieces.concat();
        let items = read(log.as_bytes());
        for item in &items {
            prop_assert!(item.json.len() <= 63 * 1024);
            accepted(item);
        }
        // Unwrapping and blank lines aside, the items' text is the log.
        if !log.contains("{\"log\"") {
            let squeeze = |text: &[u8]| -> Vec<u8> {
                String::from_utf8_lossy(text).split(['\n', '\r']).filter(|line| !line.as_bytes().trim_ascii().is_empty())
                    .collect::<Vec<_>>().join("\n").into_bytes()
            };
            let kept: Vec<u8> = items.iter().map(|item| item.raw.clone()).collect::<Vec<_>>().join(&b'\n');
            let (kept, log) = (squeeze(&kept), squeeze(log.as_bytes()));
            prop_assert_eq!(String::from_utf8_lossy(&kept), String::from_utf8_lossy(&log));
        }
    }
}
