//! The JSON scanner against `serde_json`, an independent parser.
//!
//! What the scanner accepts, `serde_json` accepts too and flattens to the same fields, numbers as the same
//! tokens; repeated keys are refused. What `serde_json` accepts without repeated keys and inside the limits,
//! the scanner accepts.
#![no_main]

use std::fmt;

use attestary_event::{Kind, Limits, scan::scan};
use libfuzzer_sys::fuzz_target;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

const LIMITS: Limits = Limits {
    event_bytes_max: 1 << 20,
    depth_max: 16,
    fields_max: 100_000,
    array_max: 100_000,
    string_bytes_max: 1 << 20,
    key_bytes_max: 1 << 20,
    batch_events_max: 1,
    batch_bytes_max: 1 << 20,
    ratio_max: 1,
};

/// An object's members in order, repeats kept, values untouched.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

type Flat = Vec<(String, Kind, String)>;

/// Flattens one value; `None` when an object repeats a key or a string is no text.
fn flatten(pointer: String, raw: &str, out: &mut Flat) -> Option<()> {
    let (kind, value) = match raw.as_bytes()[0] {
        b'{' => {
            let members = serde_json::from_str::<Members<'_>>(raw).ok()?.0;
            let mut names: Vec<_> = members.iter().map(|(name, _)| name).collect();
            names.sort_unstable();
            if names.windows(2).any(|pair| pair[0] == pair[1]) {
                return None;
            }
            for (name, value) in &members {
                let step = name.replace('~', "~0").replace('/', "~1");
                flatten(format!("{pointer}/{step}"), value.get(), out)?;
            }
            if !members.is_empty() {
                return Some(());
            }
            (Kind::EmptyObject, String::new())
        }
        b'[' => {
            let elements: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
            for (index, value) in elements.iter().enumerate() {
                flatten(format!("{pointer}/{index}"), value.get(), out)?;
            }
            if !elements.is_empty() {
                return Some(());
            }
            (Kind::EmptyArray, String::new())
        }
        b'"' => (Kind::String, serde_json::from_str(raw).ok()?),
        b't' => (Kind::True, String::new()),
        b'f' => (Kind::False, String::new()),
        b'n' => (Kind::Null, String::new()),
        _ => (Kind::Number, raw.to_owned()),
    };
    out.push((pointer, kind, value));
    Some(())
}

/// What `serde_json` makes of `bytes`, if they are one object without repeated keys.
fn independent(bytes: &[u8]) -> Option<Flat> {
    let text = std::str::from_utf8(bytes).ok()?;
    let raw: &RawValue = serde_json::from_str(text).ok()?;
    let mut flat = Vec::new();
    if !raw.get().starts_with('{') {
        return None;
    }
    flatten(String::new(), raw.get(), &mut flat)?;
    flat.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
    Some(flat)
}

/// Whether no limit of the scanner can be passed.
fn is_small(bytes: &[u8]) -> bool {
    bytes.len() <= 256
        && bytes.iter().filter(|byte| matches!(byte, b'[' | b'{')).count() <= LIMITS.depth_max
}

fuzz_target!(|bytes: &[u8]| {
    let expected = independent(bytes);
    match scan(bytes, &LIMITS) {
        Ok(scanned) => {
            let expected = expected.expect("serde_json accepts what the scanner accepts");
            let fields =
                scanned.fields.iter().map(|f| (f.pointer.to_owned(), f.kind, f.value.to_owned()));
            let mut found: Flat = fields.collect();
            // An event without members has no fields, where a value would be an empty object.
            if found.is_empty() && expected.len() == 1 {
                found = vec![(String::new(), Kind::EmptyObject, String::new())];
            }
            assert_eq!(found, expected);
            let again = scan(&scanned.compact, &LIMITS).expect("the compact form scans");
            assert_eq!(again.fields, scanned.fields);
            assert_eq!(again.compact, scanned.compact);
        }
        Err(violation) => assert!(!(is_small(bytes) && expected.is_some()), "refused: {violation}"),
    }
});
