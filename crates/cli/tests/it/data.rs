//! Checks, backups and restores as an operator runs them.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::process::{Server, run};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn json_of(arguments: &[&str]) -> (i32, Value) {
    let output = run(arguments);
    let code = output.status.code().unwrap();
    let parsed = serde_json::from_slice(&output.stdout);
    (code, parsed.unwrap_or_else(|_| json!(String::from_utf8_lossy(&output.stderr))))
}

fn submit(server: &Server, numbers: std::ops::Range<u32>) {
    let events: Vec<Value> = numbers
        .map(|n| json!({"tenant": "acme", "action": "doc.read", "actor": {"type": "user", "id": n.to_string()}}))
        .collect();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let status = runtime.block_on(async {
        let request = reqwest::Client::new()
            .post(format!("{}/v1/events", server.fact("url")))
            .bearer_auth(server.fact("ingest_key"))
            .json(&events);
        request.send().await.unwrap().status()
    });
    assert_eq!(status, 201);
}

#[test]
fn a_server_is_backed_up_while_it_runs_and_restored_elsewhere() {
    let root = tempfile::tempdir().unwrap();
    let (data, repository, copy) =
        (root.path().join("data"), root.path().join("backup"), root.path().join("copy"));
    let mut server = Server::start(&data);
    submit(&server, 0..100);
    let (code, refused) = json_of(&["fsck", "--data", text(&data)]);
    assert_eq!(code, 2, "{refused}");
    assert!(refused.as_str().unwrap().contains("in use"), "{refused}");
    let (code, taken) = json_of(&["backup", text(&repository), "--data", text(&data), "--json"]);
    assert_eq!(code, 0, "{taken}");
    assert!(taken["events"].as_u64().unwrap() > 100, "{taken}");
    submit(&server, 100..200);
    server.kill();
    let (code, report) = json_of(&["fsck", "--data", text(&data), "--json"]);
    assert_eq!((code, &report["findings"]), (0, &json!([])), "{report}");

    let (code, restored) = json_of(&["restore", text(&repository), text(&copy), "--json"]);
    assert_eq!((code, &restored["roots"]), (0, &taken["roots"]), "{restored}");
    let (code, _) = json_of(&["restore", text(&repository), text(&copy)]);
    assert_eq!(code, 2, "a restore writes over nothing");
    let (code, report) = json_of(&["fsck", "--data", text(&copy), "--json"]);
    assert_eq!((code, &report["findings"]), (0, &json!([])), "{report}");
    let server = Server::start(&copy);
    submit(&server, 200..210);
}

#[test]
fn damage_ends_the_check_with_its_own_code() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    let mut server = Server::start(&data);
    submit(&server, 0..100);
    // A later batch proves that the one before it was acknowledged.
    submit(&server, 100..110);
    server.kill();
    let file = data.join("journal/0000/00000000.journal");
    let mut bytes = fs::read(&file).unwrap();
    let needle = b"\"doc.read\"";
    let at = bytes.windows(needle.len()).position(|window| window == needle).unwrap();
    bytes[at + 2] ^= 1;
    fs::write(&file, bytes).unwrap();
    let (code, report) = json_of(&["fsck", "--data", text(&data), "--json"]);
    assert_eq!(code, 6, "{report}");
    assert_eq!(report["findings"][0]["tenant"], "acme", "{report}");
    let (code, _) = json_of(&["fsck", "--data", text(&root.path().join("nothing"))]);
    assert_eq!(code, 2);
}
