//! Encryption of a payload for keys that only its receivers hold: age files and JSON Web Encryption.
//!
//! Both are written only, never read, with `ring`'s primitives: <https://age-encryption.org/v1> with X25519 recipients, and RFC
//! 7516 in compact form with ECDH-ES (RFC 7518, 4.6; RFC 8037) and A256GCM. Every attempt is encrypted anew. What
//! cannot be encrypted is `None`, never plain text.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use ring::{
    aead::{AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey},
    agreement::{self, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral},
    digest, hkdf, hmac,
    rand::{SecureRandom as _, SystemRandom},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Plain bytes in one chunk of an age file.
const CHUNK: usize = 64 * 1024;

/// A receiver's public key for age: `age1…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Recipient {
    text: String,
    key: [u8; 32],
}

impl TryFrom<String> for Recipient {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match bech32(&text, "age").and_then(|key| key.try_into().ok()) {
            Some(key) => Ok(Self { text, key }),
            None => Err("is not a public key of age (age1…, X25519)"),
        }
    }
}

impl From<Recipient> for String {
    fn from(recipient: Recipient) -> Self {
        recipient.text
    }
}

/// A receiver's public key for JWE, as a JWK: `{"kty": "OKP", "crv": "X25519", "x": …}`, or P-256 with `x` and `y`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Jwk", into = "Jwk")]
pub struct PublicKey {
    jwk: Jwk,
    point: Vec<u8>,
}

/// The members of a JWK that are looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Jwk {
    kty: String,
    crv: String,
    x: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alg: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "use")]
    usage: Option<String>,
}

impl TryFrom<Jwk> for PublicKey {
    type Error = &'static str;

    fn try_from(jwk: Jwk) -> Result<Self, Self::Error> {
        let coordinate = |text: Option<&String>| {
            let bytes = text.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
            bytes
                .filter(|bytes| bytes.len() == 32)
                .ok_or("has a coordinate that is not 32 bytes in base64url")
        };
        let point = match (jwk.kty.as_str(), jwk.crv.as_str()) {
            ("OKP", "X25519") => coordinate(Some(&jwk.x))?,
            ("EC", "P-256") => {
                let mut point = vec![4];
                point.extend(coordinate(Some(&jwk.x))?);
                point.extend(coordinate(jwk.y.as_ref())?);
                point
            }
            _ => return Err("must be of kty OKP with crv X25519, or of kty EC with crv P-256"),
        };
        if jwk.kid.as_ref().is_some_and(|kid| kid.len() > 256) {
            return Err("has a kid of more than 256 bytes");
        }
        let key = Self { jwk, point };
        // A point that is not on the curve is found by using it.
        key.agree().ok_or("is not a point of its curve")?;
        Ok(key)
    }
}

impl From<PublicKey> for Jwk {
    fn from(key: PublicKey) -> Self {
        key.jwk
    }
}

impl PublicKey {
    fn algorithm(&self) -> &'static agreement::Algorithm {
        if self.jwk.crv == "X25519" { &agreement::X25519 } else { &agreement::ECDH_P256 }
    }

    /// Returns an ephemeral public key and the secret shared with the receiver.
    fn agree(&self) -> Option<(Vec<u8>, Zeroizing<Vec<u8>>)> {
        agree(self.algorithm(), &self.point)
    }

    /// Returns the compact form: header, no encrypted key, nonce, text and tag.
    pub(super) fn encrypt(&self, plain: &[u8], content_type: &str) -> Option<Vec<u8>> {
        let (point, shared) = self.agree()?;
        let epk = if self.jwk.crv == "X25519" {
            serde_json::json!({"kty": "OKP", "crv": "X25519", "x": URL_SAFE_NO_PAD.encode(&point)})
        } else {
            let (x, y) = point.get(1..)?.split_at_checked(32)?;
            let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
            serde_json::json!({"kty": "EC", "crv": "P-256", "x": x, "y": y})
        };
        let mut header = serde_json::json!({"alg": "ECDH-ES", "enc": "A256GCM", "cty": content_type, "epk": epk});
        if let Some(kid) = &self.jwk.kid {
            header["kid"] = kid.as_str().into();
        }
        let mut text = URL_SAFE_NO_PAD.encode(header.to_string());
        let key = concat_kdf(&shared, "A256GCM", "", "", 256);
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key[..]).ok()?);
        let nonce = random::<12>()?;
        let mut sealed = plain.to_vec();
        let aad = Aad::from(text.as_bytes());
        let tag = key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed)
            .ok()?;
        for part in [&[][..], &nonce, &sealed, tag.as_ref()] {
            text.push('.');
            URL_SAFE_NO_PAD.encode_string(part, &mut text);
        }
        Some(text.into_bytes())
    }
}

