//! Reading a destination's configuration member by member, so that every mistake is named with its pointer.

use attestary_event::Violation;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::secret::{Secret, Secrets};

/// Longest secret in bytes: a service account's key file has about 2,400.
const SECRET_BYTES_MAX: usize = 16 * 1024;

/// The members of a configuration object and what is wrong with them.
#[derive(Debug)]
pub struct Members<'a> {
    object: &'a Map<String, Value>,
    known: Vec<&'static str>,
    violations: Vec<Violation>,
    kept: Option<&'a Secrets>,
    reused: Option<&'static str>,
}

impl<'a> Members<'a> {
    /// Starts to read an object.
    pub fn new(config: &'a Value) -> Result<Self, Vec<Violation>> {
        match config {
            Value::Object(object) => Ok(Self {
                object,
                known: Vec::new(),
                violations: Vec::new(),
                kept: None,
                reused: None,
            }),
            _ => Err(vec![Violation::new("/config", "must be an object")]),
        }
    }

    /// Returns a member, and remembers that it is known.
    pub fn take(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.push(name);
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// Returns a member as text.
    pub fn text(&mut self, name: &'static str) -> Option<&'a str> {
        let value = self.take(name)?;
        let text = value.as_str();
        if text.is_none() {
            self.refuse(name, "must be a string");
        }
        text
    }

    /// Returns a member that must be there as text.
    pub fn text_required(&mut self, name: &'static str) -> Option<&'a str> {
        if self.object.get(name).is_none_or(Value::is_null) {
            self.known.push(name);
            self.refuse(name, "is required");
            return None;
        }
        self.text(name)
    }

    /// Returns a member as an integer within bounds.
    pub fn integer(&mut self, name: &'static str, low: u64, high: u64) -> Option<u64> {
        let number = self.take(name)?.as_u64().filter(|number| (low..=high).contains(number));
        if number.is_none() {
            self.refuse(name, format!("must be an integer between {low} and {high}"));
        }
        number
    }

    /// Remembers members that are known whether or not they are looked at.
    pub fn know(&mut self, names: &[&'static str]) {
        self.known.extend(
            names.iter().filter(|name| !self.known.contains(name)).copied().collect::<Vec<_>>(),
        );
    }

    /// Returns true when a member is there and not null.
    pub fn present(&self, name: &str) -> bool {
        self.object.get(name).is_some_and(|value| !value.is_null())
    }

    /// Lets secrets that are absent be those of the configuration that this one replaces.
    pub fn keep(&mut self, secrets: &'a Secrets) {
        self.kept = Some(secrets);
    }

    /// Returns the name of a secret that was kept, if one was.
    pub fn reused(&self) -> Option<&'static str> {
        self.reused
    }

    /// Returns a secret that must be there, or the one that is kept.
    pub fn secret(&mut self, name: &'static str) -> Option<Secret> {
        if !self.present(name) && self.kept_secret(name).is_none() {
            self.known.push(name);
            self.refuse(name, "is required");
            return None;
        }
        self.secret_optional(name)
    }

    /// Returns a secret, or the one that is kept.
    pub fn secret_optional(&mut self, name: &'static str) -> Option<Secret> {
        if !self.present(name) {
            self.known.push(name);
            let kept = self.kept_secret(name).cloned();
            if kept.is_some() {
                self.reused = Some(name);
            }
            return kept;
        }
        let text = self.text(name)?;
        let printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if text.is_empty() || text.len() > SECRET_BYTES_MAX || !printable {
            let limit = SECRET_BYTES_MAX;
            self.refuse(name, format!("must have 1 to {limit} printable ASCII characters"));
            return None;
        }
        Some(Secret::new(text))
    }

    /// Returns a secret that is a JSON object, given as such or as its text, or the one that is kept.
    pub fn secret_json(&mut self, name: &'static str) -> Option<Secret> {
        if !self.present(name) {
            return self.secret(name);
        }
        let text = match self.take(name)? {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if text.len() > SECRET_BYTES_MAX {
            self.refuse(name, format!("must have at most {SECRET_BYTES_MAX} bytes"));
            return None;
        }
        Some(Secret::new(text))
    }

    /// Returns a secret of the configuration that this one replaces.
    pub fn kept_secret(&self, name: &str) -> Option<&'a Secret> {
        self.kept.and_then(|kept| kept.value(name))
    }

    /// Reads members into a type that takes a default for each absent one, and names the member that it refuses.
    pub fn options<T: DeserializeOwned + Default>(&mut self, names: &[&'static str]) -> Option<T> {
        let mut given = Map::new();
        let before = self.violations.len();
        for name in names {
            let Some(value) = self.take(name) else { continue };
            let alone = Map::from_iter([((*name).to_owned(), value.clone())]);
            match serde_json::from_value::<T>(Value::Object(alone)) {
                Ok(_) => drop(given.insert((*name).to_owned(), value.clone())),
                Err(error) => self.refuse(name, error.to_string()),
            }
        }
        if self.violations.len() > before {
            return None;
        }
        serde_json::from_value(Value::Object(given)).ok()
    }

    /// Records a violation at a member.
    pub fn refuse(&mut self, name: &str, detail: impl Into<String>) {
        self.violations.push(Violation::new(format!("/config/{name}"), detail));
    }

    /// Records a violation of the type itself.
    pub fn refuse_type(&mut self, detail: impl Into<String>) {
        self.violations.push(Violation::new("/type", detail));
    }

    /// Returns everything that is wrong, unknown members included.
    pub fn finish(mut self) -> Vec<Violation> {
        let known = self.known.join(", ");
        for name in self.object.keys().filter(|name| !self.known.contains(&name.as_str())) {
            let detail = if known.is_empty() {
                "unknown member; this type has none".to_owned()
            } else {
                format!("unknown member; known: {known}")
            };
            let pointer = format!("/config/{}", name.replace('~', "~0").replace('/', "~1"));
            self.violations.push(Violation::new(pointer, detail));
        }
        self.violations
    }
}
