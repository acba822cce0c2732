//! Keys of signed notes: names, ids, the `vkey` text form, and what their signatures mean.
//!
//! Source: C2SP signed-note v1.0.0 and tlog-cosignature v1.0.1. Two of the assigned kinds are spoken: Ed25519 over the
//! note text, and the timestamped Ed25519 cosignature of a checkpoint. A signature of any other kind is a signature by
//! an unknown key and is ignored; a `vkey` of another kind is refused, so that no policy quietly loses a member.

use std::fmt;

use ed25519_dalek::{PUBLIC_KEY_LENGTH, SIGNATURE_LENGTH, Signature, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::{cosignature, text};

/// The first four bytes of `SHA-256(name ‖ 0x0A ‖ kind ‖ public key)`: an identifier, not a commitment.
pub type KeyId = [u8; 4];

/// Longest key name in bytes; a tenant's origin has about 60. The post-quantum cosignature allows no more either.
pub const NAME_BYTES_MAX: usize = 255;

/// What a key signs; the discriminant is the assigned identifier byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum KeyKind {
    /// Ed25519 over the note text.
    Note = 0x01,
    /// Ed25519 over a time and the note text, which is a checkpoint.
    Cosignature = 0x04,
}

impl KeyKind {
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Note, Self::Cosignature].into_iter().find(|&kind| kind as u8 == byte)
    }
}

/// A public key with its name and kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: KeyKind,
    id: KeyId,
    public: VerifyingKey,
}

impl VerifierKey {
    /// Returns the key; refuses bad names, bytes that are no curve point, and keys of small order.
    pub fn new(name: &str, kind: KeyKind, public: &[u8; 32]) -> Result<Self, KeyError> {
        check_name(name)?;
        let public = VerifyingKey::from_bytes(public).map_err(|_| KeyError::Point)?;
        if public.is_weak() {
            return Err(KeyError::Point);
        }
        Ok(Self { name: name.into(), kind, id: key_id(name, kind, public.as_bytes()), public })
    }

    /// Parses `name+hex(id)+base64(kind ‖ public key)`.
    pub fn parse(vkey: &str) -> Result<Self, KeyError> {
        let mut parts = vkey.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Form);
        };
        if key.len() > 4 * PUBLIC_KEY_LENGTH {
            return Err(KeyError::Form);
        }
        let key = text::unbase64(key).ok_or(KeyError::Form)?;
        let (&kind, public) = key.split_first().ok_or(KeyError::Form)?;
        let kind = KeyKind::from_byte(kind).ok_or(KeyError::Kind { kind })?;
        let public: &[u8; 32] = public.try_into().map_err(|_| KeyError::Form)?;
        let verifier = Self::new(name, kind, public)?;
        if id.to_ascii_lowercase() == hex_id(verifier.id) {
            Ok(verifier)
        } else {
            Err(KeyError::Id)
        }
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns what the key signs.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Returns the id that stands in signatures.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Returns the 32 bytes of the public key (RFC 8032).
    pub fn public(&self) -> &[u8; 32] {
        self.public.as_bytes()
    }

    /// Checks the signature bytes after the key id, strictly. Returns the time of a cosignature.
    pub(crate) fn check(&self, text: &str, bytes: &[u8]) -> Option<Option<u64>> {
        match self.kind {
            KeyKind::Note => self.check_message(text.as_bytes(), bytes).then_some(None),
            KeyKind::Cosignature => {
                let (time, bytes) = bytes.split_first_chunk()?;
                let time_s = u64::from_be_bytes(*time);
                let message = cosignature::message(time_s, text)?;
                self.check_message(message.as_bytes(), bytes).then_some(Some(time_s))
            }
        }
    }

    fn check_message(&self, message: &[u8], bytes: &[u8]) -> bool {
        let Ok(bytes) = <&[u8; SIGNATURE_LENGTH]>::try_from(bytes) else { return false };
        self.public.verify_strict(message, &Signature::from_bytes(bytes)).is_ok()
    }
}

/// The `vkey` form.
impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[self.kind as u8], self.public.as_bytes().as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, hex_id(self.id), text::base64(&key))
    }
}

/// Returns the id of a key.
pub fn key_id(name: &str, kind: KeyKind, public: &[u8; 32]) -> KeyId {
    let mut hasher = Sha256::new();
    hasher.update(name);
    hasher.update([b'\n', kind as u8]);
    hasher.update(public);
    let digest: [u8; 32] = hasher.finalize().into();
    [digest[0], digest[1], digest[2], digest[3]]
}

/// Refuses names that are empty, too long, or hold spaces, controls or `+`.
pub fn check_name(name: &str) -> Result<(), KeyError> {
    let allowed = !name.is_empty() && name.len() <= NAME_BYTES_MAX && is_name(name);
    if allowed { Ok(()) } else { Err(KeyError::Name) }
}

/// Says whether the characters of a name are those that a signature line can carry.
pub(crate) fn is_name(name: &str) -> bool {
    !name.contains(|c: char| c.is_whitespace() || c == '+' || c < ' ')
}

fn hex_id(id: KeyId) -> String {
    format!("{:08x}", u32::from_be_bytes(id))
}

/// Why a key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Empty, longer than [`NAME_BYTES_MAX`], or with a space, a control character or `+`.
    #[error("a key name has 1 to {NAME_BYTES_MAX} bytes and neither spaces nor plus signs")]
    Name,
    /// Not `name+id+key`.
    #[error("a verifier key has the form name+id+key")]
    Form,
    /// The identifier byte is not one of [`KeyKind`].
    #[error("keys of kind {kind:#04x} are not supported")]
    Kind { kind: u8 },
    /// The id does not belong to this name and key.
    #[error("the key id does not belong to the name and the key")]
    Id,
    /// No Ed25519 public key, or one of small order.
    #[error("the bytes are not a usable Ed25519 public key")]
    Point,
}
