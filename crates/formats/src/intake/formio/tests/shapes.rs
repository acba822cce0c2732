//! FO-04 to FO-08 and FO-10 to FO-13: the columns after the user, by shape.

use super::*;

const ANONYMOUS: &str = "/actor/type=anonymous";

// seeds: FO-12
// FO-12
#[test]
fn a_project_read_without_a_project_is_of_a_stage() {
    let user = format!("NoProject {SESSION} {USER} {A}");
    let stage = format!("/targets/0/id={A}");
    let (actor, session) = (format!("/actor/id={USER}"), format!("/context/session_id={SESSION}"));
    check(
        &line("PROJECT_READ", &user),
        &[&actor, "/actor/type=user", &session, &stage, "/targets/0/type=stage"],
    );
    let project = format!("{PROJECT} {SESSION} {USER} {PROJECT}");
    let target = format!("/targets/0/id={PROJECT}");
    check(
        &line("PROJECT_READ", &project),
        &[&actor, "/actor/type=user", &session, &target, "/targets/0/type=project"],
    );
    check(
        &line("PROJECT_CREATE", &user),
        &[&actor, "/actor/type=user", &session, &stage, "/targets/0/type=project"],
    );
    // A project and another id: both are targets, the line's own project last.
    let other = format!("/targets/1/id={PROJECT}");
    check(
        &line("PROJECT_UPDATE", &format!("{PROJECT} NoSession NoUser {A}")),
        &[ANONYMOUS, &stage, "/targets/0/type=project", &other, "/targets/1/type=project"],
    );
}

// seeds: FO-05
// FO-05
#[test]
fn a_wrong_password_has_three_shapes() {
    let attempted = "/context/attempted_identity=a b@example.com";
    let user = format!("/targets/0/id={USER}");
    let expected: &[&str] = &[ANONYMOUS, attempted, &user, "/targets/0/type=user"];
    for extra in [
        format!("new ObjectId(\"{USER}\") a b@example.com"),
        format!("{USER} a b@example.com"),
        // Older cores print the name first.
        format!("a b@example.com {USER}"),
        format!("a b@example.com new ObjectId('{USER}')"),
    ] {
        check(&line("EAUTH_PASSWORD", &format!("NoProject NoSession NoUser {extra}")), expected);
    }
    check(
        &line("EAUTH_PASSWORD", "NoProject NoSession NoUser a b@example.com"),
        &[ANONYMOUS, attempted],
    );
    // A name that looks like an id is a name when nothing follows it.
    let id = format!("/context/attempted_identity={A}");
    check(&line("EAUTH_PASSWORD", &format!("NoProject NoSession NoUser {A}")), &[ANONYMOUS, &id]);
}

// seeds: FO-04 FO-07
// FO-04, FO-07, FO-10
#[test]
fn attempted_names_are_kept_whole_and_are_never_the_actor() {
    for event in
        ["EAUTH_NOUSER", "EAUTH_LOGINCOUNT", "EAUTH_AUTHCONFIG", "EAUTH_EMPTYPW", "EAUTH_BLANKPW"]
    {
        for name in [
            "eve@example.com",
            "two words",
            "x  y ",
            "{}",
            "No User",
            "new ObjectId(\"",
            A,
            "undefined",
        ] {
            let attempted = format!("/context/attempted_identity={name}");
            check(
                &line(event, &format!("NoProject NoSession NoUser {name}")),
                &[ANONYMOUS, &attempted],
            );
        }
        check(&line(event, "NoProject NoSession NoUser "), &[ANONYMOUS]);
        check(&line(event, "NoProject NoSession No User"), &[ANONYMOUS]);
    }
}

// seeds: FO-10
// FO-10
#[test]
fn the_extra_core_events_are_read() {
    let anonymous = |rest: &str| format!("NoProject NoSession NoUser{rest}");
    for event in ["EAUTH_EMPTYUN", "AUTH_APIKEY", "AUTH_ANONYMOUS"] {
        check(&line(event, &anonymous("")), &[ANONYMOUS]);
    }
    check(
        &line("EAUTH_BCRYPT", &anonymous(" bob smith Error: data and hash arguments required")),
        &[
            ANONYMOUS,
            "/context/attempted_identity=bob smith",
            "/reason=Error: data and hash arguments required",
        ],
    );
    check(
        &line("EAUTH_BCRYPT", &anonymous(" TypeError: no")),
        &[ANONYMOUS, "/reason=TypeError: no"],
    );
    check(
        &line("EAUTH_BCRYPT", &anonymous(" bob")),
        &[ANONYMOUS, "/context/attempted_identity=bob"],
    );
    let form = format!("/targets/0/id={A}");
    let form = [form.as_str(), "/targets/0/type=form"];
    let message = "{ message: 'User form not found' }";
    let reason = format!("/reason={message}");
    check(
        &line("EAUTH_USERFORM", &anonymous(&format!(" {A} {message}"))),
        &[ANONYMOUS, &reason, form[0], form[1]],
    );
    check(
        &line("EAUTH_TOKENBAD", &anonymous(" JsonWebTokenError: bad")),
        &[ANONYMOUS, "/reason=JsonWebTokenError: bad"],
    );
    let user = format!("/targets/0/id={USER}");
    check(
        &line("AUTH_TOKENREFRESH", &anonymous(&format!(" {USER} 240"))),
        &[ANONYMOUS, "/metadata/seconds=240", &user, "/targets/0/type=user"],
    );
}

