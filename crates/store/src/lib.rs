//! The only crate that touches durable data: journal, sealed segments, catalog and queries over them.
//!
//! An event is durable when its journal batch was synced; only then is it applied, visible and acknowledged.
//! The state of a partition is a deterministic fold over journal records ([`state`]); recovery reads the journal
//! through the very same `apply`. Sealing moves events from the journal to sorted Parquet segments and commits
//! segment, journal position and state in one catalog transaction.
//!
//! [`Store`] is the engine; everything else here is a part of it.

pub mod backup;
pub mod catalog;
pub mod check;
pub mod disk;
pub mod exports;
mod id_filter;
pub mod journal;
mod lease;
pub mod partition;
mod placement;
pub mod planted;
pub mod priority;
pub mod query;
pub mod record;
pub mod seam;
pub mod segment;
pub mod signing;
#[cfg(feature = "mutants")]
pub mod sim;
mod slots;
pub mod state;
pub mod store;
pub mod tail;

pub use catalog::Catalog;
pub use partition::{Outcome, Receipt};
pub use placement::PARTITIONS_MAX;
pub use query::{
    Axis, Division, Facet, FacetValue, Facets, Histogram, Order, Page, Reach, Remains,
    TooManyBuckets,
};
pub use seam::{Clock, Rng, SystemClock, SystemRng};
pub use segment::removed::Part;
pub use store::{
    AnchorHead, Counted, DeleteError, Disclosed, Epoch, FixedHead, Flow, HeadError, Health,
    Incarnation, LogHead, OpenError, ProveError, ReadError, RenewError, Renewals, Search, Settings,
    Store, SubmitError,
    removal::{Pick, Picker, Pickers, RemovalError, Rewritten, Sealed, SegmentFacts},
};
