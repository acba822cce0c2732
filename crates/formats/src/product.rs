//! The names under which events reach a receiver: vendor and product.
//!
//! They stand in headers and JSON of several formats, so they keep to what needs no escaping in any of them.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::format::Version;

/// Longest name in bytes: the limit of CEF, which receivers of other formats know too.
pub const NAME_BYTES_MAX: usize = 63;

/// Options of a format that names vendor and product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Version of the format.
    pub version: Version,
    /// Vendor: 1–63 bytes.
    #[serde(deserialize_with = "name")]
    pub vendor: String,
    /// Product: 1–63 bytes.
    #[serde(deserialize_with = "name")]
    pub product: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { version: Version, vendor: default_vendor(), product: default_product() }
    }
}

pub(crate) fn default_vendor() -> String {
    "Attestary".to_owned()
}

pub(crate) fn default_product() -> String {
    "AuditLog".to_owned()
}

/// Reads a name that an operator or tenant chose.
pub(crate) fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.len() > NAME_BYTES_MAX {
        return Err(D::Error::custom(format_args!(
            "a name here has at most {NAME_BYTES_MAX} bytes; this one has {}",
            text.len()
        )));
    }
    if text.trim().is_empty() {
        return Err(D::Error::custom("a name here must not be blank"));
    }
    if text.contains(|c: char| c.is_control() || matches!(c, '|' | '"' | '\\')) {
        return Err(D::Error::custom(
            "a name here must not contain pipes, quotation marks, backslashes or control characters",
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(options: &str, expected: &str) {
        match serde_json::from_str::<Options>(options) {
            Ok(options) => assert_eq!(serde_json::to_string(&options).unwrap(), expected),
            Err(error) => assert!(error.to_string().contains(expected), "{error}"),
        }
    }

    #[test]
    fn names_are_bounded_and_need_no_escapes() {
        check(
            r#"{"product":"Ünïcode App"}"#,
            r#"{"version":1,"vendor":"Attestary","product":"Ünïcode App"}"#,
        );
        check(
            &format!(r#"{{"vendor":"{}"}}"#, "é".repeat(32)),
            "at most 63 bytes; this one has 64",
        );
        check(r#"{"vendor":" "}"#, "must not be blank");
        for hostile in [r"a|b", r#"a\"b"#, r"a\\b", r"a\nb", r"a\u0085b"] {
            check(&format!(r#"{{"vendor":"{hostile}"}}"#), "must not contain pipes");
        }
        check(r#"{"vendr":"a"}"#, "unknown field `vendr`");
    }
}
