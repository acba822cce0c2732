//! File names from ids: injective, and harmless to every file system.

use sha2::{Digest as _, Sha256};

/// Longest name of a directory or file; file systems take 255 bytes, and rotation adds a number.
const NAME_BYTES_MAX: usize = 200;

/// Encodes an id: everything outside `[A-Za-z0-9-]` as `%XX`.
pub(super) fn of_id(id: &str) -> String {
    shorten(encode(id, |byte| byte.is_ascii_alphanumeric() || byte == b'-'))
}

/// Encodes a file's name: dots and underscores stay as well. The name does not start with a dot.
pub(super) fn of_file(file: &str) -> String {
    shorten(encode(file, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')))
}

fn encode(text: &str, keep: impl Fn(u8) -> bool) -> String {
    let mut name = String::with_capacity(text.len());
    for byte in text.bytes() {
        if keep(byte) {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02X}"));
        }
    }
    name
}

/// Gives a name that is too long a hash for its end. `%%` never stands in a whole name, so the two never meet.
fn shorten(name: String) -> String {
    if name.len() <= NAME_BYTES_MAX {
        return name;
    }
    let hash = Sha256::digest(name.as_bytes());
    let hex: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{}%%{hex}", &name[..NAME_BYTES_MAX - 34])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_harmless_name() {
        #[track_caller]
        fn check(id: &str, expected: &str) {
            assert_eq!(of_id(id), expected);
        }
        check("acme-1", "acme-1");
        check("..", "%2E%2E");
        check("a/b", "a%2Fb");
        check("a%2Fb", "a%252Fb");
        check("_audit", "%5Faudit");
        check("é", "%C3%A9");
        check("CON", "CON");
        assert_eq!(of_file("audit_1.ndjson"), "audit_1.ndjson");
    }

    #[test]
    fn long_ids_stay_apart() {
        let (a, b) = ("é".repeat(64), format!("{}è", "é".repeat(63)));
        assert!(of_id(&a).len() <= NAME_BYTES_MAX && of_id(&b).len() <= NAME_BYTES_MAX);
        assert_ne!(of_id(&a), of_id(&b));
    }
}
