//! Evidence: a bundle that verifies offline. The log's lines are collected like those of any export; the archive is made
//! from them at the end.
//!
//! The checkpoint is fixed at the request. A bundle of the whole log has a line for every seq up to it; a selection also
//! has the genesis event and the service events that may cover something missing.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, BufRead, BufReader, Seek as _},
};

use attestary_event::{
    EnvironmentId, Event, EventId, TenantId, Timestamp, View, actions::KnownActions, event::hex,
};
use attestary_formats::{Format, csv, format::PlainOptions};
use attestary_ledger::{Entry, Note, TileKind, tile::TILE_WIDTH};
use attestary_store::{
    Disclosed, FixedHead, Part, Remains,
    catalog::{CatalogError, CustodyRow, ExportRow},
};
use attestary_verify::{
    BundleWriter, Manifest,
    container::name::{self, REMOVALS},
    manifest::{FORM, Numbering, Selection},
    needed_tiles, write_fields, write_gone, write_whole,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Request, form::numbered, report};
use crate::{ReadError, Service};

/// What a selection always holds besides what it names.
const ALWAYS: &str = "seq=0 OR action:attestary.retention.applied OR action:attestary.erasure.applied \
    OR action:attestary.clock.stepped OR action:attestary.key.rotated";

const README: &str = "\
This archive is evidence of an audit log. It proves itself to whoever holds the log's trust file:

    attestary verify BUNDLE.zip --trust FILE

Get the trust file from the operator of the service by a way that you trust; one that came with this archive proves
nothing. report.html is for reading and proves nothing either. The form of every file is described in the
documentation of Attestary under \"Exports and evidence\".
";

