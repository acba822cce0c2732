//! Messages out of a stream: octet counting and LF framing of RFC 6587, told apart message by message.
//!
//! A message that begins with a count, a space and `<` is counted; any other ends at a line feed. So senders may do
//! either, and lines without a priority that begin with digits (dates) stay whole. Memory is bounded by one message of
//! the greatest length and one read.

/// Digits of a count; more are no count.
const COUNT_DIGITS_MAX: usize = 7;

/// What comes out of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A message without its framing.
    Message(Vec<u8>),
    /// A message that is longer than allowed; its bytes are skipped.
    TooLong,
    /// The stream ended inside a counted message.
    CutShort,
}

/// Cuts a stream into messages.
#[derive(Debug)]
pub struct Frames {
    bytes_max: usize,
    buffer: Vec<u8>,
    /// Where the next message begins.
    start: usize,
    /// Up to here there is no line feed.
    searched: usize,
    skip: Skip,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Skip {
    Nothing,
    Bytes(usize),
    Line,
}

/// How the next message is framed.
enum Framing {
    Counted {
        digits: usize,
        bytes: usize,
    },
    Line,
    /// Not enough bytes to tell.
    Unknown,
}

impl Frames {
    /// Messages have at most `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, buffer: Vec::new(), start: 0, searched: 0, skip: Skip::Nothing }
    }

    /// Takes what was read. Call [`Self::next`] until it yields nothing before the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.searched -= self.start;
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Returns the next whole message.
    #[expect(clippy::should_implement_trait, reason = "more may come after nothing")]
    pub fn next(&mut self) -> Option<Frame> {
        loop {
            if !self.skipped() {
                return None;
            }
            let frame = match self.framing() {
                Framing::Unknown => return None,
                Framing::Counted { digits, bytes } if bytes > self.bytes_max => {
                    self.advance(digits + 1);
                    self.skip = Skip::Bytes(bytes);
                    Frame::TooLong
                }
                Framing::Counted { digits, bytes } => {
                    let from = self.start + digits + 1;
                    let message = self.buffer.get(from..from + bytes)?.to_vec();
                    self.advance(digits + 1 + bytes);
                    Frame::Message(trimmed(message))
                }
                Framing::Line => self.line()?,
            };
            // Blank lines stand between counted messages, and at the end of some senders' messages.
            if !matches!(&frame, Frame::Message(message) if message.is_empty()) {
                return Some(frame);
            }
        }
    }

    /// Ends the stream: a line needs no line feed at the end, a counted message needs all its bytes.
    pub fn finish(&mut self) -> Option<Frame> {
        let counted = matches!(self.framing(), Framing::Counted { .. });
        let skip = std::mem::replace(&mut self.skip, Skip::Nothing);
        let rest = trimmed(self.buffer.split_off(self.start));
        (self.start, self.searched) = (0, 0);
        self.buffer.clear();
        match skip {
            Skip::Bytes(_) => Some(Frame::CutShort),
            Skip::Line => None,
            Skip::Nothing if rest.is_empty() => None,
            Skip::Nothing if counted => Some(Frame::CutShort),
            Skip::Nothing => Some(Frame::Message(rest)),
        }
    }

