//! The text form of an API key, minted and parsed without I/O.
//!
//! `atsk1` ‖ public id (26) ‖ secret (43) ‖ checksum (6): 80 letters and digits. There is no separator, so that a
//! key is also valid standard Base64, which some clients insist on. The public id is the ULID of the key's id
//! (`key_…`); the secret is 256 random bits in base 62; the checksum is made of SHA-256, so that a scanner or a
//! form can tell a mistyped key without asking anyone. Only the SHA-256 of the secret is ever stored.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::secret::Secret;

/// First characters of every key; the digit is the version of the form.
pub const PREFIX: &str = "atsk1";
/// First characters of a session's token.
pub const SESSION_PREFIX: &str = "atse1";
/// First characters of the code in a link that begins a session.
pub const LINK_PREFIX: &str = "atsl1";
const ID_CHARS: usize = 26;
const SECRET_CHARS: usize = 43;
const CHECKSUM_CHARS: usize = 6;
/// Characters of a key; divisible by four.
pub const KEY_CHARS: usize = PREFIX.len() + ID_CHARS + SECRET_CHARS + CHECKSUM_CHARS;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// SHA-256 of a key's secret: what is stored and compared.
#[derive(Clone, Copy)]
pub struct SecretHash(pub [u8; 32]);

impl SecretHash {
    /// The hash that unknown keys are compared with; no secret is known that yields it.
    pub const NONE: Self = Self([0; 32]);

    /// Returns the hash of a secret's text.
    pub fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }

    /// Compares in time that does not depend on where the hashes differ.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// A key as presented: its public id and the hash of its secret.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    /// The ULID of the key's id.
    pub public_id: &'a str,
    /// Hash of the presented secret.
    pub secret_hash: SecretHash,
}

/// Returns the key's text for a public id and 256 random bits.
pub fn mint(public_id: &str, random: &[u8; 32]) -> Secret {
    mint_as(PREFIX, public_id, random)
}

/// Like [`mint`], with another one of the prefixes.
pub fn mint_as(prefix: &str, public_id: &str, random: &[u8; 32]) -> Secret {
    debug_assert_eq!(prefix.len(), PREFIX.len(), "all forms have the same length");
    let mut text = String::with_capacity(KEY_CHARS);
    text.push_str(prefix);
    text.push_str(public_id);
    push_base62(random, SECRET_CHARS, &mut text);
    let checksum = checksum(&text);
    text.push_str(&checksum);
    Secret::new(text)
}

/// Reads a presented key; `None` when it is not of this form or its checksum is wrong.
pub fn parse(text: &str) -> Option<Presented<'_>> {
    parse_as(PREFIX, text)
}

/// Like [`parse`], with another one of the prefixes.
pub fn parse_as<'a>(prefix: &str, text: &'a str) -> Option<Presented<'a>> {
    if text.len() != KEY_CHARS || !text.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let (body, sum) = text.split_at(KEY_CHARS - CHECKSUM_CHARS);
    let rest = body.strip_prefix(prefix)?;
    if checksum(body) != sum {
        return None;
    }
    let (public_id, secret) = rest.split_at(ID_CHARS);
    Some(Presented { public_id, secret_hash: SecretHash::of(secret) })
}

fn checksum(body: &str) -> String {
    let digest = Sha256::digest(body.as_bytes());
    let mut out = String::with_capacity(CHECKSUM_CHARS);
    push_base62(&digest[..4], CHECKSUM_CHARS, &mut out);
    out
}

/// Appends `bytes`, read as one big-endian number, as exactly `chars` base 62 digits.
fn push_base62(bytes: &[u8], chars: usize, out: &mut String) {
    let mut number = bytes.to_vec();
    let mut digits = vec![0_u8; chars];
    for digit in digits.iter_mut().rev() {
        let mut remainder = 0_u32;
        for byte in &mut number {
            let value = remainder * 256 + u32::from(*byte);
            *byte = (value / 62) as u8;
            remainder = value % 62;
        }
        *digit = DIGITS[remainder as usize];
    }
    debug_assert!(number.iter().all(|b| *b == 0), "the number fits in {chars} digits");
    zeroize::Zeroize::zeroize(&mut number);
    out.extend(digits.iter().map(|d| char::from(*d)));
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

    #[test]
    fn a_key_is_letters_and_digits_and_valid_base64_by_length() {
        for fill in [0, 7, 255] {
            let key = mint(ID, &[fill; 32]);
            assert_eq!(key.reveal().len(), KEY_CHARS);
            assert_eq!(KEY_CHARS % 4, 0);
            assert!(key.reveal().bytes().all(|b| b.is_ascii_alphanumeric()));
        }
    }

    #[test]
    fn a_minted_key_parses_to_its_id_and_secret() {
        let key = mint(ID, &[9; 32]);
        let parsed = parse(key.reveal()).unwrap();
        assert_eq!(parsed.public_id, ID);
        let other = mint(ID, &[10; 32]);
        assert!(parsed.secret_hash.matches(&parse(key.reveal()).unwrap().secret_hash));
        assert!(!parsed.secret_hash.matches(&parse(other.reveal()).unwrap().secret_hash));
    }

    #[test]
    fn any_changed_character_is_refused() {
        let key = mint(ID, &[9; 32]);
        for at in 0..KEY_CHARS {
            let mut text = key.reveal().as_bytes().to_vec();
            text[at] = if text[at] == b'x' { b'y' } else { b'x' };
            assert!(parse(std::str::from_utf8(&text).unwrap()).is_none(), "position {at}");
        }
    }

    #[test]
    fn one_form_is_never_taken_for_another() {
        let prefixes = [PREFIX, SESSION_PREFIX, LINK_PREFIX];
        for made in prefixes {
            let secret = mint_as(made, ID, &[9; 32]);
            for read in prefixes {
                assert_eq!(parse_as(read, secret.reveal()).is_some(), made == read);
            }
        }
    }

    #[test]
    fn foreign_texts_are_refused() {
        for text in [
            "",
            "atsk1",
            "DEMO-KEY-16CHARS",
            &"é".repeat(40),
            &"a".repeat(80),
            &"a".repeat(100_000),
        ] {
            assert!(parse(text).is_none(), "{text:.20}");
        }
    }
}
