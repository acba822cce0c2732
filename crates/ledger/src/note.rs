//! Signed notes: a text, a blank line, signature lines. Source: C2SP signed-note v1.0.0.
//!
//! Parsing keeps every signature line, also those of keys that nobody here knows: they are printed again as they came.
//! [`Note::verify`] is the only way from a note to trust.

use std::fmt::{self, Display};

use crate::{
    key::{KeyId, VerifierKey, is_name},
    text,
};

/// Longest note in bytes: 32 post-quantum signatures of 5 kB are 220 KB in Base64.
pub const NOTE_BYTES_MAX: usize = 256 * 1024;

/// Most signature lines; the specification asks for 16 at least.
pub const SIGNATURES_MAX: usize = 64;

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Name of the key.
    pub name: String,
    /// Id of the key; names the kind of signature as well.
    pub id: KeyId,
    /// What follows the id: 64 bytes of Ed25519, or 8 bytes of time and 64 of Ed25519, or anything unknown.
    pub bytes: Vec<u8>,
}

/// A text with signatures that nobody has checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

/// A signature that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Position of the key in the list that was given.
    pub key: usize,
    /// POSIX seconds, for cosignatures.
    pub time_s: Option<u64>,
}

impl Note {
    /// Returns a note without signatures. The text ends in a newline and has no other control characters.
    pub fn new(text: String) -> Result<Self, NoteError> {
        check_characters(&text)?;
        if !text.ends_with('\n') {
            return Err(NoteError::Text);
        }
        Ok(Self { text, signatures: Vec::new() })
    }

    /// Parses text, blank line and at least one signature line.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong { bytes: bytes.len(), limit: NOTE_BYTES_MAX });
        }
        let note = str::from_utf8(bytes).map_err(|_| NoteError::Characters)?;
        check_characters(note)?;
        // The last empty line separates; the text keeps the newline before it.
        let blank = note.rfind("\n\n").ok_or(NoteError::Text)?;
        let signatures = parse_signatures(&note[blank + 2..])?;
        if signatures.is_empty() {
            return Err(NoteError::Unsigned);
        }
        Ok(Self { text: note[..=blank].into(), signatures })
    }

    /// Returns the text with its final newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns all signatures in their order.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Appends a signature; a second one of the same key stays beside the first.
    pub fn push(&mut self, signature: Signature) -> Result<(), NoteError> {
        if self.signatures.len() == SIGNATURES_MAX {
            return Err(NoteError::Signatures { limit: SIGNATURES_MAX });
        }
        self.signatures.push(signature);
        Ok(())
    }

    /// Returns the signatures by known keys, in the note's order.
    ///
    /// Signatures by other keys are ignored. One bad signature by a known key, or none by any, is an error.
    pub fn verify(&self, keys: &[VerifierKey]) -> Result<Vec<Verified>, VerifyError> {
        let mut verified = Vec::new();
        for signature in &self.signatures {
            let Some(key) = known(signature, keys)? else { continue };
            let Some(time_s) = keys[key].check(&self.text, &signature.bytes) else {
                return Err(VerifyError::BadSignature { name: signature.name.clone() });
            };
            verified.push(Verified { key, time_s });
        }
        if verified.is_empty() { Err(VerifyError::NoKnownKey) } else { Ok(verified) }
    }
}

/// Returns the position of the one key with the signature's name and id.
fn known(signature: &Signature, keys: &[VerifierKey]) -> Result<Option<usize>, VerifyError> {
    let names = |key: &VerifierKey| key.id() == signature.id && key.name() == signature.name;
    let mut matching = keys.iter().enumerate().filter(|(_, key)| names(key));
    let Some((position, first)) = matching.next() else { return Ok(None) };
    if matching.any(|(_, other)| other != first) {
        return Err(VerifyError::Ambiguous { name: signature.name.clone() });
    }
    Ok(Some(position))
}

/// Parses signature lines, each with its newline; also the body of a witness's answer.
pub fn parse_signatures(text: &str) -> Result<Vec<Signature>, NoteError> {
    if text.len() > NOTE_BYTES_MAX {
        return Err(NoteError::TooLong { bytes: text.len(), limit: NOTE_BYTES_MAX });
    }
    let mut signatures = Vec::new();
    for line in text.split_inclusive('\n') {
        if signatures.len() == SIGNATURES_MAX {
            return Err(NoteError::Signatures { limit: SIGNATURES_MAX });
        }
        let line_number = signatures.len() + 1;
        signatures.push(parse_signature(line).ok_or(NoteError::Line { line: line_number })?);
    }
    Ok(signatures)
}

/// Parses `— name base64(id ‖ bytes)` with its newline; there is at least one byte after the id.
fn parse_signature(line: &str) -> Option<Signature> {
    let (name, bytes) = line.strip_prefix("— ")?.strip_suffix('\n')?.split_once(' ')?;
    let bytes = text::unbase64(bytes)?;
    let (&id, bytes) = bytes.split_first_chunk()?;
    let accepted = !name.is_empty() && is_name(name) && !bytes.is_empty();
    accepted.then(|| Signature { name: name.into(), id, bytes: bytes.into() })
}

fn check_characters(text: &str) -> Result<(), NoteError> {
    let control = text.bytes().any(|byte| byte < b' ' && byte != b'\n');
    if control { Err(NoteError::Characters) } else { Ok(()) }
}

/// The line with its newline.
impl Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.id.as_slice(), &self.bytes].concat();
        writeln!(f, "— {} {}", self.name, text::base64(&bytes))
    }
}

/// The whole note.
impl Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| signature.fmt(f))
    }
}

/// Why bytes are not a signed note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// More than [`NOTE_BYTES_MAX`].
    #[error("the note has {bytes} bytes; the limit is {limit}")]
    TooLong { bytes: usize, limit: usize },
    /// Not UTF-8, or a control character other than the newline.
    #[error("a note is UTF-8 without control characters")]
    Characters,
    /// No final newline, or no blank line after the text.
    #[error("a note is a text of lines, a blank line and signature lines")]
    Text,
    /// More than [`SIGNATURES_MAX`].
    #[error("more than {limit} signatures")]
    Signatures { limit: usize },
    /// A line after the blank line is no signature.
    #[error("signature line {line} is malformed")]
    Line { line: usize },
    /// No signature line at all.
    #[error("the note is not signed")]
    Unsigned,
}

/// Why a note is not to be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// A known key's signature does not hold.
    #[error("the signature by {name} does not hold")]
    BadSignature { name: String },
    /// Two different known keys have this name and the same id.
    #[error("two known keys named {name} have the same id")]
    Ambiguous { name: String },
    /// No signature is by a known key.
    #[error("no signature is by a known key")]
    NoKnownKey,
}

#[cfg(test)]
mod tests;
