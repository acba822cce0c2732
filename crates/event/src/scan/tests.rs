use proptest::prelude::*;

use super::*;

fn scanned(json: &str) -> Result<Scanned, Violation> {
    scan(json.as_bytes(), &Limits::default())
}

#[track_caller]
fn check(json: &str, fields: &str, compact: &str) {
    let scanned = scanned(json).unwrap();
    let seen: Vec<String> = scanned
        .fields
        .iter()
        .map(|f| format!("{}={}{}", f.pointer, f.kind as u8 as char, f.value))
        .collect();
    assert_eq!(seen.join(" "), fields);
    assert_eq!(String::from_utf8(scanned.compact).unwrap(), compact);
}

#[track_caller]
fn refuse(json: &str, pointer: &str, detail: &str) {
    let violation = scanned(json).unwrap_err();
    assert_eq!((violation.pointer.as_str(), violation.detail.as_str()), (pointer, detail));
}

#[test]
fn objects_flatten_to_sorted_pointers() {
    check("{}", "", "{}");
    check(r#"{"b":1,"a":{"c":true}}"#, "/a/c=t /b=n1", r#"{"b":1,"a":{"c":true}}"#);
    check(
        r#" { "t" : [ 1 , null , {} , [] ] } "#,
        "/t/0=n1 /t/1=z /t/2=o /t/3=a",
        r#"{"t":[1,null,{},[]]}"#,
    );
    check(r#"{"a/b":1,"m~n":2,"":3}"#, "/=n3 /a~1b=n1 /m~0n=n2", r#"{"a/b":1,"m~n":2,"":3}"#);
}

#[test]
fn ten_sorts_before_two() {
    let list: Vec<String> = (0..11).map(|i| i.to_string()).collect();
    let fields = scanned(&format!("{{\"t\":[{}]}}", list.join(","))).unwrap().fields;
    let pointers: Vec<&str> = fields.iter().map(|f| f.pointer).collect();
    assert_eq!(pointers[..4], ["/t/0", "/t/1", "/t/10", "/t/2"]);
}

#[test]
fn number_tokens_are_exact() {
    check(
        r#"{"n":[9007199254740993,1.50,-0,1E+2,9999999007645979999999900764597964]}"#,
        "/n/0=n9007199254740993 /n/1=n1.50 /n/2=n-0 /n/3=n1E+2 /n/4=n9999999007645979999999900764597964",
        r#"{"n":[9007199254740993,1.50,-0,1E+2,9999999007645979999999900764597964]}"#,
    );
    refuse(r#"{"n":01}"#, "", "not valid JSON at byte 6: expected \",\" or \"}\", found '1'");
    refuse(r#"{"n":1.}"#, "/n", "not valid JSON at byte 7: expected a digit, found '}'");
    refuse(r#"{"n":NaN}"#, "/n", "not valid JSON at byte 5: expected a value, found 'N'");
}

#[test]
fn strings_are_unescaped_and_written_minimally() {
    check(
        r#"{"s":"a\/\u0041\n\"\\é\ud83d\ude00"}"#,
        "/s=sa/A\n\"\\é😀",
        "{\"s\":\"a/A\\n\\\"\\\\é😀\"}",
    );
    check(r#"{"s":"\u0000\u001f"}"#, "/s=s\u{0}\u{1f}", r#"{"s":"\u0000\u001f"}"#);
    refuse(
        r#"{"s":"\ud800"}"#,
        "/s",
        "not valid JSON at byte 6: expected a surrogate pair, not a lone surrogate, found '\\\\'",
    );
    refuse(
        "{\"s\":\"a\nb\"}",
        "/s",
        "not valid JSON at byte 7: expected control characters to be escaped, found '\\n'",
    );
    refuse(
        r#"{"s":"\x"}"#,
        "/s",
        "not valid JSON at byte 6: expected an escape such as \\n or \\u0041, found '\\\\'",
    );
    refuse(r#"{"s":"a"#, "/s", "not valid JSON at byte 7: expected a closing quote, found the end");
}

#[test]
fn duplicate_keys_are_refused_at_every_depth_and_spelling() {
    let detail = "the same key stands twice in one object";
    refuse(r#"{"a":1,"a":2}"#, "/a", detail);
    refuse(r#"{"a":1,"\u0061":2}"#, "/a", detail);
    refuse(r#"{"\u0061":1,"a":2}"#, "/a", detail);
    refuse(r#"{"x":{"a":{"y":1},"a":{"z":2}}}"#, "/x/a", detail);
    let many: Vec<String> = (0..100).map(|i| format!("\"k{i}\":{{}}")).collect();
    refuse(&format!("{{{},\"k3\":1}}", many.join(",")), "/k3", detail);
    check(r#"{"a":{"b":1},"b":{"a":1}}"#, "/a/b=n1 /b/a=n1", r#"{"a":{"b":1},"b":{"a":1}}"#);
}

#[test]
fn every_limit_is_named_with_the_value_seen() {
    let limits = Limits::default();
    let deep = format!("{}1{}", "{\"a\":".repeat(17), "}".repeat(17));
    refuse(&deep, &"/a".repeat(16), "nested deeper than 16 levels");
    let deep = format!("{}1{}", "{\"a\":".repeat(16), "}".repeat(16));
    assert!(scanned(&deep).is_ok());
    let wide: Vec<String> = (0..513).map(|i| format!("\"k{i}\":1")).collect();
    refuse(&format!("{{{}}}", wide.join(",")), "/k512", "an event has at most 512 fields");
    let long = format!("{{\"s\":\"{}\"}}", "x".repeat(limits.string_bytes_max + 1));
    refuse(&long, "/s", "a string has at most 32768 bytes; this one has 32769");
    let long = format!("{{\"{}\":1}}", "k".repeat(257));
    refuse(&long, "", "a key has at most 256 bytes; this one has 257");
    let long = format!("{{\"n\":{}}}", "9".repeat(257));
    refuse(&long, "/n", "a number has at most 256 characters; this one has 257");
    let list = format!("{{\"t\":[[{}]]}}", vec!["[]"; 1001].join(","));
    let roomy = Limits { fields_max: 4000, ..limits };
    assert_eq!(
        scan(list.as_bytes(), &roomy).unwrap_err().detail,
        "an array has at most 1000 elements"
    );
    let big = format!("{{\"s\":\"{}\"}}", "x".repeat(70_000));
    refuse(&big, "", "an event has at most 65536 bytes; this one has 70008");
}

#[test]
fn malformed_bytes_are_refused() {
    refuse("", "", "not valid JSON at byte 0: expected a JSON object, found the end");
    refuse("[]", "", "not valid JSON at byte 0: expected a JSON object, found '['");
    refuse("{} {}", "", "not valid JSON at byte 3: expected nothing after the object, found '{'");
    refuse(r#"{"a":1,}"#, "", "not valid JSON at byte 7: expected a key in quotes, found '}'");
    refuse(r#"{"a" 1}"#, "/a", "not valid JSON at byte 5: expected \":\", found '1'");
    refuse(r#"{"a":[1 2]}"#, "/a", "not valid JSON at byte 8: expected \",\" or \"]\", found '2'");
    let violation = scan(b"{\"a\":\"\xff\"}", &Limits::default()).unwrap_err();
    assert_eq!(violation.detail, "not valid UTF-8 at byte 6");
}

#[track_caller]
fn pieces(body: &str, form: BatchForm) -> Result<Vec<String>, BatchError> {
    let limits = Limits { batch_events_max: 3, ..Limits::default() };
    Ok(match split_batch(body.as_bytes(), form, &limits)? {
        Batch::One(event) => vec![format!("one {}", String::from_utf8_lossy(event))],
        Batch::Many(events) => {
            events.iter().map(|e| String::from_utf8_lossy(e).into_owned()).collect()
        }
    })
}

#[test]
fn bodies_are_cut_into_events() {
    use BatchForm::{Json, Ndjson};
    assert_eq!(pieces(r#"{"a":1}"#, Json).unwrap(), ["one {\"a\":1}"]);
    assert_eq!(
        pieces(r#" [ {"a":"]},\""} , {"b":[1,2]} ] "#, Json).unwrap(),
        [r#"{"a":"]},\""}"#, r#"{"b":[1,2]}"#]
    );
    assert_eq!(pieces("{\"a\":1}\n\n{\"b\":2}\r\n", Ndjson).unwrap(), ["{\"a\":1}", "{\"b\":2}\r"]);
    assert_eq!(pieces("[1,{}]", Json).unwrap(), ["1", "{}"]);
    assert_eq!(pieces("[]", Json), Err(BatchError::Empty));
    assert_eq!(pieces(" \n", Ndjson), Err(BatchError::Empty));
    assert_eq!(pieces("[1,2,3,4]", Json), Err(BatchError::TooMany { limit: 3 }));
    assert_eq!(pieces("1\n2\n3\n4", Ndjson), Err(BatchError::TooMany { limit: 3 }));
    assert_eq!(pieces("[{}", Json), Err(BatchError::Syntax { at: 3, expected: "\",\" or \"]\"" }));
    assert_eq!(pieces("[{},]", Json), Err(BatchError::Syntax { at: 4, expected: "an event" }));
    assert_eq!(
        pieces("[{}] x", Json),
        Err(BatchError::Syntax { at: 5, expected: "nothing after the array" })
    );
    assert_eq!(
        pieces("[\"a", Json),
        Err(BatchError::Syntax { at: 3, expected: "a closing quote" })
    );
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    let value = leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            prop::collection::btree_map(any::<String>(), inner, 0..5)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    });
    prop::collection::btree_map(any::<String>(), value, 0..6)
        .prop_map(|map| serde_json::Value::Object(map.into_iter().collect()))
}

proptest! {
    /// Whatever serde_json writes, the scanner reads; the compact form means the same and is a fixed point.
    #[test]
    fn scanning_agrees_with_serde_json(value in json()) {
        let pretty = serde_json::to_vec_pretty(&value).unwrap();
        let first = scan(&pretty, &STORED).unwrap();
        let parsed: serde_json::Value = serde_json::from_slice(&first.compact).unwrap();
        prop_assert_eq!(&parsed, &value);
        let second = scan(&first.compact, &STORED).unwrap();
        prop_assert_eq!(&second.compact, &first.compact);
        prop_assert_eq!(&second.fields, &first.fields);
        for field in first.fields.iter() {
            prop_assert!(value.pointer(field.pointer).is_some());
            prop_assert_eq!(first.fields.get(field.pointer), Some(field));
        }
    }

    #[test]
    fn special_characters_are_found_wherever_they_stand(text in "[ -~é\\x00-\\x1f\u{7f}-\u{ff}]{0,40}", at in 0..45usize) {
        let plain = |byte: &u8| !matches!(byte, b'"' | b'\\' | 0..=0x1f);
        let rest = text.as_bytes().get(at..).unwrap_or_default();
        let expected = rest.iter().position(|byte| !plain(byte)).map_or(text.len(), |offset| at + offset);
        prop_assert_eq!(string::special(text.as_bytes(), at), expected);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let accepted = scan(&bytes, &STORED).is_ok();
        let valid = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&bytes).is_ok();
        prop_assert!(!accepted || valid);
        let _ = split_batch(&bytes, BatchForm::Json, &STORED);
    }
}
