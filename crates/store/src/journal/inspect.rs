//! Reading a journal without changing it, for checks and backups. The same walk as recovery, without what recovery
//! writes.

use bytes::Bytes;

use super::{
    JournalError, Position,
    format::{self, FILE_HEADER_BYTES, FileHeader, HeaderRead},
    read::{self, JournalFile, Replay},
};
use crate::disk::{Disk, DiskFile as _};

/// What a journal looks like from outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspection {
    /// Files that may hold unsealed batches, oldest first.
    pub files: Vec<String>,
    /// Their bytes.
    pub bytes: u64,
    /// Files whose header stands only once: the other copy is damaged.
    pub half_headers: Vec<String>,
    /// Files without an intact header, of a file's full length: never begun, or damaged in both copies.
    pub headless: Vec<String>,
    /// The journal ends in a batch that was not written to its end: nobody was told of it.
    pub torn: bool,
    /// Number of the next batch.
    pub next_batch: u64,
}

/// Replays every batch of `partition` from `from` on into `replay` and changes nothing.
pub fn inspect<D: Disk>(
    disk: &mut D,
    partition: u32,
    from: Position,
    replay: &mut dyn Replay,
) -> Result<Inspection, JournalError> {
    let mut found = Inspection::default();
    let mut files = load(disk, partition, from, &mut found)?;
    files.sort_by_key(|file| file.header.generation);
    if from.generation > 0 && files.first().map(|f| f.header.generation) != Some(from.generation) {
        return Err(JournalError::Missing { generation: from.generation });
    }
    found.files = files.iter().map(|file| file.name.clone()).collect();
    found.bytes = files.iter().map(|file| file.bytes.len() as u64).sum();
    let walked = read::walk(&files, from, replay);
    found.next_batch = walked.walk.batch;
    found.torn = walked.end.is_some_and(|(index, offset)| begins_a_batch(&files[index], offset));
    Ok(found)
}

/// The end of a copy of a journal: behind its last whole batch.
#[derive(Debug)]
pub struct End {
    /// Index of the file.
    pub file: usize,
    /// Where in it.
    pub offset: u64,
    header: FileHeader,
    batch: u64,
}

impl End {
    /// Returns the generation of the file.
    pub fn generation(&self) -> u64 {
        self.header.generation
    }

    /// Returns the length of the next batch when `bytes`, which lie at this place, begin with it whole.
    pub fn follows(&self, bytes: &[u8]) -> Option<usize> {
        let batch = format::read_batch(bytes, self.header.seed(self.offset))?;
        let header = &batch.header;
        let next = header.generation == self.header.generation && header.batch == self.batch;
        (next && batch.bad.is_empty() && batch.bytes <= bytes.len() as u64)
            .then_some(batch.bytes as usize)
    }

    /// Returns true when `bytes`, which lie at this place, begin with a batch of this use of the file, whole or not.
    pub fn begins(&self, bytes: &[u8]) -> bool {
        begins_with_a_batch(bytes, self.header.generation)
    }

    /// Goes on behind a batch of `bytes` bytes.
    pub fn pass(&mut self, bytes: u64) {
        self.offset += bytes;
        self.batch += 1;
    }
}

/// Finds the end of a copy whose files, name and bytes, are those from `from` on. `None` when there is none.
pub fn end_of(files: &mut [(String, Vec<u8>)], from: Position) -> Option<End> {
    let header = |bytes: &[u8]| match FileHeader::decode(bytes) {
        HeaderRead::Valid(header) => Some(header),
        _ => None,
    };
    let headers: Vec<_> = files.iter().map(|(_, bytes)| header(bytes)).collect::<Option<_>>()?;
    let read = files.iter_mut().zip(headers).map(|((name, bytes), header)| {
        let (name, bytes) = (name.clone(), std::mem::take(bytes));
        JournalFile { name, file: (), header, bytes: bytes.into() }
    });
    let read: Vec<_> = read.collect();
    let walked = read::walk(&read, from, &mut Nothing);
    let end = walked.end.map(|(file, offset)| End {
        file,
        offset,
        header: read[file].header,
        batch: walked.walk.batch,
    });
    for (place, file) in files.iter_mut().zip(read) {
        place.1 = file.bytes.into();
    }
    end
}

struct Nothing;

impl Replay for Nothing {
    fn batch(&mut self, _: Bytes, _: Vec<(u32, u32)>) {}
    fn damage(&mut self, _: super::Damage) {}
}

fn load<D: Disk>(
    disk: &mut D,
    partition: u32,
    from: Position,
    found: &mut Inspection,
) -> Result<Vec<JournalFile<D::File>>, JournalError> {
    let failed = |doing, file: &str| {
        let file = file.to_owned();
        move |source| JournalError::Io { doing, file, source }
    };
    let mut files = Vec::new();
    let mut names = disk.list().map_err(failed("list", "directory"))?;
    names.retain(|name| read::number(name).is_some());
    names.sort_unstable();
    for name in names {
        let mut file = disk.open(&name).map_err(failed("open", &name))?;
        let length = file.bytes().map_err(failed("measure", &name))?;
        let mut head = vec![0; FILE_HEADER_BYTES.min(length) as usize];
        file.read_exact(0, &mut head).map_err(failed("read", &name))?;
        match FileHeader::decode(&head) {
            HeaderRead::Newer(version) => {
                return Err(JournalError::Version { file: name, version });
            }
            HeaderRead::None => {
                // A file that was never begun is all zeros there.
                if head.iter().any(|byte| *byte != 0) {
                    found.headless.push(name);
                }
            }
            HeaderRead::Valid(header) => {
                if header.generation < from.generation || header.partition != partition {
                    continue;
                }
                if head != header.encode() {
                    found.half_headers.push(name.clone());
                }
                let mut bytes = vec![0; length as usize];
                file.read_exact(0, &mut bytes).map_err(failed("read", &name))?;
                files.push(JournalFile { name, file, header, bytes: bytes.into() });
            }
        }
    }
    Ok(files)
}

/// Bytes of an earlier use of the file have another generation.
fn begins_a_batch<F>(file: &JournalFile<F>, offset: u64) -> bool {
    let bytes = file.bytes.get(offset as usize..).unwrap_or_default();
    begins_with_a_batch(bytes, file.header.generation)
}

fn begins_with_a_batch(bytes: &[u8], generation: u64) -> bool {
    let Some(head) = bytes.get(..16) else { return false };
    head.starts_with(format::BATCH_MAGIC) && head[8..] == generation.to_le_bytes()
}
