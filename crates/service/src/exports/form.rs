//! The forms of an export: how its file begins, how an event stands in it, and how it ends. Pure.
//!
//! Line forms are written as they are read. A table is made at the end from native JSON lines, because the footer of
//! a Parquet file knows everything before it and could not be resumed.

use attestary_event::{Event, View, actions::KnownActions};
use attestary_formats::{Format, cef, csv, format::PlainOptions, json};

/// The form of an export's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportForm {
    /// One native JSON object a line.
    Ndjson,
    /// One array of native JSON objects.
    Json,
    /// RFC 4180 with a header row, safe to open in a spreadsheet.
    Csv,
    /// One CEF record a line.
    Cef,
    /// A table of typed columns.
    Parquet,
    /// A bundle that verifies offline.
    Evidence,
}

/// Returns the event as one CEF record without a line end: the same bytes as in an export.
pub fn cef_record(event: &Event) -> Vec<u8> {
    let (fields, mut out) = (event.fields(), Vec::new());
    let view = View { event, fields: &fields };
    Format::Cef(cef::Options::default()).encode(&view, KnownActions::builtin(), &mut out);
    out
}

impl ExportForm {
    /// Every form, in the order of their documentation.
    pub const ALL: [Self; 6] =
        [Self::Ndjson, Self::Json, Self::Csv, Self::Cef, Self::Parquet, Self::Evidence];

    /// Returns the name used in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Cef => "cef",
            Self::Parquet => "parquet",
            Self::Evidence => "evidence",
        }
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.name() == name)
    }

    /// Returns the ending of file names.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Evidence => "zip",
            _ => self.name(),
        }
    }

    /// Returns the media type of the file.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Cef => "text/plain; charset=utf-8",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Evidence => "application/zip",
        }
    }

    /// Returns true when the finished file is made from the lines that were written, and not by adding to them.
    pub(super) fn is_converted(self) -> bool {
        matches!(self, Self::Parquet | Self::Evidence)
    }

    /// Writes the beginning of the file.
    pub(super) fn begin(self, prefix: Option<&str>, out: &mut Vec<u8>) {
        match self {
            Self::Json => out.extend_from_slice(b"["),
            Self::Csv => {
                if prefix.is_some() {
                    out.extend_from_slice(b"number,");
                }
                csv::header(out);
                out.extend_from_slice(b"\r\n");
            }
            Self::Ndjson | Self::Cef | Self::Parquet | Self::Evidence => {}
        }
    }

    /// Writes the event that is number `number`, counted from 1.
    pub(super) fn event(
        self,
        event: &Event,
        number: u64,
        prefix: Option<&str>,
        actions: &KnownActions,
        out: &mut Vec<u8>,
    ) {
        let fields = event.fields();
        let view = View { event, fields: &fields };
        match self {
            // Evidence has lines of its own, from what the leaves commit to.
            Self::Evidence => {}
            Self::Ndjson | Self::Parquet => {
                json::encode(&view, out);
                out.push(b'\n');
            }
            Self::Json => {
                out.extend_from_slice(if number == 1 { b"\n" } else { b",\n" });
                json::encode(&view, out);
            }
            Self::Csv => {
                if let Some(prefix) = prefix {
                    out.extend_from_slice(numbered(prefix, number).as_bytes());
                    out.push(b',');
                }
                Format::Csv(PlainOptions::default()).encode(&view, actions, out);
                out.extend_from_slice(b"\r\n");
            }
            Self::Cef => {
                Format::Cef(cef::Options::default()).encode(&view, actions, out);
                out.push(b'\n');
            }
        }
    }

    /// Writes the end of the file.
    pub(super) fn end(self, out: &mut Vec<u8>) {
        if self == Self::Json {
            out.extend_from_slice(b"\n]\n");
        }
    }
}

/// Returns the number of a record as it is cited: `PREFIX_000001`.
pub(super) fn numbered(prefix: &str, number: u64) -> String {
    format!("{prefix}_{number:06}")
}

#[cfg(test)]
mod tests {
    use attestary_event::{EnvironmentId, EventId, TenantId, Timestamp};

    use super::*;

    fn event(seq: u64) -> Event {
        Event {
            id: EventId([seq as u8; 16]),
            tenant: TenantId::restored("acme"),
            environment: EnvironmentId::restored("production"),
            seq,
            received_at: Timestamp(1_000),
            flags: 0,
            leaf_hash: [7; 32],
            body:
                r#"{"action":"=cmd()","actor":{"id":"u"},"occurred_at":"2026-11-22T00:00:00.000Z"}"#
                    .as_bytes()
                    .into(),
        }
    }

    fn file(form: ExportForm, events: u64, prefix: Option<&str>) -> String {
        let (mut out, actions) = (Vec::new(), KnownActions::builtin());
        form.begin(prefix, &mut out);
        (1..=events).for_each(|at| form.event(&event(at), at, prefix, actions, &mut out));
        form.end(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_is_one_array_of_any_length() {
        for events in [0, 1, 3] {
            let value: serde_json::Value =
                serde_json::from_str(&file(ExportForm::Json, events, None)).unwrap();
            assert_eq!(value.as_array().unwrap().len() as u64, events);
        }
    }

    #[test]
    fn csv_rows_carry_their_numbers_and_no_formula() {
        let text = file(ExportForm::Csv, 2, Some("CASE7"));
        let lines: Vec<_> = text.split("\r\n").collect();
        assert!(lines[0].starts_with("number,id,tenant"));
        assert!(lines[1].starts_with("CASE7_000001,") && lines[2].starts_with("CASE7_000002,"));
        assert!(lines[1].contains(",'=cmd(),"));
        assert_eq!(lines[3], "");
    }

    #[test]
    fn names_are_read_back() {
        for form in ExportForm::ALL {
            assert_eq!(ExportForm::parse(form.name()), Some(form));
        }
        assert_eq!(ExportForm::parse("xml"), None);
    }
}
