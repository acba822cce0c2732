//! Bundles from outside: good ones verify, and every case of the negative corpus fails at the step that it concerns.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod containers;
mod corpus;
mod made;
mod past;
mod stamped;
