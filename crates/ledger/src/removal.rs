//! Removal lists: which events of a log lost their payload, and which fields of which events were erased.
//!
//! A service event in the same log commits to the list by its SHA-256 and its number of events; whoever verifies the
//! log accepts the absence of a payload or of a field only where such a list names it. The list holds positions and
//! never pointers or values, so it can be kept for ever.
//!
//! ```text
//! attestary/removal/v1
//! <origin of the log>
//! <first seq>-<last seq>            the whole payload of these events
//! <seq> <field index>,<field index> these fields of one event
//! ```
//!
//! Numbers are ASCII decimals without leading zeros; field indexes count the flattened fields from 0 in the order of
//! pointer bytes; lines and indexes ascend, no event stands twice, and ranges that touch are one line. A list has one
//! form only.

use std::fmt::{self, Display, Write as _};

use sha2::{Digest as _, Sha256};

use crate::{Hash, text};

/// First line; frozen.
const MAGIC: &str = "attestary/removal/v1";

/// Longest list that is parsed: ten million lines of single events fit.
pub const REMOVAL_BYTES_MAX: usize = 256 << 20;

/// One line of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// The payloads of these events, both ends included.
    Payloads {
        /// First seq.
        first: u64,
        /// Last seq.
        last: u64,
    },
    /// Some fields of one event.
    Fields {
        /// The event.
        seq: u64,
        /// Indexes of its fields, ascending.
        indexes: Vec<u16>,
    },
}

impl Removed {
    /// Returns the first and the last seq of the line.
    pub fn seqs(&self) -> (u64, u64) {
        match *self {
            Self::Payloads { first, last } => (first, last),
            Self::Fields { seq, .. } => (seq, seq),
        }
    }
}

/// What a list says about one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent<'a> {
    /// The whole payload.
    Payload,
    /// These fields.
    Fields(&'a [u16]),
}

/// A removal list of one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovalList {
    origin: String,
    lines: Vec<Removed>,
}

impl RemovalList {
    /// Returns an empty list of the log called `origin`.
    pub fn new(origin: impl Into<String>) -> Self {
        Self { origin: origin.into(), lines: Vec::new() }
    }

    /// Returns the log's name.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Returns the lines in the order of seq.
    pub fn lines(&self) -> &[Removed] {
        &self.lines
    }

    /// Returns the number of events that the list names.
    pub fn events(&self) -> u64 {
        let counts =
            self.lines.iter().map(|line| (line.seqs().1 - line.seqs().0).saturating_add(1));
        counts.fold(0, u64::saturating_add)
    }

    /// Adds the payload of the event at `seq`. Returns false, and adds nothing, unless `seq` lies behind all others.
    pub fn push_payload(&mut self, seq: u64) -> bool {
        match self.lines.last_mut() {
            Some(Removed::Payloads { last, .. }) if last.checked_add(1) == Some(seq) => *last = seq,
            Some(line) if line.seqs().1 >= seq => return false,
            _ => self.lines.push(Removed::Payloads { first: seq, last: seq }),
        }
        true
    }

    /// Adds fields of the event at `seq`. Returns false, and adds nothing, unless `seq` lies behind all others and
    /// `indexes` ascend and are not empty.
    pub fn push_fields(&mut self, seq: u64, indexes: Vec<u16>) -> bool {
        let ascend = indexes.is_sorted_by(|a, b| a < b) && !indexes.is_empty();
        let behind = self.lines.last().is_none_or(|line| line.seqs().1 < seq);
        if ascend && behind {
            self.lines.push(Removed::Fields { seq, indexes });
        }
        ascend && behind
    }

    /// Returns what the list says about the event at `seq`.
    pub fn of(&self, seq: u64) -> Option<Extent<'_>> {
        let at = self.lines.partition_point(|line| line.seqs().1 < seq);
        match self.lines.get(at)? {
            Removed::Payloads { first, .. } if *first <= seq => Some(Extent::Payload),
            Removed::Fields { seq: at, indexes } if *at == seq => Some(Extent::Fields(indexes)),
            _ => None,
        }
    }

    /// Returns what a service event commits to: the SHA-256 of the text.
    pub fn hash(&self) -> Hash {
        Sha256::digest(self.to_string()).into()
    }

    /// Parses a list.
    pub fn parse(bytes: &[u8]) -> Result<Self, RemovalError> {
        let failed = |line, problem| RemovalError { line, problem };
        if bytes.len() > REMOVAL_BYTES_MAX {
            return Err(failed(1, "the list is too long"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| failed(1, "it is not UTF-8"))?;
        let text = text.strip_prefix(MAGIC).and_then(|rest| rest.strip_prefix('\n'));
        let text = text.ok_or(failed(1, "it is not a removal list"))?;
        let (origin, mut rest) =
            text::line(text).ok_or(failed(2, "no newline ends the line of the origin"))?;
        if origin.is_empty() {
            return Err(failed(2, "the origin is empty"));
        }
        let mut list = Self::new(origin);
        let mut number = 2;
        while !rest.is_empty() {
            number += 1;
            let (line, after) = text::line(rest).ok_or(failed(number, "no newline ends it"))?;
            rest = after;
            list.parse_line(line).map_err(|problem| failed(number, problem))?;
        }
        Ok(list)
    }

    fn parse_line(&mut self, line: &str) -> Result<(), &'static str> {
        const ORDER: &str = "its events do not lie behind those of the line before";
        if let Some((first, last)) = line.split_once('-') {
            let first = text::decimal(first).ok_or("its first seq is not a number")?;
            let last = text::decimal(last).ok_or("its last seq is not a number")?;
            if last < first {
                return Err("its last seq lies before its first");
            }
            match self.lines.last() {
                Some(Removed::Payloads { last, .. }) if last.checked_add(1) == Some(first) => {
                    return Err("it touches the range of the line before");
                }
                Some(before) if before.seqs().1 >= first => return Err(ORDER),
                _ => self.lines.push(Removed::Payloads { first, last }),
            }
            return Ok(());
        }
        let (seq, indexes) = line.split_once(' ').ok_or("it is neither a range nor fields")?;
        let seq = text::decimal(seq).ok_or("its seq is not a number")?;
        let indexes = indexes.split(',').map(|index| text::decimal(index)?.try_into().ok());
        let indexes: Option<Vec<u16>> = indexes.collect();
        let indexes = indexes.ok_or("a field index is not a number below 65,536")?;
        if !indexes.is_sorted_by(|a, b| a < b) {
            return Err("its field indexes do not ascend");
        }
        if self.push_fields(seq, indexes) { Ok(()) } else { Err(ORDER) }
    }
}

