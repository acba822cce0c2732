//! Delivery: a tenant's log, sent to the tenant's own systems, in order and at least once.
//!
//! A **destination** is a cursor over one log, a configuration, and two pure functions: `request` makes a request of
//! a batch, `judge` makes a verdict of a reply. The **engine** is a state machine without I/O that decides what the
//! verdict means for cursor, batch and schedule. The **driver** is one task per destination that reads, sends, saves
//! and tells the engine what happened. The **guard** stands before every connection.
//!
//! There is no queue and no spool: the log is the buffer. An event is confirmed, tried again for as long as it is
//! retained, set aside with a record, or covered by the record of a gap; it is never dropped. A destination that is
//! down or slow costs a timer and slows nothing else.
//!
//! The service hands in what delivery needs of the world as traits (`ports`), and speaks to a destination's task
//! through a [`Handle`].

pub mod attempt;
pub mod batch;
pub mod checkpoint;
pub mod destination;
pub mod diagnosis;
mod driver;
pub mod engine;
pub mod errand;
pub mod guard;
pub mod health;
pub mod id;
pub mod ports;
pub mod preview;
pub mod receipt;
mod replay;
pub mod schedule;
pub mod secret;
mod spec;
pub mod state;
mod tls;
mod transport;
pub mod verdict;

pub use attempt::Attempt;
pub use batch::{Batch, BatchLimits, Kind, Record};
pub use destination::{DestinationConfig, Limits, ManagedBy};
pub use diagnosis::{Diagnosis, Stage};
pub use driver::{Components, Handle, Status, Stopped, spawn};
pub use guard::{Allow, Guard, Host, Network, Owner, Policy, Proxy, Resolver};
pub use health::{Cause, Health, Notice, Phase, Reason};
pub use id::{AttemptId, DestinationId, ReplayId};
pub use ports::{Clock, Facts, Gap, Log, Memory, Output, Quarantined, ReadError, Rng, SaveError};
pub use receipt::Receipt;
pub use replay::Stretch;
pub use secret::{Secret, Secrets, SigningSecret};
pub use spec::Spec;
pub use state::{Start, State};
pub use transport::LineWriter;
