//! The paths of Retraced's embedded viewer: a token from the publisher, a session, searches, saved exports.
//!
//! The viewer asks for a new token when a reply has neither `errors` nor a search; so a session that has ended is answered
//! without `errors`, and a query that is not valid with them. Reads are recorded whatever `skipViewLogEvent` says. Tokens
//! for other programs are keys here that read the one group; only viewers that were let in with `is_admin`, by a key that
//! may make keys itself, make them.

use std::time::Duration;

use attestary_event::Timestamp;
use attestary_service::{
    AccessError, Caller, ChangeError, Export, Origin, Person, ViewerExport, ViewerToken,
};
use axum::{
    Extension, Router,
    extract::{Path, RawQuery, Request, State as Shared},
    response::Response,
    routing::{get, post, put},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{answer_query, bearer, failed, from_problem, query_refused};
use crate::{
    app::State,
    body,
    extract::{self, Posted},
    problem::{PUSHBACK, Problem},
    routes::{done, exports, reply, time},
};

/// Bytes of a body that begins a session.
const TOKEN_BODY_BYTES_MAX: usize = 4 * 1024;
/// How long a file may take to be made while its viewer waits, and how often one looks.
const RENDER_TIME_MAX: Duration = Duration::from_secs(50);
const RENDER_EVERY: Duration = Duration::from_millis(100);
/// Exports that the viewer lists when it does not say.
const LIST_MAX: usize = 100;

/// Returns the routes below the prefix of the viewer.
pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/viewersession", post(session))
        .route("/graphql", post(graphql))
        .route("/project/{project}/exports", get(list))
        .route("/project/{project}/export", post(create))
        .route("/project/{project}/export/{id}/rendered", get(rendered))
        .route("/project/{project}/eitapi_tokens", get(tokens))
        .route("/project/{project}/eitapi_token", post(create_token))
        .route("/project/{project}/eitapi_token/{id}", put(rename_token).delete(delete_token))
}

/// `GET …/viewertoken`: the publisher asks for one of its people.
pub(super) async fn token(
    Shared(state): Shared<State>,
    Path(project): Path<String>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response {
    let posted = match super::posted(&state, request).await {
        Ok(posted) => posted,
        Err(problem) => return from_problem(&problem),
    };
    // Older clients send more parameters, none of which changes what a viewer sees.
    let pairs: Vec<(String, String)> =
        url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
    let text = |name: &str| {
        let value = pairs.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone());
        value.filter(|value| !value.is_empty())
    };
    let (Some(group), Some(actor)) = (text("group_id"), text("actor_id")) else {
        return failed(StatusCode::BAD_REQUEST, "group_id and actor_id are required", None);
    };
    let person = Person { id: actor, ..Person::default() };
    let admin = text("is_admin").is_some_and(|value| value == "true");
    let made =
        state.service.retraced_viewer_token(&posted.caller, &project, &group, person, admin).await;
    match made {
        Ok(token) => reply(StatusCode::OK, &json!({ "token": token.reveal() })),
        Err(error) => refused(error),
    }
}

/// `POST …/viewersession`: the page begins the session.
async fn session(
    Shared(state): Shared<State>,
    Extension(origin): Extension<Origin>,
    request: Request,
) -> Response {
    #[derive(Deserialize)]
    struct Token {
        token: String,
    }
    let (parts, body) = request.into_parts();
    let limits = body::Limits { bytes_max: TOKEN_BODY_BYTES_MAX, ratio_max: 1 };
    let body = match body::read(&parts.headers, body, limits).await {
        Ok(body) => body,
        Err(problem) => return from_problem(&problem),
    };
    let Ok(Token { token }) = serde_json::from_slice(&body) else {
        return failed(StatusCode::BAD_REQUEST, "the body must be {\"token\": …}", None);
    };
    let page = parts.headers.get(header::ORIGIN).and_then(|value| value.to_str().ok());
    match state.service.start_viewer_session(&token, page, origin).await {
        Ok(started) => {
            let view = json!({
                "project_id": started.session.environment.as_str(), "token": started.token.reveal(),
            });
            reply(StatusCode::OK, &view)
        }
        Err(error) => refused(error),
    }
}

async fn graphql(Shared(state): Shared<State>, request: Request) -> Response {
    match posted(&state, request).await {
        Ok(posted) => {
            let project = posted.caller.environment_name().to_owned();
            answer_query(&state, &posted, &project).await
        }
        Err(problem) => query_refused(&problem),
    }
}