/// A key of at most 256 bits from a shared secret (NIST SP 800-56A, Concat KDF; RFC 7518, 4.6.2): one round of SHA-256.
fn concat_kdf(shared: &[u8], enc: &str, from: &str, to: &str, bits: u32) -> Zeroizing<Vec<u8>> {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(&1_u32.to_be_bytes());
    hash.update(shared);
    for name in [enc, from, to] {
        hash.update(&(name.len() as u32).to_be_bytes());
        hash.update(name.as_bytes());
    }
    hash.update(&bits.to_be_bytes());
    let mut key = Zeroizing::new(hash.finish().as_ref().to_vec());
    key.truncate(bits as usize / 8);
    key
}

/// Returns an age file that each of the recipients can open.
pub(super) fn age(plain: &[u8], recipients: &[Recipient]) -> Option<Vec<u8>> {
    let file_key = Zeroizing::new(random::<16>()?);
    let mut out = b"age-encryption.org/v1\n".to_vec();
    for recipient in recipients {
        let (point, shared) = agree(&agreement::X25519, &recipient.key)?;
        let salt = [&point[..], &recipient.key].concat();
        let wrapping = derive(&salt, &shared, b"age-encryption.org/v1/X25519")?;
        let mut wrapped = file_key.to_vec();
        chacha(&wrapping)?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key([0; 12]),
                Aad::empty(),
                &mut wrapped,
            )
            .ok()?;
        let (point, wrapped) = (STANDARD_NO_PAD.encode(point), STANDARD_NO_PAD.encode(wrapped));
        out.extend_from_slice(format!("-> X25519 {point}\n{wrapped}\n").as_bytes());
    }
    out.extend_from_slice(b"---");
    let mac = derive(&[], &file_key[..], b"header")?;
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &mac[..]), &out);
    out.extend_from_slice(format!(" {}\n", STANDARD_NO_PAD.encode(mac)).as_bytes());
    let nonce = random::<16>()?;
    out.extend_from_slice(&nonce);
    let payload_key = derive(&nonce, &file_key[..], b"payload")?;
    let key = chacha(&payload_key)?;
    let count = plain.len().div_ceil(CHUNK).max(1);
    for index in 0..count {
        let chunk = &plain[index * CHUNK..plain.len().min((index + 1) * CHUNK)];
        let mut nonce = [0; 12];
        nonce[3..11].copy_from_slice(&(index as u64).to_be_bytes());
        nonce[11] = u8::from(index + 1 == count);
        let mut sealed = chunk.to_vec();
        key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::empty(),
            &mut sealed,
        )
        .ok()?;
        out.extend_from_slice(&sealed);
    }
    Some(out)
}

fn agree(
    algorithm: &'static agreement::Algorithm,
    peer: &[u8],
) -> Option<(Vec<u8>, Zeroizing<Vec<u8>>)> {
    let private = EphemeralPrivateKey::generate(algorithm, &SystemRandom::new()).ok()?;
    let public = private.compute_public_key().ok()?.as_ref().to_vec();
    let peer = UnparsedPublicKey::new(algorithm, peer);
    let shared = agree_ephemeral(private, &peer, |shared| Zeroizing::new(shared.to_vec())).ok()?;
    Some((public, shared))
}

fn chacha(key: &[u8; 32]) -> Option<LessSafeKey> {
    Some(LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).ok()?))
}

/// HKDF with SHA-256 to 32 bytes.
fn derive(salt: &[u8], secret: &[u8], info: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
        .extract(secret)
        .expand(&[info], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut key[..]))
        .ok()?;
    Some(key)
}

fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes)
}