    fn rest(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    fn advance(&mut self, bytes: usize) {
        self.start += bytes;
        self.searched = self.searched.max(self.start);
    }

    /// Skips what is left of a message that was too long; false while more of it is to come.
    fn skipped(&mut self) -> bool {
        let there = self.rest().len();
        match self.skip {
            Skip::Nothing => {}
            Skip::Bytes(bytes) => {
                let now = bytes.min(there);
                self.advance(now);
                self.skip = if now < bytes { Skip::Bytes(bytes - now) } else { Skip::Nothing };
            }
            Skip::Line => match self.rest().iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    self.advance(end + 1);
                    self.skip = Skip::Nothing;
                }
                None => self.advance(there),
            },
        }
        self.skip == Skip::Nothing
    }

    fn framing(&self) -> Framing {
        let rest = self.rest();
        let digits = count_digits(rest);
        if digits == 0 || digits > COUNT_DIGITS_MAX || rest[0] == b'0' {
            return if rest.is_empty() { Framing::Unknown } else { Framing::Line };
        }
        match (rest.get(digits), rest.get(digits + 1)) {
            (Some(b' '), Some(b'<')) => {
                let count = rest[..digits].iter();
                let bytes = count.fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
                Framing::Counted { digits, bytes }
            }
            (Some(b' ') | None, None) => Framing::Unknown,
            _ => Framing::Line,
        }
    }

    fn line(&mut self) -> Option<Frame> {
        let from = self.searched.max(self.start);
        let end = self.buffer[from..].iter().position(|byte| *byte == b'\n').map(|at| from + at);
        let length = end.unwrap_or(self.buffer.len()) - self.start;
        if length > self.bytes_max {
            self.advance(length);
            self.skip = Skip::Line;
            return Some(Frame::TooLong);
        }
        let Some(end) = end else {
            self.searched = self.buffer.len();
            return None;
        };
        let message = self.buffer[self.start..end].to_vec();
        self.advance(length + 1);
        Some(Frame::Message(trimmed(message)))
    }
}

fn count_digits(bytes: &[u8]) -> usize {
    bytes.iter().take(COUNT_DIGITS_MAX + 1).take_while(|byte| byte.is_ascii_digit()).count()
}

/// Some senders end messages with NUL, CR or LF inside the frame.
fn trimmed(mut message: Vec<u8>) -> Vec<u8> {
    let end = message.iter().rposition(|byte| !matches!(byte, 0 | b'\r' | b'\n'));
    message.truncate(end.map_or(0, |end| end + 1));
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the stream in pieces of each size and expects the same frames.
    #[track_caller]
    fn check(stream: &str, expected: &[&str]) {
        for piece in [1, 2, 3, 7, stream.len().max(1)] {
            let mut frames = Frames::new(12);
            let mut seen = Vec::new();
            let mut take = |frame: Frame| {
                seen.push(match frame {
                    Frame::Message(message) => String::from_utf8(message).unwrap(),
                    Frame::TooLong => "TOO LONG".to_owned(),
                    Frame::CutShort => "CUT SHORT".to_owned(),
                });
            };
            for bytes in stream.as_bytes().chunks(piece) {
                frames.push(bytes);
                while let Some(frame) = frames.next() {
                    take(frame);
                }
            }
            frames.finish().into_iter().for_each(&mut take);
            assert_eq!(seen, expected, "{stream:?} in pieces of {piece}");
            assert_eq!(frames.finish(), None);
        }
    }

    #[test]
    fn both_framings_may_alternate() {
        check("", &[]);
        check("<1>a\n<2>b\n", &["<1>a", "<2>b"]);
        check("4 <1>a5 <2>bc", &["<1>a", "<2>bc"]);
        check("4 <1>a\n<2>b\r\n6 <3>c\nd\n\n<4>e", &["<1>a", "<2>b", "<3>c\nd", "<4>e"]);
        check("5 <1>a\0<2>b\0\n", &["<1>a", "<2>b"]);
    }

    #[test]
    fn digits_alone_are_no_count() {
        check("2024-01-01 x\n12 x y\n7\n", &["2024-01-01 x", "12 x y", "7"]);
        check("12345678 <a\n", &["12345678 <a"]);
        check("04 <1>a\n", &["04 <1>a"]);
    }

    #[test]
    fn too_long_ones_are_skipped_and_the_stream_goes_on() {
        check("13 <1>4567890abc4 <2>b", &["TOO LONG", "<2>b"]);
        check("0123456789abcdef\n<2>b\n", &["TOO LONG", "<2>b"]);
        check("<12>456789ab\n", &["<12>456789ab"]);
        check("<12>456789abc\n", &["TOO LONG"]);
    }

    #[test]
    fn the_end_of_the_stream_is_told_from_the_end_of_a_message() {
        check("<1>a", &["<1>a"]);
        check("9 <1>a", &["CUT SHORT"]);
        check("99 <1>a", &["TOO LONG", "CUT SHORT"]);
        check("0123456789abcdef", &["TOO LONG"]);
    }
}
