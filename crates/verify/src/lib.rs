//! Verification of evidence without the service that made it: twelve checks over a bundle, against a trust file.
//!
//! No network, no clock, no files: the bundle comes from a reader, the present time and earlier heads are parameters. What
//! a bundle says about itself is never trusted; what the trust file demands and the bundle lacks is a failure. A check
//! that cannot be decided is never called good.
//!
//! | step | question | file |
//! |---|---|---|
//! | 0 | is this a bundle, whole, and nothing else? | [`container`], `seal`, [`manifest`] |
//! | 1, 2, 12 | is it the trusted log, signed by the key that was valid? | `notes` |
//! | 3 | do the tiles lead to the signed root? | `tiles` |
//! | 4, 5 | is every entry a leaf, and every payload its content? | `line`, `events` |
//! | 6 | is everything that is missing covered by an event of the same log? | `cover` |
//! | 7 | did the log only grow? | `history`, [`growth`] |
//! | 8 to 11 | is it anchored, when, how fresh, and what is not? | `anchor` |
//!
//! The ways in are [`bundle`], [`log()`] for a folder or server of tiles, [`proof_file`], [`certificate()`] and [`receipt()`]; each answers with a
//! [`Report`]. Byte-exact rules: docs/reference/exports.md and docs/decisions/0004.

#![forbid(unsafe_code)]

mod anchor;
mod certificate;
pub mod container;
mod cover;
mod events;
pub mod growth;
mod history;
mod line;
mod log;
pub mod manifest;
mod notes;
mod past;
mod receipt;
mod report;
mod seal;
mod stamped;
mod tiles;
mod verify;
mod write;

pub use attestary_ledger::{proof_file::PROOF_BYTES_MAX, slot_proof::SLOT_PROOF_BYTES_MAX};
pub use certificate::{CERTIFICATE_BYTES_MAX, certificate};
pub use growth::Growth;
pub use line::{parse_check as parse_line, write_fields, write_gone, write_whole};
pub use log::{LogFiles, log};
pub use manifest::Manifest;
pub use receipt::{RECEIPT_BYTES_MAX, proof_file, receipt};
pub use report::{Board, Outcome, Progress, Report, Step, StepName};
pub use seal::seal;
pub use tiles::needed as needed_tiles;
pub use verify::{AnchorFiles, Known, Options, bundle};
pub use write::BundleWriter;
