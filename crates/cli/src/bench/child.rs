//! The server under test: `attestary dev` of this same program, on a directory of its own, and its memory.

use std::{net::SocketAddr, path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, bail};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::credentials::Credentials;

/// How long the server may take to print that it is ready, recovery included.
const START_TIME_MAX: Duration = Duration::from_secs(60);

/// What the kernel counts processor time in (`USER_HZ`, 100 a second on every Linux).
pub(crate) const PROCESSOR_TICK: Duration = Duration::from_millis(10);

/// A running server; it is killed when this is dropped.
pub(crate) struct Server {
    child: Child,
    /// Url and keys, as the server printed them.
    pub(crate) credentials: Credentials,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts the server on `data` and waits until it is ready.
    pub(crate) async fn start(data: &Path) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let mut child = Command::new(program)
            .args(["dev", "--json", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the server under test")?;
        let stdout = child.stdout.take().context("the server has no output")?;
        let mut line = String::new();
        let mut lines = BufReader::new(stdout);
        tokio::time::timeout(START_TIME_MAX, lines.read_line(&mut line))
            .await
            .context("the server did not get ready")??;
        let credentials: Credentials =
            serde_json::from_str(&line).context("the server stopped before it was ready")?;
        let address = credentials
            .url
            .trim_start_matches("http://")
            .parse()
            .context("the server's URL has no address")?;
        Ok(Self { child, credentials, address })
    }

    /// Returns the most memory the server has held at once, in bytes (`VmHWM`).
    pub(crate) fn resident_bytes_max(&self) -> anyhow::Result<u64> {
        let process = self.child.id().context("the server has ended")?;
        let status = std::fs::read_to_string(format!("/proc/{process}/status"))
            .context("cannot read the server's memory")?;
        let Some(kibibytes) = high_water(&status) else {
            bail!("/proc/{process}/status has no VmHWM")
        };
        Ok(kibibytes * 1024)
    }

    /// Returns the memory that the server holds now, in bytes (`VmRSS`).
    pub(crate) fn resident_bytes(&self) -> anyhow::Result<u64> {
        let process = self.child.id().context("the server has ended")?;
        let status = std::fs::read_to_string(format!("/proc/{process}/status"))
            .context("cannot read the server's memory")?;
        kibibytes(&status, "VmRSS:").map(|count| count * 1024).context("no VmRSS")
    }

    /// Returns the processor time that the server has used, in whole [`PROCESSOR_TICK`]s.
    pub(crate) fn processor_time(&self) -> anyhow::Result<Duration> {
        let process = self.child.id().context("the server has ended")?;
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))
            .context("cannot read the server's time")?;
        // Behind the name, which may hold spaces, user and system time are the 12th and 13th word.
        let (_, words) = stat.rsplit_once(')').context("no name in stat")?;
        let words: Vec<&str> = words.split_whitespace().collect();
        let ticks = |at: usize| words.get(at).and_then(|word| word.parse::<u32>().ok());
        let (user, system) = ticks(11).zip(ticks(12)).context("no times in stat")?;
        Ok(PROCESSOR_TICK * user.saturating_add(system))
    }

    /// Returns how the server ended, when it did.
    pub(crate) fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok()??;
        Some(status.to_string())
    }

    /// Ends the server.
    pub(crate) async fn stop(mut self) {
        let _ = self.child.kill().await;
    }
}

fn high_water(status: &str) -> Option<u64> {
    kibibytes(status, "VmHWM:")
}

fn kibibytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_high_water_mark_is_read_from_the_kernels_text() {
        assert_eq!(high_water("Name:\tx\nVmPeak:\t 9 kB\nVmHWM:\t  123456 kB\n"), Some(123_456));
        assert_eq!(high_water("Name:\tx\n"), None);
    }
}
