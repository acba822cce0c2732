//! Intake of EasySend's security log: payload A (flat JSON, 2024-07) and payload B (ECS 8.11, 2024-11).
//!
//! A payload is A when it has `security_event_type`, B when it has `event.action`, nested or as a dotted key.
//! Event names are taken as sent, whatever they are; times without a zone are UTC. What the native members give back
//! stands in them alone; every other member, and every value that its native member cannot hold, stands in
//! `source.fields` as the token it arrived as, so that [`crate::easysend`] gives the payload back.
//!
//! The payloads have no event ids, so a repeated one is a second event.

mod ecs;
mod flat;
#[cfg(test)]
mod tests;

use attestary_event::{Limits, Timestamp, Violation, scan};

use super::object::{Member, ObjectWriter};

/// Flag: `@timestamp` is no time, so the time of receipt stands in for it.
pub const UNREADABLE_TIME: &str = "unreadable-time";

/// A native submission made from a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// The native event as JSON, `source` included. It names a tenant only when the payload does.
    pub json: Vec<u8>,
    /// The product area it comes from: the session type, such as `digitalJourney`.
    pub area: Option<String>,
}

/// Maps one payload; `tenant` outranks what it says itself.
///
/// Fails when the payload breaks `limits`, is no JSON object, or names no event.
pub fn parse(payload: &[u8], tenant: Option<&str>, limits: &Limits) -> Result<Mapped, Violation> {
    let scanned = scan::scan(payload, limits)?;
    if scanned.fields.under("/security_event_type").next().is_some() {
        flat::map(&scanned, tenant)
    } else {
        ecs::map(&scanned, tenant)
    }
}

/// The residue: what `source.fields` holds.
#[derive(Debug, Default)]
struct Residue<'a> {
    members: Vec<Member<'a>>,
}

impl<'a> Residue<'a> {
    fn keep(&mut self, member: Member<'a>) {
        self.members.push(member);
    }

    /// Writes `source`; `payload` says which one came.
    fn write(&self, payload: &str, odd_time: bool, event: &mut ObjectWriter<'_>) {
        event.object("source", |source| {
            source.text("system", "easysend").text("payload", payload);
            source.texts("flags", odd_time.then_some(UNREADABLE_TIME));
            source.object("fields", |fields| fields.raw_members(&self.members));
        });
    }
}

/// Returns a string value that its native member takes.
fn fitting(text: Option<&str>, bytes_max: usize) -> Option<&str> {
    text.filter(|text| (1..=bytes_max).contains(&text.len()))
}

/// Reads a time, one without a zone as UTC.
fn time(text: &str) -> Option<Timestamp> {
    Timestamp::parse_zoneless(text)
}
