//! EasySend's doors: payloads in, the pull API out.

use serde_json::{Value, json};

use crate::app::{ALL, Reply, TestApp, send};

const PAYLOAD_A: &str = include_str!("../../../formats/fixtures/easysend/payload-a.json");
const PAYLOAD_B: &str = include_str!("../../../formats/fixtures/easysend/payload-b.json");
const PULL: &str = "/player/api/get-security-logs";

async fn import(app: &TestApp, key: &str, query: &str, media: &str, body: &str) -> Reply {
    let url = format!("{}/ingest/easysend{query}", app.url);
    let request = app.client.post(url).header("apiKey", key).header("content-type", media);
    send(request.body(body.to_owned())).await
}

async fn pull(app: &TestApp, key: &str, query: &str) -> Reply {
    send(app.client.get(format!("{}{PULL}{query}", app.url)).header("apiKey", key)).await
}

#[track_caller]
fn refused(reply: &Reply, status: u16, says: &str) {
    assert_eq!(reply.status.as_u16(), status, "{}", reply.text());
    assert_eq!(reply.headers["content-type"], "application/json");
    let message = reply.json()["message"].as_str().unwrap().to_owned();
    assert!(message.contains(says), "{message}");
}

// seeds: ES-08 ES-09 ES-12 ES-14 ES-15 with the published payloads
#[tokio::test(flavor = "multi_thread")]
async fn payloads_come_in_as_text_or_file_and_go_out_by_the_pull_api() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let reply = import(&app, &key, "", "application/json", PAYLOAD_A).await;
    assert_eq!(reply.ok(200), json!({ "accepted": 1, "duplicates": 0, "switched_off": 0 }));
    assert_eq!(reply.headers["attestary-seq"], "1");
    let file = "application/octet-stream";
    import(&app, &key, "?tenant=customer", file, PAYLOAD_B).await.ok(200);
    let events = app.events("customer", &key).await;
    assert_eq!([&events[0]["action"], &events[1]["action"]], ["OPENED", "OPENED"]);
    assert_eq!(events[1]["context"]["ip"], "::1");
    assert_eq!(events[1]["occurred_at"], "2024-11-20T10:37:42.943Z");

    let one = app.key(&ALL, Some(&["customer"])).await;
    let reply = pull(&app, &one, "?start_time=20240730164853").await;
    let records = reply.ok(200);
    let sent: Value = serde_json::from_str(PAYLOAD_A).unwrap();
    assert_eq!(records[0], sent, "payload A is given back as it came");
    assert!(reply.text().starts_with(&format!("[{}", PAYLOAD_A.trim_end())), "byte for byte");
    assert_eq!(records.as_array().unwrap().len(), 2);
    // B names no tenant: the key of one tenant decides.
    import(&app, &one, "", "text/plain", PAYLOAD_B).await.ok(200);
    import(&app, &key, "", "text/plain", PAYLOAD_B).await.problem("invalid-event", 400);
}

// seeds: ES-13 ES-14
#[tokio::test(flavor = "multi_thread")]
async fn the_pull_api_has_its_window_in_utc_and_its_errors() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, Some(&["customer"])).await;
    for (second, product) in [(0, "Player"), (1, "Builder"), (2, "Player")] {
        let mut payload: Value = serde_json::from_str(PAYLOAD_A).unwrap();
        // Zoneless, so UTC.
        payload["@timestamp"] = format!("2024-07-30T16:48:0{second}.000").into();
        payload["product_type"] = product.into();
        import(&app, &key, "", "application/json", &payload.to_string()).await.ok(200);
    }
    let count = async |query: &str| {
        let records = pull(&app, &key, query).await.ok(200);
        records.as_array().unwrap().len()
    };
    assert_eq!(count("?start_time=20240730164800").await, 3);
    assert_eq!(count("?start_time=20240730164801").await, 2, "the start belongs to the window");
    assert_eq!(count("?start_time=20240730164800&end_time=20240730164802").await, 2);
    assert_eq!(count("?start_time=20240730164800&end_type=20240730164801").await, 1);
    assert_eq!(count("?start_time=20240730164800&app_type=player").await, 2);
    assert_eq!(
        count("?start_time=20240730164801&end_time=20240730164802&app_type=player").await,
        0
    );
    assert_eq!(count("?start_time=20990101000000").await, 0);
    for query in [
        "",
        "?start_time=",
        "?start_time=2024-07-30",
        "?start_time=20240230000000",
        "?start_time=yesterday_at_1",
    ] {
        refused(&pull(&app, &key, query).await, 400, "start_time");
    }
    let from = "?start_time=20240730164800";
    refused(&pull(&app, &key, &format!("{from}&end_time=1")).await, 400, "end_time");
    refused(&pull(&app, &key, &format!("{from}&app_type=builder")).await, 400, "app_type");
    refused(&pull(&app, &key, &format!("{from}&stop=1")).await, 400, "stop");
    refused(&pull(&app, &key, &format!("{from}&tenant=theirs")).await, 400, "tenant");
    refused(&pull(&app, "wrong", from).await, 401, "apiKey");
    refused(&send(app.client.get(format!("{}{PULL}{from}", app.url))).await, 401, "apiKey");
    let ingest_only = app.key(&[attestary_service::Scope::Ingest], Some(&["customer"])).await;
    refused(&pull(&app, &ingest_only, from).await, 401, "apiKey");
    app.service.store().close().await;
    refused(&pull(&app, &key, from).await, 500, "cannot be read");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_of_many_pages_is_one_array() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, Some(&["customer"])).await;
    let line = |number: usize| {
        json!({ "security_event_type": "OPENED", "rid": number.to_string(), "@timestamp": "2024-07-30T16:48:00Z",
                "product_type": if number < 1_200 { "Builder" } else { "Player" } })
    };
    for first in [0, 1_000, 2_000] {
        let lines: String =
            (first..first + 1_000).map(|number| format!("{}\n", line(number))).collect();
        let done = import(&app, &key, "", "application/x-ndjson", &lines).await.ok(200);
        assert_eq!(done["accepted"], 1_000);
    }
    let all = pull(&app, &key, "?start_time=20240101000000").await.ok(200);
    let rids: Vec<String> = (0..3_000).map(|number| number.to_string()).collect();
    let found: Vec<&str> =
        all.as_array().unwrap().iter().map(|record| record["rid"].as_str().unwrap()).collect();
    assert_eq!(found, rids);
    let player = pull(&app, &key, "?start_time=20240101000000&app_type=player").await.ok(200);
    assert_eq!(player.as_array().unwrap().len(), 1_800, "whole pages may be left out");
}

