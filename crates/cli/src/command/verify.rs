//! `attestary verify`: evidence checked on this machine, without trust in who made it: a bundle, a proof file, a certificate or a
//! folder of tiles without a network, or a log on a server.
//!
//! Twelve checks, a line each. What was accepted is remembered in a state file, so that the next verification of the same log
//! notices a log that was rewritten or forked in between.

mod source;

use std::{
    fs::{self, File},
    io::{BufReader, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use attestary_store::{Clock as _, SystemClock};
use attestary_verify::{
    AnchorFiles, CERTIFICATE_BYTES_MAX, Known, LogFiles, Options, Outcome, PROOF_BYTES_MAX,
    Progress, Report, SLOT_PROOF_BYTES_MAX, growth::GROWTH_BYTES_MAX,
};
use clap::Args;
use indicatif::ProgressBar;

use self::source::{Folder, Server};
use crate::{
    exit::{Exit, Failure},
    output, progress, variables,
};

/// Longest state file: some hundred thousand logs.
const STATE_BYTES_MAX: u64 = 64 << 20;

/// Longest trust file.
pub(crate) const TRUST_BYTES_MAX: u64 = 1 << 20;
/// How a proof file begins.
const PROOF_MAGIC: &[u8] = b"c2sp.org/tlog-proof@";

const EXIT_CODES: &str = "\
Exit codes of verify:
  0  every check holds
  1  tampered: the line that says FAIL names the check
  2  cannot be decided: the line that says ?? names the reason";

/// The anchor of a single event: proof files and receipts cannot hold it.
#[derive(Debug, Args)]
pub(crate) struct Anchor {
    /// Slot proof of the log, for a proof file or a receipt whose trust file demands an anchor
    #[arg(long, value_name = "FILE")]
    slot_proof: Option<PathBuf>,
    /// How the log grew from the head in the slot proof to the proof's checkpoint
    #[arg(long, value_name = "FILE", requires = "slot_proof")]
    head: Option<PathBuf>,
}

impl Anchor {
    /// Reads the files.
    pub(crate) fn files(&self) -> anyhow::Result<Option<AnchorFiles>> {
        let Some(slot_proof) = &self.slot_proof else { return Ok(None) };
        let slot_proof = read_limited(slot_proof, SLOT_PROOF_BYTES_MAX as u64)?;
        let head = self.head.as_deref();
        let head = head.map(|head| read_limited(head, GROWTH_BYTES_MAX as u64)).transpose()?;
        Ok(Some(AnchorFiles { slot_proof, head }))
    }
}

/// Options of `verify`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Verify {
    /// Evidence bundle (zip), proof file, certificate (JSON), folder of tiles, or URL of a tenant (…/v1/tenants/NAME)
    #[arg(value_name = "WHAT")]
    what: String,
    /// API key, for a URL
    #[arg(long, env = "ATTESTARY_KEY", value_name = "KEY", hide_env_values = true)]
    key: Option<String>,
    /// Environment, for a URL and an operator's key
    #[arg(long, env = "ATTESTARY_ENVIRONMENT", value_name = "NAME")]
    environment: Option<String>,
    /// Trust file, from a source that you trust; never the one that came with the bundle
    #[arg(long, value_name = "FILE")]
    trust: PathBuf,
    #[command(flatten)]
    anchor: Anchor,
    /// Accept that a restore lost events that were seen before; they are named all the same
    #[arg(long)]
    accept_loss: bool,
    /// Where accepted checkpoints are remembered; by default in the user's state directory
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Neither read nor write remembered checkpoints
    #[arg(long, conflicts_with = "state")]
    no_state: bool,
    /// Answer "cannot be decided" (2) to selections of a log and to withheld fields
    #[arg(long)]
    require_complete: bool,
    /// Threads that check events; by default all processors
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Verifies and prints the report.
pub(crate) async fn run(verify: Verify) -> anyhow::Result<()> {
    // Files are read, hashes computed and a server's tiles waited for: work for a thread of its own.
    tokio::task::spawn_blocking(move || run_blocking(&verify)).await?
}

fn run_blocking(verify: &Verify) -> anyhow::Result<()> {
    let trust = read_limited(&verify.trust, TRUST_BYTES_MAX)?;
    let state = if verify.no_state { None } else { verify.state.clone().or_else(state_file) };
    let known = state.as_deref().map(read_state).transpose()?.unwrap_or_default();
    let options = Options {
        anchor: verify.anchor.files()?,
        known,
        now_ms: SystemClock::default().now_ms(),
        require_complete: verify.require_complete,
        accept_loss: verify.accept_loss,
        threads: verify.threads.unwrap_or_else(|| {
            std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
        }),
    };
    let report = report(verify, &trust, &options)?;
    print(&report, verify.json);
    ended(&report)?;
    if let (Some(state), Some((origin, size, root))) = (&state, report.head) {
        remember(state, options.known, Known { origin, size, root })?;
    }
    Ok(())
}

/// Verifies whatever it is.
fn report(verify: &Verify, trust: &[u8], options: &Options) -> anyhow::Result<Report> {
    let (what, path) = (verify.what.as_str(), Path::new(&verify.what));
    if what.starts_with("http://") || what.starts_with("https://") {
        let server = Server::new(what, verify.key.clone(), verify.environment.clone())?;
        return Ok(tiles(&server, trust, options));
    }
    let cannot = || format!("cannot read {}", path.display());
    if fs::metadata(path).with_context(cannot)?.is_dir() {
        return Ok(tiles(&Folder::open(path)?, trust, options));
    }
    let mut file = File::open(path).with_context(cannot)?;
    let mut magic = Vec::new();
    (&mut file).take(PROOF_MAGIC.len() as u64).read_to_end(&mut magic).with_context(cannot)?;
    if magic == PROOF_MAGIC {
        let bytes = read_limited(path, PROOF_BYTES_MAX as u64)?;
        return Ok(attestary_verify::proof_file(&bytes, trust, options));
    }
    if magic.first() == Some(&b'{') {
        let bytes = read_limited(path, CERTIFICATE_BYTES_MAX as u64)?;
        return Ok(attestary_verify::certificate(&bytes, trust, options));
    }
    if magic.starts_with(b"%PDF-") {
        let why =
            "a PDF shows a certificate; verify the file that is attached to it (certificate.json)";
        return Err(Failure::new(Exit::Usage, why).into());
    }
    file.rewind().with_context(cannot)?;
    let bar = progress::bar("verifying bytes of events", 0);
    let reader = BufReader::with_capacity(64 << 10, file);
    let report = attestary_verify::bundle(reader, trust, options, &|now| advance(&bar, now));
    bar.finish_and_clear();
    Ok(report)
}

fn tiles(files: &dyn LogFiles, trust: &[u8], options: &Options) -> Report {
    let bar = progress::bar("verifying entries", 0);
    let report = attestary_verify::log(files, trust, options, &|now| advance(&bar, now));
    bar.finish_and_clear();
    report
}

fn advance(bar: &ProgressBar, progress: Progress) {
    match progress {
        Progress::Total(total) => bar.set_length(total),
        Progress::Done(more) => bar.inc(more),
    }
}

/// Returns the exit code of a report as an error.
pub(crate) fn ended(report: &Report) -> anyhow::Result<()> {
    match report.exit_code() {
        0 => Ok(()),
        1 => Err(verdict(report, Outcome::Failed, Exit::Failed, "tampered").into()),
        _ => Err(verdict(report, Outcome::Undecided, Exit::Usage, "cannot be decided").into()),
    }
}

fn verdict(report: &Report, outcome: Outcome, exit: Exit, word: &str) -> Failure {
    let step = report.first(outcome).map_or("", |step| step.name.word());
    Failure::new(exit, format!("{word}: {step}"))
}

pub(crate) fn print(report: &Report, json: bool) {
    if json {
        let steps: Vec<_> = report
            .steps
            .iter()
            .map(|step| {
                let outcome = match step.outcome {
                    Outcome::NotReached => "not-reached",
                    Outcome::Passed => "passed",
                    Outcome::Undecided => "undecided",
                    Outcome::Failed => "failed",
                };
                serde_json::json!({
                    "step": step.name as usize, "name": step.name.word(), "outcome": outcome, "detail": step.detail,
                })
            })
            .collect();
        let report = serde_json::json!({
            "exit": report.exit_code(), "events": report.events, "steps": steps,
        });
        output::line(report.to_string());
    } else {
        report.steps.iter().for_each(|step| output::line(step.to_string()));
    }
}

pub(crate) fn read_limited(path: &Path, bytes_max: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        let message = format!("{} is longer than {bytes_max} bytes", path.display());
        return Err(Failure::new(Exit::Usage, message).into());
    }
    Ok(bytes)
}

/// Returns the place of the state file after the XDG rules.
fn state_file() -> Option<PathBuf> {
    let named = |name: &str| {
        let found = variables().find(|(other, _)| other == name).map(|(_, value)| value);
        found.filter(|value| !value.is_empty()).map(PathBuf::from)
    };
    let base = named("XDG_STATE_HOME").or_else(|| Some(named("HOME")?.join(".local/state")))?;
    Some(base.join("attestary/heads"))
}

/// Reads lines of `<size> <root> <origin>`.
fn read_state(path: &Path) -> anyhow::Result<Vec<Known>> {
    if !path.try_exists().with_context(|| format!("cannot look at {}", path.display()))? {
        return Ok(Vec::new());
    }
    let bytes = read_limited(path, STATE_BYTES_MAX)?;
    let text = String::from_utf8_lossy(&bytes);
    let known: Option<Vec<Known>> = text.lines().map(known).collect();
    known.ok_or_else(|| {
        let message = format!("{} is not a file of remembered checkpoints", path.display());
        Failure::new(Exit::Usage, message)
            .hint("name another with --state, or pass --no-state")
            .into()
    })
}

fn known(line: &str) -> Option<Known> {
    let (size, rest) = line.split_once(' ')?;
    let (root, origin) = rest.split_once(' ')?;
    let mut bytes = [0; 32];
    if root.len() != 64 || !root.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&root[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(Known { origin: origin.to_owned(), size: size.parse().ok()?, root: bytes })
}

/// Replaces what is remembered of a log; the largest head says most.
fn remember(path: &Path, known: Vec<Known>, head: Known) -> anyhow::Result<()> {
    let larger = known.iter().any(|other| other.origin == head.origin && other.size >= head.size);
    if larger {
        return Ok(());
    }
    let mut heads: Vec<_> = known.into_iter().filter(|other| other.origin != head.origin).collect();
    heads.push(head);
    let mut text = String::new();
    for head in heads {
        let root = attestary_event::event::hex(&head.root);
        text.push_str(&format!("{} {root} {}\n", head.size, head.origin));
    }
    let cannot = || format!("cannot write {}", path.display());
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).with_context(cannot)?;
    }
    let beside = path.with_extension("new");
    let mut file = File::create(&beside).with_context(cannot)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(cannot)?;
    fs::rename(&beside, path).with_context(cannot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_remembered_and_the_largest_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/heads");
        let head =
            |origin: &str, size| Known { origin: origin.into(), size, root: [size as u8; 32] };
        for (origin, size) in [("a/t/1", 5), ("a/t/2", 9), ("a/t/1", 7), ("a/t/1", 6)] {
            remember(&path, read_state(&path).unwrap(), head(origin, size)).unwrap();
        }
        let mut heads = read_state(&path).unwrap();
        heads.sort_by(|a, b| a.origin.cmp(&b.origin));
        assert_eq!(heads, [head("a/t/1", 7), head("a/t/2", 9)]);
        fs::write(&path, "what is this").unwrap();
        assert!(read_state(&path).is_err());
    }
}
