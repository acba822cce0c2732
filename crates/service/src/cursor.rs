//! Page cursors: opaque text that says where a search goes on, and that fits only the search it came from.
//!
//! Base64url of `version ‖ order ‖ seq ‖ search digest (8) ‖ mac (8)`. The digest covers what must not change
//! between pages (environment, tenant, filter, times); the mac makes a changed or invented cursor an error
//! instead of a wrong page. A cursor holds no rights: every page is authorised on its own.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

const VERSION: u8 = 1;
const BODY_BYTES: usize = 1 + 1 + 8 + 8;
const MAC_BYTES: usize = 8;

/// In which order a log is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Oldest first.
    Ascending,
    /// Newest first.
    Descending,
}

/// Where a search goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The order of the search.
    pub order: Order,
    /// The last seq that was seen; the next page begins behind it.
    pub seq: u64,
    /// Digest of the search.
    pub search: [u8; 8],
}

/// Why a cursor was refused.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CursorError {
    /// Not a cursor of this service.
    #[error("this is not a cursor of this service; use next_cursor exactly as it was given")]
    Malformed,
    /// A cursor of a newer release.
    #[error("the cursor has version {0}; start again without it")]
    Version(u8),
    /// A cursor of another search.
    #[error(
        "the cursor belongs to another search; tenant, filter, times and order must stay the same from page to page"
    )]
    OtherSearch,
}

/// The secret that cursors are signed with.
#[derive(Clone)]
pub struct CursorKey(Hmac<Sha256>);

impl CursorKey {
    /// Returns the key made from 32 secret bytes.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes keys of any length"))
    }

    fn mac(&self, body: &[u8]) -> [u8; MAC_BYTES] {
        let mac = self.0.clone().chain_update(body).finalize().into_bytes();
        let mut out = [0; MAC_BYTES];
        out.copy_from_slice(&mac[..MAC_BYTES]);
        out
    }
}

impl std::fmt::Debug for CursorKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CursorKey(hidden)")
    }
}

/// Returns the digest of the parts of a search that must not change between pages.
pub(crate) fn search_digest(parts: &[&str]) -> [u8; 8] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let mut out = [0; 8];
    out.copy_from_slice(&hash.finalize()[..8]);
    out
}

