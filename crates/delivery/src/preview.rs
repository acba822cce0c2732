//! What a destination would send, for people to look at before it sends anything.

use attestary_event::{Event, Timestamp, View, actions::KnownActions};

use crate::{
    batch::{self, Batch, Kind},
    destination::{Envelope, Request},
    secret::Secrets,
    spec::Spec,
};

/// One event as it would stand in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Position in the log.
    pub seq: u64,
    /// Identity of the event, as text.
    pub event: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What would be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// Where to and how, without paths, queries and headers.
    pub request: String,
    /// The events.
    pub records: Vec<Record>,
    /// The body of one request that holds them, before compression; empty without events.
    pub body: Vec<u8>,
}

/// Encodes events as a destination would. The filter is not asked.
pub fn of(
    spec: &Spec,
    secrets: &Secrets,
    events: &[Event],
    actions: &KnownActions,
    at: Timestamp,
) -> Preview {
    let request = spec.destination.summary();
    let (mut bytes, mut records) = (Vec::new(), Vec::new());
    for event in events {
        let (start, fields) = (bytes.len(), event.fields());
        let view = View { event, fields: &fields };
        spec.destination.encode(&view, &spec.format, actions, &mut bytes);
        records.push(batch::Record {
            seq: event.seq,
            id: event.id,
            received_at: event.received_at,
            leaf_hash: event.leaf_hash,
            bytes: start..bytes.len(),
        });
    }
    let shown = records.iter().map(|record| Record {
        seq: record.seq,
        event: record.id.to_string(),
        bytes: bytes[record.bytes.clone()].to_vec(),
    });
    let shown: Vec<Record> = shown.collect();
    let (Some(first), Some(last)) = (shown.first(), shown.last()) else {
        return Preview { request, records: Vec::new(), body: Vec::new() };
    };
    let id = format!("{}-{}-{}", spec.label(), first.seq, last.seq);
    let (from_seq, next_seq) = (first.seq, last.seq + 1);
    let batch = Batch { from_seq, next_seq, records, bytes, kind: Kind::Events };
    let envelope = Envelope { id: &id, at, secrets, format: &spec.format, spec };
    let body = body(spec.destination.request(&batch, &envelope));
    Preview { request, records: shown, body }
}

fn body(request: Request) -> Vec<u8> {
    match request {
        Request::Http { body, .. } | Request::Lines(body) => body.to_vec(),
        Request::Stream { bytes, .. } => bytes.to_vec(),
        Request::Datagrams(datagrams) => datagrams.concat(),
        Request::Exchange(exchange) => exchange.body.to_vec(),
        Request::Object(put) => put.body.to_vec(),
        Request::Mail(mail) => mail.message,
        Request::Messages(messages) => {
            messages.into_iter().flat_map(|message| message.payload).collect()
        }
        Request::Produce(produce) => {
            produce.records.into_iter().flat_map(|record| record.value).collect()
        }
    }
}
