//! Seats: how much is read at once, by all and for one tenant, so that one tenant's reads do not hold up the others'.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::Duration,
};

use attestary_event::{EnvironmentId, TenantId};
use attestary_store::ReadError as StoreError;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{ReadError, Service, error::cause};

/// How long a read waits for its seat.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// Tenants that are remembered before those without a reader are forgotten.
const REMEMBERED_MIN: usize = 1_024;

type Name = (EnvironmentId, TenantId);

/// A bounded number of seats, and of seats for one tenant. Who waits gets the next one in the order of arrival.
#[derive(Debug)]
pub(crate) struct Seats {
    all: Arc<Semaphore>,
    each: usize,
    tenants: Mutex<HashMap<Name, Weak<Semaphore>>>,
}

/// A taken seat; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    _all: OwnedSemaphorePermit,
    _own: OwnedSemaphorePermit,
}

impl Seats {
    pub(crate) fn new(all: usize, each: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), each, tenants: Mutex::default() }
    }

    /// Returns a seat for a read of the tenant's log. A tenant's own seats come first: who waits for one of those
    /// keeps nobody else waiting.
    async fn take(&self, name: Name, wait_max: Duration) -> Result<Seat, ReadError> {
        let own = self.of(name);
        let taken = tokio::time::timeout(wait_max, async {
            let own = own.acquire_owned().await.ok()?;
            let all = Arc::clone(&self.all).acquire_owned().await.ok()?;
            Some(Seat { _all: all, _own: own })
        });
        taken.await.ok().flatten().ok_or(ReadError::Busy)
    }

    fn of(&self, name: Name) -> Arc<Semaphore> {
        let mut tenants = self.tenants.lock();
        if tenants.len() >= REMEMBERED_MIN && tenants.len() == tenants.capacity() {
            tenants.retain(|_, seats| seats.strong_count() > 0);
        }
        let known = tenants.entry(name).or_default();
        known.upgrade().unwrap_or_else(|| {
            let seats = Arc::new(Semaphore::new(self.each));
            *known = Arc::downgrade(&seats);
            seats
        })
    }
}

impl Service {
    /// Runs a read as a task of its own, which keeps its seat: a caller who goes away does not stop the thread that
    /// reads, and must not make room for another one.
    pub(crate) async fn seated<T: Send + 'static>(
        &self,
        seats: &Seats,
        name: Name,
        read: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<Result<T, StoreError>, ReadError> {
        let seat = seats.take(name, WAIT_MAX).await?;
        let running = self.runtime().spawn(async move {
            let answer = read.await;
            drop(seat);
            answer
        });
        running.await.map_err(|error| ReadError::Unavailable(cause(error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(tenant: &str) -> Name {
        (EnvironmentId::restored("production"), TenantId::restored(tenant))
    }

    #[tokio::test]
    async fn a_tenant_has_few_seats_and_all_have_more() {
        let seats = Seats::new(3, 2);
        let take = |tenant| seats.take(name(tenant), Duration::from_millis(1));
        let busy = [take("busy").await.unwrap(), take("busy").await.unwrap()];
        assert!(matches!(take("busy").await, Err(ReadError::Busy)));
        let other = take("other").await.unwrap();
        assert!(matches!(take("third").await, Err(ReadError::Busy)), "all seats are taken");
        drop(other);
        assert!(take("third").await.is_ok());
        drop(busy);
        assert!(take("busy").await.is_ok());
    }

    #[tokio::test]
    async fn tenants_without_readers_are_forgotten() {
        let seats = Seats::new(10, 1);
        let kept = seats.take(name("kept"), Duration::from_secs(1)).await.unwrap();
        for n in 0..REMEMBERED_MIN * 8 {
            seats.take(name(&format!("t{n}")), Duration::from_secs(1)).await.unwrap();
        }
        assert!(seats.tenants.lock().len() < REMEMBERED_MIN * 4);
        assert!(matches!(
            seats.take(name("kept"), Duration::from_millis(1)).await,
            Err(ReadError::Busy)
        ));
        drop(kept);
    }
}
