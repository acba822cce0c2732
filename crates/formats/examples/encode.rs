//! What a format costs: records per second of one processor, from events in memory.
//!
//! ```text
//! cargo run --release -p attestary-formats --example encode [SECONDS] [FORMAT …]
//! ```
//!
//! Two figures for each format: `encode` of events whose fields were read before, as destinations of one batch share
//! them, and `whole` with the reading of the stored body. The events are the two golden ones and the benchmark's usual
//! shape (12 fields, about 650 bytes of JSON). Time is that of the thread, so what else the machine does counts little.

#![expect(clippy::print_stdout, reason = "the figures are its output")]

use std::{hint::black_box, time::Duration};

use attestary_event::{Event, Fields, View, actions::KnownActions};
use attestary_formats::{format::Format, json};

const FORMATS: [&str; 12] = [
    "json",
    "cef",
    "leef",
    "ecs",
    "ocsf",
    "structured-data",
    "cloudevents",
    "otlp",
    "asim",
    "udm",
    "csv",
    "easysend",
];

fn main() {
    let mut arguments = std::env::args().skip(1).peekable();
    let seconds = arguments.next_if(|text| text.parse::<f64>().is_ok());
    let time = Duration::from_secs_f64(seconds.and_then(|text| text.parse().ok()).unwrap_or(1.0));
    let chosen: Vec<String> = arguments.collect();
    let events: Vec<Event> = (0..500).map(event).collect();
    let fields: Vec<Fields> = events.iter().map(Event::fields).collect();
    let read = rate(time, events.len(), || {
        for event in &events {
            black_box(event.fields());
        }
    });
    println!("{:16} {read:>12.0} /s", "read the body");
    for name in
        FORMATS.iter().filter(|name| chosen.is_empty() || chosen.iter().any(|one| one == *name))
    {
        let format: Format =
            serde_json::from_str(&format!(r#"{{"type":"{name}"}}"#)).expect("a format");
        let mut out = Vec::new();
        let mut encode = |event: &Event, fields: &Fields| {
            out.clear();
            format.encode(&View { event, fields }, KnownActions::builtin(), &mut out);
            black_box(&out);
        };
        let alone = rate(time, events.len(), || {
            for (event, fields) in events.iter().zip(&fields) {
                encode(event, fields);
            }
        });
        let whole = rate(time, events.len(), || {
            for event in &events {
                encode(event, &event.fields());
            }
        });
        println!("{name:16} {alone:>12.0} /s encode {whole:>12.0} /s whole");
    }
}

/// Returns how often `act`, which handles `count` items, handles one in a second of this thread's processor time.
fn rate(time: Duration, count: usize, mut act: impl FnMut()) -> f64 {
    let (begun, mut done) = (processor_time(), 0);
    loop {
        act();
        done += count;
        let taken = processor_time() - begun;
        if taken >= time {
            return done as f64 / taken.as_secs_f64();
        }
    }
}

/// Returns how long this thread has been on a processor.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")
        .expect("Linux with statistics of the scheduler");
    let nanoseconds = text.split(' ').next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanoseconds.expect("the first number is the time on the processor"))
}

/// Returns an event of the usual shape.
fn event(number: u64) -> Event {
    let (user, document) = (number % 97, number % 499);
    let line = format!(
        r#"{{"id":"01930b5e-5a53-709e-8f3c-{number:012x}","tenant":"tenant-{user:04}","environment":"production","seq":{number},"received_at":"2026-11-22T00:55:19.123Z","action":"document.opened","actor":{{"email":"user{user}@example.com","id":"usr_{user:06}","name":"Person Number {user}","type":"user"}},"category":"access","context":{{"ip":"10.1.{user}.7","request_id":"req_{number:016x}","user_agent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"}},"metadata":{{"plan":"enterprise","region":"eu-central-1","number":{number},"folder":"quarterly reports"}},"occurred_at":"2026-11-22T00:55:19.001Z","outcome":"success","severity":3,"targets":[{{"id":"doc_{document}","name":"Budget {document}","type":"document"}}],"leaf_hash":"{}"}}"#,
        "ab".repeat(32)
    );
    json::decode(line.as_bytes()).expect("the event is well formed")
}
