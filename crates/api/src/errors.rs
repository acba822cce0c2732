//! From refusals of use cases to problems. Causes from below are logged here, once, and shown to nobody else.

use std::{error::Error, time::Duration};

use attestary_event::Violation;
use attestary_service::{
    AccessError, ChangeError, CursorError, FilterProblem, IntakeError, ItemViolation, ReadError,
};

use crate::{
    members,
    problem::{
        ALREADY_EXISTS, CONFLICT, CORRUPT, ENVIRONMENT_REQUIRED, FilterPlace, INTERNAL,
        INVALID_BODY, INVALID_CURSOR, INVALID_EVENT, INVALID_FILTER, INVALID_QUERY, Item, PUSHBACK,
        Problem, QUOTA_USED_UP, RATE_LIMITED, READ_ONLY, SCHEMA_VIOLATION, SCOPE_REQUIRED,
        SIGNING_REFUSED, SWITCHED_OFF, TENANT_CLOSED, TENANT_REQUIRED, TOO_LARGE, TOO_MANY_TAILS,
        UNAUTHENTICATED, UNAVAILABLE, UNKNOWN_TENANT,
    },
};

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Unauthenticated => Self::new(&UNAUTHENTICATED, sentence(&error)),
            AccessError::Scope { .. } => Self::new(&SCOPE_REQUIRED, sentence(&error)),
            AccessError::EnvironmentRequired => Self::new(&ENVIRONMENT_REQUIRED, sentence(&error)),
            _ => Self::not_found(),
        }
    }
}

impl From<IntakeError> for Problem {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::Access(error) => error.into(),
            IntakeError::Batch(error) => {
                let kind = match error {
                    attestary_event::scan::BatchError::TooMany { .. } => &TOO_LARGE,
                    _ => &INVALID_BODY,
                };
                Self::new(kind, error.to_string())
            }
            IntakeError::Invalid(items) => {
                listed(&INVALID_EVENT, items, "event is not valid", "events are not valid")
            }
            IntakeError::UnknownTenant(items) => listed(
                &UNKNOWN_TENANT,
                items,
                "event names an unknown tenant",
                "events name unknown tenants",
            ),
            IntakeError::TenantClosed(items) => listed(
                &TENANT_CLOSED,
                items,
                "event names a closed tenant",
                "events name closed tenants",
            ),
            IntakeError::RateLimited { ref whose, retry_after } => {
                let detail = format!("{whose} faster than it may; send the same body again later");
                Self::new(&RATE_LIMITED, detail).retry_after(seconds(retry_after))
            }
            IntakeError::QuotaUsedUp { retry_after, .. } => {
                let detail = format!("{}; nothing of the body was accepted", sentence(&error));
                Self::new(&QUOTA_USED_UP, detail).retry_after(seconds(retry_after))
            }
            IntakeError::Pushback { retry_after } => {
                let detail = "events arrive faster than they can be made durable; send the same body again later";
                Self::new(&PUSHBACK, detail).retry_after(seconds(retry_after))
            }
            IntakeError::Late { .. } => {
                logged("intake was not confirmed in time", &error);
                let detail = format!(
                    "{}; they may have been stored: send the same body, with the same ids, again later",
                    sentence(&error)
                );
                Self::new(&UNAVAILABLE, detail).retry_after(1)
            }
            IntakeError::DiskFull => {
                let detail = "the disk of the server is full; nothing of this request was stored; send it again later";
                Self::new(&READ_ONLY, detail).retry_after(10)
            }
            IntakeError::ReadOnly(cause) => {
                logged("the store takes no writes", &*cause);
                Self::new(
                    &READ_ONLY,
                    "nothing can be made durable now; send the same request again later",
                )
                .retry_after(10)
            }
            IntakeError::Schema(items) => listed(
                &SCHEMA_VIOLATION,
                items,
                "event breaks the schema of its action",
                "events break the schemas of their actions",
            ),
            IntakeError::SwitchedOff => Self::new(&SWITCHED_OFF, sentence(&error)),
            IntakeError::Damaged => Self::new(&CORRUPT, sentence(&error)),
            IntakeError::Unavailable(cause) => unavailable(&*cause),
            other => internal(&other),
        }
    }
}

