//! Ids that delivery mints: a prefix and the 26 characters of a ULID.
//!
//! Ids sort by the time they were made. Time and randomness are parameters.

use std::fmt;

use attestary_event::id::is_ulid;
pub use attestary_event::id::ulid;
use serde::{Deserialize, Serialize};

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
id!(
    /// The identity of a replay.
    ReplayId,
    "rpl_"
);

#[cfg(test)]
mod tests {
    use super::*;

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
