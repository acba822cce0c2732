//! How a command ends: the exit code, and one message on standard error that names the thing and the next step.
//!
//! Codes are part of the command line's contract (`attestary --help` lists them): scripts branch on them.

use std::fmt;

/// Exit codes other than 0, in the order `--help` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Something unexpected: an unreadable file, a full disk, a bug.
    Failed = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// No server answered.
    Unreachable = 3,
    /// The server refused the request (4xx).
    Refused = 4,
    /// The server could not do it now (5xx).
    Unavailable = 5,
    /// A check found damage.
    Damaged = 6,
}

/// An error with the exit code it ends the process with, and what to do next.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
    hint: Option<String>,
}

impl Failure {
    /// Returns a failure without a hint.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: None }
    }

    /// Adds the next step, shown on its own line.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  next: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

/// Returns the exit code of an error: the one its `Failure` carries, else 1.
pub(crate) fn code_of(error: &anyhow::Error) -> u8 {
    error
        .chain()
        .find_map(|cause| cause.downcast_ref::<Failure>())
        .map_or(Exit::Failed, |failure| failure.exit) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_survives_added_context() {
        let error = anyhow::Error::from(Failure::new(Exit::Refused, "no")).context("while asking");
        assert_eq!(code_of(&error), 4);
        assert_eq!(code_of(&anyhow::anyhow!("plain")), 1);
    }

    #[test]
    fn the_hint_stands_on_its_own_line() {
        let failure = Failure::new(Exit::Usage, "no key was given").hint("pass --key");
        assert_eq!(failure.to_string(), "no key was given\n  next: pass --key");
    }
}
