//! The format of a destination: which form an event takes, with the options of that form.
//!
//! A format is a pure function: no I/O, no clock, the same bytes for the same event, version and options. One
//! event is one record and one record is one line: CR, LF and NUL never stand raw in it. Receivers cut what is
//! too long for them, or read the rest as a new record, so [`Format::encode_within`] shortens first.

use attestary_event::{View, actions::KnownActions};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    asim, cef, cloudevents, csv, easysend, ecs, formio, ironcore, json, leef, ocsf, otlp, product,
    shorten, structured_data, template, udm,
};

/// The size in bytes that every event can be shortened to, in every format: what stays is of bounded length.
pub const CORE_BYTES_MAX: usize = 1_200;

/// A destination's format, in its configuration `{"type":"json", …options}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Format {
    /// Native JSON, lossless.
    Json(json::Options),
    /// ArcSight Common Event Format.
    Cef(cef::Options),
    /// IBM LEEF 2.0.
    Leef(leef::Options),
    /// Elastic Common Schema.
    Ecs(product::Options),
    /// Open Cybersecurity Schema Framework.
    Ocsf(ocsf::Options),
    /// RFC 5424 structured data.
    #[serde(rename = "structured-data")]
    StructuredData(structured_data::Options),
    /// CloudEvents 1.0, structured JSON.
    Cloudevents(PlainOptions),
    /// OpenTelemetry logs in OTLP's JSON encoding.
    Otlp(otlp::Options),
    /// The columns of Microsoft Sentinel's ASIM.
    Asim(product::Options),
    /// Google Security Operations' Unified Data Model.
    Udm(product::Options),
    /// CSV, one row per event.
    Csv(PlainOptions),
    /// The JSON form that IronCore Labs' Tenant Security Proxy delivers.
    Ironcore(PlainOptions),
    /// The payloads of EasySend's security log.
    Easysend(easysend::Options),
    /// Form.io's audit line.
    Formio(PlainOptions),
    /// A line or a JSON object that an operator writes.
    Template(template::Options),
}

/// Options of a format that has none but its version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlainOptions {
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
            Self::Cef(options) => _ = cef::encode(view, actions, options, out),
            Self::Leef(options) => leef::encode(view, actions, options, out),
            Self::Ecs(options) => ecs::encode(view, actions, options, out),
            Self::Ocsf(options) => ocsf::encode(view, actions, options, out),
            Self::StructuredData(options) => {
                structured_data::encode(view, actions, options.enterprise_id, out);
            }
            Self::Cloudevents(_) => cloudevents::encode(view, out),
            Self::Otlp(options) => otlp::encode(view, actions, options, out),
            Self::Asim(options) => asim::encode(view, actions, options, out),
            Self::Udm(options) => udm::encode(view, actions, options, out),
            Self::Csv(_) => csv::encode(view, actions, out),
            Self::Ironcore(_) => ironcore::encode(view, out),
            Self::Easysend(options) => easysend::encode(view, actions, options, out),
            Self::Formio(_) => formio::encode(view, actions, out),
            Self::Template(options) => template::encode(view, options, out),
        }
        if self.is_json() && !matches!(self, Self::Json(_)) {
            json::escape_line_ends(start, out);
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
            _ => {
                let encode = |view: &View<'_>, out: &mut Vec<u8>| self.encode(view, actions, out);
                shorten::encode_within(view, bytes_max, out, encode)
            }
        };
        keep_one_line(&mut out[start..]);
        if let Self::Template(options) = self
            && !options.is_json()
        {
            // Nothing bounds how often a template shows a value.
            cut(start, bytes_max, out);
        }
        truncation
    }

    /// Returns the media type of one record.
    pub fn content_type(&self) -> &'static str {
        match self {
            Self::Cloudevents(_) => "application/cloudevents+json",
            Self::Csv(_) => "text/csv; charset=utf-8",
            _ if self.is_json() => "application/json",
            _ => "text/plain; charset=utf-8",
        }
    }

    /// Returns the media type of a JSON array of records; those that are no JSON stand in it as strings.
    pub fn array_content_type(&self) -> &'static str {
        match self {
            Self::Cloudevents(_) => "application/cloudevents-batch+json",
            _ => "application/json",
        }
    }

    /// True when a record is one JSON object.
    pub fn is_json(&self) -> bool {
        match self {
            Self::Json(_) | Self::Ecs(_) | Self::Ocsf(_) | Self::Cloudevents(_) => true,
            Self::Otlp(_) | Self::Asim(_) | Self::Udm(_) => true,
            Self::Ironcore(_) | Self::Easysend(_) => true,
            Self::Cef(_) | Self::Leef(_) | Self::StructuredData(_) => false,
            Self::Csv(_) | Self::Formio(_) => false,
            Self::Template(options) => options.is_json(),
        }
    }

    /// True when a record holds seq and leaf hash. The forms of other systems have no place for them, so a
    /// destination carries them beside the record where it can.
    pub fn holds_leaf_hash(&self) -> bool {
        match self {
            Self::Template(options) => options.holds_leaf_hash(),
            _ => !matches!(self, Self::Ironcore(_) | Self::Easysend(_) | Self::Formio(_)),
        }
    }
}

fn ironcore_within(view: &View<'_>, bytes_max: usize, out: &mut Vec<u8>) -> Truncation {
    let start = out.len();
    ironcore::encode(view, out);
    json::escape_line_ends(start, out);
    if out.len() - start <= bytes_max {
        return Truncation::Whole;
    }
    let whole = out.split_off(start);
    json::shorten_ironcore(&whole, bytes_max, out);
    Truncation::Shortened
}

/// Cuts a line at a character's end, so that it has at most `bytes_max` bytes.
fn cut(start: usize, bytes_max: usize, out: &mut Vec<u8>) {
    if out.len() - start > bytes_max {
        let text = std::str::from_utf8(&out[start..]);
        let end = text.map_or(bytes_max, |text| text.floor_char_boundary(bytes_max));
        out.truncate(start + end);
    }
}

/// The last guard of the one-line rule: encoders escape these bytes, and a mistake in one must not let a
/// hostile value forge a record.
fn keep_one_line(record: &mut [u8]) {
    let mut at = 0;
    while let Some(offset) = memchr::memchr3(b'\n', b'\r', 0, &record[at..]) {
        at += offset;
        record[at] = b' ';
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
mod tests;
