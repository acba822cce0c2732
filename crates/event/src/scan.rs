//! The JSON scanner: one pass over foreign bytes that checks every limit before anything is built.
//!
//! It yields the flattened [`Fields`] and the compact text of the object. Number tokens are copied exactly,
//! duplicate keys, invalid UTF-8 and lone surrogates are refused, and memory is bounded by the input's length:
//! no tree is built. The grammar is RFC 8259; pointers are RFC 6901.

mod batch;
mod string;
#[cfg(test)]
mod tests;
mod watch;

use std::{collections::HashSet, ops::Range};

pub use batch::{Batch, BatchError, BatchForm, split_batch};
pub use string::write_string;
pub(crate) use watch::{Nothing, Span, Value, Watch};

use crate::{
    Fields, Limits, Violation,
    fields::{Kind, Slot},
};

/// Limits for bodies that were accepted before: room for what the service itself adds.
pub(crate) const STORED: Limits = Limits {
    event_bytes_max: 1024 * 1024,
    depth_max: 32,
    fields_max: 4096,
    array_max: 4096,
    string_bytes_max: 1024 * 1024,
    key_bytes_max: 1024,
    batch_events_max: 1,
    batch_bytes_max: 1024 * 1024,
    ratio_max: 1,
};

/// Longest number token: far beyond any number in use, far below what makes comparing tokens slow.
pub const NUMBER_BYTES_MAX: usize = 256;

/// Objects with more keys than this look duplicates up in a hash set instead of comparing each with each.
const LINEAR_KEYS_MAX: usize = 64;

/// Fields of most events: there is room for them from the start.
const FIELDS_USUAL: usize = 24;

/// The buffers of a scan, kept from one event to the next so that a batch allocates them once.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    pub(crate) arena: String,
    pub(crate) slots: Vec<Slot>,
    pub(crate) compact: Vec<u8>,
    pointer: String,
    keys: Vec<(u32, u32)>,
    unescaped: String,
}

/// What a scan yields.
#[derive(Debug, Clone, Default)]
pub struct Scanned {
    /// The flattened object, sorted by pointer.
    pub fields: Fields,
    /// The object as compact JSON in source order, strings minimally escaped, numbers verbatim.
    pub compact: Vec<u8>,
}

/// Scans one JSON object; anything after it but white space is a violation.
///
/// The violation's pointer names the member at fault; its detail names the limit and the value seen.
pub fn scan(json: &[u8], limits: &Limits) -> Result<Scanned, Violation> {
    let mut buffers = Buffers::default();
    scan_watched(json, limits, &mut buffers, &mut Nothing::<true>)
}

/// [`scan`] for those who need the fields alone.
pub(crate) fn fields(json: &[u8], limits: &Limits) -> Result<Fields, Violation> {
    let mut buffers = Buffers::default();
    let scanned = scan_watched(json, limits, &mut buffers, &mut Nothing::<false>)?;
    Ok(scanned.fields)
}

/// [`scan`] with a watch. The result takes the buffers it needs; the others stay.
pub(crate) fn scan_watched<W: Watch>(
    json: &[u8],
    limits: &Limits,
    buffers: &mut Buffers,
    watch: &mut W,
) -> Result<Scanned, Violation> {
    if json.len() > limits.event_bytes_max {
        return Err(Violation::new(
            "",
            format!(
                "an event has at most {} bytes; this one has {}",
                limits.event_bytes_max,
                json.len()
            ),
        ));
    }
    let text = std::str::from_utf8(json)
        .map_err(|e| Violation::new("", format!("not valid UTF-8 at byte {}", e.valid_up_to())))?;
    let mut scanner = Scanner::new(text, limits, std::mem::take(buffers), watch);
    let scanned = scanner.whole();
    *buffers = scanner.finish();
    scanned?;
    let mut fields = Fields {
        arena: std::mem::take(&mut buffers.arena),
        slots: std::mem::take(&mut buffers.slots),
    };
    fields.sort();
    Ok(Scanned { fields, compact: std::mem::take(&mut buffers.compact) })
}

