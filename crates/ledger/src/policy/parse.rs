//! Reading a policy file line by line.

use std::collections::HashMap;

use super::{Group, MEMBERS_MAX, Member, POLICY_BYTES_MAX, Policy, PolicyLog, PolicyWitness};
use crate::{KeyError, KeyKind, VerifierKey, text};

/// The name that stands for no quorum; nothing may be called so.
const NONE: &[u8] = b"none";

/// Why a file is no policy, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("policy line {line}")]
pub struct PolicyError {
    /// Counted from 1; the line after the last one when something is missing.
    pub line: usize,
    /// What is wrong there.
    #[source]
    pub reason: PolicyReason,
}

/// What is wrong with a policy line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyReason {
    /// The file is too long.
    #[error("the file is longer than {limit} bytes")]
    TooLong { limit: usize },
    /// The last line has no newline.
    #[error("the last line has no newline")]
    Newline,
    /// A control character other than tab.
    #[error("a control character")]
    Control,
    /// The first word is unknown.
    #[error("a line begins with log, witness, group, quorum or #")]
    Keyword,
    /// A word is missing or superfluous.
    #[error("too few or too many words")]
    Words,
    /// The key is no usable `vkey`.
    #[error("the key is refused")]
    Key {
        /// Why.
        source: KeyError,
    },
    /// A witness's key must make cosignatures.
    #[error("a witness has a cosignature key")]
    Kind,
    /// The same public key twice among the logs or among the witnesses.
    #[error("the public key stands on an earlier line")]
    SameKey,
    /// The name is taken, or is `none`.
    #[error("the name is taken")]
    Name,
    /// The name is not defined on an earlier line.
    #[error("the name is not defined on an earlier line")]
    Unknown,
    /// The name is a member of a group already.
    #[error("the name is a member of a group already")]
    Member,
    /// The threshold is not `all`, `any` or a decimal from 1 to the number of members.
    #[error("the threshold is all, any, or a number from 1 to that of the members")]
    Threshold,
    /// A second quorum line.
    #[error("a second quorum")]
    SecondQuorum,
    /// No quorum line.
    #[error("the quorum is missing")]
    NoQuorum,
    /// More than the limit of logs, witnesses or groups.
    #[error("more than {limit} of a kind")]
    TooMany { limit: usize },
}

pub(super) fn parse(bytes: &[u8]) -> Result<Policy, PolicyError> {
    if bytes.len() > POLICY_BYTES_MAX {
        let reason = PolicyReason::TooLong { limit: POLICY_BYTES_MAX };
        return Err(PolicyError { line: 1, reason });
    }
    let mut parser = Parser::default();
    let mut line = 0;
    for text in bytes.split_inclusive(|&byte| byte == b'\n') {
        line += 1;
        let parsed = match text.strip_suffix(b"\n") {
            Some(text) => parser.line(text),
            None => Err(PolicyReason::Newline),
        };
        parsed.map_err(|reason| PolicyError { line, reason })?;
    }
    match parser.quorum {
        Some(quorum) => Ok(Policy {
            logs: parser.logs,
            witnesses: parser.witnesses,
            groups: parser.groups,
            quorum,
        }),
        None => Err(PolicyError { line: line + 1, reason: PolicyReason::NoQuorum }),
    }
}

#[derive(Default)]
struct Parser<'a> {
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    groups: Vec<Group>,
    quorum: Option<Option<Member>>,
    /// Every defined name, and whether a group has it as a member.
    names: HashMap<&'a [u8], (Member, bool)>,
}

