//! Tails: Server-Sent Events from a position on, what ends them, how many there may be, the trail they leave.

use std::{sync::Arc, time::Duration};

use attestary_api::Settings;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::app::{ALL, TestApp, event, id};

/// An open tail, read frame by frame.
struct Reader {
    reply: reqwest::Response,
    bytes: Vec<u8>,
}

/// One frame: its id, its type, its data.
#[derive(Debug, PartialEq)]
struct Frame {
    id: Option<u64>,
    kind: String,
    data: Value,
}

impl Reader {
    async fn open(app: &TestApp, query: &str, key: &str, last: Option<&str>) -> Self {
        let request = app.request("GET", &format!("/v1/events/tail?{query}"), key);
        let reply = match last {
            Some(last) => request.header("last-event-id", last),
            None => request,
        };
        let reply = reply.send().await.unwrap();
        assert_eq!(reply.status().as_u16(), 200);
        assert_eq!(reply.headers()["content-type"], "text/event-stream");
        assert_eq!(reply.headers()["cache-control"], "no-store");
        Self { reply, bytes: Vec::new() }
    }

    /// Returns the next frame, `None` at the clean end.
    async fn frame(&mut self) -> Option<Frame> {
        let next = async {
            loop {
                if let Some(end) = self.bytes.windows(2).position(|two| two == b"\n\n") {
                    let frame: Vec<u8> = self.bytes.drain(..end + 2).collect();
                    return Some(parse(std::str::from_utf8(&frame[..end]).unwrap()));
                }
                self.bytes.extend(self.reply.chunk().await.expect("no tail breaks")?);
            }
        };
        timeout(Duration::from_secs(20), next).await.expect("something comes every two seconds")
    }

    /// Returns the next frame that is an event or the end.
    async fn next(&mut self) -> Option<Frame> {
        loop {
            match self.frame().await {
                Some(frame) if frame.kind == "comment" => {}
                other => return other,
            }
        }
    }

    /// Returns the seqs of the next `count` events.
    async fn seqs(&mut self, count: usize) -> Vec<u64> {
        let mut seqs = Vec::new();
        while seqs.len() < count {
            let frame = self.next().await.unwrap();
            assert_eq!((frame.kind.as_str(), frame.id), ("event", frame.data["seq"].as_u64()));
            seqs.push(frame.id.unwrap());
        }
        seqs
    }

    /// Returns the reason of the end, which must be the next thing.
    async fn end(mut self) -> String {
        let frame = self.next().await.unwrap();
        assert_eq!(frame.kind, "end", "{frame:?}");
        assert_eq!(self.frame().await, None);
        frame.data["reason"].as_str().unwrap().to_owned()
    }
}

fn parse(text: &str) -> Frame {
    let mut frame = Frame { id: None, kind: "comment".into(), data: Value::Null };
    for line in text.lines() {
        match line.split_once(':').unwrap() {
            ("", _) => {}
            ("id", id) => frame.id = Some(id.trim().parse().unwrap()),
            ("event", kind) => frame.kind = kind.trim().to_owned(),
            ("data", data) => frame.data = serde_json::from_str(data).unwrap(),
            other => panic!("{other:?}"),
        }
    }
    frame
}