impl Display for RemovalList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{MAGIC}\n{}", self.origin)?;
        for line in &self.lines {
            match line {
                Removed::Payloads { first, last } => writeln!(f, "{first}-{last}")?,
                Removed::Fields { seq, indexes } => {
                    write!(f, "{seq} ")?;
                    for (at, index) in indexes.iter().enumerate() {
                        if at > 0 {
                            f.write_char(',')?;
                        }
                        write!(f, "{index}")?;
                    }
                    f.write_char('\n')?;
                }
            }
        }
        Ok(())
    }
}

/// Why bytes are not a removal list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct RemovalError {
    /// Line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "attestary/removal/v1\naudit.example.com/t/X\n3-5\n6 0,4\n7 2\n8-8\n10-12\n";

    fn sample() -> RemovalList {
        let mut list = RemovalList::new("audit.example.com/t/X");
        assert!([3, 4, 5].into_iter().all(|seq| list.push_payload(seq)));
        assert!(list.push_fields(6, vec![0, 4]));
        assert!(list.push_fields(7, vec![2]));
        assert!([8, 10, 11, 12].into_iter().all(|seq| list.push_payload(seq)));
        list
    }

    #[test]
    fn a_list_is_written_and_read_in_one_form() {
        let list = sample();
        assert_eq!(list.to_string(), LIST);
        assert_eq!(RemovalList::parse(LIST.as_bytes()).unwrap(), list);
        assert_eq!(list.events(), 9);
    }

    #[test]
    fn the_hash_is_frozen() {
        let hash: String = sample().hash().iter().map(|byte| format!("{byte:02x}")).collect();
        // printf '…' | sha256sum
        assert_eq!(hash, "074990f8413731dd0dd208386014d65307fd49203f02324866a6724967c5420e");
    }

    #[test]
    fn each_event_is_found_in_its_line() {
        let list = sample();
        let check = |seq, expected| assert_eq!(list.of(seq), expected, "{seq}");
        for seq in [0, 2, 9, 13, u64::MAX] {
            check(seq, None);
        }
        for seq in [3, 4, 5, 8, 10, 12] {
            check(seq, Some(Extent::Payload));
        }
        check(6, Some(Extent::Fields(&[0, 4])));
        check(7, Some(Extent::Fields(&[2])));
    }

    #[test]
    fn what_does_not_ascend_is_not_added() {
        let mut list = sample();
        assert!(!list.push_payload(12));
        assert!(!list.push_payload(0));
        assert!(!list.push_fields(12, vec![1]));
        assert!(!list.push_fields(20, vec![]));
        assert!(!list.push_fields(20, vec![2, 2]));
        assert_eq!(list, sample());
    }

    #[test]
    fn other_forms_are_refused_by_line() {
        let check = |lines: &str, line: usize| {
            let text = format!("attestary/removal/v1\no\n{lines}");
            let error = RemovalList::parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.line, line, "{lines:?}: {error}");
        };
        for lines in [
            "1",
            "1-",
            "-1",
            "2-1\n",
            "01-2\n",
            "1-2",
            "1-18446744073709551616\n",
            "1 \n",
            "1 a\n",
            "1 2,2\n",
            "1 3,2\n",
            "1 65536\n",
            "1 1,\n",
            "\n",
            "1  2\n",
            "a 1\n",
        ] {
            check(lines, 3);
        }
        for lines in ["1-2\n2-3\n", "1-2\n3-4\n", "4 1\n4 2\n", "4 1\n3-3\n", "5-6\n6 1\n"] {
            check(lines, 4);
        }
        for (text, line) in [
            ("", 1),
            ("attestary/removal/v2\no\n", 1),
            ("attestary/removal/v1\no", 2),
            ("attestary/removal/v1\n\n", 2),
        ] {
            assert_eq!(RemovalList::parse(text.as_bytes()).unwrap_err().line, line, "{text:?}");
        }
        assert_eq!(RemovalList::parse(&[0xff]).unwrap_err().line, 1);
    }
}
