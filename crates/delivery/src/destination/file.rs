//! A rotating file: one line an event, synced to the disk before the batch counts as delivered.
//!
//! The configured path is a name, not a path: the file stands under `<root>/<environment>/<tenant>/`, and every
//! part is percent-encoded so that no name can leave that directory.

use serde::{Deserialize, Serialize};

use super::Members;

/// Size at which a file is rotated unless configured otherwise.
pub const ROTATE_BYTES: u64 = 100 * 1024 * 1024;
/// Longest name in bytes before encoding.
const NAME_BYTES_MAX: usize = 128;

/// Configuration of a file destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the file that is being written.
    pub path: String,
    /// Size after which it is renamed and a new one begun.
    #[serde(default = "rotate_bytes")]
    pub rotate_bytes: u64,
    /// Rotated files to keep; older ones are removed. Absent: all are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files_max: Option<u32>,
}

fn rotate_bytes() -> u64 {
    ROTATE_BYTES
}

impl Config {
    pub(super) fn read(members: &mut Members<'_>) -> Option<Self> {
        let path = members.text_required("path");
        let rotate_bytes = members.integer("rotate_bytes", 1_024, 1 << 40).unwrap_or(ROTATE_BYTES);
        let files_max = members.integer("files_max", 1, 1_000_000).map(|count| count as u32);
        let path = path?;
        if let Some(problem) = problem(path) {
            members.refuse("path", problem);
        }
        Some(Self { path: path.to_owned(), rotate_bytes, files_max })
    }
}

/// Returns why a text cannot name a file.
fn problem(name: &str) -> Option<&'static str> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        Some("must have 1 to 128 bytes")
    } else if name.contains(['/', '\\']) {
        Some("is a name: it stands in the tenant's directory and has no slashes")
    } else if name.starts_with('.') {
        Some("must not start with a dot")
    } else if name.chars().any(char::is_control) {
        Some("must not contain control characters")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_name() {
        #[track_caller]
        fn check(name: &str, expected: bool) {
            assert_eq!(problem(name).is_none(), expected, "{name:?}");
        }
        check("audit.ndjson", true);
        check("Prüfung 2026.log", true);
        check("a..b", true);
        check("", false);
        check(".", false);
        check("..", false);
        check(".hidden", false);
        check("../audit", false);
        check("a/b", false);
        check("/etc/passwd", false);
        check("a\\b", false);
        check("a\nb", false);
        check("a\0b", false);
        check(&"x".repeat(129), false);
    }
}
