//! Foreign forms of an event, in both directions, as pure functions.
//!
//! `intake` parses what other systems send and yields native submissions; the other modules encode accepted
//! events for destinations. The same event, version and options always give the same bytes.

pub mod cef;
pub mod format;
pub mod intake;
pub mod ironcore;
pub mod json;
pub mod syslog;

pub use format::Format;