impl<'a> Parser<'a> {
    fn line(&mut self, line: &'a [u8]) -> Result<(), PolicyReason> {
        if line.iter().any(|&byte| byte == 0x7f || byte < b' ' && byte != b'\t') {
            return Err(PolicyReason::Control);
        }
        let spaced = |byte: &u8| *byte == b' ' || *byte == b'\t';
        let words: Vec<_> = line.split(spaced).filter(|word| !word.is_empty()).collect();
        match words.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with(b"#") => Ok(()),
            [b"log", key, url @ ..] => self.log(key, url),
            [b"witness", name, key, url @ ..] => self.witness(name, key, url),
            [b"group", name, threshold, members @ ..] => self.group(name, threshold, members),
            [b"quorum", name] => self.quorum(name),
            [b"log" | b"witness" | b"group" | b"quorum", ..] => Err(PolicyReason::Words),
            _ => Err(PolicyReason::Keyword),
        }
    }

    fn log(&mut self, key: &[u8], url: &[&[u8]]) -> Result<(), PolicyReason> {
        let (key, url) = (parse_key(key)?, optional(url)?);
        if self.logs.iter().any(|log| log.key.public() == key.public()) {
            return Err(PolicyReason::SameKey);
        }
        check_room(self.logs.len())?;
        self.logs.push(PolicyLog { key, url });
        Ok(())
    }

    fn witness(&mut self, name: &'a [u8], key: &[u8], url: &[&[u8]]) -> Result<(), PolicyReason> {
        let (key, url) = (parse_key(key)?, optional(url)?);
        if key.kind() != KeyKind::Cosignature {
            return Err(PolicyReason::Kind);
        }
        if self.witnesses.iter().any(|witness| witness.key.public() == key.public()) {
            return Err(PolicyReason::SameKey);
        }
        check_room(self.witnesses.len())?;
        self.define(name, Member::Witness(self.witnesses.len()))?;
        self.witnesses.push(PolicyWitness { name: name.into(), key, url });
        Ok(())
    }

    fn group(
        &mut self,
        name: &'a [u8],
        threshold: &[u8],
        words: &[&'a [u8]],
    ) -> Result<(), PolicyReason> {
        let mut members = Vec::with_capacity(words.len());
        for &word in words {
            let (member, taken) = self.names.get_mut(word).ok_or(PolicyReason::Unknown)?;
            if std::mem::replace(taken, true) {
                return Err(PolicyReason::Member);
            }
            members.push(*member);
        }
        let threshold = parse_threshold(threshold, members.len())?;
        check_room(self.groups.len())?;
        self.define(name, Member::Group(self.groups.len()))?;
        self.groups.push(Group { threshold, members });
        Ok(())
    }

    fn quorum(&mut self, name: &[u8]) -> Result<(), PolicyReason> {
        if self.quorum.is_some() {
            return Err(PolicyReason::SecondQuorum);
        }
        let member = match name {
            NONE => None,
            _ => Some(self.names.get(name).ok_or(PolicyReason::Unknown)?.0),
        };
        self.quorum = Some(member);
        Ok(())
    }

    fn define(&mut self, name: &'a [u8], member: Member) -> Result<(), PolicyReason> {
        if name == NONE || self.names.contains_key(name) {
            return Err(PolicyReason::Name);
        }
        self.names.insert(name, (member, false));
        Ok(())
    }
}

fn parse_key(word: &[u8]) -> Result<VerifierKey, PolicyReason> {
    let refused = |source| PolicyReason::Key { source };
    let word = str::from_utf8(word).map_err(|_| refused(KeyError::Form))?;
    VerifierKey::parse(word).map_err(refused)
}

fn parse_threshold(word: &[u8], count: usize) -> Result<usize, PolicyReason> {
    let threshold = match word {
        b"all" => Some(count),
        b"any" => Some(1),
        _ => str::from_utf8(word).ok().and_then(text::decimal).and_then(|k| k.try_into().ok()),
    };
    threshold.filter(|k| (1..=count).contains(k)).ok_or(PolicyReason::Threshold)
}

fn optional(words: &[&[u8]]) -> Result<Option<Vec<u8>>, PolicyReason> {
    match words {
        [] => Ok(None),
        [word] => Ok(Some(word.to_vec())),
        _ => Err(PolicyReason::Words),
    }
}

fn check_room(count: usize) -> Result<(), PolicyReason> {
    if count < MEMBERS_MAX { Ok(()) } else { Err(PolicyReason::TooMany { limit: MEMBERS_MAX }) }
}
