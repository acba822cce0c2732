//! Why a use case was refused: one enum for each kind of work, sorted by what the caller should do.

use std::time::Duration;

use attestary_event::{Violation, scan::BatchError};

use crate::{CursorError, TooManyTails, VaultError};

/// A cause from below, for the log; its text is never shown to clients.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a caller was not let in.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccessError {
    /// No key, or one that is unknown, wrong, expired or revoked.
    #[error("the API key is missing, unknown or revoked")]
    Unauthenticated,
    /// The key lacks a scope.
    #[error("this needs a key with the scope \"{scope}\"")]
    Scope {
        /// The scope's name.
        scope: &'static str,
    },
    /// An operator must say which environment is meant.
    #[error("name the environment in the header Attestary-Environment")]
    EnvironmentRequired,
    /// Does not exist, or belongs to someone else.
    #[error("not found")]
    NotFound,
}

/// A violation and the index of its event in the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemViolation {
    /// Index in the batch.
    pub index: usize,
    /// What is wrong.
    pub violation: Violation,
}

/// Why events were not accepted. Nothing of the batch was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IntakeError {
    /// Not let in.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The body cannot be cut into events.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// Events are not valid; every bad one is listed.
    #[error("{} violations", .0.len())]
    Invalid(Vec<ItemViolation>),
    /// Tenants that do not exist in a closed environment, or that the key may not write to.
    #[error("{} events name unknown tenants", .0.len())]
    UnknownTenant(Vec<ItemViolation>),
    /// Tenants that take no more events.
    #[error("{} events name closed tenants", .0.len())]
    TenantClosed(Vec<ItemViolation>),
    /// A key or tenant is faster than it may be.
    #[error("{whose} faster than it may")]
    RateLimited {
        /// Whose rate, and of what.
        whose: String,
        /// How long to wait.
        retry_after: Duration,
    },
    /// A key or tenant has used up what it may use this month.
    #[error("the quota of {whose} for this month is used up")]
    QuotaUsedUp {
        /// Whose.
        whose: String,
        /// How long until the next month.
        retry_after: Duration,
    },
    /// Too much waits.
    #[error("too much is waiting")]
    Pushback {
        /// How long to wait.
        retry_after: Duration,
    },
    /// Not confirmed in time. The events may become durable yet.
    #[error("the events were not confirmed as durable within {} s", .time.as_secs())]
    Late {
        /// How long it was waited.
        time: Duration,
    },
    /// The disk is nearly full; nothing was stored.
    #[error("the disk is full: events are refused until there is room again")]
    DiskFull,
    /// The store takes no writes.
    #[error("the store takes no writes")]
    ReadOnly(#[source] Cause),
    /// Events that break the schema of their action, where that is enforced.
    #[error("{} violations of schemas", .0.len())]
    Schema(Vec<ItemViolation>),
    /// An administrator switched the native API off as a source.
    #[error("an administrator switched this source of events off")]
    SwitchedOff,
    /// Acknowledged events of the log are damaged; it takes no more until a person has looked.
    #[error("acknowledged events of this log are damaged")]
    Damaged,
    /// A part below failed.
    #[error("the store failed")]
    Unavailable(#[source] Cause),
}

/// A filter that is not valid, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterProblem {
    /// What is wrong.
    pub detail: String,
    /// Byte offset.
    pub offset: usize,
    /// Bytes concerned.
    pub length: usize,
    /// What would have been valid.
    pub expected: Vec<String>,
}

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Not let in.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Several tenants are visible, so one must be named.
    #[error("the tenant must be named")]
    TenantRequired,
    /// The filter is not valid.
    #[error("the filter is not valid: {}", .0.detail)]
    Filter(FilterProblem),
    /// The cursor is not valid for this search.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// Parameters of the request are not valid.
    #[error("{} violations", .0.len())]
    Invalid(Vec<Violation>),
    /// As much as is allowed runs already.
    #[error("too many reads run at once")]
    Busy,
    /// As many tails as are allowed are open.
    #[error("{0}")]
    TooManyTails(TooManyTails),
    /// Nothing is signed until a person has looked.
    #[error("nothing is signed: {reason}")]
    SigningRefused {
        /// One sentence.
        reason: String,
    },
    /// The read could not be recorded, so nothing is shown.
    #[error("the read could not be recorded")]
    Audit(#[source] IntakeError),
    /// A part below failed.
    #[error("the store failed")]
    Unavailable(#[source] Cause),
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// Not let in.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Members of the request are not valid.
    #[error("{} violations", .0.len())]
    Invalid(Vec<Violation>),
    /// The filter is not valid.
    #[error("the filter is not valid: {}", .0.detail)]
    Filter(FilterProblem),
    /// It is there already.
    #[error("{what} exists already")]
    Exists {
        /// Names the thing.
        what: String,
    },
    /// The present state does not allow it.
    #[error("{reason}")]
    Conflict {
        /// One sentence.
        reason: String,
    },
    /// The change could not be recorded, so it was not made.
    #[error("the change could not be recorded")]
    Audit(#[source] IntakeError),
    /// A part below failed.
    #[error("the store failed")]
    Unavailable(#[source] Cause),
}

impl ChangeError {
    /// Returns the refusal of one member.
    pub(crate) fn invalid(pointer: &str, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![Violation::new(pointer, detail)])
    }
}

/// Why a service could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The store did not open.
    #[error("cannot open the store")]
    Store(#[source] Cause),
    /// The master key cannot be used.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The catalog could not be read.
    #[error("cannot read the catalog")]
    Catalog(#[source] Cause),
    /// The first operator key could not be written.
    #[error("cannot write the operator key file")]
    OperatorKey(#[source] std::io::Error),
    /// A file destination's or the data directory cannot be prepared.
    #[error("cannot prepare the data directory")]
    Directory(#[source] std::io::Error),
    /// A log of the service's own could not be opened.
    #[error("cannot open the audit log")]
    Audit(#[source] Cause),
}

pub(crate) fn cause(error: impl std::error::Error + Send + Sync + 'static) -> Cause {
    Box::new(error)
}
