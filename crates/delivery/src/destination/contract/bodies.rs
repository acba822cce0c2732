//! The bytes of requests: golden files, and the rule that every event is in them exactly once, whatever its text.

use super::*;

/// Writes a request as text: what a person would see on the wire before compression.
fn shown(exchange: &Exchange) -> String {
    let mut text = format!("{} {}\n", exchange.method, exchange.url);
    let mut headers: Vec<String> = exchange
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()))
        .collect();
    headers.sort();
    text.extend(headers);
    if let Some(grant) = &exchange.grant {
        text.push_str(&format!(
            "(authorization: Bearer, a token from {})\n",
            grant.url().expect("a grant of its own")
        ));
    }
    if let Some(confirm) = &exchange.confirm {
        text.push_str(&format!("(confirmed at {})\n", confirm.url));
    }
    text.push('\n');
    text.push_str(std::str::from_utf8(&exchange.body).expect("bodies are UTF-8"));
    text.push('\n');
    text
}

/// With `ATTESTARY_BLESS` set it writes the files instead; read the difference before committing it.
#[test]
fn requests_are_those_of_the_golden_files() {
    for (kind, config, format) in all() {
        let text = shown(&make(kind, &config, &format).exchange(&events()));
        let path = format!("{}/src/destination/golden/{kind}.http", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("ATTESTARY_BLESS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        assert_eq!(text, std::fs::read_to_string(&path).unwrap_or_default(), "{path}");
    }
}

/// Counts how often every id, seq and leaf hash stands in a body, in order.
#[track_caller]
fn check_identities(kind: &str, body: &str) {
    let mut last = 0;
    for event in events() {
        let id = event.id.to_string();
        let at = body.find(&id).unwrap_or_else(|| panic!("{kind}: {id} is missing in {body}"));
        assert!(at >= last, "{kind}: out of order");
        last = at;
        let hash = format!("{:02x}", event.seq).repeat(32);
        assert!(body.contains(&hash), "{kind}: no leaf hash of {}", event.seq);
    }
}

#[test]
fn every_request_carries_id_seq_and_leaf_hash_of_every_event_in_order() {
    for (kind, config, format) in all() {
        let exchange = make(kind, &config, &format).exchange(&events());
        check_identities(kind, std::str::from_utf8(&exchange.body).unwrap());
    }
}

/// Parses a body with a parser that knows nothing of ours and returns its events as values.
fn parsed(kind: &str, body: &[u8]) -> Vec<Value> {
    let values: Vec<Value> = serde_json::Deserializer::from_slice(body)
        .into_iter::<Value>()
        .collect::<Result<_, _>>()
        .unwrap_or_else(|error| panic!("{kind}: {error}"));
    let list = |pointer: &str| values[0].pointer(pointer).unwrap().as_array().unwrap().clone();
    match kind {
        "splunk" => values.iter().map(|value| value["event"].clone()).collect(),
        "elasticsearch" => values.into_iter().skip(1).step_by(2).collect(),
        "datadog" => list("").iter().map(|log| log["attestary"]["event"].clone()).collect(),
        "sentinel" => list(""),
        "google-cloud-logging" => {
            list("/entries").iter().map(|entry| entry["jsonPayload"].clone()).collect()
        }
        "google-secops" => {
            list("/inlineSource/events").iter().map(|event| event["udm"].clone()).collect()
        }
        "otlp" => list("/resourceLogs/0/scopeLogs/0/logRecords"),
        "loki" => list("/streams/0/values")
            .iter()
            .map(|entry| serde_json::from_str(entry[1].as_str().unwrap()).unwrap())
            .collect(),
        "sumo" => values,
        "newrelic" => values[0][0]["logs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|log| serde_json::from_str(log["message"].as_str().unwrap()).unwrap())
            .collect(),
        "http" => list("/events").iter().map(|record| record["raw"].clone()).collect(),
        other => panic!("{other} has no reader"),
    }
}

#[test]
fn a_foreign_parser_finds_every_event_whole() {
    for (kind, config, format) in all() {
        let made = make(kind, &config, &format);
        let exchange = made.exchange(&events());
        let found = parsed(kind, &exchange.body);
        assert_eq!(found.len(), 3, "{kind}");
        for (event, found) in events().iter().zip(&found) {
            let fields = event.fields();
            let mut record = Vec::new();
            let view = View { event, fields: &fields };
            made.format.encode(&view, KnownActions::builtin(), &mut record);
            let expected: Value = serde_json::from_slice(&record).unwrap();
            let expected = match kind {
                "otlp" => expected["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0].clone(),
                _ => expected,
            };
            assert_eq!(*found, expected, "{kind}");
        }
    }
}

#[test]
fn formats_that_are_no_json_travel_as_strings() {
    for (kind, config, _) in all() {
        if matches!(kind, "otlp" | "google-secops" | "sumo" | "http") {
            continue;
        }
        for format in ["cef", "leef", "csv", "formio"] {
            let exchange = make(kind, &config, &json!({ "type": format })).exchange(&events());
            check_identities(kind, std::str::from_utf8(&exchange.body).unwrap());
            let values = serde_json::Deserializer::from_slice(&exchange.body).into_iter::<Value>();
            let mut count = 0;
            for value in values {
                value.unwrap();
                count += 1;
            }
            assert!(count > 0, "{kind} {format}");
        }
    }
}

#[test]
fn what_a_receiver_would_drop_as_too_old_is_sent_with_the_time_of_sending() {
    let body = |kind: &str| {
        let (_, config, format) = all().into_iter().find(|(name, ..)| *name == kind).unwrap();
        let exchange = make(kind, &config, &format).exchange(&events());
        serde_json::from_slice::<Value>(&exchange.body).unwrap()
    };
    // The first is of the same day, the last seven years older.
    let (own, sent) = (1_795_307_951_123_u64, AT.0 as u64);
    let datadog = body("datadog");
    assert_eq!((&datadog[0]["timestamp"], &datadog[2]["timestamp"]), (&json!(own), &json!(sent)));
    assert_eq!(datadog[2]["attestary"]["event"]["occurred_at"], "2019-01-01T00:00:00Z");
    let newrelic = body("newrelic");
    let logs = &newrelic[0]["logs"];
    assert_eq!((&logs[0]["timestamp"], &logs[2]["timestamp"]), (&json!(own), &json!(sent)));
    let loki = body("loki");
    let values = &loki["streams"][0]["values"];
    assert_eq!(values[0][0], format!("{own}000000"));
    assert_eq!(values[2][0], format!("{sent}000000"));
    let google = body("google-cloud-logging");
    assert_eq!(google["entries"][0]["timestamp"], "2026-11-22T00:39:11.123Z");
    assert_eq!(google["entries"][2]["timestamp"], AT.to_string());
}

#[test]
fn a_daily_index_is_that_of_the_events_day_and_a_stream_is_in_the_path() {
    let config = json!({"url": "https://es.example.com/x", "index": "audit", "layout": "daily"});
    let exchange = make("elasticsearch", &config, &json!({"type": "json"})).exchange(&events());
    assert!(exchange.url.as_str().starts_with("https://es.example.com/x/_bulk?filter_path="));
    let body = std::str::from_utf8(&exchange.body).unwrap();
    for day in ["audit-2026.11.22", "audit-2019.01.01"] {
        assert!(body.contains(&format!(r#"{{"create":{{"_index":"{day}","_id":""#)), "{body}");
    }
    assert!(body.contains(r#"{"@timestamp":"2019-01-01T00:00:00.000Z","id":"#), "{body}");
    // Whatever the event's text, a document is one line.
    assert_eq!(body.lines().count(), 6);
}

#[test]
fn an_event_that_is_too_long_for_a_receiver_is_shortened_and_says_so() {
    let long = event(
        7,
        &format!(
            r#"{{"action":"a","actor":{{"type":"user","id":"u"}},"metadata":{{"a":"{}"}}}}"#,
            "x".repeat(240_000)
        ),
    );
    for (kind, most) in
        [("sentinel", 64_000), ("sumo", 64_000), ("loki", 210_000), ("newrelic", 130_000)]
    {
        let (_, config, format) = all().into_iter().find(|(name, ..)| *name == kind).unwrap();
        let body = make(kind, &config, &format).exchange(std::slice::from_ref(&long)).body;
        assert!(body.len() <= most, "{kind}: {}", body.len());
        assert!(String::from_utf8_lossy(&body).to_lowercase().contains("truncated"), "{kind}");
    }
}

#[test]
fn events_that_are_too_old_are_warned_of() {
    let warning = |kind: &str| {
        let (_, config, format) = all().into_iter().find(|(name, ..)| *name == kind).unwrap();
        make(kind, &config, &format).config.age_warning(&events(), AT)
    };
    assert!(warning("datadog").unwrap().starts_with("1 events are older than the 18 h"));
    assert!(warning("splunk").is_none() && warning("elasticsearch").is_none());
}
