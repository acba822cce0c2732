//! The one way of events from foreign forms: an adapter maps them, then all doors do the same.
//!
//! Validation and authorisation are all or nothing, as for native events. A source that is switched off costs
//! nothing but its count.

pub(crate) mod easysend;
pub(crate) mod otlp;
pub(crate) mod retraced;
mod standard;
pub(crate) mod syslog;
pub(crate) mod workos;

use attestary_event::{EventId, TenantId, Violation, intake::Door, scan::write_string};
use attestary_store::{Outcome, Receipt, record::Prepared};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::{Caller, IntakeError, ItemViolation, Service};
use syslog::Refused;

/// An event that an adapter mapped.
#[derive(Debug, Clone)]
pub(crate) struct Foreign {
    /// The native submission.
    pub(crate) json: Vec<u8>,
    /// The system it came from.
    pub(crate) system: &'static str,
    /// The area of the system.
    pub(crate) area: Option<String>,
}

/// What became of events that came through a foreign door.
#[derive(Debug, Default)]
pub struct Taken {
    /// Of each event in input order; `None` for those whose source is switched off.
    pub outcomes: Vec<Option<Outcome>>,
}

impl Taken {
    /// Returns how many events are new.
    pub fn accepted(&self) -> usize {
        self.count(|outcome| matches!(outcome, Some(Outcome::Accepted(_))))
    }

    /// Returns how many were there already.
    pub fn duplicates(&self) -> usize {
        self.count(|outcome| matches!(outcome, Some(Outcome::Duplicate(_))))
    }

    /// Returns how many were thrown away because their source is switched off.
    pub fn switched_off(&self) -> usize {
        self.count(Option::is_none)
    }

    /// Returns the receipts of the events that are in the log now, in input order.
    pub fn receipts(&self) -> impl Iterator<Item = &Receipt> {
        self.outcomes.iter().filter_map(|outcome| match outcome {
            Some(Outcome::Accepted(receipt) | Outcome::Duplicate(receipt)) => Some(receipt),
            _ => None,
        })
    }

    /// Returns the receipt of the first event whose id was used for other content before.
    pub fn conflict(&self) -> Option<&Receipt> {
        self.outcomes.iter().find_map(|outcome| match outcome {
            Some(Outcome::Conflict(receipt)) => Some(receipt),
            _ => None,
        })
    }

    fn count(&self, is: impl Fn(&Option<Outcome>) -> bool) -> usize {
        self.outcomes.iter().filter(|outcome| is(outcome)).count()
    }
}

/// Events that were checked one by one.
#[derive(Default)]
pub(crate) struct CheckedEach {
    /// What intake accepts, in input order.
    pub(crate) prepared: Vec<Prepared>,
    /// The index of each other one, and why.
    pub(crate) refused: Vec<(usize, Refused)>,
}

/// Mapped events that passed all checks.
pub(crate) struct CheckedForeign {
    /// Those whose source is on, in input order.
    prepared: Vec<Prepared>,
    /// Of each event, whether its source is switched off.
    off: Vec<bool>,
}

impl Service {
    /// Checks events of a door that keeps what can be kept. CPU work.
    ///
    /// All of them are checked at once, which is faster; only when one is bad, each by itself.
    pub(crate) fn check_each(
        &self,
        caller: &Caller,
        events: &[Vec<u8>],
    ) -> Result<CheckedEach, IntakeError> {
        let all: Vec<&[u8]> = events.iter().map(Vec::as_slice).collect();
        if let Ok(prepared) = self.check_events(caller, &all, Door::Adapter, None) {
            return Ok(CheckedEach { prepared, refused: Vec::new() });
        }
        let mut checked = CheckedEach::default();
        for (index, event) in all.iter().enumerate() {
            let (reason, items) = match self.check_events(caller, &[event], Door::Adapter, None) {
                Ok(prepared) => {
                    checked.prepared.extend(prepared);
                    continue;
                }
                Err(IntakeError::Invalid(items)) => ("invalid", items),
                Err(IntakeError::Schema(items)) => ("schema", items),
                Err(IntakeError::UnknownTenant(items)) => ("unknown-tenant", items),
                Err(IntakeError::TenantClosed(items)) => ("tenant-closed", items),
                Err(other) => return Err(other),
            };
            let detail = items.first().map_or_else(String::new, |item| item.violation.to_string());
            checked.refused.push((index, Refused { reason, detail }));
        }
        Ok(checked)
    }

