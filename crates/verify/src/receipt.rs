//! Receipts and proof files: single events, checked by whoever kept them.
//!
//! A receipt of the full form holds what the event's leaf is computed from. What it says about itself is compared with what
//! its entry says, the entry with its payload, and the proof with the trust file.

use attestary_event::{Fields, Limits, Timestamp};
use attestary_ledger::{
    Checkpoint, Entry, ProofFile, TrustFile, entry::ENTRY_BYTES, fields_hash, origin_id,
    proof_file::PROOF_BYTES_MAX,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    Options, Report, anchor,
    manifest::unhex,
    notes,
    report::{Board, StepName},
};

/// Longest receipt: an event of the largest size, a proof file as a JSON string, and the short members.
pub const RECEIPT_BYTES_MAX: usize = 2 * Limits::EVENT_BYTES_CEILING + 2 * PROOF_BYTES_MAX + 4096;

/// A receipt as the service answers it; members that it may gain later are not looked at.
#[derive(Deserialize)]
struct Receipt<'a> {
    id: String,
    seq: u64,
    received_at: String,
    leaf_hash: String,
    #[serde(default)]
    origin: Option<String>,
    #[serde(default)]
    entry: Option<String>,
    #[serde(default)]
    seed: Option<String>,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
    #[serde(default)]
    proof: Option<String>,
}

/// Checks a receipt. Without a trust file, and without a proof, some of it cannot be decided.
pub fn receipt(bytes: &[u8], trust: Option<&[u8]>, options: &Options) -> Report {
    let mut board = Board::default();
    let trust = match trust.map(TrustFile::parse).transpose() {
        Ok(trust) => trust,
        Err(error) => {
            board.undecided(StepName::Trust, notes::chain(&error));
            return board.finish(None, 0);
        }
    };
    let parsed = if bytes.len() > RECEIPT_BYTES_MAX {
        Err(format!("{} bytes; a receipt has at most {RECEIPT_BYTES_MAX}", bytes.len()))
    } else {
        serde_json::from_slice::<Receipt<'_>>(bytes).map_err(|error| error.to_string())
    };
    let receipt = match parsed {
        Ok(receipt) => receipt,
        Err(why) => {
            board.fail(StepName::Container, format!("this is no receipt: {why}"));
            return board.finish(None, 0);
        }
    };
    board.pass(StepName::Container, "a receipt");
    let entry = match entry(&receipt) {
        Ok(Some(entry)) => entry,
        Ok(None) => {
            let why = "the receipt is not of the full form: it has no entry, seed and payload";
            board.undecided(StepName::Entries, why);
            return board.finish(None, 0);
        }
        Err((step, why)) => {
            board.fail(step, why);
            return board.finish(None, 0);
        }
    };
    board.pass(
        StepName::Entries,
        format!("seq {}, id, time and leaf hash are those of the entry", entry.seq),
    );
    board.pass(
        StepName::Payloads,
        format!("the payload is what the entry commits to, {} fields", entry.n_fields),
    );
    match &receipt.proof {
        Some(file) => {
            let head = proof(file.as_bytes(), Some(&entry), trust.as_ref(), options, &mut board);
            return board.finish(head, 1);
        }
        None => board.undecided(StepName::Notes, "the receipt has no proof"),
    }
    board.finish(None, 1)
}

/// Checks a `.tlog-proof` file, whose extra data is the entry.
pub fn proof_file(bytes: &[u8], trust: &[u8], options: &Options) -> Report {
    let mut board = Board::default();
    match TrustFile::parse(trust) {
        Ok(trust) => {
            let head = proof(bytes, None, Some(&trust), options, &mut board);
            board.finish(head, 1)
        }
        Err(error) => {
            board.undecided(StepName::Trust, notes::chain(&error));
            board.finish(None, 0)
        }
    }
}

/// Name, size and root of the log that a checkpoint was accepted for.
pub(crate) type Head = (String, u64, attestary_ledger::Hash);

/// Judges a proof file, which is of `expected` where that is known.
pub(crate) fn proof(
    bytes: &[u8],
    expected: Option<&Entry>,
    trust: Option<&TrustFile>,
    options: &Options,
    board: &mut Board,
) -> Option<Head> {
    let file = match ProofFile::parse(bytes) {
        Ok(file) => file,
        Err(error) => {
            board.fail(StepName::Container, format!("the proof file: {}", notes::chain(&error)));
            return None;
        }
    };
    let entry = file.extra.as_deref().map(Entry::decode);
    let entry = match entry {
        Some(Ok(entry)) => entry,
        Some(Err(error)) => {
            board.fail(StepName::Entries, format!("the proof's extra data: {error}"));
            return None;
        }
        None => {
            board.fail(StepName::Entries, "the proof holds no entry");
            return None;
        }
    };
    if expected.is_some_and(|expected| *expected != entry) {
        board.fail(StepName::Entries, "the proof is of another entry");
        return None;
    }
    let Some(trust) = trust else {
        board.undecided(
            StepName::Trust,
            "without a trust file nobody knows whose signature this is",
        );
        return None;
    };
    let (note, accepted) = notes::checkpoint(file.checkpoint.to_string().as_bytes(), trust, board)?;
    let head = accepted.checkpoint;
    board.pass(StepName::Container, "a proof file");
    board.pass(StepName::Trust, format!("{}, slot {}", trust.origin(), trust.slot()));
    board.pass(StepName::Notes, format!("checkpoint of {} events", head.size));
    board.pass(StepName::KeyEpochs, "signed by the key that is valid for this size");
    if entry.origin != origin_id(&head.origin) {
        board.fail(StepName::Entries, "the entry is of another log");
        return None;
    }
    if entry.seq != file.index {
        board.fail(
            StepName::Entries,
            format!("the proof is of index {}, the entry says seq {}", file.index, entry.seq),
        );
        return None;
    }
    if let Err(error) = file.verify_inclusion(&entry.leaf_hash(), head.size, &head.root) {
        board.fail(StepName::Tree, notes::chain(&error));
        return None;
    }
    board.pass(StepName::Tree, format!("seq {} is in the tree of {} events", entry.seq, head.size));
    board.pass(StepName::Entries, format!("seq {} of this log", entry.seq));
    board.pass(StepName::Payloads, "the entry commits to the payload");
    board.pass(StepName::Absence, "nothing else is shown");
    history(&head, options, board);
    if trust.anchor().is_some() {
        anchored(&entry, &head, note.text(), trust, options, board);
    } else {
        board.pass(StepName::Anchoring, "the trust file demands no anchor log");
        board.pass(StepName::Epochs, "no epoch is looked at");
        board.pass(StepName::Freshness, "the trust file states no age");
        board.pass(
            StepName::Tail,
            format!("seq 0 to {} are not anchored", head.size.saturating_sub(1)),
        );
    }
    Some((head.origin, head.size, head.root))
}

