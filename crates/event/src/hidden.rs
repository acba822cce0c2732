//! Fields that a reader may not see: taken out of bodies, and recognised in paths that would ask about them.
//!
//! A hidden path covers everything at and below it. Names that consist of digits only (array positions, and members
//! that filters pass over like them) are left out on both sides, and `target` means `targets`, so that no other spelling
//! of a path leads to the value. What a foreign system sent beside the mapped fields (`source`) may repeat any of
//! them: as soon as one field is hidden, `source` is.

use crate::filter::{Filter, Path};

/// What every reader sees: it identifies an event, or orders and counts it.
const ALWAYS_SHOWN: [&str; 9] = [
    "id",
    "tenant",
    "environment",
    "seq",
    "received_at",
    "occurred_at",
    "leaf_hash",
    "action",
    "outcome",
];

/// A set of hidden fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hidden {
    paths: Vec<Vec<Box<str>>>,
}

impl Hidden {
    /// Reads a list of paths.
    ///
    /// # Errors
    /// With the index of the first path that cannot be hidden, and one sentence.
    pub fn parse<T: AsRef<str>>(paths: &[T]) -> Result<Self, (usize, String)> {
        let mut hidden = Self::default();
        for (at, text) in paths.iter().enumerate() {
            let path = Path::parse(text.as_ref()).map_err(|error| (at, error.to_string()))?;
            let names: Vec<Box<str>> = plain(path.names()).map(Into::into).collect();
            match names.first() {
                None => return Err((at, "a path has a name that is no array position".into())),
                Some(first) if ALWAYS_SHOWN.contains(&&**first) => {
                    return Err((
                        at,
                        format!("{first} is part of every view and cannot be hidden"),
                    ));
                }
                Some(_) => hidden.paths.push(names),
            }
        }
        if !hidden.paths.is_empty() {
            hidden.paths.push(vec!["source".into()]);
        }
        Ok(hidden)
    }

    /// Returns true when nothing is hidden.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// Returns true when a question about the values at `path` would tell something about a hidden one.
    pub fn touches(&self, path: &Path) -> bool {
        self.paths.iter().any(|hidden| {
            let mut asked = plain(path.names());
            hidden.iter().all(|name| asked.next().is_none_or(|other| other == &**name))
        })
    }

    /// Returns the first path of a filter that touches a hidden field.
    pub fn first_in<'a>(&self, filter: &'a Filter) -> Option<&'a Path> {
        filter.paths().into_iter().find(|path| self.touches(path))
    }

    /// Returns a body without its hidden members; every other byte stays as it is.
    ///
    /// `body` is a stored body: one compact JSON object. Of a body that is not, nothing is shown.
    pub fn prune(&self, body: &[u8]) -> Box<[u8]> {
        if self.is_empty() {
            return body.into();
        }
        let mut pruner =
            Pruner { body, at: 0, out: Vec::with_capacity(body.len()), hidden: &self.paths };
        let mut names = Vec::new();
        match pruner.value(&mut names) {
            Some(()) if pruner.at == body.len() && body.first() == Some(&b'{') => pruner.out.into(),
            _ => b"{}".as_slice().into(),
        }
    }
}

/// Names without positions, `target` as `targets`.
fn plain<'a>(names: impl Iterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    names.filter(|name| !is_position(name)).enumerate().map(|(at, name)| match (at, name) {
        (0, "target") => "targets",
        _ => name,
    })
}

fn is_position(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// Copies a JSON text without some members. Recursion is as deep as the limits on events allow.
struct Pruner<'a> {
    body: &'a [u8],
    at: usize,
    out: Vec<u8>,
    hidden: &'a [Vec<Box<str>>],
}

