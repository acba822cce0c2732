//! Errors on the wire: RFC 9457 `application/problem+json` with a stable `type`.
//!
//! Handlers answer with a [`Problem`]; it travels in the response's extensions and is rendered once, at the edge,
//! where the request's path and id are known. Causes from inside go to the log, never into a reply.

use std::ops::{Deref, DerefMut};

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

/// A kind of problem: the last part of its `type`, its status and its title. The list is part of the API.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// `type` is `/problems/` and this.
    pub code: &'static str,
    /// HTTP status.
    pub status: u16,
    /// One short sentence that is the same for every occurrence.
    pub title: &'static str,
}

macro_rules! kinds {
    ($($name:ident $code:literal $status:literal $title:literal;)*) => {
        $(
            #[doc = $title]
            pub(crate) const $name: Kind = Kind { code: $code, status: $status, title: $title };
        )*
        /// Every kind, in the order of the reference page.
        #[cfg(test)]
        pub(crate) const KINDS: &[&Kind] = &[$(&$name),*];
    };
}

kinds! {
    INVALID_EVENT "invalid-event" 400 "An event is not valid";
    INVALID_BODY "invalid-body" 400 "The body is not valid";
    INVALID_ENCODING "invalid-encoding" 400 "The compressed body cannot be read";
    INVALID_QUERY "invalid-query" 400 "A query parameter is not valid";
    INVALID_FILTER "invalid-filter" 400 "The filter is not valid";
    INVALID_CURSOR "invalid-cursor" 400 "The cursor is not valid here";
    TENANT_REQUIRED "tenant-required" 400 "The tenant must be named";
    ENVIRONMENT_REQUIRED "environment-required" 400 "The environment must be named";
    UNAUTHENTICATED "unauthenticated" 401 "A valid API key is needed";
    FORBIDDEN_ORIGIN "forbidden-origin" 403 "The request comes from a page that may not send it";
    SCOPE_REQUIRED "scope-required" 403 "The key lacks a scope";
    NOT_FOUND "not-found" 404 "There is no such thing";
    UNKNOWN_TENANT "unknown-tenant" 404 "There is no such tenant";
    METHOD_NOT_ALLOWED "method-not-allowed" 405 "The path does not take this method";
    REQUEST_TIMEOUT "request-timeout" 408 "The body arrived too slowly";
    ID_CONFLICT "id-conflict" 409 "The event id was used for other content";
    TENANT_CLOSED "tenant-closed" 409 "The tenant takes no more events";
    ALREADY_EXISTS "already-exists" 409 "It exists already";
    SWITCHED_OFF "switched-off" 409 "The source of events is switched off";
    CONFLICT "conflict" 409 "The current state does not allow this";
    TOO_LARGE "too-large" 413 "The request is larger than its limit";
    UNSUPPORTED_MEDIA_TYPE "unsupported-media-type" 415 "The media type is not supported";
    UNSUPPORTED_ENCODING "unsupported-encoding" 415 "The content encoding is not supported";
    SCHEMA_VIOLATION "schema-violation" 422 "An event breaks the schema of its action";
    RATE_LIMITED "rate-limited" 429 "Events come faster than they may";
    QUOTA_USED_UP "quota-used-up" 429 "The quota of this month is used up";
    TOO_MANY_TAILS "too-many-tails" 429 "Too many tails are open";
    CORRUPT "corrupt" 500 "Stored events are damaged";
    INTERNAL "internal" 500 "The service failed";
    PUSHBACK "pushback" 503 "Too much is waiting";
    READ_ONLY "read-only" 503 "The service takes no changes now";
    SIGNING_REFUSED "signing-refused" 503 "Nothing is signed until a person has looked";
    UNAVAILABLE "unavailable" 503 "The service is not available now";
}

impl Kind {
    /// Returns the status as a type.
    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).expect("the table above holds valid statuses only")
    }
}

/// One thing that is wrong with the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Item {
    /// Index of the event in its batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// RFC 6901 pointer into the event or body; for query parameters `/` and the name.
    pub pointer: String,
    /// What is wrong: names the limit and the value seen.
    pub detail: String,
}

/// Where a filter stops being valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FilterPlace {
    /// Byte offset in the filter.
    pub offset: usize,
    /// Bytes concerned.
    pub length: usize,
    /// What would have been valid there.
    pub expected: Vec<String>,
}

