//! The peer: PostgreSQL with a jsonb table and five indexes, given the same batches by COPY.
//!
//! `psql` does the talking, one process per connection, fed through a pipe; one COPY is one durable transaction
//! (`synchronous_commit` stays on). With `ATTESTARY_BENCH_POSTGRES` a server of one's own is used, in a schema that
//! is dropped afterwards; else a throw-away server is made in a temporary directory and removed with it.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use tokio::{io::AsyncWriteExt as _, process::Command, task::JoinSet};

use super::{
    ingest::{Reached, asked},
    load::{Dice, Prepared},
};

/// The name under which the peer's figures are printed.
pub(crate) const NAME: &str = "postgresql";

/// Where Debian keeps server programs, newest first when sorted.
const DEBIAN_PROGRAMS: &str = "/usr/lib/postgresql";

/// The account that Debian's package makes; a PostgreSQL server refuses to run as root.
const DEBIAN_USER: &str = "postgres";

const SCHEMA: &str = "
drop schema if exists attestary_bench cascade;
create schema attestary_bench;
create table attestary_bench.event (
  seq bigserial, tenant text not null, id uuid not null, received_at timestamptz not null default now(),
  actor text not null, action text not null, target text not null, body jsonb not null);
create unique index on attestary_bench.event (tenant, id);
create index on attestary_bench.event (tenant, seq);
create index on attestary_bench.event (tenant, actor, seq);
create index on attestary_bench.event (tenant, action, seq);
create index on attestary_bench.event (tenant, target, seq);
";

/// A PostgreSQL server to compare with.
pub(crate) struct Postgres {
    connection: String,
    /// The throw-away server's directory and how to stop it; `None` for a server of the user's own.
    own: Option<(PathBuf, PathBuf)>,
}

impl Postgres {
    /// Uses the server that `connection` names, or starts a throw-away one under `directory`.
    pub(crate) async fn open(connection: Option<String>, directory: &Path) -> anyhow::Result<Self> {
        let server = match connection {
            Some(connection) => Self { connection, own: None },
            None => Self::start(directory).await?,
        };
        server.script(SCHEMA).await.context("cannot make the peer's table")?;
        Ok(server)
    }

