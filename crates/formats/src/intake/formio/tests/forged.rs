//! FO-14: lines written by an attempted user name.

use super::*;

const OTHER: &str = "a3245767-dcc5-4ed2-b998-cd36cdbeb9c6";
const THIRD: &str = "23f11fd3-a36e-4ce7-afae-58ab18bc988a";

fn at(time: &str, event: &str, uuid: &str, rest: &str) -> String {
    format!("2024-04-25T{time}Z {event} {uuid} {PROJECT} {rest}\n")
}

/// Checks which events of a log are suspected: one letter each.
#[track_caller]
fn check_suspected(lines: &[String], expected: &str) {
    let letters = read(lines.concat().as_bytes()).into_iter().map(|item| {
        let suspected = item.flags.contains(&SUSPECTED_FORGERY);
        let labels = Fields::parse(&item.json, &Limits::default()).unwrap();
        assert_eq!(
            labels.get("/labels/1").is_some_and(|label| label.value == SUSPECTED_FORGERY),
            suspected
        );
        if suspected { 'S' } else { '.' }
    });
    assert_eq!(letters.collect::<String>(), expected);
}

fn start(uuid: &str) -> String {
    at("10:00:00.000", "REQUEST_START", uuid, "NoSession No User POST /login {}")
}

fn end(uuid: &str) -> String {
    at("10:00:00.300", "REQUEST_END", uuid, "NoSession No User 401 3ms")
}

fn attempt(name: &str) -> String {
    at("10:00:00.100", "EAUTH_NOUSER", UUID, &format!("NoSession NoUser {name}"))
}

fn login(uuid: &str) -> String {
    at("10:00:00.200", "AUTH_LOGIN", uuid, &format!("{SESSION} {USER}"))
}

#[test]
fn a_line_of_a_request_that_never_started_is_suspected() {
    check_suspected(&[start(UUID), attempt("x"), login(OTHER), end(UUID)], "..S.");
    check_suspected(
        &[start(UUID), attempt("x"), login(OTHER), login(THIRD), end(UUID), login(OTHER)],
        "..SS..",
    );
    // A request that seems to start inside of the suspicion proves nothing for its other lines.
    check_suspected(&[start(UUID), attempt("x"), start(OTHER), login(OTHER), end(UUID)], "...S.");
}

#[test]
fn lines_of_open_requests_are_not() {
    check_suspected(&[start(OTHER), start(UUID), attempt("x"), login(OTHER), end(UUID)], ".....");
    check_suspected(&[start(UUID), attempt("x"), end(UUID), login(OTHER)], "....");
    check_suspected(&[start(UUID), attempt("x"), start(OTHER), end(UUID), login(OTHER)], ".....");
}

#[test]
fn a_success_or_another_project_in_the_failed_request_is_suspected() {
    check_suspected(&[attempt("x"), login(UUID)], ".S");
    let elsewhere = end(UUID).replace(PROJECT, A);
    check_suspected(&[attempt("x"), elsewhere, end(UUID)], ".S.");
}

#[test]
fn a_line_from_the_past_is_suspected() {
    let past = at("09:59:59.000", "AUTH_LOGIN", OTHER, &format!("{SESSION} {USER}"));
    check_suspected(&[attempt("x"), past], ".S");
    // Worker processes share a log, and their clocks are not one.
    let slightly = at("09:59:59.500", "AUTH_LOGIN", OTHER, &format!("{SESSION} {USER}"));
    check_suspected(&[attempt("x"), slightly], "..");
}

#[test]
fn without_bracketed_requests_only_time_and_uuid_tell() {
    check_suspected(&[attempt("x"), login(OTHER)], "..");
}

#[test]
fn a_name_of_several_lines_is_suspected_itself() {
    check_suspected(&[attempt("x\nsecond line"), end(UUID)], "S.");
    check_suspected(&[start(UUID), attempt("x\nfoo"), login(OTHER), end(UUID)], ".SS.");
    let (item, fields) = read_one(&attempt("x\nsecond line"));
    assert_eq!(item.flags, [CONTINUED, SUSPECTED_FORGERY]);
    assert_eq!(fields.get("/metadata/continuation").unwrap().value, "second line");
    assert_eq!(fields.get("/context/attempted_identity").unwrap().value, "x");
}

// seeds: FO-14
#[test]
fn a_suspected_line_is_kept_with_what_it_claims() {
    let items = read([start(UUID), attempt("x"), login(OTHER)].concat().as_bytes());
    let fields = Fields::parse(&items[2].json, &Limits::default()).unwrap();
    assert_eq!(fields.get("/action").unwrap().value, "AUTH_LOGIN");
    assert_eq!(fields.get("/labels/0").unwrap().value, FLAGGED);
    assert_eq!(items[2].flags, [SUSPECTED_FORGERY]);
    assert_eq!(fields.get("/targets/0/id").unwrap().value, PROJECT);
    assert_eq!(items[1].tenant_hint.as_deref(), Some(PROJECT));
    assert_eq!(items[2].tenant_hint, None, "it does not get to choose a tenant");
}

#[test]
fn the_documented_lines_are_not_suspected() {
    let log: Vec<String> = LOG.split_inclusive('\n').map(str::to_owned).collect();
    check_suspected(&log, &".".repeat(26));
}