    /// Takes the events that `map` makes of a body of `bytes` bytes; `tenant` is whose they are when they do not say.
    /// Mapping is CPU work, as checking is.
    pub(crate) async fn take(
        &self,
        caller: &Caller,
        bytes: usize,
        tenant: Option<TenantId>,
        map: impl FnOnce(&Self, &Caller) -> Result<Vec<Foreign>, IntakeError> + Send + 'static,
    ) -> Result<Taken, IntakeError> {
        let work = move |service: &Self, caller: &Caller| {
            let events = map(service, caller)?;
            service.check_foreign(caller, &events, tenant.as_ref())
        };
        let checked = self.check(caller, bytes, work).await?;
        self.take_checked(caller, checked).await
    }

    /// Checks mapped events, but those whose source is switched off. CPU work.
    pub(crate) fn check_foreign(
        &self,
        caller: &Caller,
        events: &[Foreign],
        tenant: Option<&TenantId>,
    ) -> Result<CheckedForeign, IntakeError> {
        let environment = caller.environment()?;
        let is_off = |event: &Foreign| {
            self.is_switched_off(environment, event.system, event.area.as_deref())
        };
        let off: Vec<bool> = events.iter().map(is_off).collect();
        let kept = events.iter().zip(&off).filter(|(_, off)| !**off);
        let kept: Vec<&[u8]> = kept.map(|(event, _)| event.json.as_slice()).collect();
        let tenant = tenant.or_else(|| caller.only_tenant());
        Ok(CheckedForeign {
            prepared: self.check_events(caller, &kept, Door::Adapter, tenant)?,
            off,
        })
    }

    /// Makes what was checked durable.
    pub(crate) async fn take_checked(
        &self,
        caller: &Caller,
        checked: CheckedForeign,
    ) -> Result<Taken, IntakeError> {
        let mut outcomes = self.append(caller, checked.prepared).await?.into_iter();
        let place = |off: bool| if off { Ok(None) } else { outcomes.next().map(Some).ok_or(()) };
        let outcomes: Result<Vec<_>, ()> = checked.off.into_iter().map(place).collect();
        let outcomes = outcomes.map_err(|()| IntakeError::Damaged)?;
        if outcomes.iter().any(|outcome| matches!(outcome, Some(Outcome::Damaged))) {
            return Err(IntakeError::Damaged);
        }
        Ok(Taken { outcomes })
    }

    /// Returns the id of an event that a foreign system knows by a key of its own: a UUID of version 8 over system,
    /// tenant and key, made with a secret of this installation, so that nobody can tell keys from ids.
    pub(crate) fn foreign_id(&self, system: &str, tenant: &str, key: &str) -> EventId {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.line_key()).expect("HMAC takes keys of any length");
        mac.update(b"attestary foreign event id v1\0");
        for part in [system, tenant, key] {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part.as_bytes());
        }
        let hash = mac.finalize().into_bytes();
        let mut id: [u8; 16] = std::array::from_fn(|index| hash[index]);
        id[6] = id[6] & 0x0f | 0x80;
        id[8] = id[8] & 0x3f | 0x80;
        EventId(id)
    }
}

/// Maps every event, or lists what is wrong with each bad one.
pub(crate) fn each<'a, T>(
    events: impl IntoIterator<Item = &'a [u8]>,
    mut map: impl FnMut(&'a [u8]) -> Result<T, Violation>,
) -> Result<Vec<T>, IntakeError> {
    let events = events.into_iter();
    let (mut mapped, mut wrong) = (Vec::with_capacity(events.size_hint().0), Vec::new());
    for (index, event) in events.enumerate() {
        match map(event) {
            Ok(event) => mapped.push(event),
            Err(violation) => wrong.push(ItemViolation { index, violation }),
        }
    }
    if wrong.is_empty() { Ok(mapped) } else { Err(IntakeError::Invalid(wrong)) }
}

/// Returns the tenant that a request names, if it is one; the events themselves are refused otherwise.
fn parsed(tenant: Option<&str>) -> Option<TenantId> {
    tenant.and_then(|tenant| TenantId::parse(tenant).ok())
}

/// Puts an id and a tenant, as far as there are any, in front of a submission that has neither.
fn with_id(id: Option<&str>, tenant: Option<&str>, mut json: Vec<u8>) -> Vec<u8> {
    let mut head = Vec::with_capacity(128);
    for (name, value) in [("id", id), ("tenant", tenant)] {
        if let Some(value) = value {
            head.push(b'"');
            head.extend_from_slice(name.as_bytes());
            head.extend_from_slice(b"\":");
            write_string(value, &mut head);
            head.push(b',');
        }
    }
    json.splice(1..1, head);
    json
}
