//! Reading a journal without changing it, for checks and backups. The same walk as recovery, without what recovery
//! writes.

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
                files.push(JournalFile { name, file, header, bytes });
            }
        }
    }
    Ok(files)
}

/// Bytes of an earlier use of the file have another generation.
fn begins_a_batch<F>(file: &JournalFile<F>, offset: u64) -> bool {
    let Some(head) = file.bytes.get(offset as usize..offset as usize + 16) else { return false };
    head.starts_with(format::BATCH_MAGIC) && head[8..] == file.header.generation.to_le_bytes()
}
