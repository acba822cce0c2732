//! `attestary import`: events from another system's log, sent to a running server.
//!
//! The file goes to the server's own intake in parts. The server derives an event's id from its lines and from how
//! many equal ones came before them in the same part, so that importing a file again adds nothing. Therefore a part
//! ends only where an event starts and the clock has moved on to a later second: a line's continuation never
//! parts from it, nor equal lines from each other.

mod follow;

use std::{
    io::{self, BufRead as _, BufReader, Read},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde::Deserialize;

use crate::{
    client::{Client, Role, Target},
    exit::{Exit, Failure, code_of},
    output, progress,
};
use follow::{Log, PositionFile};

/// What can be imported.
#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    /// Audit lines of a Form.io server (text, or wrapped by docker's json-file log driver)
    Formio(Formio),
}

/// Options of `import formio`.
#[derive(Debug, Args)]
pub(crate) struct Formio {
    /// File to read; - is standard input
    file: PathBuf,
    #[command(flatten)]
    owner: Owner,
    /// Go on with what is appended, also after the file is rotated by renaming; ends with Ctrl-C
    #[arg(long)]
    follow: bool,
    /// Where the place in the log is kept between runs; FILE.attestary when not given
    #[arg(long, value_name = "FILE", requires = "follow")]
    position: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Owner {
    /// Tenant that every line belongs to
    #[arg(long, short, value_name = "ID")]
    tenant: Option<String>,
    /// Where each line's tenant comes from
    #[arg(long, value_enum, value_name = "COLUMN")]
    tenant_from: Option<Column>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Column {
    /// The project id: only for logs that one trusted server wrote, since user names can forge lines
    Project,
}

/// Bytes after which a part ends at the next good place; at twice as many it ends anywhere. The API takes 10 MiB.
const PART_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes of one line that are read into memory; the server cuts lines at 64 KiB.
const LINE_BYTES_MAX: u64 = 1024 * 1024;

/// What the server says about one part.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Report {
    accepted: u64,
    duplicates: u64,
    flagged: u64,
    unparsed: u64,
    refused: u64,
}

/// Sends the file.
pub(crate) async fn run(import: Import, target: &Target) -> anyhow::Result<()> {
    let Import::Formio(formio) = import;
    let client = Client::new(target, Role::Ingest)?;
    if formio.follow {
        return run_following(&formio, &client).await;
    }
    let (input, total) = open(&formio.file)?;
    let bar = total
        .map_or_else(|| progress::counter("importing"), |total| progress::bar("importing", total));
    let mut lines = progress::Lines::new();
    let mut parts = Parts::new(BufReader::new(input));
    let mut sum = Report::default();
    while let Some(part) =
        parts.next().with_context(|| format!("cannot read {}", formio.file.display()))?
    {
        let bytes = part.len() as u64;
        let report: Report = client.json(formio.request(&client).body(part)).await?;
        sum = Report {
            accepted: sum.accepted + report.accepted,
            duplicates: sum.duplicates + report.duplicates,
            flagged: sum.flagged + report.flagged,
            unparsed: sum.unparsed + report.unparsed,
            refused: sum.refused + report.refused,
        };
        bar.inc(bytes);
        lines.tick(|| format!("{} events imported", sum.accepted));
    }
    bar.finish_and_clear();
    output::talk(format!(
        "{} events imported, {} were there before; {} flagged, {} kept as unparsed text, {} refused",
        sum.accepted, sum.duplicates, sum.flagged, sum.unparsed, sum.refused
    ));
    if sum.refused > 0 {
        let message = format!("{} events were refused", sum.refused);
        return Err(Failure::new(Exit::Refused, message)
            .hint("may this key write to these tenants?")
            .into());
    }
    Ok(())
}

impl Formio {
    fn request(&self, client: &Client) -> reqwest::RequestBuilder {
        let request =
            client.request(Method::POST, "/ingest/formio").header("content-type", "text/plain");
        match &self.owner.tenant {
            Some(tenant) => request.query(&[("tenant", tenant)]),
            None => request,
        }
    }
}

/// How long nothing may come before what is there counts as whole.
const IDLE: Duration = Duration::from_secs(1);
/// Between two looks at a log that has not grown.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Waits between attempts to reach a server that does not take a part.
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// Follows the log until the process ends.
async fn run_following(formio: &Formio, client: &Client) -> anyhow::Result<()> {
    if formio.file == Path::new("-") {
        return Err(Failure::new(
            Exit::Usage,
            "standard input cannot be followed: it has no place to go on from",
        )
        .hint("leave --follow out: standard input is read to its end anyway")
        .into());
    }
    let kept = formio.position.clone().unwrap_or_else(|| {
        let mut name = formio.file.as_os_str().to_owned();
        name.push(".attestary");
        name.into()
    });
    let unreadable = || format!("cannot follow {}", formio.file.display());
    let unkept = || format!("cannot keep the place in {}", kept.display());
    let positions = PositionFile::new(kept.clone());
    let position = positions.read().with_context(unkept)?;
    let mut log = Log::open(&formio.file, &position).with_context(unreadable)?;
    let (mut again, mut sent, mut came_at) = (position.sending(), None, Instant::now());
    let mut is_known = position.is_known();
    loop {
        if !is_known && let Some(start) = log.begin().with_context(unreadable)? {
            positions.write(&start).with_context(unkept)?;
            is_known = true;
        }
        let came = log.read().with_context(unreadable)?;
        if came {
            came_at = Instant::now();
        }
        let idle = !came && came_at.elapsed() >= IDLE;
        let part = match again {
            Some(sending) => {
                let part = log.part_again(&sending);
                if part.is_none() && came {
                    continue;
                }
                again = None;
                part
            }
            None => log.part(idle),
        };
        let Some(part) = part.filter(|part| idle || sent != Some(part.end())) else {
            tokio::time::sleep(LOOK_EVERY).await;
            continue;
        };
        positions.write(&log.sending(&part)).with_context(unkept)?;
        let report = send_until_taken(formio, client, &part.bytes).await?;
        if report.refused > 0 {
            output::talk(format!(
                "warning: {} events were refused; may this key write to these tenants?",
                report.refused
            ));
        }
        sent = Some(part.end());
        positions.write(&log.done(&part)).with_context(unkept)?;
    }
}

/// Sends a part as often as it takes. Only what the server refuses for good ends it.
async fn send_until_taken(formio: &Formio, client: &Client, part: &[u8]) -> anyhow::Result<Report> {
    let mut wait = RETRY_FIRST;
    loop {
        let sent = client.json(formio.request(client).body(part.to_vec())).await;
        let error = match sent {
            Ok(report) => return Ok(report),
            Err(error) => error,
        };
        let code = code_of(&error);
        if code != Exit::Unreachable as u8 && code != Exit::Unavailable as u8 {
            return Err(error);
        }
        output::talk(format!("warning: {error:#}; trying again in {wait:?}"));
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY_MAX);
    }
}

