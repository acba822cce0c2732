//! Showing every sealed event of a log that still has a payload, for those who decide what is to go.

use arrow_array::{cast::AsArray as _, types};
use attestary_event::{EventId, View};

use super::sealed::BODIES_MAX;
use crate::{
    catalog::Extent,
    segment::{
        EventRows, Logs, SegmentError, SegmentFile, array, removed::NO_PAYLOAD, schema::Column,
    },
    store::removal::{Sealed, shown},
};

/// Calls `f` with each event of `extent` that still has a payload, in the order of seq; with its content if asked.
pub(crate) fn visit_sealed(
    file: &SegmentFile,
    extent: &Extent,
    logs: &dyn Logs,
    with_content: bool,
    f: &mut dyn FnMut(&Sealed<'_>),
) -> Result<(), SegmentError> {
    let rows = extent.row_start..extent.row_start + extent.rows;
    if !with_content {
        return visit_facts(file, rows, f);
    }
    let log = logs.log(extent.slot).ok_or(SegmentError::UnknownLog { slot: extent.slot })?;
    let mut start = rows.start;
    while start < rows.end {
        let stop = start.saturating_add(BODIES_MAX as u32).min(rows.end);
        for batch in file.batches(EventRows::COLUMNS, std::slice::from_ref(&(start..stop)))? {
            let batch = batch?;
            let events = EventRows::of(&batch, file.path())?;
            for row in 0..events.len() {
                let Some(content) = events.content(row, &log)? else { continue };
                let indexes = shown(&content.fields, content.left());
                f(&Sealed {
                    seq: content.event.seq,
                    id: content.event.id,
                    flags: content.event.flags,
                    received_ms: events.received_ms(row),
                    view: Some(View { event: &content.event, fields: &content.fields }),
                    indexes: &indexes,
                });
            }
        }
        start = stop;
    }
    Ok(())
}

fn visit_facts(
    file: &SegmentFile,
    rows: crate::segment::Rows,
    f: &mut dyn FnMut(&Sealed<'_>),
) -> Result<(), SegmentError> {
    let columns = [Column::Seq, Column::Id, Column::ReceivedAt, Column::Severity, Column::Flags];
    for batch in file.batches(&columns, std::slice::from_ref(&rows))? {
        let batch = batch?;
        let seq = file.column(&batch, Column::Seq)?.as_primitive::<types::UInt64Type>();
        let id = file.column(&batch, Column::Id)?.as_fixed_size_binary();
        let received = file.column(&batch, Column::ReceivedAt)?;
        let received = received.as_primitive::<types::TimestampMillisecondType>();
        let severity = file.column(&batch, Column::Severity)?.as_primitive::<types::UInt8Type>();
        let flags = file.column(&batch, Column::Flags)?.as_primitive::<types::UInt16Type>();
        for row in (0..batch.num_rows()).filter(|row| severity.value(*row) != NO_PAYLOAD) {
            f(&Sealed {
                seq: seq.value(row),
                id: EventId(array(id.value(row))),
                flags: flags.value(row),
                received_ms: received.value(row).cast_unsigned(),
                view: None,
                indexes: &[],
            });
        }
    }
    Ok(())
}
