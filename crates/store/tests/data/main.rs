//! Checks and backups of whole data directories.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod backup;
mod check;
mod golden;
