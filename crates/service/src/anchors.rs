//! Epochs and anchors: now and then the heads of all logs become one epoch, and others confirm that it was there.
//!
//! An epoch is made whatever else fails; a quorum of witnesses that does not answer marks it as unwitnessed, raises the
//! alarm, and stops nothing. The next epoch covers what the last one did, so nothing is made up for.

mod keeping;
mod keys;
mod settings;
mod slot;
mod stamping;
mod status;
mod witnesses;

use std::{sync::Arc, time::Duration};

use attestary_delivery::Guard;
use attestary_ledger::{Checkpoint, EpochRecord, Note, TilePath};
use attestary_store::{
    HeadError, ProveError,
    catalog::{AnchorRow, AnchorWith},
};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

pub use settings::{AnchorSettings, BadPolicy, KeepSettings, StampSettings, WitnessPolicy};
pub use slot::Anchored;
pub use status::{AnchorStatus, WitnessStatus};

use self::status::Known;
use crate::{
    AccessError, Caller, ReadError, Scope, Service,
    audit::{Act, Minute, action},
    error::{Cause, cause},
    proofs::prove_error,
    service::waited,
};

/// How often old epochs are thinned out.
const THIN_EVERY: Duration = Duration::from_hours(1);
/// A request for something anchored has no epoch made when the last one is younger than this.
const YOUNG_MS: u64 = 5_000;

/// What the service keeps in mind about its anchors.
#[derive(Debug)]
pub(crate) struct Anchors {
    /// One epoch at a time.
    turn: Semaphore,
    known: Mutex<Known>,
}

impl Default for Anchors {
    fn default() -> Self {
        Self { turn: Semaphore::new(1), known: Mutex::default() }
    }
}

impl Service {
    /// Makes epochs as often as configured, until the service closes.
    pub(crate) async fn start_anchors(&self) -> Result<(), Cause> {
        self.restore_anchor_keys().await?;
        self.restore_anchors().await?;
        let Some(every) = self.settings().anchors.epoch_every else { return Ok(()) };
        let service = self.clone();
        self.spawn(|stopping| async move {
            let mut thinned = service.clock().monotonic();
            while !waited(&stopping, every).await {
                if let Err(error) = service.anchor_now().await {
                    tracing::error!(
                        error = &*error,
                        "no epoch was made; the next turn tries again"
                    );
                }
                if service.clock().monotonic().saturating_sub(thinned) >= THIN_EVERY {
                    thinned = service.clock().monotonic();
                    if let Err(error) = service.store().thin_epochs().await {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(error, "old epochs were not thinned out");
                    }
                }
            }
        });
        Ok(())
    }

    /// Makes an epoch and has it anchored: cosigned, time-stamped and kept, as configured.
    ///
    /// # Errors
    /// When there is no epoch. An epoch that could not be anchored is marked, not an error.
    pub async fn anchor_now(&self) -> Result<EpochRecord, Cause> {
        let _turn = self.anchors().turn.acquire().await;
        let made = self.store().make_epoch().await;
        self.anchors().known.lock().failed = made.as_ref().err().map(ToString::to_string);
        let record = made.map_err(cause)?;
        let (mut note, size) = self.sign_anchor().await?;
        let quorum = self.ask_witnesses(&mut note, size).await;
        let made_ms = self.clock().now_ms();
        let row = AnchorRow { size, made_ms, quorum, note: note.to_string(), stamp: None };
        self.keep_row(row.clone()).await?;
        self.anchors().known.lock().made(&row, record.unix_ms);
        self.tell_of_witnesses(quorum, record.epoch).await;
        self.stamp_when_due(&row, &note).await;
        self.keep_when_due(&row).await;
        Ok(record)
    }

    /// Makes an epoch unless there is a young one: somebody asks for something that is not anchored yet.
    pub(crate) async fn anchor_soon(&self) {
        let now_ms = self.clock().now_ms();
        let young = |made_ms: u64| made_ms.saturating_add(YOUNG_MS) > now_ms;
        let last_ms = self.store().last_epoch().map(|epoch| epoch.record.unix_ms);
        if self.settings().anchors.epoch_every.is_none() || last_ms.is_some_and(young) {
            return;
        }
        if let Err(error) = self.anchor_now().await {
            tracing::warn!(error = &*error, "no epoch was made");
        }
    }