async fn submit(app: &TestApp, key: &str, tenant: &str, actions: &[&str]) {
    let events: Vec<Value> = actions.iter().map(|action| event(tenant, action)).collect();
    app.post("/v1/events", key, &json!(events)).await.ok(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_shows_events_as_they_are_accepted_once_each() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    submit(&app, &key, "acme", &["a.old", "a.old"]).await;
    let mut live = Reader::open(&app, "tenant=acme", &key, None).await;
    let mut all = Reader::open(&app, "tenant=acme&from_seq=0", &key, None).await;
    let mut some =
        Reader::open(&app, "tenant=acme&from_seq=1&filter=action%3Ab.*", &key, None).await;
    assert_eq!(all.seqs(3).await, [0, 1, 2]);
    submit(&app, &key, "acme", &["b.new", "a.new"]).await;
    submit(&app, &key, "other", &["b.foreign"]).await;
    app.service.store().seal().await;
    submit(&app, &key, "acme", &["b.new"]).await;
    assert_eq!(live.seqs(3).await, [3, 4, 5]);
    assert_eq!(all.seqs(3).await, [3, 4, 5]);
    assert_eq!(some.seqs(2).await, [3, 5]);
    // The data is what a search shows.
    let mut again = Reader::open(&app, "tenant=acme&from_seq=5", &key, None).await;
    let shown = again.next().await.unwrap().data;
    let page = app.get("/v1/events?tenant=acme&limit=1", &key).await.ok(200);
    assert_eq!(shown, page["data"][0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_comes_back_misses_and_repeats_nothing() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    submit(&app, &key, "acme", &["a.b"; 9]).await;
    let mut first = Reader::open(&app, "tenant=acme&from_seq=1", &key, None).await;
    assert_eq!(first.seqs(4).await, [1, 2, 3, 4]);
    drop(first);
    // The header counts more than the parameter: a browser repeats the address and adds the header.
    let mut second = Reader::open(&app, "tenant=acme&from_seq=1", &key, Some("4")).await;
    assert_eq!(second.seqs(5).await, [5, 6, 7, 8, 9]);
    // Also where nothing matches, the comments say how far the tail has looked.
    let mut none = Reader::open(&app, "tenant=acme&from_seq=0&filter=action%3Ax", &key, None).await;
    assert_eq!(
        none.frame().await.unwrap(),
        Frame { id: Some(9), kind: "comment".into(), data: Value::Null }
    );
    for (query, last, pointer) in [
        ("from_seq=x", None, "/from_seq"),
        ("from_seq=-1", None, "/from_seq"),
        ("from_seq=11", None, "/from_seq"),
        ("", Some("x"), "/last-event-id"),
        ("limit=1", None, "/limit"),
    ] {
        let request = app.request("GET", &format!("/v1/events/tail?tenant=acme&{query}"), &key);
        let request = request.header("last-event-id", last.unwrap_or(""));
        let problem = crate::app::send(request).await.problem("invalid-query", 400);
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_events_and_many_events_come_in_order() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let mut large = event("acme", "a.b");
    large["metadata"] = json!({ "text": "x\n\u{2028}".repeat(6_000) });
    for _ in 0..3 {
        app.post("/v1/events", &key, &json!(vec![large.clone(); 40])).await.ok(201);
        submit(&app, &key, "acme", &["a.c"; 600]).await;
    }
    let mut tail = Reader::open(&app, "tenant=acme&from_seq=1", &key, None).await;
    assert_eq!(tail.seqs(1_920).await, (1..=1_920).collect::<Vec<u64>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_ends_its_tails_within_a_second() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    submit(&app, &key, "acme", &["a.b"]).await;
    let admin = app.key(&ALL, None).await;
    let mut tail = Reader::open(&app, "tenant=acme&from_seq=1", &key, None).await;
    assert_eq!(tail.seqs(1).await, [1]);
    let keys = app.get("/v1/keys", &admin).await.ok(200);
    let key_id = keys["data"][0]["id"].as_str().unwrap();
    app.delete(&format!("/v1/keys/{key_id}"), &admin).await.ok(204);
    let revoked = Instant::now();
    submit(&app, &admin, "acme", &["a.secret"]).await;
    assert_eq!(tail.end().await, "key-invalid");
    assert!(revoked.elapsed() < Duration::from_secs(1), "{:?}", revoked.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_log_ends_its_tails() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    submit(&app, &key, "acme", &["a.b"]).await;
    let mut tail = Reader::open(&app, "tenant=acme&from_seq=1", &key, None).await;
    assert_eq!(tail.seqs(1).await, [1]);
    app.delete("/v1/tenants/acme", &key).await.ok(204);
    assert_eq!(tail.end().await, "log-deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_tails_cleanly_and_at_once() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    submit(&app, &key, "acme", &["a.b"]).await;
    let mut tail = Reader::open(&app, "tenant=acme&from_seq=1", &key, None).await;
    assert_eq!(tail.seqs(1).await, [1]);
    let began = Instant::now();
    let stopping = tokio::spawn(app.stop());
    assert_eq!(tail.end().await, "stopping");
    stopping.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_broken_and_ends_no_connection() {
    let settings = Settings {
        idle_time_max: Duration::from_millis(200),
        header_time_max: Duration::from_millis(200),
        ..Settings::default()
    };
    let app = TestApp::start_in(Arc::new(tempfile::tempdir().unwrap()), settings, None).await;
    let key = app.key(&ALL, None).await;
    submit(&app, &key, "acme", &["a.b"]).await;
    let mut tail = Reader::open(&app, "tenant=acme", &key, None).await;
    let comment = || Frame { id: Some(1), kind: "comment".into(), data: Value::Null };
    assert_eq!(tail.frame().await, Some(comment()));
    assert_eq!(tail.frame().await, Some(comment()));
    submit(&app, &key, "acme", &["a.b"]).await;
    assert_eq!(tail.seqs(1).await, [2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_has_a_bounded_number_of_tails() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    submit(&app, &key, "acme", &["a.b"]).await;
    let mut open = Vec::new();
    for _ in 0..8 {
        open.push(Reader::open(&app, "tenant=acme", &key, None).await);
    }
    let refused = app.get("/v1/events/tail?tenant=acme", &key).await;
    let problem = refused.problem("too-many-tails", 429);
    assert!(problem["detail"].as_str().unwrap().contains('8'));
    assert_eq!(refused.headers["retry-after"], "5");
    // Another key is not concerned, and a tail that its reader left makes room.
    let other = app.key(&ALL, None).await;
    Reader::open(&app, "tenant=acme", &other, None).await;
    drop(open.pop());
    let began = Instant::now();
    loop {
        let request = app.request("GET", "/v1/events/tail?tenant=acme", &key);
        if request.send().await.unwrap().status().as_u16() == 200 {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_is_recorded_once_before_it_shows_anything() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let mut first = event("acme", "a.b");
    first["id"] = json!(id(1));
    app.post("/v1/events", &key, &first).await.ok(201);
    let mut tail = Reader::open(&app, "tenant=acme&from_seq=1&filter=a", &key, None).await;
    assert_eq!(tail.seqs(1).await, [1]);
    submit(&app, &key, "acme", &["a.b"]).await;
    assert_eq!(tail.seqs(1).await, [2]);
    let trail = app.events("_audit", &key).await;
    let tails: Vec<_> =
        trail.iter().filter(|event| event["metadata"]["operation"] == "events.tail").collect();
    let [recorded] = tails.as_slice() else { panic!("{tails:?}") };
    assert_eq!(recorded["action"], "attestary.view");
    assert_eq!(recorded["targets"], json!([{ "type": "tenant", "id": "acme" }]));
    assert_eq!(
        recorded["metadata"],
        json!({ "operation": "events.tail", "filter": "a", "from_seq": 1 })
    );
    // The audit log can be followed too: its first event is that very read, and it does not breed.
    let mut audit = Reader::open(&app, "tenant=_audit", &app.key(&ALL, None).await, None).await;
    let frame = audit.next().await.unwrap();
    assert_eq!(frame.data["metadata"]["operation"], "events.tail");
    assert_eq!(audit.frame().await.unwrap().kind, "comment");
}
