use super::*;

#[track_caller]
fn check(status: u16, expected: &str) {
    let verdict = judge_http(&Response { status, ..Response::default() });
    assert_eq!(verdict.name(), expected, "{status}");
    assert_eq!(verdict.reason().is_none(), expected == "delivered");
}

#[test]
fn every_success_confirms() {
    (200..300).for_each(|status| check(status, "delivered"));
}

#[test]
fn overload_and_outage_are_tried_again() {
    [408, 425, 429, 500, 502, 503, 504, 507, 529, 599]
        .into_iter()
        .for_each(|status| check(status, "retry"));
}

#[test]
fn a_refused_event_is_looked_for() {
    [400, 422].into_iter().for_each(|status| check(status, "reject"));
}

#[test]
fn configuration_errors_pause_and_drop_nothing() {
    [401, 403, 404, 407].into_iter().for_each(|status| check(status, "pause"));
    [300, 301, 302, 303, 307, 308].into_iter().for_each(|status| check(status, "pause"));
    [0, 100, 101, 402, 409, 418, 451, 600, 999]
        .into_iter()
        .for_each(|status| check(status, "pause"));
}

#[test]
fn a_receiver_that_knows_no_post_pauses() {
    [405, 501].into_iter().for_each(|status| check(status, "pause"));
}

#[test]
fn gone_disables_and_too_large_splits() {
    check(410, "disable");
    check(413, "split");
}

#[test]
fn only_throttling_and_outage_carry_a_delay() {
    #[track_caller]
    fn check(status: u16, expected: bool) {
        let verdict = judge_http(&Response {
            status,
            retry_after: Some("7".to_owned()),
            ..Response::default()
        });
        let seven = Some(RetryAfter::Delay(Duration::from_secs(7)));
        assert_eq!(
            matches!(verdict, Verdict::Retry { after, .. } if after == seven),
            expected,
            "{status}"
        );
    }
    check(429, true);
    check(503, true);
    check(401, false);
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    #[track_caller]
    fn check(text: &str, expected: Option<u64>) {
        let now = Timestamp(784_111_770_000); // Sun, 06 Nov 1994 08:49:30 GMT
        assert_eq!(
            RetryAfter::parse(text).map(|after| after.delay(now).as_secs()),
            expected,
            "{text}"
        );
    }
    check("120", Some(120));
    check(" 0 ", Some(0));
    check("Sun, 06 Nov 1994 08:49:37 GMT", Some(7));
    check("Sun, 06 Nov 1994 08:49:00 GMT", Some(0));
    check("99999999999999999999999999", None);
    check("-5", None);
    check("1.5", None);
    check("soon", None);
    check("", None);
}

#[test]
fn a_certificate_error_pauses_and_a_broken_connection_does_not() {
    #[track_caller]
    fn check(cause: Cause, expected: &str) {
        assert_eq!(judge_failure(&Failure::new(cause, "")).name(), expected, "{cause:?}");
    }
    check(Cause::CertificateExpired, "pause");
    check(Cause::CertificateName, "pause");
    check(Cause::CertificateUnknownAuthority, "pause");
    check(Cause::Certificate, "pause");
    check(Cause::Blocked, "pause");
    check(Cause::Configuration, "pause");
    check(Cause::Tls, "retry");
    check(Cause::Resolve, "retry");
    check(Cause::Connect, "retry");
    check(Cause::Broken, "retry");
    check(Cause::Timeout, "retry");
    check(Cause::Protocol, "retry");
    check(Cause::Storage, "retry");
}
