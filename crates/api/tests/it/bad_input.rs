//! Bad input: each kind is a 4xx with a stable type, the pointer and the limit; the connection lives on; nothing is stored.

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::app::{ALL, TestApp, event};

/// One connection, spoken to byte by byte.
struct Wire {
    stream: TcpStream,
    key: String,
}

impl Wire {
    async fn post(&mut self, headers: &str, body: &[u8]) -> (u16, Value) {
        let head = format!(
            "POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n{headers}\r\n",
            self.key,
            body.len()
        );
        self.stream.write_all(head.as_bytes()).await.unwrap();
        self.stream.write_all(body).await.unwrap();
        self.reply().await
    }

    async fn reply(&mut self) -> (u16, Value) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.expect("the connection lives on"));
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        self.stream.read_exact(&mut body).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }
}

struct Case {
    name: &'static str,
    headers: &'static str,
    body: Vec<u8>,
    status: u16,
    code: &'static str,
    /// Of the first error, when the problem lists errors.
    pointer: Option<&'static str>,
    /// The detail, or the first error's, names this.
    names: &'static str,
}

const JSON: &str = "content-type: application/json\r\n";

fn bad(
    name: &'static str,
    body: impl Into<Vec<u8>>,
    pointer: &'static str,
    names: &'static str,
) -> Case {
    Case {
        name,
        headers: JSON,
        body: body.into(),
        status: 400,
        code: "invalid-event",
        pointer: Some(pointer),
        names,
    }
}

