//! `/v1/events`: submit, search, read one.

use attestary_event::{Event, EventId};
use attestary_service::{Found, Order, Search, Wanted, cef_record, search_limits};
use axum::{
    extract::{Path, RawQuery, State as Shared},
    response::{IntoResponse as _, Response},
};
use http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::proofs::with_type;
use crate::{
    app::State,
    extract::{Authed, Posted},
    problem::Problem,
    query::Query,
    receipts::{self, json},
};

/// What a submitter keeps.
#[derive(Serialize, ToSchema)]
pub(crate) struct Receipt {
    /// Identity of the event within its tenant: the submitted one, or a new one.
    id: String,
    tenant: String,
    /// Dense position in the tenant's log, from 1.
    seq: u64,
    received_at: String,
    /// Hash of the log entry, 64 hexadecimal digits.
    leaf_hash: String,
    /// The event was accepted before; this is its first receipt.
    duplicate: bool,
    /// Name of the log. With receipt=full or wait=proof.
    origin: Option<String>,
    /// The 88-byte log entry, Base64. With receipt=full.
    entry: Option<String>,
    /// Source of the fields' salts, 32 hexadecimal digits. With receipt=full.
    seed: Option<String>,
    /// The event as committed. With receipt=full.
    #[schema(value_type = Option<Object>)]
    payload: Option<serde_json::Value>,
    /// A .tlog-proof file. With wait=proof; null when it cannot be had now.
    proof: Option<String>,
    /// Why there is no proof; the event is accepted all the same.
    proof_error: Option<String>,
}

/// Receipts of a batch in input order; a failed event's place holds a problem instead.
#[derive(Serialize, ToSchema)]
pub(crate) struct Receipts {
    data: Vec<Receipt>,
}

/// A page of events.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventPage {
    data: Vec<serde_json::Value>,
    /// Pass it as `cursor` to go on. Null: nothing more now. An empty page with a cursor: the scan budget was spent.
    next_cursor: Option<String>,
}

/// Submit one event, an array of events, or one event a line.
///
/// An event is accepted when it is on stable storage and has its place in the log. Validation is all or nothing;
/// sending the same body again is safe when the events have ids.
#[utoipa::path(
    post, path = "/v1/events", tag = "events",
    params(
        ("wait" = Option<String>, Query, description = "proof: answer when the events are under a checkpoint, with their proofs"),
        ("receipt" = Option<String>, Query, description = "full: receipts hold all that is needed to compute the leaf again"),
    ),
    request_body(description = "One event, an array of at most 1,000, or NDJSON; gzip or zstd; see docs/reference/event.md",
        content((serde_json::Value = "application/json"), (String = "application/x-ndjson"))),
    responses(
        (status = 201, description = "Accepted; something is new", body = Receipt),
        (status = 200, description = "Everything was accepted before", body = Receipt),
        (status = 207, description = "Some events of the batch failed", body = Receipts),
    )
)]
pub(crate) async fn submit(
    Shared(state): Shared<State>,
    RawQuery(query): RawQuery,
    posted: Posted,
) -> Result<Response, Problem> {
    let wanted = wanted(query.as_deref())?;
    let form = posted.form()?;
    let Posted { caller, body, room, .. } = posted;
    let submitted = state.service.submit(&caller, body, form).await?;
    drop(room);
    let evidence = if wanted == Wanted::default() {
        Vec::new()
    } else {
        state.service.evidence(&caller, &submitted.outcomes, wanted).await?
    };
    receipts::reply(&submitted, wanted, &evidence)
}

fn wanted(query: Option<&str>) -> Result<Wanted, Problem> {
    let query = Query::parse(query, &["wait", "receipt"])?;
    Ok(Wanted {
        proof: query.choice("wait", &["proof"])?.is_some(),
        full: query.choice("receipt", &["full"])?.is_some(),
    })
}