/// Authenticates by the session's token, which stands bare in the header, and reads the body.
async fn posted(state: &State, request: Request) -> Result<Posted, Problem> {
    let (parts, body) = request.into_parts();
    let mut headers = parts.headers.clone();
    bare(&mut headers);
    match extract::caller(&headers, parts.extensions.get(), state, &["bearer"]) {
        Ok(caller) => extract::read(caller, parts.headers, body, state).await,
        Err(problem) => {
            body::drain(body).await;
            Err(problem)
        }
    }
}

fn bare(headers: &mut HeaderMap) {
    let text = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    match text {
        Some(text) if text.contains("token=") => bearer(headers),
        Some(text) if !text.contains(' ') => {
            if let Ok(value) = HeaderValue::from_str(&format!("Bearer {text}")) {
                headers.insert(header::AUTHORIZATION, value);
            }
        }
        _ => {}
    }
}

/// Returns the caller of a path below a project, and the one group that it sees.
async fn entered(
    state: &State,
    project: &str,
    request: Request,
) -> Result<(Posted, String), Problem> {
    let posted = posted(state, request).await?;
    let group = group(&posted.caller, project)?;
    Ok((posted, group))
}

fn group(caller: &Caller, project: &str) -> Result<String, Problem> {
    match caller.only_tenant() {
        Some(tenant) if caller.environment_name() == project => Ok(tenant.as_str().to_owned()),
        _ => Err(AccessError::NotFound.into()),
    }
}

