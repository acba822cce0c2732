//! Time-stamps of checkpoints: the request to an authority, and what its reply says. Source: RFC 3161, in DER (X.690).
//!
//! A stamp covers the note text of a checkpoint with its final newline, without signatures; the imprint is SHA-256. Whether
//! the authority's signature and certificate hold is not judged here: `openssl ts -verify` and other tools do that, with
//! the authority's certificate, which a verifier must hold anyway.

use sha2::{Digest as _, Sha256};

use crate::Hash;

/// Media type of a request.
pub const REQUEST_TYPE: &str = "application/timestamp-query";
/// Media type of a reply.
pub const REPLY_TYPE: &str = "application/timestamp-reply";
/// Longest reply: a token with a chain of certificates has some 6 KB.
pub const REPLY_BYTES_MAX: usize = 64 * 1024;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OBJECT: u8 = 0x06;
const TIME: u8 = 0x18;
/// `[0] EXPLICIT`.
const TAGGED_0: u8 = 0xa0;

/// AlgorithmIdentifier of SHA-256 with NULL parameters, as authorities expect it.
const SHA256: [u8; 15] =
    [0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00];
/// Object identifier of SHA-256: 2.16.840.1.101.3.4.2.1.
const SHA256_ID: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
/// pkcs7-signedData: 1.2.840.113549.1.7.2.
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// id-ct-TSTInfo: 1.2.840.113549.1.9.16.1.4.
const TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];

/// Returns the request for a stamp of a note text, which asks for the authority's certificate too. The first bit of the
/// nonce is cleared, so that it is a positive number.
pub fn request(text: &str, nonce: [u8; 8]) -> Vec<u8> {
    let imprint: Hash = Sha256::digest(text.as_bytes()).into();
    let imprint = value(SEQUENCE, &[&SHA256[..], &value(OCTETS, &imprint)].concat());
    let nonce = value(INTEGER, &positive(nonce));
    let body = [&[INTEGER, 1, 1][..], &imprint, &nonce, &[0x01, 1, 0xff]].concat();
    value(SEQUENCE, &body)
}

/// What a stamp says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// When the authority saw the text: `YYYYMMDDhhmmss[.f]Z`, as it stands in the token.
    pub time: String,
}

/// Reads a reply to [`request`] and checks that it grants a stamp of this text, and of this request when the nonce is given.
pub fn check(reply: &[u8], text: &str, nonce: Option<[u8; 8]>) -> Result<Stamp, StampError> {
    if reply.len() > REPLY_BYTES_MAX {
        return Err(StampError::Form);
    }
    let mut reply = Reader(reply);
    let mut response = reply.only(SEQUENCE)?;
    let mut status = response.next(SEQUENCE)?;
    match status.next(INTEGER)?.0 {
        [0 | 1] => {}
        [code] => return Err(StampError::Refused { status: *code }),
        _ => return Err(StampError::Form),
    }
    let mut token = response.next(SEQUENCE)?;
    response.end()?;
    token.object(SIGNED_DATA)?;
    let mut signed = token.next(TAGGED_0)?.only(SEQUENCE)?;
    signed.next(INTEGER)?;
    signed.next(SET)?;
    let mut content = signed.next(SEQUENCE)?;
    content.object(TST_INFO)?;
    let mut info = content.next(TAGGED_0)?.only(OCTETS)?.only(SEQUENCE)?;
    info.next(INTEGER)?;
    info.next(OBJECT)?;
    let mut imprint = info.next(SEQUENCE)?;
    imprint.next(SEQUENCE)?.object(SHA256_ID)?;
    let expected: Hash = Sha256::digest(text.as_bytes()).into();
    if imprint.next(OCTETS)?.0 != expected {
        return Err(StampError::Imprint);
    }
    info.next(INTEGER)?;
    let time = info.next(TIME)?.0;
    let time = str::from_utf8(time).ok().filter(|time| is_time(time)).ok_or(StampError::Form)?;
    if let Some(nonce) = nonce {
        // Accuracy and ordering may stand before it.
        let found = loop {
            let (tag, value) = info.any().map_err(|_| StampError::Nonce)?;
            if tag == INTEGER {
                break value;
            }
        };
        if found != positive(nonce) {
            return Err(StampError::Nonce);
        }
    }
    Ok(Stamp { time: time.to_owned() })
}

fn is_time(time: &str) -> bool {
    let Some(digits) = time.strip_suffix('Z') else { return false };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let decimal = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    whole.len() == 14 && decimal(whole) && decimal(part) && part.len() <= 9
}

/// Returns the shortest two's complement of a positive number.
fn positive(mut nonce: [u8; 8]) -> Vec<u8> {
    nonce[0] &= 0x7f;
    let zeros = nonce.iter().take_while(|byte| **byte == 0).count().min(7);
    let short = &nonce[zeros..];
    if short[0] & 0x80 == 0 { short.to_vec() } else { [&[0], short].concat() }
}

fn value(tag: u8, body: &[u8]) -> Vec<u8> {
    // Nothing of a request is longer than this.
    debug_assert!(body.len() < 128);
    [&[tag, body.len() as u8], body].concat()
}

