//! Intake of IronCore Tenant Security Proxy (TSP) security events.
//!
//! One body of `POST /api/1/event/security-event` becomes one native submission. The rules that real clients
//! depend on: `event` stands in `iclFields` or, from Alloy, at the top; absent and `null` are the same; no
//! address is ever refused; the event name is any text and is kept as sent, so Go's unprefixed periodic names
//! stay as they are and are aliases among the known actions. Wrong types, like a missing `tenantId`, event or
//! `requestingId`, are code 102.
//!
//! Decided here, because the protocol leaves it open: a `timestampMillis` that is present is kept as sent.
//! 0, 1 and Go's zero time (year 1) are times like any other; only absent and `null` mean the time of
//! receipt. A number that no RFC 3339 time can express also means the time of receipt; its token stays in
//! `source` and the event is flagged, since losing an event is worse than a doubtful time.
//!
//! The protocol has no event ids, so a repeated request is a second event.
//!
//! `source` holds the residue: `system`, `flags`, the token of a time that milliseconds cannot hold, optional
//! values that no native member can hold (`""`, or too long) and members that the protocol does not know, both
//! under their own names (`icl_fields`, `extra`).

mod operations;
mod refusal;
mod request;
#[cfg(test)]
pub(crate) mod tests;

use attestary_event::{Limits, scan};

pub use operations::{OPERATIONS_BYTES_MAX, report_operations};
pub use refusal::{Refusal, error_body};

use request::Request;

/// The body of every successful reply: clients compare it byte by byte.
pub const SUCCESS: &str = "null";

/// The path of the security event endpoint.
pub const EVENT_PATH: &str = "/api/1/event/security-event";

/// The path on which clients report counted encrypt and decrypt operations.
pub const REPORT_OPERATIONS_PATH: &str = "/api/1/document/report-operations";

/// Paths of the key management that a full client may call; they are answered by [`Refusal::KeyManagement`].
pub const KEY_MANAGEMENT_PATHS: [&str; 7] = [
    "/api/1/document/wrap",
    "/api/1/document/unwrap",
    "/api/1/document/batch-wrap",
    "/api/1/document/batch-unwrap",
    "/api/1/document/rekey",
    "/api/1/key/derive-with-secret-path",
    "/api/1/key/derive",
];

/// Flag: the name starts with `CUSTOM_` but breaks `^CUSTOM_[A-Z][A-Z_]*$`.
pub const UNCONVENTIONAL_NAME: &str = "unconventional-name";

/// Flag: the name has none of the known prefixes and is no known alias.
pub const UNCLASSIFIED_NAME: &str = "unclassified-name";

/// Flag: `timestampMillis` lies outside of the years 0 to 9999, so the time of receipt stands in for it.
pub const TIME_OUT_OF_RANGE: &str = "time-out-of-range";

/// Flag: an optional value is longer than its native member takes, and stands in `source` only.
pub const OVERLONG_VALUE: &str = "overlong-value";

/// A native submission made from a foreign body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// Whose event it is; also stands in `json`.
    pub tenant: String,
    /// The native event as JSON, `source` included.
    pub json: Vec<u8>,
    /// What is odd about it; also stands in `json` at `/source/flags`.
    pub flags: Vec<&'static str>,
}

/// Maps one security event.
///
/// Fails with [`Refusal::InvalidBody`] when the body breaks `limits`, is no JSON object, has a member of the
/// wrong type, or lacks a tenant, an event name or a requesting id.
pub fn parse(body: &[u8], limits: &Limits) -> Result<Mapped, Refusal> {
    let scanned = scan::scan(body, limits)?;
    Ok(Request::read(&scanned)?.event()?.mapped())
}