async fn list(
    Shared(state): Shared<State>,
    Path(project): Path<String>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response {
    let (posted, group) = match entered(&state, &project, request).await {
        Ok(entered) => entered,
        Err(problem) => return from_problem(&problem),
    };
    let limit = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .find(|(name, _)| name == "limit")
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(LIST_MAX);
    match state.service.exports(&posted.caller, &group).await {
        Ok(exports) => {
            // The viewer's own ones have names.
            let named = exports.iter().filter(|export| export.name.is_some());
            let views: Vec<Value> = named.take(limit).map(view).collect();
            reply(StatusCode::OK, &views)
        }
        Err(error) => from_problem(&Problem::from(error)),
    }
}

fn view(export: &Export) -> Value {
    json!({ "id": export.row.id, "name": export.name, "created": time(export.row.created_ms) })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewExport {
    export_body: ExportBody,
    #[serde(default)]
    name: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ExportBody {
    search_query: String,
    show_create: bool,
    show_read: bool,
    show_update: bool,
    show_delete: bool,
    start_time: Value,
    end_time: Value,
}

async fn create(
    Shared(state): Shared<State>,
    Path(project): Path<String>,
    request: Request,
) -> Response {
    let (posted, group) = match entered(&state, &project, request).await {
        Ok(entered) => entered,
        Err(problem) => return from_problem(&problem),
    };
    let new: NewExport = match serde_json::from_slice(&posted.body) {
        Ok(new) => new,
        Err(error) => {
            let message = format!("the body must be {{exportBody, name}}: {error}");
            return failed(StatusCode::BAD_REQUEST, &message, None);
        }
    };
    let ExportBody { show_create, show_read, show_update, show_delete, .. } = new.export_body;
    let shown = [('c', show_create), ('r', show_read), ('u', show_update), ('d', show_delete)];
    let times =
        [("startTime", &new.export_body.start_time), ("endTime", &new.export_body.end_time)]
            .map(|(name, value)| moment(value).map_err(|()| name));
    let (from, to) = match times {
        [Ok(from), Ok(to)] => (from, to),
        [Err(name), _] | [_, Err(name)] => {
            let message = format!("exportBody.{name} must be a time: RFC 3339, or milliseconds");
            return failed(StatusCode::BAD_REQUEST, &message, None);
        }
    };
    let wanted = ViewerExport {
        name: new.name.filter(|name| !name.is_empty()).unwrap_or_else(|| "export".into()),
        query: new.export_body.search_query,
        crud: shown.into_iter().filter(|(_, shown)| *shown).map(|(letter, _)| letter).collect(),
        from,
        to,
    };
    match state.service.create_viewer_export(&posted.caller, &group, wanted).await {
        Ok(export) => reply(StatusCode::CREATED, &view(&export)),
        Err(error) => refused(error),
    }
}

fn moment(value: &Value) -> Result<Option<Timestamp>, ()> {
    match value {
        Value::Null => Ok(None),
        Value::Number(number) => number.as_i64().map(|ms| Some(Timestamp(ms))).ok_or(()),
        Value::String(text) if text.is_empty() => Ok(None),
        Value::String(text) => Timestamp::parse_zoneless(text).map(Some).ok_or(()),
        _ => Err(()),
    }
}

async fn rendered(
    Shared(state): Shared<State>,
    Extension(origin): Extension<Origin>,
    Path((project, id)): Path<(String, String)>,
    request: Request,
) -> Response {
    let (posted, group) = match entered(&state, &project, request).await {
        Ok(entered) => entered,
        Err(problem) => return from_problem(&problem),
    };
    let end = tokio::time::Instant::now() + RENDER_TIME_MAX;
    loop {
        let export = match state.service.export(&posted.caller, &group, &id).await {
            Ok(export) => export,
            Err(error) => return from_problem(&Problem::from(error)),
        };
        match export.row.state.as_str() {
            "complete" => break,
            "queued" | "running" if tokio::time::Instant::now() < end => {
                tokio::time::sleep(RENDER_EVERY).await;
            }
            "queued" | "running" => {
                let problem = Problem::new(&PUSHBACK, "the file is still being made; ask again");
                return from_problem(&problem.retry_after(10));
            }
            other => {
                let message = format!("the export is {other}; ask for a new one");
                return failed(StatusCode::GONE, &message, None);
            }
        }
    }
    let link = match state.service.link_export(&posted.caller, &group, &id).await {
        Ok(link) => link,
        Err(error) => return refused(error),
    };
    let token = link.path.rsplit('/').next().unwrap_or_default();
    match state.service.download(token, origin).await {
        Ok(download) => exports::file(download, &HeaderMap::new()),
        Err(error) => from_problem(&Problem::from(error)),
    }
}

/// What the dialog of tokens sends.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct TokenName {
    display_name: String,
}

fn token_view(token: &ViewerToken) -> Value {
    json!({ "id": token.id, "display_name": token.name })
}

async fn tokens(
    Shared(state): Shared<State>,
    Path(project): Path<String>,
    request: Request,
) -> Response {
    let posted = match entered(&state, &project, request).await {
        Ok((posted, _)) => posted,
        Err(problem) => return from_problem(&problem),
    };
    match state.service.viewer_tokens(&posted.caller).await {
        Ok(tokens) => {
            let views: Vec<Value> = tokens.iter().map(token_view).collect();
            let mut response = reply(StatusCode::OK, &views);
            // It may hold a secret.
            let headers = response.headers_mut();
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(error) => from_problem(&Problem::from(error)),
    }
}

async fn create_token(
    Shared(state): Shared<State>,
    Path(project): Path<String>,
    request: Request,
) -> Response {
    let (posted, name) = match named(&state, &project, request).await {
        Ok(named) => named,
        Err(response) => return response,
    };
    match state.service.create_viewer_token_of(&posted.caller, name).await {
        Ok(token) => reply(StatusCode::CREATED, &token_view(&token)),
        Err(error) => refused(error),
    }
}

async fn rename_token(
    Shared(state): Shared<State>,
    Path((project, id)): Path<(String, String)>,
    request: Request,
) -> Response {
    let (posted, name) = match named(&state, &project, request).await {
        Ok(named) => named,
        Err(response) => return response,
    };
    match state.service.rename_viewer_token(&posted.caller, &id, name).await {
        Ok(token) => reply(StatusCode::OK, &token_view(&token)),
        Err(error) => refused(error),
    }
}

async fn delete_token(
    Shared(state): Shared<State>,
    Path((project, id)): Path<(String, String)>,
    request: Request,
) -> Response {
    let posted = match entered(&state, &project, request).await {
        Ok((posted, _)) => posted,
        Err(problem) => return from_problem(&problem),
    };
    match state.service.revoke_viewer_token(&posted.caller, &id).await {
        Ok(()) => done(),
        Err(error) => refused(error),
    }
}

/// Returns the caller of a path below a project, and the name that its body gives; an empty one, which is refused once
/// the caller is known to be an administrator, when it gives none.
async fn named(
    state: &State,
    project: &str,
    request: Request,
) -> Result<(Posted, String), Response> {
    let (posted, _) =
        entered(state, project, request).await.map_err(|problem| from_problem(&problem))?;
    let TokenName { display_name } = serde_json::from_slice(&posted.body).unwrap_or_default();
    Ok((posted, display_name))
}

fn refused(error: ChangeError) -> Response {
    match error {
        ChangeError::Invalid(violations) => {
            let message = violations.first().map_or_else(String::new, ToString::to_string);
            failed(StatusCode::BAD_REQUEST, &message, None)
        }
        other => from_problem(&Problem::from(other)),
    }
}
