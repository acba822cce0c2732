//! Following a log that another program writes and rotates: every line once, also across rotations and kills.
//!
//! The server gives equal lines of one request different ids and the same request again the same ids. So a part that
//! is sent begins where a second of the log begins, and the position moves only to such places: the lines of the
//! latest second, and some before, are sent again with those that come after them; the server knows the ones it has
//! and sees the requests that are open. What is about
//! to be sent is written down first; after a kill the very same bytes go out again before anything newer.
//!
//! Files are known by device and inode. A renamed file is read to its end; then those that came between, by the time
//! of their last write; then the one that has the name now. A file that was cut to nothing is read from its start:
//! what was in it and unread is lost, so logs should be rotated by renaming.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::second;

/// Bytes of one part at most, unless a single second of the log has more.
const PART_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes that are sent again as context of what comes after them.
const CONTEXT_BYTES: usize = 128 * 1024;
/// Bytes read at once.
const READ_BYTES: usize = 256 * 1024;

/// A place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    device: u64,
    inode: u64,
    offset: u64,
}

/// What is on disk between two runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    /// Everything before it is in the server's log.
    done: Option<Place>,
    /// The end of a part that was about to be sent.
    sending: Option<Place>,
}

/// The position's file: replaced as a whole, synced before anything depends on it.
#[derive(Debug)]
pub(super) struct PositionFile(PathBuf);

impl PositionFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn read(&self) -> io::Result<Position> {
        match std::fs::read(&self.0) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Position::default()),
            Err(error) => Err(error),
        }
    }

    pub(super) fn write(&self, position: &Position) -> io::Result<()> {
        let new = self.0.with_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&new)?;
        file.write_all(&serde_json::to_vec(position).map_err(io::Error::other)?)?;
        file.sync_all()?;
        std::fs::rename(&new, &self.0)?;
        let folder = self.0.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

/// The log as one stream of bytes over all its files.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    current: Option<Open>,
    /// Read and not yet done with.
    pending: Vec<u8>,
    /// Where in the files the pending bytes stand: index of the first byte of a run, and its place.
    runs: Vec<(usize, Place)>,
}

#[derive(Debug)]
struct Open {
    file: File,
    place: Place,
}

/// A part to send.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Whole lines.
    pub(super) bytes: Vec<u8>,
    /// Where the part ends.
    end: Place,
    /// Where the next one begins when this one is in the server's log: index into the pending bytes.
    next: usize,
}

impl Part {
    /// Returns where the part ends.
    pub(super) fn end(&self) -> Place {
        self.end
    }
}

impl Position {
    /// True when a file of the log is known.
    pub(super) fn is_known(&self) -> bool {
        self.done.is_some()
    }

    /// Returns the end of the part that was about to be sent.
    pub(super) fn sending(&self) -> Option<Place> {
        self.sending
    }
}

impl Log {
    /// Opens the log at a position; a log that is not there yet is waited for.
    pub(super) fn open(path: &Path, position: &Position) -> io::Result<Self> {
        let mut log =
            Self { path: path.to_owned(), current: None, pending: Vec::new(), runs: Vec::new() };
        if let Some(done) = position.done {
            let found = log.files()?.into_iter().find(|(_, file)| same(file, &done));
            if let Some((path, metadata)) = found
                && metadata.len() >= done.offset
            {
                log.current = Some(Open::at(&path, done.offset)?);
            }
        }
        Ok(log)
    }

    /// Begins with the file that has the name now, when there is one; returns what to write down before anything of it
    /// is sent, so that the file is known when it is rotated before that.
    pub(super) fn begin(&mut self) -> io::Result<Option<Position>> {
        if self.current.is_none() {
            self.current = self.first()?;
        }
        let place = self.current.as_ref().map(|open| open.place);
        Ok(place.map(|place| Position { done: Some(place), sending: None }))
    }

