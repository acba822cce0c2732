//! What a record costs on one core.

use std::{hint::black_box, time::Duration};

use anyhow::Context as _;
use attestary_event::{
    EnvironmentId, Event, EventId, TenantId, Timestamp, View, actions::KnownActions,
};
use attestary_formats::Format;
use serde_json::Value;

use super::super::{
    figure::Figure,
    load::{Dice, Prepared},
};
use super::SEED;

/// Records per second of one core, without batches and sockets.
pub(super) fn encoding() -> anyhow::Result<Vec<Figure>> {
    let events = stored_events()?;
    let actions = KnownActions::builtin();
    let names = [
        ("encode.cef", r#"{"type":"cef"}"#),
        ("encode.ocsf", r#"{"type":"ocsf"}"#),
        ("encode.json", r#"{"type":"json"}"#),
    ];
    let mut figures = Vec::new();
    for (name, format) in names {
        let format: Format = serde_json::from_str(format)?;
        // Time on the processor: what else the machine does would count as ours.
        let (mut out, mut count, begun) = (Vec::new(), 0_u64, processor_time()?);
        while processor_time()? - begun < Duration::from_secs(2) {
            for event in &events {
                let fields = event.fields();
                out.clear();
                format.encode(&View { event, fields: &fields }, actions, &mut out);
                black_box(&out);
            }
            count += events.len() as u64;
        }
        figures.push(Figure::new(
            name,
            count as f64 / (processor_time()? - begun).as_secs_f64(),
            "events/s",
        ));
    }
    Ok(figures)
}

/// Returns how long this thread has been on a processor.
fn processor_time() -> anyhow::Result<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let first = text.split(' ').next().context("no time on the processor")?;
    Ok(Duration::from_nanos(first.parse()?))
}

/// The benchmark's events as they are stored.
fn stored_events() -> anyhow::Result<Vec<Event>> {
    let mut dice = Dice::new(SEED);
    let prepared = Prepared::new(1_000, "k", &mut dice);
    let mut events = Vec::new();
    for (index, (_, text, facts)) in prepared.each().enumerate() {
        let mut value: Value = serde_json::from_str(text)?;
        let object = value.as_object_mut().context("an event is an object")?;
        object.retain(|name, _| name != "id" && name != "tenant");
        object.insert("category".to_owned(), "access".into());
        object.insert("severity".to_owned(), 3.into());
        events.push(Event {
            id: EventId::v7(1_790_000_000_000, [index as u8; 10]),
            tenant: TenantId::restored(&facts.tenant),
            environment: EnvironmentId::restored("production"),
            seq: index as u64,
            received_at: Timestamp(1_790_000_000_000),
            flags: 0,
            leaf_hash: [7; 32],
            body: value.to_string().into_bytes().into(),
        });
    }
    Ok(events)
}
