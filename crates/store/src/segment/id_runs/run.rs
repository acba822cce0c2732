//! One id run: the ids of one segment as sorted hashes with their rows, in blocks that are checked one by
//! one.
//!
//! ```text
//! file    = header ‖ block …                                         all of 4,096 bytes, numbers little-endian
//! header  = "ATTIDRN1" ‖ version u32 ‖ entries u32 ‖ SHA-256 of the segment ‖ key check u64 ‖ zeros ‖ crc32c u32
//! block   = 341 × entry, the last block filled up with zeros ‖ crc32c u32, begun with the block's number
//! entry   = hash u64 ‖ row u32, ascending
//! ```
//!
//! Hashes are keyed, so they are spread evenly whatever ids are made of: the place of one is guessed from its value,
//! and a look-up reads one or two blocks.

use std::{
    fs::File,
    io::{self, Read as _},
    ops::Range,
    os::unix::fs::FileExt as _,
    path::Path,
};

use attestary_ledger::Hash;

const MAGIC: &[u8; 8] = b"ATTIDRN1";
const VERSION: u32 = 1;
const BLOCK: usize = 4_096;
const CRC_AT: usize = BLOCK - 4;
const ENTRY: usize = 12;
const ENTRIES: usize = CRC_AT / ENTRY;

/// Hash and row of an id.
pub(super) type Entry = (u64, u32);

/// What a run was made from: a run of something else is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Source {
    /// SHA-256 of the segment.
    pub(super) segment: Hash,
    /// Tells the keys of hashes apart.
    pub(super) key_check: u64,
}

/// Returns the bytes of the run with these entries, which it sorts.
pub(super) fn encode(entries: &mut [Entry], source: &Source) -> Vec<u8> {
    entries.sort_unstable();
    let mut bytes = Vec::with_capacity(BLOCK * (1 + entries.len().div_ceil(ENTRIES)));
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&(entries.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&source.segment);
    bytes.extend_from_slice(&source.key_check.to_le_bytes());
    finish_block(&mut bytes, 0);
    for (number, block) in (1..).zip(entries.chunks(ENTRIES)) {
        for (hash, row) in block {
            bytes.extend_from_slice(&hash.to_le_bytes());
            bytes.extend_from_slice(&row.to_le_bytes());
        }
        finish_block(&mut bytes, number);
    }
    bytes
}

/// Fills the last block up and closes it with its checksum.
fn finish_block(bytes: &mut Vec<u8>, number: u32) {
    let start = bytes.len() / BLOCK * BLOCK;
    bytes.resize(start + CRC_AT, 0);
    let crc = checksum(number, &bytes[start..]);
    bytes.extend_from_slice(&crc.to_le_bytes());
}

fn checksum(number: u32, content: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&number.to_le_bytes()), content)
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// An open run.
#[derive(Debug)]
pub(super) struct Run {
    file: File,
    entries: usize,
}

impl Run {
    /// Opens the run at `path`. An error of the kind `InvalidData` means that it is damaged or was not made from
    /// `source`.
    pub(super) fn open(path: &Path, source: &Source) -> io::Result<Self> {
        let file = File::open(path)?;
        let mut block = [0; BLOCK];
        (&file).read_exact(&mut block)?;
        check(&block, 0)?;
        let version = u32::from_le_bytes(array(&block[8..12]));
        let entries = u32::from_le_bytes(array(&block[12..16])) as usize;
        let made_from = Source {
            segment: array(&block[16..48]),
            key_check: u64::from_le_bytes(array(&block[48..56])),
        };
        if &block[..8] != MAGIC || version != VERSION || made_from != *source {
            return Err(damaged("it is no run of this segment"));
        }
        let blocks = 1 + entries.div_ceil(ENTRIES);
        if file.metadata()?.len() != (blocks * BLOCK) as u64 {
            return Err(damaged("its length is wrong"));
        }
        Ok(Self { file, entries })
    }

