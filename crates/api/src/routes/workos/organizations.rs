//! WorkOS's calls about an organisation: how long its events are kept, and where they go.
//!
//! Periods are months of 30 days or years of 365, as WorkOS has them. A period that was set by other means is shown
//! in days; one without end is null.

use std::iter;

use attestary_event::Violation;
use attestary_service::{ChangeError, Destination, WorkosConfiguration};
use axum::{
    extract::{Path, Request, State as Shared},
    response::Response,
};
use http::StatusCode;
use serde_json::{Value, json};

use super::{faulty, from_problem, posted};
use crate::{
    app::State,
    members::Members,
    problem::Problem,
    routes::{reply, time},
};

const MONTH_DAYS: u32 = 30;
const YEAR_DAYS: u32 = 365;
const MONTHS_MAX: u32 = 11;
const YEARS_MAX: u32 = 10;

struct Wanted {
    retention_period: Option<String>,
    /// What it was before; an older client sends nothing else.
    retention_period_in_days: Option<u64>,
}

/// `GET /organizations/{id}/audit_logs_retention`.
pub(crate) async fn retention(
    Shared(state): Shared<State>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let posted = match posted(&state, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    match state.service.workos_retention(&posted.caller, &id).await {
        Ok(retention) => days(retention.days()),
        Err(error) => from_problem(&Problem::from(error)),
    }
}

/// `PUT /organizations/{id}/audit_logs_retention`.
pub(crate) async fn set_retention(
    Shared(state): Shared<State>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let posted = match posted(&state, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    let wanted = match Wanted::read(&posted.body) {
        Ok(wanted) => wanted,
        Err(problem) => return from_problem(&problem),
    };
    let wanted = match wanted.days() {
        Ok(days) => days,
        Err((field, detail)) => return unprocessable(field, detail),
    };
    match state.service.set_workos_retention(&posted.caller, &id, wanted).await {
        Ok(retention) => days(retention.days()),
        Err(ChangeError::Invalid(violations)) => {
            let detail = violations.first().map_or("is not valid", |first| first.detail.as_str());
            unprocessable("retention_period", detail)
        }
        Err(error) => from_problem(&Problem::from(error)),
    }
}

/// `GET /organizations/{id}/audit_log_configuration`.
pub(crate) async fn configuration(
    Shared(state): Shared<State>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let posted = match posted(&state, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    match state.service.workos_configuration(&posted.caller, &id).await {
        Ok(WorkosConfiguration { retention, state, stream }) => {
            let mut view = json!({
                "organization_id": id, "retention_period_in_days": retention.days(), "state": state,
            });
            if let Some((kind, destination)) = stream {
                view["log_stream"] = stream_view(kind, &destination);
            }
            reply(StatusCode::OK, &view)
        }
        Err(error) => from_problem(&Problem::from(error)),
    }
}

fn stream_view(kind: &str, destination: &Destination) -> Value {
    let status = &destination.status;
    let reason = serde_json::to_value(status.reason.code).unwrap_or_default();
    let state = match (status.state.as_str(), reason.as_str()) {
        ("active", _) => "active",
        ("paused", Some("user")) => "inactive",
        // Paused by itself: what the receiver refuses is not tried again.
        ("paused", _) => "invalid",
        _ => "error",
    };
    let synced = status.last_success_ms.map(|at| time(at.unsigned_abs()));
    json!({
        "id": destination.id, "type": kind, "state": state, "last_synced_at": synced,
        "created_at": time(destination.created_ms),
    })
}

fn days(days: Option<u32>) -> Response {
    reply(StatusCode::OK, &json!({ "retention_period_in_days": days }))
}

impl Wanted {
    fn read(body: &[u8]) -> Result<Self, Problem> {
        let mut members = Members::parse(body)?;
        let wanted = Self {
            retention_period: members.text("retention_period"),
            retention_period_in_days: members.whole("retention_period_in_days"),
        };
        members.finish_open().map(|()| wanted)
    }

    /// Returns the days, or the member at fault and what is wrong with it.
    fn days(&self) -> Result<u32, (&'static str, &'static str)> {
        match (&self.retention_period, self.retention_period_in_days) {
            (Some(period), _) => period_days(period).ok_or((
                "retention_period",
                "is 1_MONTH to 11_MONTHS or 1_YEAR to 10_YEARS; other periods are set by PUT /v1/tenants/{tenant}/retention",
            )),
            (None, Some(days)) => u32::try_from(days).ok().filter(|days| is_whole(*days)).ok_or((
                "retention_period_in_days",
                "is 30 to 330 in steps of 30, or 365 to 3650 in steps of 365",
            )),
            (None, None) => Err(("retention_period", "is required")),
        }
    }
}

fn period_days(text: &str) -> Option<u32> {
    let (number, unit) = text.split_once('_')?;
    let count: u32 = number.parse().ok().filter(|count: &u32| count.to_string() == number)?;
    match (count, unit) {
        (1, "MONTH") => Some(MONTH_DAYS),
        (2..=MONTHS_MAX, "MONTHS") => Some(count * MONTH_DAYS),
        (1, "YEAR") => Some(YEAR_DAYS),
        (2..=YEARS_MAX, "YEARS") => Some(count * YEAR_DAYS),
        _ => None,
    }
}

fn is_whole(days: u32) -> bool {
    let of =
        |unit: u32, most: u32| days.is_multiple_of(unit) && (1..=most).contains(&(days / unit));
    of(MONTH_DAYS, MONTHS_MAX) || of(YEAR_DAYS, YEARS_MAX)
}

fn unprocessable(field: &str, detail: &str) -> Response {
    let fault = Violation::new(format!("/{field}"), detail);
    faulty(StatusCode::UNPROCESSABLE_ENTITY, "invalid_retention", "invalid", iter::once(&fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_those_of_the_clients_and_no_others() {
        for (text, days) in [
            ("1_MONTH", Some(30)),
            ("11_MONTHS", Some(330)),
            ("1_YEAR", Some(365)),
            ("10_YEARS", Some(3650)),
            ("12_MONTHS", None),
            ("11_YEARS", None),
            ("1_MONTHS", None),
            ("2_MONTH", None),
            ("0_MONTHS", None),
            ("01_MONTH", None),
            ("+1_MONTH", None),
            ("4294967296_YEARS", None),
            ("", None),
        ] {
            assert_eq!(period_days(text), days, "{text}");
        }
        let taken: Vec<u32> = (0..5000).filter(|days| is_whole(*days)).collect();
        assert_eq!(taken.len(), 21);
        assert_eq!((taken[0], taken[20]), (30, 3650));
    }
}