struct Scanner<'a, W> {
    text: &'a str,
    at: usize,
    limits: &'a Limits,
    depth: usize,
    pointer: String,
    /// Keys of the objects that are open, back to back, as ranges of the source.
    keys: Vec<(u32, u32)>,
    /// Some open key was written with an escape, so keys must be unescaped to be compared.
    escaped_keys: bool,
    unescaped: String,
    /// The source, so that values need no copies of their own; then pointers and what had to be unescaped.
    arena: String,
    slots: Vec<Slot>,
    compact: Vec<u8>,
    /// The source before this offset is in `compact`: copying is put off until something differs.
    copied: usize,
    watch: &'a mut W,
}

impl<'a, W: Watch> Scanner<'a, W> {
    fn new(text: &'a str, limits: &'a Limits, buffers: Buffers, watch: &'a mut W) -> Self {
        let Buffers { mut arena, mut slots, mut compact, mut pointer, mut keys, unescaped } =
            buffers;
        arena.clear();
        // Room for the pointers of a usual event as well.
        arena.reserve(text.len() * 2);
        arena.push_str(text);
        slots.clear();
        slots.reserve(FIELDS_USUAL);
        compact.clear();
        if W::COMPACT {
            compact.reserve(text.len());
        }
        pointer.clear();
        keys.clear();
        Self {
            text,
            at: 0,
            limits,
            depth: 0,
            pointer,
            keys,
            escaped_keys: false,
            unescaped,
            arena,
            slots,
            compact,
            copied: 0,
            watch,
        }
    }

    fn whole(&mut self) -> Result<(), Violation> {
        self.skip_space();
        if self.peek() != Some(b'{') {
            return Err(self.syntax("a JSON object"));
        }
        self.value(self.watch.root())?;
        self.skip_space();
        if self.at != self.text.len() {
            return Err(self.syntax("nothing after the object"));
        }
        self.copy_to(self.text.len());
        Ok(())
    }

    /// Gives the buffers back, with the result in them when the scan went well.
    fn finish(self) -> Buffers {
        let Self { arena, slots, compact, pointer, keys, unescaped, .. } = self;
        Buffers { arena, slots, compact, pointer, keys, unescaped }
    }

    /// Copies the source up to `end` into the compact text.
    fn copy_to(&mut self, end: usize) {
        if W::COMPACT {
            self.compact.extend_from_slice(&self.text.as_bytes()[self.copied..end]);
        }
        self.copied = end;
    }