/// Returns the bytes of a Bech32 text (BIP 173) with this prefix, in lower case.
fn bech32(text: &str, prefix: &str) -> Option<Vec<u8>> {
    const ALPHABET: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let data = text.strip_prefix(prefix)?.strip_prefix('1')?;
    if data.len() > 200 {
        return None;
    }
    let values: Option<Vec<u8>> = data
        .bytes()
        .map(|byte| ALPHABET.iter().position(|known| *known == byte).map(|at| at as u8))
        .collect();
    let values = values?;
    let expanded = prefix.bytes().map(|byte| byte >> 5).chain([0]);
    let expanded =
        expanded.chain(prefix.bytes().map(|byte| byte & 31)).chain(values.iter().copied());
    if polymod(expanded) != 1 {
        return None;
    }
    let (mut out, mut buffer, mut bits) = (Vec::new(), 0_u32, 0);
    for value in &values[..values.len().checked_sub(6)?] {
        buffer = (buffer << 5) | u32::from(*value);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            out.push((buffer >> bits) as u8);
            buffer &= (1 << bits) - 1;
        }
    }
    (bits < 5 && buffer == 0).then_some(out)
}

fn polymod(values: impl Iterator<Item = u8>) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    values.fold(1, |sum, value| {
        let top = sum >> 25;
        let sum = ((sum & 0x01ff_ffff) << 5) ^ u32::from(value);
        GENERATOR
            .iter()
            .enumerate()
            .filter(|(bit, _)| (top >> bit) & 1 == 1)
            .fold(sum, |sum, (_, generator)| sum ^ generator)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The recipient of the specification's examples.
    const RECIPIENT: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

    #[test]
    fn recipients_are_read_and_mistakes_seen() {
        let read = Recipient::try_from(RECIPIENT.to_owned()).unwrap();
        assert_eq!(String::from(read), RECIPIENT);
        for bad in [
            "",
            "age1",
            "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwq",
            "AGE1ZVKYG2LQZRAA2LNJVQEJ32NKUU0UES2S82HZRYE869XEEXVN73EQUNUJWJ",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        ] {
            assert!(Recipient::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    /// The example of RFC 7518, appendix C.
    #[test]
    fn keys_are_derived_as_published() {
        let shared = [
            158, 86, 217, 29, 129, 113, 53, 211, 114, 131, 66, 131, 191, 132, 38, 156, 251, 49,
            110, 163, 218, 128, 106, 72, 246, 218, 167, 121, 140, 254, 144, 196,
        ];
        let key = concat_kdf(&shared, "A128GCM", "Alice", "Bob", 128);
        assert_eq!(
            key[..],
            [86, 170, 141, 234, 248, 35, 109, 32, 92, 34, 40, 205, 113, 167, 16, 26]
        );
    }

    #[test]
    fn an_age_file_has_the_specified_shape() {
        let recipient = Recipient::try_from(RECIPIENT.to_owned()).unwrap();
        for length in [0, 1, CHUNK, CHUNK + 1] {
            let file = age(&vec![7; length], std::slice::from_ref(&recipient)).unwrap();
            let head = file.windows(5).position(|part| part == b"\n--- ").unwrap();
            let text = std::str::from_utf8(&file[..head]).unwrap();
            assert!(text.starts_with("age-encryption.org/v1\n-> X25519 "), "{text}");
            let body = file.len() - (head + 5 + 43 + 1) - 16;
            assert_eq!(body, length + 16 * length.div_ceil(CHUNK).max(1));
        }
    }

    #[test]
    fn keys_that_are_none_are_refused() {
        #[track_caller]
        fn check(jwk: serde_json::Value, expected: bool) {
            assert_eq!(serde_json::from_value::<PublicKey>(jwk.clone()).is_ok(), expected, "{jwk}");
        }
        let good = "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4";
        let y = "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM";
        check(serde_json::json!({"kty": "EC", "crv": "P-256", "x": good, "y": y}), true);
        check(serde_json::json!({"kty": "EC", "crv": "P-256", "x": good, "y": good}), false);
        check(serde_json::json!({"kty": "EC", "crv": "P-256", "x": good}), false);
        check(serde_json::json!({"kty": "OKP", "crv": "X25519", "x": good}), true);
        check(serde_json::json!({"kty": "OKP", "crv": "X25519", "x": "AAAA"}), false);
        check(serde_json::json!({"kty": "OKP", "crv": "X25519", "x": good, "d": good}), false);
        check(serde_json::json!({"kty": "RSA", "crv": "", "x": good}), false);
    }
}
