//! Tests of the whole program, as its users start it.

#![expect(
    clippy::disallowed_methods,
    reason = "tests of the program read the environment and wait for processes"
)]

mod command_line;
mod journal;
mod kill;
mod process;
