//! `/v1/events/histogram` and `/v1/events/facets`: counts of one tenant's events.

use attestary_service::{Division, Edge, FacetField, Selection, count_limits as limits};
use axum::{
    extract::{RawQuery, State as Shared},
    response::Response,
};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::reply;
use crate::{
    app::State,
    extract::Authed,
    problem::Problem,
    query::{Query, shortened, wrong},
};

/// Counts of events over the time at which they happened.
#[derive(Serialize, ToSchema)]
pub(crate) struct Histogram {
    /// Length of each bucket in milliseconds; null when there is no bucket.
    interval_ms: Option<i64>,
    /// Every bucket of the time, also those without events, oldest first.
    data: Vec<Bucket>,
    /// Events in all buckets.
    events: u64,
    /// False when the scan budget was spent first: then events before `complete_from` are not counted.
    complete: bool,
    complete_from: Option<CompleteFrom>,
}

/// Events of one stretch of time, by outcome.
#[derive(Serialize, ToSchema)]
pub(crate) struct Bucket {
    /// When it begins; it ends where the next one begins.
    start: String,
    success: u64,
    failure: u64,
    denied: u64,
    unknown: u64,
}

/// From where on a count is complete.
#[derive(Serialize, ToSchema)]
pub(crate) struct CompleteFrom {
    /// Every event from this seq on was looked at, none before it. Ask for the rest with `seq<` and this number in the filter.
    seq: u64,
    /// When the event of that seq was received.
    received_at: String,
}

/// The most frequent values of fields.
#[derive(Serialize, ToSchema)]
pub(crate) struct Facets {
    /// In the order asked for.
    data: Vec<Facet>,
    /// Events that match.
    events: u64,
    /// False when the scan budget was spent first: then events before `complete_from` are not counted.
    complete: bool,
    complete_from: Option<CompleteFrom>,
}

/// The values of one field.
#[derive(Serialize, ToSchema)]
pub(crate) struct Facet {
    /// As it was asked for.
    field: String,
    /// Most frequent first.
    values: Vec<FacetValue>,
    /// Counts of the values that are not listed, together.
    other: u64,
    /// Events without a value.
    missing: u64,
    /// Different values that were told apart, the listed ones included.
    distinct: usize,
    /// There were more different values than are told apart, or values of more than 256 bytes: they are in `other`.
    capped: bool,
}

/// One value and the events that have it.
#[derive(Serialize, ToSchema)]
pub(crate) struct FacetValue {
    /// Strings as they are, numbers and truth values as their text.
    value: String,
    count: u64,
}

/// Count one tenant's events over the time at which they happened, by outcome.
#[utoipa::path(
    get, path = "/v1/events/histogram", tag = "events",
    params(
        ("tenant" = Option<String>, Query, description = "Whose log; needed unless the key is limited to one tenant"),
        ("filter" = Option<String>, Query, description = "Text in the filter language"),
        ("from" = Option<String>, Query, description = "Only events that happened at or after this time; else from the first one on"),
        ("to" = Option<String>, Query, description = "Only events that happened before this time; else to the last one"),
        ("buckets" = Option<u32>, Query, description = "At most so many buckets of a round length: 2 to 500; 60 by default"),
        ("interval" = Option<String>, Query, description = "Length of the buckets instead, such as 15m: a number and ms, s, m, h, d or w"),
    ),
    responses((status = 200, description = "The counts", body = Histogram))
)]
pub(crate) async fn histogram(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let known = ["tenant", "filter", "from", "to", "buckets", "interval"];
    let query = Query::parse(query.as_deref(), &known)?;
    let division = division(&query)?;
    let found = state.service.histogram(&caller, selection(&query)?, division).await?;
    let buckets = found.counts.axis.iter().flat_map(|axis| {
        let counts = found.counts.counts.iter().enumerate();
        counts.map(|(index, counts)| bucket(axis.start(index).to_string(), *counts))
    });
    let view = Histogram {
        interval_ms: found.counts.axis.map(|axis| axis.length_ms),
        data: buckets.collect(),
        events: found.counts.counts.iter().flatten().sum(),
        complete: found.edge.is_none(),
        complete_from: found.edge.map(complete_from),
    };
    Ok(reply(StatusCode::OK, &view))
}

