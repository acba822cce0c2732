//! WorkOS's exports and portal links, over the use cases of exports and portal sessions.

use attestary_event::{Timestamp, Violation};
use attestary_service::{ChangeError, Export, WorkosExport};
use axum::{
    extract::{Path, Request, State as Shared},
    response::Response,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::{from_problem, idempotency_key, posted, refused_change};
use crate::{
    app::State,
    cookie::Https,
    members::Members,
    problem::Problem,
    routes::{reply, sessions::portal_path, time},
};

/// The portal session behind a link.
const PORTAL_SESSION: HeaderName = HeaderName::from_static("attestary-portal-session");

/// Entries of one list.
const LIST_MAX: usize = 100;

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
    let wanted = match wanted(&posted.body, key) {
        Ok(wanted) => wanted,
        Err(problem) => return from_problem(&problem),
    };
    match state.service.create_workos_export(&posted.caller, wanted).await {
        Ok(export) => match view(&state, &posted.caller, export, &origin).await {
            Ok(view) => reply(StatusCode::CREATED, &view),
            Err(error) => refused_change(error),
        },
        Err(error) => refused_change(error),
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
        Err(error) => refused_change(error),
    }
}

fn wanted(body: &[u8], idempotency_key: Option<String>) -> Result<WorkosExport, Problem> {
    let mut members = Members::parse(body)?;
    let organization = members.required_text("organization_id");
    let (from, to) = (moment(&mut members, "range_start"), moment(&mut members, "range_end"));
    let actions = list(&mut members, "actions");
    // What `actor_names` was called before.
    let (named, before) = (list(&mut members, "actor_names"), list(&mut members, "actors"));
    let actor_names = if named.is_empty() { before } else { named };
    let (actor_ids, targets) = (list(&mut members, "actor_ids"), list(&mut members, "targets"));
    members.finish_open()?;
    Ok(WorkosExport {
        organization,
        from,
        to,
        actions,
        actor_names,
        actor_ids,
        targets,
        idempotency_key,
    })
}

fn moment(members: &mut Members, name: &'static str) -> Option<Timestamp> {
    let value = members.take(name);
    let time = value.as_ref().and_then(Value::as_str).and_then(Timestamp::parse_zoneless);
    if time.is_none() {
        let detail = "is required and must be a time such as 2026-11-22T10:00:00.000Z";
        members.refuse(Violation::new(format!("/{name}"), detail));
    }
    time
}

fn list(members: &mut Members, name: &'static str) -> Vec<String> {
    let list = members.texts(name).unwrap_or_default();
    if list.len() > LIST_MAX {
        let detail = format!("has at most {LIST_MAX} entries; this one has {}", list.len());
        members.refuse(Violation::new(format!("/{name}"), detail));
    }
    list
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

struct Link {
    organization: String,
    /// Whether it opens the destinations instead of the log.
    destinations: bool,
    return_url: Option<String>,
    /// Who will look, as newer clients say.
    external_user_id: Option<String>,
}

impl Link {
    fn read(body: &[u8]) -> Result<Self, Problem> {
        let mut members = Members::parse(body)?;
        let intent = members.text("intent");
        if !matches!(intent.as_deref(), None | Some("audit_logs" | "log_streams")) {
            let detail = "is audit_logs or log_streams; the other intents have no page here";
            members.refuse(Violation::new("/intent", detail));
        }
        let link = Self {
            organization: members.required_text("organization"),
            destinations: intent.as_deref() == Some("log_streams"),
            return_url: members.text("return_url"),
            external_user_id: members.text("external_user_id").filter(|id| !id.is_empty()),
        };
        members.finish_open().map(|()| link)
    }
}

/// `POST /portal/generate_link`.
pub(crate) async fn portal(Shared(state): Shared<State>, request: Request) -> Response {
    let origin = origin(&request);
    let posted = match posted(&state, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    let link = match Link::read(&posted.body) {
        Ok(link) => link,
        Err(problem) => return from_problem(&problem),
    };
    // The page is this server's own, unless the application says where its own pages are.
    let page = link.return_url.as_deref().and_then(origin_of).unwrap_or_else(|| origin.clone());
    let made = state
        .service
        .create_workos_portal(
            &posted.caller,
            &link.organization,
            link.destinations,
            page,
            link.external_user_id,
        )
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
        Err(error) => refused_change(error),
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
