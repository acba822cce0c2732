//! What a door costs before the log: lines of one foreign form become checked, hashed events, as the service does it.
//!
//! ```text
//! perf stat -e instructions:u target/release/examples/doors formio 200000
//! ```
//!
//! Doors: native, formio, ndjson, easysend, cloudevents, retraced. Events are those of `e2e/bench_adapters.py`.
//! Prints events a second; instructions are counted from outside, with a count of 0 for what starting costs.

#![expect(clippy::print_stdout, reason = "the figures are its output")]

use std::time::Instant;

use attestary_event::{
    EventId, Limits, Timestamp,
    actions::KnownActions,
    intake::{self, DigestKey, Door, Scratch},
    scan::write_string,
};
use attestary_formats::intake::{cloudevents, easysend, fieldmap::FieldMap, formio, retraced};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

const BATCH: usize = 1_000;
const KEY: [u8; 32] = [7; 32];
const MAP: &str = r#"{"fields":{"action":"/event","actor.id":"/user","actor.name":"/name","occurred_at":"/ts","target.id":"/doc","context.ip":"/ip","outcome":"/result","tenant":"=bench"}}"#;
const PAYLOAD_A: &str = include_str!("../fixtures/easysend/payload-a.json");

fn main() {
    let mut arguments = std::env::args().skip(1);
    let door = arguments.next().unwrap_or_else(|| "native".into());
    let count: usize = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let lines: Vec<String> = (0..BATCH).map(|number| line(&door, number)).collect();
    let started = Instant::now();
    let mut taken = 0;
    while taken < count {
        taken += batch(&door, &lines);
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("{door}: {taken} events, {:.0} events/s", taken as f64 / seconds);
}

/// Returns one line of the door's form.
fn line(door: &str, number: usize) -> String {
    let user = number % 500;
    match door {
        "formio" => format!(
            "2023-11-14T22:13:20.{:03}Z FORM_READ 4d7649c7-d24c-4b61-bc7e-{number:012x} 6627c5f740a5d95c7edc30ab NoSession No User 662aa7bccf86fe3fba034afa",
            number % 1000
        ),
        "ndjson" => format!(
            r#"{{"event":"document.read","user":"u_{user}","name":"Ann Example","ts":"2026-11-22T00:39:11.123Z","doc":"d_{number}","ip":"203.0.113.9","result":"success","number":{number},"plan":"pro"}}"#
        ),
        "easysend" => {
            let mut payload: serde_json::Value =
                serde_json::from_str(PAYLOAD_A).expect("the fixture is JSON");
            payload["process_id"] = format!("p-{number}").into();
            payload.to_string()
        }
        "cloudevents" => format!(
            r#"{{"specversion":"1.0","id":"{number}","source":"/bench","type":"document.read","time":"2026-11-22T00:39:11.123Z","subject":"d_{number}","actorid":"u_1","data":{{"number":{number},"plan":"pro"}}}}"#
        ),
        "retraced" => format!(
            r#"{{"action":"document.read","crud":"r","group":{{"id":"bench","name":"Bench"}},"created":"2026-11-22T00:39:11.123Z","actor":{{"id":"u_1","name":"Ann Example"}},"target":{{"id":"d_{number}","type":"document"}},"source_ip":"203.0.113.9","fields":{{"number":"{number}"}}}}"#
        ),
        _ => format!(
            r#"{{"tenant":"bench","action":"document.read","occurred_at":"2026-11-22T00:39:11.123Z","actor":{{"type":"user","id":"u_{user}","name":"Ann Example"}},"targets":[{{"type":"document","id":"d_{number}"}}],"context":{{"ip":"203.0.113.9"}},"outcome":"success","metadata":{{"number":{number},"plan":"pro"}}}}"#
        ),
    }
}

/// Takes one batch through the door; returns how many events it gave.
fn batch(door: &str, lines: &[String]) -> usize {
    let limits = Limits::default();
    let mut scratch = Scratch::default();
    let mut taken = 0;
    let mut take = |json: &[u8], kind: Door| {
        accept(json, kind, &limits, &mut scratch);
        taken += 1;
    };
    match door {
        "formio" => {
            let mut reader = formio::Reader::default();
            let items = lines.iter().filter_map(|line| reader.push_line(line.as_bytes()));
            let mut items: Vec<formio::Item> = items.collect();
            items.extend(std::iter::from_fn(|| reader.finish()));
            for item in items {
                let id = item.event_id(&KEY, "bench");
                take(&item.submission(id, "bench"), Door::Adapter);
            }
        }
        "ndjson" => {
            let map = FieldMap::parse(MAP).expect("the map is valid");
            for line in lines {
                let mapped = map.map(line.as_bytes(), &limits).expect("a good line");
                take(&with_id(None, Some("bench"), &mapped.json), Door::Adapter);
            }
        }
        "easysend" => {
            for line in lines {
                let mapped = easysend::parse(line.as_bytes(), Some("bench"), &limits);
                take(&mapped.expect("a good line").json, Door::Adapter);
            }
        }
        "cloudevents" => {
            for line in lines {
                let mapped = cloudevents::parse(line.as_bytes(), &limits).expect("a good line");
                let id = foreign_id(&mapped.identity.1).to_string();
                take(&with_id(Some(&id), Some("bench"), &mapped.json), Door::Adapter);
            }
        }
        "retraced" => {
            for line in lines {
                let mapped = retraced::parse(line.as_bytes(), &limits).expect("a good line");
                std::hint::black_box(mapped.submitted.hash("01900000-0000-7000-8000-000000000000"));
                take(&mapped.json, Door::Adapter);
            }
        }
        _ => {
            for line in lines {
                take(line.as_bytes(), Door::Native);
            }
        }
    }
    taken
}

fn accept(json: &[u8], door: Door, limits: &Limits, scratch: &mut Scratch) {
    let context = intake::Context {
        now: Timestamp(1_795_307_951_123),
        actions: KnownActions::builtin(),
        limits,
        default_tenant: None,
    };
    let digest = DigestKey::new(&KEY);
    let accepted = intake::accept_with(json, door, &context, &digest, scratch);
    let accepted = accepted.unwrap_or_else(|wrong| panic!("{wrong:?}"));
    let fields = accepted.fields.iter();
    let hash = attestary_ledger::fields_hash(
        &[3; 16],
        fields.map(|field| (field.pointer, field.kind as u8, field.value.as_bytes())),
    );
    std::hint::black_box(hash);
    scratch.recycle(accepted);
}

/// The service's id of a foreign key: one keyed hash.
fn foreign_id(key: &str) -> EventId {
    let mut mac = Hmac::<Sha256>::new_from_slice(&KEY).expect("HMAC takes keys of any length");
    mac.update(key.as_bytes());
    let hash = mac.finalize().into_bytes();
    EventId(std::array::from_fn(|index| hash[index]))
}

/// As the service does it: id and tenant in front of what the adapter wrote.
fn with_id(id: Option<&str>, tenant: Option<&str>, json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len() + 96);
    out.push(b'{');
    for (name, value) in [("id", id), ("tenant", tenant)] {
        if let Some(value) = value {
            out.extend_from_slice(format!("\"{name}\":").as_bytes());
            write_string(value, &mut out);
            out.push(b',');
        }
    }
    out.extend_from_slice(json.get(1..).unwrap_or_default());
    out
}
