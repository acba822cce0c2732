//! Step 9 for time-stamps: an authority saw an anchor checkpoint, and that covers a head of this log.
//!
//! Imprint and proofs are checked here. The authority's signature is the business of whoever holds its certificate
//! (`openssl ts -verify -data text -in reply`): trust files name no authorities.

use attestary_ledger::{Checkpoint, SlotProof, TrustFile, stamp};

use crate::{
    growth::Growth,
    notes::chain,
    report::{Board, StepName},
};

/// The four files of a stamp.
#[derive(Debug, Default)]
pub(crate) struct StampFiles {
    /// The authority's reply (RFC 3161, DER).
    pub(crate) reply: Option<Vec<u8>>,
    /// The anchor checkpoint's text that it covers.
    pub(crate) text: Option<Vec<u8>>,
    /// Where the log's head stood under that checkpoint.
    pub(crate) slot_proof: Option<Vec<u8>>,
    /// How the log grew from that head.
    pub(crate) head: Option<Vec<u8>>,
}

impl StampFiles {
    /// Checks a stamp if there is one.
    pub(crate) fn check(&self, checkpoint: &Checkpoint, trust: &TrustFile, board: &mut Board) {
        let (reply, text, slot_proof, head) =
            match (&self.reply, &self.text, &self.slot_proof, &self.head) {
                (None, None, None, None) => return,
                (Some(reply), Some(text), Some(slot_proof), Some(head)) => {
                    (reply, text, slot_proof, head)
                }
                _ => {
                    let why = "a time-stamp has four files, and some of them are missing";
                    return board.fail(StepName::Epochs, why);
                }
            };
        if trust.anchor().is_none() {
            let why = "the trust file names no anchor log, so the time-stamp was not looked at";
            return board.pass(StepName::Epochs, why);
        }
        match stamped(reply, text, slot_proof, head, checkpoint, trust) {
            Ok(detail) => board.pass(StepName::Epochs, detail),
            Err(why) => board.fail(StepName::Epochs, format!("time-stamp: {why}")),
        }
    }
}

fn stamped(
    reply: &[u8],
    text: &[u8],
    slot_proof: &[u8],
    head: &[u8],
    checkpoint: &Checkpoint,
    trust: &TrustFile,
) -> Result<String, String> {
    let proof = SlotProof::parse(slot_proof).map_err(|error| chain(&error))?;
    let covered = proof.record.checkpoint.text();
    if covered.as_bytes() != text {
        return Err("its text is not that of the checkpoint in its slot proof".into());
    }
    let growth = Growth::parse(head).map_err(|error| format!("head: {error}"))?;
    growth.check(checkpoint).map_err(|why| format!("head: {why}"))?;
    proof.verify(&growth.text, trust).map_err(|error| chain(&error))?;
    let stamp = stamp::check(reply, covered, None).map_err(|error| chain(&error))?;
    let size = growth.checkpoint().map_or(0, |older| older.size);
    Ok(format!(
        "a time-stamp of {} covers the first {size} events (its signature: openssl ts)",
        stamp.time
    ))
}