/// Checks the anchor that the trust file demands, with the files that came beside the proof.
fn anchored(
    entry: &Entry,
    head: &Checkpoint,
    text: &str,
    trust: &TrustFile,
    options: &Options,
    board: &mut Board,
) {
    let Some(files) = &options.anchor else {
        let why = "the trust file demands an anchor, which a proof file cannot hold: give its slot proof too, or verify a \
                   bundle or the log itself";
        return board.undecided(StepName::Anchoring, why);
    };
    let older = files.head.as_deref();
    let found = anchor::check(Some(&files.slot_proof), older, head, text, trust, board);
    let Some(found) = found else { return };
    if entry.seq >= found.size {
        let why = format!(
            "seq {} is newer than the anchored head of {} events: fetch both again after the next epoch",
            entry.seq, found.size
        );
        board.undecided(StepName::Anchoring, why);
    }
    let received = (entry.seq < found.size).then_some(entry.received_ms);
    anchor::times(Some(&found), received, head, trust, options.now_ms, board);
}

/// One checkpoint alone shows no growth; another root at a known size is a fork.
fn history(head: &Checkpoint, options: &Options, board: &mut Board) {
    let known = options.known.iter().filter(|known| known.origin == head.origin);
    let (mut same, mut others) = (0, 0);
    for known in known {
        if known.size != head.size {
            others += 1;
        } else if known.root == head.root {
            same += 1;
        } else {
            let why = format!(
                "at size {} the log had another root when it was seen before: a fork",
                known.size
            );
            return board.fail(StepName::History, why);
        }
    }
    let detail =
        format!("{same} known checkpoints agree; {others} of other sizes are not compared");
    board.pass(StepName::History, detail);
}

/// Reads the Base64 of an entry.
pub(crate) fn decoded(text: &str) -> Result<Entry, String> {
    let bytes =
        if text.len() == ENTRY_BYTES.div_ceil(3) * 4 { STANDARD.decode(text).ok() } else { None };
    let bytes = bytes.ok_or("the entry is not the Base64 of 88 bytes")?;
    Entry::decode(&bytes).map_err(|error| error.to_string())
}

/// Returns the entry, after everything else in the receipt was compared with it.
fn entry(receipt: &Receipt<'_>) -> Result<Option<Entry>, (StepName, String)> {
    let entries = |why: String| (StepName::Entries, why);
    let (Some(text), Some(seed), Some(payload)) = (&receipt.entry, &receipt.seed, receipt.payload)
    else {
        return Ok(None);
    };
    let entry = decoded(text).map_err(entries)?;
    let differs = |what: &str| Err(entries(format!("the receipt's {what} is not the entry's")));
    if receipt.origin.as_ref().is_some_and(|origin| origin_id(origin) != entry.origin) {
        return differs("origin");
    }
    if receipt.seq != entry.seq {
        return differs("seq");
    }
    if attestary_event::EventId::parse(&receipt.id).map(|id| id.0) != Some(entry.event_id) {
        return differs("id");
    }
    let received = Timestamp::parse(&receipt.received_at).map(|time| time.0.cast_unsigned());
    if received != Some(entry.received_ms) {
        return differs("received_at");
    }
    if unhex(&receipt.leaf_hash) != Some(entry.leaf_hash()) {
        return differs("leaf_hash");
    }
    let payloads = |why: String| (StepName::Payloads, why);
    let seed = unhex(seed).ok_or_else(|| payloads("the seed is not 32 hex digits".into()))?;
    let limits = Limits {
        event_bytes_max: 2 * Limits::EVENT_BYTES_CEILING,
        fields_max: 65_535,
        ..Limits::default()
    };
    let fields = Fields::parse(payload.get().as_bytes(), &limits)
        .map_err(|violation| payloads(violation.to_string()))?;
    let hashed =
        fields.iter().map(|field| (field.pointer, field.kind as u8, field.value.as_bytes()));
    if fields.len() != usize::from(entry.n_fields)
        || fields_hash(&seed, hashed) != entry.fields_hash
    {
        return Err(payloads("the payload is not what the entry commits to".into()));
    }
    Ok(Some(entry))
}
