//! Intake adapters: bytes of another system's audit log become native submissions.

pub mod cloudevents;
pub mod easysend;
pub mod fieldmap;
pub mod formio;
pub mod ironcore;
pub mod kubernetes;
pub mod otlp;
pub mod retraced;
pub mod syslog;
pub mod workos;

pub(crate) mod object;
