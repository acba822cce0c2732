//! The handle by which the service speaks to a destination's task.

use tokio::{
    sync::{Mutex, mpsc, oneshot, watch},
    task::{AbortHandle, JoinHandle},
};

use super::{Command, Status};
use crate::{attempt::Attempt, secret::Secrets, spec::Spec};

/// The destination's task has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the destination has been stopped")]
pub struct Stopped;

/// Speaks to the task of one destination.
#[derive(Debug)]
pub struct Handle {
    commands: mpsc::Sender<Box<Command>>,
    status: watch::Receiver<Status>,
    size: watch::Receiver<u64>,
    task: Mutex<Option<JoinHandle<()>>>,
    abort: AbortHandle,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Command")
    }
}

impl Handle {
    pub(super) fn new(
        commands: mpsc::Sender<Box<Command>>,
        status: watch::Receiver<Status>,
        size: watch::Receiver<u64>,
        task: JoinHandle<()>,
    ) -> Self {
        let abort = task.abort_handle();
        Self { commands, status, size, task: Mutex::new(Some(task)), abort }
    }

    /// Pauses until [`Self::resume`]. An attempt in flight is finished and counts. Returns when it is saved.
    pub async fn pause(&self, detail: impl Into<String>) -> Result<(), Stopped> {
        self.ask(|done| Command::Pause(detail.into(), done)).await
    }

    /// Starts again from the cursor, whatever it was paused for. Returns when it is saved.
    pub async fn resume(&self) -> Result<(), Stopped> {
        self.ask(Command::Resume).await
    }

    /// Changes configuration, filter, format or secrets, from the cursor on.
    ///
    /// Returns when it is saved: after the attempt in flight, so at most about 30 s later.
    pub async fn change(&self, spec: Spec, secrets: Secrets) -> Result<(), Stopped> {
        self.ask(|done| Command::Change(Box::new((spec, secrets)), done)).await
    }

    /// Sends one synthetic event (`attestary.test`) and returns what came of it. The cursor does not take part.
    pub async fn test(&self) -> Result<Attempt, Stopped> {
        self.ask(Command::Test).await
    }

    /// Returns how the destination fares now.
    pub fn status(&self) -> Status {
        let mut status = self.status.borrow().clone();
        status.lag_events = self.size.borrow().saturating_sub(status.cursor);
        status
    }

    /// Watches how the destination fares. `lag_events` is not filled in.
    pub fn watch(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Stops in order: waits for the attempt in flight for a while, saves, ends.
    pub async fn stop(&self) {
        let _ = self.ask(Command::Stop).await;
        if let Some(task) = self.task.lock().await.take() {
            let _ = task.await;
        }
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, Stopped> {
        let (done, answer) = oneshot::channel();
        self.commands.send(Box::new(command(done))).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.abort.abort();
    }
}
