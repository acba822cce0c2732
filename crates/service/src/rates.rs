//! Rates: how many events a key and a tenant may submit, and how many tenants a key may begin.
//!
//! Token buckets (the generic cell rate algorithm of the crate `governor`): one number for each key and tenant that
//! was busy lately, none for the others.

use std::{collections::BTreeMap, hash::Hash, num::NonZeroU32, time::Duration};

use attestary_event::{EnvironmentId, TenantId};
use governor::{
    NotUntil, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::NoOpMiddleware,
    state::keyed::HashMapStateStore,
};

use crate::IntakeError;

/// What keys and tenants may do; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Events that one key may submit in a second.
    pub key_events_per_second: Option<NonZeroU32>,
    /// Events that may be submitted to one tenant in a second, by all keys together.
    pub tenant_events_per_second: Option<NonZeroU32>,
    /// Tenants that may begin with events of one key in an hour.
    pub key_tenants_per_hour: Option<NonZeroU32>,
}

impl Default for Rates {
    /// Events are not limited: the queue is shared fairly anyway. Tenants are: each costs memory for as long as it
    /// exists.
    fn default() -> Self {
        Self {
            key_events_per_second: None,
            tenant_events_per_second: None,
            key_tenants_per_hour: NonZeroU32::new(10_000),
        }
    }
}

/// Seconds of its rate that a key or tenant may use at once after a pause.
const BURST_SECONDS: u32 = 10;

type Buckets<K, C> = RateLimiter<K, HashMapStateStore<K>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// The buckets.
pub(crate) struct Limiter<C: Clock = DefaultClock> {
    clock: C,
    keys: Option<Buckets<String, C>>,
    tenants: Option<Buckets<(EnvironmentId, TenantId), C>>,
    new_tenants: Option<Buckets<String, C>>,
}

impl Limiter {
    /// Fills all buckets. One batch of `batch_events_max` events always fits.
    pub(crate) fn new(rates: &Rates, batch_events_max: usize) -> Self {
        Self::with_clock(rates, batch_events_max, DefaultClock::default())
    }
}

impl<C: Clock + Clone> Limiter<C> {
    fn with_clock(rates: &Rates, batch_events_max: usize, clock: C) -> Self {
        let batch = u32::try_from(batch_events_max).unwrap_or(u32::MAX);
        let events = |rate: NonZeroU32| {
            let burst = rate.get().saturating_mul(BURST_SECONDS).max(batch);
            Quota::per_second(rate).allow_burst(NonZeroU32::new(burst).unwrap_or(rate))
        };
        Self {
            keys: rates.key_events_per_second.map(|rate| buckets(events(rate), &clock)),
            tenants: rates.tenant_events_per_second.map(|rate| buckets(events(rate), &clock)),
            new_tenants: rates
                .key_tenants_per_hour
                .map(|rate| buckets(Quota::per_hour(rate), &clock)),
            clock,
        }
    }

    /// Takes the events of one body from the bucket of its key and of their tenants.
    ///
    /// # Errors
    /// [`IntakeError::RateLimited`] for the whole body, naming whose rate it is. What was taken before stays taken.
    pub(crate) fn events<'a>(
        &self,
        key: &str,
        environment: &EnvironmentId,
        tenants: impl ExactSizeIterator<Item = &'a TenantId>,
    ) -> Result<(), IntakeError> {
        if let Some(keys) = &self.keys {
            self.take(keys, &key.to_owned(), tenants.len(), "this key may submit events")?;
        }
        let Some(buckets) = &self.tenants else { return Ok(()) };
        let mut counts: BTreeMap<&TenantId, usize> = BTreeMap::new();
        for tenant in tenants {
            *counts.entry(tenant).or_default() += 1;
        }
        counts.into_iter().try_for_each(|(tenant, count)| {
            let whose = format!("tenant \"{tenant}\" takes events");
            self.take(buckets, &(environment.clone(), tenant.clone()), count, &whose)
        })
    }

    /// Takes tenants that are about to begin from the bucket of the key.
    ///
    /// # Errors
    /// [`IntakeError::RateLimited`] when the key began as many as it may.
    pub(crate) fn new_tenants(&self, key: &str, count: usize) -> Result<(), IntakeError> {
        let Some(buckets) = &self.new_tenants else { return Ok(()) };
        self.take(buckets, &key.to_owned(), count, "this key may begin tenants")
    }

    fn take<K: Hash + Eq + Clone>(
        &self,
        buckets: &Buckets<K, C>,
        of: &K,
        count: usize,
        whose: &str,
    ) -> Result<(), IntakeError> {
        let Some(count) = u32::try_from(count).ok().and_then(NonZeroU32::new) else {
            return Ok(());
        };
        let refused =
            |retry_after| Err(IntakeError::RateLimited { whose: whose.to_owned(), retry_after });
        match buckets.check_key_n(of, count) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(not_until)) => refused(self.wait(&not_until)),
            // More than the bucket ever holds: the caller has to send less at once, and not at once.
            Err(_) => refused(Duration::from_secs(u64::from(BURST_SECONDS))),
        }
    }

    fn wait(&self, not_until: &NotUntil<C::Instant>) -> Duration {
        not_until.wait_time_from(self.clock.now())
    }

    /// Forgets keys and tenants whose buckets are full again.
    pub(crate) fn forget_idle(&self) {
        if let Some(buckets) = &self.keys {
            buckets.retain_recent();
        }
        if let Some(buckets) = &self.tenants {
            buckets.retain_recent();
        }
        if let Some(buckets) = &self.new_tenants {
            buckets.retain_recent();
        }
    }
}

