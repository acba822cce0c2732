//! From submitted bytes to an event ready for the log: limits, names and types, defaults, digest.
//!
//! [`accept`] scans the bytes ([`crate::scan`]) and checks them along the member table on the way, resolves the
//! defaults, and yields the committed members twice: as text (`body`) and flattened (`fields`). The two say the
//! same: flattening the body gives the fields. It lists every violation, not only the first, up to
//! [`VIOLATIONS_MAX`]; bytes that do not scan give one, because nothing after it can be trusted.
//!
//! This is the hot path. Checking allocates nothing while the event is good, and a batch reuses its buffers; the digest is computed only for
//! events that bring an id, because only those can be repeats.

mod committed;
mod digest;
mod suggest;
#[cfg(test)]
mod tests;
mod value;
mod walk;

pub use digest::DigestKey;

use crate::{
    EventId, Fields, Limits, TenantId, Timestamp, Violation,
    actions::{ActionSpec, CATEGORY_DEFAULT, KnownActions, SEVERITY_DEFAULT},
    scan::{Buffers, Scanned, scan_watched},
    spec::{ACTOR_TYPE_DEFAULT, ANONYMOUS, SERVICE_ACTION_PREFIX, tree::Capture},
};
use committed::Resolved;
use walk::{Walk, Walked};

/// Most violations listed for one event.
pub const VIOLATIONS_MAX: usize = 32;

/// Where a submission comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// The native API.
    Native,
    /// An adapter of a foreign format: may set `source`.
    Adapter,
    /// The service itself: may use `attestary.` actions; may set `source`; the tenant comes from the context.
    Service,
}

/// What intake must know besides the bytes.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The time of receipt: the default of `occurred_at`.
    pub now: Timestamp,
    /// The environment's known actions.
    pub actions: &'a KnownActions,
    /// Limits on the bytes.
    pub limits: &'a Limits,
    /// The tenant of events that name none: of a key for one tenant, or configured.
    pub default_tenant: Option<&'a TenantId>,
}

/// A submission that may join its log.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// The identity that the client gave.
    pub id: Option<EventId>,
    /// Whose log it joins.
    pub tenant: TenantId,
    /// The committed fields.
    pub fields: Fields,
    /// The committed members as compact JSON.
    pub body: Vec<u8>,
    /// When it happened, in milliseconds since the epoch.
    pub occurred_ms: i64,
    /// 0–10.
    pub severity: u8,
    /// Keyed digest of the submission without id and tenant, before defaults; zeros when no id was given.
    pub digest: [u8; 16],
}

/// Buffers that a batch of events is accepted with, one after the other: each is allocated once.
#[derive(Debug, Default)]
pub struct Scratch {
    scan: Buffers,
    body: Vec<u8>,
    digest: Vec<u8>,
}

impl Scratch {
    /// Takes back the buffers of an event that is no longer needed.
    pub fn recycle(&mut self, accepted: Accepted) {
        self.body = accepted.body;
        self.scan.arena = accepted.fields.arena;
        self.scan.slots = accepted.fields.slots;
    }
}

/// Checks one submitted event and resolves its defaults, or lists what is wrong with it.
pub fn accept(
    json: &[u8],
    door: Door,
    context: &Context<'_>,
    digest_key: &DigestKey,
) -> Result<Accepted, Vec<Violation>> {
    accept_with(json, door, context, digest_key, &mut Scratch::default())
}

/// [`accept`] for one event of many.
pub fn accept_with(
    json: &[u8],
    door: Door,
    context: &Context<'_>,
    digest_key: &DigestKey,
    scratch: &mut Scratch,
) -> Result<Accepted, Vec<Violation>> {
    let mut walk = Walk::new(door);
    let scanned = scan_watched(json, context.limits, &mut scratch.scan, &mut walk);
    let Scanned { fields, compact } = scanned.map_err(|violation| vec![violation])?;
    let text = std::str::from_utf8(&compact).expect("the scanner writes only UTF-8");
    let mut walked = walk.finish(text);

    let tenant = tenant(&mut walked, context);
    check_action(&mut walked, door);
    check_actor(&mut walked);
    let Some(tenant) = tenant.filter(|_| walked.violations.is_empty()) else {
        return Err(walked.violations);
    };

    let id = walked.text(Capture::Id).and_then(|text| EventId::parse(&text));
    let digest = match id {
        Some(_) => digest_key.digest(&fields, &mut scratch.digest),
        None => [0; 16],
    };
    let resolved = resolve(&walked, context);
    let mut body = std::mem::take(&mut scratch.body);
    committed::write_body(&walked, &resolved, &mut body);
    let fields = committed::fields(fields, &walked, &resolved);
    let (occurred_ms, severity) = (resolved.occurred_at.0, resolved.severity);
    scratch.scan.compact = compact;
    Ok(Accepted { id, tenant, fields, body, occurred_ms, severity, digest })
}

/// The tenant that the event names, else the default one.
fn tenant(walked: &mut Walked<'_>, context: &Context<'_>) -> Option<TenantId> {
    if !walked.has(Capture::Tenant) {
        if context.default_tenant.is_none() {
            walked.violation("/tenant", "is required: this key has no default tenant");
        }
        return context.default_tenant.cloned();
    }
    let text = walked.text(Capture::Tenant)?;
    match TenantId::parse(&text) {
        Ok(tenant) => return Some(tenant),
        // The walk has reported wrong lengths and types.
        Err(_) if walked.reports("/tenant") => {}
        Err(violation) => walked.add(violation),
    }
    None
}

fn check_action(walked: &mut Walked<'_>, door: Door) {
    let reserved = walked
        .text(Capture::Action)
        .is_some_and(|action| action.starts_with(SERVICE_ACTION_PREFIX));
    if reserved && door != Door::Service {
        walked.violation(
            "/action",
            "actions that start with \"attestary.\" are reserved for the service",
        );
    }
}

/// An actor has an id, or is anonymous.
fn check_actor(walked: &mut Walked<'_>) {
    let given = walked.is_object(Capture::Actor);
    if !given || walked.has(Capture::ActorId) {
        return;
    }
    if walked.text(Capture::ActorType).is_none_or(|text| text != ANONYMOUS) {
        walked.violation("/actor/id", "is required unless the actor's type is \"anonymous\"");
    }
}

/// The defaults: what the event says, else what is known about its action, else the documented constants.
fn resolve<'a>(walked: &Walked<'a>, context: &Context<'a>) -> Resolved<'a> {
    let action = walked.text(Capture::Action).unwrap_or_default();
    let known: Option<&ActionSpec> = context.actions.find(&action);
    // Through i64: "-0" is a whole number that `u8` does not parse.
    let severity = walked
        .token(Capture::Severity)
        .and_then(|token| token.parse::<i64>().ok()?.try_into().ok());
    Resolved {
        occurred_at: walked.occurred_at.unwrap_or(context.now),
        category: known.map_or(CATEGORY_DEFAULT, |spec| spec.category.as_str()),
        severity: severity.unwrap_or_else(|| known.map_or(SEVERITY_DEFAULT, |spec| spec.severity)),
        outcome: known.map_or("unknown", |spec| spec.outcome.as_str()),
        actor_type: ACTOR_TYPE_DEFAULT,
    }
}
