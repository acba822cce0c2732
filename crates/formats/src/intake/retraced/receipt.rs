//! The receipt of a Retraced event, which its clients compute again.
//!
//! The preimage is the one of `@retracedhq/retraced` (`computeHash`): the id, then the values as they were sent, escaped and
//! between colons; `fields` and `metadata` as `key=value;` in the order of the keys' UTF-16 code units.

use std::{borrow::Cow, fmt};

use attestary_event::{Violation, event::write_hex};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use sha2::{Digest as _, Sha256};

/// What a receipt covers beside the event's id: the preimage behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted(String);

impl Submitted {
    /// Returns the receipt for the id that the event was given: SHA-256 of the preimage, in hexadecimal.
    pub fn hash(&self, id: &str) -> String {
        let digest = Sha256::new_with_prefix(id).chain_update(&self.0).finalize();
        let mut text = Vec::with_capacity(64);
        write_hex(&digest, &mut text);
        text.into_iter().map(char::from).collect()
    }

    #[cfg(test)]
    pub(super) fn preimage(&self, id: &str) -> String {
        format!("{id}{}", self.0)
    }
}

/// The values that the receipt covers, as sent.
#[derive(Debug, Clone, Default)]
pub(super) struct Values<'a> {
    pub(super) action: &'a str,
    pub(super) target: &'a str,
    pub(super) actor: &'a str,
    pub(super) group: &'a str,
    pub(super) source_ip: &'a str,
    pub(super) is_failure: Option<bool>,
    pub(super) is_anonymous: bool,
    pub(super) fields: Option<Pairs<'a>>,
    pub(super) external_id: &'a str,
    pub(super) metadata: Option<Pairs<'a>>,
}

impl Values<'_> {
    pub(super) fn submitted(&self) -> Submitted {
        let mut text = String::with_capacity(256);
        text.push(':');
        for value in [self.action, self.target, self.actor, self.group, self.source_ip] {
            escape(value, &mut text);
            text.push(':');
        }
        for flag in [self.is_failure.unwrap_or_default(), self.is_anonymous] {
            text.push_str(if flag { "1:" } else { "0:" });
        }
        match &self.fields {
            None => text.push(':'),
            Some(pairs) => pairs.write(&mut text),
        }
        if !self.external_id.is_empty() {
            text.push(':');
            escape(self.external_id, &mut text);
        }
        if let Some(pairs) = &self.metadata {
            text.push(':');
            pairs.write(&mut text);
        }
        Submitted(text)
    }
}

/// An object of strings, in the order of its keys' UTF-16 code units.
#[derive(Debug, Clone, Default)]
pub(super) struct Pairs<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Pairs<'a> {
    /// Reads an object that the scanner accepted; `pointer` says where it stands.
    pub(super) fn read(object: Option<&'a [u8]>, pointer: &str) -> Result<Option<Self>, Violation> {
        let Some(object) = object else { return Ok(None) };
        let mut pairs: Self = serde_json::from_slice(object)
            .map_err(|_| Violation::new(pointer, "must be an object whose values are strings"))?;
        pairs.0.sort_unstable_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
        Ok(Some(pairs))
    }

    fn write(&self, text: &mut String) {
        for (key, value) in &self.0 {
            escape_pair(key, text);
            text.push('=');
            escape_pair(value, text);
            text.push(';');
        }
    }
}

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// A string, borrowed where it has no escapes.
        #[derive(Deserialize)]
        struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
        struct OfMap;
        impl<'de> Visitor<'de> for OfMap {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some((Text(key), Text(value))) = map.next_entry()? {
                    pairs.push((key, value));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(OfMap)
    }
}

fn escape(value: &str, text: &mut String) {
    escape_any(value, &['%', ':'], text);
}

fn escape_pair(value: &str, text: &mut String) {
    escape_any(value, &['%', ':', '=', ';'], text);
}

fn escape_any(value: &str, special: &[char], text: &mut String) {
    let mut plain = value.split(special);
    let mut at = plain.next().map_or(0, |first| {
        text.push_str(first);
        first.len()
    });
    for part in plain {
        text.push_str(match value.as_bytes()[at] {
            b'%' => "%25",
            b':' => "%3A",
            b'=' => "%3D",
            _ => "%3B",
        });
        text.push_str(part);
        at += 1 + part.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_an_action_alone_has_the_published_receipt() {
        let submitted = Values { action: "x", ..Values::default() }.submitted();
        assert_eq!(submitted.preimage("ID"), "ID:x:::::0:0::");
        let expected = "ac12742129b13c7ec7991e88acd030c5e22565b016415f4e216981c1b485df70";
        assert_eq!(submitted.hash("ID"), expected);
    }

    #[test]
    fn each_special_character_is_escaped_where_it_is_special() {
        for (value, plain, pair) in [
            ("", "", ""),
            ("%", "%25", "%25"),
            (":a:", "%3Aa%3A", "%3Aa%3A"),
            ("a=b;;", "a=b;;", "a%3Db%3B%3B"),
            ("é:=%", "é%3A=%25", "é%3A%3D%25"),
        ] {
            let (mut as_plain, mut as_pair) = (String::new(), String::new());
            escape(value, &mut as_plain);
            escape_pair(value, &mut as_pair);
            assert_eq!((as_plain.as_str(), as_pair.as_str()), (plain, pair));
        }
    }
}
