//! The keyed digest that tells a repeat from a different event under the same id.
//!
//! It covers the flattened submission, so that key order, white space and escape forms do not matter, before any
//! default is resolved, so that a repeat at another time is still the same. `id` and `tenant` are left out: they
//! are the identity under which the digest is compared, and a repeat may leave a default tenant away.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::Fields;

/// The secret under which submissions are digested; one for each installation.
#[derive(Clone)]
pub struct DigestKey(Hmac<Sha256>);

impl DigestKey {
    /// Returns the key made from 32 secret bytes.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes keys of any length"))
    }

    /// Returns the first 16 bytes of HMAC-SHA256 over the fields, each as
    /// `u32 pointer length ‖ pointer ‖ kind ‖ u32 value length ‖ value`, little-endian.
    ///
    /// What `buffer` holds is written over.
    pub(crate) fn digest(&self, fields: &Fields, buffer: &mut Vec<u8>) -> [u8; 16] {
        buffer.clear();
        buffer.reserve(fields.arena.len() + 9 * fields.len());
        for field in fields.iter().filter(|field| !matches!(field.pointer, "/id" | "/tenant")) {
            buffer.extend_from_slice(&(field.pointer.len() as u32).to_le_bytes());
            buffer.extend_from_slice(field.pointer.as_bytes());
            buffer.push(field.kind as u8);
            buffer.extend_from_slice(&(field.value.len() as u32).to_le_bytes());
            buffer.extend_from_slice(field.value.as_bytes());
        }
        let mac = self.0.clone().chain_update(&*buffer).finalize().into_bytes();
        let mut digest = [0; 16];
        digest.copy_from_slice(&mac[..16]);
        digest
    }
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestKey(…)")
    }
}
