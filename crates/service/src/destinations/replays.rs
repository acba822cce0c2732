//! Replays and backfills: second, temporary cursors of a destination over a stretch of the log.
//!
//! A replay sends events again with their ids, beside the live cursor and without moving it, with the destination's
//! configuration and a filter of its own if wanted. Retention is the limit of how far back it reaches; what was
//! erased since is absent from it.

use std::sync::Arc;

use attestary_delivery::{Handle, ReplayId, Spec, Start, State, Status};
use attestary_event::{EnvironmentId, TenantId, Timestamp, Violation};
use attestary_store::catalog::{Catalog, DestinationRow, ReplayRow};

use super::{act, as_read, running::Cursor};
use crate::{
    AccessError, Caller, ChangeError, ReadError, Scope, Service, error::cause, keys::change_error,
    search::parse_filter,
};

/// Replays of one destination that run at the same time.
const RUNNING_MAX: usize = 2;

/// One end of a stretch of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayEdge {
    /// A seq; at the end of a stretch the last one of it.
    Seq(u64),
    /// A time of receipt; at the end of a stretch the first one behind it.
    Time(Timestamp),
}

impl ReplayEdge {
    /// Parses a seq (a number), an RFC 3339 time, or `"beginning"`.
    pub fn parse(name: &str, value: &serde_json::Value) -> Result<Self, Violation> {
        match Start::parse(value) {
            Ok(Start::Beginning) if name == "from" => Ok(Self::Seq(0)),
            Ok(Start::Seq(seq)) => Ok(Self::Seq(seq)),
            Ok(Start::Time(time)) => Ok(Self::Time(time)),
            _ => Err(Violation::new(
                format!("/{name}"),
                "must be a seq or a time such as 2026-11-22T00:00:00Z",
            )),
        }
    }
}

/// What a replay is made from.
#[derive(Debug, Clone)]
pub struct NewReplay {
    /// Where it begins.
    pub from: ReplayEdge,
    /// Where it ends; the present end of the log when absent.
    pub to: Option<ReplayEdge>,
    /// Text in the filter language; the destination's filter when absent.
    pub filter: Option<String>,
}

/// A replay as shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    /// `rpl_…`.
    pub id: String,
    /// Of which destination.
    pub destination: String,
    /// First seq.
    pub from_seq: u64,
    /// The seq after the last one.
    pub next_seq: u64,
    /// Text in the filter language.
    pub filter: String,
    /// When it was asked for, in milliseconds since the epoch.
    pub created_ms: u64,
    /// When it was done or stopped, in milliseconds since the epoch.
    pub done_ms: Option<u64>,
    /// How it fares.
    pub status: Status,
}

impl Replay {
    /// Returns true when all of it was sent.
    pub fn is_complete(&self) -> bool {
        self.status.cursor >= self.next_seq
    }
}

impl Service {
    /// Starts a replay.
    pub async fn create_replay(
        &self,
        caller: &Caller,
        tenant: &str,
        id: &str,
        new: NewReplay,
    ) -> Result<Replay, ChangeError> {
        self.permit(caller, Scope::Destinations, "destination.replay")?;
        let tenant = self.visible(caller, tenant)?;
        let _turn = self.destinations().turn().await;
        let row = self.changeable_row(caller, &tenant, id).await?;
        let (spec, _) = self.restored(&row)?;
        let (from_seq, next_seq) = self.stretch(&row.environment, &tenant, &new).await?;
        let filter = match &new.filter {
            Some(text) => parse_filter(text).map_err(ChangeError::Filter)?.to_string(),
            None => row.filter.clone(),
        };
        if self.open_replays_of(&row.id).await?.len() >= RUNNING_MAX {
            let reason =
                format!("a destination has at most {RUNNING_MAX} replays at the same time");
            return Err(ChangeError::Conflict { reason });
        }
        let now_ms = self.clock().now_ms();
        let replay = ReplayRow {
            id: self.replay_id().to_string(),
            destination: row.id.clone(),
            from_seq,
            next_seq,
            filter,
            state: State::new(from_seq, Timestamp(now_ms as i64)).to_json(),
            created_ms: now_ms,
            done_ms: None,
        };
        let act = act("destination.replay", &spec)
            .on("replay", &replay.id)
            .with("from_seq", from_seq)
            .with("to_seq", next_seq - 1)
            .with("filter", replay.filter.as_str());
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        let saved = replay.clone();
        self.catalog(move |catalog| catalog.create_replay(&saved)).await.map_err(change_error)?;
        self.run_replay(&row, &replay)?;
        self.shown_replay(&row, replay)
    }

