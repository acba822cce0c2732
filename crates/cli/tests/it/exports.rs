//! Kill -9 while exports are made: what is finished after the restart has the bytes of an undisturbed export.

use std::{fs, path::Path, time::Duration};

use reqwest::Client;
use serde_json::{Value, json};

use crate::process::{Server, attestary};

/// Events of the log, of about 1 KB each: several syncs' worth.
const EVENTS: u64 = 24_000;

#[test]
fn a_killed_export_has_the_bytes_of_an_undisturbed_one() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(data.path());
    runtime.block_on(fill(server.fact("url"), server.fact("ingest_key")));
    let mut disturbed = 0;
    for format in ["ndjson", "csv", "parquet"] {
        let body = json!({ "format": format, "size": EVENTS, "prefix": "K" });
        let whole = runtime.block_on(async {
            let id = asked(&server, &body).await;
            until(&server, &id, |now| now["state"] == "complete").await
        });
        let id = runtime.block_on(async {
            let id = asked(&server, &body).await;
            until(&server, &id, |now| now["scanned"] != 0 || now["state"] == "complete").await;
            id
        });
        server.kill();
        let part = data.path().join(format!("exports/{id}.part"));
        let finished = data.path().join(format!("exports/{id}.file"));
        disturbed += u32::from(part.exists());
        // Until it is complete, there is nothing to be had under its name.
        assert!(part.exists() || finished.exists());
        server = Server::start(data.path());
        let resumed = runtime.block_on(until(&server, &id, |now| now["state"] == "complete"));
        assert_eq!(resumed["sha256"], whole["sha256"], "{format}: {resumed}");
        assert_eq!(resumed["events"], whole["events"]);
        assert!(!part.exists() && finished.exists());
    }
    assert!(disturbed > 0, "every export was over before it could be killed");
    fetch(&server, data.path());
    evidence(&server, data.path());
}

/// The command fetches what the server made, checks it, and leaves nothing behind.
fn fetch(server: &Server, data: &Path) {
    let file = data.join("out.ndjson");
    let manifest = data.join("manifest.json");
    let ran = attestary()
        .args(["export", "--tenant", "acme", "--format", "ndjson", "--json", "--output"])
        .arg(&file)
        .arg("--manifest-out")
        .arg(&manifest)
        .env("ATTESTARY_URL", server.fact("url"))
        .env("ATTESTARY_KEY", server.fact("read_key"))
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let said: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(said["events"].as_u64().unwrap(), EVENTS + 1);
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count() as u64, EVENTS + 1);
    let manifest: Value = serde_json::from_slice(&fs::read(manifest).unwrap()).unwrap();
    assert_eq!(manifest["file"]["sha256"], said["sha256"]);
    let again = attestary()
        .args(["export", "-t", "acme", "-f", "ndjson", "-o"])
        .arg(&file)
        .env("ATTESTARY_URL", server.fact("url"))
        .env("ATTESTARY_KEY", server.fact("read_key"))
        .output()
        .unwrap();
    assert_eq!(again.status.code(), Some(2), "an existing file stays");
}

async fn fill(url: &str, key: &str) {
    let client = Client::new();
    let padding = "x".repeat(700);
    for first in (0..EVENTS).step_by(1_000) {
        let events: Vec<_> = (first..(first + 1_000).min(EVENTS))
            .map(|at| {
                json!({
                    "tenant": "acme", "action": "doc.read", "actor": { "type": "user", "id": format!("u{}", at % 90) },
                    "metadata": { "at": at, "padding": padding },
                })
            })
            .collect();
        let sent = client.post(format!("{url}/v1/events")).bearer_auth(key).json(&events);
        assert!(sent.send().await.unwrap().status().is_success());
    }
}

async fn asked(server: &Server, body: &Value) -> String {
    let url = format!("{}/v1/tenants/acme/exports", server.fact("url"));
    let asked = Client::new().post(url).bearer_auth(server.fact("read_key")).json(body);
    let reply: Value = asked.send().await.unwrap().json().await.unwrap();
    reply["id"].as_str().unwrap_or_else(|| panic!("{reply}")).to_owned()
}

async fn until(server: &Server, id: &str, reached: impl Fn(&Value) -> bool) -> Value {
    let url = format!("{}/v1/tenants/acme/exports/{id}", server.fact("url"));
    let client = Client::new();
    loop {
        let asked = client.get(&url).bearer_auth(server.fact("read_key"));
        let now: Value = asked.send().await.unwrap().json().await.unwrap();
        assert_ne!(now["state"], "failed", "{now}");
        if reached(&now) {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Evidence verifies on a machine that knows nothing but the trust file, and a changed byte does not.
fn evidence(server: &Server, data: &Path) {
    let (bundle, trust) = (data.join("acme.zip"), data.join("acme.trust"));
    let export = |bundle: &Path, trust: &Path, more: &[&str]| {
        let ran = attestary()
            .args(["export", "-t", "acme", "-f", "evidence", "-o"])
            .arg(bundle)
            .arg("--trust-out")
            .arg(trust)
            .args(more)
            .env("ATTESTARY_URL", server.fact("url"))
            .env("ATTESTARY_KEY", server.fact("read_key"))
            .output()
            .unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    };
    let state = data.join("heads");
    let verify = |bundle: &Path, more: &[&str]| {
        let ran = attestary()
            .arg("verify")
            .arg(bundle)
            .arg("--trust")
            .arg(&trust)
            .arg("--state")
            .arg(&state)
            .args(more)
            .output()
            .unwrap();
        (ran.status.code().unwrap(), String::from_utf8_lossy(&ran.stdout).into_owned())
    };
    export(&bundle, &trust, &["--prefix", "CASE7"]);
    let (code, said) = verify(&bundle, &["--require-complete"]);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains(&format!("{} events, seq 0 to {EVENTS}: the whole log", EVENTS + 1)),
        "{said}"
    );
    let bytes = fs::read(&bundle).unwrap();
    let flipped = data.join("flipped.zip");
    for at in [bytes.len() / 7, bytes.len() / 2, bytes.len() - 3_000] {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        fs::write(&flipped, changed).unwrap();
        assert_eq!(verify(&flipped, &[]).0, 1, "{at}");
    }
    let (part, other_trust) = (data.join("part.zip"), data.join("part.trust"));
    export(&part, &other_trust, &["--filter", "actor.id:u7"]);
    assert_eq!(fs::read(&trust).unwrap(), fs::read(&other_trust).unwrap());
    let (code, said) = verify(&part, &[]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("a selection"), "{said}");
    assert_eq!(verify(&part, &["--require-complete"]).0, 2);
}
