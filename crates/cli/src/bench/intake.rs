//! `attestary bench intake`: what one event costs on one core before the journal, without network or disk.
//!
//! The stages are those of a submitted batch: cut the body, check each event, hash its fields and write its record.

use std::{
    hint::black_box,
    sync::LazyLock,
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow, bail, ensure};
use attestary_event::{
    EnvironmentId, Limits, Timestamp,
    actions::KnownActions,
    intake::{Accepted, Context, DigestKey, Door, Scratch, accept_with},
    scan::{Batch, BatchForm, split_batch},
};
use attestary_store::record::{Parts, Prepared as Record};
use clap::Args;

use super::{
    figure::Figure,
    ingest::BATCH_EVENTS,
    load::{Dice, Prepared},
};

/// Options of `bench intake`.
#[derive(Debug, Args)]
pub(crate) struct Intake {
    /// Batches of 1,000 events to take in
    #[arg(long, value_name = "N", default_value_t = 200)]
    batches: u32,
    /// Print one line of JSON per figure
    #[arg(long)]
    pub(crate) json: bool,
}

/// Measures each stage over the same batches; the figures are nanoseconds per event.
pub(crate) fn measure(options: &Intake) -> anyhow::Result<Vec<Figure>> {
    ensure!(options.batches > 0, "--batches must be at least 1");
    let mut dice = Dice::new(super::SEED);
    let mut load = Prepared::new(BATCH_EVENTS, "", &mut dice);
    let environment =
        EnvironmentId::parse("bench").ok().context("\"bench\" names an environment")?;
    let mut stages = [("intake.split", 0.0), ("intake.check", 0.0), ("intake.record", 0.0)];
    for _ in 0..options.batches {
        load.renew(&mut dice);
        let (pieces, split) = timed(|| split(load.body()));
        let pieces = pieces?;
        let (checked, check) = timed(|| {
            let mut scratch = Scratch::default();
            pieces.iter().try_for_each(|piece| {
                let event = accepted(piece, &mut scratch)?;
                scratch.recycle(event);
                anyhow::Ok(())
            })
        });
        checked?;
        let (recorded, whole) =
            timed(|| checked_records(&pieces, &environment, &mut Scratch::default()));
        black_box(recorded?);
        let taken = [split, check, whole.saturating_sub(check)];
        for ((_, total), taken) in stages.iter_mut().zip(taken) {
            *total += taken.as_secs_f64();
        }
    }
    let events = f64::from(options.batches) * BATCH_EVENTS as f64;
    let figure = |(name, total)| Figure::new(name, total * 1e9 / events, "ns/event");
    Ok(stages.into_iter().map(figure).collect())
}

/// Returns a batch's events as the engine takes them.
pub(crate) fn records(
    body: &[u8],
    environment: &EnvironmentId,
    scratch: &mut Scratch,
) -> anyhow::Result<Vec<Record>> {
    checked_records(&split(body)?, environment, scratch)
}

fn checked_records(
    pieces: &[&[u8]],
    environment: &EnvironmentId,
    scratch: &mut Scratch,
) -> anyhow::Result<Vec<Record>> {
    let records = pieces.iter().map(|piece| {
        let event = accepted(piece, scratch)?;
        let record = record(environment, &event);
        scratch.recycle(event);
        Ok(record)
    });
    records.collect()
}

fn timed<T>(stage: impl FnOnce() -> T) -> (T, Duration) {
    let started = Instant::now();
    let result = stage();
    (result, started.elapsed())
}

fn split(body: &[u8]) -> anyhow::Result<Vec<&[u8]>> {
    match split_batch(body, BatchForm::Json, &Limits::default())? {
        Batch::Many(pieces) => Ok(pieces),
        Batch::One(_) => bail!("the load is an array"),
    }
}

fn accepted(piece: &[u8], scratch: &mut Scratch) -> anyhow::Result<Accepted> {
    static DIGEST_KEY: LazyLock<DigestKey> = LazyLock::new(|| DigestKey::new(&[7; 32]));
    let limits = Limits::default();
    let context = Context {
        now: Timestamp(1_795_308_919_123),
        actions: KnownActions::builtin(),
        limits: &limits,
        default_tenant: None,
    };
    accept_with(piece, Door::Native, &context, &DIGEST_KEY, scratch)
        .map_err(|violations| anyhow!("the load is refused: {violations:?}"))
}

fn record(environment: &EnvironmentId, event: &Accepted) -> Record {
    Record::new(Parts {
        environment: environment.clone(),
        tenant: event.tenant.clone(),
        id: event.id.expect("every event of the load has an id"),
        client_id: true,
        service: false,
        seed: [9; 16],
        digest: event.digest,
        occurred_ms: event.occurred_ms,
        severity: event.severity,
        fields: &event.fields,
        body: &event.body,
    })
}
