//! Intake adapters: bytes of another system's audit log become native submissions.

pub mod formio;
pub mod ironcore;

pub(crate) mod object;
