//! A certificate of one transaction: what a person shows to a court, as JSON for programs and as PDF for readers.
//!
//! Both say the same. The JSON holds every event whole, number tokens exact, with the entry, the seed and the proof that
//! show it to be in the log; the PDF shows header, events, hashes and checkpoint, and carries the JSON as an attached
//! file whose SHA-256 is printed. Pure: no clock, no I/O, no randomness.

mod document;
mod pdf;
#[cfg(test)]
mod tests;
mod typeface;

use attestary_event::{Event, Timestamp, View, actions::KnownActions, event::hex};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::{Value, value::RawValue};
use sha2::{Digest as _, Sha256};

use crate::texts;

/// What the word "certificate" means in its first member, for readers of the JSON.
pub const KIND: &str = "attestary-certificate";
/// Form of the JSON; a later one only adds members.
pub const VERSION: u32 = 1;

/// One event of the transaction with what proves it.
#[derive(Debug, Clone)]
pub struct Item {
    /// The event.
    pub event: Event,
    /// What its leaf is the hash of.
    pub entry: Vec<u8>,
    /// Source of the salts of its fields; absent when fields were erased, whose values it could be used to guess.
    pub seed: Option<[u8; 16]>,
    /// A `.tlog-proof` file under the certificate's checkpoint.
    pub proof: String,
}

/// Everything that a certificate says.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The id that the events have in common.
    pub transaction: String,
    /// The member that holds it, such as `context.request_id`; absent when any may.
    pub by: Option<String>,
    /// When it was made.
    pub made_at: Timestamp,
    /// Who asked for it.
    pub made_by: String,
    /// Name of the tenant's log.
    pub origin: String,
    /// Events that the checkpoint covers.
    pub size: u64,
    /// Root over them.
    pub root: [u8; 32],
    /// The signed checkpoint.
    pub checkpoint: String,
    /// The events in the order of the log; at least one.
    pub items: Vec<Item>,
}

/// What stands above the events.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Header {
    title: String,
    environment: String,
    tenant: String,
    transaction: Transaction,
    /// The actor of the first event.
    originator: Value,
    /// The first target of the first event that has one: for EasySend the process, whose type is the session's.
    process: Value,
    status: Status,
    began_at: String,
    ended_at: String,
    events: usize,
    made_at: String,
    made_by: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Transaction {
    id: String,
    by: Option<String>,
    request_ids: Vec<String>,
    session_ids: Vec<String>,
    parent_session_ids: Vec<String>,
}

/// Where the transaction stands: its last event.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Status {
    action: String,
    name: String,
    outcome: Option<String>,
    at: String,
}

#[derive(Serialize)]
struct Whole<'a> {
    r#type: &'static str,
    version: u32,
    #[serde(flatten)]
    header: Header,
    log: Log<'a>,
    data: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Log<'a> {
    origin: &'a str,
    size: u64,
    root: String,
    checkpoint: &'a str,
}

#[derive(Serialize)]
struct Line<'a> {
    event: Box<RawValue>,
    entry: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<String>,
    proof: &'a str,
}

impl Certificate {
    /// Returns the certificate as one JSON object. The events stand in it as the API gives them, to the byte.
    pub fn to_json(&self, actions: &KnownActions) -> Vec<u8> {
        let whole = Whole {
            r#type: KIND,
            version: VERSION,
            header: self.header(actions),
            log: Log {
                origin: &self.origin,
                size: self.size,
                root: STANDARD.encode(self.root),
                checkpoint: &self.checkpoint,
            },
            data: self.items.iter().filter_map(line).collect(),
        };
        serde_json::to_vec_pretty(&whole).expect("texts, numbers and events are JSON")
    }

    /// Returns the certificate as a PDF with its JSON attached.
    pub fn to_pdf(&self, actions: &KnownActions) -> Vec<u8> {
        let json = self.to_json(actions);
        let digest = hex(&Sha256::digest(&json));
        let pages = document::pages(self, &self.header(actions), &digest, actions);
        pdf::write(&pages, &self.title(), self.made_at, &json)
    }

    fn title(&self) -> String {
        format!("Certificate of transaction {}", self.transaction)
    }

    fn header(&self, actions: &KnownActions) -> Header {
        let fields: Vec<_> = self.items.iter().map(|item| item.event.fields()).collect();
        let views: Vec<View<'_>> = self
            .items
            .iter()
            .zip(&fields)
            .map(|(item, fields)| View { event: &item.event, fields })
            .collect();
        let ids = |pointer: &str| {
            let mut found: Vec<String> = Vec::new();
            for text in views.iter().filter_map(|view| view.text(pointer)) {
                if !found.iter().any(|known| known == text) {
                    found.push(text.to_owned());
                }
            }
            found
        };
        let member = |view: &View<'_>, name: &str| -> Value {
            let body: Option<Value> = serde_json::from_slice(&view.event.body).ok();
            body.and_then(|body| body.pointer(name).cloned()).unwrap_or_default()
        };
        let process = views.iter().map(|view| member(view, "/targets/0")).find(|it| !it.is_null());
        let when = |view: &View<'_>| occurred_at(view).to_string();
        let last = views.last();
        let action = last.and_then(|view| view.text("/action")).unwrap_or_default();
        Header {
            title: self.title(),
            environment: self
                .items
                .first()
                .map_or_else(String::new, |item| item.event.environment.to_string()),
            tenant: self
                .items
                .first()
                .map_or_else(String::new, |item| item.event.tenant.to_string()),
            transaction: Transaction {
                id: self.transaction.clone(),
                by: self.by.clone(),
                request_ids: ids("/context/request_id"),
                session_ids: ids("/context/session_id"),
                parent_session_ids: ids("/context/parent_session_id"),
            },
            originator: views.first().map(|view| member(view, "/actor")).unwrap_or_default(),
            process: process.unwrap_or_default(),
            status: Status {
                action: action.to_owned(),
                name: texts::name(action, actions).into_owned(),
                outcome: last.and_then(|view| view.text("/outcome")).map(str::to_owned),
                at: last.map(when).unwrap_or_default(),
            },
            began_at: views.first().map(when).unwrap_or_default(),
            ended_at: last.map(when).unwrap_or_default(),
            events: self.items.len(),
            made_at: self.made_at.to_string(),
            made_by: self.made_by.clone(),
        }
    }
}

fn line(item: &Item) -> Option<Line<'_>> {
    let mut event = Vec::new();
    item.event.write_json(&mut event);
    let event = String::from_utf8(event).ok()?;
    Some(Line {
        event: RawValue::from_string(event).ok()?,
        entry: STANDARD.encode(&item.entry),
        seed: item.seed.as_ref().map(|seed| hex(seed)),
        proof: &item.proof,
    })
}

fn occurred_at(view: &View<'_>) -> Timestamp {
    view.text("/occurred_at").and_then(Timestamp::parse).unwrap_or(view.event.received_at)
}
