use super::*;
use attestary_event::{
    Fields, Kind, Limits, Timestamp,
    actions::KnownActions,
    intake::{Accepted, Context, DigestKey, Door, accept},
};

mod documented;
mod forged;
mod kept;
mod shapes;

const LOG: &str = include_str!("../../../fixtures/formio/documented.log");

/// A project, a session, a user and three more ids; the request of every line that names no other.
const PROJECT: &str = "659d83632824949f20a882e1";
const SESSION: &str = "662a9137cf86fe3fba034396";
const USER: &str = "659d83632824949f20a88389";
const A: &str = "662aa865cf86fe3fba034d96";
const B: &str = "662aa7bccf86fe3fba034afa";
const UUID: &str = "27759aa2-085b-4719-9193-5bad3fad74a2";

/// Reads a whole log.
fn read(log: &[u8]) -> Vec<Item> {
    let mut reader = Reader::default();
    let mut items: Vec<Item> =
        log.split_inclusive(|b| *b == b'\n').filter_map(|line| reader.push_line(line)).collect();
    items.extend(std::iter::from_fn(|| reader.finish()));
    items
}

/// Sends an item through intake, as an import does.
#[track_caller]
fn accepted(item: &Item) -> Accepted {
    let context = Context {
        now: Timestamp(1_795_307_951_123),
        actions: KnownActions::builtin(),
        limits: &Limits::default(),
        default_tenant: None,
    };
    let id = item.event_id(&[7; 32], "t");
    let submission = item.submission(id, "t");
    let accepted = accept(&submission, Door::Adapter, &context, &DigestKey::new(&[0; 32])).unwrap();
    assert_eq!((accepted.id, accepted.tenant.as_str()), (Some(id), "t"));
    accepted
}

/// Reads a log of one event that intake accepts.
#[track_caller]
fn read_one(log: &str) -> (Item, Fields) {
    let [item] = <[Item; 1]>::try_from(read(log.as_bytes())).unwrap();
    accepted(&item);
    let fields = Fields::parse(&item.json, &Limits::default()).unwrap();
    (item, fields)
}

/// A line with the usual date and uuid.
fn line(event: &str, rest: &str) -> String {
    format!("2024-04-25T14:50:03.172Z {event} {UUID} {rest}")
}

/// The event without `labels` and `source`, so as every way of writing a line gives it.
fn without_source(item: &Item) -> String {
    let json = std::str::from_utf8(&item.json).unwrap();
    let end = json.rfind(",\"source\":").unwrap();
    json[..end].to_owned()
}

/// Lists the fields as `pointer=value`, leaving out what every line has.
fn list(fields: &Fields) -> Vec<String> {
    let skipped =
        ["/action", "/occurred_at", "/context/request_id", "/source/system", "/source/raw"];
    let shown = fields.iter().filter(|field| !skipped.contains(&field.pointer));
    shown.map(|field| format!("{}={}", field.pointer, field.text().unwrap_or("~"))).collect()
}

/// Checks the fields of one line.
#[track_caller]
fn check(log: &str, expected: &[&str]) {
    let (item, fields) = read_one(log);
    assert_eq!(list(&fields), expected, "{}", String::from_utf8_lossy(&item.json));
}

/// Checks that each line is the raw text of its event.
#[track_caller]
fn raw(fields: &Fields) -> String {
    let field = fields.get("/source/raw").or_else(|| fields.get("/metadata/raw")).unwrap();
    assert_eq!(field.kind, Kind::String);
    field.value.to_owned()
}
