//! SCRAM without channel binding (RFC 5802, RFC 7677), the client's side: pure; the nonce is a parameter.
//!
//! The server is believed only when it proves that it knows the password too. Its number of iterations is bounded,
//! because it costs our time.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{digest, hmac, pbkdf2};
use std::num::NonZeroU32;
use zeroize::Zeroizing;

use super::Mechanism;

/// Iterations that are done for a server. Kafka's usual number is 4,096, and its most is 16,384.
const ITERATIONS: std::ops::RangeInclusive<u32> = 4_096..=200_000;
/// Longest message of a server that is looked at.
const MESSAGE_BYTES_MAX: usize = 4_096;

/// Why a login failed, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The message does not follow the mechanism.
    #[error("the broker does not keep to the mechanism")]
    Malformed,
    /// It asks for too few or too many iterations.
    #[error("the broker asks for fewer than 4096 or more than 200000 iterations")]
    Iterations,
    /// It does not know the password.
    #[error("the broker cannot prove that it knows the password")]
    Impostor,
}

/// A login that is under way.
pub struct Scram {
    algorithm: pbkdf2::Algorithm,
    hmac: hmac::Algorithm,
    digest: &'static digest::Algorithm,
    nonce: String,
    first: String,
}

/// What ends a login.
#[derive(Debug)]
pub struct Final {
    /// The client's last message.
    pub message: String,
    /// What the server must answer.
    expected: String,
}

impl Scram {
    /// Begins a login. `nonce` is 18 or more random bytes in base64.
    pub fn new(mechanism: Mechanism, user: &str, nonce: String) -> Self {
        let (algorithm, hmac, digest) = match mechanism {
            Mechanism::ScramSha512 => {
                (pbkdf2::PBKDF2_HMAC_SHA512, hmac::HMAC_SHA512, &digest::SHA512)
            }
            _ => (pbkdf2::PBKDF2_HMAC_SHA256, hmac::HMAC_SHA256, &digest::SHA256),
        };
        let user = user.replace('=', "=3D").replace(',', "=2C");
        let first = format!("n={user},r={nonce}");
        Self { algorithm, hmac, digest, nonce, first }
    }

    /// Returns the client's first message.
    pub fn first(&self) -> String {
        format!("n,,{}", self.first)
    }

    /// Answers the server's first message. Takes milliseconds of computing.
    pub fn answer(&self, server: &[u8], password: &str) -> Result<Final, Problem> {
        let server = text(server)?;
        let mut parts = server.split(',');
        let mut part = |name: &str| {
            parts.next().and_then(|part| part.strip_prefix(name)).ok_or(Problem::Malformed)
        };
        let (nonce, salt, iterations) = (part("r=")?, part("s=")?, part("i=")?);
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err(Problem::Malformed);
        }
        let salt = STANDARD.decode(salt).map_err(|_| Problem::Malformed)?;
        let iterations: u32 = iterations.parse().map_err(|_| Problem::Malformed)?;
        let iterations = Some(iterations).filter(|count| ITERATIONS.contains(count));
        let iterations = iterations.and_then(NonZeroU32::new).ok_or(Problem::Iterations)?;
        let mut salted = Zeroizing::new(vec![0; self.digest.output_len()]);
        pbkdf2::derive(self.algorithm, iterations, &salt, password.as_bytes(), &mut salted);
        let salted = hmac::Key::new(self.hmac, &salted);
        let without_proof = format!("c=biws,r={nonce}");
        let signed = format!("{},{server},{without_proof}", self.first);
        let client_key = hmac::sign(&salted, b"Client Key");
        let stored_key = digest::digest(self.digest, client_key.as_ref());
        let signature =
            hmac::sign(&hmac::Key::new(self.hmac, stored_key.as_ref()), signed.as_bytes());
        let proof: Vec<u8> =
            client_key.as_ref().iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
        let server_key = hmac::sign(&salted, b"Server Key");
        let expected =
            hmac::sign(&hmac::Key::new(self.hmac, server_key.as_ref()), signed.as_bytes());
        Ok(Final {
            message: format!("{without_proof},p={}", STANDARD.encode(proof)),
            expected: format!("v={}", STANDARD.encode(expected.as_ref())),
        })
    }
}

impl Final {
    /// Checks the server's last message.
    pub fn check(&self, server: &[u8]) -> Result<(), Problem> {
        let server = text(server)?;
        let signature = server.split(',').next().unwrap_or_default();
        if signature == self.expected { Ok(()) } else { Err(Problem::Impostor) }
    }
}

fn text(message: &[u8]) -> Result<&str, Problem> {
    if message.len() > MESSAGE_BYTES_MAX {
        return Err(Problem::Malformed);
    }
    std::str::from_utf8(message).map_err(|_| Problem::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677, section 3.
    #[test]
    fn the_published_exchange_is_made() {
        let nonce = "rOprNGfwEbeRWgbNEkqO".to_owned();
        let scram = Scram::new(Mechanism::ScramSha256, "user", nonce);
        assert_eq!(scram.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let server = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let last = scram.answer(server, "pencil").unwrap();
        assert_eq!(
            last.message,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert_eq!(last.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), Ok(()));
        assert_eq!(last.check(b"v=AAAA"), Err(Problem::Impostor));
        assert_eq!(last.check(b"e=invalid-proof"), Err(Problem::Impostor));
    }

    #[test]
    fn a_server_that_does_not_keep_to_it_is_refused() {
        let scram = Scram::new(Mechanism::ScramSha512, "a,b=c", "abc".to_owned());
        assert_eq!(scram.first(), "n,,n=a=2Cb=3Dc,r=abc");
        for (message, problem) in [
            (&b"r=abc,s=AAAA,i=4096"[..], Problem::Malformed),
            (b"r=xyzd,s=AAAA,i=4096", Problem::Malformed),
            (b"r=abcd,s=AAAA,i=1", Problem::Iterations),
            (b"r=abcd,s=AAAA,i=4000000000", Problem::Iterations),
            (b"r=abcd,s=?,i=4096", Problem::Malformed),
            (b"m=x,r=abcd,s=AAAA,i=4096", Problem::Malformed),
            (b"\xff", Problem::Malformed),
        ] {
            assert_eq!(scram.answer(message, "p").unwrap_err(), problem, "{message:?}");
        }
    }
}
