//! Writing and walking compact JSON objects.
//!
//! Adapters build native submissions member by member and copy foreign values as the tokens they arrived
//! as, so that numbers and nested values keep their exact form. No tree is built in either direction.

use attestary_event::{event::write_hex, scan::write_string};

/// Writes one JSON object; members stand in the order of the calls.
#[derive(Debug)]
pub(crate) struct ObjectWriter<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> ObjectWriter<'a> {
    /// Opens an object at the end of `out`.
    pub(crate) fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    /// Goes on with an object that stands at the end of `out` without its closing brace.
    pub(crate) fn reopen(out: &'a mut Vec<u8>) -> Self {
        let empty = out.ends_with(b"{");
        Self { out, empty }
    }

    /// Closes the object.
    pub(crate) fn close(self) {
        self.out.push(b'}');
    }

    /// Writes a string member.
    pub(crate) fn text(&mut self, key: &str, value: &str) -> &mut Self {
        write_string(value, self.key(key));
        self
    }

    /// Writes a string member unless there is no value.
    pub(crate) fn optional(&mut self, key: &str, value: Option<&str>) -> &mut Self {
        if let Some(value) = value {
            self.text(key, value);
        }
        self
    }

    /// Writes an integer member.
    pub(crate) fn number(&mut self, key: &str, value: impl itoa::Integer) -> &mut Self {
        self.key(key).extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
        self
    }

    /// Writes a string member of what displays as text without characters that JSON escapes.
    pub(crate) fn display(&mut self, key: &str, value: impl std::fmt::Display) -> &mut Self {
        use std::io::Write as _;
        let _ = write!(self.key(key), "\"{value}\"");
        self
    }

    /// Writes bytes as a string member of lower-case hexadecimal digits.
    pub(crate) fn hex(&mut self, key: &str, bytes: &[u8]) -> &mut Self {
        let out = self.key(key);
        out.push(b'"');
        write_hex(bytes, out);
        out.push(b'"');
        self
    }

    /// Writes a member whose value is JSON already, unless there is none.
    pub(crate) fn optional_raw(&mut self, key: &str, json: Option<&[u8]>) -> &mut Self {
        if let Some(json) = json {
            self.raw(key, json);
        }
        self
    }

    /// Writes an array of objects, each filled by `fill`; nothing at all without items.
    pub(crate) fn objects<T>(
        &mut self,
        key: &str,
        items: impl IntoIterator<Item = T>,
        fill: impl Fn(&mut ObjectWriter<'_>, T),
    ) -> &mut Self {
        let mut items = items.into_iter().peekable();
        if items.peek().is_none() {
            return self;
        }
        let out = self.key(key);
        for (index, item) in items.enumerate() {
            out.push(if index == 0 { b'[' } else { b',' });
            let mut object = ObjectWriter::open(out);
            fill(&mut object, item);
            object.close();
        }
        out.push(b']');
        self
    }

    /// Writes a member whose value is JSON already.
    pub(crate) fn raw(&mut self, key: &str, json: &[u8]) -> &mut Self {
        self.key(key).extend_from_slice(json);
        self
    }

    /// Writes members whose keys are JSON string tokens and whose values are JSON already.
    pub(crate) fn raw_members<'m>(&mut self, members: impl IntoIterator<Item = &'m Member<'m>>) {
        for (key, json) in members {
            self.separate();
            self.out.extend_from_slice(key);
            self.out.push(b':');
            self.out.extend_from_slice(json);
        }
    }

    /// Writes an array of strings unless it would be empty.
    pub(crate) fn texts<'t>(
        &mut self,
        key: &str,
        values: impl IntoIterator<Item = &'t str>,
    ) -> &mut Self {
        let mut values = values.into_iter().peekable();
        if values.peek().is_none() {
            return self;
        }
        let out = self.key(key);
        for (index, value) in values.enumerate() {
            out.push(if index == 0 { b'[' } else { b',' });
            write_string(value, out);
        }
        out.push(b']');
        self
    }

    /// Writes an object member, filled by `fill`; nothing at all when `fill` writes nothing.
    pub(crate) fn object(
        &mut self,
        key: &str,
        fill: impl FnOnce(&mut ObjectWriter<'_>),
    ) -> &mut Self {
        let (before, was_empty) = (self.out.len(), self.empty);
        let mut inner = ObjectWriter::open(self.key(key));
        fill(&mut inner);
        let nothing = inner.empty;
        inner.close();
        if nothing {
            self.out.truncate(before);
            self.empty = was_empty;
        }
        self
    }

    /// Returns the bytes in the buffer so far.
    pub(crate) fn written(&self) -> usize {
        self.out.len()
    }

    /// Writes `key` and hands out the buffer for its value.
    pub(crate) fn key(&mut self, key: &str) -> &mut Vec<u8> {
        self.separate();
        write_string(key, self.out);
        self.out.push(b':');
        self.out
    }

    fn separate(&mut self) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
    }
}

