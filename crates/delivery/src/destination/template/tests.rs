use super::*;

#[track_caller]
fn check(how: Escape, text: &str, expected: &str) {
    let mut out = Vec::new();
    escape(how, text, &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), expected, "{text:?}");
}

#[test]
fn values_cannot_leave_their_place() {
    check(Escape::Json, "a\"b\\\n{{event}}", r#"a\"b\\\n{{event}}"#);
    check(
        Escape::Xml,
        "<a b='c'>&\"\n\u{0}]]>",
        "&lt;a b=&#39;c&#39;&gt;&amp;&quot;&#10;\u{fffd}]]&gt;",
    );
    check(Escape::Form, "a&b=c d+é\n", "a%26b%3Dc+d%2B%C3%A9%0A");
    check(Escape::Line, "a\r\nb\u{2028}c\u{0}d\u{85}e", "a  b c d e");
}

#[test]
fn what_an_event_says_is_never_a_template() {
    let mut out = Vec::new();
    fill("<{{a}}|{{b}}>", &mut out, |name, out| {
        out.extend_from_slice(if name == "a" { b"{{b}}" } else { b"B" });
    });
    assert_eq!(out, b"<{{b}}|B>");
}

#[test]
fn a_template_must_make_json_when_it_says_so() {
    #[track_caller]
    fn check(record: &str, escape: Escape, expected: bool) {
        let body = Body { record: record.to_owned(), escape, ..Body::default() };
        assert_eq!(body.problems().is_empty(), expected, "{record}");
    }
    check("{{event}}", Escape::Json, true);
    check(r#"{"a":"{{/x}}","n":{{seq}}}"#, Escape::Json, true);
    check(r#"{"a":{{/x}}}"#, Escape::Json, false);
    check(r#"{"a":"{{/x}}"#, Escape::Json, false);
    check("<a>{{/x}}</a>", Escape::Xml, true);
}
