//! Whole objects, for backups and checks.

use bytes::Bytes;
use object_store::{ObjectStoreExt as _, path::Path as ObjectPath};

use super::{SegmentError, Segments, sha256};
use crate::catalog::SegmentMeta;

impl Segments {
    /// Returns true when the object is there.
    pub fn has(&self, path: &str) -> Result<bool, SegmentError> {
        match self.wait(self.store.head(&ObjectPath::from(path))) {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(source) => Err(SegmentError::Store { path: path.to_owned(), source }),
        }
    }

    /// Reads a range of an object and compares its blocks with their CRCs.
    pub(crate) fn check_range(
        &self,
        meta: &SegmentMeta,
        start: u64,
        length: u64,
    ) -> Result<(), SegmentError> {
        use parquet::file::reader::ChunkReader as _;
        let read = self.source(meta)?.get_bytes(start, length as usize);
        read.map(drop).map_err(|source| SegmentError::of_parquet(&meta.path, &source))
    }

    /// Reads a whole object; what differs from the manifest is an error.
    pub fn read(&self, meta: &SegmentMeta) -> Result<Bytes, SegmentError> {
        let bytes = self.source(meta)?.whole();
        let bytes = bytes.map_err(|source| SegmentError::of_parquet(&meta.path, &source))?;
        if sha256(&bytes) != meta.sha256 {
            let what = "its SHA-256 is not the one in the manifest";
            return Err(SegmentError::corrupt(&meta.path, what));
        }
        Ok(bytes)
    }
}
