//! What a portal session sees of a log: some rows, without some fields.
//!
//! The restriction is joined to every filter here, on the server; a question that names a hidden field, or looks into
//! every value, is refused, because its answer would tell the value. Use cases that do not come through this file are
//! closed to such sessions (see `authorise`).

use attestary_event::{Event, Hidden, Timestamp, View, filter::Filter};

use crate::{Caller, FilterProblem, search::parse_filter};

/// A restriction of rows and fields.
#[derive(Debug, Clone)]
pub(crate) struct Lens {
    /// Only events that this selects.
    pub(crate) restrict: Filter,
    /// Fields that are not shown.
    pub(crate) hidden: Hidden,
}

/// Reads the text of a caller's filter and joins what the caller is restricted to.
pub(crate) fn filter_for(caller: &Caller, text: &str) -> Result<Filter, FilterProblem> {
    let filter = parse_filter(text)?;
    let Some(lens) = caller.lens() else { return Ok(filter) };
    let refusal = |detail: String| FilterProblem {
        detail,
        offset: 0,
        length: text.len(),
        expected: Vec::new(),
    };
    if let Some(path) = lens.hidden.first_in(&filter) {
        return Err(refusal(format!("the field {path} is hidden from this session")));
    }
    if !lens.hidden.is_empty() && filter.reads_every_value() {
        let detail =
            "words without a field look into hidden fields; name a field, such as action:user.*";
        return Err(refusal(detail.into()));
    }
    Ok(lens.restrict.clone().and(filter))
}

/// Returns the fields that the caller does not see.
pub(crate) fn hidden_of(caller: &Caller) -> Option<&Hidden> {
    caller.lens().map(|lens| &lens.hidden).filter(|hidden| !hidden.is_empty())
}

/// Takes hidden fields out of events.
pub(crate) fn prune(hidden: &Hidden, events: &mut [Event]) {
    if hidden.is_empty() {
        return;
    }
    for event in events {
        event.body = hidden.prune(&event.body);
    }
}

/// Takes out of events what the caller does not see.
pub(crate) fn prune_for(caller: &Caller, events: &mut [Event]) {
    if let Some(hidden) = hidden_of(caller) {
        prune(hidden, events);
    }
}

/// Returns the event as the caller sees it; `None` when it lies outside the restriction.
pub(crate) fn seen_by(caller: &Caller, mut event: Event, now: Timestamp) -> Option<Event> {
    let Some(lens) = caller.lens() else { return Some(event) };
    let fields = event.fields();
    let selected = lens.restrict.resolve(now).matches(&View { event: &event, fields: &fields });
    selected.then(|| {
        prune(&lens.hidden, std::slice::from_mut(&mut event));
        event
    })
}