/// For `Retry-After`: whole seconds, at least one.
fn seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1000).clamp(1, 3_600) as u64
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Access(error) => error.into(),
            ReadError::TenantRequired => {
                let detail = "this key sees several tenants: name one in the parameter \"tenant\"";
                Self::new(&TENANT_REQUIRED, detail).at("/tenant", "is required")
            }
            ReadError::Filter(problem) => problem.into(),
            ReadError::Cursor(error) => error.into(),
            ReadError::Invalid(violations) => parameters(violations),
            ReadError::Busy => {
                let detail =
                    "too many reads of this tenant run at once; send the same request again later";
                Self::new(&PUSHBACK, detail).retry_after(1)
            }
            ReadError::TooManyTails(error) => {
                Self::new(&TOO_MANY_TAILS, sentence(&error)).retry_after(5)
            }
            ReadError::SigningRefused { .. } => Self::new(&SIGNING_REFUSED, sentence(&error)),
            ReadError::Audit(error) => unrecorded(error),
            ReadError::Unavailable(cause) => unavailable(&*cause),
            other => internal(&other),
        }
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Access(error) => error.into(),
            ChangeError::Invalid(violations) => members::refused(violations),
            ChangeError::Filter(problem) => problem.into(),
            ChangeError::Exists { .. } => Self::new(&ALREADY_EXISTS, sentence(&error)),
            ChangeError::Conflict { reason } => Self::new(&CONFLICT, reason),
            ChangeError::Audit(error) => unrecorded(error),
            ChangeError::Unavailable(cause) => unavailable(&*cause),
            other => internal(&other),
        }
    }
}

impl From<FilterProblem> for Problem {
    fn from(problem: FilterProblem) -> Self {
        let mut out =
            Self::new(&INVALID_FILTER, problem.detail.clone()).at("/filter", problem.detail);
        out.filter = Some(FilterPlace {
            offset: problem.offset,
            length: problem.length,
            expected: problem.expected,
        });
        out
    }
}

impl From<CursorError> for Problem {
    fn from(error: CursorError) -> Self {
        Self::new(&INVALID_CURSOR, error.to_string()).at("/cursor", error.to_string())
    }
}

/// What cannot be recorded does not happen; the reason is the intake's.
fn unrecorded(error: IntakeError) -> Problem {
    let problem = Problem::from(error);
    if problem.kind.status >= 500 {
        return problem;
    }
    Problem::new(
        &UNAVAILABLE,
        "the request could not be recorded in the audit log, so nothing was done",
    )
    .retry_after(1)
}

/// Pointers of parameters are a slash and the name.
fn parameters(violations: Vec<Violation>) -> Problem {
    let sentences = violations.into_iter().map(|violation| {
        let name = violation.pointer.trim_start_matches('/').to_owned();
        let sentence = format!("the parameter \"{name}\" {}", violation.detail);
        Item { index: None, pointer: violation.pointer, detail: sentence }
    });
    let items: Vec<_> = sentences.collect();
    let detail = items.first().map_or_else(String::new, |item| item.detail.clone());
    Problem::new(&INVALID_QUERY, detail).with_errors(items)
}

fn listed(
    kind: &'static crate::problem::Kind,
    items: Vec<ItemViolation>,
    one: &str,
    many: &str,
) -> Problem {
    let mut indexes: Vec<usize> = items.iter().map(|item| item.index).collect();
    indexes.dedup();
    let detail = match (indexes.len(), items.first()) {
        (1, Some(first)) => format!("1 {one}: {}", first.violation),
        (count, _) => format!("{count} {many}"),
    };
    let errors = items.into_iter().map(|item| Item {
        index: Some(item.index),
        pointer: item.violation.pointer,
        detail: item.violation.detail,
    });
    Problem::new(kind, detail).with_errors(errors.collect())
}

fn unavailable(cause: &(dyn Error + 'static)) -> Problem {
    logged("a request failed", cause);
    Problem::new(&UNAVAILABLE, "a part of the service failed; send the same request again later")
        .retry_after(1)
}

/// A refusal that this page does not know is our mistake.
fn internal(cause: &(dyn Error + 'static)) -> Problem {
    logged("a refusal has no problem of its own", cause);
    Problem::new(&INTERNAL, "the service made a mistake; report it with the request id")
}

fn logged(what: &str, cause: &(dyn Error + 'static)) {
    tracing::error!(error = cause, "{what}");
}

fn sentence(error: &impl Error) -> String {
    error.to_string()
}
