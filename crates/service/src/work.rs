//! CPU work beside the asynchronous runtime.
//!
//! Bodies are mapped and checked here. Every job that runs takes processor time from all the others, so there are few more
//! seats than cores, and a key that sends without a pause has its own waiting, not other keys'. A large body whose events
//! the queue has no room for is refused without being looked at.

use std::{num::NonZero, time::Duration};

use attestary_store::{Flow, SubmitError, priority};

use crate::{Caller, IntakeError, Service, error::cause, seats::Seats, submit::submit_error};

/// Bodies from this size on are worked on by a worker thread: about 100 µs of work.
const WORKER_BYTES_MIN: usize = 16 * 1024;
/// How long a body waits for its seat.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// When to come again after that.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How long a body waits for room in the queue. It slows down who comes again at once: reading bodies only to refuse them
/// takes processor time too.
const ROOM_WAIT_MAX: Duration = Duration::from_millis(250);
const ROOM_POLL: Duration = Duration::from_millis(10);

/// One key can keep every core busy, and another key still finds a seat.
pub(crate) fn seats() -> Seats<String> {
    let cores = std::thread::available_parallelism().map_or(2, NonZero::get);
    Seats::new(cores + 1, cores)
}

impl Service {
    /// Checks a body of `bytes` bytes of events by `work`, as [`Self::work`] does it. A large one has to find room in the
    /// queue for its events first, else it is refused with [`IntakeError::Pushback`] and nothing looked at it.
    ///
    /// The size of the body stands for that of its events. No room is taken: what is checked may be refused still.
    pub(crate) async fn check<T, E>(
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
        self.wait_for_room(caller, bytes).await?;
        let check = move |service: &Self, caller: &Caller| {
            // The room may have gone while the body waited for its seat.
            service.ask_room(caller, bytes).map_err(submit_error)?;
            work(service, caller)
        };
        self.work(caller, bytes, check).await
    }

    async fn wait_for_room(&self, caller: &Caller, bytes: usize) -> Result<(), IntakeError> {
        let mut waited = Duration::ZERO;
        loop {
            match self.ask_room(caller, bytes) {
                Err(SubmitError::Pushback { .. }) if waited < ROOM_WAIT_MAX => {}
                answer => return answer.map_err(submit_error),
            }
            tokio::time::sleep(ROOM_POLL).await;
            waited += ROOM_POLL;
        }
    }

    fn ask_room(&self, caller: &Caller, bytes: usize) -> Result<(), SubmitError> {
        self.store().ask_room(Flow::of(caller.principal.id()), bytes)
    }

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
            priority::lower(priority::BULK);
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
