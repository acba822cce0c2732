//! Independent parsers and other helpers of the tests; no production crate depends on it.

pub mod cef;
pub mod seeds;
