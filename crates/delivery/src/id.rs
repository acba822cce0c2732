//! Ids that delivery mints: a prefix and the 26 characters of a ULID.
//!
//! A ULID is 48 bits of wall-clock milliseconds and 80 random bits in Crockford's base 32, so that ids sort by the
//! time they were made. Time and randomness are parameters.

use std::fmt;

use serde::{Deserialize, Serialize};

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const ULID_CHARS: usize = 26;

/// Returns the 26 characters of a ULID.
pub fn ulid(unix_ms: u64, random: [u8; 10]) -> String {
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&unix_ms.to_be_bytes()[2..]);
    bytes[6..].copy_from_slice(&random);
    let number = u128::from_be_bytes(bytes);
    (0..ULID_CHARS)
        .rev()
        .map(|place| char::from(ALPHABET[((number >> (5 * place)) & 31) as usize]))
        .collect()
}

fn is_ulid(text: &str) -> bool {
    // 26 characters hold 130 bits: the first may not exceed 7.
    text.len() == ULID_CHARS
        && text.as_bytes()[0] <= b'7'
        && text.bytes().all(|byte| ALPHABET.contains(&byte))
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Makes an id from a wall-clock time in milliseconds and ten random bytes.
            pub fn new(unix_ms: u64, random: [u8; 10]) -> Self {
                Self(format!(concat!($prefix, "{}"), ulid(unix_ms, random)))
            }

            /// Parses an id given from outside; `None` unless it has the prefix and a canonical ULID.
            pub fn parse(text: &str) -> Option<Self> {
                text.strip_prefix($prefix).filter(|rest| is_ulid(rest)).map(|_| Self(text.to_owned()))
            }

            /// Returns the id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                Self::parse(&text).ok_or_else(|| format!(concat!("not an id of the form ", $prefix, "…: {}"), text))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// The identity of a destination.
    DestinationId,
    "dst_"
);
id!(
    /// The identity of one attempt.
    AttemptId,
    "att_"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ulid_has_the_published_form() {
        // The example of the ULID specification: 1469918176385 ms begins with 01ARYZ6S41.
        assert_eq!(&ulid(1_469_918_176_385, [0; 10]), "01ARYZ6S410000000000000000");
        assert_eq!(ulid((1 << 48) - 1, [255; 10]), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
    }

    #[test]
    fn ids_sort_by_the_time_they_were_made() {
        assert!(AttemptId::new(1, [255; 10]) < AttemptId::new(2, [0; 10]));
    }

    #[test]
    fn only_the_canonical_form_parses() {
        #[track_caller]
        fn check(text: &str, expected: bool) {
            assert_eq!(DestinationId::parse(text).is_some(), expected, "{text}");
        }
        check("dst_01ARYZ6S410000000000000000", true);
        check("att_01ARYZ6S410000000000000000", false);
        check("dst_01aryz6s410000000000000000", false);
        check("dst_81ARYZ6S410000000000000000", false);
        check("dst_01ARYZ6S41000000000000000", false);
        check("dst_01ARYZ6S41000000000000000U", false);
        check("dst_", false);
        check("", false);
    }
}