    /// Lists the replays of a destination, newest first.
    pub async fn replays(
        &self,
        caller: &Caller,
        tenant: &str,
        id: &str,
    ) -> Result<Vec<Replay>, ReadError> {
        self.permit(caller, Scope::Destinations, "destination.replays")?;
        let tenant = self.visible(caller, tenant)?;
        let row = self.own_row(caller, &tenant, id).await.map_err(as_read)?;
        let of = row.id.clone();
        let replays = self.catalog(move |catalog| catalog.replays_of(&of)).await;
        let replays = replays.map_err(|error| ReadError::Unavailable(cause(error)))?;
        self.recorded_view(caller, "destination.replays", &tenant, replays.len()).await?;
        let shown = replays.into_iter().map(|replay| self.shown_replay(&row, replay));
        shown.collect::<Result<_, _>>().map_err(as_read)
    }

    /// Stops a replay where it stands.
    pub async fn stop_replay(
        &self,
        caller: &Caller,
        tenant: &str,
        id: &str,
        replay: &str,
    ) -> Result<(), ChangeError> {
        self.permit(caller, Scope::Destinations, "destination.replay.stop")?;
        let tenant = self.visible(caller, tenant)?;
        let _turn = self.destinations().turn().await;
        let row = self.changeable_row(caller, &tenant, id).await?;
        let open = self.open_replays_of(&row.id).await?;
        let found = open.into_iter().find(|open| open.id == replay).ok_or(AccessError::NotFound)?;
        let (spec, _) = self.restored(&row)?;
        let act = act("destination.replay.stop", &spec).on("replay", &found.id);
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        self.end_replay(&found.id).await.map_err(change_error)
    }

    /// Starts every replay that was not done when the service stopped.
    pub(super) async fn start_replays(&self, rows: &[DestinationRow]) -> Result<(), ChangeError> {
        for replay in self.catalog(Catalog::open_replays).await.map_err(change_error)? {
            let Some(row) = rows.iter().find(|row| row.id == replay.destination) else { continue };
            if let Err(error) = self.run_replay(row, &replay) {
                let error = &error as &dyn std::error::Error;
                tracing::error!(replay.id = %replay.id, error, "a replay could not be started");
            }
        }
        Ok(())
    }

    /// Hands a changed destination over to its replays.
    pub(super) async fn restart_replays(&self, row: &DestinationRow) -> Result<(), ChangeError> {
        for replay in self.open_replays_of(&row.id).await? {
            let Some(handle) = self.destinations().replay(&replay.id) else { continue };
            let (spec, secrets) = self.restored(row)?;
            let spec = replayed(spec, &replay)?;
            let changed = handle.change(spec, secrets).await;
            changed.map_err(|error| ChangeError::Unavailable(cause(error)))?;
        }
        Ok(())
    }

    /// Pauses the replays of a destination, or starts them again.
    pub(super) async fn set_replays_paused(
        &self,
        destination: &str,
        paused: bool,
    ) -> Result<(), ChangeError> {
        for replay in self.open_replays_of(destination).await? {
            let Some(handle) = self.destinations().replay(&replay.id) else { continue };
            let done = match paused {
                true => handle.pause("paused by a person").await,
                false => handle.resume().await,
            };
            done.map_err(|error| ChangeError::Unavailable(cause(error)))?;
        }
        Ok(())
    }

    /// Stops the replays of a destination that is being removed.
    pub(super) async fn drop_replays(&self, destination: &str) -> Result<(), ChangeError> {
        for replay in self.open_replays_of(destination).await? {
            self.destinations().stop_replay(&replay.id).await;
        }
        Ok(())
    }

