//! Which segments are merged next: pure, from the manifest alone.
//!
//! Seals are runs of level 0. When a level has enough runs, its oldest ones become one run of the next level. What is
//! read for a tenant then grows with the logarithm of the number of seals, and each event is rewritten once per level.
//! A run above level 0 is cut into segments by log, so a tenant's rows stand in few of them.

use std::{collections::BTreeMap, ops::RangeInclusive, sync::Arc};

use crate::catalog::{Manifest, SegmentMeta};

/// Bytes of segments that are merged at once at most: a merge beyond that would run for hours.
const JOB_BYTES_MAX: u64 = 16 << 30;

/// Segments to be replaced by what they merge to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Job {
    /// Whole runs, oldest first.
    pub(super) inputs: Vec<Arc<SegmentMeta>>,
    /// Level of the new run.
    pub(super) level: u32,
}

/// Segments with one run, and when the newest of them was sealed.
struct Run {
    created_ms: u64,
    segments: Vec<Arc<SegmentMeta>>,
}

/// Returns the next merge: `fan_in` runs of the lowest level that has as many. None when nothing is to be merged.
pub(super) fn next(manifest: &Manifest, fan_in: usize) -> Option<Job> {
    let jobs = levels(manifest).into_iter().filter_map(|(level, mut runs)| {
        if runs.len() < fan_in {
            return None;
        }
        runs.truncate(fan_in);
        let inputs: Vec<_> = runs.into_iter().flat_map(|run| run.segments).collect();
        Some(Job { inputs, level: level + 1 })
    });
    jobs.filter(|job| job.bytes() <= JOB_BYTES_MAX).find(|job| job.is_apart(manifest))
}

/// Returns the runs by level, oldest first. Whose seals they are does not matter: a log may have changed its partition,
/// and then its rows in runs of one partition enclose those in runs of another.
fn levels(manifest: &Manifest) -> BTreeMap<u32, Vec<Run>> {
    let mut runs: BTreeMap<(u32, &str), Run> = BTreeMap::new();
    for meta in &manifest.segments {
        let run =
            runs.entry((meta.level, &meta.run)).or_insert(Run { created_ms: 0, segments: vec![] });
        run.created_ms = run.created_ms.max(meta.created_ms);
        run.segments.push(Arc::clone(meta));
    }
    let mut levels: BTreeMap<u32, Vec<Run>> = BTreeMap::new();
    for ((level, _), run) in runs {
        levels.entry(level).or_default().push(run);
    }
    for runs in levels.values_mut() {
        // Names are ULIDs, so the sort keeps seals of one millisecond in their order.
        runs.sort_by_key(|run| run.created_ms);
    }
    levels
}

impl Job {
    fn bytes(&self) -> u64 {
        self.inputs.iter().map(|meta| meta.bytes).sum()
    }

    /// Returns true when no other segment has rows of a log between rows of the inputs, so that the new run does not
    /// interleave with it.
    fn is_apart(&self, manifest: &Manifest) -> bool {
        let mut taken: BTreeMap<u64, RangeInclusive<u64>> = BTreeMap::new();
        for extent in self.inputs.iter().flat_map(|meta| &meta.extents) {
            let seqs =
                taken.entry(extent.slot).or_insert_with(|| extent.seq_first..=extent.seq_last);
            *seqs = extent.seq_first.min(*seqs.start())..=extent.seq_last.max(*seqs.end());
        }
        let is_input = |meta: &SegmentMeta| self.inputs.iter().any(|input| input.id == meta.id);
        let others = manifest.segments.iter().filter(|meta| !is_input(meta));
        let mut extents = others.flat_map(|meta| &meta.extents);
        extents.all(|extent| {
            taken.get(&extent.slot).is_none_or(|seqs| {
                extent.seq_last < *seqs.start() || extent.seq_first > *seqs.end()
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Extent;

    /// A segment with ten rows of one log per (slot, first seq).
    fn segment(
        id: &str,
        level: u32,
        run: &str,
        created_ms: u64,
        rows: &[(u64, u64)],
    ) -> SegmentMeta {
        let extent = |(index, &(slot, seq_first)): (usize, &(u64, u64))| Extent {
            slot,
            row_start: index as u32 * 10,
            rows: 10,
            seq_first,
            seq_last: seq_first + 9,
            occurred_min_ms: 0,
            occurred_max_ms: 0,
            received_min_ms: 0,
            received_max_ms: 0,
        };
        SegmentMeta {
            id: id.to_owned(),
            path: String::new(),
            bytes: 1_000,
            events: rows.len() as u64 * 10,
            format_version: 1,
            sha256: [0; 32],
            crcs: vec![],
            partition: 0,
            created_ms,
            level,
            run: run.to_owned(),
            extents: rows.iter().enumerate().map(extent).collect(),
        }
    }

    #[track_caller]
    fn check(segments: Vec<SegmentMeta>, fan_in: usize, expected: Option<(&[&str], u32)>) {
        let segments = segments.into_iter().map(Arc::new).collect();
        let job = next(&Manifest { version: 1, segments }, fan_in);
        let found = job.as_ref().map(|job| {
            (job.inputs.iter().map(|meta| meta.id.as_str()).collect::<Vec<_>>(), job.level)
        });
        assert_eq!(found, expected.map(|(ids, level)| (ids.to_vec(), level)));
    }

    #[test]
    fn the_oldest_runs_of_a_full_level_are_merged() {
        let seal = |n: u64| segment(&format!("s{n}"), 0, &format!("s{n}"), n, &[(1, n * 10)]);
        check(vec![], 2, None);
        check(vec![seal(1)], 2, None);
        check(vec![seal(3), seal(1), seal(2)], 2, Some((&["s1", "s2"], 1)));
        check(vec![seal(3), seal(1), seal(2)], 4, None);
    }

    #[test]
    fn a_run_of_several_segments_counts_once_and_goes_whole() {
        let run = |n: u64| {
            let name = format!("r{n}");
            let part = |part: u64| segment(&format!("r{n}p{part}"), 1, &name, n, &[(part, n * 10)]);
            [part(1), part(2)]
        };
        check(run(1).to_vec(), 2, None);
        check([run(1), run(2)].concat(), 2, Some((&["r1p1", "r1p2", "r2p1", "r2p2"], 2)));
    }

    #[test]
    fn seals_of_several_partitions_are_merged_together() {
        let seal = |n: u64, partition| SegmentMeta {
            partition,
            ..segment(&format!("s{n}"), 0, &format!("s{n}"), n, &[(1, n * 10)])
        };
        check(vec![seal(1, 0), seal(2, 1), seal(3, 0)], 2, Some((&["s1", "s2"], 1)));
    }

    #[test]
    fn runs_between_whose_rows_others_have_rows_stay_apart() {
        let seal = |n: u64| segment(&format!("s{n}"), 0, &format!("s{n}"), n, &[(1, n * 10)]);
        let between = segment("old", 1, "old", 0, &[(1, 15)]);
        check(vec![seal(1), seal(2), between], 2, None);
        let elsewhere = segment("old", 1, "old", 0, &[(2, 15)]);
        check(vec![seal(1), seal(2), elsewhere], 2, Some((&["s1", "s2"], 1)));
    }
}
