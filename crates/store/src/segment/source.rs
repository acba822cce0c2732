//! Where the bytes of a segment come from: a local file, read by position, or an object of any store.
//!
//! Reads go by whole blocks, each checked against its CRC in the manifest: decoders see only bytes that were written.
//! The Parquet crate's own reader of files shares one file position among all readers; this one shares nothing.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt as _,
    path::Path,
    sync::Arc,
};

use attestary_ledger::Hash;
use bytes::Bytes;
use object_store::{ObjectStore, ObjectStoreExt as _, path::Path as ObjectPath};
use parquet::{
    errors::ParquetError,
    file::reader::{ChunkReader, Length},
};
use sha2::Digest as _;

use super::{SegmentError, remote::Remote, wait};
use crate::catalog::SegmentMeta;

/// Bytes under one CRC. A page of bodies is some 30 KiB: small blocks keep reads near that; 32 KiB cost the manifest
/// 4 bytes for about 200 events.
pub const BLOCK_BYTES: usize = 32 << 10;

/// Bytes read at once when a reader did not say how many it needs.
const CHUNK_BYTES: u64 = 2 * BLOCK_BYTES as u64;

/// A segment's bytes; clones share the file or store handle.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    place: Place,
    bytes: u64,
    crcs: Arc<[u32]>,
}

#[derive(Debug, Clone)]
enum Place {
    Memory(Bytes),
    File(Arc<File>),
    Object(Arc<dyn ObjectStore>, ObjectPath),
    Remote(Arc<Remote>, ObjectPath),
}

impl Source {
    /// Reads an object that is still in memory.
    pub(super) fn memory(bytes: Bytes, meta: &SegmentMeta) -> Self {
        Self::of(Place::Memory(bytes), meta)
    }

    /// Opens a local file.
    pub(super) fn file(file: &Path, meta: &SegmentMeta) -> Result<Self, SegmentError> {
        let opened = File::open(file).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => SegmentError::Missing { path: meta.path.clone() },
            _ => SegmentError::Read { path: meta.path.clone(), source },
        })?;
        Ok(Self::of(Place::File(Arc::new(opened)), meta))
    }

    /// Reads an object by ranges.
    pub(super) fn object(store: Arc<dyn ObjectStore>, meta: &SegmentMeta) -> Self {
        Self::of(Place::Object(store, ObjectPath::from(meta.path.as_str())), meta)
    }

    /// Reads an object of a cloud through its cache.
    pub(super) fn remote(remote: Arc<Remote>, meta: &SegmentMeta) -> Self {
        Self::of(Place::Remote(remote, ObjectPath::from(meta.path.as_str())), meta)
    }

    fn of(place: Place, meta: &SegmentMeta) -> Self {
        Self { place, bytes: meta.bytes, crcs: meta.crcs.as_slice().into() }
    }

    /// Reads the blocks around a range, checks them and returns the range.
    fn read(&self, start: u64, length: usize) -> io::Result<Bytes> {
        let end = start.checked_add(length as u64).filter(|end| *end <= self.bytes);
        // A footer may point anywhere; nothing is allocated for it.
        let end =
            end.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a range past the end"))?;
        let block = BLOCK_BYTES as u64;
        let first = start / block;
        let blocks = self.fetch(first * block, end.next_multiple_of(block).min(self.bytes))?;
        for (number, bytes) in (first..).zip(blocks.chunks(BLOCK_BYTES)) {
            if self.crcs.get(number as usize) != Some(&crc32c::crc32c(bytes)) {
                let what = format!("block {number} does not have its CRC");
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
        }
        let skip = (start - first * block) as usize;
        Ok(blocks.slice(skip..skip + length))
    }

    fn fetch(&self, start: u64, end: u64) -> io::Result<Bytes> {
        match &self.place {
            Place::Memory(bytes) => Ok(bytes.slice(start as usize..end as usize)),
            Place::File(file) => {
                let mut buffer = vec![0; (end - start) as usize];
                file.read_exact_at(&mut buffer, start)?;
                Ok(buffer.into())
            }
            Place::Object(_, _) | Place::Remote(_, _) if start == end => Ok(Bytes::new()),
            Place::Remote(remote, path) => {
                let mut buffer = vec![0; (end - start) as usize];
                remote.fetch(path, start, &mut buffer, BLOCK_BYTES, &self.crcs)?;
                Ok(buffer.into())
            }
            Place::Object(store, path) => Ok(wait(store.get_range(path, start..end))?),
        }
    }

    /// Reads the whole object.
    pub(super) fn whole(&self) -> Result<Bytes, ParquetError> {
        self.get_bytes(0, self.bytes as usize)
    }

    /// Returns the hash of the whole object.
    pub(super) fn sha256(&self) -> Result<Hash, ParquetError> {
        let mut digest = sha2::Sha256::new();
        let mut at = 0;
        while at < self.bytes {
            let length = (self.bytes - at).min(1 << 20) as usize;
            digest.update(self.get_bytes(at, length)?);
            at += length as u64;
        }
        Ok(digest.finalize().into())
    }
}

impl Length for Source {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for Source {
    type T = Sequential;

    fn get_read(&self, start: u64) -> Result<Sequential, ParquetError> {
        Ok(Sequential { source: self.clone(), at: start, buffer: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.read(start, length).map_err(|source| ParquetError::External(Box::new(source)))
    }
}

/// Reads a source from one position on.
#[derive(Debug)]
pub(crate) struct Sequential {
    source: Source,
    at: u64,
    buffer: Bytes,
}

impl Read for Sequential {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.buffer.is_empty() {
            // Up to the end of a block, so that no block is read twice.
            let end =
                (self.at + CHUNK_BYTES).next_multiple_of(BLOCK_BYTES as u64).min(self.source.bytes);
            let length = end.saturating_sub(self.at) as usize;
            self.buffer = self.source.read(self.at.min(self.source.bytes), length)?;
            self.at += length as u64;
        }
        let count = out.len().min(self.buffer.len());
        out[..count].copy_from_slice(&self.buffer.split_to(count));
        Ok(count)
    }
}
