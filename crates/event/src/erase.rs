//! A body without some of its fields, or with other texts in their place: what is left after an erasure (for showing,
//! never for hashing), and what redaction at intake lets through (which is what is hashed then).
//!
//! Objects and arrays of which nothing is left go too. Elements of an array never move: where one is gone and others
//! stay, `null` stands in its place. Tokens of what stays are copied as they are.

/// Returns `body` without the scalars and empty containers whose pointer `keep` refuses.
///
/// `body` is a stored body: a JSON object that was scanned before it was accepted. Bytes that are none give `{}`.
pub fn without(body: &[u8], keep: impl Fn(&str) -> bool) -> Vec<u8> {
    rewrite(body, |pointer| if keep(pointer) { Change::Keep } else { Change::Drop })
}

/// What becomes of a scalar or an empty container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// Its token is copied.
    Keep,
    /// It goes.
    Drop,
    /// A string stands in its place.
    Text(String),
}

/// Returns `body` with each scalar and empty container changed as `change` says.
pub(crate) fn rewrite(body: &[u8], change: impl Fn(&str) -> Change) -> Vec<u8> {
    let mut copy = Copy {
        bytes: body,
        at: 0,
        pointer: String::new(),
        out: Vec::with_capacity(body.len()),
        change,
    };
    match copy.value(0) {
        Some(true) if copy.at == body.len() && body.first() == Some(&b'{') => copy.out,
        _ => b"{}".to_vec(),
    }
}

/// Deeper than any accepted body.
const DEPTH_MAX: usize = 128;

struct Copy<'a, F> {
    bytes: &'a [u8],
    at: usize,
    pointer: String,
    out: Vec<u8>,
    change: F,
}

impl<F: Fn(&str) -> Change> Copy<'_, F> {
    /// Copies one value; `Some(false)` when nothing of it stays and nothing was written, `None` when it is not JSON.
    fn value(&mut self, depth: usize) -> Option<bool> {
        if depth > DEPTH_MAX {
            return None;
        }
        match self.bytes.get(self.at)? {
            b'{' => self.container(depth, b'}'),
            b'[' => self.container(depth, b']'),
            _ => {
                let start = self.at;
                self.skip_scalar()?;
                Some(self.put(start))
            }
        }
    }

    fn container(&mut self, depth: usize, end: u8) -> Option<bool> {
        let (start, base) = (self.out.len(), self.pointer.len());
        self.out.push(self.bytes[self.at]);
        self.at += 1;
        if *self.bytes.get(self.at)? == end {
            self.at += 1;
            self.out.truncate(start);
            return Some(self.put(self.at - 2));
        }
        let (mut any, mut index) = (false, 0_usize);
        loop {
            let before = self.out.len();
            if before > start + 1 {
                self.out.push(b',');
            }
            self.pointer.push('/');
            if end == b'}' {
                self.key()?;
            } else {
                self.pointer.push_str(&index.to_string());
            }
            let kept = self.value(depth + 1)?;
            any |= kept;
            if !kept {
                if end == b'}' {
                    self.out.truncate(before);
                } else {
                    self.out.extend_from_slice(b"null");
                }
            }
            self.pointer.truncate(base);
            index += 1;
            let next = *self.bytes.get(self.at)?;
            self.at += 1;
            if next == end {
                break;
            }
            if next != b',' {
                return None;
            }
        }
        if any {
            self.out.push(end);
        } else {
            self.out.truncate(start);
        }
        Some(any)
    }

    /// Writes what becomes of the token that begins at `start` and ends here; false when nothing.
    fn put(&mut self, start: usize) -> bool {
        match (self.change)(&self.pointer) {
            Change::Keep => self.out.extend_from_slice(&self.bytes[start..self.at]),
            Change::Text(text) => crate::scan::write_string(&text, &mut self.out),
            Change::Drop => return false,
        }
        true
    }

    /// Copies a key and its colon, and adds it to the pointer.
    fn key(&mut self) -> Option<()> {
        let start = self.at;
        self.skip_scalar()?;
        let token = &self.bytes[start..self.at];
        let key: String = serde_json::from_slice(token).ok()?;
        self.pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
        if *self.bytes.get(self.at)? != b':' {
            return None;
        }
        self.at += 1;
        self.out.extend_from_slice(&self.bytes[start..self.at]);
        Some(())
    }

    fn skip_scalar(&mut self) -> Option<()> {
        if self.bytes.get(self.at)? != &b'"' {
            let rest = &self.bytes[self.at..];
            let length = rest.iter().position(|byte| b",]}:".contains(byte)).unwrap_or(rest.len());
            self.at += length;
            return (length > 0).then_some(());
        }
        self.at += 1;
        loop {
            match self.bytes.get(self.at)? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, gone: &[&str], expected: &str) {
        let left = without(body.as_bytes(), |pointer| !gone.contains(&pointer));
        assert_eq!(String::from_utf8(left).unwrap(), expected, "{body} without {gone:?}");
    }

    #[test]
    fn what_is_kept_is_copied_as_it_is() {
        let body = r#"{"a":1.50,"b":{"c":"x\"},{\\","d":null},"e":[],"f":{},"g":[1,[true,"é"]]}"#;
        check(body, &[], body);
        check(body, &["/missing"], body);
    }

    #[test]
    fn members_go_and_elements_leave_a_place() {
        check(r#"{"a":1,"b":2,"c":3}"#, &["/a"], r#"{"b":2,"c":3}"#);
        check(r#"{"a":1,"b":2,"c":3}"#, &["/b", "/c"], r#"{"a":1}"#);
        check(r#"{"a":[1,2,3]}"#, &["/a/0", "/a/1"], r#"{"a":[null,null,3]}"#);
        check(r#"{"a":[{"b":1,"c":2},{"b":3}]}"#, &["/a/0/b", "/a/0/c"], r#"{"a":[null,{"b":3}]}"#);
        check(r#"{"a/b":1,"c~d":2,"e":3}"#, &["/a~1b", "/c~0d"], r#"{"e":3}"#);
        check(r#"{"\u0061":1,"b":2}"#, &["/a"], r#"{"b":2}"#);
    }

    #[test]
    fn containers_of_which_nothing_is_left_go() {
        check(r#"{"a":{"b":{"c":1}},"d":2}"#, &["/a/b/c"], r#"{"d":2}"#);
        check(r#"{"a":[1],"d":[],"e":{}}"#, &["/a/0", "/d"], r#"{"e":{}}"#);
        check(r#"{"a":[[1],[2]]}"#, &["/a/0/0", "/a/1/0"], "{}");
        check("{}", &[], "{}");
    }

    #[test]
    fn bytes_that_are_no_body_give_nothing() {
        for body in [
            "",
            "[1]",
            "{",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":\"",
            "{\"a\":1",
            "{\"a\" 1}",
            "{\"a\":1}}",
            "{\"a\":\"\\",
        ] {
            check(body, &[], "{}");
        }
        check(&"[".repeat(1000), &[], "{}");
    }
}