    /// Reads what has come. Returns false when nothing has.
    pub(super) fn read(&mut self) -> io::Result<bool> {
        let before = self.pending.len();
        while self.pending.len() - before < PART_BYTES_MAX {
            let Some(open) = &mut self.current else {
                match self.first()? {
                    Some(open) => self.current = Some(open),
                    None => break,
                }
                continue;
            };
            if open.file.metadata()?.len() < open.place.offset {
                open.file.seek(SeekFrom::Start(0))?;
                open.place.offset = 0;
            }
            let place = open.place;
            let start = self.pending.len();
            let read = (&mut open.file).take(READ_BYTES as u64).read_to_end(&mut self.pending)?;
            if read > 0 {
                open.place.offset += read as u64;
                self.runs.push((start, place));
                continue;
            }
            // The end. Whoever rotated has written all of this file, when another one has its name.
            let Some(next) = self.successor(&place)? else { break };
            // A writer may have gone on between the last read and the rename.
            let length = self.current.as_ref().map(|open| open.file.metadata()).transpose()?;
            if length.is_some_and(|metadata| metadata.len() > place.offset) {
                continue;
            }
            if self.pending.last().is_some_and(|byte| *byte != b'\n') {
                self.pending.push(b'\n');
            }
            self.current = Some(next);
        }
        Ok(self.pending.len() > before)
    }

    /// Returns the next part: up to the start of the last event, whose continuation may still come, or up to the last
    /// line end when `idle`.
    pub(super) fn part(&self, idle: bool) -> Option<Part> {
        let end = if idle { self.line_end() } else { self.last_event() }?;
        self.part_to(self.bound(end), idle)
    }

    /// Returns the part that was about to be sent when the last run ended.
    pub(super) fn part_again(&self, sending: &Place) -> Option<Part> {
        let run = self.runs.iter().rev().find(|(_, place)| {
            (place.device, place.inode) == (sending.device, sending.inode)
                && place.offset <= sending.offset
        })?;
        let end = run.0 + usize::try_from(sending.offset - run.1.offset).ok()?;
        (end <= self.pending.len()).then(|| self.part_to(end, false))?
    }

    fn part_to(&self, end: usize, idle: bool) -> Option<Part> {
        if end == 0 {
            return None;
        }
        let bytes = self.pending[..end].to_vec();
        // After a pause, the second is over: nothing of it is sent again.
        let next = if idle { end } else { context_start(&bytes) };
        Some(Part { bytes, end: self.place(end)?, next })
    }

    /// Returns what to write down before a part is sent.
    pub(super) fn sending(&self, part: &Part) -> Position {
        Position { done: self.place(0), sending: Some(part.end) }
    }

    /// Moves on behind a part that is in the server's log, and returns what to write down then.
    pub(super) fn done(&mut self, part: &Part) -> Position {
        let place = self.place(part.next);
        self.pending.drain(..part.next);
        let at = self.runs.partition_point(|(start, _)| *start <= part.next).saturating_sub(1);
        self.runs.drain(..at);
        for (start, run) in &mut self.runs {
            if *start < part.next {
                run.offset += (part.next - *start) as u64;
                *start = 0;
            } else {
                *start -= part.next;
            }
        }
        Position { done: place, sending: None }
    }

    /// Returns where in the files a pending byte stands.
    fn place(&self, index: usize) -> Option<Place> {
        let at = self.runs.partition_point(|(start, _)| *start <= index).checked_sub(1)?;
        let (start, mut place) = self.runs[at];
        place.offset += (index - start) as u64;
        Some(place)
    }

    /// Bounds a part: not more than fits a request, when there is a good place to cut.
    fn bound(&self, end: usize) -> usize {
        if end <= PART_BYTES_MAX {
            return end;
        }
        let cut = group_start(&self.pending[..PART_BYTES_MAX]);
        if cut > 0 { cut } else { end }
    }

