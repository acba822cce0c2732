//! OTLP's attributes and `AnyValue`: JSON values in the form in which Protobuf writes them as JSON.

use attestary_event::{View, event::write_hex, scan::write_string};

use crate::{
    intake::object::{ObjectWriter, members},
    json::elements,
    residue,
};

/// The `attributes` of a resource or a record, written one after the other.
pub(super) struct Attributes<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Attributes<'a> {
    /// Opens the member `attributes`.
    pub(super) fn open(object: &'a mut ObjectWriter<'_>) -> Self {
        let out = object.key("attributes");
        out.push(b'[');
        Self { out, empty: true }
    }

    /// Closes it.
    pub(super) fn close(self) {
        self.out.push(b']');
    }

    /// Writes a string unless there is no value.
    pub(super) fn text(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.put(key, |out| put_string(value, out));
        }
    }

    /// Writes an integer.
    pub(super) fn integer(&mut self, key: &str, value: u64) {
        self.put(key, |out| put_number(itoa::Buffer::new().format(value), out));
    }

    /// Writes bytes as a string of lower-case hexadecimal digits.
    pub(super) fn hex(&mut self, key: &str, bytes: &[u8]) {
        self.put(key, |out| {
            out.extend_from_slice(b"{\"stringValue\":\"");
            write_hex(bytes, out);
            out.extend_from_slice(b"\"}");
        });
    }

    /// Writes a JSON value unless there is none.
    pub(super) fn json(&mut self, key: &str, json: Option<&[u8]>) {
        if let Some(json) = json {
            self.put(key, |out| put_value(json, out));
        }
    }

    /// Writes members of the body that are neither absent nor empty, as `attestary.<name>`.
    pub(super) fn json_members(&mut self, view: &View<'_>, names: &[&str]) {
        for name in names {
            let json = residue::filled(&view.event.body, name);
            self.json(&format!("attestary.{name}"), json);
        }
    }

    fn put(&mut self, key: &str, write: impl FnOnce(&mut Vec<u8>)) {
        if !std::mem::take(&mut self.empty) {
            self.out.push(b',');
        }
        put_pair(key, self.out, write);
    }
}

/// Appends a `KeyValue`.
fn put_pair(key: &str, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(b"{\"key\":");
    write_string(key, out);
    out.extend_from_slice(b",\"value\":");
    write(out);
    out.push(b'}');
}

fn put_string(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"stringValue\":");
    write_string(text, out);
    out.push(b'}');
}

/// Appends compact JSON as an `AnyValue`. The depth is that of the event, which has a limit.
fn put_value(json: &[u8], out: &mut Vec<u8>) {
    match json.first() {
        Some(b'"') => {
            out.extend_from_slice(b"{\"stringValue\":");
            out.extend_from_slice(json);
            out.push(b'}');
        }
        Some(b'{') => put_object(json, out),
        Some(b'[') => put_array(json, out),
        Some(b't' | b'f') => {
            out.extend_from_slice(b"{\"boolValue\":");
            out.extend_from_slice(json);
            out.push(b'}');
        }
        // An AnyValue of which nothing is set: the data model's null.
        Some(b'n') | None => out.extend_from_slice(b"{}"),
        Some(_) => put_number(std::str::from_utf8(json).unwrap_or_default(), out),
    }
}

fn put_object(json: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"kvlistValue\":{\"values\":[");
    for (index, (key, value)) in members(json).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        // The key is a JSON string token already.
        out.extend_from_slice(b"{\"key\":");
        out.extend_from_slice(key);
        out.extend_from_slice(b",\"value\":");
        put_value(value, out);
        out.push(b'}');
    }
    out.extend_from_slice(b"]}}");
}

fn put_array(json: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"arrayValue\":{\"values\":[");
    for (index, element) in elements(json).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        put_value(element.value, out);
    }
    out.extend_from_slice(b"]}}");
}

/// Appends a number token: an integer of 64 bits, a double that holds the token's value, else its text.
///
/// A token with more digits than a double keeps exactly (15) is text, so that no digit is lost on the way.
fn put_number(token: &str, out: &mut Vec<u8>) {
    let digits = token.bytes().filter(u8::is_ascii_digit).count();
    if token.parse::<i64>().is_ok() && token != "-0" {
        out.extend_from_slice(b"{\"intValue\":\"");
        out.extend_from_slice(token.as_bytes());
        out.extend_from_slice(b"\"}");
    } else if digits <= 15 && is_double(token) {
        out.extend_from_slice(b"{\"doubleValue\":");
        out.extend_from_slice(token.as_bytes());
        out.push(b'}');
    } else {
        put_string(token, out);
    }
}

/// True when the nearest double is not merely the largest, the smallest or zero for want of a better one.
fn is_double(token: &str) -> bool {
    let mantissa = token.split(['e', 'E']).next().unwrap_or_default();
    let zero = !mantissa.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
    zero || token.parse::<f64>().is_ok_and(f64::is_normal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: &str) {
        let mut out = Vec::new();
        put_value(json.as_bytes(), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn numbers_keep_their_value_or_become_text() {
        check("3", r#"{"intValue":"3"}"#);
        check("9007199254740993", r#"{"intValue":"9007199254740993"}"#);
        check("9223372036854775807", r#"{"intValue":"9223372036854775807"}"#);
        check("9223372036854775808", r#"{"stringValue":"9223372036854775808"}"#);
        check("1.50", r#"{"doubleValue":1.50}"#);
        check("-0", r#"{"doubleValue":-0}"#);
        check("0e999", r#"{"doubleValue":0e999}"#);
        check("1e-400", r#"{"stringValue":"1e-400"}"#);
        check("1e400", r#"{"stringValue":"1e400"}"#);
        check("0.1234567890123456789", r#"{"stringValue":"0.1234567890123456789"}"#);
    }

    #[test]
    fn containers_nest() {
        check(
            r#"{"a\n":[true,null,"x"],"b":{}}"#,
            r#"{"kvlistValue":{"values":[{"key":"a\n","value":{"arrayValue":{"values":[{"boolValue":true},{},{"stringValue":"x"}]}}},{"key":"b","value":{"kvlistValue":{"values":[]}}}]}}"#,
        );
        check("[]", r#"{"arrayValue":{"values":[]}}"#);
    }
}
