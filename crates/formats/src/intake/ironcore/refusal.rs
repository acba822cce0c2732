//! Why a request is refused, in the words and codes that TSP clients know.
//!
//! Clients read `code` as an integer and sort it into their own error classes; anything else in the body is
//! ignored. Some clients take any body that reads `null` as success whatever the status, so no error body
//! may contain that word.

use attestary_event::{Violation, scan::write_string};

/// Why a request to a TSP endpoint is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No API key, or one that is not valid (code 101, status 401).
    #[error("the api key is missing or not valid")]
    Unauthorized,
    /// The body is not an acceptable event (code 102, status 400). The violation is for the operator's eyes:
    /// the reply carries only the protocol's own words.
    #[error("the body is not an acceptable event: {0}")]
    InvalidBody(Violation),
    /// Too many requests (code 100, status 429).
    #[error("too many requests")]
    Throttled,
    /// The event cannot be made durable now (code 301, status 503).
    #[error("the event cannot be made durable")]
    NotDurable,
    /// A key-management call: no tenant has a key-management configuration here (code 200, status 400).
    #[error("key management is not offered")]
    KeyManagement,
}

impl Refusal {
    /// Returns the protocol's error code.
    pub fn code(&self) -> u16 {
        match self {
            Self::Throttled => 100,
            Self::Unauthorized => 101,
            Self::InvalidBody(_) => 102,
            Self::KeyManagement => 200,
            Self::NotDurable => 301,
        }
    }

    /// Returns the HTTP status. Only 401 with 101 is fixed by the protocol; the others are our pairing.
    pub fn status(&self) -> u16 {
        match self {
            Self::InvalidBody(_) | Self::KeyManagement => 400,
            Self::Unauthorized => 401,
            Self::Throttled => 429,
            Self::NotDurable => 503,
        }
    }

    /// Returns the protocol's message for the code.
    pub fn message(&self) -> &'static str {
        match self {
            Self::Throttled => "Unknown request error occurred",
            Self::Unauthorized => "Request authorization header API key was incorrect.",
            Self::InvalidBody(_) => "Request body was invalid.",
            Self::KeyManagement => "Tenant has no primary KMS configuration.",
            Self::NotDurable => "Tenant Security Proxy could not accept the security event",
        }
    }

    /// Returns the whole reply body.
    pub fn body(&self) -> String {
        error_body(self.code(), self.message())
    }
}

impl From<Violation> for Refusal {
    fn from(violation: Violation) -> Self {
        Self::InvalidBody(violation)
    }
}

/// Returns `{"code":…,"message":"…"}`; the word that means success to clients is spelled `nil` in it.
pub fn error_body(code: u16, message: &str) -> String {
    let mut body = format!("{{\"code\":{code},\"message\":").into_bytes();
    write_string(&message.replace("null", "nil"), &mut body);
    body.push(b'}');
    String::from_utf8(body).expect("a JSON string written from text is UTF-8")
}
