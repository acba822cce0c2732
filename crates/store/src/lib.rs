//! The only crate that touches durable data: journal, sealed segments, catalog and queries over them.
//!
//! An event is durable when its journal batch was synced; only then is it applied, visible and acknowledged.
//! The state of a partition is a deterministic fold over journal records ([`state`]); recovery reads the journal
//! through the very same `apply`. Sealing moves events from the journal to sorted Parquet segments and commits
//! segment, journal position and state in one catalog transaction.

pub mod catalog;
pub mod query;
pub mod record;
pub mod segment;
