//! `attestary receipt`: what a submitter kept, checked offline.

use std::path::PathBuf;

use attestary_verify::{Options, RECEIPT_BYTES_MAX};
use clap::Subcommand;

use super::verify::{TRUST_BYTES_MAX, ended, print, read_limited};

/// What can be done with receipts.
#[derive(Debug, Subcommand)]
pub(crate) enum Receipt {
    /// Compute the leaf of a full receipt again and check its proof (exit codes as for `verify`)
    Check {
        /// The receipt as the server answered it, submitted with receipt=full and wait=proof
        file: PathBuf,
        /// Trust file of the tenant's log; without it nobody can say whose signature the proof has
        #[arg(long, value_name = "FILE")]
        trust: Option<PathBuf>,
        /// Print the report as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub(crate) fn run(receipt: Receipt) -> anyhow::Result<()> {
    let Receipt::Check { file, trust, json } = receipt;
    let bytes = read_limited(&file, RECEIPT_BYTES_MAX as u64)?;
    let trust = trust.map(|trust| read_limited(&trust, TRUST_BYTES_MAX)).transpose()?;
    let report = attestary_verify::receipt(&bytes, trust.as_deref(), &Options::default());
    print(&report, json);
    ended(&report)
}
