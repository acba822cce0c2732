//! `/v1/events/tail`: events as Server-Sent Events, as they are accepted.
//!
//! Each event is `id: <seq>`, `event: event` and `data:` with its native JSON. When nothing comes, a comment is sent
//! every two seconds, with the seq up to which everything was looked at as the id: whoever comes back with it in
//! `Last-Event-ID` goes on from there. The last part is `event: end` with the reason.

use std::{convert::Infallible, io::Write as _};

use attestary_event::Event;
use attestary_service::{Tail, TailEnd, TailPart, Tailing};
use axum::{
    Extension,
    body::Body,
    extract::{RawQuery, State as Shared},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use tokio_util::sync::CancellationToken;

use crate::{
    app::State,
    extract::Authed,
    problem::Problem,
    query::{Query, wrong},
};

/// Cancelled when the listener that took a request stops: replies without an end must find one then.
#[derive(Debug, Clone, Default)]
pub(crate) struct Draining(pub(crate) CancellationToken);

/// Follow one tenant's events as they are accepted, as Server-Sent Events.
#[utoipa::path(
    get, path = "/v1/events/tail", tag = "events",
    params(
        ("tenant" = Option<String>, Query, description = "Whose log; needed unless the key is limited to one tenant"),
        ("filter" = Option<String>, Query, description = "Text in the filter language"),
        ("from_seq" = Option<u64>, Query, description = "The first seq to send; without it, what is accepted from now on"),
        ("Last-Event-ID" = Option<u64>, Header, description = "The last seq that was seen: goes on behind it, whatever from_seq says"),
    ),
    responses((status = 200, description = "`id: <seq>`, `event: event`, `data: <the event>` for each event; a comment every two seconds of silence; at the end `event: end` with the reason",
        content_type = "text/event-stream", body = String))
)]
pub(crate) async fn tail(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    draining: Option<Extension<Draining>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let tail = parse(query.as_deref(), &headers)?;
    let Extension(Draining(until)) = draining.unwrap_or_default();
    let tailing = state.service.tail(&caller, tail, until).await?;
    let mut response = Body::from_stream(frames(tailing)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // Proxies that collect replies would hold events back.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

fn parse(query: Option<&str>, headers: &HeaderMap) -> Result<Tail, Problem> {
    let query = Query::parse(query, &["tenant", "filter", "from_seq"])?;
    Ok(Tail {
        tenant: query.text("tenant").map(str::to_owned),
        filter: query.text("filter").unwrap_or_default().to_owned(),
        from_seq: last_seen(headers)?
            .map(|seq| seq.saturating_add(1))
            .or(query.number("from_seq")?),
    })
}

fn last_seen(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get("last-event-id").filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let seq = value.to_str().ok().and_then(|text| text.parse().ok());
    seq.map(Some)
        .ok_or_else(|| wrong("last-event-id", "is the id of an event of a tail: a whole number"))
}

fn frames(tailing: Tailing) -> impl futures::Stream<Item = Result<Bytes, Infallible>> {
    futures::stream::unfold(tailing, |mut tailing| async move {
        let part = tailing.parts.recv().await?;
        Some((Ok(frame(&part)), tailing))
    })
}

fn frame(part: &TailPart) -> Bytes {
    let mut out = Vec::new();
    match part {
        TailPart::Events(events) => events.iter().for_each(|event| write_event(event, &mut out)),
        TailPart::Idle { seq: Some(seq) } => drop(write!(out, ":\nid: {seq}\n\n")),
        TailPart::Idle { seq: None } => out.extend_from_slice(b":\n\n"),
        TailPart::End(end) => {
            drop(write!(out, "event: end\ndata: {{\"reason\":\"{}\"}}\n\n", reason(*end)));
        }
    }
    out.into()
}

/// Native JSON is one line: bodies are stored compact, and line ends in strings are escaped.
fn write_event(event: &Event, out: &mut Vec<u8>) {
    out.reserve(event.body.len() + 384);
    let _ = write!(out, "id: {}\nevent: event\ndata: ", event.seq);
    event.write_json(out);
    out.extend_from_slice(b"\n\n");
}

fn reason(end: TailEnd) -> &'static str {
    match end {
        TailEnd::Stopping => "stopping",
        TailEnd::KeyInvalid => "key-invalid",
        TailEnd::LogDeleted => "log-deleted",
        TailEnd::TooSlow => "too-slow",
        TailEnd::Failed => "failed",
    }
}
