//! Rows of the catalog, as callers see them. Times are milliseconds since the epoch.

use std::fmt;

use attestary_event::{EnvironmentId, TenantId};

/// Bytes that must not appear in logs; prints as their absence.
#[derive(Clone, PartialEq, Eq)]
pub struct Opaque<T>(pub T);

impl<T> fmt::Debug for Opaque<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// What was fixed when the installation was initialised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// Identity of this installation.
    pub id: String,
    /// First part of every log's origin; never changes.
    pub log_name: String,
    /// When it was initialised.
    pub created_ms: u64,
}

/// A namespace of tenants and keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentRow {
    /// Its name.
    pub name: EnvironmentId,
    /// Tenants must be created explicitly: an event for an unknown one is refused.
    pub closed: bool,
    /// Where it is closed, doors that may not refuse print such an event instead of throwing it away.
    pub print_unknown: bool,
    /// When it was created.
    pub created_ms: u64,
}

/// An API key; the secret itself is nowhere stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// Public id, the look-up part of the key text.
    pub id: String,
    /// The environment it belongs to; `_system` for operator keys.
    pub environment: EnvironmentId,
    /// For people.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// The only tenants it may touch; `None` = every tenant of the environment.
    pub tenants: Option<Vec<String>>,
    /// SHA-256 of the secret.
    pub secret_sha256: Opaque<[u8; 32]>,
    /// When it was created.
    pub created_ms: u64,
    /// Who created it: a key id or `installation`.
    pub created_by: String,
    /// Refused from this moment on.
    pub expires_ms: Option<u64>,
    /// Refused since this moment.
    pub revoked_ms: Option<u64>,
    /// Last known use, up to a minute late.
    pub last_used_ms: Option<u64>,
}

/// Whether a tenant takes events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantState {
    /// Takes events.
    Open,
    /// Can be read; takes no events.
    Closed,
    /// Its events are being removed or are gone.
    Deleted,
}

impl TenantState {
    /// Returns the stored and public word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Deleted => "deleted",
        }
    }

    /// Reads the stored word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Open, Self::Closed, Self::Deleted].into_iter().find(|state| state.as_str() == text)
    }
}

/// What the service knows of a tenant beyond its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantRow {
    /// Its environment.
    pub environment: EnvironmentId,
    /// The application's own string.
    pub id: TenantId,
    /// For people.
    pub name: Option<String>,
    /// Whether it takes events.
    pub state: TenantState,
    /// When it was created, explicitly or by its first event.
    pub created_ms: u64,
    /// When `state` last changed.
    pub changed_ms: u64,
}

/// Who may change a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManagedBy {
    /// The people who run the installation.
    Operator,
    /// The tenant's administrators too.
    Tenant,
}

impl ManagedBy {
    /// Returns the stored and public word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Tenant => "tenant",
        }
    }

    /// Reads the stored word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Operator, Self::Tenant].into_iter().find(|by| by.as_str() == text)
    }
}

/// Where a tenant's log is sent. The JSON members belong to the delivery side; the catalog keeps them verbatim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationRow {
    /// `dst_…`.
    pub id: String,
    /// Its environment.
    pub environment: EnvironmentId,
    /// Whose log.
    pub tenant: TenantId,
    /// For people.
    pub name: String,
    /// `syslog`, `webhook`, ….
    pub kind: String,
    /// JSON, without secrets.
    pub config: String,
    /// JSON.
    pub format: String,
    /// Filter text; empty selects every event.
    pub filter: String,
    /// JSON of the limits of its batches; empty for the usual ones.
    pub batch: String,
    /// The least time between two checkpoints in its stream, in seconds; 0 for none.
    pub checkpoint_seconds: u64,
    /// Encrypted by the service before it comes here.
    pub secrets: Option<Opaque<Vec<u8>>>,
    /// Who may change it.
    pub managed_by: ManagedBy,
    /// When it was created.
    pub created_ms: u64,
    /// When a person last changed it.
    pub changed_ms: u64,
    /// JSON of the delivery state: state, reason, cursor, schedule, counters.
    pub state: String,
}

/// One try to deliver a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRow {
    /// `att_…`.
    pub id: String,
    /// When it began.
    pub started_ms: u64,
    /// How long it took.
    pub duration_ms: u64,
    /// What the reply meant, in the delivery side's words.
    pub verdict: String,
    /// First event of the batch.
    pub seq_first: u64,
    /// Last event of the batch.
    pub seq_last: u64,
    /// Events sent.
    pub events: u64,
    /// JSON: status code, snippet of the reply, error.
    pub detail: String,
}

/// An event that a destination refused for good and that the cursor passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineRow {
    /// The event.
    pub seq: u64,
    /// When it was set aside.
    pub quarantined_ms: u64,
    /// Why, in one sentence.
    pub reason: String,
}

/// What one round of delivery changed; applied as one transaction so that a cursor never passes an event
/// without its quarantine row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryUpdate {
    /// Which destination.
    pub destination: String,
    /// New [`DestinationRow::state`].
    pub state: String,
    /// Attempts since the last update, oldest first.
    pub attempts: Vec<AttemptRow>,
    /// Events set aside since the last update.
    pub quarantined: Vec<QuarantineRow>,
    /// What the tenant's log should say, with the time it was noted, oldest first; opaque here.
    pub notes: Vec<(u64, String)>,
}
