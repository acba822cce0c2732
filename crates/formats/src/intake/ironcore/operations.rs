//! Reports of counted operations: how often a client encrypted and decrypted without a call of its own.
//!
//! The body is a security event without a name but with `operations`: encrypted key → `{"wraps": n,
//! "unwraps": n}`. It becomes at most two events, `DATA_ENCRYPT` and `DATA_DECRYPT`, whose metadata carries the
//! sums. The encrypted keys themselves are not kept: they are long, and nothing here can use them. Clients
//! repeat a failed report once and send no id, so a report whose reply was lost counts twice.

use attestary_event::{Fields, Kind, Limits, Violation, scan};

use super::{
    Mapped, Refusal,
    request::{Counts, Request},
};
use crate::intake::object::member;

/// Metadata key: number of operations.
pub(super) const COUNT: &str = "attestary_operations";

/// Metadata key: number of keys they were done with.
pub(super) const KEYS: &str = "attestary_keys";

/// Bytes of one report: 4,096 keys of a hundred bytes and their counts, with room to spare.
pub const OPERATIONS_BYTES_MAX: usize = 1024 * 1024;

/// Maps one report to its events: encryptions first; none for a sum of zero.
///
/// Fails as [`super::parse`] does, and when a count is no whole number or `customFields` uses one of the two
/// metadata keys that carry the sums.
pub fn report_operations(body: &[u8], limits: &Limits) -> Result<Vec<Mapped>, Refusal> {
    // Keys of `operations` are base64 of encrypted keys, and their number is the client's batch.
    let limits = Limits {
        event_bytes_max: OPERATIONS_BYTES_MAX,
        fields_max: 16_384,
        key_bytes_max: 4_096,
        ..*limits
    };
    let scanned = scan::scan(body, &limits)?;
    let request = Request::read(&scanned)?;
    for key in [COUNT, KEYS] {
        if member(request.custom.unwrap_or_default(), key).is_some() {
            return Err(
                Violation::new(format!("/customFields/{key}"), "is reserved for the sums").into()
            );
        }
    }
    let sums = [("DATA_ENCRYPT", "wraps"), ("DATA_DECRYPT", "unwraps")];
    let mut events = Vec::with_capacity(sums.len());
    for (action, member) in sums {
        let counts = sum(&scanned.fields, member)?;
        if counts.operations > 0 {
            events.push(request.counted(action, counts).mapped());
        }
    }
    Ok(events)
}

/// Adds up `/operations/*/<member>`.
fn sum(fields: &Fields, member: &str) -> Result<Counts, Violation> {
    let mut counts = Counts { operations: 0, keys: 0 };
    for field in fields.under("/operations") {
        let mut parts = field.pointer.split('/').skip(2);
        let (Some(_), Some(name), None) = (parts.next(), parts.next(), parts.next()) else {
            let empty = matches!(field.kind, Kind::EmptyObject | Kind::Null);
            if empty {
                continue;
            }
            return Err(Violation::new("/operations", "must hold objects of counts by key"));
        };
        if name != member || field.kind == Kind::Null {
            continue;
        }
        let count = field.value.parse::<u64>().ok().filter(|_| field.kind == Kind::Number);
        let count = count.ok_or_else(|| Violation::new(field.pointer, "must be a whole number"))?;
        counts.operations = counts.operations.saturating_add(count);
        counts.keys += u64::from(count > 0);
    }
    Ok(counts)
}
