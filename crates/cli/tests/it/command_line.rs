//! The command line's own contract: exit codes, where text goes, what errors say.

use std::process::Output;

use crate::process::{Server, attestary, run};

#[track_caller]
fn check(output: &Output, code: i32, stdout: &str, stderr: &str) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}{err}");
    assert!(out.contains(stdout), "{out}");
    assert!(err.contains(stderr), "{err}");
}

#[test]
fn wrong_usage_ends_with_2() {
    check(&run(&["frobnicate"]), 2, "", "unrecognized subcommand");
    check(&run(&["import", "formio", "x.log"]), 2, "", "--tenant");
    let nowhere = tempfile::tempdir().unwrap();
    let data = nowhere.path().to_str().unwrap();
    check(&run(&["query", "--data", data]), 2, "", "next: start one with `attestary dev`");
    check(
        &run(&["tenants", "delete", "t", "--url", "http://127.0.0.1:9", "--key", "k"]),
        2,
        "",
        "--yes",
    );
}

#[test]
fn a_server_that_is_not_there_ends_with_3() {
    check(
        &run(&["query", "--tenant", "t", "--url", "http://127.0.0.1:9", "--key", "k"]),
        3,
        "",
        "does not answer",
    );
}

#[test]
fn configuration_mistakes_name_file_line_and_nearest_key() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.toml");
    std::fs::write(&path, "# a comment\n[http]\nlisen = \"127.0.0.1:1\"\n").unwrap();
    let path = path.to_str().unwrap();
    check(
        &run(&["config", "check", "--config", path]),
        2,
        "",
        &format!("{path}:3: there is no setting http.lisen; did you mean \"listen\"?"),
    );
    check(&run(&["config", "check"]), 0, "", "valid");
    let wrong = attestary()
        .args(["config", "check"])
        .env("ATTESTARY__HTTP__CONNECTIONS_MAX", "many")
        .output()
        .unwrap();
    check(
        &wrong,
        2,
        "",
        "ATTESTARY__HTTP__CONNECTIONS_MAX: http.connections_max must be of type integer",
    );
    check(&run(&["config", "print"]), 0, "data_dir = \"attestary-data\"", "");
    check(&run(&["openapi"]), 0, "\"openapi\"", "");
}

#[test]
fn commands_find_the_dev_server_and_its_keys() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let data = data.to_str().unwrap();
    let server = Server::start(data.as_ref());
    for name in ["url", "ingest_key", "read_key", "admin_key", "environment", "tenant", "data_dir"]
    {
        assert!(!server.fact(name).is_empty(), "{name}");
    }
    let at = |arguments: &[&str]| run(&[arguments, &["--data", data]].concat());
    check(&at(&["query", "--tenant", "demo"]), 0, "attestary.genesis", "");
    check(
        &at(&["query", "--tenant", "demo", "--json", "action:attestary.genesis"]),
        0,
        "\"seq\":0",
        "",
    );
    check(&at(&["query", "--tenant", "nobody"]), 4, "", "404");
    check(&at(&["query", "--tenant", "demo", "actor.id:("]), 4, "", "400");
    check(
        &at(&["query", "--tenant", "demo", "--key", "wrong", "--url", server.fact("url")]),
        4,
        "",
        "next: pass a valid key",
    );
    check(&at(&["tenants", "create", "acme"]), 0, "acme", "");
    check(&at(&["tenants", "create", "acme"]), 4, "", "409");
    check(&at(&["tenants", "list"]), 0, "acme", "");
    let created = at(&[
        "keys",
        "create",
        "for acme",
        "--scopes",
        "ingest,read",
        "--tenants",
        "acme",
        "--json",
    ]);
    check(&created, 0, "\"id\"", "");
    let created: serde_json::Value = serde_json::from_slice(&created.stdout).unwrap();
    let (id, key) = (created["id"].as_str().unwrap(), created["secret"].as_str().unwrap());
    check(&at(&["keys", "list"]), 0, id, "");
    check(&at(&["query", "--tenant", "acme", "--key", key]), 0, "attestary.genesis", "");
    check(&at(&["query", "--tenant", "demo", "--key", key]), 4, "", "404");
    check(&at(&["keys", "revoke", id]), 0, "", "revoked");
    check(&at(&["query", "--tenant", "acme", "--key", key]), 4, "", "401");
    check(&at(&["destinations", "list", "--tenant", "demo"]), 0, "built-in receiver", "");
    check(&at(&["tenants", "close", "acme"]), 0, "", "takes no more events");
    check(&at(&["tenants", "delete", "acme", "--yes"]), 0, "", "deleted");
}