/// Count the most frequent values of fields among one tenant's events.
#[utoipa::path(
    get, path = "/v1/events/facets", tag = "events",
    params(
        ("tenant" = Option<String>, Query, description = "Whose log; needed unless the key is limited to one tenant"),
        ("filter" = Option<String>, Query, description = "Text in the filter language"),
        ("from" = Option<String>, Query, description = "Only events that happened at or after this time"),
        ("to" = Option<String>, Query, description = "Only events that happened before this time"),
        ("fields" = Option<String>, Query, description = "Paths of the filter language between commas, at most 10, such as action,actor.id,metadata.plan"),
        ("group_by" = Option<String>, Query, description = "Another name of fields; one of the two is needed"),
        ("min_count" = Option<u64>, Query, description = "List only values that occur so often"),
        ("limit" = Option<u32>, Query, description = "Values listed for each field: 1 to 100; 10 by default"),
    ),
    responses((status = 200, description = "The counts", body = Facets))
)]
pub(crate) async fn facets(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = Query::parse(query.as_deref(), &FACET_PARAMETERS)?;
    let least = query.number("min_count")?.unwrap_or(0);
    let limit = query.count("limit", limits::VALUES_MAX)?.unwrap_or(limits::VALUES_DEFAULT);
    let fields = fields(&query)?;
    let found = state.service.facets(&caller, selection(&query)?, fields, limit).await?;
    let view = Facets {
        data: found
            .fields
            .into_iter()
            .map(|(name, facet)| facet_view(name, facet, least))
            .collect(),
        events: found.events,
        complete: found.edge.is_none(),
        complete_from: found.edge.map(complete_from),
    };
    Ok(reply(StatusCode::OK, &view))
}

const FACET_PARAMETERS: [&str; 8] =
    ["tenant", "filter", "from", "to", "fields", "group_by", "min_count", "limit"];

fn selection(query: &Query<'_>) -> Result<Selection, Problem> {
    Ok(Selection {
        tenant: query.text("tenant").map(str::to_owned),
        filter: query.text("filter").unwrap_or_default().to_owned(),
        from: query.time("from")?,
        to: query.time("to")?,
    })
}

fn division(query: &Query<'_>) -> Result<Division, Problem> {
    let buckets = query.count_from("buckets", 2, limits::BUCKETS_MAX)?;
    match (query.length_ms("interval")?, buckets) {
        (Some(_), Some(_)) => Err(wrong(
            "interval",
            "cannot be given together with \"buckets\": one follows from the other",
        )),
        (Some(length_ms), None) => Ok(Division::Every(length_ms)),
        (None, buckets) => Ok(Division::Buckets(buckets.unwrap_or(limits::BUCKETS_DEFAULT))),
    }
}

fn fields(query: &Query<'_>) -> Result<Vec<FacetField>, Problem> {
    let names = match (query.list("fields"), query.list("group_by")) {
        (Some(_), Some(_)) => {
            return Err(wrong("group_by", "is another name of \"fields\": give one of them"));
        }
        (one, other) => one.or(other),
    };
    let Some(names) = names else {
        return Err(wrong("fields", "is required: paths between commas, such as action,actor.id"));
    };
    if names.len() > limits::FIELDS_MAX {
        let detail =
            format!("has at most {} paths; this one has {}", limits::FIELDS_MAX, names.len());
        return Err(wrong("fields", &detail));
    }
    let mut fields: Vec<FacetField> = Vec::with_capacity(names.len());
    for name in names {
        if fields.iter().any(|field| field.name == name) {
            return Err(wrong("fields", &format!("names {:?} more than once", shortened(name))));
        }
        let field = FacetField::parse(name);
        let refused = |reason| wrong("fields", &format!("names {:?}: {reason}", shortened(name)));
        fields.push(field.map_err(refused)?);
    }
    Ok(fields)
}

fn bucket(start: String, [success, failure, denied, unknown]: [u64; 4]) -> Bucket {
    Bucket { start, success, failure, denied, unknown }
}

/// Returns the values that occur at least `least` times.
pub(crate) fn facet_view(field: String, facet: attestary_service::Facet, least: u64) -> Facet {
    let values = facet.values.into_iter().filter(|value| value.events >= least);
    Facet {
        field,
        values: values
            .map(|value| FacetValue { value: value.value.into(), count: value.events })
            .collect(),
        other: facet.other,
        missing: facet.missing,
        distinct: facet.distinct,
        capped: facet.capped,
    }
}

fn complete_from(edge: Edge) -> CompleteFrom {
    CompleteFrom { seq: edge.seq, received_at: edge.received_at.to_string() }
}
