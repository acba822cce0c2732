//! Tails: events of one tenant as they are accepted, for as long as the reader stays.
//!
//! A tail is a task that reads pages behind its position and hands them over through a channel of one. It holds at most
//! a page and what the channel holds; a reader that takes nothing for half a minute is let go. It ends when the key is
//! no longer valid, when the log is deleted, and when the server stops. The read is recorded once, before the first
//! event is shown.

mod limits;
mod task;

use attestary_event::{Event, TenantId, Timestamp, Violation};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub(crate) use limits::Tails;
pub use limits::TooManyTails;
use task::Task;

use crate::{
    AccessError, Caller, Principal, ReadError, Service,
    audit::{Act, action},
    lens::{filter_for, hidden_of},
};

/// What is followed.
#[derive(Debug, Clone, Default)]
pub struct Tail {
    /// Whose log; may be left out when the key sees only one tenant.
    pub tenant: Option<String>,
    /// Text in the filter language; empty selects everything.
    pub filter: String,
    /// The first seq to show; without it, what is accepted from now on.
    pub from_seq: Option<u64>,
}

/// A part of a tail.
#[derive(Debug)]
pub enum TailPart {
    /// Events in the order of seq, at least one.
    Events(Vec<Event>),
    /// Nothing new to show. Everything up to this seq was looked at: a later tail may begin behind it.
    Idle {
        /// The last seq that was looked at, if there is one.
        seq: Option<u64>,
    },
    /// The last part.
    End(TailEnd),
}

/// Why a tail ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TailEnd {
    /// The server stops; another one, or this one later, goes on.
    Stopping,
    /// The key was revoked or has expired.
    KeyInvalid,
    /// The tenant's log was deleted.
    LogDeleted,
    /// The reader took nothing for too long.
    TooSlow,
    /// A part below failed.
    Failed,
}

/// A running tail: parts come until the sender is gone. Dropping it ends the task.
#[derive(Debug)]
pub struct Tailing {
    /// The parts.
    pub parts: mpsc::Receiver<TailPart>,
}

impl Service {
    /// Starts to follow a log, until the reader goes, the right to read ends, or `until` is cancelled.
    ///
    /// # Errors
    /// As for a search, and when too many tails are open.
    pub async fn tail(
        &self,
        caller: &Caller,
        tail: Tail,
        until: CancellationToken,
    ) -> Result<Tailing, ReadError> {
        let tenant = self.readable(caller, tail.tenant.as_deref(), "events.tail")?;
        let environment = caller.environment()?.clone();
        let filter = filter_for(caller, &tail.filter).map_err(ReadError::Filter)?;
        let permit = self.tails().enter(caller.principal.id()).map_err(ReadError::TooManyTails)?;
        // The size comes before the record of this read: in the audit log, the tail shows itself.
        let size = self.store().watch(&environment, &tenant).ok_or(AccessError::NotFound)?;
        let end = *size.borrow();
        let from_seq = tail.from_seq.unwrap_or(end);
        if from_seq > end {
            // Logs only grow: whoever comes from further on has read another log of this name.
            let detail = format!("is beyond the log's next seq, which is {end}");
            return Err(ReadError::Invalid(vec![Violation::new("/from_seq", detail)]));
        }
        self.record_read(caller, &tenant, act(&tail, &tenant, from_seq))
            .await
            .map_err(ReadError::Audit)?;
        let (sender, parts) = mpsc::channel(1);
        let task = Task {
            service: self.clone(),
            principal: caller.principal.clone(),
            environment,
            tenant,
            filter: filter.resolve(Timestamp(self.clock().now_ms() as i64)),
            hidden: hidden_of(caller).cloned().unwrap_or_default(),
            after: from_seq.checked_sub(1),
            size,
            sender,
            until,
        };
        self.spawn(|stopping| async move {
            task.run(stopping).await;
            drop(permit);
        });
        Ok(Tailing { parts })
    }

    /// Returns true while the principal would still be let in.
    fn is_valid(&self, principal: &Principal) -> bool {
        match principal {
            Principal::Key(key) => self.keys().is_valid(key, self.clock().now_ms()),
            Principal::Session(session) => self.sessions().is_valid(session, self.clock().now_ms()),
            Principal::Receiver(_) | Principal::Installation => true,
        }
    }
}

fn act(tail: &Tail, tenant: &TenantId, from_seq: u64) -> Act {
    Act::new(action::VIEW, "events.tail")
        .on("tenant", tenant.as_str())
        .with("filter", tail.filter.as_str())
        .with("from_seq", from_seq)
}
