//! Links to finished exports: a token that opens one file for ten minutes, and nothing else.
//!
//! Base64url of `version ‖ expires_ms ‖ length of the export's id ‖ id ‖ principal ‖ mac (16)`. The link stands in a URL,
//! so it says who asked for it, and what is fetched with it is recorded in that name.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

const VERSION: u8 = 1;
const MAC_BYTES: usize = 16;
/// Longest token in characters: ids and principals have about 30 bytes each.
const TOKEN_CHARS_MAX: usize = 256;

/// What a token opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) expires_ms: u64,
    pub(super) export: String,
    /// Who asked for the link.
    pub(super) principal: String,
}

fn mac(key: &[u8; 32], body: &[u8]) -> [u8; MAC_BYTES] {
    let whole = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    let whole = whole.chain_update(body).finalize().into_bytes();
    let mut out = [0; MAC_BYTES];
    out.copy_from_slice(&whole[..MAC_BYTES]);
    out
}

impl Link {
    pub(super) fn encode(&self, key: &[u8; 32]) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.expires_ms.to_be_bytes());
        bytes.push(self.export.len() as u8);
        bytes.extend_from_slice(self.export.as_bytes());
        bytes.extend_from_slice(self.principal.as_bytes());
        let mac = mac(key, &bytes);
        bytes.extend_from_slice(&mac);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a token of ours; whether its time is over is the caller's question.
    pub(super) fn decode(token: &str, key: &[u8; 32]) -> Option<Self> {
        if token.len() > TOKEN_CHARS_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (body, given) = bytes.split_at_checked(bytes.len().checked_sub(MAC_BYTES)?)?;
        let genuine: bool = mac(key, body).as_slice().ct_eq(given).into();
        let (&version, rest) = body.split_first().filter(|_| genuine)?;
        let (expires, rest) = rest.split_first_chunk()?;
        let (&length, rest) = rest.split_first()?;
        let (export, principal) = rest.split_at_checked(usize::from(length))?;
        (version == VERSION).then_some(())?;
        Some(Self {
            expires_ms: u64::from_be_bytes(*expires),
            export: String::from_utf8(export.to_vec()).ok()?,
            principal: String::from_utf8(principal.to_vec()).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_read_back_and_every_changed_character_is_noticed() {
        let link = Link { expires_ms: 9, export: "exp_1".into(), principal: "key_7".into() };
        let token = link.encode(&[1; 32]);
        assert_eq!(Link::decode(&token, &[1; 32]), Some(link));
        assert_eq!(Link::decode(&token, &[2; 32]), None);
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(Link::decode(str::from_utf8(&changed).unwrap(), &[1; 32]), None, "{at}");
        }
        for text in ["", "A", "%%", &"A".repeat(300)] {
            assert_eq!(Link::decode(text, &[1; 32]), None);
        }
    }
}
