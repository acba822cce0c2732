//! How often epochs are made and who anchors them.

use std::{fmt::Write as _, time::Duration};

use attestary_delivery::{Secrets, destination::s3, errand::Url};
use attestary_ledger::{Policy, VerifierKey, policy::PolicyError};

/// Epochs and their anchors; checked by the caller.
#[derive(Debug, Clone)]
pub struct AnchorSettings {
    /// Time between two epochs; no epochs at all without it.
    pub epoch_every: Option<Duration>,
    /// Witnesses that are asked, and how many of them must answer.
    pub witnesses: Option<WitnessPolicy>,
    /// Waiting before a witness is asked a second time; twice as long before each further try.
    pub retry_pause: Duration,
    /// A time-stamping authority.
    pub stamps: Option<StampSettings>,
    /// A bucket that keeps checkpoints.
    pub keeping: Option<KeepSettings>,
}

impl Default for AnchorSettings {
    fn default() -> Self {
        Self {
            epoch_every: Some(Duration::from_mins(1)),
            witnesses: None,
            retry_pause: Duration::from_secs(1),
            stamps: None,
            keeping: None,
        }
    }
}

/// A time-stamping authority that speaks HTTP (RFC 3161 section 3.4).
#[derive(Debug, Clone)]
pub struct StampSettings {
    /// Where it is asked.
    pub url: Url,
    /// Time between two stamps.
    pub every: Duration,
    /// Certificates (PEM) that are trusted for the connection instead of the system's.
    pub ca: Option<String>,
}

/// A bucket, best one with Object Lock.
#[derive(Debug, Clone)]
pub struct KeepSettings {
    /// Bucket, lock and prefix.
    pub config: s3::Config,
    /// Its key.
    pub secrets: Secrets,
    /// Time between two objects.
    pub every: Duration,
}

/// The witnesses of the anchor log: a C2SP tlog-policy without logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessPolicy {
    lines: String,
    pub(super) witnesses: Vec<Witness>,
}

/// One witness that is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Witness {
    pub(super) name: String,
    pub(super) key: VerifierKey,
    /// `add-checkpoint` of its submission prefix.
    pub(super) url: Url,
}

/// Why a text is no policy of witnesses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadPolicy {
    /// No policy at all.
    #[error("it is not a policy")]
    Form(#[source] PolicyError),
    /// A log is named.
    #[error("it names a log: the anchor log is added by the service")]
    Log,
    /// Something would count without ever being asked.
    #[error("the witness {name} has no URL that begins with http:// or https://")]
    Url {
        /// Which one.
        name: String,
    },
    /// Nobody is asked, or nobody counts.
    #[error("it names no witness, or its quorum is none")]
    Empty,
}

impl WitnessPolicy {
    /// Reads a policy whose witnesses have URLs.
    pub fn parse(text: &str) -> Result<Self, BadPolicy> {
        let policy = Policy::parse(text.as_bytes()).map_err(BadPolicy::Form)?;
        if !policy.logs().is_empty() {
            return Err(BadPolicy::Log);
        }
        let witnesses = policy.witnesses().iter().map(|witness| {
            let name = String::from_utf8_lossy(&witness.name).into_owned();
            let url = witness.url.as_deref().and_then(|url| str::from_utf8(url).ok());
            let url = url.map(|url| format!("{}/add-checkpoint", url.trim_end_matches('/')));
            let url = url.and_then(|url| Url::parse(&url).ok());
            let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
            let url = url.ok_or_else(|| BadPolicy::Url { name: name.clone() })?;
            Ok(Witness { name, key: witness.key.clone(), url })
        });
        let witnesses = witnesses.collect::<Result<Vec<_>, _>>()?;
        if witnesses.is_empty() || policy.is_quorum(&[]) {
            return Err(BadPolicy::Empty);
        }
        // Comments of trust files would count in a trust file; the operator's own ones say nothing to others.
        let mut lines = String::new();
        for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            let _ = writeln!(lines, "{line}");
        }
        Ok(Self { lines, witnesses })
    }

    /// Returns the lines as they stand in trust files.
    pub(super) fn lines(&self) -> &str {
        &self.lines
    }
}

#[cfg(test)]
mod tests {
    use attestary_ledger::{Cosigner, NoteSigner};

    use super::*;

    fn key(name: &str) -> String {
        Cosigner::new(name, &[7; 32]).unwrap().verifier().to_string()
    }

    #[test]
    fn a_policy_names_witnesses_that_can_be_asked() {
        let witness = format!("witness w {} https://w.example.com/prefix/\n", key("w.example.com"));
        let policy = WitnessPolicy::parse(&format!("# ours\n\n{witness}quorum w\n")).unwrap();
        assert_eq!(policy.lines(), format!("{witness}quorum w\n"));
        let url = policy.witnesses[0].url.as_str();
        assert_eq!(url, "https://w.example.com/prefix/add-checkpoint");
        let refused = |text: &str| WitnessPolicy::parse(text).unwrap_err();
        assert!(matches!(refused("what\n"), BadPolicy::Form(_)));
        let log = NoteSigner::new("log", &[1; 32]).unwrap().verifier().to_string();
        assert_eq!(refused(&format!("log {log}\n{witness}quorum w\n")), BadPolicy::Log);
        assert_eq!(refused(&format!("{witness}quorum none\n")), BadPolicy::Empty);
        assert_eq!(refused("quorum none\n"), BadPolicy::Empty);
        for url in ["", " ftp://w.example.com/"] {
            let text = format!("witness w {}{url}\nquorum w\n", key("w"));
            assert_eq!(refused(&text), BadPolicy::Url { name: "w".into() });
        }
    }
}