fn buckets<K: Hash + Eq + Clone, C: Clock + Clone>(quota: Quota, clock: &C) -> Buckets<K, C> {
    RateLimiter::hashmap_with_clock(quota, clock.clone())
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    const A: &str = "key_a";

    fn limiter(rates: Rates) -> (Limiter<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        (Limiter::with_clock(&rates, 100, clock.clone()), clock)
    }

    fn rate(events: u32) -> Option<NonZeroU32> {
        NonZeroU32::new(events)
    }

    #[track_caller]
    fn check(
        limiter: &Limiter<FakeRelativeClock>,
        key: &str,
        tenants: &[&str],
        refused: Option<(&str, u64)>,
    ) {
        let environment = EnvironmentId::restored("production");
        let tenants: Vec<_> = tenants.iter().map(|name| TenantId::restored(name)).collect();
        let found = match limiter.events(key, &environment, tenants.iter()) {
            Ok(()) => None,
            Err(IntakeError::RateLimited { whose, retry_after }) => {
                Some((whose, retry_after.as_millis() as u64))
            }
            Err(other) => panic!("{other}"),
        };
        assert_eq!(found, refused.map(|(whose, wait)| (whose.to_owned(), wait)));
    }

    #[test]
    fn a_key_gets_its_rate_after_its_burst_and_others_theirs() {
        let (limiter, clock) =
            limiter(Rates { key_events_per_second: rate(10), ..Rates::default() });
        check(&limiter, A, &["acme"; 100], None);
        check(&limiter, A, &["acme"; 5], Some(("this key may submit events", 500)));
        check(&limiter, "key_b", &["acme"; 100], None);
        clock.advance(Duration::from_millis(500));
        check(&limiter, A, &["acme"; 5], None);
        check(&limiter, A, &["acme"; 1], Some(("this key may submit events", 100)));
        clock.advance(Duration::from_mins(1));
        limiter.forget_idle();
        assert_eq!(limiter.keys.as_ref().map(RateLimiter::len), Some(0));
        check(&limiter, A, &["acme"; 101], Some(("this key may submit events", 10_000)));
    }

    #[test]
    fn a_tenant_has_one_bucket_for_all_keys() {
        let (limiter, _) =
            limiter(Rates { tenant_events_per_second: rate(10), ..Rates::default() });
        check(&limiter, A, &["acme"; 60], None);
        check(&limiter, "key_b", &["acme"; 40], None);
        check(&limiter, A, &["other"; 40], None);
        check(&limiter, A, &["other", "acme"], Some(("tenant \"acme\" takes events", 100)));
    }

    #[test]
    fn without_rates_nothing_is_counted() {
        let (limiter, _) = limiter(Rates { key_tenants_per_hour: None, ..Rates::default() });
        check(&limiter, A, &["acme"; 100_000], None);
        assert!(limiter.new_tenants(A, 100_000).is_ok());
    }

    #[test]
    fn a_key_begins_so_many_tenants_in_an_hour() {
        let (limiter, clock) =
            limiter(Rates { key_tenants_per_hour: rate(60), ..Rates::default() });
        assert!(limiter.new_tenants(A, 60).is_ok());
        assert!(limiter.new_tenants(A, 1).is_err());
        assert!(limiter.new_tenants("key_b", 1).is_ok());
        clock.advance(Duration::from_mins(1));
        assert!(limiter.new_tenants(A, 1).is_ok());
    }
}