    fn run_replay(&self, row: &DestinationRow, replay: &ReplayRow) -> Result<(), ChangeError> {
        let (spec, secrets) = self.restored(row)?;
        let spec = replayed(spec, replay)?;
        let state = State::from_json(&replay.state)
            .map_err(|error| ChangeError::Unavailable(cause(error)))?;
        let handle = self.spawn_cursor(spec, secrets, state, Cursor::Replay(replay))?;
        let mut status = handle.watch();
        self.destinations().keep_replay(&replay.id, Arc::new(handle));
        let (service, id, next_seq) = (self.clone(), replay.id.clone(), replay.next_seq);
        self.spawn(|stopping| async move {
            let done = status.wait_for(|status| status.cursor >= next_seq);
            let done = matches!(stopping.run_until_cancelled(done).await, Some(Ok(_)));
            if done && let Err(error) = service.end_replay(&id).await {
                let error = &error as &dyn std::error::Error;
                tracing::error!(replay.id = %id, error, "the end of a replay could not be saved");
            }
        });
        Ok(())
    }

    async fn end_replay(&self, id: &str) -> Result<(), attestary_store::catalog::CatalogError> {
        self.destinations().stop_replay(id).await;
        let (id, now_ms) = (id.to_owned(), self.clock().now_ms());
        self.catalog(move |catalog| catalog.finish_replay(&id, now_ms)).await
    }

    async fn open_replays_of(&self, destination: &str) -> Result<Vec<ReplayRow>, ChangeError> {
        let of = destination.to_owned();
        let rows = self.catalog(move |catalog| catalog.replays_of(&of)).await;
        let rows = rows.map_err(change_error)?;
        Ok(rows.into_iter().filter(|row| row.done_ms.is_none()).collect())
    }

    /// Returns first seq and end of the stretch that is asked for.
    async fn stretch(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        new: &NewReplay,
    ) -> Result<(u64, u64), ChangeError> {
        let size = self.store().log(environment, tenant).ok_or(AccessError::NotFound)?.size;
        let from_seq = match new.from {
            ReplayEdge::Seq(seq) => seq,
            ReplayEdge::Time(time) => self.first_received(environment, tenant, time, size).await?,
        };
        let next_seq = match new.to {
            None => size,
            Some(ReplayEdge::Seq(seq)) => seq.saturating_add(1),
            Some(ReplayEdge::Time(time)) => {
                self.first_received(environment, tenant, time, size).await?
            }
        };
        if next_seq > size {
            let detail =
                format!("the log ends at seq {size}; {} lies behind its end", next_seq - 1);
            return Err(ChangeError::invalid("/to", detail));
        }
        if from_seq >= next_seq {
            return Err(ChangeError::invalid("/from", "there is no event between from and to"));
        }
        Ok((from_seq, next_seq))
    }

    fn shown_replay(&self, row: &DestinationRow, replay: ReplayRow) -> Result<Replay, ChangeError> {
        let status = match self.destinations().replay(&replay.id) {
            Some(handle) => handle.status(),
            None => {
                let state = State::from_json(&replay.state)
                    .map_err(|error| ChangeError::Unavailable(cause(error)))?;
                Status::of(&state, replay.next_seq)
            }
        };
        Ok(Replay {
            id: replay.id,
            destination: row.id.clone(),
            from_seq: replay.from_seq,
            next_seq: replay.next_seq,
            filter: replay.filter,
            created_ms: replay.created_ms,
            done_ms: replay.done_ms,
            status,
        })
    }

    fn replay_id(&self) -> ReplayId {
        let mut random = [0; 10];
        self.rng().fill(&mut random);
        ReplayId::new(self.clock().now_ms(), random)
    }
}

/// Returns a destination as its replay delivers it.
fn replayed(spec: Spec, replay: &ReplayRow) -> Result<Spec, ChangeError> {
    let filter = parse_filter(&replay.filter).map_err(ChangeError::Filter)?;
    Ok(Spec { filter, replay: ReplayId::parse(&replay.id), ..spec })
}

/// The running replays by id.
pub(super) type Handles = std::collections::HashMap<String, Arc<Handle>>;
