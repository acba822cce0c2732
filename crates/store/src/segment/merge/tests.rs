//! Merging against sealing the same rows at once.

use super::*;
use crate::{
    catalog::Manifest,
    query::ReadView,
    segment::tests::{LOG_NAME, Sample, log, memory_segments, plain_log, seal},
};

/// Three logs that grew over three seals, one of them only in the second.
fn seals(segments: &Segments) -> (Vec<Sample>, Vec<Arc<SegmentMeta>>) {
    let (a, b, c) = (plain_log(1, 60), plain_log(2, 9), plain_log(7, 33));
    let parts = [
        [&a[..20], &c[..3]].concat(),
        [&a[20..21], &b[..], &c[3..30]].concat(),
        [&a[21..], &c[30..]].concat(),
    ];
    let sealed =
        |(n, part): (usize, &Vec<Sample>)| Arc::new(seal(segments, &format!("s{n}"), part));
    ([a, b, c].concat(), parts.iter().enumerate().map(sealed).collect())
}

fn merged(
    segments: &Segments,
    inputs: &[Arc<SegmentMeta>],
    bytes_max: usize,
) -> Result<Vec<Arc<SegmentMeta>>, SegmentError> {
    let mut outputs = Vec::new();
    merge(segments, inputs, bytes_max, |step| {
        let Step::Output(written) = step else { return Ok(()) };
        let id = format!("{}-{}", inputs[0].id, outputs.len());
        outputs.push(Arc::new(segments.put(&id, 0, 8, written)?));
        Ok::<_, SegmentError>(())
    })?;
    Ok(outputs)
}

#[test]
fn a_merge_equals_a_seal_of_all_rows() {
    let segments = memory_segments();
    let (all, inputs) = seals(&segments);
    let outputs = merged(&segments, &inputs, usize::MAX).unwrap();
    let [output] = &outputs[..] else { panic!("{} outputs", outputs.len()) };
    let expected = seal(&segments, "expected", &all);
    assert_eq!((output.events, &output.extents), (expected.events, &expected.extents));
    // Sealed with the effort of a merge, the rows are the same file: every column was carried over.
    let mut writer = writer(LOG_NAME, segments.sizes(), Effort::Merge).unwrap();
    let rows = segments.open_uncached(&expected).unwrap();
    let rows = rows
        .batches_as_written(&all_columns(), std::slice::from_ref(&(0..expected.events as u32)))
        .unwrap();
    rows.for_each(|batch| writer.write(&batch.unwrap()).unwrap());
    assert_eq!(output.sha256, super::super::sha256(&writer.into_inner().unwrap()));
}

#[test]
fn a_merge_can_be_ended_before_its_first_output() {
    let segments = memory_segments();
    let (_, inputs) = seals(&segments);
    let (mut turns, mut outputs) = (0, 0);
    let ended = merge(&segments, &inputs, usize::MAX, |step| {
        outputs += u32::from(matches!(step, Step::Output(_)));
        turns += 1;
        if turns == 3 { Err(SegmentError::UnknownLog { slot: 99 }) } else { Ok(()) }
    });
    assert!(matches!(ended, Err(SegmentError::UnknownLog { slot: 99 })), "{ended:?}");
    assert_eq!((turns, outputs), (3, 0), "asked between the rows, and ended there");
}

#[test]
fn outputs_end_at_their_size_and_hold_every_row_once() {
    let segments = memory_segments();
    let (all, inputs) = seals(&segments);
    for bytes_max in [1, 3_000, 9_000] {
        let outputs = merged(&segments, &inputs, bytes_max).unwrap();
        assert!(outputs.len() > 1);
        let manifest = Manifest { version: 1, segments: outputs.clone() };
        let view = ReadView { manifest: &manifest, segments: &segments, unsealed: &(), logs: &log };
        for slot in [1, 2, 7] {
            let expected = all.iter().filter(|sample| sample.record().slot() == slot);
            let expected: Vec<_> = expected.map(Sample::event).collect();
            assert_eq!(view.read(slot, 0, 1_000, usize::MAX).unwrap(), expected);
        }
        outputs.iter().for_each(|meta| segments.delete(&meta.path).unwrap());
    }
}

#[test]
fn rows_that_interleave_are_refused() {
    let segments = memory_segments();
    let log = plain_log(1, 30);
    let outer = seal(&segments, "outer", &[&log[..10], &log[20..]].concat());
    let inner = seal(&segments, "inner", &log[10..20]);
    let refused = merged(&segments, &[outer.into(), inner.into()], usize::MAX);
    assert!(matches!(refused, Err(SegmentError::Unsorted { slot: 1, seq: 10 })), "{refused:?}");
}

#[test]
fn a_damaged_input_ends_the_merge() {
    let segments = memory_segments();
    let (_, mut inputs) = seals(&segments);
    Arc::make_mut(&mut inputs[1]).crcs[0] ^= 1;
    let refused = merged(&segments, &inputs, usize::MAX);
    assert!(matches!(refused, Err(SegmentError::Corrupt { .. })), "{refused:?}");
}