/// A refused request. Boxed, because it stands in the error place of every handler's result.
#[derive(Debug, Clone)]
pub(crate) struct Problem(Box<Parts>);

/// What a problem says.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    /// What kind.
    pub kind: &'static Kind,
    /// What happened this time, in one or two sentences.
    pub detail: String,
    /// Every bad item, when there are items.
    pub errors: Vec<Item>,
    /// Set for filters.
    pub filter: Option<FilterPlace>,
    /// Seconds to wait before a retry.
    pub retry_after: Option<u64>,
    /// Methods that the path takes, for 405.
    pub allow: Option<HeaderValue>,
}

impl Problem {
    /// Returns a problem of `kind`.
    pub(crate) fn new(kind: &'static Kind, detail: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            filter: None,
            retry_after: None,
            allow: None,
        }))
    }

    /// Adds the items.
    #[must_use]
    pub(crate) fn with_errors(mut self, errors: Vec<Item>) -> Self {
        self.errors = errors;
        self
    }

    /// Adds one item that belongs to no batch.
    #[must_use]
    pub(crate) fn at(mut self, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        self.errors.push(Item { index: None, pointer: pointer.into(), detail: detail.into() });
        self
    }

    /// Asks the caller to wait before a retry.
    #[must_use]
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Returns the uniform answer for whatever does not exist or belongs to someone else.
    pub(crate) fn not_found() -> Self {
        Self::new(&NOT_FOUND, "nothing of that name exists here for this key")
    }

    /// Returns the JSON body; `instance` and `request_id` are absent inside a batch's reply.
    pub(crate) fn json(&self, instance: Option<&str>, request_id: Option<&str>) -> Vec<u8> {
        let body = Body {
            r#type: format!("/problems/{}", self.kind.code),
            title: self.kind.title,
            status: self.kind.status,
            detail: &self.detail,
            instance,
            request_id,
            errors: &self.errors,
            filter: self.filter.as_ref(),
        };
        serde_json::to_vec(&body).expect("strings and numbers always serialise")
    }

    /// Renders the whole reply.
    pub(crate) fn render(&self, instance: &str, request_id: &str) -> Response {
        let mut response =
            (self.kind.status(), self.json(Some(instance), Some(request_id))).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.kind.status == 401 {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(allow) = &self.allow {
            headers.insert(header::ALLOW, allow.clone());
        }
        response
    }
}

impl Deref for Problem {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl DerefMut for Problem {
    fn deref_mut(&mut self) -> &mut Parts {
        &mut self.0
    }
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "<[Item]>::is_empty")]
    errors: &'a [Item],
    #[serde(flatten)]
    filter: Option<&'a FilterPlace>,
}

impl IntoResponse for Problem {
    /// Carries the problem to the edge, which renders it.
    fn into_response(self) -> Response {
        let mut response = self.kind.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_the_reference_page_explains_each() {
        let page = include_str!("../../../docs/reference/errors.md");
        for (at, kind) in KINDS.iter().enumerate() {
            assert!(KINDS[..at].iter().all(|other| other.code != kind.code), "{} twice", kind.code);
            let heading = format!("## {} ({})\n", kind.code, kind.status);
            assert!(
                page.contains(&heading),
                "docs/reference/errors.md lacks the heading {heading:?}"
            );
        }
        let headings = page.lines().filter(|line| line.starts_with("## ")).count();
        assert_eq!(headings, KINDS.len(), "the page explains a problem that the API does not have");
    }

    #[test]
    fn members_stand_where_rfc_9457_wants_them() {
        let problem = Problem::new(&INVALID_QUERY, "no").at("/limit", "too big");
        assert_eq!(
            String::from_utf8(problem.json(Some("/v1/events"), Some("r1"))).unwrap(),
            r#"{"type":"/problems/invalid-query","title":"A query parameter is not valid","status":400,"detail":"no","instance":"/v1/events","request_id":"r1","errors":[{"pointer":"/limit","detail":"too big"}]}"#
        );
        let mut filter = Problem::new(&INVALID_FILTER, "no");
        filter.filter =
            Some(FilterPlace { offset: 3, length: 1, expected: vec!["a value".into()] });
        assert!(
            String::from_utf8(filter.json(None, None))
                .unwrap()
                .ends_with(r#""offset":3,"length":1,"expected":["a value"]}"#)
        );
    }
}
