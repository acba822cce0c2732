//! The format of a destination: which form an event takes, with the options of that form.
//!
//! A format is a pure function: no I/O, no clock, the same bytes for the same event, version and options. One
//! event is one record and one record is one line: CR, LF and NUL never stand raw in it. Receivers cut what is
//! too long for them, or read the rest as a new record, so [`Format::encode_within`] shortens first.

use attestary_event::{View, actions::KnownActions};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{cef, ironcore, json};

/// The size in bytes that every event can be shortened to, in every format: what stays is of bounded length.
pub const CORE_BYTES_MAX: usize = 1_200;

/// A destination's format, in its configuration `{"type":"json|cef|ironcore", …options}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Format {
    /// Native JSON, lossless.
    Json(json::Options),
    /// ArcSight Common Event Format.
    Cef(cef::Options),
    /// The JSON form that IronCore Labs' Tenant Security Proxy delivers.
    Ironcore(IroncoreOptions),
}

/// Options of the IronCore format.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IroncoreOptions {
    /// Version of the format.
    pub version: Version,
}

/// Whether a record holds all that its format holds of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truncation {
    /// Nothing was left out.
    Whole,
    /// Parts were left out or cut and the record says so; id, tenant, seq and leaf hash are in it.
    Shortened,
}

impl Default for Format {
    fn default() -> Self {
        Self::Json(json::Options::default())
    }
}

impl Format {
    /// Appends the event as one record without a line end.
    pub fn encode(&self, view: &View<'_>, actions: &KnownActions, out: &mut Vec<u8>) {
        let start = out.len();
        match self {
            Self::Json(_) => json::encode(view, out),
            Self::Cef(options) => {
                cef::encode(view, actions, options, out);
            }
            Self::Ironcore(_) => ironcore_whole(view, out),
        }
        keep_one_line(&mut out[start..]);
    }

    /// Appends the event as one record of at most `bytes_max` bytes, without a line end.
    ///
    /// What is left out is always the same for the same event, options and limit: metadata first, from its
    /// end, then other optional parts. A limit below [`CORE_BYTES_MAX`] counts as that.
    pub fn encode_within(
        &self,
        view: &View<'_>,
        actions: &KnownActions,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Truncation {
        let bytes_max = bytes_max.max(CORE_BYTES_MAX);
        let start = out.len();
        let truncation = match self {
            Self::Json(_) => json::encode_within(view, bytes_max, out),
            Self::Cef(options) => cef::encode_within(view, actions, options, bytes_max, out),
            Self::Ironcore(_) => ironcore_within(view, bytes_max, out),
        };
        keep_one_line(&mut out[start..]);
        truncation
    }

    /// Returns the media type of one record.
    pub fn content_type(&self) -> &'static str {
        match self {
            Self::Json(_) | Self::Ironcore(_) => "application/json",
            Self::Cef(_) => "text/plain; charset=utf-8",
        }
    }
}

fn ironcore_whole(view: &View<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    ironcore::encode(view, out);
    json::escape_line_ends(start, out);
}

fn ironcore_within(view: &View<'_>, bytes_max: usize, out: &mut Vec<u8>) -> Truncation {
    let start = out.len();
    ironcore_whole(view, out);
    if out.len() - start <= bytes_max {
        return Truncation::Whole;
    }
    let whole = out.split_off(start);
    json::shorten_ironcore(&whole, bytes_max, out);
    Truncation::Shortened
}

/// The last guard of the one-line rule: encoders escape these bytes, and a mistake in one must not let a
/// hostile value forge a record.
fn keep_one_line(record: &mut [u8]) {
    for byte in record {
        if matches!(byte, b'\n' | b'\r' | 0) {
            *byte = b' ';
        }
    }
}

/// The version of a format, a number in a destination's configuration. Only 1 exists.
///
/// A change that a receiver could notice gets a new number, so that nobody's parser breaks on an upgrade.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Version;

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(1)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            1 => Ok(Self),
            other => Err(serde::de::Error::custom(format_args!(
                "format version {other} does not exist; use 1"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(configuration: &str, expected: Result<&str, &str>) {
        let format: Result<Format, _> = serde_json::from_str(configuration);
        match (format, expected) {
            (Ok(format), Ok(expected)) => {
                assert_eq!(serde_json::to_string(&format).unwrap(), expected);
            }
            (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
            (format, _) => panic!("{configuration} gave {format:?}"),
        }
    }

    #[test]
    fn defaults_are_filled_in_and_shown() {
        check(r#"{"type":"json"}"#, Ok(r#"{"type":"json","version":1}"#));
        check(r#"{"type":"ironcore","version":1}"#, Ok(r#"{"type":"ironcore","version":1}"#));
        check(
            r#"{"type":"cef","vendor":"Acme"}"#,
            Ok(
                r#"{"type":"cef","version":1,"vendor":"Acme","product":"AuditLog","device_version":"1","space_before_extension":false}"#,
            ),
        );
    }

    #[test]
    fn mistakes_in_the_configuration_are_named() {
        check(r#"{"type":"leef"}"#, Err("unknown variant `leef`"));
        check(r#"{"type":"json","vendor":"Acme"}"#, Err("unknown field `vendor`"));
        check(r#"{"type":"cef","vendr":"Acme"}"#, Err("unknown field `vendr`"));
        check(r#"{"type":"ironcore","pretty":true}"#, Err("unknown field `pretty`"));
        check(r#"{"type":"cef","version":2}"#, Err("format version 2 does not exist"));
        check(r#"{"vendor":"Acme"}"#, Err("missing field `type`"));
        let long = format!(r#"{{"type":"cef","vendor":"{}"}}"#, "é".repeat(64));
        check(&long, Err("at most 63 characters; this one has 64"));
        check(r#"{"type":"cef","product":" "}"#, Err("must not be blank"));
        check(
            r#"{"type":"cef","device_version":"1\n2"}"#,
            Err("must not contain control characters"),
        );
    }

    #[test]
    fn a_raw_line_end_never_leaves() {
        let mut record = *b"a\r\nb\0c";
        keep_one_line(&mut record);
        assert_eq!(&record, b"a  b c");
    }
}
