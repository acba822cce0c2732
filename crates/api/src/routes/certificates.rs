//! `/v1/tenants/{tenant}/certificate`: the certificate of one transaction.

use attestary_service::{CertificateForm, CertificateQuery};
use axum::{
    extract::{Path, RawQuery, State as Shared},
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, header};

use crate::{
    app::State,
    extract::Authed,
    problem::{INVALID_QUERY, Problem},
    query::Query,
};

/// Make the certificate of one transaction: its events with their proofs, as JSON or as a PDF with the JSON attached.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/certificate", tag = "exports",
    params(
        ("tenant" = String, Path, description = "The tenant's id"),
        ("transaction" = String, Query, description = "The id that the events have in common"),
        ("by" = Option<String>, Query, description = "request_id, session_id, parent_session_id or trace_id: where the id stands; anywhere of these by default"),
        ("from" = Option<String>, Query, description = "Only events that happened at or after this time"),
        ("to" = Option<String>, Query, description = "Only events that happened before this time"),
        ("format" = Option<String>, Query, description = "json (default) or pdf"),
    ),
    responses((status = 200, description = "The certificate", content(
        (serde_json::Value = "application/json"), (Vec<u8> = "application/pdf"))))
)]
pub(crate) async fn one(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = Query::parse(query.as_deref(), &["transaction", "by", "from", "to", "format"])?;
    let Some(transaction) = query.text("transaction") else {
        let detail =
            "the parameter \"transaction\" is required: the id of the request, session or trace";
        return Err(Problem::new(&INVALID_QUERY, detail).at("/transaction", "is required"));
    };
    let asked = CertificateQuery {
        transaction: transaction.to_owned(),
        by: query.text("by").map(str::to_owned),
        from: query.time("from")?,
        to: query.time("to")?,
    };
    let (form, media, name) = match query.choice("format", &["json", "pdf"])? {
        Some(1) => (CertificateForm::Pdf, "application/pdf", "certificate.pdf"),
        _ => (CertificateForm::Json, "application/json", "certificate.json"),
    };
    let bytes = state.service.certificate(&caller, &tenant, asked, form).await?;
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    let disposition = format!("attachment; filename=\"{name}\"");
    let disposition = HeaderValue::from_str(&disposition).expect("file names are written here");
    headers.insert(header::CONTENT_DISPOSITION, disposition);
    Ok(response)
}
