//! Where text goes: data on standard output, talk on standard error.
//!
//! A reader that closes the pipe early (`attestary query … | head`) ends the process quietly.

use std::{
    io::{self, IsTerminal as _, Write as _},
    process,
};

/// Writes one line of data.
pub(crate) fn line(text: impl AsRef<str>) {
    let mut out = io::stdout().lock();
    let written = out
        .write_all(text.as_ref().as_bytes())
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush());
    if let Err(error) = written {
        process::exit(if error.kind() == io::ErrorKind::BrokenPipe { 0 } else { 1 });
    }
}

/// Writes one line of talk; a closed standard error is ignored, because there is nowhere left to say so.
pub(crate) fn talk(text: impl AsRef<str>) {
    let _ = writeln!(io::stderr().lock(), "{}", text.as_ref());
}

/// Returns true when talk is read by a person at a terminal.
pub(crate) fn is_interactive() -> bool {
    io::stderr().is_terminal()
}