/// DER values one after the other; lengths are definite and as short as can be.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn any(&mut self) -> Result<(u8, &'a [u8]), StampError> {
        let [tag, first, rest @ ..] = self.0 else { return Err(StampError::Form) };
        // Tags of more than one byte do not occur.
        if tag & 0x1f == 0x1f {
            return Err(StampError::Form);
        }
        let (length, rest) = match *first {
            short @ 0..=0x7f => (usize::from(short), rest),
            0x81 => match rest {
                [length @ 0x80..=0xff, rest @ ..] => (usize::from(*length), rest),
                _ => return Err(StampError::Form),
            },
            0x82 => match rest {
                [high @ 1..=0xff, low, rest @ ..] => {
                    (usize::from(*high) << 8 | usize::from(*low), rest)
                }
                _ => return Err(StampError::Form),
            },
            _ => return Err(StampError::Form),
        };
        let (value, rest) = rest.split_at_checked(length).ok_or(StampError::Form)?;
        self.0 = rest;
        Ok((*tag, value))
    }

    fn next(&mut self, tag: u8) -> Result<Self, StampError> {
        match self.any()? {
            (found, value) if found == tag => Ok(Reader(value)),
            _ => Err(StampError::Form),
        }
    }

    /// The one value that there is.
    fn only(&mut self, tag: u8) -> Result<Self, StampError> {
        let value = self.next(tag)?;
        self.end()?;
        Ok(value)
    }

    fn object(&mut self, id: &[u8]) -> Result<(), StampError> {
        if self.next(OBJECT)?.0 == id { Ok(()) } else { Err(StampError::Form) }
    }

    fn end(&self) -> Result<(), StampError> {
        if self.0.is_empty() { Ok(()) } else { Err(StampError::Form) }
    }
}

/// Why a reply is no stamp of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StampError {
    /// No reply of RFC 3161 in DER.
    #[error("the bytes are no time-stamp reply")]
    Form,
    /// The authority refused.
    #[error("the authority refused with status {status}")]
    Refused { status: u8 },
    /// A stamp of something else.
    #[error("the stamp is of another text")]
    Imprint,
    /// A stamp of another request.
    #[error("the stamp answers another request")]
    Nonce,
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "audit.example.com/anchor\n3\nx\n";

    /// Long values, as a reply has them.
    fn long(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = match body.len() {
            short @ 0..=0x7f => vec![short as u8],
            middle @ 0x80..=0xff => vec![0x81, middle as u8],
            long => vec![0x82, (long >> 8) as u8, long as u8],
        };
        [&[tag], &length[..], body].concat()
    }

    fn reply(status: u8, text: &str, nonce: [u8; 8], padding: usize) -> Vec<u8> {
        let imprint: Hash = Sha256::digest(text.as_bytes()).into();
        let info = [
            &[INTEGER, 1, 1][..],
            &value(OBJECT, &[0x2a, 3, 4]),
            &value(SEQUENCE, &[&SHA256[..], &value(OCTETS, &imprint)].concat()),
            &[INTEGER, 1, 7],
            &value(TIME, b"20261122153000Z"),
            &value(SEQUENCE, &[INTEGER, 1, 1]),
            &value(INTEGER, &positive(nonce)),
        ];
        let content = long(TAGGED_0, &long(OCTETS, &long(SEQUENCE, &info.concat())));
        let content = long(SEQUENCE, &[value(OBJECT, TST_INFO), content].concat());
        let signed = [&[INTEGER, 1, 3, SET, 0][..], &content, &long(SET, &vec![0; padding])];
        let signed = long(TAGGED_0, &long(SEQUENCE, &signed.concat()));
        let token = long(SEQUENCE, &[value(OBJECT, SIGNED_DATA), signed].concat());
        long(SEQUENCE, &[value(SEQUENCE, &[INTEGER, 1, status]), token].concat())
    }

    #[test]
    fn a_request_is_what_openssl_makes() {
        // `printf 'x\n' | openssl ts -query -sha256 -cert` with the nonce 0x0102030405060708.
        let made = request("x\n", [1, 2, 3, 4, 5, 6, 7, 8]);
        let hex: String = made.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "30430201013031300d060960864801650304020105000420\
             73cb3858a687a8494ca3323053016282f3dad39d42cf62ca4e79dda2aac7d9ac\
             020801020304050607080101ff"
        );
    }

    #[test]
    fn a_stamp_is_of_the_text_and_the_request() {
        for (nonce, padding) in [([0; 8], 0), ([0xff; 8], 3_000), ([0, 0, 0, 0, 0, 0, 0, 0x80], 99)]
        {
            let good = reply(0, TEXT, nonce, padding);
            let stamp = Stamp { time: "20261122153000Z".into() };
            assert_eq!(check(&good, TEXT, Some(nonce)), Ok(stamp.clone()));
            assert_eq!(check(&good, TEXT, None), Ok(stamp));
            assert_eq!(check(&good, "other\n", Some(nonce)), Err(StampError::Imprint));
            assert_eq!(check(&good, TEXT, Some([1; 8])), Err(StampError::Nonce));
            let refused = reply(2, TEXT, nonce, padding);
            assert_eq!(check(&refused, TEXT, Some(nonce)), Err(StampError::Refused { status: 2 }));
            for end in 0..good.len() {
                assert!(check(&good[..end], TEXT, None).is_err(), "cut at {end}");
            }
            assert!(check(&[&good[..], &[0]].concat(), TEXT, None).is_err());
        }
    }
}
