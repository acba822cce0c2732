//! What came back from a destination, and what it means.
//!
//! A transport yields a [`Reply`]; a destination's pure `judge` turns it into a [`Verdict`]; the engine acts on that.
//! One table, [`judge_http`], holds for every HTTP destination; exceptions stand beside the destination that has them.
//! Nothing here means "drop": an event is confirmed, tried again, or set aside with a record.

use std::time::Duration;

use attestary_event::Timestamp;
use bytes::Bytes;

use crate::health::{Cause, Reason};

/// What a transport brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// An HTTP response.
    Http(Response),
    /// Every byte was taken (and, for files, is on stable storage).
    Written,
    /// An object was there already: with the same events, or with others.
    Existing {
        /// Whether it is the very object that was to be written.
        same: bool,
    },
    /// A message is larger than the receiver takes.
    TooLarge,
    /// The receiver refuses an event of the batch, for this reason.
    Refused(String),
    /// No answer.
    Failed(Failure),
}

/// The part of an HTTP response that is judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// The `Retry-After` header as it came.
    pub retry_after: Option<String>,
    /// The beginning of the body as text, at most 1 KB.
    pub excerpt: String,
    /// The body as far as it was read; judged, never kept.
    pub body: Bytes,
}

/// Why there was no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure.
    pub cause: Cause,
    /// One sentence for people.
    pub detail: String,
    /// A stream without acknowledgements broke: what was sent from this seq on may not have arrived.
    pub resend_from: Option<u64>,
}

impl Failure {
    /// Returns a failure.
    pub fn new(cause: Cause, detail: impl Into<String>) -> Self {
        Self { cause, detail: detail.into(), resend_from: None }
    }
}

/// What a reply means.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Confirmed: the cursor passes the batch.
    Delivered,
    /// Try the same batch again.
    Retry {
        /// What the receiver asked for.
        after: Option<RetryAfter>,
        /// Why.
        reason: Reason,
    },
    /// Judged event by event: some confirmed, some to try again, some refused.
    Partial(Partial),
    /// Too big: try a smaller batch.
    Split {
        /// Why.
        reason: Reason,
    },
    /// An event in it is refused: find it and set it aside.
    Reject {
        /// Why.
        reason: Reason,
    },
    /// Configuration: wait for a person, look again now and then.
    Pause {
        /// Why.
        reason: Reason,
    },
    /// Gone for good: wait for a person.
    Disable {
        /// Why.
        reason: Reason,
    },
}

impl Verdict {
    /// Returns the word used in attempts.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retry { .. } => "retry",
            Self::Partial(_) => "partial",
            Self::Split { .. } => "split",
            Self::Reject { .. } => "reject",
            Self::Pause { .. } => "pause",
            Self::Disable { .. } => "disable",
        }
    }

    /// Returns why, unless it was delivered.
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Delivered => None,
            Self::Partial(Partial { reason, .. })
            | Self::Retry { reason, .. }
            | Self::Split { reason }
            | Self::Reject { reason }
            | Self::Pause { reason }
            | Self::Disable { reason } => Some(reason),
        }
    }
}

/// A verdict of its own for every event of a batch; those that are not named are confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partial {
    /// Events that are refused for good, ascending.
    pub rejected: Vec<Item>,
    /// Indices of the events to try again, ascending.
    pub retry: Vec<usize>,
    /// When the receiver wants to be asked again.
    pub after: Option<RetryAfter>,
    /// Why, for the whole.
    pub reason: Reason,
    /// The receiver took some of the rejected events as well and did not say which.
    pub doubtful: bool,
}

/// One refused event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its place in the batch.
    pub index: usize,
    /// Why.
    pub reason: Reason,
    /// What the receiver said about it, at most 1 KB.
    pub excerpt: Option<String>,
}

/// When a receiver wants to be asked again (RFC 9110, 10.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// After this long.
    Delay(Duration),
    /// At this time.
    Date(Timestamp),
}

impl RetryAfter {
    /// Parses the header: whole seconds, or an HTTP date. Anything else is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if !text.is_empty() && text.len() <= 19 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().ok().map(|seconds| Self::Delay(Duration::from_secs(seconds)));
        }
        // RFC 9110 dates are RFC 2822 dates whose zone is written GMT.
        let date = jiff::fmt::rfc2822::parse(text).ok()?;
        Some(Self::Date(Timestamp(date.timestamp().as_millisecond())))
    }

    /// Returns how long to wait from `now`.
    pub fn delay(self, now: Timestamp) -> Duration {
        match self {
            Self::Delay(delay) => delay,
            Self::Date(date) => {
                Duration::from_millis(date.0.saturating_sub(now.0).max(0).unsigned_abs())
            }
        }
    }
}

/// Judges the response of an HTTP destination that says nothing else.
pub fn judge_http(response: &Response) -> Verdict {
    let status = response.status;
    let reason =
        |code, what: &str| Reason::new(code, format!("the receiver answered {status}: {what}"));
    match status {
        200..=299 => Verdict::Delivered,
        300..=399 => {
            Verdict::Pause { reason: reason(Cause::Refused, "redirects are never followed") }
        }
        400 | 422 => {
            Verdict::Reject { reason: reason(Cause::Refused, "it refuses an event in the batch") }
        }
        401 | 403 | 407 => {
            Verdict::Pause { reason: reason(Cause::Refused, "it does not accept the credentials") }
        }
        404 => Verdict::Pause { reason: reason(Cause::Refused, "there is nothing at this URL") },
        405 | 501 => {
            Verdict::Pause { reason: reason(Cause::Refused, "it does not take POST requests") }
        }
        410 => Verdict::Disable { reason: reason(Cause::Gone, "the endpoint is gone for good") },
        413 => Verdict::Split { reason: reason(Cause::Refused, "the batch is too large for it") },
        408 | 425 | 429 | 500..=599 => {
            let code = if status == 429 { Cause::Throttled } else { Cause::Unavailable };
            let after = response.retry_after.as_deref().and_then(RetryAfter::parse);
            Verdict::Retry { after, reason: reason(code, "it cannot take events now") }
        }
        // What no rule names is a configuration error rather than a reason to lose anything.
        _ => Verdict::Pause { reason: reason(Cause::Refused, "the status has no meaning here") },
    }
}

/// Judges a failure without an answer; holds for every destination.
pub fn judge_failure(failure: &Failure) -> Verdict {
    let reason = Reason::new(failure.cause, failure.detail.clone());
    match failure.cause {
        Cause::Blocked
        | Cause::Credentials
        | Cause::Configuration
        | Cause::Certificate
        | Cause::CertificateExpired
        | Cause::CertificateName
        | Cause::CertificateUnknownAuthority => Verdict::Pause { reason },
        _ => Verdict::Retry { after: None, reason },
    }
}

#[cfg(test)]
mod tests;
