//! OpenTelemetry: log records whose event names are on the list of the configuration become events.
//!
//! Applications export all their logs to one place, so whatever is not on the list is answered like the rest, counted and
//! forgotten. Records are judged one by one, as the protocol's partial success has it.

use attestary_event::TenantId;
use attestary_formats::intake::otlp::{Key, Mapped, Names, Request};
use attestary_store::Outcome;
use bytes::Bytes;

use super::{syslog::Refused, with_id};
use crate::{Caller, IntakeError, Scope, Service};

/// How a request is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtlpForm {
    /// Protocol Buffers.
    Protobuf,
    /// The JSON form of Protocol Buffers.
    Json,
}

/// What became of a request's records.
#[derive(Debug, Default)]
pub struct OtlpTaken {
    /// Events that are durable.
    pub accepted: u64,
    /// Records that are no events here.
    pub ignored: u64,
    /// Records that should have been events and were refused.
    pub rejected: u64,
    /// Why the first of them was.
    pub reason: Option<String>,
}

/// Why nothing of a request was taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OtlpError {
    /// The body is no request.
    #[error("the body is no ExportLogsServiceRequest: {0}")]
    Malformed(String),
    /// Everything else.
    #[error(transparent)]
    Intake(#[from] IntakeError),
}

/// A request that was read and mapped.
struct Parsed {
    submissions: Vec<Vec<u8>>,
    taken: OtlpTaken,
}

impl Service {
    /// Takes a request of the logs service.
    pub async fn otlp_logs(
        &self,
        caller: &Caller,
        body: Bytes,
        form: OtlpForm,
    ) -> Result<OtlpTaken, OtlpError> {
        self.permit(caller, Scope::Ingest, "events.submit").map_err(IntakeError::Access)?;
        let bytes = body.len();
        let work = move |service: &Self, caller: &Caller| service.parse_logs(caller, &body, form);
        let Parsed { mut submissions, mut taken } = self.check(caller, bytes, work).await?;
        metrics::counter!("attestary_otlp_ignored_total").increment(taken.ignored);
        while !submissions.is_empty() {
            let rest = submissions.split_off(submissions.len().min(self.limits().batch_events_max));
            let events = std::mem::replace(&mut submissions, rest);
            let work = move |service: &Self, caller: &Caller| service.check_each(caller, &events);
            let checked = self.work::<_, IntakeError>(caller, bytes, work).await?;
            for (_, refused) in checked.refused {
                taken.reject(refused);
            }
            for outcome in self.append(caller, checked.prepared).await? {
                match outcome {
                    Outcome::Accepted(_) | Outcome::Duplicate(_) => taken.accepted += 1,
                    Outcome::Conflict(_) => taken.reject(Refused {
                        reason: "conflict",
                        detail: "an event with this id and other content is in the log".into(),
                    }),
                    _ => return Err(IntakeError::Damaged.into()),
                }
            }
        }
        metrics::counter!("attestary_otlp_rejected_total").increment(taken.rejected);
        Ok(taken)
    }

    /// CPU work.
    fn parse_logs(
        &self,
        caller: &Caller,
        body: &[u8],
        form: OtlpForm,
    ) -> Result<Parsed, OtlpError> {
        let request = match form {
            OtlpForm::Protobuf => Request::from_protobuf(body),
            OtlpForm::Json => Request::from_json(body),
        };
        let request = request.map_err(OtlpError::Malformed)?;
        let environment = caller.environment().map_err(IntakeError::Access)?;
        if self.is_switched_off(environment, "otlp", None) {
            let ignored = request.records() as u64;
            let taken = OtlpTaken { ignored, ..OtlpTaken::default() };
            return Ok(Parsed { submissions: Vec::new(), taken });
        }
        let names: &Names = &self.settings().otlp_events;
        let records = request.map(names);
        let mut taken = OtlpTaken { ignored: records.ignored, ..OtlpTaken::default() };
        let mut submissions = Vec::with_capacity(records.events.len());
        for mapped in records.events {
            match self.submission(caller, mapped) {
                Ok(submission) => submissions.push(submission),
                Err(refused) => taken.reject(refused),
            }
        }
        Ok(Parsed { submissions, taken })
    }

    /// An event that is identified gets its id here, and every event its tenant.
    fn submission(&self, caller: &Caller, mapped: Mapped) -> Result<Vec<u8>, Refused> {
        let tenant = mapped.tenant.as_deref().or(caller.only_tenant().map(TenantId::as_str));
        let tenant = tenant.ok_or_else(|| Refused {
            reason: "invalid",
            detail: "/tenant: is required: the attribute tenant.id of the record or its resource, \
                     or a key of one tenant"
                .into(),
        })?;
        let id = match mapped.key {
            Some(Key::Id(id)) => Some(id),
            Some(Key::Uid(uid)) => Some(self.foreign_id("otlp", tenant, &uid).to_string()),
            None => None,
        };
        Ok(with_id(id.as_deref(), Some(tenant), mapped.json))
    }
}

impl OtlpTaken {
    fn reject(&mut self, refused: Refused) {
        self.rejected += 1;
        self.reason.get_or_insert(refused.detail);
    }
}