// seeds: ES-11
#[tokio::test(flavor = "multi_thread")]
async fn sub_sessions_are_found_under_their_parent() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    for (rid, master, step) in [("a", "m", "one"), ("b", "m", "two"), ("c", "n", "one")] {
        let payload = json!({
            "security_event_type": "COMPLETED_X", "customer_id": "acme", "rid": rid, "master_rid": master, "role": "user",
            "workflow_step_id": step, "is_co_browsing_on": rid == "b", "delivery_method": "send_link",
            "process_id": "p", "session_type": "digitalJourney"
        });
        import(&app, &key, "", "application/json", &payload.to_string()).await.ok(200);
    }
    let found = async |filter: &str| {
        let url = format!("/v1/events?tenant=acme&order=asc&filter={filter}");
        let page = app.get(&url, &key).await.ok(200);
        let events = page["data"].as_array().unwrap().clone();
        events
            .iter()
            .map(|event| event["actor"]["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(found("context.parent_session_id:m").await, ["a", "b"]);
    assert_eq!(found("context.session_id:b").await, ["b"]);
    assert_eq!(found("targets.type:workflow_step%20targets.id:one").await, ["a", "c"]);
    assert_eq!(found("targets.type:digitalJourney").await, ["a", "b", "c"]);
    assert_eq!(found("source.fields.is_co_browsing_on:true").await, ["b"]);
    assert_eq!(found("source.fields.delivery_method:send_link").await, ["a", "b", "c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_payloads_are_refused_whole_and_by_index() {
    let app = TestApp::start().await;
    let key = app.key(&ALL, None).await;
    let body = format!("[{},{{}},{{\"security_event_type\":1}}]", PAYLOAD_A.trim_end());
    let problem = import(&app, &key, "", "application/json", &body).await;
    let problem = problem.problem("invalid-event", 400);
    assert_eq!(problem["errors"][0]["index"], 1);
    assert_eq!(problem["errors"][1]["pointer"], "/security_event_type");
    app.get("/v1/events?tenant=customer", &key).await.problem("not-found", 404);
    import(&app, &key, "", "text/html", PAYLOAD_A).await.problem("unsupported-media-type", 415);
    import(&app, "wrong", "", "text/plain", PAYLOAD_A).await.problem("unauthenticated", 401);
}

// seeds: ES-02 ES-03 ES-04 ES-15
#[tokio::test(flavor = "multi_thread")]
async fn each_environment_sends_its_own_choice_of_events_its_own_way() {
    let app = TestApp::start().await;
    let staging = app.request("POST", "/v1/environments", &app.operator());
    send(staging.json(&json!({ "name": "staging" }))).await.ok(201);
    // Production: authentication only, payload A, a file; staging: everything, payload B, another file.
    let choices = [
        ("production", json!({ "type": "easysend" }), "category:authentication", "a.json"),
        ("staging", json!({ "type": "easysend", "payload": "b" }), "-action:attestary.*", "b.json"),
    ];
    for (environment, format, filter, file) in choices.clone() {
        let key = app.key_in(environment, &ALL, None).await;
        app.post("/v1/tenants", &key, &json!({ "id": "customer" })).await.ok(201);
        let destination = json!({ "name": "log", "type": "file", "config": { "path": file }, "format": format,
                                  "filter": filter, "start": "beginning" });
        app.post("/v1/tenants/customer/destinations", &key, &destination).await.ok(201);
        for action in ["OPENED", "OTP_FAILED", "COMPLETED"] {
            let payload = json!({ "security_event_type": action, "customer_id": "customer", "rid": "r", "role": "user",
                                  "@timestamp": "2024-07-30T16:48:53.990Z" });
            import(&app, &key, "", "application/json", &payload.to_string()).await.ok(200);
        }
    }
    for (environment, _, _, file) in choices {
        let path = app.dir.path().join(format!("files/{environment}/customer/{file}"));
        let wanted = if environment == "production" { 1 } else { 3 };
        let lines = loop {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            if text.lines().count() >= wanted && text.ends_with('\n') {
                break text;
            }
            tokio::task::yield_now().await;
        };
        let records: Vec<Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        if environment == "production" {
            assert_eq!(records.len(), 1);
            assert_eq!(records[0]["security_event_type"], "OTP_FAILED");
            assert_eq!(records[0]["environment_type"], environment, "the event carries it");
        } else {
            let actions: Vec<_> =
                records.iter().map(|record| record["event"]["action"].as_str().unwrap()).collect();
            assert_eq!(actions, ["OPENED", "OTP_FAILED", "COMPLETED"]);
        }
    }
}