    async fn start(directory: &Path) -> anyhow::Result<Self> {
        let programs = server_programs()?;
        let home = directory.join("postgresql");
        std::fs::create_dir_all(&home)?;
        let as_user = is_root().then_some(DEBIAN_USER);
        if let Some(user) = as_user {
            // The server's account must reach its own directory, and only pass through the one above.
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o711))?;
            run(Command::new("chown").args(["-R", user]).arg(&home)).await?;
        }
        let data = home.join("data");
        run(program(as_user, &programs.join("initdb"))
            .args(["-A", "trust", "-U", "bench", "-D"])
            .arg(&data))
        .await?;
        let options =
            format!("-c listen_addresses='' -c unix_socket_directories='{}'", home.display());
        run(program(as_user, &programs.join("pg_ctl"))
            .args(["-w", "-s", "-l"])
            .arg(home.join("log"))
            .arg("-D")
            .arg(&data)
            .args(["-o", &options, "start"]))
        .await?;
        let connection = format!("host={} user=bench dbname=postgres", home.display());
        Ok(Self { connection, own: Some((programs, data)) })
    }

    /// Drops what was made, and stops the throw-away server.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        let Some((programs, data)) = &self.own else {
            return self.script("drop schema attestary_bench cascade;").await.map(drop);
        };
        let as_user = is_root().then_some(DEBIAN_USER);
        run(program(as_user, &programs.join("pg_ctl"))
            .args(["-s", "-m", "immediate", "-D"])
            .arg(data)
            .arg("stop"))
        .await
    }

    /// Copies batches over `connections` connections until `time` is over or `events` rows are in.
    pub(crate) async fn copy(
        &self,
        connections: usize,
        batch: usize,
        time: Duration,
        events: u64,
        seed: u64,
    ) -> anyhow::Result<Reached> {
        let started = Instant::now();
        let share = events / connections as u64;
        let mut running = JoinSet::new();
        for number in 0..connections {
            let psql = self.psql().stdin(Stdio::piped()).spawn().context("cannot start psql")?;
            let dice = Dice::new(seed.wrapping_add(number as u64));
            running.spawn(feed(psql, batch, started, time, share, dice));
        }
        let mut sent = 0;
        while let Some(ended) = running.join_next().await {
            sent += ended.context("a connection's task failed")??;
        }
        Ok(Reached { events: sent, elapsed: started.elapsed() })
    }

    /// Asks `count` times for the newest 50 events of an actor; returns the sorted times in milliseconds.
    pub(crate) async fn newest_by_actor(
        &self,
        count: usize,
        seed: u64,
    ) -> anyhow::Result<Vec<f64>> {
        self.script("vacuum analyze attestary_bench.event;").await?;
        let mut script = String::from("\\o /dev/null\n\\timing on\n");
        for facts in asked(count, seed) {
            script.push_str(&format!(
                "select body from attestary_bench.event where tenant = '{}' and actor = '{}' order by seq desc limit 50;\n",
                facts.tenant, facts.actor
            ));
        }
        let output = self.script(&script).await?;
        let mut times: Vec<f64> = output
            .lines()
            .filter_map(|line| line.strip_prefix("Time: ")?.split(' ').next()?.parse().ok())
            .collect();
        ensure!(times.len() >= count, "psql printed {} times for {count} queries", times.len());
        times.sort_by(f64::total_cmp);
        Ok(times)
    }

    /// Returns the bytes of table and indexes for each event.
    pub(crate) async fn bytes_per_event(&self) -> anyhow::Result<f64> {
        let size = "\\pset tuples_only on\nselect pg_total_relation_size('attestary_bench.event')::float8 / greatest(count(*), 1) from attestary_bench.event;";
        let output = self.script(size).await?;
        output.trim().parse().with_context(|| format!("psql printed {output:?} for a size"))
    }

    fn psql(&self) -> Command {
        let mut command = Command::new("psql");
        command
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &self.connection])
            .stdout(Stdio::null())
            .kill_on_drop(true);
        command
    }

    async fn script(&self, script: &str) -> anyhow::Result<String> {
        let mut psql = self
            .psql()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start psql")?;
        let mut stdin = psql.stdin.take().context("psql has no input")?;
        let script = script.to_owned();
        let writing = tokio::spawn(async move { stdin.write_all(script.as_bytes()).await });
        let output = psql.wait_with_output().await?;
        writing.await.context("psql's input")??;
        ensure!(output.status.success(), "psql: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// Feeds one psql: a COPY per batch. The pipe is small, so what was written is nearly what was committed; the
/// clock stops when psql has ended, hence after the last commit.
async fn feed(
    mut psql: tokio::process::Child,
    batch: usize,
    started: Instant,
    time: Duration,
    share: u64,
    mut dice: Dice,
) -> anyhow::Result<u64> {
    let mut stdin = psql.stdin.take().context("psql has no input")?;
    let mut requests: Vec<Prepared> = (0..4).map(|_| Prepared::new(batch, "", &mut dice)).collect();
    let (mut sent, count) = (0, requests.len());
    while started.elapsed() < time && sent < share {
        let request = &mut requests[(sent / batch as u64) as usize % count];
        request.renew(&mut dice);
        stdin.write_all(copy_text(request).as_bytes()).await?;
        sent += batch as u64;
    }
    stdin.shutdown().await?;
    drop(stdin);
    ensure!(psql.wait().await?.success(), "psql failed");
    Ok(sent)
}

fn copy_text(request: &Prepared) -> String {
    let mut text = String::from(
        "copy attestary_bench.event (tenant, id, actor, action, target, body) from stdin;\n",
    );
    for (id, json, facts) in request.each() {
        for cell in [&facts.tenant, id, &facts.actor, facts.action, &facts.target] {
            text.push_str(cell);
            text.push('\t');
        }
        text.push_str(json);
        text.push('\n');
    }
    text.push_str("\\.\n");
    text
}

fn server_programs() -> anyhow::Result<PathBuf> {
    let mut versions: Vec<PathBuf> = match std::fs::read_dir(DEBIAN_PROGRAMS) {
        Ok(entries) => {
            entries.filter_map(Result::ok).map(|entry| entry.path().join("bin")).collect()
        }
        Err(_) => Vec::new(),
    };
    versions.sort();
    match versions.pop() {
        Some(programs) => Ok(programs),
        None => bail!(
            "no PostgreSQL server is installed under {DEBIAN_PROGRAMS}; install the package \"postgresql\" or set ATTESTARY_BENCH_POSTGRES"
        ),
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

fn program(as_user: Option<&str>, path: &Path) -> Command {
    let mut command = match as_user {
        Some(user) => {
            let mut command = Command::new("runuser");
            command.args(["-u", user, "--"]).arg(path);
            command
        }
        None => Command::new(path),
    };
    command.current_dir("/");
    command
}

async fn run(command: &mut Command) -> anyhow::Result<()> {
    let output =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output().await;
    let output =
        output.with_context(|| format!("cannot run {:?}", command.as_std().get_program()))?;
    ensure!(
        output.status.success(),
        "{:?}: {}",
        command.as_std().get_program(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_one_row_per_event_and_ends() {
        let mut dice = Dice::new(1);
        let text = copy_text(&Prepared::new(3, "", &mut dice));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines.len(), lines[4]), (5, "\\."));
        assert!(
            lines[1..4].iter().all(|line| line.split('\t').count() == 6 && !line.contains('\\'))
        );
    }
}
