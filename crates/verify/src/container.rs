//! The archive: a zip of known names, each of bounded size, nothing but regular files.
//!
//! Nothing is unpacked to a disk, so a name can lead nowhere; one that this version does not know is refused all the same,
//! because a file that nobody checked must not travel under a verdict. Declared sizes are limits while reading. The table is
//! judged first and the seal after it, so that a hostile archive is named for what it is.

use std::{
    collections::HashMap,
    io::{self, Read, Seek},
};

use attestary_ledger::{TilePath, proof_file::EXTRA_BYTES_MAX, slot_proof::SLOT_PROOF_BYTES_MAX};
use zip::{CompressionMethod, ZipArchive};

use crate::{growth::GROWTH_BYTES_MAX, seal};

/// Most files of a bundle: a log of 250 million events has as many tiles.
const FILES_MAX: usize = 1_000_000;
/// Most older checkpoints.
const PREV_MAX: usize = 10_000;
/// Longest manifest: about 130 bytes for each file.
pub const MANIFEST_BYTES_MAX: u64 = 256 << 20;
/// Longest removal list.
pub const REMOVALS_BYTES_MAX: u64 = 256 << 20;
/// Uncompressed bytes for each compressed one, above a first part that small files may take.
const RATIO_MAX: u64 = 400;
const RATIO_FREE_BYTES: u64 = 16 << 20;

/// The parts of a bundle by name.
pub mod name {
    /// Table of contents.
    pub const MANIFEST: &str = "manifest.json";
    /// The log's signature over it.
    pub const SIGNATURE: &str = "manifest.sig";
    /// The log's signed checkpoint.
    pub const CHECKPOINT: &str = "checkpoint";
    /// The events.
    pub const EVENTS: &str = "events.ndjson";
    /// Way of the head into the anchor log.
    pub const SLOT_PROOF: &str = "slot-proof";
    /// The head at that epoch.
    pub const HEAD: &str = "head";
    /// A time-stamp's reply (RFC 3161, DER).
    pub const STAMP_REPLY: &str = "stamp/reply";
    /// The anchor checkpoint's text that it covers.
    pub const STAMP_TEXT: &str = "stamp/text";
    /// Way of a head into the anchor log as that checkpoint has it.
    pub const STAMP_SLOT_PROOF: &str = "stamp/slot-proof";
    /// That head, and how the log grew from it.
    pub const STAMP_HEAD: &str = "stamp/head";
    /// For people and other tools; covered by the manifest only.
    pub const PLAIN: [&str; 5] =
        ["README.txt", "report.html", "schema.json", "custody.json", "load.csv"];
    /// Older checkpoints.
    pub const PREV: &str = "prev/";
    /// Removal lists by their SHA-256.
    pub const REMOVALS: &str = "removals/";
}

/// What a file of a bundle is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The table of contents.
    Manifest,
    /// Its signature.
    Signature,
    /// The checkpoint.
    Checkpoint,
    /// The events.
    Events,
    /// The slot proof.
    SlotProof,
    /// The head at the epoch.
    Head,
    /// A file of a time-stamp.
    Stamp(StampPart),
    /// A tile or entry bundle.
    Tile(TilePath),
    /// An older checkpoint of this size.
    Prev(u64),
    /// A removal list of this digest.
    Removals([u8; 32]),
    /// For people.
    Plain,
}

/// The files of a time-stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StampPart {
    /// The authority's reply.
    Reply,
    /// The text that it covers.
    Text,
    /// Where the log's head stood under that text's checkpoint.
    SlotProof,
    /// How the log grew from that head.
    Head,
}

impl Part {
    /// Returns what a name stands for.
    pub fn of(name: &str) -> Option<Self> {
        match name {
            name::MANIFEST => return Some(Self::Manifest),
            name::SIGNATURE => return Some(Self::Signature),
            name::CHECKPOINT => return Some(Self::Checkpoint),
            name::EVENTS => return Some(Self::Events),
            name::SLOT_PROOF => return Some(Self::SlotProof),
            name::HEAD => return Some(Self::Head),
            name::STAMP_REPLY => return Some(Self::Stamp(StampPart::Reply)),
            name::STAMP_TEXT => return Some(Self::Stamp(StampPart::Text)),
            name::STAMP_SLOT_PROOF => return Some(Self::Stamp(StampPart::SlotProof)),
            name::STAMP_HEAD => return Some(Self::Stamp(StampPart::Head)),
            name if name::PLAIN.contains(&name) => return Some(Self::Plain),
            _ => {}
        }
        if let Some(size) = name.strip_prefix(name::PREV) {
            let number: u64 = size.parse().ok()?;
            return (number.to_string() == size).then_some(Self::Prev(number));
        }
        if let Some(digest) = name.strip_prefix(name::REMOVALS) {
            return crate::manifest::unhex(digest).map(Self::Removals);
        }
        TilePath::parse(name).ok().map(Self::Tile)
    }