/// Opens the input; returns its length when that is known.
fn open(path: &Path) -> anyhow::Result<(Box<dyn Read>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(io::stdin()), None));
    }
    let file =
        std::fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let length = file.metadata().ok().map(|metadata| metadata.len());
    Ok((Box::new(file), length))
}

/// Cuts input into parts.
struct Parts<R> {
    input: BufReader<R>,
    /// The line that ended the last part by starting the next one.
    held: Vec<u8>,
}

impl<R: Read> Parts<R> {
    fn new(input: BufReader<R>) -> Self {
        Self { input, held: Vec::new() }
    }

    /// Returns the next part, `None` at the end.
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut part = std::mem::take(&mut self.held);
        let mut latest: Vec<u8> = second(&part).map_or_else(Vec::new, <[u8]>::to_vec);
        loop {
            let mut line = Vec::new();
            if self.input.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? == 0 {
                return Ok((!part.is_empty()).then_some(part));
            }
            let moved_on = second(&line).is_some_and(|second| second > latest.as_slice());
            let bytes = part.len() + line.len();
            if !part.is_empty()
                && (bytes > PART_BYTES_MAX && moved_on || bytes > 2 * PART_BYTES_MAX)
            {
                self.held = line;
                return Ok(Some(part));
            }
            if moved_on {
                latest = second(&line).map_or_else(Vec::new, <[u8]>::to_vec);
            }
            part.extend_from_slice(&line);
        }
    }
}

/// Returns date and time, to the second, of a line that starts an event, also inside docker's wrapping.
fn second(line: &[u8]) -> Option<&[u8]> {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00";
    let text = line.strip_prefix(b"{\"log\":\"").unwrap_or(line).get(..SHAPE.len())?;
    let matches = |(shape, byte): (&u8, &u8)| {
        if *shape == b'0' { byte.is_ascii_digit() } else { byte == shape }
    };
    SHAPE.iter().zip(text).all(matches).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<&str>) {
        assert_eq!(second(line.as_bytes()), expected.map(str::as_bytes), "{line}");
    }

    #[test]
    fn events_start_with_a_time() {
        check("2024-04-25T14:50:03.172Z AUTH_LOGIN …", Some("2024-04-25T14:50:03"));
        check("{\"log\":\"2024-04-25T14:50:03.172Z AUTH_LOGIN\"}", Some("2024-04-25T14:50:03"));
        check("    at Object.<anonymous> (index.js:1:1)", None);
        check("{\"log\":\"    at x\"}", None);
        check("2024-04-25", None);
        check("", None);
    }

    fn parts_of(text: &str) -> Vec<Vec<u8>> {
        let mut parts = Parts::new(BufReader::new(text.as_bytes()));
        std::iter::from_fn(|| parts.next().unwrap()).collect()
    }

    #[test]
    fn parts_begin_where_a_later_second_does_and_lose_nothing() {
        let mut text = String::new();
        for number in 0..150_000 {
            let second = number / 100;
            text.push_str(&format!(
                "2024-04-25T{:02}:{:02}:{:02}.172Z E {number}\n    at a\n    at b\n",
                second / 3600,
                second / 60 % 60,
                second % 60
            ));
        }
        let parts = parts_of(&text);
        assert_eq!(parts.concat(), text.as_bytes());
        assert_eq!(parts.len(), text.len() / PART_BYTES_MAX + 1);
        for pair in parts.windows(2) {
            let last = pair[0].split(|byte| *byte == b'\n').rev().find_map(second);
            assert!(second(&pair[1]) > last);
        }
    }

    #[test]
    fn input_without_a_good_place_is_cut_at_last() {
        let text = "x\n".repeat(PART_BYTES_MAX + PART_BYTES_MAX / 2);
        let lengths: Vec<usize> = parts_of(&text).iter().map(Vec::len).collect();
        assert_eq!(lengths, [2 * PART_BYTES_MAX, PART_BYTES_MAX]);
    }
}
