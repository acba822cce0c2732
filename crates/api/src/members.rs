//! Bodies of administrative requests: a JSON object whose every member is known and of the right type.
//!
//! A handler takes the members that it knows out of the object; what is left over is unknown. All violations are
//! collected, so that one reply names every one of them by its pointer.

use attestary_event::{Limits, Violation};
use serde_json::{Map, Value};

use crate::problem::{INVALID_BODY, Item, Problem};

/// An object being taken apart.
#[derive(Debug)]
pub(crate) struct Members {
    map: Map<String, Value>,
    known: Vec<&'static str>,
    violations: Vec<Violation>,
}

impl Members {
    /// Reads an object under the limits of an event: depth, fields, duplicate keys, UTF-8.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Problem> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Err(Problem::new(&INVALID_BODY, "the body is empty; it must be a JSON object"));
        }
        attestary_event::scan::scan(body, &Limits::default())
            .map_err(|violation| refused(vec![violation]))?;
        match serde_json::from_slice(body) {
            Ok(Value::Object(map)) => Ok(Self { map, known: Vec::new(), violations: Vec::new() }),
            Ok(_) | Err(_) => Err(Problem::new(&INVALID_BODY, "the body must be a JSON object")),
        }
    }

    /// Takes a member; JSON null counts as absent.
    pub(crate) fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.map.remove(name).filter(|value| !value.is_null())
    }

    /// Takes a text.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) => Some(text),
            other => self.wrong_type(name, "a string", &other),
        }
    }

    /// Takes a text that must be there.
    pub(crate) fn required_text(&mut self, name: &'static str) -> String {
        self.require(name);
        self.text(name).unwrap_or_default()
    }

    /// Takes a truth value.
    pub(crate) fn flag(&mut self, name: &'static str) -> Option<bool> {
        match self.take(name)? {
            Value::Bool(flag) => Some(flag),
            other => self.wrong_type(name, "true or false", &other),
        }
    }

    /// Takes a truth value that must be there.
    pub(crate) fn required_flag(&mut self, name: &'static str) -> bool {
        self.require(name);
        self.flag(name).unwrap_or_default()
    }

    /// Takes a whole number that is not negative.
    pub(crate) fn whole(&mut self, name: &'static str) -> Option<u64> {
        let value = self.take(name)?;
        match value.as_u64() {
            Some(number) => Some(number),
            None => self.wrong_type(name, "a whole number that is not negative", &value),
        }
    }

    /// Takes a whole number that must be there.
    pub(crate) fn required_whole(&mut self, name: &'static str) -> u64 {
        self.require(name);
        self.whole(name).unwrap_or_default()
    }

    /// Takes a list of texts.
    pub(crate) fn texts(&mut self, name: &'static str) -> Option<Vec<String>> {
        let value = self.take(name)?;
        let Value::Array(values) = value else {
            return self.wrong_type(name, "an array of strings", &value);
        };
        let mut texts = Vec::with_capacity(values.len());
        for (at, value) in values.into_iter().enumerate() {
            match value {
                Value::String(text) => texts.push(text),
                other => {
                    let detail = format!("must be a string; this is {}", kind_name(&other));
                    self.violations.push(Violation::new(format!("/{name}/{at}"), detail));
                }
            }
        }
        Some(texts)
    }

    /// Takes an object.
    pub(crate) fn object(&mut self, name: &'static str) -> Option<Map<String, Value>> {
        match self.take(name)? {
            Value::Object(map) => Some(map),
            other => self.wrong_type(name, "an object", &other),
        }
    }

    /// Returns the members as they are, for documents that somebody else checks.
    pub(crate) fn into_map(self) -> Map<String, Value> {
        self.map
    }

    /// Adds a violation that the caller found.
    pub(crate) fn refuse(&mut self, violation: Violation) {
        self.violations.push(violation);
    }

    /// Ends the reading: refuses members that were not taken, and reports everything found.
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        for name in self.map.keys() {
            let shown = &name[..name.floor_char_boundary(64)];
            let detail =
                format!("there is no member \"{shown}\"; known are {}", self.known.join(", "));
            self.violations.push(Violation::new(format!("/{}", escaped(shown)), detail));
        }
        self.finish_open()
    }

    /// Ends the reading of a foreign body, whose clients may send members that nobody here knows.
    pub(crate) fn finish_open(self) -> Result<(), Problem> {
        if self.violations.is_empty() { Ok(()) } else { Err(refused(self.violations)) }
    }

    fn require(&mut self, name: &'static str) {
        if self.map.get(name).is_none_or(Value::is_null) {
            self.violations
                .push(Violation::new(format!("/{name}"), format!("\"{name}\" is required")));
        }
    }

    fn wrong_type<T>(&mut self, name: &str, expected: &str, seen: &Value) -> Option<T> {
        let detail = format!("must be {expected}; this is {}", kind_name(seen));
        self.violations.push(Violation::new(format!("/{name}"), detail));
        None
    }
}

/// Returns the problem for a body with violations.
pub(crate) fn refused(violations: Vec<Violation>) -> Problem {
    let detail = match violations.as_slice() {
        [only] => only.to_string(),
        several => format!("{} members are not valid", several.len()),
    };
    let items =
        violations.into_iter().map(|v| Item { index: None, pointer: v.pointer, detail: v.detail });
    Problem::new(&INVALID_BODY, detail).with_errors(items.collect())
}

fn kind_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointers(body: &str) -> Vec<String> {
        let problem = Members::parse(body.as_bytes()).and_then(|mut members| {
            members.required_text("name");
            members.flag("closed");
            members.texts("scopes");
            members.finish()
        });
        problem
            .err()
            .map_or_else(Vec::new, |p| p.errors.iter().map(|item| item.pointer.clone()).collect())
    }

    #[track_caller]
    fn check(body: &str, expected: &[&str]) {
        assert_eq!(pointers(body), expected, "{body}");
    }

    #[test]
    fn every_violation_is_named_by_its_pointer() {
        check(r#"{"name":"a","closed":true,"scopes":["x"]}"#, &[]);
        check(r#"{"name":"a","closed":null}"#, &[]);
        check(r#"{"closed":1}"#, &["/name", "/closed"]);
        check(r#"{"name":"a","scopes":["x",1,{}]}"#, &["/scopes/1", "/scopes/2"]);
        check(r#"{"name":"a","nmae":"b","a/b":1}"#, &["/a~1b", "/nmae"]);
        check(r#"{"name":"a","name":"b"}"#, &["/name"]);
    }

    #[test]
    fn other_bodies_are_refused_whole() {
        for body in ["", "  ", "[]", "1", "{", "{\"name\":\"a\"} x", "\u{0}"] {
            assert!(Members::parse(body.as_bytes()).is_err(), "{body:?}");
        }
    }
}
