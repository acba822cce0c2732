//! Bytes of a journal file. All integers are little-endian.
//!
//! ```text
//! file    = header copy (512) ‖ header copy (512) ‖ batch…
//! header  = "ATTJRNL1" ‖ version u16 ‖ 0 u16 ‖ partition u32 ‖ generation u64 ‖ nonce u64 ‖ crc32c u32 ‖ zeros
//! batch   = batch header (64) ‖ records ‖ table (28 a record) ‖ zeros to a multiple of 8
//! header  = "ATB1" ‖ 0 u32 ‖ generation u64 ‖ batch u64 ‖ owner epoch u64 ‖ synced u64 ‖ records u32
//!           ‖ records bytes u32 ‖ table crc32c u32 ‖ 0 u64 ‖ header crc32c u32
//! row     = start u32 ‖ bytes u32 ‖ crc32c u32 ‖ slot u64 ‖ seq u64
//! ```
//!
//! Every batch checksum is seeded with the file's nonce and generation and the batch's offset: bytes of an earlier
//! use of the file, of another place, or inside an event never pass. The header exists twice, in two sectors, so
//! that one damaged sector does not make a file of acknowledged events look empty.

use crate::planted::{Bug, planted};

/// Format version of journal files.
pub const VERSION: u16 = 1;
/// Offset of the first batch.
pub const FILE_HEADER_BYTES: u64 = 1024;
/// Bytes before a batch's records.
pub const BATCH_HEADER_BYTES: usize = 64;

const FILE_MAGIC: &[u8; 8] = b"ATTJRNL1";
pub(super) const BATCH_MAGIC: &[u8; 4] = b"ATB1";
const HEADER_COPY_BYTES: usize = 512;
/// Bytes of a row of a batch's table.
pub const ROW_BYTES: usize = 28;

/// What a file's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileHeader {
    /// Whose journal it is.
    pub partition: u32,
    /// Grows with every use of any file.
    pub generation: u64,
    /// Random; seeds the checksums.
    pub nonce: u64,
}

/// A file header, or what stands in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderRead {
    /// The newest intact copy.
    Valid(FileHeader),
    /// Neither copy is intact: a file that was never begun.
    None,
    /// Written by a newer version.
    Newer(u16),
}

impl FileHeader {
    /// Returns both copies.
    pub fn encode(&self) -> [u8; FILE_HEADER_BYTES as usize] {
        let mut out = [0; FILE_HEADER_BYTES as usize];
        for copy in out.chunks_exact_mut(HEADER_COPY_BYTES) {
            copy[..8].copy_from_slice(FILE_MAGIC);
            copy[8..10].copy_from_slice(&VERSION.to_le_bytes());
            copy[12..16].copy_from_slice(&self.partition.to_le_bytes());
            copy[16..24].copy_from_slice(&self.generation.to_le_bytes());
            copy[24..32].copy_from_slice(&self.nonce.to_le_bytes());
            let crc = crc32c::crc32c(&copy[..32]);
            copy[32..36].copy_from_slice(&crc.to_le_bytes());
        }
        out
    }

    /// Reads the intact copy with the highest generation.
    pub fn decode(bytes: &[u8]) -> HeaderRead {
        let mut found = HeaderRead::None;
        for copy in bytes.chunks_exact(HEADER_COPY_BYTES).take(2) {
            if &copy[..8] != FILE_MAGIC || crc32c::crc32c(&copy[..32]) != u32_at(copy, 32) {
                continue;
            }
            let version = u16::from_le_bytes([copy[8], copy[9]]);
            if version > VERSION {
                return HeaderRead::Newer(version);
            }
            let header = Self {
                partition: u32_at(copy, 12),
                generation: u64_at(copy, 16),
                nonce: u64_at(copy, 24),
            };
            match found {
                HeaderRead::Valid(best) if best.generation >= header.generation => {}
                _ => found = HeaderRead::Valid(header),
            }
        }
        found
    }

    /// Returns the checksum seed of the batch at `offset`.
    pub fn seed(&self, offset: u64) -> u32 {
        let mut place = [0; 24];
        place[..8].copy_from_slice(&self.nonce.to_le_bytes());
        place[8..16].copy_from_slice(&self.generation.to_le_bytes());
        place[16..].copy_from_slice(&offset.to_le_bytes());
        crc32c::crc32c(&place)
    }
}

