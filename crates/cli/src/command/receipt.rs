//! `attestary receipt`: what a submitter kept, checked offline.

use std::path::PathBuf;

use attestary_store::{Clock as _, SystemClock};
use attestary_verify::{Options, RECEIPT_BYTES_MAX};
use clap::Subcommand;

use super::verify::{Anchor, TRUST_BYTES_MAX, ended, print, read_limited};

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
        #[command(flatten)]
        anchor: Anchor,
        /// Print the report as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub(crate) fn run(receipt: Receipt) -> anyhow::Result<()> {
    let Receipt::Check { file, trust, anchor, json } = receipt;
    let bytes = read_limited(&file, RECEIPT_BYTES_MAX as u64)?;
    let trust = trust.map(|trust| read_limited(&trust, TRUST_BYTES_MAX)).transpose()?;
    let now_ms = SystemClock::default().now_ms();
    let options = Options { anchor: anchor.files()?, now_ms, ..Options::default() };
    let report = attestary_verify::receipt(&bytes, trust.as_deref(), &options);
    print(&report, json);
    ended(&report)
}
