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

use attestary_event::{EventId, TenantId, intake::Door, scan::write_string};
use attestary_store::{Outcome, Receipt, record::Prepared};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::{Caller, IntakeError, Service, error::cause};
use syslog::Refused;

/// Bytes of mapped events from which on they are checked on a worker thread.
const WORKER_BYTES_MIN: usize = 16 * 1024;

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

    /// Takes events that an adapter mapped; `tenant` is whose they are when they do not say.
    pub(crate) async fn take(
        &self,
        caller: &Caller,
        events: Vec<Foreign>,
        tenant: Option<TenantId>,
    ) -> Result<Taken, IntakeError> {
        let environment = caller.environment()?;
        let off: Vec<bool> = events
            .iter()
            .map(|event| self.is_switched_off(environment, event.system, event.area.as_deref()))
            .collect();
        let kept: Vec<Vec<u8>> = events
            .into_iter()
            .zip(&off)
            .filter(|(_, off)| !**off)
            .map(|(event, _)| event.json)
            .collect();
        let bytes: usize = kept.iter().map(Vec::len).sum();
        let tenant = tenant.or_else(|| caller.only_tenant().cloned());
        let check = {
            let (service, caller) = (self.clone(), caller.clone());
            move || {
                let events: Vec<&[u8]> = kept.iter().map(Vec::as_slice).collect();
                service.check_events(&caller, &events, Door::Adapter, tenant.as_ref())
            }
        };
        let prepared = if bytes < WORKER_BYTES_MIN {
            check()?
        } else {
            let worker = self.runtime().spawn_blocking(check);
            worker.await.map_err(|error| IntakeError::Unavailable(cause(error)))??
        };
        let mut outcomes = self.append(caller, prepared).await?.into_iter();
        let place = |off: bool| if off { Ok(None) } else { outcomes.next().map(Some).ok_or(()) };
        let outcomes: Result<Vec<_>, ()> = off.into_iter().map(place).collect();
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

/// Puts an id and a tenant, as far as there are any, in front of a submission that has neither.
fn with_id(id: Option<&str>, tenant: Option<&str>, json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len() + 96);
    out.push(b'{');
    for (name, value) in [("id", id), ("tenant", tenant)] {
        if let Some(value) = value {
            out.push(b'"');
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
            write_string(value, &mut out);
            out.push(b',');
        }
    }
    out.extend_from_slice(json.get(1..).unwrap_or_default());
    out
}