    /// Returns the rows within `rows` whose id has one of `hashes`, ascending.
    pub(super) fn find(&self, hashes: &[u64], rows: &Range<u32>) -> io::Result<Vec<u32>> {
        let mut found = Vec::new();
        for &hash in hashes {
            self.find_one(hash, rows, &mut found)?;
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    fn find_one(&self, hash: u64, rows: &Range<u32>, found: &mut Vec<u32>) -> io::Result<()> {
        let mut number = self.first_block_reaching((hash, rows.start))?;
        while number < self.blocks() {
            for (other, row) in self.block(number)?.entries() {
                if (other, row) >= (hash, rows.end) {
                    return Ok(());
                }
                if (other, row) >= (hash, rows.start) {
                    found.push(row);
                }
            }
            number += 1;
        }
        Ok(())
    }

    /// Returns the first block whose last entry is `wanted` or higher; the number of blocks when there is none.
    fn first_block_reaching(&self, wanted: Entry) -> io::Result<usize> {
        let (mut low, mut high) = (0, self.blocks());
        let guess = (u128::from(wanted.0) * self.entries as u128) >> 64;
        let mut at = guess as usize / ENTRIES;
        let mut step = 1;
        while low < high {
            let block = self.block(at)?;
            if block.entry(block.count - 1) < wanted {
                low = at + 1;
                at = (at + step).min(high.saturating_sub(1));
            } else if block.entry(0) <= wanted {
                return Ok(at);
            } else {
                high = at;
                at = at.saturating_sub(step).max(low);
            }
            // The guess is right or nearly so; when it is not, the steps get longer.
            step *= 2;
        }
        Ok(low)
    }

    fn blocks(&self) -> usize {
        self.entries.div_ceil(ENTRIES)
    }

    /// Reads a block and compares it with its checksum.
    fn block(&self, number: usize) -> io::Result<Block> {
        let mut bytes = [0; BLOCK];
        self.file.read_exact_at(&mut bytes, ((1 + number) * BLOCK) as u64)?;
        check(&bytes, 1 + number as u32)?;
        Ok(Block { bytes, count: ENTRIES.min(self.entries - number * ENTRIES) })
    }

    /// Returns all hashes, ascending.
    pub(super) fn hashes(&self) -> io::Result<Vec<u64>> {
        let mut hashes = Vec::with_capacity(self.entries);
        for number in 0..self.blocks() {
            hashes.extend(self.block(number)?.entries().map(|(hash, _)| hash));
        }
        Ok(hashes)
    }
}

/// A block of entries, at least one.
struct Block {
    bytes: [u8; BLOCK],
    count: usize,
}

impl Block {
    fn entry(&self, index: usize) -> Entry {
        let entry = &self.bytes[index * ENTRY..(index + 1) * ENTRY];
        (u64::from_le_bytes(array(&entry[..8])), u32::from_le_bytes(array(&entry[8..])))
    }

    fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        (0..self.count).map(|index| self.entry(index))
    }
}

fn check(block: &[u8; BLOCK], number: u32) -> io::Result<()> {
    let (content, crc) = block.split_at(CRC_AT);
    if checksum(number, content) != u32::from_le_bytes(array(crc)) {
        return Err(damaged("a block does not fit its checksum"));
    }
    Ok(())
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("ranges of the layout above")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SOURCE: Source = Source { segment: [7; 32], key_check: 9 };

    fn run(entries: &mut [Entry]) -> (tempfile::TempDir, Run) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run");
        std::fs::write(&path, encode(entries, &SOURCE)).unwrap();
        let run = Run::open(&path, &SOURCE).unwrap();
        (dir, run)
    }

    fn scanned(entries: &[Entry], hashes: &[u64], rows: &Range<u32>) -> Vec<u32> {
        let hit = |(hash, row): &&Entry| hashes.contains(hash) && rows.contains(row);
        let mut found: Vec<u32> = entries.iter().filter(hit).map(|(_, row)| *row).collect();
        found.sort_unstable();
        found
    }

    proptest! {
        /// Hashes of every distribution: spread, crowded into one end, and many that are equal.
        #[test]
        fn a_look_up_finds_what_a_scan_finds(
            count in 0_u32..3_000,
            shift in prop_oneof![Just(0_u32), Just(30), Just(61)],
            draw in any::<u64>(),
            start in 0_u32..3_000,
            rows in 0_u32..3_000,
        ) {
            let hash = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(draw) >> shift;
            let mut entries: Vec<Entry> =
                (0..count).map(|row| (hash(u64::from(row)), row)).collect();
            let (_dir, run) = run(&mut entries);
            let asked: Vec<u64> = (0..20).map(|n| hash(n * 301)).chain([0, u64::MAX]).collect();
            let rows = start..start + rows;
            prop_assert_eq!(run.find(&asked, &rows).unwrap(), scanned(&entries, &asked, &rows));
            let hashes: Vec<u64> = entries.iter().map(|(hash, _)| *hash).collect();
            prop_assert_eq!(run.hashes().unwrap(), hashes);
        }
    }

    #[test]
    fn every_changed_byte_is_noticed_and_so_are_moved_blocks() {
        let mut entries: Vec<Entry> = (0..700).map(|row| (u64::from(row) << 54, row)).collect();
        let bytes = encode(&mut entries, &SOURCE);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run");
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            Run::open(&path, &SOURCE)?.hashes()
        };
        assert_eq!(read(&bytes).unwrap().len(), 700);
        for at in (0..bytes.len()).step_by(13) {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            assert!(read(&changed).is_err(), "byte {at}");
        }
        let mut moved = bytes.clone();
        moved.copy_within(BLOCK..2 * BLOCK, 2 * BLOCK);
        assert!(read(&moved).is_err());
        assert!(read(&bytes[..bytes.len() - BLOCK]).is_err());
        let other = Source { segment: [8; 32], ..SOURCE };
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(Run::open(&path, &other).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
