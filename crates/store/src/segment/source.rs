//! Where the bytes of a segment come from: a local file, read by position, or an object of any store.
//!
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

use super::{SegmentError, wait};

/// Bytes read at once when a reader did not say how many it needs.
const CHUNK_BYTES: usize = 64 << 10;

/// A segment's bytes; clones share the file or store handle.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    place: Place,
    bytes: u64,
}

#[derive(Debug, Clone)]
enum Place {
    File(Arc<File>),
    Object(Arc<dyn ObjectStore>, ObjectPath),
}

impl Source {
    /// Opens a local file; `bytes` is its size by the manifest.
    pub(super) fn file(file: &Path, path: &str, bytes: u64) -> Result<Self, SegmentError> {
        let opened = File::open(file).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => SegmentError::Missing { path: path.to_owned() },
            _ => SegmentError::Read { path: path.to_owned(), source },
        })?;
        Ok(Self { place: Place::File(Arc::new(opened)), bytes })
    }

    /// Reads an object by ranges; `bytes` is its size by the manifest.
    pub(super) fn object(store: Arc<dyn ObjectStore>, path: &str, bytes: u64) -> Self {
        Self { place: Place::Object(store, ObjectPath::from(path)), bytes }
    }

    fn read(&self, start: u64, length: usize) -> io::Result<Bytes> {
        let end = start.checked_add(length as u64).filter(|end| *end <= self.bytes);
        // A damaged footer may point anywhere; nothing is allocated for it.
        let end = end.ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "a range past the end"))?;
        match &self.place {
            Place::File(file) => {
                let mut buffer = vec![0; length];
                file.read_exact_at(&mut buffer, start)?;
                Ok(buffer.into())
            }
            Place::Object(store, path) => Ok(wait(store.get_range(path, start..end))?),
        }
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
            let left = self.source.bytes.saturating_sub(self.at).min(CHUNK_BYTES as u64) as usize;
            self.buffer = self.source.read(self.at, left)?;
            self.at += left as u64;
        }
        let count = out.len().min(self.buffer.len());
        out[..count].copy_from_slice(&self.buffer.split_to(count));
        Ok(count)
    }
}
