//! The event and its parts: ids, time, limits, the JSON scanner, flattened fields, the member table
//! and its validation, known actions, and the filter language.
//!
//! Pure data: nothing here does I/O, reads a clock or draws randomness. Other crates agree on the
//! meaning of an event through this one, so each rule about an event has one home here.

pub mod actions;
pub mod erase;
pub mod error;
pub mod event;
pub mod fields;
pub mod filter;
pub mod hidden;
pub mod id;
pub mod intake;
pub mod limits;
pub mod redact;
pub mod scan;
pub mod spec;
pub mod time;

pub use error::{ErrorKind, Violation};
pub use event::{Event, View};
pub use fields::{Field, Fields, Kind};
pub use hidden::Hidden;
pub use id::{EnvironmentId, EventId, TenantId};
pub use limits::Limits;
pub use time::Timestamp;
