//! `manifest.json`: what a bundle holds, with the digest of every file; `manifest.sig` is the log's signature over it.
//!
//! The signature makes the selection a statement of the log: nobody without its key can cut a bundle down and keep it
//! complete. It is a C2SP note by the same key as the checkpoint; its first line is no origin of a log.

use attestary_event::event::hex;
use attestary_ledger::Hash;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Value of the member `manifest`; frozen.
pub const FORM: &str = "attestary/bundle/v1";

/// A bundle's table of contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORM`].
    pub manifest: String,
    /// Name of the log.
    pub origin: String,
    /// Namespace.
    pub environment: String,
    /// Whose log.
    pub tenant: String,
    /// Leaves of the checkpoint's tree.
    pub size: u64,
    /// What was asked for.
    pub selection: Selection,
    /// Lines of `events.ndjson`.
    pub events: u64,
    /// How the lines are cited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numbering: Option<Numbering>,
    /// Every other file but the signature, by path.
    pub files: Vec<FileLine>,
}

/// Which events were asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// Text in the filter language; with an empty one and no times, every event of the log stands in the bundle.
    pub filter: String,
    /// Earliest `occurred_at`.
    pub from: Option<String>,
    /// Latest `occurred_at`, excluded.
    pub to: Option<String>,
    /// The moment that relative times of the filter mean.
    pub as_of: String,
}

impl Selection {
    /// Returns true when nothing was left out.
    pub fn is_whole(&self) -> bool {
        self.filter.trim().is_empty() && self.from.is_none() && self.to.is_none()
    }
}

/// Numbers of records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numbering {
    /// Before the underscore.
    pub prefix: String,
    /// Number of the first line.
    pub first: String,
    /// Number of the last one.
    pub last: String,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileLine {
    /// Its name in the archive.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
}

/// Returns the text that `manifest.sig` signs.
pub fn signed_text(origin: &str, manifest: &[u8]) -> String {
    let digest: Hash = Sha256::digest(manifest).into();
    format!("{FORM}\n{origin}\n{}\n", hex(&digest))
}

/// Reads lower-case hexadecimal of exactly `N` bytes.
pub(crate) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut out = [0; N];
    for (byte, [high, low]) in out.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(out)
}
