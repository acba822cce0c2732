//! Identifiers that travel with an event. Each is parsed once at the edge and trusted inside.

use std::{fmt, sync::Arc};

use crate::error::Violation;

/// The identity of an event within its (environment, tenant): a UUID of any version.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(pub [u8; 16]);

impl EventId {
    /// Parses the 36-character hyphenated form, either case.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 36 {
            return None;
        }
        uuid::Uuid::try_parse(text).ok().map(|uuid| Self(uuid.into_bytes()))
    }

    /// Makes a version 7 UUID from a wall-clock time in milliseconds and ten random bytes (RFC 9562, 5.7).
    pub fn v7(unix_ms: u64, random: [u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(unix_ms, &random).into_uuid().into_bytes())
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid::Uuid::from_bytes(self.0).hyphenated().fmt(f)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A tenant: the application's own string, byte-exact, 1–128 bytes, no control characters.
///
/// Ids starting with `_` are the service's own ([`TenantId::AUDIT`]) and cannot be parsed.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TenantId(Arc<str>);

impl TenantId {
    /// The system tenant of every environment that holds administration and reads.
    pub const AUDIT: &str = "_audit";
    /// Longest id in bytes.
    pub const BYTES_MAX: usize = 128;

    /// Parses an id given from outside.
    pub fn parse(text: &str) -> Result<Self, Violation> {
        let problem = if text.is_empty() {
            "a tenant id must not be empty".to_owned()
        } else if text.len() > Self::BYTES_MAX {
            format!(
                "a tenant id has at most {} bytes; this one has {}",
                Self::BYTES_MAX,
                text.len()
            )
        } else if text.starts_with('_') {
            "tenant ids that start with \"_\" are reserved for the service".to_owned()
        } else if text.chars().any(char::is_control) {
            "a tenant id must not contain control characters".to_owned()
        } else {
            return Ok(Self(text.into()));
        };
        Err(Violation::new("/tenant", problem))
    }

    /// Returns the environment's own `_audit` tenant.
    pub fn audit() -> Self {
        Self(Self::AUDIT.into())
    }

    /// Restores an id that was parsed before it was stored, system tenants included.
    pub fn restored(text: &str) -> Self {
        Self(text.into())
    }

    /// Returns true for tenants that only the service writes to.
    pub fn is_system(&self) -> bool {
        self.0.starts_with('_')
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A namespace with its own tenants and keys: 1–32 characters of `a-z`, `0-9`, `-`, starting with a letter.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct EnvironmentId(Arc<str>);

impl EnvironmentId {
    /// Longest name in bytes.
    pub const BYTES_MAX: usize = 32;

    /// Parses a name given from outside.
    pub fn parse(text: &str) -> Result<Self, Violation> {
        let shape = text.len() <= Self::BYTES_MAX
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if shape {
            return Ok(Self(text.into()));
        }
        Err(Violation::new(
            "/environment",
            "an environment is named by 1 to 32 of a-z, 0-9 and \"-\", starting with a letter",
        ))
    }

    /// Restores a name that was parsed before it was stored; also the installation's own `_system`.
    pub fn restored(text: &str) -> Self {
        Self(text.into())
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EnvironmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
