//! The TSP form: an event as IronCore's Logdriver delivers it, one JSON object.
//!
//! An event that came in through the TSP endpoint gives its `iclFields` and `customFields` back exactly, number
//! tokens included. What TSP itself drops is not there: members unknown to the protocol, and nulls. The form
//! has no place for sequence number and leaf hash, which delivery carries beside it.
//!
//! Two ray ids are part of the form, and every event has them; both are derived, so that the same event always
//! encodes to the same bytes. `tspRayId` is the event id. `logdriverRayId` is sixteen letters and digits
//! taken from the leaf hash.
//!
//! An event from elsewhere fills the same places: the actor's id (its type, when it has none) is
//! `requestingId`, all labels joined by commas are the data label, the first target is the object, and
//! metadata is `customFields`. Retention runs go out under IronCore's own name for them.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use attestary_event::{Timestamp, View};

use crate::intake::object::{ObjectWriter, member};

/// Service actions and the names IronCore has for them.
const ALIASES: [(&str, &str); 1] =
    [("attestary.retention.applied", "PERIODIC_ENFORCE_RETENTION_POLICY")];

/// Appends the event in the TSP form, without a line end.
///
/// Spec: the delivered form of the TSP and Logdriver documentation; the key order, which it leaves free, is
/// that of its printed sample.
pub fn encode(view: &View<'_>, out: &mut Vec<u8>) {
    let mut event = ObjectWriter::open(out);
    event.text("tenantId", view.event.tenant.as_str()).text("timestamp", &timestamp(view));
    event.object("iclFields", |icl_fields| {
        icl_fields
            .optional("dataLabel", residue(view, "dataLabel").or(data_label(view)).as_deref())
            .optional(
                "sourceIp",
                residue(view, "sourceIp").or(text(view, "/context/ip")).as_deref(),
            )
            .optional(
                "objectId",
                residue(view, "objectId").or(text(view, "/targets/0/id")).as_deref(),
            )
            .optional("requestingId", view.text("/actor/id").or(view.text("/actor/type")))
            .text("tspRayId", &view.event.id.to_string())
            .optional("event", view.text("/action").map(event_name))
            .optional(
                "requestId",
                residue(view, "requestId").or(text(view, "/context/request_id")).as_deref(),
            )
            .text("logdriverRayId", &ray_id(&view.event.leaf_hash));
    });
    event.raw("customFields", member(&view.event.body, "metadata").unwrap_or(b"{}"));
    event.close();
}

/// Returns an optional value that stands in `source` because its native member cannot hold it.
fn residue<'a>(view: &View<'a>, name: &str) -> Option<Cow<'a, str>> {
    let ours = view.text("/source/system") == Some("ironcore");
    let value = ours.then(|| view.text(&format!("/source/icl_fields/{name}")));
    value.flatten().map(Cow::Borrowed)
}

fn text<'a>(view: &View<'a>, pointer: &str) -> Option<Cow<'a, str>> {
    view.text(pointer).map(Cow::Borrowed)
}

/// Returns the labels, joined by commas; an event from TSP has one at most.
fn data_label<'a>(view: &View<'a>) -> Option<Cow<'a, str>> {
    let mut labels = (0..).map_while(|index| view.text(&format!("/labels/{index}")));
    let first = labels.next()?;
    Some(labels.fold(Cow::Borrowed(first), |joined, label| Cow::Owned(format!("{joined},{label}"))))
}

fn event_name(action: &str) -> &str {
    ALIASES.iter().find(|(ours, _)| *ours == action).map_or(action, |(_, theirs)| theirs)
}

/// Returns the time it happened as RFC 3339 in UTC; milliseconds that are zero are left out.
fn timestamp(view: &View<'_>) -> String {
    let occurred_at = view.text("/occurred_at").and_then(Timestamp::parse);
    let text = occurred_at.unwrap_or(view.event.received_at).to_string();
    text.strip_suffix(".000Z").map_or_else(|| text.clone(), |seconds| format!("{seconds}Z"))
}

/// Returns sixteen letters and digits (95 bits) from a hash.
fn ray_id(hash: &[u8; 32]) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut rest = hash[..16].iter().fold(0u128, |number, byte| number << 8 | u128::from(*byte));
    let digits = (0..16).map(|_| {
        let digit = DIGITS[(rest % 62) as usize];
        rest /= 62;
        char::from(digit)
    });
    digits.collect()
}
