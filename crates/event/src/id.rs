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

/// Characters of a ULID.
pub const ULID_CHARS: usize = 26;

const ULID_DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Returns the ULID of a wall-clock time in milliseconds and ten random bytes: 26 characters of Crockford's
/// base 32 that sort by time.
pub fn ulid(unix_ms: u64, random: [u8; 10]) -> String {
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&unix_ms.to_be_bytes()[2..]);
    bytes[6..].copy_from_slice(&random);
    let number = u128::from_be_bytes(bytes);
    (0..ULID_CHARS)
        .rev()
        .map(|at| char::from(ULID_DIGITS[(number >> (5 * at)) as usize & 31]))
        .collect()
}

/// Returns true when `text` is a ULID in the one form that [`ulid`] writes.
pub fn is_ulid(text: &str) -> bool {
    // 26 characters hold 130 bits: the first may not exceed 7.
    text.len() == ULID_CHARS
        && text.as_bytes()[0] <= b'7'
        && text.bytes().all(|byte| ULID_DIGITS.contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ulid_sorts_by_time_and_has_the_published_form() {
        // The time part of the example in the ULID specification.
        assert!(ulid(1_469_918_176_385, [0; 10]).starts_with("01ARYZ6S41"));
        assert!(ulid(1, [255; 10]) < ulid(2, [0; 10]));
        assert_eq!(ulid(u64::MAX >> 16, [255; 10]), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
    }

    #[track_caller]
    fn tenant(text: &str, accepted: bool) {
        assert_eq!(TenantId::parse(text).is_ok(), accepted, "{text:?}");
    }

    #[test]
    fn tenants_keep_their_own_spelling_inside_the_limits() {
        tenant("acme", true);
        tenant("Ünïcode tenant/7", true);
        tenant(&"x".repeat(128), true);
        tenant(&"x".repeat(129), false);
        tenant("", false);
        tenant("_audit", false);
        tenant("a\nb", false);
        assert!(TenantId::audit().is_system());
    }

    #[test]
    fn event_ids_are_uuids_in_either_case() {
        let id = EventId::parse("01930B5E-5A53-709E-8F3C-0123456789AB").unwrap();
        assert_eq!(id.to_string(), "01930b5e-5a53-709e-8f3c-0123456789ab");
        assert_eq!(EventId::parse("01930b5e5a53709e8f3c0123456789ab"), None);
        assert!(EventId::v7(1_795_308_919_123, [0; 10]).to_string().starts_with("01a200c0-1953-7"));
    }
}
