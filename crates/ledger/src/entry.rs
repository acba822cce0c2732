//! The entry: the 88 bytes whose hash is a leaf. It holds no personal data.

use sha2::{Digest as _, Sha256};

use crate::Hash;

/// Length of an encoded entry in bytes.
pub const ENTRY_BYTES: usize = 88;

/// What a leaf commits to. All integers are big-endian on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// [`origin_id`] of the log: binds the entry to it.
    pub origin: [u8; 16],
    /// Leaf index.
    pub seq: u64,
    /// Platform clock in milliseconds since the epoch, non-decreasing within the log.
    pub received_ms: u64,
    /// The idempotency identity.
    pub event_id: [u8; 16],
    /// Number of flattened fields.
    pub n_fields: u16,
    /// Bit 0 = written by the service itself; other bits 0.
    pub flags: u16,
    /// Root over the salted fields.
    pub fields_hash: Hash,
}

/// Returns the first 16 bytes of `SHA-256(origin)`, where `origin` is the log's name.
pub fn origin_id(origin: &str) -> [u8; 16] {
    let digest: Hash = Sha256::digest(origin.as_bytes()).into();
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    id
}

/// Flag bit 0: written by the service itself.
pub const FLAG_SERVICE: u16 = 1;

impl Entry {
    /// Reads the 88-byte encoding. Flags that this version does not know are refused: they may change the meaning.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        let bytes: &[u8; ENTRY_BYTES] =
            bytes.try_into().map_err(|_| EntryError::Length { bytes: bytes.len() })?;
        if &bytes[..4] != b"AEV1" {
            return Err(EntryError::Magic);
        }
        let entry = Self {
            origin: part(bytes, 4),
            seq: u64::from_be_bytes(part(bytes, 20)),
            received_ms: u64::from_be_bytes(part(bytes, 28)),
            event_id: part(bytes, 36),
            n_fields: u16::from_be_bytes(part(bytes, 52)),
            flags: u16::from_be_bytes(part(bytes, 54)),
            fields_hash: part(bytes, 56),
        };
        match entry.flags & !FLAG_SERVICE {
            0 => Ok(entry),
            _ => Err(EntryError::Flags { flags: entry.flags }),
        }
    }

    /// Returns the 88-byte encoding `AEV1`.
    pub fn encode(&self) -> [u8; ENTRY_BYTES] {
        let mut out = [0; ENTRY_BYTES];
        out[..4].copy_from_slice(b"AEV1");
        out[4..20].copy_from_slice(&self.origin);
        out[20..28].copy_from_slice(&self.seq.to_be_bytes());
        out[28..36].copy_from_slice(&self.received_ms.to_be_bytes());
        out[36..52].copy_from_slice(&self.event_id);
        out[52..54].copy_from_slice(&self.n_fields.to_be_bytes());
        out[54..56].copy_from_slice(&self.flags.to_be_bytes());
        out[56..].copy_from_slice(&self.fields_hash);
        out
    }

    /// Returns the RFC 6962 leaf hash of the encoded entry.
    pub fn leaf_hash(&self) -> Hash {
        crate::leaf_hash(&self.encode())
    }
}

fn part<const N: usize>(bytes: &[u8; ENTRY_BYTES], offset: usize) -> [u8; N] {
    std::array::from_fn(|i| bytes[offset + i])
}

/// Why bytes are not an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// Not [`ENTRY_BYTES`].
    #[error("an entry has {ENTRY_BYTES} bytes, not {bytes}")]
    Length { bytes: usize },
    /// The first four bytes are not `AEV1`.
    #[error("the bytes are not an entry of this version")]
    Magic,
    /// Flags of a later version.
    #[error("the flags {flags:#06x} are unknown")]
    Flags { flags: u16 },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields_hash;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// The frozen vector: nine fields of a failed sign-in, seed 00..0f.
    #[test]
    fn the_frozen_vector_holds() {
        let seed: [u8; 16] = std::array::from_fn(|i| i as u8);
        let fields: [(&str, u8, &[u8]); 9] = [
            ("/action", b's', b"user.login.failed"),
            ("/actor/email", b's', b"alice@example.com"),
            ("/actor/id", b's', b"u_123"),
            ("/context/ip", b's', b"203.0.113.9"),
            ("/metadata/attempt", b'n', b"3"),
            ("/metadata/big", b'n', b"9007199254740993"),
            ("/metadata/ok", b'f', b""),
            ("/metadata/tags", b'a', b""),
            ("/occurred_at", b's', b"2026-11-22T00:39:11.123Z"),
        ];
        let root = fields_hash(&seed, fields.iter().copied());
        assert_eq!(hex(&root), "fda5393cb917289308fc1b4b2825b11b3767bca7c1419a087defa97e3a95e3c8");
        let entry = Entry {
            origin: origin_id("audit.example.com/t/01JDA3WT9Z8Q4V6N2M0K5R7B1C"),
            seq: 69_000,
            received_ms: 1_795_308_919_123,
            event_id: 0x0193_0b5e_5a53_709e_8f3c_0123_4567_89ab_u128.to_be_bytes(),
            n_fields: 9,
            flags: 0,
            fields_hash: root,
        };
        assert_eq!(Entry::decode(&entry.encode()), Ok(entry));
        assert_eq!(Entry::decode(&[0; 87]), Err(EntryError::Length { bytes: 87 }));
        assert_eq!(Entry::decode(&[0; 88]), Err(EntryError::Magic));
        let later = Entry { flags: 2, ..entry };
        assert_eq!(Entry::decode(&later.encode()), Err(EntryError::Flags { flags: 2 }));
        assert_eq!(
            hex(&entry.leaf_hash()),
            "56131a159bbb32ad01994c2909864a07bf642ac159f32884058d1e77c3be2822"
        );
    }
}
