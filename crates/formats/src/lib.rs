//! Foreign forms of an event, in both directions, as pure functions.
//!
//! `intake` parses what other systems send and yields native submissions; the other modules encode accepted
//! events for destinations. The same event, version and options always give the same bytes.

pub mod asim;
pub mod cef;
pub mod certificate;
pub mod cloudevents;
pub mod csv;
pub mod easysend;
pub mod ecs;
pub mod format;
pub mod formio;
#[cfg(test)]
mod golden;
pub mod intake;
pub mod ironcore;
pub mod json;
pub mod leef;
pub mod ocsf;
pub mod otlp;
mod party;
pub mod product;
mod residue;
pub mod retraced;
mod shorten;
pub mod structured_data;
pub mod syslog;
pub mod template;
mod texts;
pub mod udm;

pub use format::Format;