/// What a batch's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// Generation of the file.
    pub generation: u64,
    /// Dense number of the batch in its partition.
    pub batch: u64,
    /// Who wrote it; grows with every opening of the journal.
    pub owner_epoch: u64,
    /// Number of batches that were on stable storage when this one was written.
    pub synced: u64,
    /// Number of records.
    pub records: u32,
    /// Bytes of all records.
    pub records_bytes: u32,
}

/// Where a record lies, its checksum, and what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableRow {
    /// Offset from the start of the batch.
    pub start: u32,
    /// Length.
    pub bytes: u32,
    /// Seeded CRC32C of the record.
    pub crc: u32,
    /// The record's log.
    pub slot: u64,
    /// The record's position in it.
    pub seq: u64,
}

/// Returns the bytes of a batch with `records` records of `records_bytes` bytes together.
pub fn batch_bytes(records_bytes: usize, records: usize) -> u64 {
    (BATCH_HEADER_BYTES + records_bytes + records * ROW_BYTES).next_multiple_of(8) as u64
}

/// Completes a batch in place: checksums, table, padding, header.
pub fn finish_batch(header: &BatchHeader, seed: u32, bytes: &mut Vec<u8>, table: &mut [TableRow]) {
    bytes.truncate(BATCH_HEADER_BYTES + header.records_bytes as usize);
    for row in table.iter_mut() {
        let start = row.start as usize;
        row.crc = crc32c::crc32c_append(seed, &bytes[start..start + row.bytes as usize]);
    }
    let table_at = bytes.len();
    for row in table.iter() {
        for word in [row.start, row.bytes, row.crc] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(&row.slot.to_le_bytes());
        bytes.extend_from_slice(&row.seq.to_le_bytes());
    }
    let table_crc = crc32c::crc32c_append(seed, &bytes[table_at..]);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes[..4].copy_from_slice(BATCH_MAGIC);
    bytes[4..8].fill(0);
    for (at, word) in [
        (8, header.generation),
        (16, header.batch),
        (24, header.owner_epoch),
        (32, header.synced),
        (52, 0),
    ] {
        bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
    }
    for (at, word) in [(40, header.records), (44, header.records_bytes), (48, table_crc)] {
        bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }
    let crc = crc32c::crc32c_append(seed, &bytes[..60]);
    bytes[60..64].copy_from_slice(&crc.to_le_bytes());
}

/// A batch whose header and table are intact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its header.
    pub header: BatchHeader,
    /// Its table.
    pub table: Vec<TableRow>,
    /// Indexes of the records whose bytes do not match their checksum.
    pub bad: Vec<usize>,
    /// Length in the file.
    pub bytes: u64,
}

/// Reads the batch at the start of `bytes`; `None` when header or table are not intact.
pub fn read_batch(bytes: &[u8], seed: u32) -> Option<Batch> {
    let head = bytes.get(..BATCH_HEADER_BYTES)?;
    let intact =
        |crc: u32, of: &[u8]| planted(Bug::NoChecksum) || crc32c::crc32c_append(seed, of) == crc;
    if &head[..4] != BATCH_MAGIC || !intact(u32_at(head, 60), &head[..60]) {
        return None;
    }
    let header = BatchHeader {
        generation: u64_at(head, 8),
        batch: u64_at(head, 16),
        owner_epoch: u64_at(head, 24),
        synced: u64_at(head, 32),
        records: u32_at(head, 40),
        records_bytes: u32_at(head, 44),
    };
    let table_at = BATCH_HEADER_BYTES + header.records_bytes as usize;
    let table_bytes = (header.records as usize).checked_mul(ROW_BYTES)?;
    let table = bytes.get(table_at..table_at.checked_add(table_bytes)?)?;
    if !intact(u32_at(head, 48), table) {
        return None;
    }
    let table: Vec<TableRow> = table.chunks_exact(ROW_BYTES).map(row).collect();
    let record = |row: &TableRow| {
        let start = row.start as usize;
        bytes[..table_at].get(start..start.checked_add(row.bytes as usize)?)
    };
    let bad = table
        .iter()
        .enumerate()
        .filter(|(_, row)| !record(row).is_some_and(|r| intact(row.crc, r)));
    let bad = bad.map(|(index, _)| index).collect();
    Some(Batch {
        header,
        bytes: batch_bytes(header.records_bytes as usize, table.len()),
        table,
        bad,
    })
}

fn row(bytes: &[u8]) -> TableRow {
    TableRow {
        start: u32_at(bytes, 0),
        bytes: u32_at(bytes, 4),
        crc: u32_at(bytes, 8),
        slot: u64_at(bytes, 12),
        seq: u64_at(bytes, 20),
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}
