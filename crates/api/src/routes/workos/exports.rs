//! WorkOS's exports and portal links, over the use cases of exports and portal sessions.

use attestary_event::{Timestamp, Violation};
use attestary_service::{ChangeError, Export, WorkosExport};
use axum::{
    extract::{Path, Request, State as Shared},
    response::Response,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{failed, from_problem, idempotency_key, posted};
use crate::{
    app::State,
    cookie::Https,
    problem::{INVALID_BODY, Problem},
    routes::{reply, sessions::portal_path, time},
};

/// The portal session behind a link.
const PORTAL_SESSION: HeaderName = HeaderName::from_static("attestary-portal-session");

/// Entries of one list.
const LIST_MAX: usize = 100;

#[derive(Deserialize)]
struct Wanted {
    organization_id: String,
    range_start: Option<String>,
    range_end: Option<String>,
    #[serde(default)]
    actions: Option<Vec<String>>,
    /// What `actor_names` was called before.
    #[serde(default)]
    actors: Option<Vec<String>>,
    #[serde(default)]
    actor_names: Option<Vec<String>>,
    #[serde(default)]
    actor_ids: Option<Vec<String>>,
    #[serde(default)]
    targets: Option<Vec<String>>,
}

/// `POST /audit_logs/exports`.
pub(crate) async fn create(Shared(state): Shared<State>, request: Request) -> Response {
    let origin = origin(&request);
    let posted = match posted(&state, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    let key = match idempotency_key(&posted) {
        Ok(key) => key,
        Err(response) => return response,
    };
    let wanted = match serde_json::from_slice::<Wanted>(&posted.body) {
        Ok(wanted) => wanted,
        Err(error) => return not_valid(&error),
    };
    let wanted = match checked(wanted, key) {
        Ok(wanted) => wanted,
        Err(violation) => return refused(ChangeError::Invalid(vec![violation])),
    };
    match state.service.create_workos_export(&posted.caller, wanted).await {
        Ok(export) => match view(&state, &posted.caller, export, &origin).await {
            Ok(view) => reply(StatusCode::CREATED, &view),
            Err(error) => refused(error),
        },
        Err(error) => refused(error),
    }
}

/// `GET /audit_logs/exports/{id}`.
pub(crate) async fn one(
    Shared(state): Shared<State>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let origin = origin(&request);
    let posted = match posted(&state, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    let export = match state.service.workos_export(&posted.caller, &id).await {
        Ok(export) => export,
        Err(error) => return from_problem(&Problem::from(error)),
    };
    match view(&state, &posted.caller, export, &origin).await {
        Ok(view) => reply(StatusCode::OK, &view),
        Err(error) => refused(error),
    }
}

fn checked(wanted: Wanted, idempotency_key: Option<String>) -> Result<WorkosExport, Violation> {
    let at = |name: &str, text: Option<String>| {
        let parsed = text.as_deref().and_then(Timestamp::parse_zoneless);
        let detail = "is required and must be a time such as 2026-11-22T10:00:00.000Z";
        parsed.ok_or_else(|| Violation::new(format!("/{name}"), detail))
    };
    let list = |name: &str, list: Option<Vec<String>>| {
        let list = list.unwrap_or_default();
        if list.len() > LIST_MAX {
            let detail = format!("has at most {LIST_MAX} entries; this one has {}", list.len());
            return Err(Violation::new(format!("/{name}"), detail));
        }
        Ok(list)
    };
    Ok(WorkosExport {
        organization: wanted.organization_id,
        from: Some(at("range_start", wanted.range_start)?),
        to: Some(at("range_end", wanted.range_end)?),
        actions: list("actions", wanted.actions)?,
        actor_names: list("actor_names", wanted.actor_names.or(wanted.actors))?,
        actor_ids: list("actor_ids", wanted.actor_ids)?,
        targets: list("targets", wanted.targets)?,
        idempotency_key,
    })
}

/// Every look at a finished export makes a new link, which lasts ten minutes.
async fn view(
    state: &State,
    caller: &attestary_service::Caller,
    export: Export,
    origin: &str,
) -> Result<Value, ChangeError> {
    let status = match export.row.state.as_str() {
        "complete" => "ready",
        "failed" => "error",
        "expired" => "expired",
        _ => "pending",
    };
    let updated = export.row.file.map_or(export.row.created_ms, |file| file.finished_ms);
    let mut view = json!({
        "object": "audit_log_export", "id": export.row.id, "state": status,
        "created_at": time(export.row.created_ms), "updated_at": time(updated),
    });
    if status == "ready" {
        let link = state.service.link_workos_export(caller, &export).await?;
        view["url"] = format!("{origin}{}", link.path).into();
    }
    Ok(view)
}

#[derive(Deserialize)]
struct Link {
    organization: String,
    intent: Option<String>,
    return_url: Option<String>,
    /// Who will look, as newer clients say.
    external_user_id: Option<String>,
}

/// `POST /portal/generate_link`.
pub(crate) async fn portal(Shared(state): Shared<State>, request: Request) -> Response {
    let origin = origin(&request);
    let posted = match posted(&state, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    let link = match serde_json::from_slice::<Link>(&posted.body) {
        Ok(link) => link,
        Err(error) => return not_valid(&error),
    };
    let destinations = match link.intent.as_deref() {
        None | Some("audit_logs") => false,
        Some("log_streams") => true,
        _ => {
            let detail = "is audit_logs or log_streams; the other intents have no page here";
            return refused(ChangeError::Invalid(vec![Violation::new("/intent", detail)]));
        }
    };
    // The page is this server's own, unless the application says where its own pages are.
    let page = link.return_url.as_deref().and_then(origin_of).unwrap_or_else(|| origin.clone());
    let person = link.external_user_id.filter(|id| !id.is_empty());
    let made = state
        .service
        .create_workos_portal(&posted.caller, &link.organization, destinations, page, person)
        .await;
    match made {
        Ok(made) => {
            let link = format!("{origin}{}", portal_path(&made));
            let mut response = reply(StatusCode::CREATED, &json!({ "link": link }));
            // By which the link can be revoked; the body has no place for it.
            if let Ok(id) = HeaderValue::from_str(&made.id) {
                response.headers_mut().insert(PORTAL_SESSION, id);
            }
            response
        }
        Err(error) => refused(error),
    }
}

/// Returns this server's own origin, as the client reached it.
fn origin(request: &Request) -> String {
    let Https(https) = request.extensions().get().copied().unwrap_or_default();
    let host = host(request.headers())
        .or_else(|| request.uri().authority().map(http::uri::Authority::as_str));
    let scheme = if https { "https" } else { "http" };
    format!("{scheme}://{}", host.unwrap_or("localhost").to_ascii_lowercase())
}

fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST)?.to_str().ok()
}

fn origin_of(address: &str) -> Option<String> {
    let origin = url::Url::parse(address).ok()?.origin();
    origin.is_tuple().then(|| origin.ascii_serialization())
}

fn not_valid(error: &serde_json::Error) -> Response {
    from_problem(&Problem::new(&INVALID_BODY, format!("the body is not valid: {error}")))
}

fn refused(error: ChangeError) -> Response {
    match error {
        ChangeError::Invalid(violations) => {
            let field =
                |violation: &Violation| violation.pointer.trim_start_matches('/').replace('/', ".");
            let message = violations.first().map_or_else(String::new, |violation| {
                format!("{}: {}", field(violation), violation.detail)
            });
            let errors = violations.iter().map(|violation| {
                json!({ "field": field(violation), "code": "invalid", "message": violation.detail })
            });
            failed(StatusCode::BAD_REQUEST, "400", &message, errors.collect())
        }
        other => from_problem(&Problem::from(other)),
    }
}