impl Cursor {
    /// Returns the text form.
    pub fn encode(&self, key: &CursorKey) -> String {
        let mut bytes = Vec::with_capacity(BODY_BYTES + MAC_BYTES);
        bytes.push(VERSION);
        bytes.push(u8::from(self.order == Order::Descending));
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.extend_from_slice(&self.search);
        let mac = key.mac(&bytes);
        bytes.extend_from_slice(&mac);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads the text form.
    pub fn decode(text: &str, key: &CursorKey) -> Result<Self, CursorError> {
        // 26 bytes are 35 characters; anything longer is not decoded at all.
        if text.len() > 64 {
            return Err(CursorError::Malformed);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError::Malformed)?;
        let Some((body, mac)) = bytes.split_at_checked(BODY_BYTES) else {
            return Err(CursorError::Malformed);
        };
        let genuine: bool = key.mac(body).as_slice().ct_eq(mac).into();
        if !genuine {
            return Err(CursorError::Malformed);
        }
        if body[0] != VERSION {
            return Err(CursorError::Version(body[0]));
        }
        let order = if body[1] == 1 { Order::Descending } else { Order::Ascending };
        let (mut seq, mut search) = ([0; 8], [0; 8]);
        seq.copy_from_slice(&body[2..10]);
        search.copy_from_slice(&body[10..18]);
        Ok(Self { order, seq: u64::from_be_bytes(seq), search })
    }

    /// Reads the text form of a cursor that must belong to this search.
    pub(crate) fn decode_for(
        text: &str,
        key: &CursorKey,
        order: Order,
        search: [u8; 8],
    ) -> Result<Self, CursorError> {
        let cursor = Self::decode(text, key)?;
        if cursor.order != order || cursor.search != search {
            return Err(CursorError::OtherSearch);
        }
        Ok(cursor)
    }
}

/// Returns the cursor of a list that is ordered by text; `list` names the list.
pub(crate) fn encode_text(list: &str, after: &str, key: &CursorKey) -> String {
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(&search_digest(&[list]));
    bytes.extend_from_slice(after.as_bytes());
    let mac = key.mac(&bytes);
    bytes.extend_from_slice(&mac);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads the cursor of a list that is ordered by text.
pub(crate) fn decode_text(list: &str, text: &str, key: &CursorKey) -> Result<String, CursorError> {
    // Version, digest, mac and an id of at most 128 bytes are 193 characters.
    if text.len() > 256 {
        return Err(CursorError::Malformed);
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError::Malformed)?;
    let body_bytes = bytes.len().checked_sub(MAC_BYTES).ok_or(CursorError::Malformed)?;
    let (body, mac) = bytes.split_at(body_bytes);
    let genuine: bool = key.mac(body).as_slice().ct_eq(mac).into();
    let Some((&version, rest)) = body.split_first().filter(|_| genuine) else {
        return Err(CursorError::Malformed);
    };
    if version != VERSION {
        return Err(CursorError::Version(version));
    }
    let Some((digest, after)) = rest.split_at_checked(8) else {
        return Err(CursorError::Malformed);
    };
    if digest != search_digest(&[list]) {
        return Err(CursorError::OtherSearch);
    }
    String::from_utf8(after.to_vec()).map_err(|_| CursorError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> CursorKey {
        CursorKey::new(&[3; 32])
    }

    fn cursor() -> Cursor {
        Cursor {
            order: Order::Descending,
            seq: 4_711,
            search: search_digest(&["production", "acme", ""]),
        }
    }

    #[test]
    fn a_cursor_is_read_back() {
        let text = cursor().encode(&key());
        assert_eq!(Cursor::decode(&text, &key()), Ok(cursor()));
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
    }

    #[test]
    fn every_changed_character_is_noticed() {
        let text = cursor().encode(&key());
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(Cursor::decode(&changed, &key()).is_err(), "position {at}");
        }
        assert!(Cursor::decode(&text, &CursorKey::new(&[4; 32])).is_err());
    }

    #[test]
    fn other_texts_are_no_cursors() {
        for text in ["", "a", "%%%", "null", &"A".repeat(35), &"A".repeat(10_000), "\u{1f600}"] {
            assert_eq!(Cursor::decode(text, &key()), Err(CursorError::Malformed), "{text:.20}");
        }
    }

    #[test]
    fn a_list_cursor_is_read_back_for_its_own_list_only() {
        let text = encode_text("tenants production", "acme/ä", &key());
        assert_eq!(decode_text("tenants production", &text, &key()).as_deref(), Ok("acme/ä"));
        assert_eq!(decode_text("tenants staging", &text, &key()), Err(CursorError::OtherSearch));
        assert_eq!(
            decode_text("tenants production", &text[1..], &key()),
            Err(CursorError::Malformed)
        );
        assert_eq!(decode_text("tenants production", "", &key()), Err(CursorError::Malformed));
        let event_cursor = cursor().encode(&key());
        assert_eq!(
            decode_text("tenants production", &event_cursor, &key()),
            Err(CursorError::OtherSearch)
        );
    }

    #[test]
    fn a_cursor_fits_only_its_own_search() {
        let text = cursor().encode(&key());
        let search = cursor().search;
        let check = |order, search, expected: Result<Cursor, CursorError>| {
            assert_eq!(Cursor::decode_for(&text, &key(), order, search), expected);
        };
        check(Order::Descending, search, Ok(cursor()));
        check(Order::Ascending, search, Err(CursorError::OtherSearch));
        check(
            Order::Descending,
            search_digest(&["production", "acm", "e"]),
            Err(CursorError::OtherSearch),
        );
    }
}
