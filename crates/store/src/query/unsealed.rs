//! Searching what is not sealed: records in memory, one by one.

use std::ops::ControlFlow;

use attestary_event::Fields;

use super::{
    Unsealed,
    plan::{Plan, Progress},
};
use crate::segment::Log;

/// Searches the records from `sealed_end` on, and raises `end` past the last one there is.
pub(super) fn search(
    unsealed: &dyn Unsealed,
    plan: &Plan,
    log: &Log,
    sealed_end: u64,
    progress: &mut Progress,
    end: &mut u64,
) {
    let seqs = plan.seqs.start.max(sealed_end)..plan.seqs.end;
    if plan.is_never() || progress.is_done() || seqs.is_empty() {
        return;
    }
    unsealed.visit(plan.slot, seqs, plan.order, &mut |record| {
        let seq = record.seq();
        *end = (*end).max(seq + 1);
        progress.pay_columns(1);
        let done = if plan.admits_record(&record) && plan.admits_body(record.body()) {
            let fields = Fields::of_stored(record.body());
            let event = record.event(log.environment.clone(), log.tenant.clone());
            let event = plan.selects(&event, &fields).then_some(event);
            progress.take(seq, event)
        } else {
            progress.passed(seq)
        };
        if done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
}
