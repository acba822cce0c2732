//! Seats: how much is done at once, by all and for one name, so that the work for one does not hold up the others'.
//!
//! Reads have names of tenants; the checking of bodies, and the memory that they take, those of keys.

use std::{
    collections::HashMap,
    hash::Hash,
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
/// Names that are remembered before those without a seat are forgotten.
const REMEMBERED_MIN: usize = 1_024;

/// A log that is read.
pub(crate) type LogName = (EnvironmentId, TenantId);

/// A bounded number of seats, and of seats for one name. Who waits gets the next one in the order of arrival.
#[derive(Debug)]
pub struct Seats<N> {
    all: Arc<Semaphore>,
    each: usize,
    names: Mutex<HashMap<N, Weak<Semaphore>>>,
}

/// One seat or several that were taken; they are free again when this is dropped.
#[derive(Debug)]
pub struct Seat {
    _all: OwnedSemaphorePermit,
    _own: OwnedSemaphorePermit,
}

impl<N: Eq + Hash> Seats<N> {
    /// Returns `all` seats, of which one name gets at most `each`.
    pub fn new(all: usize, each: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), each, names: Mutex::default() }
    }

    /// Returns a seat for work for `name`, `None` when there was none in time. A name's own seats come first: who waits
    /// for one of those keeps nobody else waiting.
    pub(crate) async fn take(&self, name: N, wait_max: Duration) -> Option<Seat> {
        let own = self.of(name);
        let taken = tokio::time::timeout(wait_max, async {
            let own = own.acquire_owned().await.ok()?;
            let all = Arc::clone(&self.all).acquire_owned().await.ok()?;
            Some(Seat { _all: all, _own: own })
        });
        taken.await.ok().flatten()
    }

    /// Returns `count` seats for `name`, `None` when there are not as many now.
    pub fn try_take(&self, name: N, count: u32) -> Option<Seat> {
        let own = self.of(name).try_acquire_many_owned(count).ok()?;
        let all = Arc::clone(&self.all).try_acquire_many_owned(count).ok()?;
        Some(Seat { _all: all, _own: own })
    }

    fn of(&self, name: N) -> Arc<Semaphore> {
        let mut names = self.names.lock();
        if names.len() >= REMEMBERED_MIN && names.len() == names.capacity() {
            names.retain(|_, seats| seats.strong_count() > 0);
        }
        let known = names.entry(name).or_default();
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
        seats: &Seats<LogName>,
        name: LogName,
        read: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<Result<T, StoreError>, ReadError> {
        let seat = seats.take(name, WAIT_MAX).await.ok_or(ReadError::Busy)?;
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

    fn name(tenant: &str) -> LogName {
        (EnvironmentId::restored("production"), TenantId::restored(tenant))
    }

    #[tokio::test]
    async fn a_name_has_few_seats_and_all_have_more() {
        let seats = Seats::new(3, 2);
        let take = |tenant| seats.take(name(tenant), Duration::from_millis(1));
        let busy = [take("busy").await.unwrap(), take("busy").await.unwrap()];
        assert!(take("busy").await.is_none());
        let other = take("other").await.unwrap();
        assert!(take("third").await.is_none(), "all seats are taken");
        drop(other);
        assert!(take("third").await.is_some());
        drop(busy);
        assert!(take("busy").await.is_some());
    }

    #[test]
    fn a_name_that_takes_all_it_may_leaves_room_for_another() {
        let seats = Seats::new(4, 2);
        let busy = seats.try_take("busy", 2).unwrap();
        assert!(seats.try_take("busy", 1).is_none());
        assert!(seats.try_take("other", 3).is_none(), "more than one name may have");
        let other = seats.try_take("other", 2).unwrap();
        assert!(seats.try_take("third", 1).is_none(), "all seats are taken");
        drop(other);
        assert!(seats.try_take("third", 2).is_some());
        drop(busy);
        assert!(seats.try_take("busy", 2).is_some());
    }

    #[tokio::test]
    async fn names_without_a_seat_are_forgotten() {
        let seats = Seats::new(10, 1);
        let kept = seats.take(name("kept"), Duration::from_secs(1)).await.unwrap();
        for n in 0..REMEMBERED_MIN * 8 {
            seats.take(name(&format!("t{n}")), Duration::from_secs(1)).await.unwrap();
        }
        assert!(seats.names.lock().len() < REMEMBERED_MIN * 4);
        assert!(seats.take(name("kept"), Duration::from_millis(1)).await.is_none());
        drop(kept);
    }
}
