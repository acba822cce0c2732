//! The reply to submitted events, written straight into bytes: this is the hot path.

use std::io::Write as _;

use attestary_event::{event::write_hex, scan::write_string};
use attestary_service::{Evidence, Outcome, Receipt, Remains, Submitted, Wanted};
use axum::response::{IntoResponse as _, Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::problem::{CORRUPT, ID_CONFLICT, Problem};

/// Bytes of one receipt, for the first allocation.
const RECEIPT_BYTES: usize = 256;

/// Returns the reply: receipts in input order, with problems in the places of events that failed.
///
/// `evidence` is empty or in the order of the outcomes.
pub(crate) fn reply(
    submitted: &Submitted,
    wanted: Wanted,
    evidence: &[Option<Evidence>],
) -> Result<Response, Problem> {
    let more = More { wanted, evidence };
    match (submitted.single, submitted.outcomes.as_slice()) {
        (true, [outcome]) => single(outcome, &more),
        (_, outcomes) => Ok(batch(outcomes, &more)),
    }
}

/// What receipts hold beside the usual.
struct More<'a> {
    wanted: Wanted,
    evidence: &'a [Option<Evidence>],
}

fn single(outcome: &Outcome, more: &More<'_>) -> Result<Response, Problem> {
    let mut out = Vec::with_capacity(RECEIPT_BYTES);
    match outcome {
        Outcome::Accepted(receipt) => write_receipt(receipt, false, more.write(0), &mut out),
        Outcome::Duplicate(receipt) => write_receipt(receipt, true, more.write(0), &mut out),
        failed => return Err(problem(failed)),
    }
    Ok(json(status(std::slice::from_ref(outcome)), out))
}

fn batch(outcomes: &[Outcome], more: &More<'_>) -> Response {
    let mut out = Vec::with_capacity(16 + outcomes.len() * RECEIPT_BYTES);
    out.extend_from_slice(b"{\"data\":[");
    for (index, outcome) in outcomes.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        match outcome {
            Outcome::Accepted(receipt) => {
                write_receipt(receipt, false, more.write(index), &mut out);
            }
            Outcome::Duplicate(receipt) => {
                write_receipt(receipt, true, more.write(index), &mut out);
            }
            failed => out.extend_from_slice(&problem(failed).json(None, None)),
        }
    }
    out.extend_from_slice(b"]}");
    json(status(outcomes), out)
}

/// 201 when anything is new, 200 when nothing is, 207 when any event failed.
fn status(outcomes: &[Outcome]) -> StatusCode {
    let failed =
        |outcome: &Outcome| !matches!(outcome, Outcome::Accepted(_) | Outcome::Duplicate(_));
    if outcomes.iter().any(failed) {
        StatusCode::MULTI_STATUS
    } else if outcomes.iter().any(|outcome| matches!(outcome, Outcome::Accepted(_))) {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    }
}

fn problem(outcome: &Outcome) -> Problem {
    match outcome {
        Outcome::Conflict(receipt) => Problem::new(
            &ID_CONFLICT,
            format!(
                "event {} of tenant {} was accepted before as seq {}, with other content",
                receipt.id, receipt.tenant, receipt.seq
            ),
        )
        .at("/id", "was used for other content"),
        _ => {
            Problem::new(&CORRUPT, "acknowledged events of this log are damaged; it takes no more")
        }
    }
}

fn write_receipt(
    receipt: &Receipt,
    duplicate: bool,
    more: impl FnOnce(&mut Vec<u8>),
    out: &mut Vec<u8>,
) {
    let _ = write!(out, "{{\"id\":\"{}\",\"tenant\":", receipt.id);
    write_string(receipt.tenant.as_str(), out);
    let _ = write!(
        out,
        ",\"seq\":{},\"received_at\":\"{}\",\"leaf_hash\":\"",
        receipt.seq, receipt.received_at
    );
    write_hex(&receipt.leaf_hash, out);
    let _ = write!(out, "\",\"duplicate\":{duplicate}");
    more(out);
    out.push(b'}');
}

impl<'a> More<'a> {
    /// Returns what writes the further members of one receipt.
    fn write(&self, index: usize) -> impl FnOnce(&mut Vec<u8>) + use<'a> {
        let (full, evidence) =
            (self.wanted.full, self.evidence.get(index).and_then(Option::as_ref));
        move |out| {
            let Some(evidence) = evidence else { return };
            out.extend_from_slice(b",\"origin\":");
            write_string(&evidence.origin, out);
            if full {
                write_committed(evidence, out);
            }
            if let Some(proof) = &evidence.proof {
                write_proof(proof, out);
            }
        }
    }
}

/// What the leaf commits to. The payload is spliced in: its number tokens stay what was hashed.
fn write_committed(evidence: &Evidence, out: &mut Vec<u8>) {
    let _ = write!(out, ",\"entry\":\"{}\"", STANDARD.encode(evidence.entry));
    // A repeat of an event that lost fields since has nothing that a client could hash itself.
    let Remains::Whole { seed, body } = &evidence.remains else { return };
    out.extend_from_slice(b",\"seed\":\"");
    write_hex(seed, out);
    out.extend_from_slice(b"\",\"payload\":");
    out.extend_from_slice(body);
}

fn write_proof(proof: &Result<String, String>, out: &mut Vec<u8>) {
    match proof {
        Ok(file) => {
            out.extend_from_slice(b",\"proof\":");
            write_string(file, out);
        }
        Err(reason) => {
            out.extend_from_slice(b",\"proof\":null,\"proof_error\":");
            write_string(reason, out);
        }
    }
}

/// Puts a receipt into the headers, for replies whose body is another system's.
pub(crate) fn into_headers(receipt: &Receipt, headers: &mut HeaderMap) {
    let mut hash = Vec::with_capacity(64);
    write_hex(&receipt.leaf_hash, &mut hash);
    if let (Ok(id), Ok(hash)) =
        (HeaderValue::from_str(&receipt.id.to_string()), HeaderValue::from_bytes(&hash))
    {
        headers.insert("attestary-event-id", id);
        headers.insert("attestary-leaf-hash", hash);
    }
    headers.insert("attestary-seq", HeaderValue::from(receipt.seq));
}

/// Returns a JSON reply of bytes that are JSON already.
pub(crate) fn json(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = (status, body).into_response();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
