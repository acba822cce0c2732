//! A witness of transparency logs: it cosigns the checkpoints of logs that it knows, each only when it is consistent with
//! the one before. Source: C2SP tlog-witness.
//!
//! It promises one thing: for no log and no size does it ever sign two roots, and what it signed last is on the disk before
//! the signature leaves the process. It needs no part of Attestary's server and shares no data with it; a customer runs
//! one to hold the operator to one history. It sees sizes and hashes, never events.
//!
//! | file | owns |
//! |---|---|
//! | `decide` | what a request is answered: pure |
//! | `book` | the last checkpoint of every log, on disk |
//! | `serve` | HTTP |

#![forbid(unsafe_code)]

mod book;
mod decide;
mod serve;

pub use attestary_ledger::{Cosigner, VerifierKey};
pub use book::{Book, BookError};
pub use decide::{Answer, decide};
pub use serve::{Witness, serve};
