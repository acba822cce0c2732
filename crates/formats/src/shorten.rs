//! Shortening for the formats that have no rules of their own: the event is shortened, then encoded.
//!
//! What goes first is therefore the same in all of them, and the same as in native JSON. The event that is encoded
//! then has the member `truncated`, which every encoder shows in its own way. How much of the event must go is
//! not known before it is encoded again, so the room is narrowed in a bounded number of steps.

use attestary_event::{Event, View};

use crate::{
    format::{CORE_BYTES_MAX, Truncation},
    json::{self, Core},
};

/// Steps in which the room is narrowed; each takes twice as much as is still too long, so that eight reach the core
/// of the largest event.
const STEPS_MAX: u32 = 8;

/// The smallest forms, tried in this order. The last one fits in every format.
const CORES: [Core; 4] = [Core::Texts(128), Core::Texts(48), Core::Texts(16), Core::Action(16)];

/// Appends what `encode` makes of the event, or of as much of it as fits into `bytes_max`.
pub(crate) fn encode_within(
    view: &View<'_>,
    bytes_max: usize,
    out: &mut Vec<u8>,
    encode: impl Fn(&View<'_>, &mut Vec<u8>),
) -> Truncation {
    let start = out.len();
    encode(view, out);
    if out.len() - start <= bytes_max {
        return Truncation::Whole;
    }
    let mut record = Vec::with_capacity(view.event.body.len() + 320);
    json::encode(view, &mut record);
    let attempt = |event: Event, out: &mut Vec<u8>| {
        out.truncate(start);
        let fields = event.fields();
        encode(&View { event: &event, fields: &fields }, out);
        (out.len() - start).saturating_sub(bytes_max)
    };
    let mut room = record.len();
    let mut excess = out.len() - start - bytes_max;
    for step in 0..STEPS_MAX {
        room = room.saturating_sub(excess.max(32) << step);
        if room < CORE_BYTES_MAX {
            break;
        }
        excess = attempt(json::shortened(view.event, &record, room), out);
        if excess == 0 {
            return Truncation::Shortened;
        }
    }
    for core in CORES {
        if attempt(json::smallest(view.event, &record, core), out) == 0 {
            break;
        }
    }
    Truncation::Shortened
}
