//! Sign-ins that were begun and not finished.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use openidconnect::{Nonce, PkceCodeVerifier};
use parking_lot::Mutex;

/// How long a person may take at the provider.
const TIME_MAX: Duration = Duration::from_mins(10);
/// Sign-ins at once: of about 300 bytes each.
const PENDING_MAX: usize = 10_000;

/// What a sign-in was begun with.
pub(crate) struct Pending {
    pub(crate) nonce: Nonce,
    pub(crate) verifier: PkceCodeVerifier,
}

/// All of them, by state.
#[derive(Default)]
pub(crate) struct Waiting(Mutex<HashMap<String, (Instant, Pending)>>);

impl Waiting {
    /// Keeps a sign-in; returns false when there are too many.
    pub(crate) fn put(&self, state: &str, pending: Pending) -> bool {
        let mut all = self.0.lock();
        if all.len() >= PENDING_MAX {
            all.retain(|_, (begun, _)| begun.elapsed() < TIME_MAX);
        }
        if all.len() >= PENDING_MAX {
            return false;
        }
        all.insert(state.to_owned(), (Instant::now(), pending));
        true
    }

    /// Takes a sign-in, once.
    pub(crate) fn take(&self, state: &str) -> Option<Pending> {
        let (begun, pending) = self.0.lock().remove(state)?;
        (begun.elapsed() < TIME_MAX).then_some(pending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending() -> Pending {
        Pending {
            nonce: Nonce::new("n".to_owned()),
            verifier: PkceCodeVerifier::new("v".repeat(43)),
        }
    }

    #[test]
    fn a_sign_in_is_finished_once_and_there_are_not_too_many() {
        let waiting = Waiting::default();
        assert!(waiting.put("a", pending()));
        assert!(waiting.take("a").is_some() && waiting.take("a").is_none());
        assert!((0..PENDING_MAX).all(|n| waiting.put(&n.to_string(), pending())));
        assert!(!waiting.put("one more", pending()));
        assert!(waiting.take("0").is_some() && waiting.put("one more", pending()));
    }
}
