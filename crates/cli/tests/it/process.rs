//! The program under test as a child process that never outlives its test.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;

/// Returns a command that runs the program without any of the caller's own settings.
///
/// It is the one that Cargo built for this test, or the one that `ATTESTARY_BIN` names.
pub(crate) fn attestary() -> Command {
    let program =
        std::env::var_os("ATTESTARY_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_attestary").into());
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ATTESTARY") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// Runs the program to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    attestary().args(arguments).output().unwrap()
}

/// A running `attestary dev`.
pub(crate) struct Server {
    child: Child,
    /// What it printed once it was ready.
    pub(crate) facts: Value,
}

impl Server {
    /// Starts on a directory and waits for the line that says it is ready.
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    /// Starts with more options.
    pub(crate) fn start_with(data: &Path, options: &[&str]) -> Self {
        let mut child = attestary()
            .args(["dev", "--json", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let facts = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("the server did not get ready: {error}: {line:?}"));
        Self { child, facts }
    }

    /// Returns a member of what it printed.
    pub(crate) fn fact(&self, name: &str) -> &str {
        self.facts[name].as_str().unwrap()
    }

    /// Kills it as a power button would kill the process: no drain, no destructors.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