/// A member of a compact object: the key as its JSON string token, the value as its JSON text.
pub(crate) type Member<'a> = (&'a [u8], &'a [u8]);

/// Returns the members of a compact object that the scanner accepted; of anything else, nothing useful.
pub(crate) fn members(object: &[u8]) -> impl Iterator<Item = Member<'_>> {
    let mut rest = object.strip_prefix(b"{").unwrap_or_default();
    std::iter::from_fn(move || {
        rest = rest.strip_prefix(b",").unwrap_or(rest);
        if rest.first() != Some(&b'"') {
            return None;
        }
        let (key, after) = rest.split_at(string_end(rest)?);
        let value = after.strip_prefix(b":")?;
        let (value, after) = value.split_at(value_end(value)?);
        rest = after;
        Some((key, value))
    })
}

/// Returns the JSON text of the member with the given plain key.
pub(crate) fn member<'a>(object: &'a [u8], key: &str) -> Option<&'a [u8]> {
    members(object).find(|(token, _)| is_key(token, key)).map(|(_, value)| value)
}

/// The members of one object, walked once.
#[derive(Debug)]
pub(crate) struct Members<'a>(Vec<Member<'a>>);

impl<'a> Members<'a> {
    /// Reads a compact object that the scanner accepted.
    pub(crate) fn of(object: &'a [u8]) -> Self {
        let mut list = Vec::with_capacity(16);
        list.extend(members(object));
        Self(list)
    }

    /// Returns the members in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Member<'a>> {
        self.0.iter()
    }

    /// Returns the JSON text of the member with the given plain key.
    pub(crate) fn get(&self, key: &str) -> Option<&'a [u8]> {
        self.0.iter().find(|(token, _)| is_key(token, key)).map(|(_, value)| *value)
    }
}

/// Returns whether a key token spells `key`, which needs no escapes.
pub(crate) fn is_key(token: &[u8], key: &str) -> bool {
    token.len() == key.len() + 2
        && token.starts_with(b"\"")
        && token.ends_with(b"\"")
        && token[1..=key.len()] == *key.as_bytes()
}

/// Returns the length of the string token that `text` starts with.
fn string_end(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// Returns the length of the value that `text` starts with: up to the comma or brace that ends the member.
pub(crate) fn value_end(text: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 0usize);
    loop {
        match text.get(at)? {
            b'"' => {
                at += string_end(&text[at..])?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' if depth == 0 => return Some(at),
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(object: &str, expected: &[(&str, &str)]) {
        let seen: Vec<(&str, &str)> = members(object.as_bytes())
            .map(|(key, value)| {
                (std::str::from_utf8(key).unwrap(), std::str::from_utf8(value).unwrap())
            })
            .collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn members_are_split_at_the_top_level_only() {
        check("{}", &[]);
        check(r#"{"a":1}"#, &[(r#""a""#, "1")]);
        check(
            r#"{"a":{"b":[1,{"c":"}"}]},"d\"e":"x,\"y\"","f":[]}"#,
            &[
                (r#""a""#, r#"{"b":[1,{"c":"}"}]}"#),
                (r#""d\"e""#, r#""x,\"y\"""#),
                (r#""f""#, "[]"),
            ],
        );
    }

    #[test]
    fn broken_text_ends_the_walk_without_a_panic() {
        for text in ["", "{", "{\"", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":{", "[1]", "{\"a\\", "x"]
        {
            assert_eq!(members(text.as_bytes()).count(), 0, "{text}");
        }
    }

    #[test]
    fn an_object_without_members_is_not_written() {
        let mut out = Vec::new();
        let mut object = ObjectWriter::open(&mut out);
        object
            .object("a", |_| {})
            .optional("b", None)
            .texts("c", [])
            .text("d", "x\n")
            .texts("e", ["1", "2"]);
        object.close();
        assert_eq!(String::from_utf8(out).unwrap(), r#"{"d":"x\n","e":["1","2"]}"#);
    }
}
