//! How many tails may be open: by one key, and together.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

/// Tails of one key at the same time.
const KEY_TAILS_MAX: usize = 8;
/// Tails of all keys at the same time. Two pages of about 256 KiB each are 128 MB.
const TAILS_MAX: usize = 256;

/// As many tails as are allowed are open.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TooManyTails {
    /// Of this key.
    #[error("this key has {limit} tails open; that is the limit")]
    OfKey {
        /// How many are allowed.
        limit: usize,
    },
    /// Of all keys together.
    #[error("the server has {limit} tails open; that is the limit")]
    Together {
        /// How many are allowed.
        limit: usize,
    },
}

/// The open tails by key.
#[derive(Debug, Default)]
pub(crate) struct Tails(Mutex<HashMap<String, usize>>);

/// One open tail; dropping it makes room.
#[derive(Debug)]
pub(super) struct Permit {
    tails: Arc<Tails>,
    key: String,
}

impl Tails {
    /// Counts one more tail of `key`.
    pub(super) fn enter(self: &Arc<Self>, key: &str) -> Result<Permit, TooManyTails> {
        let mut open = self.0.lock();
        if open.get(key).is_some_and(|of_key| *of_key >= KEY_TAILS_MAX) {
            return Err(TooManyTails::OfKey { limit: KEY_TAILS_MAX });
        }
        if open.values().sum::<usize>() >= TAILS_MAX {
            return Err(TooManyTails::Together { limit: TAILS_MAX });
        }
        *open.entry(key.to_owned()).or_default() += 1;
        metrics::gauge!("attestary_tails").increment(1);
        Ok(Permit { tails: Arc::clone(self), key: key.to_owned() })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.tails.0.lock();
        if let Some(of_key) = open.get_mut(&self.key) {
            *of_key -= 1;
            if *of_key == 0 {
                open.remove(&self.key);
            }
        }
        metrics::gauge!("attestary_tails").decrement(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_limits_are_reached_and_room_comes_back() {
        let tails = Arc::new(Tails::default());
        let mut open: Vec<_> = (0..TAILS_MAX)
            .map(|n| tails.enter(&format!("key_{}", n / KEY_TAILS_MAX)).unwrap())
            .collect();
        let refused = |key: &str| tails.enter(key).err();
        assert_eq!(refused("key_0"), Some(TooManyTails::OfKey { limit: KEY_TAILS_MAX }));
        assert_eq!(refused("key_new"), Some(TooManyTails::Together { limit: TAILS_MAX }));
        open.remove(0);
        assert_eq!(refused("key_0"), None);
        drop(open);
        assert!(tails.0.lock().is_empty());
    }
}
