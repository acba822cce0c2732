//! Steps 8 to 11: the head stood at its slot in an epoch that the anchor log holds, when that was, and what came later.

use attestary_ledger::{
    Checkpoint, SlotProof, TrustFile, epoch::EpochRecord, slot_proof::SlotProofError,
};

use crate::{
    growth::Growth,
    notes::chain,
    report::{Board, StepName},
};

/// How much later than its epoch an event may say it was received: clocks of one installation.
const CLOCK_MS_MAX: u64 = 300_000;

/// The anchored head.
pub(crate) struct Anchored {
    pub(crate) size: u64,
    record: EpochRecord,
}

/// Checks slot proof and head, as far as the trust file demands an anchor.
pub(crate) fn check(
    slot_proof: Option<&[u8]>,
    head: Option<&[u8]>,
    checkpoint: &Checkpoint,
    text: &str,
    trust: &TrustFile,
    board: &mut Board,
) -> Option<Anchored> {
    if trust.anchor().is_none() {
        let detail = if slot_proof.is_some() {
            "the trust file names no anchor log, so the slot proof was not looked at"
        } else {
            "the trust file demands no anchor log"
        };
        board.pass(StepName::Anchoring, detail);
        return None;
    }
    let Some(slot_proof) = slot_proof else {
        board.fail(StepName::Anchoring, "the trust file demands an anchor; there is no slot proof");
        return None;
    };
    match proved(slot_proof, head, checkpoint, text, trust) {
        Ok(anchored) => {
            let detail = format!(
                "size {} stood at slot {} in epoch {}",
                anchored.size,
                trust.slot(),
                anchored.record.epoch
            );
            board.pass(StepName::Anchoring, detail);
            Some(anchored)
        }
        Err((step, why)) => {
            board.fail(step, why);
            None
        }
    }
}

fn proved(
    slot_proof: &[u8],
    head: Option<&[u8]>,
    checkpoint: &Checkpoint,
    text: &str,
    trust: &TrustFile,
) -> Result<Anchored, (StepName, String)> {
    let anchoring = |why: String| (StepName::Anchoring, why);
    let proof = SlotProof::parse(slot_proof).map_err(|error| anchoring(chain(&error)))?;
    let growth = match head {
        Some(bytes) => {
            let growth =
                Growth::parse(bytes).map_err(|error| anchoring(format!("head: {error}")))?;
            growth.check(checkpoint).map_err(|why| anchoring(format!("head: {why}")))?;
            Some(growth)
        }
        None => None,
    };
    let older = growth.as_ref().map_or(text, |growth| growth.text.as_str());
    let anchored = proof.verify(older, trust).map_err(|error| {
        let step = match error {
            SlotProofError::Time => StepName::Epochs,
            _ => StepName::Anchoring,
        };
        (step, chain(&error))
    })?;
    let size =
        growth.and_then(|growth| growth.checkpoint()).map_or(checkpoint.size, |older| older.size);
    Ok(Anchored { size, record: anchored.record })
}

/// Judges times and the tail, once the events are known.
pub(crate) fn times(
    anchored: Option<&Anchored>,
    last_received_ms: Option<u64>,
    checkpoint: &Checkpoint,
    trust: &TrustFile,
    now_ms: u64,
    board: &mut Board,
) {
    let Some(anchored) = anchored else {
        if trust.anchor().is_none() {
            board.pass(StepName::Epochs, "no epoch is looked at");
            board.pass(StepName::Freshness, "the trust file states no age");
            board.pass(StepName::Tail, tail(0, checkpoint.size));
        }
        return;
    };
    let record = &anchored.record;
    if last_received_ms
        .is_some_and(|received| received > record.unix_ms.saturating_add(CLOCK_MS_MAX))
    {
        let why =
            format!("epoch {} is older than an event of the head that it holds", record.epoch);
        board.fail(StepName::Epochs, why);
    } else {
        board.pass(StepName::Epochs, format!("epoch {} of {} slots", record.epoch, record.slots));
    }
    match trust.age_s_max() {
        Some(age_s) if now_ms > record.unix_ms.saturating_add(age_s.saturating_mul(1_000)) => {
            let old_s = (now_ms - record.unix_ms) / 1_000;
            let why = format!(
                "the newest anchor is {old_s} s old, more than {age_s} s: stale, possible truncation"
            );
            board.undecided(StepName::Freshness, why);
        }
        Some(age_s) => {
            board.pass(StepName::Freshness, format!("the anchor is younger than {age_s} s"));
        }
        None => board.pass(StepName::Freshness, "the trust file states no age"),
    }
    board.pass(StepName::Tail, tail(anchored.size, checkpoint.size));
}

fn tail(anchored: u64, size: u64) -> String {
    match size.checked_sub(anchored) {
        None | Some(0) => "every event of the checkpoint is anchored".into(),
        Some(count) => format!("{count} events, seq {anchored} to {}, are not anchored", size - 1),
    }
}