    pub(super) async fn keep_row(&self, row: AnchorRow) -> Result<(), Cause> {
        self.catalog(move |catalog| catalog.put_anchor(&row)).await.map_err(cause)
    }

    /// Returns the signed checkpoint over all epochs, and their number.
    async fn sign_anchor(&self) -> Result<(Note, u64), Cause> {
        let head = self.store().anchor_head().await.map_err(cause)?;
        let head = head.ok_or_else(|| cause(HeadError::NoLog))?;
        let text = Checkpoint::new(&self.store().anchor_origin(), head.size, head.root).to_string();
        let signer = self.anchor_signer(head.size)?;
        let mut note = Note::new(text).map_err(cause)?;
        let signature = signer.sign(note.text());
        note.push(signature).map_err(cause)?;
        Ok((note, head.size))
    }

    /// Returns the anchor log's newest checkpoint: with a quorum if there is one, and with what cosignatures it has else.
    pub async fn anchor_checkpoint(&self, caller: &Caller) -> Result<String, ReadError> {
        self.record_anchor_read(caller, "anchor.checkpoint").await?;
        let found = self.catalog(|catalog| catalog.newest_anchor(AnchorWith::Nothing)).await;
        let found = found.map_err(|error| ReadError::Unavailable(cause(error)))?;
        Ok(found.ok_or(AccessError::NotFound)?.note)
    }

    /// Returns a tile of the anchor log, or a bundle of epoch records.
    pub async fn anchor_tile(&self, caller: &Caller, path: TilePath) -> Result<Vec<u8>, ReadError> {
        self.record_anchor_read(caller, "anchor.tile").await?;
        match self.store().anchor_tile(path).await {
            Err(ProveError::Range { .. }) => Err(AccessError::NotFound.into()),
            tile => tile.map_err(prove_error),
        }
    }

    /// Returns the newest time-stamp and the note text that it covers.
    pub async fn anchor_stamp(&self, caller: &Caller) -> Result<(Vec<u8>, String), ReadError> {
        self.record_anchor_read(caller, "anchor.stamp").await?;
        let found = self.catalog(|catalog| catalog.newest_anchor(AnchorWith::Stamp)).await;
        let row = found.map_err(|error| ReadError::Unavailable(cause(error)))?;
        let row = row.ok_or(AccessError::NotFound)?;
        let note = Note::parse(row.note.as_bytes()).map_err(|_| AccessError::NotFound)?;
        Ok((row.stamp.ok_or(AccessError::NotFound)?, note.text().to_owned()))
    }

    /// Returns how epochs and anchors are.
    pub async fn anchor_state(&self, caller: &Caller) -> Result<AnchorStatus, ReadError> {
        self.record_anchor_read(caller, "anchor.status").await?;
        self.anchor_status().ok_or_else(|| AccessError::NotFound.into())
    }

    /// The anchor log shows the number of logs and nothing of any; reading it is recorded all the same.
    async fn record_anchor_read(
        &self,
        caller: &Caller,
        operation: &'static str,
    ) -> Result<(), ReadError> {
        self.permit(caller, Scope::Read, operation)?;
        let minute = Minute::of(self.clock().now_ms());
        let topic = format!("{operation} {}", caller.environment);
        if !self.coalescer().first(caller.principal.id(), &topic, minute) {
            return Ok(());
        }
        let act = Act::new(action::VIEW, operation);
        self.record(caller, act).await.map_err(ReadError::Audit)
    }

    pub(crate) fn outbound(&self) -> Guard {
        Guard::system(self.settings().outbound.clone())
    }

    fn delivery_clock(&self) -> Arc<dyn attestary_delivery::Clock> {
        Arc::new(crate::destinations::ports::Clock(self.components().clock.clone()))
    }
}