    /// Returns the longest that such a file may be; `None` for those that are read piece by piece.
    fn bytes_max(&self) -> Option<u64> {
        match self {
            Self::Manifest => Some(MANIFEST_BYTES_MAX),
            Self::Signature | Self::Checkpoint => {
                Some(attestary_ledger::note::NOTE_BYTES_MAX as u64)
            }
            Self::SlotProof | Self::Stamp(StampPart::SlotProof) => {
                Some(SLOT_PROOF_BYTES_MAX as u64)
            }
            Self::Head | Self::Prev(_) | Self::Stamp(StampPart::Head) => {
                Some(GROWTH_BYTES_MAX as u64)
            }
            Self::Stamp(StampPart::Reply) => Some(attestary_ledger::stamp::REPLY_BYTES_MAX as u64),
            Self::Stamp(StampPart::Text) => Some(attestary_ledger::note::NOTE_BYTES_MAX as u64),
            Self::Tile(path) => Some(match path.kind() {
                attestary_ledger::TileKind::Hashes(_) => 32 * path.width() as u64,
                attestary_ledger::TileKind::Entries => {
                    (path.width() * (2 + EXTRA_BYTES_MAX)) as u64
                }
            }),
            Self::Removals(_) => Some(REMOVALS_BYTES_MAX),
            Self::Events | Self::Plain => None,
        }
    }
}

/// An open bundle.
#[derive(Debug)]
pub struct Container<R> {
    archive: ZipArchive<R>,
    files: Vec<(String, Part)>,
    sizes: HashMap<String, u64>,
}

impl<R: Read + Seek> Container<R> {
    /// Opens an archive and checks its table: names, kinds, sizes.
    ///
    /// # Errors
    /// With one sentence that names the file.
    pub fn open(reader: R) -> Result<Self, String> {
        let mut archive = ZipArchive::new(reader)
            .map_err(|error| format!("this is not a zip archive: {error}"))?;
        if archive.len() > FILES_MAX {
            return Err(format!("{} files; the limit is {FILES_MAX}", archive.len()));
        }
        let (mut files, mut sizes, mut prev) = (Vec::new(), HashMap::new(), 0);
        for index in 0..archive.len() {
            let file =
                archive.by_index_raw(index).map_err(|error| format!("file {index}: {error}"))?;
            let name = file.name().map_err(|error| format!("file {index}: {error}"))?.into_owned();
            let refused = |why: &str| Err(format!("{name:?} {why}"));
            let Some(part) = Part::of(&name) else {
                return refused("is no part of a bundle");
            };
            if file.encrypted() {
                return refused("is encrypted");
            }
            if !matches!(
                file.compression(),
                CompressionMethod::Stored | CompressionMethod::Deflated
            ) {
                return refused("is compressed in a way that bundles do not use");
            }
            // Upper bits of the mode: 0 = not stated, 8 = regular file.
            if file.unix_mode().is_some_and(|mode| !matches!(mode >> 12, 0 | 0o10)) {
                return refused("is not a regular file");
            }
            if part.bytes_max().is_some_and(|limit| file.size() > limit) {
                return refused("is larger than such a file can be");
            }
            let fair =
                RATIO_FREE_BYTES.saturating_add(file.compressed_size().saturating_mul(RATIO_MAX));
            if file.size() > fair {
                return refused("is compressed more than events can be");
            }
            prev += usize::from(matches!(part, Part::Prev(_)));
            if prev > PREV_MAX {
                return Err(format!("more than {PREV_MAX} older checkpoints"));
            }
            if sizes.insert(name.clone(), file.size()).is_some() {
                return refused("stands twice");
            }
            drop(file);
            files.push((name, part));
        }
        let mut reader = archive.into_inner();
        seal::check(&mut reader)?;
        let archive = ZipArchive::new(reader)
            .map_err(|error| format!("this is not a zip archive: {error}"))?;
        Ok(Self { archive, files, sizes })
    }

    /// Returns names and parts, in the archive's order.
    pub fn files(&self) -> &[(String, Part)] {
        &self.files
    }

    /// Returns true when there is a file of this name.
    pub fn has(&self, name: &str) -> bool {
        self.sizes.contains_key(name)
    }

    /// Reads a small file whole.
    pub fn read(&mut self, name: &str) -> Result<Vec<u8>, String> {
        let (mut bytes, size) = (Vec::new(), self.size(name)?);
        let read = self.open_file(name)?.take(size + 1).read_to_end(&mut bytes);
        read.map_err(|error| format!("{name:?} cannot be read: {error}"))?;
        if bytes.len() as u64 != size {
            return Err(format!("{name:?} does not have the size that the archive states"));
        }
        Ok(bytes)
    }

    /// Opens a file to be read piece by piece; it never gives more than its declared size and one byte.
    pub fn open_file(&mut self, name: &str) -> Result<impl Read + use<'_, R>, String> {
        let size = self.size(name)?;
        let file = self.archive.by_name(name).map_err(|error| format!("{name:?}: {error}"))?;
        Ok(file.take(size + 1))
    }

    /// Returns the declared size of a file.
    pub fn size(&self, name: &str) -> Result<u64, String> {
        self.sizes.get(name).copied().ok_or_else(|| format!("{name:?} is missing"))
    }
}

/// Counts and digests what is read through it.
pub(crate) struct Digested<R> {
    inner: R,
    digest: sha2::Sha256,
    bytes: u64,
}

impl<R: Read> Digested<R> {
    pub(crate) fn new(inner: R) -> Self {
        use sha2::Digest as _;
        Self { inner, digest: sha2::Sha256::new(), bytes: 0 }
    }

    /// Reads what is left, and returns length and digest of everything.
    pub(crate) fn finish(mut self) -> io::Result<(u64, [u8; 32])> {
        use sha2::Digest as _;
        let mut buffer = vec![0; 64 << 10];
        while self.read(&mut buffer)? > 0 {}
        Ok((self.bytes, self.digest.finalize().into()))
    }
}

impl<R: Read> Read for Digested<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use sha2::Digest as _;
        let count = self.inner.read(buffer)?;
        self.digest.update(&buffer[..count]);
        self.bytes += count as u64;
        Ok(count)
    }
}
