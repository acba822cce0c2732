//! CPU work beside the asynchronous runtime.

use crate::{Caller, IntakeError, Service, error::cause};

/// Bodies from this size on are worked on by a worker thread: about 100 µs of work.
const WORKER_BYTES_MIN: usize = 16 * 1024;

impl Service {
    /// Does CPU work on `bytes` bytes of a body: at once when they are few, else on a worker thread.
    ///
    /// Fails as the work does, and with [`IntakeError::Unavailable`] when the worker ended without an answer.
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
        let (service, caller) = (self.clone(), caller.clone());
        let worker = self.runtime().spawn_blocking(move || work(&service, &caller));
        worker.await.map_err(|error| IntakeError::Unavailable(cause(error)))?
    }
}
