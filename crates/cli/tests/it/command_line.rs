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
fn keys_are_the_same_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = Server::start(dir.path());
    first.kill();
    let second = Server::start(dir.path());
    for name in ["ingest_key", "read_key", "admin_key", "environment", "tenant", "data_dir"] {
        assert_eq!(first.fact(name), second.fact(name), "{name}");
    }
}