    /// Where the next byte will stand in the compact text.
    fn compact_at(&self) -> usize {
        self.compact.len() + self.at - self.copied
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        if !matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            return;
        }
        self.copy_to(self.at);
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
        self.copied = self.at;
    }

    fn syntax(&self, expected: &str) -> Violation {
        let seen = match self.text[self.at..].chars().next() {
            Some(c) => format!("{c:?}"),
            None => "the end".to_owned(),
        };
        self.violation(format!(
            "not valid JSON at byte {}: expected {expected}, found {seen}",
            self.at
        ))
    }

    fn violation(&self, detail: String) -> Violation {
        Violation { pointer: self.pointer.clone(), detail }
    }

    fn enter(&mut self) -> Result<(), Violation> {
        self.depth += 1;
        if self.depth > self.limits.depth_max {
            return Err(
                self.violation(format!("nested deeper than {} levels", self.limits.depth_max))
            );
        }
        Ok(())
    }

    /// Recursion is bounded by `depth_max`, which [`Self::enter`] checks before going down.
    fn value(&mut self, place: W::Place) -> Result<(), Violation> {
        let start = self.compact_at();
        match self.peek() {
            Some(b'{') => {
                let inner = self.watch.begin(place, Value::Object, &self.pointer);
                self.object(inner)?;
            }
            Some(b'[') => {
                let inner = self.watch.begin(place, Value::Array, &self.pointer);
                self.array(inner)?;
            }
            Some(b'"') => self.string_value(place)?,
            Some(b'-' | b'0'..=b'9') => self.number(place)?,
            Some(b't') => self.word("true", Kind::True, place)?,
            Some(b'f') => self.word("false", Kind::False, place)?,
            Some(b'n') => self.word("null", Kind::Null, place)?,
            _ => return Err(self.syntax("a value")),
        }
        let end = self.compact_at();
        self.watch.end(place, Span { start, end });
        Ok(())
    }

    fn object(&mut self, place: W::Place) -> Result<(), Violation> {
        self.enter()?;
        self.at += 1;
        self.skip_space();
        let mut frame = W::Frame::default();
        if self.peek() == Some(b'}') {
            self.watch.close(place, frame, &self.pointer);
            return self.leave_empty(Kind::EmptyObject);
        }
        let first_key = self.keys.len();
        let mut many: Option<HashSet<&'a str>> = None;
        loop {
            let parent = self.pointer.len();
            let inner = self.key(place, &mut frame, first_key, &mut many)?;
            self.value(inner)?;
            self.pointer.truncate(parent);
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(self.syntax("\",\" or \"}\"")),
            }
            self.skip_space();
        }
        self.keys.truncate(first_key);
        self.watch.close(place, frame, &self.pointer);
        self.leave();
        Ok(())
    }

    /// Reads a key and its colon. Returns the place of the value.
    fn key(
        &mut self,
        place: W::Place,
        frame: &mut W::Frame,
        first_key: usize,
        many: &mut Option<HashSet<&'a str>>,
    ) -> Result<W::Place, Violation> {
        if self.peek() != Some(b'"') {
            return Err(self.syntax("a key in quotes"));
        }
        let start = self.at + 1;
        let escaped = self.string()?;
        let source = &self.text[start..self.at - 1];
        let length = if escaped { self.unescaped.len() } else { source.len() };
        if length > self.limits.key_bytes_max {
            return Err(self.violation(format!(
                "a key has at most {} bytes; this one has {length}",
                self.limits.key_bytes_max
            )));
        }
        self.push_key(source, escaped);
        self.refuse_duplicate(start, escaped, first_key, many)?;
        let name = if escaped { self.unescaped.as_str() } else { source };
        let inner = self.watch.member(place, frame, name, &self.pointer);
        if escaped {
            self.rewrite_string(start - 1);
        }
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.syntax("\":\""));
        }
        self.at += 1;
        self.skip_space();
        Ok(inner)
    }

    /// Appends `/key` to the pointer, with RFC 6901 escapes.
    fn push_key(&mut self, source: &str, escaped: bool) {
        let key = if escaped { self.unescaped.as_str() } else { source };
        self.pointer.push('/');
        if key.bytes().any(|b| b == b'~' || b == b'/') {
            self.pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
        } else {
            self.pointer.push_str(key);
        }
    }

    /// Keys are compared after unescaping. From the first escaped key of an event on, each key is compared with
    /// every other one of its object by unescaping those too; the limit on fields bounds that.
    fn refuse_duplicate(
        &mut self,
        start: usize,
        escaped: bool,
        first_key: usize,
        many: &mut Option<HashSet<&'a str>>,
    ) -> Result<(), Violation> {
        let text = self.text;
        let source = &text[start..self.at - 1];
        let keys = &self.keys[first_key..];
        let mut open = keys.iter().map(|&(from, to)| &text[from as usize..to as usize]);
        self.escaped_keys |= escaped;
        let duplicate = if self.escaped_keys {
            let key = if escaped { self.unescaped.as_str() } else { source };
            open.any(|other| string::unescape(other).is_ok_and(|other| other == key))
        } else if keys.len() > LINEAR_KEYS_MAX {
            many.get_or_insert_with(|| open.collect()).contains(source)
        } else {
            // Most keys differ in length: only the others are looked at.
            let same = |&&(from, to): &&(u32, u32)| (to - from) as usize == source.len();
            let mut same = keys.iter().filter(same);
            same.any(|&(from, to)| {
                text.as_bytes()[from as usize..to as usize] == *source.as_bytes()
            })
        };
        if duplicate {
            return Err(self.violation("the same key stands twice in one object".to_owned()));
        }
        if let Some(many) = many {
            many.insert(source);
        }
        self.keys.push((start as u32, (self.at - 1) as u32));
        Ok(())
    }

    fn array(&mut self, place: W::Place) -> Result<(), Violation> {
        self.enter()?;
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(b']') {
            return self.leave_empty(Kind::EmptyArray);
        }
        let parent = self.pointer.len();
        for index in 0usize.. {
            if index >= self.limits.array_max {
                return Err(self.violation(format!(
                    "an array has at most {} elements",
                    self.limits.array_max
                )));
            }
            self.pointer.push('/');
            self.pointer.push_str(itoa::Buffer::new().format(index));
            self.value(place)?;
            self.pointer.truncate(parent);
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(self.syntax("\",\" or \"]\"")),
            }
            self.skip_space();
        }
        self.leave();
        Ok(())
    }

    fn leave(&mut self) {
        self.at += 1;
        self.depth -= 1;
    }

    fn leave_empty(&mut self, kind: Kind) -> Result<(), Violation> {
        self.leave();
        // The empty root is no field: an event without members flattens to nothing.
        if self.pointer.is_empty() { Ok(()) } else { self.push(kind, 0..0) }
    }

    /// Adds a field whose value stands in `value` of the arena.
    fn push(&mut self, kind: Kind, value: Range<usize>) -> Result<(), Violation> {
        if self.slots.len() >= self.limits.fields_max {
            return Err(
                self.violation(format!("an event has at most {} fields", self.limits.fields_max))
            );
        }
        let start = self.arena.len() as u32;
        self.arena.push_str(&self.pointer);
        self.slots.push(Slot {
            head: 0,
            pointer: (start, self.arena.len() as u32),
            value: (value.start as u32, value.end as u32),
            kind,
        });
        Ok(())
    }

    fn word(&mut self, word: &str, kind: Kind, place: W::Place) -> Result<(), Violation> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(self.syntax("a value"));
        }
        self.at += word.len();
        self.watch.begin(place, Value::Scalar(kind, ""), &self.pointer);
        self.push(kind, 0..0)
    }

    fn number(&mut self, place: W::Place) -> Result<(), Violation> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(self.syntax("a digit")),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.some_digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.some_digits()?;
        }
        let length = self.at - start;
        if length > NUMBER_BYTES_MAX {
            return Err(self.violation(format!(
                "a number has at most {NUMBER_BYTES_MAX} characters; this one has {length}"
            )));
        }
        let token = &self.text[start..self.at];
        self.watch.begin(place, Value::Scalar(Kind::Number, token), &self.pointer);
        self.push(Kind::Number, start..self.at)
    }

    fn some_digits(&mut self) -> Result<(), Violation> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.syntax("a digit"));
        }
        self.digits();
        Ok(())
    }

    fn digits(&mut self) {
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
    }

    fn string_value(&mut self, place: W::Place) -> Result<(), Violation> {
        let start = self.at;
        let escaped = self.string()?;
        let source = start + 1..self.at - 1;
        let length = if escaped { self.unescaped.len() } else { source.len() };
        if length > self.limits.string_bytes_max {
            return Err(self.violation(format!(
                "a string has at most {} bytes; this one has {length}",
                self.limits.string_bytes_max
            )));
        }
        let text = if escaped { self.unescaped.as_str() } else { &self.text[source.clone()] };
        self.watch.begin(place, Value::Scalar(Kind::String, text), &self.pointer);
        if !escaped {
            return self.push(Kind::String, source);
        }
        self.rewrite_string(start);
        let value = self.arena.len();
        self.arena.push_str(&self.unescaped);
        self.push(Kind::String, value..value + self.unescaped.len())
    }

    /// Moves past a string. Returns true, with its text in `unescaped`, when it held an escape.
    fn string(&mut self) -> Result<bool, Violation> {
        let start = self.at + 1;
        let (end, escaped) = string::end(self.text, start).map_err(|stop| {
            self.at = stop.at;
            self.syntax(stop.expected)
        })?;
        self.at = end + 1;
        if escaped {
            self.unescaped = string::unescape(&self.text[start..end]).map_err(|stop| {
                self.at = start + stop.at;
                self.syntax(stop.expected)
            })?;
        }
        Ok(escaped)
    }

    /// Writes the string that began at `quote`, and held an escape, in the one minimal form.
    fn rewrite_string(&mut self, quote: usize) {
        self.copy_to(quote);
        if W::COMPACT {
            write_string(&self.unescaped, &mut self.compact);
        }
        self.copied = self.at;
    }
}
