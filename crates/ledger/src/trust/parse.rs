//! Reading the lines of a trust file that a policy reader takes for comments.

use super::{KeyEpoch, TrustFile};
use crate::{
    Policy, VerifierKey,
    key::check_name,
    policy::{POLICY_BYTES_MAX, PolicyError},
    text,
};

/// Why a file is no trust file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("trust file line {line}")]
pub struct TrustError {
    /// Counted from 1; 0 when the fault is not in one line.
    pub line: usize,
    /// What is wrong there.
    #[source]
    pub reason: TrustReason,
}

/// What is wrong with a trust file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustReason {
    /// The file is no policy.
    #[error("the file is not a trust policy")]
    Policy {
        /// Why.
        source: PolicyError,
    },
    /// The first of our lines is not the version.
    #[error("the first line is not #attestary trust v1")]
    Version,
    /// An unknown word, or words missing or superfluous, or malformed.
    #[error("the line is malformed")]
    Line,
    /// A second tenant, anchor or age, or a second line for a key.
    #[error("the line stands twice")]
    Twice,
    /// No tenant line.
    #[error("the tenant line is missing")]
    Tenant,
    /// A tenant or anchor without a log line.
    #[error("no log line has the origin {origin}")]
    NoLog { origin: String },
    /// The key stands on no log line.
    #[error("the key is on no log line")]
    NoKey,
    /// A log with several keys, one of which has no epoch.
    #[error("each of several keys of {origin} needs an epoch")]
    NoEpoch { origin: String },
    /// Epochs and first sizes of a log's keys do not rise together.
    #[error("the key epochs of {origin} do not rise with their first sizes")]
    EpochOrder { origin: String },
    /// An age without an anchor.
    #[error("an age needs an anchor")]
    Age,
}

#[derive(Default)]
struct Lines {
    version: bool,
    tenant: Option<(String, u64)>,
    anchor: Option<String>,
    age_s_max: Option<u64>,
    keys: Vec<KeyEpoch>,
}

pub(super) fn parse(bytes: &[u8]) -> Result<TrustFile, TrustError> {
    let whole = |reason| TrustError { line: 0, reason };
    let policy = Policy::parse(bytes).map_err(|source| whole(TrustReason::Policy { source }))?;
    debug_assert!(bytes.len() <= POLICY_BYTES_MAX, "the policy's limit is the file's");
    let mut lines = Lines::default();
    for (position, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let line = line.trim_ascii_start();
        if line.starts_with(b"#attestary") {
            let at_line = |reason| TrustError { line: position + 1, reason };
            lines.line(line, &policy).map_err(at_line)?;
        }
    }
    lines.finish(policy).map_err(whole)
}

impl Lines {
    fn line(&mut self, line: &[u8], policy: &Policy) -> Result<(), TrustReason> {
        let line = str::from_utf8(line).map_err(|_| TrustReason::Line)?;
        let words: Vec<_> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
        if !self.version {
            self.version = words == ["#attestary", "trust", "v1"];
            return if self.version { Ok(()) } else { Err(TrustReason::Version) };
        }
        match words.as_slice() {
            ["#attestary", "tenant", origin, slot] => {
                set(&mut self.tenant, (name(origin)?, number(slot)?))
            }
            ["#attestary", "anchor", origin] => set(&mut self.anchor, name(origin)?),
            ["#attestary", "age", seconds] => set(&mut self.age_s_max, number(seconds)?),
            ["#attestary", "key", vkey, epoch, first_size] => {
                self.key(vkey, epoch, first_size, policy)
            }
            _ => Err(TrustReason::Line),
        }
    }

    fn key(
        &mut self,
        vkey: &str,
        epoch: &str,
        first_size: &str,
        policy: &Policy,
    ) -> Result<(), TrustReason> {
        let key = VerifierKey::parse(vkey).map_err(|_| TrustReason::Line)?;
        let log = policy.logs().iter().position(|log| log.key == key).ok_or(TrustReason::NoKey)?;
        if self.keys.iter().any(|other| other.log == log) {
            return Err(TrustReason::Twice);
        }
        let epoch = number(epoch)?.try_into().map_err(|_| TrustReason::Line)?;
        self.keys.push(KeyEpoch { log, epoch, first_size: number(first_size)? });
        Ok(())
    }

    fn finish(mut self, policy: Policy) -> Result<TrustFile, TrustReason> {
        let (origin, slot) = self.tenant.ok_or(TrustReason::Tenant)?;
        if self.age_s_max.is_some() && self.anchor.is_none() {
            return Err(TrustReason::Age);
        }
        self.keys.sort_by_key(|key| key.epoch);
        for origin in [Some(&origin), self.anchor.as_ref()].into_iter().flatten() {
            check_keys(origin, &self.keys, &policy)?;
        }
        let Self { anchor, keys, age_s_max, .. } = self;
        Ok(TrustFile { policy, origin, slot, anchor, keys, age_s_max })
    }
}

/// Checks that a log has a key, and that several keys have epochs in order. `keys` is sorted by epoch.
fn check_keys(origin: &str, keys: &[KeyEpoch], policy: &Policy) -> Result<(), TrustReason> {
    let named = |log: usize| policy.logs()[log].key.name() == origin;
    let of_log: Vec<_> = keys.iter().filter(|key| named(key.log)).collect();
    let count = (0..policy.logs().len()).filter(|&log| named(log)).count();
    if count == 0 {
        return Err(TrustReason::NoLog { origin: origin.into() });
    }
    if count > 1 && of_log.len() < count {
        return Err(TrustReason::NoEpoch { origin: origin.into() });
    }
    let rising = |pair: &[&KeyEpoch; 2]| {
        pair[0].epoch < pair[1].epoch && pair[0].first_size < pair[1].first_size
    };
    if !of_log.array_windows().all(rising) {
        return Err(TrustReason::EpochOrder { origin: origin.into() });
    }
    Ok(())
}

fn set<T>(place: &mut Option<T>, value: T) -> Result<(), TrustReason> {
    if place.is_some() {
        return Err(TrustReason::Twice);
    }
    *place = Some(value);
    Ok(())
}

fn name(word: &str) -> Result<String, TrustReason> {
    check_name(word).map_err(|_| TrustReason::Line)?;
    Ok(word.into())
}

fn number(word: &str) -> Result<u64, TrustReason> {
    text::decimal(word).ok_or(TrustReason::Line)
}
