//! CPU work beside the asynchronous runtime.
//!
//! Bodies are mapped and checked here. Every job that runs takes processor time from all the others, so there are few more
//! seats than cores, and a key that sends without a pause has its own waiting, not other keys'.

use std::{num::NonZero, time::Duration};

use crate::{Caller, IntakeError, Service, error::cause, seats::Seats};

/// Bodies from this size on are worked on by a worker thread: about 100 µs of work.
const WORKER_BYTES_MIN: usize = 16 * 1024;
/// How long a body waits for its seat.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// When to come again after that.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// One key can keep every core busy, and another key still finds a seat.
pub(crate) fn seats() -> Seats<String> {
    let cores = std::thread::available_parallelism().map_or(2, NonZero::get);
    Seats::new(cores + 1, cores)
}

impl Service {
    /// Does CPU work on `bytes` bytes of a body: at once when they are few, else on a worker thread.
    ///
    /// Fails as the work does, with [`IntakeError::Pushback`] when there was no seat in time, and with
    /// [`IntakeError::Unavailable`] when the worker ended without an answer.
    pub(crate) async fn work<T, E>(
        &self,
        caller: &Caller,
        bytes: usize,
        work: impl FnOnce(&Self, &Caller) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<IntakeError> + Send + 'static,
    {
        if bytes < WORKER_BYTES_MIN {
            return work(self, caller);
        }
        let seat = self.workers().take(caller.principal.id().to_owned(), WAIT_MAX).await;
        let seat = seat.ok_or(IntakeError::Pushback { retry_after: RETRY_AFTER })?;
        let (service, caller) = (self.clone(), caller.clone());
        let worker = self.runtime().spawn_blocking(move || {
            let done = work(&service, &caller);
            drop(seat);
            done
        });
        worker.await.map_err(|error| IntakeError::Unavailable(cause(error)))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_that_keeps_every_core_busy_leaves_a_seat_for_another_key() {
        let (seats, moment) = (seats(), Duration::from_millis(1));
        let mut busy = Vec::new();
        while let Some(seat) = seats.take("busy".into(), moment).await {
            busy.push(seat);
        }
        assert!(busy.len() >= std::thread::available_parallelism().map_or(1, NonZero::get));
        assert!(seats.take("other".into(), moment).await.is_some());
    }
}
