//! Values that must not be seen: their `Debug` hides them and their memory is wiped when they are dropped.
//!
//! They are kept apart from the configuration, because the service encrypts them at rest and never gives them back:
//! a webhook's signing secrets, and the values of its extra headers.

use std::{collections::BTreeMap, fmt};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

/// A text that is neither shown nor logged.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text itself: for the one reply that shows it, for encryption and for the wire.
    pub fn danger_reveal(&self) -> &str {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A signing secret of Standard Webhooks: `whsec_` and the base64 form of 24 to 64 bytes for the symmetric signature,
/// `whsk_` and the base64 form of an Ed25519 seed for the one that a public key verifies.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "Secret", into = "Secret")]
pub struct SigningSecret(Secret);

impl SigningSecret {
    const PREFIX: &str = "whsec_";
    const PAIR_PREFIX: &str = "whsk_";
    const PUBLIC_PREFIX: &str = "whpk_";
    const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

    /// Makes a secret from 32 random bytes.
    pub fn new(random: [u8; 32]) -> Self {
        Self(Secret(format!("{}{}", Self::PREFIX, STANDARD.encode(random))))
    }

    /// Makes the private key of a pair from 32 random bytes.
    pub fn new_pair(random: [u8; 32]) -> Self {
        Self(Secret(format!("{}{}", Self::PAIR_PREFIX, STANDARD.encode(random))))
    }

    /// Parses the text form; `None` unless it is canonical and has 24 to 64 bytes, or 32 for a pair.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(seed) = text.strip_prefix(Self::PAIR_PREFIX) {
            let seed = Zeroizing::new(STANDARD.decode(seed).ok()?);
            return (seed.len() == 32).then(|| Self(Secret::new(text)));
        }
        let key = Zeroizing::new(STANDARD.decode(text.strip_prefix(Self::PREFIX)?).ok()?);
        Self::BYTES.contains(&key.len()).then(|| Self(Secret::new(text)))
    }

    /// Returns the text form, for the create and rotate replies and for encryption.
    pub fn danger_reveal(&self) -> &str {
        self.0.danger_reveal()
    }

    /// Returns the public key (`whpk_…`) of a pair; `None` for a symmetric secret.
    pub fn public_key(&self) -> Option<String> {
        let (_, public) = self.signer()?;
        Some(public)
    }

    /// Returns what signs with a pair, and the text form of its public key.
    pub(crate) fn signer(&self) -> Option<(SigningKey, String)> {
        let seed = self.0.danger_reveal().strip_prefix(Self::PAIR_PREFIX)?;
        let seed = Zeroizing::new(STANDARD.decode(seed).ok()?);
        let seed = Zeroizing::new(<[u8; 32]>::try_from(&seed[..]).ok()?);
        let signer = SigningKey::from_bytes(&seed);
        let public = STANDARD.encode(signer.verifying_key().as_bytes());
        Some((signer, format!("{}{public}", Self::PUBLIC_PREFIX)))
    }

    /// Returns the symmetric key that signs.
    pub(crate) fn key(&self) -> Zeroizing<Vec<u8>> {
        let text = self.0.danger_reveal();
        let text = text.strip_prefix(Self::PREFIX).unwrap_or_default();
        Zeroizing::new(STANDARD.decode(text).expect("the text was decoded when it was parsed"))
    }
}

impl TryFrom<Secret> for SigningSecret {
    type Error = &'static str;

    fn try_from(secret: Secret) -> Result<Self, Self::Error> {
        Self::parse(secret.danger_reveal()).ok_or("not a signing secret of the form whsec_…")
    }
}

impl From<SigningSecret> for Secret {
    fn from(secret: SigningSecret) -> Self {
        secret.0
    }
}

/// Everything secret about one destination. Serialises to what the service encrypts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// Signing secrets, newest first. During a rotation both sign.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signing: Vec<SigningSecret>,
    /// Values of a webhook's extra headers, by lower-case name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Secret>,
    /// Tokens, keys and passwords by the name of their member in the configuration.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, Secret>,
}

impl Secrets {
    /// Returns secrets with names.
    pub fn named(values: impl IntoIterator<Item = (&'static str, Secret)>) -> Self {
        let values = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { values, ..Self::default() }
    }

    /// Returns the secret of a name.
    pub fn value(&self, name: &str) -> Option<&Secret> {
        self.values.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show_in_debug_output() {
        let secrets = Secrets {
            signing: vec![SigningSecret::new([7; 32])],
            headers: BTreeMap::from([("authorization".to_owned(), Secret::new("Bearer hush"))]),
            values: BTreeMap::from([("token".to_owned(), Secret::new("hush, token"))]),
        };
        let shown = format!("{secrets:?}");
        assert!(!shown.contains("hush") && !shown.contains("BwcH"), "{shown}");
        let stored = serde_json::to_string(&secrets).unwrap();
        assert_eq!(serde_json::from_str::<Secrets>(&stored).unwrap(), secrets);
    }

    #[test]
    fn a_signing_secret_has_24_to_64_bytes() {
        #[track_caller]
        fn check(bytes: usize, expected: bool) {
            let text = format!("whsec_{}", STANDARD.encode(vec![1; bytes]));
            assert_eq!(SigningSecret::parse(&text).is_some(), expected, "{bytes}");
        }
        check(23, false);
        check(24, true);
        check(64, true);
        check(65, false);
        assert_eq!(SigningSecret::parse("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), None);
        assert_eq!(SigningSecret::parse("whsec_!"), None);
    }

    #[test]
    fn a_pair_has_a_public_key_and_shows_no_private_one() {
        let pair = SigningSecret::new_pair([7; 32]);
        let public = pair.public_key().unwrap();
        assert!(public.starts_with("whpk_") && !public.contains("BwcH"), "{public}");
        assert_eq!(SigningSecret::parse(pair.danger_reveal()), Some(pair));
        assert_eq!(SigningSecret::parse(&format!("whsk_{}", STANDARD.encode([1; 31]))), None);
        assert_eq!(SigningSecret::new([7; 32]).public_key(), None);
    }
}