fn with(members: &str) -> String {
    format!(r#"{{"tenant":"acme","action":"a.b","actor":{{"id":"u"}},{members}}}"#)
}

fn cases() -> Vec<Case> {
    let deep = format!("{}1{}", r#"{"a":"#.repeat(20), "}".repeat(20));
    let wide: Vec<String> = (0..600).map(|n| format!(r#""k{n}":1"#)).collect();
    let mut cases = vec![
        bad("no object", "[1]", "", "object"),
        bad("cut JSON", r#"{"tenant":"acme""#, "", "byte 16"),
        bad("too big", with(&format!(r#""reason":"{}""#, "x".repeat(70_000))), "", "65536"),
        bad(
            "too deep",
            with(&format!(r#""metadata":{deep}"#)),
            "/metadata/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a",
            "16",
        ),
        bad(
            "too many fields",
            with(&format!(r#""metadata":{{{}}}"#, wide.join(","))),
            "/metadata/k509",
            "512",
        ),
        bad(
            "long string",
            with(&format!(r#""metadata":{{"s":"{}"}}"#, "x".repeat(33_000))),
            "/metadata/s",
            "32768",
        ),
        bad(
            "long key",
            with(&format!(r#""metadata":{{"{}":1}}"#, "k".repeat(300))),
            "/metadata",
            "256",
        ),
        bad("duplicate key", with(r#""reason":"a","reason":"b""#), "/reason", "twice"),
        bad("invalid UTF-8", [b"{\"tenant\":\"".as_slice(), b"\xff\xfe\"}"].concat(), "", "UTF-8"),
        bad("lone surrogate", with(r#""reason":"\ud800""#), "/reason", "surrogate"),
        bad("wrong type", with(r#""severity":"high""#), "/severity", "number"),
        bad("unknown member", with(r#""metdata":{}"#), "/metdata", "metadata"),
        bad("no offset", with(r#""occurred_at":"2026-11-22T10:00:00""#), "/occurred_at", "offset"),
        bad(
            "own action",
            r#"{"tenant":"a","action":"attestary.view","actor":{"id":"u"}}"#,
            "/action",
            "reserved",
        ),
        bad(
            "system tenant",
            r#"{"tenant":"_audit","action":"a","actor":{"id":"u"}}"#,
            "/tenant",
            "reserved",
        ),
        bad("client's seq", with(r#""seq":7"#), "/seq", ""),
        bad("no UUID", with(r#""id":"7""#), "/id", "UUID"),
    ];
    let whole = |name, headers, body: Vec<u8>, status, code, names| Case {
        name,
        headers,
        body,
        status,
        code,
        pointer: None,
        names,
    };
    let form = "content-type: application/x-www-form-urlencoded\r\n";
    let gzip = "content-type: application/json\r\ncontent-encoding: gzip\r\n";
    let brotli = "content-type: application/json\r\ncontent-encoding: br\r\n";
    cases.extend([
        whole("empty", JSON, b"  ".to_vec(), 400, "invalid-body", "empty"),
        whole("broken list", JSON, b"[{},".to_vec(), 400, "invalid-body", ""),
        whole(
            "body over the limit",
            JSON,
            vec![b' '; 10 * 1024 * 1024 + 1],
            413,
            "too-large",
            "10485760",
        ),
        whole("form", form, b"a=b".to_vec(), 415, "unsupported-media-type", "application/json"),
        whole("brotli", brotli, b"x".to_vec(), 415, "unsupported-encoding", "gzip"),
        whole(
            "cut gzip",
            gzip,
            b"\x1f\x8b\x08\x00\x00".to_vec(),
            400,
            "invalid-encoding",
            "cut short",
        ),
        whole(
            "no gzip",
            gzip,
            b"{\"tenant\":\"acme\"} is plain".to_vec(),
            400,
            "invalid-encoding",
            "damaged",
        ),
    ]);
    cases
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_bodies_are_refused_and_the_connection_lives_on() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let mut wire =
        Wire { stream: TcpStream::connect(app.address).await.unwrap(), key: key.clone() };
    let mut mistakes = Vec::new();
    for case in cases() {
        let (status, problem) = wire.post(case.headers, &case.body).await;
        let text = format!("{} {}", problem["detail"], problem["errors"][0]["detail"]);
        let as_expected = status == case.status
            && problem["type"] == format!("/problems/{}", case.code)
            && text.contains(case.names)
            && case.pointer.is_none_or(|pointer| problem["errors"][0]["pointer"] == pointer);
        if !as_expected {
            mistakes.push(format!("{}: {problem}", case.name));
        }
    }
    assert!(mistakes.is_empty(), "{mistakes:#?}");
    // The same connection still takes a good event, and it is the first one.
    let (status, receipt) = wire.post(JSON, event("acme", "a.b").to_string().as_bytes()).await;
    assert_eq!((status, &receipt["seq"]), (201, &json!(1)));
    // So does one whose key was wrong.
    wire.key = "wrong".into();
    let (status, problem) = wire.post(JSON, event("acme", "a.b").to_string().as_bytes()).await;
    assert_eq!((status, &problem["type"]), (401, &json!("/problems/unauthenticated")));
    wire.key = key;
    assert_eq!(wire.post(JSON, event("acme", "a.b").to_string().as_bytes()).await.0, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_queries_are_refused_by_name() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.post("/v1/events", &key, &event("acme", "a.b")).await.ok(201);
    for (query, code, pointer) in [
        ("limit=0", "invalid-query", "/limit"),
        ("limit=1001", "invalid-query", "/limit"),
        ("order=up", "invalid-query", "/order"),
        ("from=yesterday", "invalid-query", "/from"),
        ("to=2026-01-01", "invalid-query", "/to"),
        ("tennant=x", "invalid-query", "/tennant"),
        ("limit=1&limit=2", "invalid-query", "/limit"),
        ("filter=action%3A%28", "invalid-filter", "/filter"),
        ("filter=a%20and%20b", "invalid-filter", "/filter"),
        ("cursor=AAAA", "invalid-cursor", "/cursor"),
    ] {
        let problem =
            app.get(&format!("/v1/events?tenant=acme&{query}"), &key).await.problem(code, 400);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{query}");
        if code == "invalid-filter" {
            assert!(
                problem["offset"].is_u64()
                    && problem["length"].is_u64()
                    && problem["expected"].is_array()
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_administrative_bodies_are_refused_by_pointer() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.tenant("acme").await;
    let destinations = "/v1/tenants/acme/destinations";
    for (path, body, pointer) in [
        ("/v1/tenants", json!({}), "/id"),
        ("/v1/tenants", json!({ "id": 7 }), "/id"),
        ("/v1/tenants", json!({ "id": "_mine" }), "/id"),
        ("/v1/tenants", json!({ "id": "x".repeat(129) }), "/id"),
        ("/v1/tenants", json!({ "id": "a", "nmae": "b" }), "/nmae"),
        ("/v1/tenants", json!({ "id": "a", "name": "n".repeat(201) }), "/name"),
        ("/v1/keys", json!({ "name": "k" }), "/scopes"),
        ("/v1/keys", json!({ "scopes": ["read", "root"] }), "/scopes/1"),
        ("/v1/keys", json!({ "scopes": "read" }), "/scopes"),
        ("/v1/keys", json!({ "scopes": ["read"], "tenants": [] }), "/tenants"),
        ("/v1/keys", json!({ "scopes": ["read"], "expires_at": "soon" }), "/expires_at"),
        ("/v1/tenants/acme/close", json!({ "now": true }), "/now"),
        (destinations, json!({ "name": "n", "type": "pigeon" }), "/type"),
        (destinations, json!({ "name": "n", "type": "webhook", "config": {} }), "/config/url"),
        (destinations, json!({ "name": "", "type": "stdout" }), "/name"),
        (
            destinations,
            json!({ "name": "n", "type": "stdout", "format": { "type": "xml" } }),
            "/format",
        ),
        (destinations, json!({ "name": "n", "type": "stdout", "start": "later" }), "/start"),
        (destinations, json!({ "name": "n", "type": "stdout", "start": 999 }), "/start"),
        (destinations, json!({ "name": "n", "type": "stdout", "secret": "x" }), "/secret"),
    ] {
        let problem = app.post(path, &key, &body).await.problem("invalid-body", 400);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{path} {body}: {problem}");
    }
    app.post(destinations, &key, &json!({ "name": "n", "type": "stdout", "filter": "(" }))
        .await
        .problem("invalid-filter", 400);
    assert_eq!(app.get(destinations, &key).await.ok(200)["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_and_methods_are_problems_too() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    app.get("/nothing", &key).await.problem("not-found", 404);
    app.get("/v1/nothing", &key).await.problem("not-found", 404);
    let reply = app.delete("/v1/events", &key).await;
    reply.problem("method-not-allowed", 405);
    assert!(reply.headers["allow"].to_str().unwrap().contains("POST"));
    app.get(&format!("/v1/events/{}?tenant=acme", "not-a-uuid"), &key)
        .await
        .problem("not-found", 404);
}
