//! The reply to submitted events, written straight into bytes: this is the hot path.

use std::io::Write as _;

use attestary_event::{event::write_hex, scan::write_string};
use attestary_service::{Outcome, Receipt, Submitted};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};

use crate::problem::{CORRUPT, ID_CONFLICT, Problem};

/// Bytes of one receipt, for the first allocation.
const RECEIPT_BYTES: usize = 256;

/// Returns the reply: receipts in input order, with problems in the places of events that failed.
pub(crate) fn reply(submitted: &Submitted) -> Result<Response, Problem> {
    match (submitted.single, submitted.outcomes.as_slice()) {
        (true, [outcome]) => single(outcome),
        (_, outcomes) => Ok(batch(outcomes)),
    }
}

fn single(outcome: &Outcome) -> Result<Response, Problem> {
    let mut out = Vec::with_capacity(RECEIPT_BYTES);
    match outcome {
        Outcome::Accepted(receipt) => write_receipt(receipt, false, &mut out),
        Outcome::Duplicate(receipt) => write_receipt(receipt, true, &mut out),
        failed => return Err(problem(failed)),
    }
    Ok(json(status(std::slice::from_ref(outcome)), out))
}

fn batch(outcomes: &[Outcome]) -> Response {
    let mut out = Vec::with_capacity(16 + outcomes.len() * RECEIPT_BYTES);
    out.extend_from_slice(b"{\"data\":[");
    for (index, outcome) in outcomes.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        match outcome {
            Outcome::Accepted(receipt) => write_receipt(receipt, false, &mut out),
            Outcome::Duplicate(receipt) => write_receipt(receipt, true, &mut out),
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

fn write_receipt(receipt: &Receipt, duplicate: bool, out: &mut Vec<u8>) {
    let _ = write!(out, "{{\"id\":\"{}\",\"tenant\":", receipt.id);
    write_string(receipt.tenant.as_str(), out);
    let _ = write!(
        out,
        ",\"seq\":{},\"received_at\":\"{}\",\"leaf_hash\":\"",
        receipt.seq, receipt.received_at
    );
    write_hex(&receipt.leaf_hash, out);
    let _ = write!(out, "\",\"duplicate\":{duplicate}}}");
}

/// Returns a JSON reply of bytes that are JSON already.
pub(crate) fn json(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = (status, body).into_response();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
