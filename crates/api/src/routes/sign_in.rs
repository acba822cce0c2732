//! `/v1/sign-in` and `/console/sign-in`: people whom an OpenID provider vouches for.
//!
//! The browser goes to the provider and comes back with a code. What went wrong is shown by the console's own page, which
//! learns of it from the fragment; the reason in full stands in the server's log.

use attestary_oidc::{Error, Identity};
use attestary_service::{Origin, Person, Started};
use axum::{
    Extension,
    extract::{RawQuery, State as Shared},
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use url::form_urlencoded;
use utoipa::ToSchema;

use super::reply;
use crate::{
    app::State,
    cookie::{self, Https},
    problem::Problem,
    settings::SignIn,
};

/// Seconds that a browser keeps the state of a sign-in: as long as the provider's page may take.
const STATE_SECONDS: u64 = 600;

/// How people can sign in, besides links that work once.
#[derive(Serialize, ToSchema)]
#[schema(as = SignInMethods)]
pub(crate) struct MethodsView {
    openid: Option<OpenIdView>,
}

/// An OpenID provider.
#[derive(Serialize, ToSchema)]
#[schema(as = OpenIdProvider)]
struct OpenIdView {
    /// For people.
    name: String,
    /// Where a browser begins.
    url: &'static str,
}

/// Say how people can sign in.
#[utoipa::path(
    get, path = "/v1/sign-in", tag = "sessions", security(()),
    responses((status = 200, description = "The methods", body = MethodsView))
)]
pub(crate) async fn methods(Shared(state): Shared<State>) -> Response {
    let openid = state.settings.sign_in.as_ref();
    let openid =
        openid.map(|sign_in| OpenIdView { name: sign_in.name.clone(), url: "/console/sign-in" });
    reply(StatusCode::OK, &MethodsView { openid })
}

/// Sends the browser to the provider.
pub(crate) async fn begin(
    Shared(state): Shared<State>,
    Extension(https): Extension<Https>,
) -> Result<Response, Problem> {
    let sign_in = state.settings.sign_in.as_ref().ok_or_else(Problem::not_found)?;
    Ok(match sign_in.provider.begin().await {
        Ok(begun) => {
            let mut response = to(begun.url.as_str());
            let kept = cookie::set_state(&begun.state, STATE_SECONDS, https);
            response.headers_mut().append(header::SET_COOKIE, kept);
            response
        }
        Err(error) => failed(&error),
    })
}

/// Takes the browser back from the provider.
pub(crate) async fn finish(
    Shared(state): Shared<State>,
    Extension(origin): Extension<Origin>,
    Extension(https): Extension<Https>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let sign_in = state.settings.sign_in.as_ref().ok_or_else(Problem::not_found)?;
    let came = Came::read(query.as_deref().unwrap_or_default());
    let own = cookie::state(&headers).is_some_and(|kept| Some(kept) == came.state.as_deref());
    let mut response = if let Some(error) = came.error {
        failed(&Error::Refused(error))
    } else {
        match (own, came.state, came.code) {
            (true, Some(begun), Some(code)) => match sign_in.provider.finish(&begun, &code).await {
                Ok(identity) => signed_in(&state, sign_in, identity, origin, https).await,
                Err(error) => failed(&error),
            },
            _ => failed(&Error::Unknown),
        }
    };
    response.headers_mut().append(header::SET_COOKIE, cookie::clear_state(https));
    Ok(response)
}

async fn signed_in(
    state: &State,
    sign_in: &SignIn,
    identity: Identity,
    origin: Origin,
    https: Https,
) -> Response {
    let Identity { subject, name, email, groups } = identity;
    let person = Person { id: subject, name, email };
    let started =
        state.service.sign_in(person, &groups, &sign_in.roles, &sign_in.name, origin).await;
    match started {
        Ok(Some(Started { session, token })) => {
            count("signed in");
            let seconds = session.expires_ms.saturating_sub(session.created_ms) / 1000;
            let mut response = to("/console/");
            let cookie = cookie::set(token.reveal(), seconds, https);
            response.headers_mut().append(header::SET_COOKIE, cookie);
            response
        }
        Ok(None) => {
            count("no role");
            to("/console/#sign-in-error=no-role")
        }
        Err(error) => {
            count("failed");
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a person whom the OpenID provider vouches for could not be signed in"
            );
            to("/console/#sign-in-error=failed")
        }
    }
}

fn failed(error: &Error) -> Response {
    let code = match error {
        Error::Provider(_) => "provider",
        Error::Busy => "busy",
        Error::Unknown => "expired",
        Error::Refused(_) => "refused",
        _ => "token",
    };
    count(code);
    tracing::warn!(error = error as &dyn std::error::Error, "a sign-in did not come about");
    to(&format!("/console/#sign-in-error={code}"))
}

fn count(outcome: &'static str) {
    metrics::counter!("attestary_sign_ins_total", "outcome" => outcome).increment(1);
}

fn to(location: &str) -> Response {
    (
        StatusCode::SEE_OTHER,
        [(header::LOCATION, location), (header::REFERRER_POLICY, "no-referrer")],
    )
        .into_response()
}

/// What the provider gave the browser (RFC 6749, 4.1.2).
#[derive(Default)]
struct Came {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
}

impl Came {
    fn read(query: &str) -> Self {
        let mut came = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "code" => came.code = Some(value.into_owned()),
                "state" => came.state = Some(value.into_owned()),
                "error" => came.error = Some(value.into_owned()),
                _ => {}
            }
        }
        came
    }
}
