//! The journal: replayed as recovery would, on top of the heads, every record against its hash.

use std::path::Path;

use attestary_event::Fields;
use attestary_ledger::Entry;
use bytes::Bytes;

use super::{CheckError, Report, catalog::chain};
use crate::{
    catalog::Loaded,
    disk::RealDisk,
    journal::{Damage, Replay, inspect},
    record::Record,
    state::State,
};

/// Returns the bytes of all journal files, for the progress.
pub(super) fn bytes(dir: &Path) -> u64 {
    partitions(dir).iter().map(|(_, path)| directory_bytes(path)).sum()
}

fn directory_bytes(path: &Path) -> u64 {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum()
}

/// The partitions that have a directory, in order.
fn partitions(dir: &Path) -> Vec<(u32, std::path::PathBuf)> {
    let entries = std::fs::read_dir(dir.join("journal")).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
        .collect();
    found.sort_unstable();
    found
}

/// Checks the journal of every partition.
pub(super) fn check(dir: &Path, loaded: &Loaded, report: &mut Report) -> Result<(), CheckError> {
    let log_name = loaded.installation.as_ref().map_or("", |installation| &installation.log_name);
    let state = State::restore(log_name, loaded.next_slot, loaded.heads.clone());
    let mut fold = Fold { state, report, place: String::new() };
    let (found, others): (Vec<_>, Vec<_>) =
        partitions(dir).into_iter().partition(|(number, _)| *number < loaded.partitions);
    for (partition, position) in &loaded.positions {
        // A partition that never sealed may have been stopped before it began its journal.
        if position.generation > 0 && !found.iter().any(|(number, _)| number == partition) {
            fold.report.damage(&place(*partition), "the journal of the partition is gone");
        }
    }
    for (number, _) in others {
        fold.report.note(&place(number), others_detail(number < loaded.journals));
    }
    for (partition, path) in found {
        fold.place = place(partition);
        fold.partition(partition, &path, loaded)?;
    }
    fold.finish();
    Ok(())
}

fn others_detail(known: bool) -> &'static str {
    if known {
        "is left of a partition that is no more: the next start deletes it"
    } else {
        "is of no partition: nothing reads it"
    }
}

fn place(partition: u32) -> String {
    format!("journal/{partition:04}")
}

struct Fold<'a> {
    state: State,
    report: &'a mut Report,
    place: String,
}

impl Fold<'_> {
    fn partition(&mut self, number: u32, path: &Path, loaded: &Loaded) -> Result<(), CheckError> {
        let mut disk = RealDisk::new(path.to_owned())
            .map_err(|source| CheckError::Read { path: path.to_owned(), source })?;
        match inspect(&mut disk, number, loaded.position(number), self) {
            Ok(found) => {
                for name in found.half_headers {
                    let detail = "one of the two headers is damaged; the other one is used";
                    self.report.damage(&format!("{}/{name}", self.place), detail);
                }
                for name in found.headless {
                    let detail = "both headers are damaged: events in the file are lost, unless it was to be written again";
                    self.report.damage(&format!("{}/{name}", self.place), detail);
                }
                if found.torn {
                    let detail = "the last batch is not whole: nobody was told of it, and the next start cuts it";
                    self.report.note(&self.place, detail);
                }
            }
            Err(error) => self.report.damage(&self.place, chain(&error)),
        }
        Ok(())
    }

    /// Recomputes the leaf of a record from its content.
    fn check_record(&mut self, record: &Record<'_>) {
        let Some(log) = self.state.log(record.slot()) else { return };
        let fields = Fields::of_stored(record.body());
        let hashed = fields.iter().map(|f| (f.pointer, f.kind as u8, f.value.as_bytes()));
        let entry = Entry {
            origin: log.origin_id,
            seq: record.seq(),
            received_ms: record.received_ms(),
            event_id: record.id().0,
            n_fields: fields.len() as u16,
            flags: record.flags(),
            fields_hash: attestary_ledger::fields_hash(&record.seed(), hashed),
        };
        self.report.unsealed_events += 1;
        if entry.leaf_hash() != record.leaf_hash() {
            let name = (log.environment.as_str().to_owned(), log.tenant.as_str().to_owned());
            let seqs = (record.seq(), record.seq());
            let detail = "the event does not hash to its leaf";
            self.report.damaged_events(&self.place, Some((&name.0, &name.1)), seqs, detail);
        }
    }

    fn name(&self, slot: u64) -> Option<(String, String)> {
        let log = self.state.log(slot)?;
        Some((log.environment.as_str().to_owned(), log.tenant.as_str().to_owned()))
    }

    /// Logs with a hole that no damage explains.
    fn finish(self) {
        for (slot, log) in self.state.logs() {
            let name = (log.environment.as_str(), log.tenant.as_str());
            for &seq in &log.damaged {
                let named = self.report.findings.iter().any(|finding| {
                    finding.tenant.as_deref() == Some(name.1)
                        && finding.environment.as_deref() == Some(name.0)
                        && finding.seqs.is_some_and(|(first, last)| first <= seq && seq <= last)
                });
                if !named {
                    let detail = format!(
                        "an acknowledged event of slot {slot} is gone; the log cannot be written"
                    );
                    self.report.damaged_events("journal", Some(name), (seq, seq), detail);
                }
            }
        }
    }
}

impl Replay for Fold<'_> {
    fn batch(&mut self, bytes: Bytes, places: Vec<(u32, u32)>) {
        self.report.unsealed_bytes += bytes.len() as u64;
        for (start, length) in places {
            match Record::decode(&bytes[start as usize..(start + length) as usize]) {
                Ok(record) => {
                    self.state.apply(&record);
                    self.check_record(&record);
                }
                Err(error) => {
                    self.report.damage(&self.place, format!("a record cannot be read: {error}"));
                }
            }
        }
    }

    fn damage(&mut self, damage: Damage) {
        match damage {
            Damage::Record { slot, seq } => {
                let name = self.name(slot);
                let name = name
                    .as_ref()
                    .map(|(environment, tenant)| (environment.as_str(), tenant.as_str()));
                let detail = match name {
                    Some(_) => "the record does not have its checksum".to_owned(),
                    None => format!(
                        "the record that opens the log of slot {slot} does not have its checksum"
                    ),
                };
                self.report.damaged_events(&self.place, name, (seq, seq), detail);
            }
            Damage::Batches { first, next } => {
                let detail = format!(
                    "batches {first} to {} are gone: nobody can say whose events they held; nothing can be written",
                    next - 1
                );
                self.report.damage(&self.place, detail);
            }
        }
        self.state.damage(damage);
    }
}
