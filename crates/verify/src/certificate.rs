//! Certificates of transactions: their JSON, as it was handed over or as it was taken out of the PDF that carries it.
//!
//! Every event is judged like a receipt of its own: its members are its entry's, its fields are what the entry commits to,
//! and its proof leads to a root that the trusted log signed. What a certificate says above its events is made from them
//! and from one checkpoint, so that checkpoint must be the one of every proof.

use attestary_event::{EventId, Fields, Limits, Timestamp};
use attestary_ledger::{Entry, ProofFile, TrustFile, fields_hash};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    Options, Report,
    manifest::unhex,
    notes, receipt,
    report::{Board, Outcome, StepName},
};

/// Longest certificate: 1,000 events of a usual size; a file that is read whole has to have a bound.
pub const CERTIFICATE_BYTES_MAX: usize = 256 << 20;
/// What its first member says.
const KIND: &str = "attestary-certificate";

/// Members of a shown event that stand in its entry or name its log, not among its fields.
const FACTS: [&str; 6] = ["/id", "/tenant", "/environment", "/seq", "/received_at", "/leaf_hash"];

/// The members that are looked at; later forms may have more.
#[derive(Deserialize)]
struct Certificate<'a> {
    r#type: String,
    log: Log,
    #[serde(borrow)]
    data: Vec<Line<'a>>,
}

#[derive(Deserialize)]
struct Log {
    checkpoint: String,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    event: &'a RawValue,
    entry: String,
    #[serde(default)]
    seed: Option<String>,
    proof: String,
}

/// Checks a certificate. An event of which fields were erased has no seed: its payload cannot be decided.
pub fn certificate(bytes: &[u8], trust: &[u8], options: &Options) -> Report {
    let mut board = Board::default();
    let trust = match TrustFile::parse(trust) {
        Ok(trust) => trust,
        Err(error) => {
            board.undecided(StepName::Trust, notes::chain(&error));
            return board.finish(None, 0);
        }
    };
    let certificate = match parsed(bytes) {
        Ok(certificate) => certificate,
        Err(why) => {
            board.fail(StepName::Container, format!("this is no certificate: {why}"));
            return board.finish(None, 0);
        }
    };
    let header = "what stands above the events is made from them and not signed itself";
    board.pass(StepName::Container, format!("a certificate; {header}"));
    let (mut head, mut before) = (None, None);
    for (index, line) in certificate.data.iter().enumerate() {
        let mut own = Board::default();
        let (seq, found) = judged(line, &certificate.log.checkpoint, &trust, options, &mut own);
        if before.is_some_and(|before| seq.is_none_or(|seq| seq <= before)) {
            own.fail(StepName::Entries, "it is not in the order of the log");
        }
        before = seq.or(before);
        head = found.or(head);
        for step in own.finish(None, 1).steps {
            match step.outcome {
                // Each event says the same of what holds.
                Outcome::Passed if index == 0 => board.pass(step.name, step.detail),
                Outcome::Passed | Outcome::NotReached => {}
                worse => {
                    board.note(step.name, worse, format!("event {}: {}", index + 1, step.detail));
                }
            }
        }
    }
    board.finish(head, certificate.data.len() as u64)
}

fn parsed(bytes: &[u8]) -> Result<Certificate<'_>, String> {
    if bytes.len() > CERTIFICATE_BYTES_MAX {
        return Err(format!("{} bytes; it has at most {CERTIFICATE_BYTES_MAX}", bytes.len()));
    }
    let certificate: Certificate<'_> =
        serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if certificate.r#type != KIND {
        return Err(format!("its type is not {KIND}"));
    }
    if certificate.data.is_empty() {
        return Err("it has no events".to_owned());
    }
    Ok(certificate)
}

/// Judges one event; returns its seq once its entry is known, and the head that its proof leads to.
fn judged(
    line: &Line<'_>,
    checkpoint: &str,
    trust: &TrustFile,
    options: &Options,
    board: &mut Board,
) -> (Option<u64>, Option<receipt::Head>) {
    let entry = match receipt::decoded(&line.entry) {
        Ok(entry) => entry,
        Err(why) => {
            board.fail(StepName::Entries, why);
            return (None, None);
        }
    };
    match same(line, &entry) {
        Ok(true) => {}
        Ok(false) => board.undecided(
            StepName::Payloads,
            "fields of it were erased, so what is left of them cannot be compared",
        ),
        Err((step, why)) => board.fail(step, why),
    }
    // The checkpoint that a person reads in the PDF is the one that was proved.
    let shown = ProofFile::parse(line.proof.as_bytes());
    if shown.is_ok_and(|file| file.checkpoint.to_string() != checkpoint) {
        board.fail(StepName::Notes, "its proof is under another checkpoint than the certificate");
    }
    let head = receipt::proof(line.proof.as_bytes(), Some(&entry), Some(trust), options, board);
    (Some(entry.seq), head)
}

/// Compares the event that is shown with its entry. Returns false when it has no seed to compare its fields by.
fn same(line: &Line<'_>, entry: &Entry) -> Result<bool, (StepName, String)> {
    let limits = Limits {
        event_bytes_max: 4 * Limits::EVENT_BYTES_CEILING,
        fields_max: 65_535,
        ..Limits::default()
    };
    let fields = Fields::parse(line.event.get().as_bytes(), &limits)
        .map_err(|violation| (StepName::Payloads, violation.to_string()))?;
    let text = |pointer: &str| fields.get(pointer).map(|field| field.value);
    let differs = |what: &str| (StepName::Entries, format!("its {what} is not the entry's"));
    if text("/seq").and_then(|seq| seq.parse().ok()) != Some(entry.seq) {
        return Err(differs("seq"));
    }
    if text("/id").and_then(EventId::parse).map(|id| id.0) != Some(entry.event_id) {
        return Err(differs("id"));
    }
    let received = text("/received_at").and_then(Timestamp::parse);
    if received.map(|time| time.0.cast_unsigned()) != Some(entry.received_ms) {
        return Err(differs("received_at"));
    }
    if text("/leaf_hash").and_then(unhex) != Some(entry.leaf_hash()) {
        return Err(differs("leaf_hash"));
    }
    let Some(seed) = &line.seed else { return Ok(false) };
    let payloads = |why: &str| (StepName::Payloads, why.to_owned());
    let seed = unhex(seed).ok_or_else(|| payloads("the seed is not 32 hex digits"))?;
    let committed = fields.iter().filter(|field| !FACTS.contains(&field.pointer));
    let hashed: Vec<_> =
        committed.map(|field| (field.pointer, field.kind as u8, field.value.as_bytes())).collect();
    if hashed.len() != usize::from(entry.n_fields)
        || fields_hash(&seed, hashed.into_iter()) != entry.fields_hash
    {
        return Err(payloads("it is not what the entry commits to"));
    }
    Ok(true)
}
