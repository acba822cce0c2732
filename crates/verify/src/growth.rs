//! Growth files: an older checkpoint of the log, and the proof that the newer tree begins with it.
//!
//! ```text
//! attestary/growth@v1
//! to <size of the newer tree>
//! <hashes of the consistency proof>
//!
//! <the older checkpoint: a signed note, or its text alone>
//! ```
//!
//! `prev/<size>` holds signed checkpoints that were given out before; `head` holds the text that stood at the slot of the
//! epoch tree, which needs no signature.

use std::fmt::{self, Write as _};

use attestary_ledger::{Checkpoint, ConsistencyProof, Hash, Note};
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// First line; frozen.
const MAGIC: &str = "attestary/growth@v1";

/// Longest file: a note, 65 hashes of 45 bytes, and the short lines.
pub const GROWTH_BYTES_MAX: usize = attestary_ledger::note::NOTE_BYTES_MAX + 65 * 45 + 128;

/// Most hashes of a consistency proof.
const HASHES_MAX: usize = 65;

/// An older checkpoint and how the log grew from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Growth {
    /// Size of the newer tree.
    pub to: u64,
    /// Hashes of the consistency proof.
    pub hashes: Vec<Hash>,
    /// Note text of the older checkpoint.
    pub text: String,
    /// Its signed form, when it is signed.
    pub note: Option<Note>,
}

/// Why bytes are no growth file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a growth file is malformed: {0}")]
pub struct GrowthError(&'static str);

impl Growth {
    /// Parses a file.
    pub fn parse(bytes: &[u8]) -> Result<Self, GrowthError> {
        if bytes.len() > GROWTH_BYTES_MAX {
            return Err(GrowthError("it is too long"));
        }
        let text = str::from_utf8(bytes).map_err(|_| GrowthError("it is not UTF-8"))?;
        let text = text.strip_prefix(MAGIC).and_then(|text| text.strip_prefix('\n'));
        let text = text.ok_or(GrowthError("its first line is another one"))?;
        let (to, mut rest) = text.split_once('\n').ok_or(GrowthError("it ends early"))?;
        let digits = to.strip_prefix("to ").ok_or(GrowthError("the line \"to\" is missing"))?;
        let canonical = digits == "0" || !digits.starts_with('0');
        let decimal = canonical && digits.bytes().all(|byte| byte.is_ascii_digit());
        let to = if decimal { digits.parse().ok() } else { None };
        let to = to.ok_or(GrowthError("the size is no decimal"))?;
        let mut hashes = Vec::new();
        loop {
            let (line, after) = rest.split_once('\n').ok_or(GrowthError("it ends early"))?;
            rest = after;
            if line.is_empty() {
                break;
            }
            if hashes.len() == HASHES_MAX {
                return Err(GrowthError("it has too many hashes"));
            }
            let bytes = if line.len() == 44 { STANDARD.decode(line).ok() } else { None };
            let hash = bytes.and_then(|bytes| bytes.try_into().ok());
            hashes.push(hash.ok_or(GrowthError("a hash is not the Base64 of 32 bytes"))?);
        }
        let (text, note) = if rest.contains("\n\n") {
            let note = Note::parse(rest.as_bytes());
            let note = note.map_err(|_| GrowthError("the checkpoint is malformed"))?;
            (note.text().to_owned(), Some(note))
        } else {
            (rest.to_owned(), None)
        };
        Checkpoint::parse(&text).map_err(|_| GrowthError("the checkpoint is malformed"))?;
        Ok(Self { to, hashes, text, note })
    }

    /// Returns the older checkpoint.
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        Checkpoint::parse(&self.text).ok()
    }

    /// Checks that the tree of `newer` begins with that of the older checkpoint, of the same log.
    pub fn check(&self, newer: &Checkpoint) -> Result<Checkpoint, String> {
        let Some(older) = self.checkpoint() else {
            return Err("the checkpoint is malformed".into());
        };
        if older.origin != newer.origin {
            return Err(format!("the older checkpoint is of the log {}", older.origin));
        }
        if self.to != newer.size {
            return Err(format!("the proof leads to size {}, not {}", self.to, newer.size));
        }
        let proof = ConsistencyProof { old: older.size, new: self.to, hashes: self.hashes.clone() };
        let proved = proof.verify(&older.root, &newer.root);
        proved.map_err(|error| {
            format!("size {} is not consistent with size {}: {error}", older.size, newer.size)
        })?;
        Ok(older)
    }
}

/// The file.
impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{MAGIC}\nto {}", self.to)?;
        self.hashes.iter().try_for_each(|hash| writeln!(f, "{}", STANDARD.encode(hash)))?;
        f.write_char('\n')?;
        match &self.note {
            Some(note) => write!(f, "{note}"),
            None => f.write_str(&self.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use attestary_ledger::{MemoryTree, leaf_hash};

    use super::*;

    fn tree(size: u64) -> MemoryTree {
        (0..size).map(|leaf| leaf_hash(&leaf.to_be_bytes())).collect()
    }

    #[test]
    fn a_file_is_read_back_and_proves_growth() {
        for (old, new) in [(0, 5), (3, 5), (4, 70), (70, 70)] {
            let (older, newer) = (tree(old), tree(new));
            let proof = ConsistencyProof::generate(&newer, old, new).unwrap();
            let growth = Growth {
                to: new,
                hashes: proof.hashes,
                text: Checkpoint::new("a/t/1", old, older.root()).to_string(),
                note: None,
            };
            let text = growth.to_string();
            assert_eq!(Growth::parse(text.as_bytes()), Ok(growth.clone()));
            let checkpoint = Checkpoint::new("a/t/1", new, newer.root());
            assert_eq!(growth.check(&checkpoint).unwrap().size, old);
            let fork = Checkpoint::new("a/t/1", new, [1; 32]);
            assert!(growth.check(&fork).is_err() || old == 0, "{old} {new}");
            let other = Checkpoint::new("a/t/2", new, newer.root());
            assert!(growth.check(&other).is_err());
            for end in 0..text.len() {
                assert!(Growth::parse(&text.as_bytes()[..end]).is_err(), "{end}");
            }
        }
    }
}
