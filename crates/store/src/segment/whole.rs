//! Whole objects, for backups and checks.

use bytes::Bytes;

use super::{SegmentError, Segments, sha256};
use crate::catalog::SegmentMeta;

impl Segments {
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