/// Why an archive was not made.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unmade {
    #[error("the archive cannot be written")]
    Io(#[from] io::Error),
    #[error("the tree cannot be read")]
    Tree(#[source] attestary_store::ProveError),
    #[error("the checkpoint of the request cannot be read")]
    Checkpoint,
    #[error("the removal lists cannot be read")]
    Removals(#[source] CatalogError),
    #[error("something was removed from the log while the evidence was made: ask for it again")]
    Removed,
    #[error("the manifest cannot be signed")]
    Sign(#[source] ReadError),
}

/// Returns the text of a filter that selects what the request names and what its bundle needs.
pub(super) fn filter(request: &Request) -> String {
    let mut clauses = Vec::new();
    if !request.filter.trim().is_empty() {
        clauses.push(format!("({})", request.filter));
    }
    let time = |ms: i64| Timestamp(ms).to_string();
    clauses.extend(request.from_ms.map(|ms| format!("occurred_at>={}", time(ms))));
    clauses.extend(request.to_ms.map(|ms| format!("occurred_at<{}", time(ms))));
    format!("({}) OR {ALWAYS}", clauses.join(" "))
}

/// Returns true when a bundle holds every event of the log.
pub(super) fn is_whole(request: &Request) -> bool {
    request.filter.trim().is_empty() && request.from_ms.is_none() && request.to_ms.is_none()
}

/// Appends the line of an event.
pub(super) fn line(event: &Disclosed, out: &mut Vec<u8>) {
    match &event.remains {
        Remains::Whole { seed, body } => write_whole(&event.entry, body, seed, out),
        Remains::Parts { parts, .. } => {
            write_fields(&event.entry, parts.iter().map(Part::disclosure), out);
        }
        Remains::Nothing => write_gone(&event.entry, out),
    }
}

impl Service {
    /// Returns the files of the newest time-stamp that covers something of the log.
    pub(super) async fn stamp_files(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        head: &FixedHead,
    ) -> Result<Vec<(String, String)>, ReadError> {
        let Some((reply, anchored)) = self.stamped(environment, tenant).await? else {
            return Ok(Vec::new());
        };
        let growth = self.growth(environment, tenant, &anchored, head.size).await?;
        let files = [
            (name::STAMP_REPLY, STANDARD.encode(reply)),
            (name::STAMP_TEXT, anchored.proof.record.checkpoint.text().to_owned()),
            (name::STAMP_SLOT_PROOF, anchored.proof.to_string()),
            (name::STAMP_HEAD, growth.to_string()),
        ];
        Ok(files.map(|(name, file)| (name.to_owned(), file)).to_vec())
    }
}

/// A line as it is read back.
#[derive(Deserialize)]
struct Line<'a> {
    entry: &'a str,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
}

/// Makes the archive. Runs on a thread of its own, and reads tiles through the runtime.
pub(super) fn write(
    service: &Service,
    row: &ExportRow,
    request: &Request,
    custody: &[CustodyRow],
    mut lines: BufReader<File>,
    out: &mut File,
) -> Result<(), Unmade> {
    let checkpoint = request.checkpoint.as_deref().ok_or(Unmade::Checkpoint)?;
    let note = Note::parse(checkpoint.as_bytes()).map_err(|_| Unmade::Checkpoint)?;
    let head = attestary_ledger::Checkpoint::parse(note.text()).map_err(|_| Unmade::Checkpoint)?;
    let mut bundle = BundleWriter::new(out);
    bundle.add("README.txt", README.as_bytes())?;
    bundle.add("checkpoint", checkpoint.as_bytes())?;
    for (name, file) in [("slot-proof", &request.slot_proof), ("head", &request.head)] {
        if let Some(file) = file {
            bundle.add(name, file.as_bytes())?;
        }
    }
    for (name, file) in &request.stamp {
        let reply = (name == name::STAMP_REPLY).then(|| STANDARD.decode(file));
        let reply = reply.transpose().map_err(|_| Unmade::Checkpoint)?;
        bundle.add(name, reply.as_deref().unwrap_or(file.as_bytes()))?;
    }
    bundle.add("custody.json", custody_json(row, custody).as_bytes())?;
    bundle.add("schema.json", attestary_event::spec::json_schema().as_bytes())?;
    let mut page = report::Page::new(row, request, &head);
    let mut touched = BTreeSet::new();
    let mut count = 0;
    each(&mut lines, |line| {
        count += 1;
        let event = event(row, line)?;
        touched.insert(event.seq / TILE_WIDTH);
        page.add(&event);
        Ok(())
    })?;
    bundle.add("report.html", page.finish(count).as_bytes())?;
    let mut table = Table {
        row,
        lines: &mut lines,
        prefix: request.prefix.as_deref(),
        number: 0,
        ready: Vec::new(),
        at: 0,
    };
    table.begin()?;
    bundle.add_from("load.csv", &mut table)?;
    tiles(service, row, head.size, &touched, &mut bundle)?;
    removals(service, row, head.size, &mut bundle)?;
    lines.rewind()?;
    bundle.add_from("events.ndjson", &mut lines)?;
    let numbering = request.prefix.as_ref().filter(|_| count > 0).map(|prefix| Numbering {
        prefix: prefix.clone(),
        first: numbered(prefix, 1),
        last: numbered(prefix, count),
    });
    let time = |ms: i64| Timestamp(ms).to_string();
    let manifest = Manifest {
        manifest: FORM.to_owned(),
        origin: head.origin.clone(),
        environment: row.environment.to_string(),
        tenant: row.tenant.to_string(),
        size: head.size,
        selection: Selection {
            filter: request.filter.clone(),
            from: request.from_ms.map(time),
            to: request.to_ms.map(time),
            as_of: time(row.created_ms as i64),
        },
        events: count,
        numbering,
        files: Vec::new(),
    };
    bundle.finish(manifest, |text| {
        service.runtime().block_on(sign(service, row, head.size, text)).map_err(Unmade::Sign)
    })?;
    Ok(())
}

/// Adds the tiles, and the entry bundles of a whole log.
fn tiles(
    service: &Service,
    row: &ExportRow,
    size: u64,
    touched: &BTreeSet<u64>,
    bundle: &mut BundleWriter<&mut File>,
) -> Result<(), Unmade> {
    for path in needed_tiles(size, touched) {
        debug_assert!(matches!(path.kind(), TileKind::Hashes(_)));
        let tile = service.store().tile(&row.environment, &row.tenant, path);
        let bytes = service.runtime().block_on(tile).map_err(Unmade::Tree)?;
        bundle.add(&path.to_string(), &bytes)?;
    }
    Ok(())
}

/// Adds the removal lists to which events under the checkpoint commit: they cover what is missing.
fn removals(
    service: &Service,
    row: &ExportRow,
    size: u64,
    bundle: &mut BundleWriter<&mut File>,
) -> Result<(), Unmade> {
    let Some(log) = service.store().log(&row.environment, &row.tenant) else { return Ok(()) };
    let lists = service.runtime().block_on(service.removal_lists(log.slot, size));
    let lists = lists.map_err(Unmade::Removals)?.ok_or(Unmade::Removed)?;
    for (sha256, list) in lists {
        bundle.add(&format!("{REMOVALS}{}", hex(&sha256)), &list)?;
    }
    Ok(())
}

/// Calls `take` with every line, without its newline, from the beginning.
fn each(
    lines: &mut BufReader<File>,
    mut take: impl FnMut(&str) -> Result<(), Unmade>,
) -> Result<(), Unmade> {
    lines.rewind()?;
    let mut line = String::new();
    while {
        line.clear();
        lines.read_line(&mut line)? > 0
    } {
        take(line.trim_end_matches('\n'))?;
    }
    Ok(())
}

/// Returns the event of a line that this service wrote; one whose payload is gone has an empty body.
fn event(row: &ExportRow, line: &str) -> Result<Event, Unmade> {
    let broken = || Unmade::Io(io::Error::other("a line does not read back"));
    let line: Line<'_> = serde_json::from_str(line).map_err(|_| broken())?;
    let entry = STANDARD.decode(line.entry).ok().and_then(|bytes| Entry::decode(&bytes).ok());
    let entry = entry.ok_or_else(broken)?;
    Ok(Event {
        id: EventId(entry.event_id),
        tenant: row.tenant.clone(),
        environment: row.environment.clone(),
        seq: entry.seq,
        received_at: Timestamp(entry.received_ms as i64),
        flags: entry.flags,
        leaf_hash: entry.leaf_hash(),
        body: line.payload.map_or("{}", RawValue::get).as_bytes().into(),
    })
}

fn custody_json(row: &ExportRow, custody: &[CustodyRow]) -> String {
    let acts: Vec<_> = custody
        .iter()
        .map(|row| {
            let at = Timestamp(row.at_ms as i64).to_string();
            serde_json::json!({ "at": at, "actor": row.actor, "act": row.act })
        })
        .collect();
    let custody = serde_json::json!({ "export": row.id, "custody": acts });
    format!("{custody:#}\n")
}

/// The load file, made line by line while it is read.
struct Table<'a> {
    row: &'a ExportRow,
    lines: &'a mut BufReader<File>,
    prefix: Option<&'a str>,
    number: u64,
    ready: Vec<u8>,
    at: usize,
}

impl Table<'_> {
    fn begin(&mut self) -> io::Result<()> {
        self.lines.rewind()?;
        if self.prefix.is_some() {
            self.ready.extend_from_slice(b"number,");
        }
        csv::header(&mut self.ready);
        self.ready.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// Makes rows ready until there are some, or the lines end.
    fn fill(&mut self) -> io::Result<()> {
        self.ready.clear();
        self.at = 0;
        let mut line = String::new();
        while self.ready.len() < 64 << 10 {
            line.clear();
            if self.lines.read_line(&mut line)? == 0 {
                return Ok(());
            }
            self.number += 1;
            let event = event(self.row, line.trim_end_matches('\n')).map_err(io::Error::other)?;
            if &*event.body == b"{}" {
                continue;
            }
            if let Some(prefix) = self.prefix {
                self.ready.extend_from_slice(numbered(prefix, self.number).as_bytes());
                self.ready.push(b',');
            }
            let fields = event.fields();
            let view = View { event: &event, fields: &fields };
            Format::Csv(PlainOptions::default()).encode(
                &view,
                KnownActions::builtin(),
                &mut self.ready,
            );
            self.ready.extend_from_slice(b"\r\n");
        }
        Ok(())
    }
}

impl io::Read for Table<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.ready.len() {
            self.fill()?;
        }
        let count = buffer.len().min(self.ready.len() - self.at);
        buffer[..count].copy_from_slice(&self.ready[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

/// Signs the text of a manifest with the key that is valid for a log of this size.
async fn sign(
    service: &Service,
    row: &ExportRow,
    size: u64,
    text: String,
) -> Result<Note, ReadError> {
    let (environment, tenant) = (&row.environment, &row.tenant);
    let log = service.store().log(environment, tenant).ok_or(crate::AccessError::NotFound)?;
    let head = FixedHead { slot: log.slot, origin: log.origin, size, root: [0; 32] };
    service.sign_text(environment, tenant, &head, text).await
}