    fn line_end(&self) -> Option<usize> {
        self.pending.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1)
    }

    /// Returns where the last whole line that starts an event begins.
    fn last_event(&self) -> Option<usize> {
        let whole = &self.pending[..self.line_end()?];
        let mut end = whole.len();
        while end > 0 {
            let start =
                whole[..end - 1].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            if second(&whole[start..end]).is_some() {
                return Some(start);
            }
            end = start;
        }
        None
    }

    /// Returns the file to begin with: the oldest that has not been read is the one with the name.
    fn first(&self) -> io::Result<Option<Open>> {
        match Open::at(&self.path, 0) {
            Ok(open) => Ok(Some(open)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the file that came after the one at `place`; `None` while that still has the name.
    fn successor(&self, place: &Place) -> io::Result<Option<Open>> {
        let files = self.files()?;
        let Some((_, named)) = files.iter().find(|(path, _)| *path == self.path) else {
            return Ok(None);
        };
        if same(named, place) {
            return Ok(None);
        }
        let after = files.iter().position(|(_, metadata)| same(metadata, place));
        let next = match after {
            Some(at) => files.get(at + 1),
            // It was removed: those after it cannot be told from those before it.
            None => files.iter().find(|(path, _)| *path == self.path),
        };
        next.map(|(path, _)| Open::at(path, 0)).transpose()
    }

    /// Returns the log's files, oldest last write first, the one with the name last.
    fn files(&self) -> io::Result<Vec<(PathBuf, std::fs::Metadata)>> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder.unwrap_or(Path::new(".")))? {
            let entry = entry?;
            let other = entry.file_name().to_string_lossy().into_owned();
            let rotated = other.strip_prefix(&name).is_some_and(is_rotated);
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_file() && (other == name || rotated) {
                let path = if other == name { self.path.clone() } else { entry.path() };
                files.push((path, metadata));
            }
        }
        files.sort_by_key(|(path, metadata)| {
            (*path == self.path, metadata.mtime(), metadata.mtime_nsec())
        });
        Ok(files)
    }
}

impl Open {
    fn at(path: &Path, offset: u64) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(Self { file, place: Place { device: metadata.dev(), inode: metadata.ino(), offset } })
    }
}

fn same(metadata: &std::fs::Metadata, place: &Place) -> bool {
    (metadata.dev(), metadata.ino()) == (place.device, place.inode)
}

/// What follows the name of a rotated log: a number or a date, not compressed, none of our own files.
fn is_rotated(suffix: &str) -> bool {
    let rest = suffix.trim_start_matches(['.', '-', '_']);
    !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit() || b".-_T:".contains(&byte))
}

/// Returns where the lines of the latest second begin.
fn group_start(bytes: &[u8]) -> usize {
    group_starts(bytes).last().copied().unwrap_or(0)
}

/// Returns where the next part begins: at a second, with what came before it as far as the server needs it to tell
/// the lines of open requests from forged ones.
fn context_start(bytes: &[u8]) -> usize {
    let starts = group_starts(bytes);
    let earliest = starts.last().copied().unwrap_or(0).saturating_sub(CONTEXT_BYTES);
    starts.into_iter().find(|start| *start >= earliest).unwrap_or(0)
}

