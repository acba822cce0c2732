//! `POST /ingest/formio`: lines of a Form.io server's audit log.

use attestary_service::{FormioReport, FormioTenant};
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
    extract::{Posted, media_type, unsupported},
    problem::Problem,
    query::Query,
};

/// What became of the lines.
#[derive(Serialize, ToSchema)]
#[schema(as = FormioReport)]
pub(crate) struct ReportView {
    lines: u64,
    /// Events made from them: several lines may be one event.
    events: u64,
    /// Events that are new.
    accepted: u64,
    /// Events that were there already.
    duplicates: u64,
    /// Events with a flag: odd, or suspected of being forged.
    flagged: u64,
    /// Events made from text that is no audit line.
    unparsed: u64,
    /// Events that were not accepted.
    refused: u64,
    /// Lines that were thrown away because the source is switched off.
    switched_off: u64,
    /// The first 1,000 flagged ones.
    flagged_lines: Vec<FlaggedLine>,
    /// The first 1,000 refused ones.
    refused_lines: Vec<RefusedLine>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct FlaggedLine {
    line: u64,
    flags: Vec<&'static str>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RefusedLine {
    line: u64,
    detail: String,
}

/// Import lines of a Form.io audit log.
#[utoipa::path(
    post, path = "/ingest/formio", tag = "adapters",
    request_body(content = String, content_type = "text/plain", description = "Lines, gzip or zstd too"),
    params(("tenant" = Option<String>, Query, description = "Whose lines; without it each line's project id names it")),
    responses((status = 200, description = "Every line that can be kept is kept", body = ReportView))
)]
pub(crate) async fn import(
    Shared(state): Shared<State>,
    RawQuery(query): RawQuery,
    posted: Posted,
) -> Result<Response, Problem> {
    let query = Query::parse(query.as_deref(), &["tenant"])?;
    if let Some(other) = media_type(&posted.headers).filter(|media| !TEXT.contains(&media.as_str()))
    {
        return Err(unsupported(&other, "text/plain"));
    }
    let tenant = query
        .text("tenant")
        .map_or(FormioTenant::Project, |tenant| FormioTenant::Fixed(tenant.to_owned()));
    let report = state.service.formio_log(&posted.caller, posted.body, tenant).await?;
    drop(posted.room);
    Ok(reply(StatusCode::OK, &view(report)))
}

/// Lines come as text; docker's wrapped ones as a kind of NDJSON; log shippers say nothing in particular.
const TEXT: [&str; 5] = [
    "text/plain",
    "application/octet-stream",
    "application/x-ndjson",
    "application/gzip",
    "application/x-www-form-urlencoded",
];

fn view(report: FormioReport) -> ReportView {
    let flagged = report.flagged_lines.into_iter().map(|(line, flags)| FlaggedLine { line, flags });
    let refused =
        report.refused_lines.into_iter().map(|(line, detail)| RefusedLine { line, detail });
    ReportView {
        lines: report.lines,
        events: report.events,
        accepted: report.accepted,
        duplicates: report.duplicates,
        flagged: report.flagged,
        unparsed: report.unparsed,
        refused: report.refused,
        switched_off: report.switched_off,
        flagged_lines: flagged.collect(),
        refused_lines: refused.collect(),
    }
}
