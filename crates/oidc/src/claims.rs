//! Claims besides the standard ones: the groups, whatever their claim is called.

use openidconnect::AdditionalClaims;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Groups looked at; the rest is ignored.
const GROUPS_MAX: usize = 1_000;

/// All claims that the library does not know.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Extra(#[serde(default)] Map<String, Value>);

impl AdditionalClaims for Extra {}

impl Extra {
    /// Returns the texts at `path`, a claim's name whose dots may lead into objects.
    pub(crate) fn groups(&self, path: &str) -> Vec<String> {
        let Some(value) = self.at(path) else { return Vec::new() };
        let values = match value {
            Value::Array(values) => values.as_slice(),
            one => std::slice::from_ref(one),
        };
        values.iter().filter_map(Value::as_str).take(GROUPS_MAX).map(str::to_owned).collect()
    }

    /// Names that hold dots themselves, such as addresses, come first.
    fn at(&self, path: &str) -> Option<&Value> {
        if let Some(value) = self.0.get(path) {
            return Some(value);
        }
        let mut parts = path.split('.');
        let first = self.0.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn groups_are_found_in_every_usual_place() {
        let extra: Extra = serde_json::from_value(json!({
            "groups": ["a", 7, "b"], "role": "c", "realm_access": { "roles": ["d"] },
            "https://example.com/roles": ["e"],
        }))
        .unwrap();
        for (path, expected) in [
            ("groups", vec!["a", "b"]),
            ("role", vec!["c"]),
            ("realm_access.roles", vec!["d"]),
            ("https://example.com/roles", vec!["e"]),
            ("nothing", vec![]),
            ("realm_access.nothing.roles", vec![]),
        ] {
            assert_eq!(extra.groups(path), expected, "{path}");
        }
    }
}
