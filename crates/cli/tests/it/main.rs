//! Tests of the whole program, as its users start it.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests of the program read the environment, wait for processes, and fail where they stand"
)]

mod command_line;
mod data;
mod exports;
mod journal;
mod kill;
mod process;