impl Pruner<'_> {
    fn value(&mut self, names: &mut Vec<String>) -> Option<()> {
        match self.body.get(self.at)? {
            b'{' => self.object(names),
            b'[' => self.array(names),
            b'"' => self.copy_string(),
            _ => self.copy_token(),
        }
    }

    fn object(&mut self, names: &mut Vec<String>) -> Option<()> {
        self.copy(b'{')?;
        let mut first = true;
        while self.body.get(self.at)? != &b'}' {
            if self.body.get(self.at) == Some(&b',') {
                self.at += 1;
            }
            let before = self.out.len();
            if !first {
                self.out.push(b',');
            }
            let name = self.name()?;
            self.copy(b':')?;
            let depth = names.len();
            if !is_position(&name) {
                names.push(name);
            }
            self.value(names)?;
            if names.len() > depth && self.is_hidden(names) {
                self.out.truncate(before);
            } else {
                first = false;
            }
            names.truncate(depth);
        }
        self.copy(b'}')
    }

    fn array(&mut self, names: &mut Vec<String>) -> Option<()> {
        self.copy(b'[')?;
        while self.body.get(self.at)? != &b']' {
            if self.body.get(self.at) == Some(&b',') {
                self.copy(b',')?;
            }
            self.value(names)?;
        }
        self.copy(b']')
    }

    fn is_hidden(&self, names: &[String]) -> bool {
        self.hidden.iter().any(|path| {
            path.len() == names.len() && path.iter().zip(names).all(|(a, b)| **a == **b)
        })
    }

    /// Copies a member's name and returns it without its escapes.
    fn name(&mut self) -> Option<String> {
        let start = self.at;
        self.copy_string()?;
        serde_json::from_slice(&self.body[start..self.at]).ok()
    }

    fn copy_string(&mut self) -> Option<()> {
        let start = self.at;
        if self.body.get(self.at)? != &b'"' {
            return None;
        }
        self.at += 1;
        loop {
            match self.body.get(self.at)? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        self.out.extend_from_slice(self.body.get(start..self.at)?);
        Some(())
    }

    /// Copies a number, `true`, `false` or `null`.
    fn copy_token(&mut self) -> Option<()> {
        let rest = &self.body[self.at..];
        let length = rest.iter().position(|byte| matches!(byte, b',' | b']' | b'}'))?;
        if length == 0 {
            return None;
        }
        self.out.extend_from_slice(&rest[..length]);
        self.at += length;
        Some(())
    }

    fn copy(&mut self, byte: u8) -> Option<()> {
        if self.body.get(self.at)? != &byte {
            return None;
        }
        self.out.push(byte);
        self.at += 1;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hidden(paths: &[&str]) -> Hidden {
        Hidden::parse(paths).unwrap()
    }

    #[track_caller]
    fn check(paths: &[&str], body: &str, expected: &str) {
        let pruned = hidden(paths).prune(body.as_bytes());
        assert_eq!(std::str::from_utf8(&pruned).unwrap(), expected, "{paths:?}");
    }

    #[test]
    fn hidden_members_are_gone_and_other_bytes_stay() {
        let body = r#"{"a":{"b":1.50,"c":"x\"}"},"d":[{"e":1},{"e":2,"f":9007199254740993}],"source":{"z":1}}"#;
        check(&["a.b"], body, r#"{"a":{"c":"x\"}"},"d":[{"e":1},{"e":2,"f":9007199254740993}]}"#);
        check(&["a"], body, r#"{"d":[{"e":1},{"e":2,"f":9007199254740993}]}"#);
        check(&["d.e"], body, r#"{"a":{"b":1.50,"c":"x\"}"},"d":[{},{"f":9007199254740993}]}"#);
        check(&["d.0.e"], body, r#"{"a":{"b":1.50,"c":"x\"}"},"d":[{},{"f":9007199254740993}]}"#);
        check(&["a.b", "a.c"], body, r#"{"a":{},"d":[{"e":1},{"e":2,"f":9007199254740993}]}"#);
        check(&["nothing"], r#"{"a":[],"b":{},"c":""}"#, r#"{"a":[],"b":{},"c":""}"#);
        check(
            &["target.id"],
            r#"{"targets":[{"id":"1","type":"t"}]}"#,
            r#"{"targets":[{"type":"t"}]}"#,
        );
        check(
            &["metadata.k"],
            r#"{"metadata":{"7":{"k":1,"l":2}}}"#,
            r#"{"metadata":{"7":{"l":2}}}"#,
        );
        check(
            &[r#"metadata."a.b""#],
            r#"{"metadata":{"a.b":1,"\u0061.b":2}}"#,
            r#"{"metadata":{}}"#,
        );
    }

    #[test]
    fn what_is_no_stored_body_shows_nothing() {
        for body in ["", "1", "[1]", "{\"a\"", "{\"a\":", "{\"a\":1}x", "{\"a\":\"", "{\"a\":}"] {
            check(&["b"], body, "{}");
        }
    }

    #[test]
    fn paths_that_would_ask_about_a_hidden_field_are_known() {
        let hidden = hidden(&["context.ip", "target.name"]);
        let check = |text: &str, expected: bool| {
            let filter = Filter::parse(text).unwrap();
            assert_eq!(hidden.first_in(&filter).is_some(), expected, "{text}");
        };
        for text in [
            "context.ip:1.2.3.4",
            "exists(context)",
            "exists(context.ip.x)",
            "-(a:1 OR context.ip:*)",
            "targets.0.name:x",
            "target.name:x",
            "context.0.ip:1",
            "source.ip:1",
            "exists(source)",
            "exists(0)",
        ] {
            check(text, true);
        }
        for text in ["", "action:x", "context.user_agent:x", "targets.id:x", "contextip:1"] {
            check(text, false);
        }
    }

    #[test]
    fn what_every_view_shows_cannot_be_hidden() {
        for path in ["id", "seq", "occurred_at", "action", "outcome", "0"] {
            assert_eq!(Hidden::parse(&["context.ip", path]).unwrap_err().0, 1, "{path}");
        }
    }

    fn any_value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(serde_json::Value::from),
            any::<i64>().prop_map(serde_json::Value::from),
            "[a-c\"\\\\\u{e9}\n]{0,4}".prop_map(serde_json::Value::from),
            Just(serde_json::Value::Null),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::btree_map("[ab\"]|[0-9]", inner, 0..4)
                    .prop_map(|map| { serde_json::Value::Object(map.into_iter().collect()) }),
            ]
        })
    }

    /// The slow and obvious way.
    fn without(
        value: &serde_json::Value,
        names: &[String],
        paths: &[Vec<Box<str>>],
    ) -> serde_json::Value {
        match value {
            serde_json::Value::Object(map) => {
                let mut out = serde_json::Map::new();
                for (name, value) in map {
                    let mut below = names.to_vec();
                    if !is_position(name) {
                        below.push(name.clone());
                    }
                    let hit = paths.iter().any(|path| {
                        path.len() <= below.len()
                            && path.iter().zip(&below).all(|(a, b)| **a == **b)
                    });
                    if !hit {
                        out.insert(name.clone(), without(value, &below, paths));
                    }
                }
                out.into()
            }
            serde_json::Value::Array(values) => {
                values.iter().map(|value| without(value, names, paths)).collect()
            }
            other => other.clone(),
        }
    }

    proptest! {
        #[test]
        fn pruning_agrees_with_taking_members_out(map in prop::collection::btree_map("[ab]", any_value(), 0..4)) {
            let value = serde_json::Value::Object(map.into_iter().collect());
            let hidden = hidden(&["a.b", "b.a.a"]);
            let pruned = hidden.prune(value.to_string().as_bytes());
            let read: serde_json::Value = serde_json::from_slice(&pruned).unwrap();
            prop_assert_eq!(read, without(&value, &[], &hidden.paths));
        }
    }
}