#[test]
fn an_error_of_several_lines_is_one_value() {
    let log = line(
        "EAUTH_TOKENEXPIRED",
        "NoProject NoSession NoUser TokenExpiredError: jwt expired",
    ) + "\n    at /app/verify.js:190:21\n\n    at done (/app/verify.js:97:14) {\n  expiredAt: 2024-04-25T14:00:00.000Z\n}\n\n\n";
    check(
        &log,
        &[
            ANONYMOUS,
            "/metadata/error=TokenExpiredError: jwt expired\n    at /app/verify.js:190:21\n\n    at done (/app/verify.js:97:14) {\n  expiredAt: 2024-04-25T14:00:00.000Z\n}",
            "/reason=TokenExpiredError: jwt expired",
        ],
    );
    let (item, fields) = read_one(&log);
    assert!(item.flags.is_empty());
    assert_eq!(raw(&fields), log.trim_end());
    assert_eq!(item.raw, log.trim_end().as_bytes());
}

// seeds: FO-08
// FO-08
#[test]
fn requests_have_method_path_query_status_and_duration() {
    let start = |rest: &str| line("REQUEST_START", &format!("NoProject NoSession No User {rest}"));
    let (method, url) = ("/context/http/method=GET", "/context/http/url=/project");
    check(&start("GET /project {}"), &[ANONYMOUS, method, url]);
    check(&start("GET /project"), &[ANONYMOUS, method, url]);
    check(&start("GET /project undefined"), &[ANONYMOUS, method, url]);
    check(
        &start(r#"GET /project {"a b": "c } d", "limit":1e2,"deep":{"x":[1]}}"#),
        &[
            ANONYMOUS,
            method,
            url,
            "/metadata/query/a b=c } d",
            "/metadata/query/deep/x/0=1",
            "/metadata/query/limit=1e2",
        ],
    );
    check(
        &start("GET /project { live: '1' }"),
        &[ANONYMOUS, method, url, "/metadata/query_text={ live: '1' }"],
    );
    let end = |rest: &str| line("REQUEST_END", &format!("NoProject NoSession No User {rest}"));
    check(
        &end("200 167ms"),
        &[ANONYMOUS, "/context/http/duration_ms=167", "/context/http/status=200"],
    );
    check(
        &end("503 0.25ms"),
        &[ANONYMOUS, "/context/http/duration_ms=0.25", "/context/http/status=503"],
    );
    check(&end("404"), &[ANONYMOUS, "/context/http/status=404"]);
}

// FO-02
#[test]
fn missing_values_are_absent() {
    for (project, session, user) in [
        ("NoProject", "NoSession", "NoUser"),
        ("No Project", "No Session", "No User"),
        ("undefined", "undefined", "undefined"),
        ("null", "null", "null"),
    ] {
        check(&line("AUTH_LOGIN", &format!("{project} {session} {user}")), &[ANONYMOUS]);
    }
    let project = format!("/targets/0/id={PROJECT}");
    let actor = format!("/actor/id={USER}");
    check(
        &line("AUTH_LOGIN", &format!("{PROJECT} undefined new ObjectId('{USER}')")),
        &[&actor, "/actor/type=user", &project, "/targets/0/type=project"],
    );
}

// seeds: FO-14
// FO-11, FO-13, FO-14
#[test]
fn names_that_are_not_documented_are_accepted() {
    let (a, b) = (format!("/targets/0/id={A}"), format!("/targets/1/id={B}"));
    check(
        &line("SUBMISSION_DELETE", &format!("NoProject NoSession NoUser {A} {B}")),
        &[ANONYMOUS, &a, "/targets/0/type=submission", &b, "/targets/1/type=form"],
    );
    check(
        &line("TAG_MOVED_AWAY", &format!("NoProject NoSession NoUser {A} {B} to the bin")),
        &[
            ANONYMOUS,
            "/metadata/columns=to the bin",
            &a,
            "/targets/0/type=tag_moved",
            &b,
            "/targets/1/type=object",
        ],
    );
    check(
        &line("TAG_FAILED", "NoProject NoSession NoUser RangeError: too far"),
        &[ANONYMOUS, "/reason=RangeError: too far"],
    );
}

#[test]
fn columns_that_do_not_fit_are_kept_and_flagged() {
    let flagged = ["/labels/0=flagged", "/source/flags/0=unexpected-columns"];
    let (a, b) = (format!("/targets/0/id={A}"), format!("/metadata/columns={B} x"));
    check(
        &line("FORM_READ", &format!("NoProject NoSession NoUser {A} {B} x")),
        &[ANONYMOUS, flagged[0], &b, flagged[1], &a, "/targets/0/type=form"],
    );
    check(
        &line("REQUEST_END", "NoProject NoSession NoUser 99 fast"),
        &[ANONYMOUS, flagged[0], "/metadata/columns=99 fast", flagged[1]],
    );
    check(
        &line("REQUEST_START", "NoProject NoSession NoUser get / {}"),
        &[ANONYMOUS, flagged[0], "/metadata/columns=get / {}", flagged[1]],
    );
    let odd = line("AUTH_LOGIN", "some-project NoSession root");
    check(
        &odd,
        &[
            "/actor/id=root",
            "/actor/type=user",
            flagged[0],
            flagged[1],
            "/targets/0/id=some-project",
            "/targets/0/type=project",
        ],
    );
    assert_eq!(read_one(&odd).0.tenant_hint, None, "only an id names a tenant");
}