fn group_starts(bytes: &[u8]) -> Vec<usize> {
    let (mut starts, mut latest): (Vec<usize>, &[u8]) = (Vec::new(), b"");
    let mut at = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if let Some(own) = second(line).filter(|own| *own > latest) {
            starts.push(at);
            latest = own;
        }
        at += line.len();
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: usize, of_second: usize) -> String {
        let second = number / of_second;
        let (hour, minute, rest) = (second / 3600, second / 60 % 60, second % 60);
        format!("2024-04-25T{hour:02}:{minute:02}:{rest:02}.000Z EVENT_NAME {number}\n")
    }

    /// Runs until nothing is left and returns what a server that knows repeats would keep.
    struct Server {
        seen: Vec<String>,
    }

    impl Server {
        /// Takes a part as the server does: a line is known when it came as often in one part before.
        fn take(&mut self, part: &[u8]) {
            let mut counts = std::collections::HashMap::new();
            for line in String::from_utf8_lossy(part).split_inclusive('\n') {
                let count = counts.entry(line.to_owned()).or_insert(0_usize);
                *count += 1;
                if self.seen.iter().filter(|seen| *seen == line).count() < *count {
                    self.seen.push(line.to_owned());
                }
            }
        }
    }

    /// One pass of a follower that is killed after `steps` steps.
    fn run(path: &Path, positions: &PositionFile, server: &mut Server, mut steps: usize) {
        let mut killed = || {
            steps = steps.saturating_sub(1);
            steps == 0
        };
        let position = positions.read().unwrap();
        let mut log = Log::open(path, &position).unwrap();
        if !position.is_known() {
            positions.write(&log.begin().unwrap().unwrap()).unwrap();
        }
        let mut again = position.sending;
        loop {
            let came = log.read().unwrap();
            let part = match again.take() {
                Some(sending) => log.part_again(&sending),
                None => log.part(!came),
            };
            let Some(part) = part else {
                if came {
                    continue;
                }
                return;
            };
            if killed() {
                return;
            }
            positions.write(&log.sending(&part)).unwrap();
            if killed() {
                return;
            }
            server.take(&part.bytes);
            if killed() {
                return;
            }
            let position = log.done(&part);
            positions.write(&position).unwrap();
        }
    }

    #[test]
    fn every_line_arrives_once_whatever_is_rotated_and_killed() {
        for seed in 0..60_usize {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("audit.log");
            let positions = PositionFile::new(dir.path().join("position"));
            let mut server = Server { seen: Vec::new() };
            let (mut wanted, mut number, mut rotations) = (Vec::new(), 0, 0);
            File::create(&path).unwrap();
            run(&path, &positions, &mut server, usize::MAX);
            for round in 0..12 {
                let mut file = OpenOptions::new().append(true).create(true).open(&path).unwrap();
                for _ in 0..(seed * 7 + round * 3) % 11 {
                    // Every third line is written twice: equal lines are events of their own.
                    for _ in 0..=usize::from(number % 3 == 0) {
                        let line = line(number, 4);
                        file.write_all(line.as_bytes()).unwrap();
                        wanted.push(line);
                    }
                    number += 1;
                }
                // Files are told apart by the time of their last write, which is coarse.
                let written = std::time::UNIX_EPOCH + std::time::Duration::from_secs(round as u64);
                file.set_modified(written).unwrap();
                if (seed + round) % 3 == 0 {
                    rotations += 1;
                    std::fs::rename(&path, dir.path().join(format!("audit.log.{rotations}")))
                        .unwrap();
                }
                run(&path, &positions, &mut server, 1 + (seed * 31 + round * 17) % 9);
            }
            File::options().append(true).create(true).open(&path).unwrap();
            run(&path, &positions, &mut server, usize::MAX);
            server.seen.sort();
            wanted.sort();
            assert_eq!(server.seen, wanted, "seed {seed}");
        }
    }

    #[test]
    fn a_continuation_stays_with_its_event() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.log");
        std::fs::write(&path, format!("{}{}    at x\n", line(1, 1), line(2, 1))).unwrap();
        let mut log = Log::open(&path, &Position::default()).unwrap();
        assert!(log.read().unwrap());
        let part = log.part(false).unwrap();
        assert_eq!(part.bytes, line(1, 1).as_bytes(), "the last event may go on");
        log.done(&part);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"    at y\nhalf a li").unwrap();
        assert!(log.read().unwrap() && !log.read().unwrap());
        let part = log.part(true).unwrap();
        let expected = format!("{}{}    at x\n    at y\n", line(1, 1), line(2, 1));
        assert_eq!(String::from_utf8(part.bytes).unwrap(), expected);
    }

    #[test]
    fn a_log_that_was_cut_is_read_from_its_start() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.log");
        std::fs::write(&path, line(1, 1).repeat(3)).unwrap();
        let mut log = Log::open(&path, &Position::default()).unwrap();
        log.read().unwrap();
        let part = log.part(true).unwrap();
        log.done(&part);
        std::fs::write(&path, line(9, 1)).unwrap();
        assert!(log.read().unwrap());
        assert_eq!(log.part(true).unwrap().bytes, line(9, 1).as_bytes());
    }

    #[test]
    fn rotated_names_are_told_from_others() {
        for (suffix, rotated) in [
            (".1", true),
            ("-20261122", true),
            (".2026-11-22", true),
            (".gz", false),
            (".1.gz", false),
            (".position", false),
            ("", false),
        ] {
            assert_eq!(is_rotated(suffix), rotated, "{suffix}");
        }
    }
}
