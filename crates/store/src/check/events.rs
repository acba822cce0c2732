//! Segments: every byte against the manifest, every event against its hash.

use std::sync::Arc;

use arrow_array::{Array as _, cast::AsArray as _};

use super::{Report, catalog::chain, logs::Leaf, logs::Logs};
use crate::{
    catalog::{Extent, Manifest, SegmentMeta},
    segment::{EventRows, Log, Rows, SegmentError, SegmentFile, Segments, schema::Column},
};

/// Returns the segments so that a log's events come in the order of seq, as far as segments allow.
pub(super) fn in_order(manifest: &Manifest) -> Vec<Arc<SegmentMeta>> {
    let mut segments = manifest.segments.clone();
    segments.sort_by_key(|meta| {
        meta.extents.iter().map(|extent| extent.received_min_ms).min().unwrap_or(meta.created_ms)
    });
    segments
}

/// Checks one segment.
pub(super) fn check(segments: &Segments, meta: &SegmentMeta, logs: &mut Logs, report: &mut Report) {
    report.segments += 1;
    report.segment_bytes += meta.bytes;
    let before = report.findings.len();
    let whole = segments.verify(meta);
    let rows: u64 = meta.extents.iter().map(|extent| u64::from(extent.rows)).sum();
    if rows != meta.events {
        let detail = format!("the manifest counts {} events and places {rows}", meta.events);
        report.damage(&meta.path, detail);
    }
    match segments.open(meta) {
        Ok(file) => {
            let reader = Reader { file: &file, path: &meta.path };
            for extent in &meta.extents {
                reader.extent(extent, logs, report);
            }
        }
        Err(error) => {
            for extent in &meta.extents {
                lose(extent, &meta.path, &error, logs, report);
            }
        }
    }
    // Damage that no event shows lies in an index, a bloom filter or a statistic.
    if let Err(error) = whole
        && report.findings.len() == before
    {
        let detail = format!("{}; every event can be read", chain(&error));
        report.damage(&meta.path, detail);
    }
}

fn lose(extent: &Extent, place: &str, error: &SegmentError, logs: &mut Logs, report: &mut Report) {
    let seqs = (extent.seq_first, extent.seq_last);
    report.damaged_events(place, logs.name(extent.slot), seqs, chain(error));
    logs.lost(extent.slot, seqs.0, seqs.1);
}

struct Reader<'a> {
    file: &'a SegmentFile,
    path: &'a str,
}

impl Reader<'_> {
    /// Reads the rows of one log. Where that fails, halves the range until what cannot be read is named exactly.
    fn extent(&self, extent: &Extent, logs: &mut Logs, report: &mut Report) {
        let Some(log) = logs.log(extent.slot).cloned() else {
            let detail = format!("rows of slot {}, which no log has", extent.slot);
            report.damaged_events(self.path, None, (extent.seq_first, extent.seq_last), detail);
            return;
        };
        let rows = extent.row_start..extent.row_start + extent.rows;
        // Rows that cannot be read have no seq of their own: it follows from the last one that could be read.
        let mut next = extent.seq_first;
        let mut stack = vec![rows];
        while let Some(rows) = stack.pop() {
            match self.rows(&rows, &log) {
                Ok(read) => self.take(extent, read, &mut next, logs, report),
                Err(error) if rows.len() == 1 => {
                    let seq = if extent.is_dense() {
                        extent.seq_first + u64::from(rows.start - extent.row_start)
                    } else {
                        next
                    };
                    self.lose(extent.slot, seq, &error, logs, report);
                    next = seq + 1;
                }
                Err(_) => {
                    let half = rows.start + rows.len() as u32 / 2;
                    stack.push(half..rows.end);
                    stack.push(rows.start..half);
                }
            }
        }
    }

    fn take(
        &self,
        extent: &Extent,
        read: Vec<(u64, Leaf)>,
        next: &mut u64,
        logs: &mut Logs,
        report: &mut Report,
    ) {
        report.sealed_events += read.len() as u64;
        for run in read.chunk_by(|a, b| a.0 + 1 == b.0) {
            let (first, last) = (run[0].0, run[run.len() - 1].0);
            if first < extent.seq_first || last > extent.seq_last {
                let detail = "the events are not the ones that the manifest places here";
                report.damaged_events(self.path, logs.name(extent.slot), (first, last), detail);
            }
            let leaves = run.iter().map(|(_, leaf)| *leaf).collect();
            logs.leaves(extent.slot, first, leaves, self.path, report);
            *next = last + 1;
        }
    }

    /// Neighbours that are lost for the same reason are one finding.
    fn lose(
        &self,
        slot: u64,
        seq: u64,
        error: &SegmentError,
        logs: &mut Logs,
        report: &mut Report,
    ) {
        logs.lost(slot, seq, seq);
        let name = logs.name(slot);
        let detail = chain(error);
        if let Some(last) = report.findings.last_mut()
            && let Some((_, end)) = &mut last.seqs
            && *end + 1 == seq
            && last.place == self.path
            && last.tenant.as_deref() == name.map(|(_, tenant)| tenant)
            && last.environment.as_deref() == name.map(|(environment, _)| environment)
        {
            *end = seq;
            return;
        }
        report.damaged_events(self.path, name, (seq, seq), detail);
    }

    /// Recomputes the leaves of `rows`, each with its seq.
    fn rows(&self, rows: &Rows, log: &Log) -> Result<Vec<(u64, Leaf)>, SegmentError> {
        let mut columns = EventRows::COLUMNS.to_vec();
        columns.push(Column::Node16);
        let mut leaves = Vec::with_capacity(rows.len());
        for batch in self.file.batches(&columns, std::slice::from_ref(rows))? {
            let batch = batch?;
            let nodes = batch
                .column_by_name(Column::Node16.name())
                .ok_or_else(|| self.file.corrupt("column node16 is missing"))?
                .as_fixed_size_binary();
            let events = EventRows::of(&batch, self.path)?;
            for row in 0..events.len() {
                let hash = events.leaf_hash(row, log)?;
                let node =
                    (!nodes.is_null(row)).then(|| nodes.value(row).try_into().ok()).flatten();
                let leaf = Leaf { hash, node };
                leaves.push((events.seq(row), leaf));
            }
        }
        if leaves.len() != rows.len() {
            return Err(self.file.corrupt(format!(
                "{} rows instead of {}",
                leaves.len(),
                rows.len()
            )));
        }
        Ok(leaves)
    }
}