#[test]
fn a_tail_shows_what_comes_in_order() {
    use std::{
        io::{BufRead as _, BufReader},
        process::Stdio,
    };
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    let server = Server::start(dir.path());
    let mut tail = attestary()
        .args(["tail", "--json", "--beginning", "--tenant", "demo", "--data", data])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let mut seq = || {
        let event: serde_json::Value =
            serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        event["seq"].as_u64().unwrap()
    };
    let import = || {
        let line = dir.path().join("one.log");
        std::fs::write(&line, "nothing that a server wrote\n").unwrap();
        run(&["import", "formio", line.to_str().unwrap(), "--tenant", "demo", "--data", data])
    };
    assert_eq!(seq(), 0);
    assert!(import().status.success());
    let log = run(&["query", "--json", "--tenant", "demo", "--data", data]);
    let events = String::from_utf8(log.stdout).unwrap().lines().count() as u64;
    assert!(events > 1);
    for expected in 1..events {
        assert_eq!(seq(), expected);
    }
    drop(server);
    let _ = tail.kill();
    let _ = tail.wait();
    let nobody = run(&[
        "tail",
        "--tenant",
        "demo",
        "--data",
        data,
        "--url",
        "http://127.0.0.1:9",
        "--key",
        "k",
    ]);
    check(&nobody, 3, "", "does not answer");
}

#[test]
fn redaction_is_set_tried_and_looked_up_by_commands() {
    use std::{io::Write as _, process::Stdio};
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let data = data.to_str().unwrap();
    let _server = Server::start(data.as_ref());
    let at = |arguments: &[&str]| run(&[arguments, &["--data", data]].concat());
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let rules = file(
        "rules.json",
        r#"{"rules":[{"name":"mail","pointers":["/actor/email"],"action":"hmac"}],"secrets":"mask"}"#,
    );
    check(&at(&["redaction", "set", &rules, "--tenant", "demo"]), 0, "\"mail\"", "");
    check(&at(&["redaction", "show", "--tenant", "demo"]), 0, "/actor/email", "");
    let nonsense = file("nonsense.json", "{");
    check(&at(&["redaction", "set", &nonsense, "--tenant", "demo"]), 2, "", "is not JSON");
    let wrong =
        file("wrong.json", r#"{"rules":[{"name":"mail","pointers":["actor"],"action":"hmac"}]}"#);
    check(&at(&["redaction", "set", &wrong, "--tenant", "demo"]), 4, "", "400");
    check(&at(&["redaction", "show", "--tenant", "nobody"]), 4, "", "404");

    // What an event would become, and what other rules would make of it; nothing is stored.
    let event = file(
        "event.json",
        r#"{"tenant":"demo","action":"user.login","actor":{"type":"user","id":"u1","email":"ann@example.com"}}"#,
    );
    let tried = at(&["redaction", "preview", "demo", "--event", &event]);
    check(&tried, 0, "hmac", "");
    assert!(!String::from_utf8_lossy(&tried.stdout).contains("ann@example.com"));
    let others = file(
        "others.json",
        r#"{"rules":[{"name":"nobody","pointers":["/actor/id"],"action":"drop"}]}"#,
    );
    let arguments = ["redaction", "preview", "demo", "--event", &event, "--rules", &others];
    check(&at(&arguments), 0, "ann@example.com", "");
    check(&at(&["redaction", "preview", "demo"]), 0, "{", "");

    // The token is the one that stands in events; the value comes from standard input and appears nowhere.
    let mut lookup = attestary()
        .args(["redaction", "lookup", "demo", "--data", data])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    lookup.stdin.take().unwrap().write_all(b"ann@example.com\n").unwrap();
    let found = lookup.wait_with_output().unwrap();
    check(&found, 0, "token", "");
    let found: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
    let token = found["token"].as_str().unwrap();
    assert!(String::from_utf8_lossy(&tried.stdout).contains(token), "{token}");
    let audit = at(&["query", "--tenant", "_audit", "--json"]);
    assert!(!String::from_utf8_lossy(&audit.stdout).contains("ann@example.com"));

    check(&at(&["redaction", "unset", "--tenant", "demo"]), 0, "", "no rules any more");
    let kept = at(&["redaction", "preview", "demo", "--event", &event]);
    check(&kept, 0, "ann@example.com", "");
}

#[test]
fn keys_are_the_same_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = Server::start(dir.path());
    first.kill();
    let second = Server::start(dir.path());
    for name in ["ingest_key", "read_key", "admin_key", "environment", "tenant", "data_dir"] {
        assert_eq!(first.fact(name), second.fact(name), "{name}");
    }
}
