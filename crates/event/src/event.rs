//! The accepted event, as every reader of a log sees it.

use crate::{EnvironmentId, EventId, Fields, TenantId, Timestamp};

/// One accepted event: the entry's facts and the body that the entry commits to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Identity within (environment, tenant).
    pub id: EventId,
    /// Whose log it stands in.
    pub tenant: TenantId,
    /// The namespace of that tenant.
    pub environment: EnvironmentId,
    /// Dense position in the tenant's log; 0 is the genesis event.
    pub seq: u64,
    /// When the service sequenced it; never decreases within a log.
    pub received_at: Timestamp,
    /// Entry flags; bit 0 = written by the service itself.
    pub flags: u16,
    /// RFC 6962 hash of the 88-byte entry.
    pub leaf_hash: [u8; 32],
    /// Compact JSON object of the committed members (everything but the facts above), number tokens exact.
    pub body: Box<[u8]>,
}

impl Event {
    /// Entry flag: written by the service itself.
    pub const SERVICE: u16 = 1;

    /// Returns the flattened body.
    ///
    /// Stored bodies were scanned before they were accepted, so this cannot fail on intact data; a body
    /// that does not scan reads as an event without fields.
    pub fn fields(&self) -> Fields {
        Fields::of_stored(&self.body)
    }

    /// Appends the native JSON form: the facts, the body's members, then `leaf_hash`.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        use std::io::Write as _;
        out.reserve(self.body.len() + 320);
        let _ = write!(out, "{{\"id\":\"{}\",\"tenant\":", self.id);
        crate::scan::write_string(self.tenant.as_str(), out);
        let _ = write!(
            out,
            ",\"environment\":\"{}\",\"seq\":{},\"received_at\":\"{}\"",
            self.environment, self.seq, self.received_at
        );
        let members = &self.body[1..self.body.len() - 1];
        if !members.is_empty() {
            out.push(b',');
            out.extend_from_slice(members);
        }
        out.extend_from_slice(b",\"leaf_hash\":\"");
        write_hex(&self.leaf_hash, out);
        out.extend_from_slice(b"\"}");
    }
}

/// Appends lower-case hexadecimal.
pub fn write_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let start = out.len();
    out.resize(start + 2 * bytes.len(), 0);
    for (pair, byte) in out[start..].as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    }
}

/// Returns bytes as lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(2 * bytes.len());
    write_hex(bytes, &mut out);
    String::from_utf8(out).expect("hexadecimal is ASCII")
}

/// An event with its flattened body: what filters evaluate and formats encode.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The event.
    pub event: &'a Event,
    /// Its flattened body.
    pub fields: &'a Fields,
}

impl<'a> View<'a> {
    /// Returns the text of a scalar in the body, or `None` when it is absent, null or a container.
    pub fn text(&self, pointer: &str) -> Option<&'a str> {
        self.fields.get(pointer).and_then(|field| field.text())
    }
}