/// Search one tenant's log, newest first.
#[utoipa::path(
    get, path = "/v1/events", tag = "events",
    params(
        ("tenant" = Option<String>, Query, description = "Whose log; needed unless the key is limited to one tenant"),
        ("filter" = Option<String>, Query, description = "Text in the filter language"),
        ("from" = Option<String>, Query, description = "Only events that happened at or after this time"),
        ("to" = Option<String>, Query, description = "Only events that happened before this time"),
        ("order" = Option<String>, Query, description = "desc (default) or asc"),
        ("limit" = Option<u32>, Query, description = "1 to 1,000; 50 by default"),
        ("cursor" = Option<String>, Query, description = "next_cursor of the page before"),
    ),
    responses((status = 200, description = "A page", body = EventPage))
)]
pub(crate) async fn search(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let found = state.service.search(&caller, parse(query.as_deref())?).await?;
    Ok(json(StatusCode::OK, page(&found)))
}

fn parse(query: Option<&str>) -> Result<Search, Problem> {
    let query =
        Query::parse(query, &["tenant", "filter", "from", "to", "order", "limit", "cursor"])?;
    let order = match query.choice("order", &["desc", "asc"])? {
        Some(1) => Order::Ascending,
        _ => Order::Descending,
    };
    Ok(Search {
        tenant: query.text("tenant").map(str::to_owned),
        filter: query.text("filter").unwrap_or_default().to_owned(),
        from: query.time("from")?,
        to: query.time("to")?,
        order,
        limit: query.count("limit", search_limits::MAX)?.unwrap_or(search_limits::DEFAULT),
        cursor: query.text("cursor").map(str::to_owned),
    })
}

/// Writes the page without parsing a body: the stored text is spliced in.
fn page(found: &Found) -> Vec<u8> {
    let bytes: usize = found.events.iter().map(|event| event.body.len() + 384).sum();
    let mut out = Vec::with_capacity(bytes + 128);
    out.extend_from_slice(b"{\"data\":[");
    for (index, event) in found.events.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        event.write_json(&mut out);
    }
    out.extend_from_slice(b"],\"next_cursor\":");
    match &found.next_cursor {
        // Cursors are base64url: nothing in them needs escaping.
        Some(cursor) => {
            out.push(b'"');
            out.extend_from_slice(cursor.as_bytes());
            out.push(b'"');
        }
        None => out.extend_from_slice(b"null"),
    }
    out.push(b'}');
    out
}

/// Returns events as the JSON they are stored as.
pub(crate) fn raw(events: &[Event]) -> Vec<Box<RawValue>> {
    let json = events.iter().map(|event| {
        let mut out = Vec::with_capacity(event.body.len() + 384);
        event.write_json(&mut out);
        String::from_utf8(out).ok().and_then(|text| RawValue::from_string(text).ok())
    });
    json.flatten().collect()
}

/// Read one event by its id.
#[utoipa::path(
    get, path = "/v1/events/{id}", tag = "events",
    params(
        ("id" = String, Path, description = "The event's UUID"),
        ("tenant" = Option<String>, Query, description = "Whose log; needed unless the key is limited to one tenant"),
        ("format" = Option<String>, Query, description = "json (default), or cef: one record as exports and destinations write it"),
    ),
    responses((status = 200, description = "The event", content(
        (serde_json::Value = "application/json"), (String = "text/plain"))))
)]
pub(crate) async fn one(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = Query::parse(query.as_deref(), &["tenant", "format"])?;
    let as_cef = query.choice("format", &["json", "cef"])? == Some(1);
    let id = EventId::parse(&id).ok_or_else(Problem::not_found)?;
    let event = state.service.event(&caller, query.text("tenant"), id).await?;
    if as_cef {
        return Ok(with_type(cef_record(&event).into_response(), "text/plain; charset=utf-8"));
    }
    let mut out = Vec::with_capacity(event.body.len() + 384);
    event.write_json(&mut out);
    Ok(json(StatusCode::OK, out))
}
