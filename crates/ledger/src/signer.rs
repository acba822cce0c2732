//! Signing keys: a log's own key over note texts, and a witness's key over checkpoints.
//!
//! Every log has a key of its own, derived from one master secret, so that nothing but the master must be kept. The
//! secret bytes are overwritten when a signer is dropped.

use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey};
use hkdf::Hkdf;
use sha2::Sha256;

use crate::{
    cosignature,
    key::{KeyError, KeyKind, VerifierKey, key_id},
    note::Signature,
};

/// Domain of derived keys; frozen.
const DERIVATION: &[u8] = b"attestary tenant key v1";

/// Signs note texts (kind 0x01).
#[derive(Clone)]
pub struct NoteSigner {
    verifier: VerifierKey,
    secret: SigningKey,
}

impl NoteSigner {
    /// Returns the signer of a 32-byte Ed25519 seed.
    pub fn new(name: &str, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let (verifier, secret) = key_pair(name, KeyKind::Note, seed)?;
        Ok(Self { verifier, secret })
    }

    /// Returns the signer of a log's checkpoints, whose key name is the log's origin.
    ///
    /// The seed is `HKDF-SHA256(ikm = master, salt = empty, info = "attestary tenant key v1" ‖ u16 len(origin) ‖ origin
    /// ‖ u32 key_epoch)`, 32 bytes (RFC 5869). Key epochs count from 0.
    pub fn derive(master: &[u8; 32], origin: &str, key_epoch: u32) -> Result<Self, KeyError> {
        Self::new(origin, &derived_seed(master, origin, key_epoch))
    }

    /// Returns the public half.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Returns the signature over a note text, which ends in a newline.
    pub fn sign(&self, text: &str) -> Signature {
        signature(&self.verifier, self.secret.sign(text.as_bytes()).to_bytes().to_vec())
    }
}

/// Cosigns checkpoints (kind 0x04).
#[derive(Clone)]
pub struct Cosigner {
    verifier: VerifierKey,
    secret: SigningKey,
}

impl Cosigner {
    /// Returns the signer of a 32-byte Ed25519 seed. One key serves one cosigner: the message does not hold its name.
    pub fn new(name: &str, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let (verifier, secret) = key_pair(name, KeyKind::Cosignature, seed)?;
        Ok(Self { verifier, secret })
    }

    /// Returns the public half.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Returns the cosignature of a checkpoint's note text at a POSIX time in seconds; `None` beyond 2^63 - 1.
    ///
    /// It states that no larger consistent tree of this log was seen until then.
    pub fn cosign(&self, text: &str, time_s: u64) -> Option<Signature> {
        let message = cosignature::message(time_s, text)?;
        let signed = self.secret.sign(message.as_bytes()).to_bytes();
        Some(signature(&self.verifier, [time_s.to_be_bytes().as_slice(), &signed].concat()))
    }
}

fn signature(verifier: &VerifierKey, bytes: Vec<u8>) -> Signature {
    Signature { name: verifier.name().into(), id: verifier.id(), bytes }
}

fn key_pair(
    name: &str,
    kind: KeyKind,
    seed: &[u8; 32],
) -> Result<(VerifierKey, SigningKey), KeyError> {
    let secret = SigningKey::from_bytes(seed);
    let verifier = VerifierKey::new(name, kind, secret.verifying_key().as_bytes())?;
    debug_assert_eq!(verifier.id(), key_id(name, kind, verifier.public()));
    Ok((verifier, secret))
}

fn derived_seed(master: &[u8; 32], origin: &str, key_epoch: u32) -> [u8; 32] {
    // A name that does not fit is refused by the key that is made from the seed.
    let length = (origin.len() as u16).to_be_bytes();
    let info = [DERIVATION, &length, origin.as_bytes(), &key_epoch.to_be_bytes()];
    let mut seed = [0; 32];
    Hkdf::<Sha256>::new(None, master)
        .expand_multi_info(&info, &mut seed)
        .expect("HKDF-SHA256 gives up to 8,160 bytes");
    seed
}

/// Shows the public half only.
impl fmt::Debug for NoteSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NoteSigner").field(&self.verifier).finish()
    }
}

/// Shows the public half only.
impl fmt::Debug for Cosigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cosigner").field(&self.verifier).finish()
    }
}
