//! Syslog: messages of a listener in, with no credential but where they come from.
//!
//! A listener's caller may submit events of its one tenant and do nothing else. Every message is judged by itself: one
//! that cannot be kept does not hold the others back. Every event has an id before it is handed over the first time, so
//! that handing over again, after an error that tells nothing, makes no second one.

use std::{net::IpAddr, sync::Arc};

use attestary_event::{EnvironmentId, TenantId, Timestamp};
use attestary_formats::intake::{
    formio,
    syslog::{self, Content},
};
use attestary_store::Outcome;

use super::with_id;
use crate::{Caller, IntakeError, Origin, Principal, Service, error::cause};

/// Whose messages a listener takes from a sender, and which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyslogRoute {
    /// The environment.
    pub environment: EnvironmentId,
    /// The tenant.
    pub tenant: TenantId,
    /// What is taken; the rest is refused.
    pub take: Vec<Content>,
}

/// A part of the installation that takes events in without a key.
#[derive(Debug)]
pub struct Receiver {
    /// Its name in limits and in turns of the queue.
    pub(crate) id: String,
    /// The one tenant.
    pub(crate) tenants: Vec<TenantId>,
}

/// What is remembered between the messages of one sender.
#[derive(Debug, Default)]
pub struct SyslogReader {
    formio: formio::Reader,
}

/// Events made from messages, and what became of the others.
#[derive(Debug)]
pub struct SyslogBatch {
    /// Submissions with id and tenant.
    events: Arc<[Vec<u8>]>,
    /// Messages that were thrown away because their source is switched off.
    pub switched_off: usize,
    /// Messages that are no events.
    pub refused: Vec<Refused>,
}

/// A message or event that was not kept: why, as a short name and as a sentence that repeats nothing of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Short name.
    pub reason: &'static str,
    /// One sentence.
    pub detail: String,
}

/// What became of a batch's events.
#[derive(Debug, Default)]
pub struct SyslogReport {
    /// New events.
    pub accepted: usize,
    /// Events that were there already.
    pub duplicates: usize,
    /// Events that were not kept.
    pub refused: Vec<Refused>,
}

impl Service {
    /// Returns the caller in whose name a listener submits what `sender` sent.
    pub fn syslog_caller(&self, listener: &str, route: &SyslogRoute, sender: IpAddr) -> Caller {
        let receiver =
            Receiver { id: format!("syslog {listener}"), tenants: vec![route.tenant.clone()] };
        Caller {
            principal: Principal::Receiver(Arc::new(receiver)),
            environment: route.environment.clone(),
            origin: Origin { ip: Some(sender), request_id: "".into() },
        }
    }

    /// Makes events of messages; the reader comes back for the next ones.
    pub async fn syslog_parse(
        &self,
        route: &SyslogRoute,
        sender: IpAddr,
        mut reader: SyslogReader,
        messages: Vec<Vec<u8>>,
    ) -> Result<(SyslogReader, SyslogBatch), IntakeError> {
        let (service, route) = (self.clone(), route.clone());
        let worker = self.runtime().spawn_blocking(move || {
            let batch = service.parse_messages(&route, sender, &mut reader, &messages);
            (reader, batch)
        });
        worker.await.map_err(|error| IntakeError::Unavailable(cause(error)))
    }

    /// Makes the batch's events durable. After an error the same batch may be handed over again.
    pub async fn syslog_submit(
        &self,
        caller: &Caller,
        batch: &SyslogBatch,
    ) -> Result<SyslogReport, IntakeError> {
        let events = Arc::clone(&batch.events);
        let bytes = events.iter().map(Vec::len).sum();
        let work = move |service: &Self, caller: &Caller| service.check_each(caller, &events);
        let checked = self.check::<_, IntakeError>(caller, bytes, work).await?;
        let mut report = SyslogReport::default();
        report.refused.extend(checked.refused.into_iter().map(|(_, refused)| refused));
        for outcome in self.append(caller, checked.prepared).await? {
            match outcome {
                Outcome::Accepted(_) => report.accepted += 1,
                Outcome::Duplicate(_) => report.duplicates += 1,
                Outcome::Conflict(_) => report.refused.push(Refused {
                    reason: "conflict",
                    detail: "an event with this id and other content is in the log".into(),
                }),
                _ => return Err(IntakeError::Damaged),
            }
        }
        Ok(report)
    }

    /// CPU work.
    fn parse_messages(
        &self,
        route: &SyslogRoute,
        sender: IpAddr,
        reader: &mut SyslogReader,
        messages: &[Vec<u8>],
    ) -> SyslogBatch {
        let now_ms = self.clock().now_ms();
        let sender = sender.to_canonical().to_string();
        let (mut events, mut refused, mut switched_off) = (Vec::new(), Vec::new(), 0);
        let tenant = route.tenant.as_str();
        // Where nothing else is taken, text between lines continues an event, as in a file.
        let only_formio = route.take == [Content::Formio];
        let mut lines = Vec::new();
        for message in messages {
            let message = syslog::read(message, Timestamp(now_ms as i64));
            let content = match message.content() {
                Content::Message if only_formio => Content::Formio,
                content => content,
            };
            if !route.take.contains(&content) {
                refused.push(not_taken(content));
                continue;
            }
            if self.is_switched_off(&route.environment, "syslog", Some(content.name())) {
                switched_off += 1;
                continue;
            }
            if content == Content::Formio {
                lines.extend(reader.formio.push_line(message.text.as_bytes()));
                continue;
            }
            match message.map(&sender, self.limits()) {
                Ok(mapped) => {
                    let id = match mapped.key {
                        Some(key) => self.foreign_id("syslog", tenant, &key),
                        None => self.event_id(now_ms),
                    };
                    events.push(with_id(Some(&id.to_string()), Some(tenant), mapped.json));
                }
                Err(violation) => {
                    refused.push(Refused { reason: "malformed", detail: violation.to_string() });
                }
            }
        }
        // What was read must be durable before more is: an event does not wait for lines that may continue it.
        lines.extend(std::iter::from_fn(|| reader.formio.finish()));
        events.extend(
            lines
                .iter()
                .map(|item| item.submission(item.event_id(self.line_key(), tenant), tenant)),
        );
        SyslogBatch { events: events.into(), switched_off, refused }
    }
}

fn not_taken(content: Content) -> Refused {
    let (reason, what) = match content {
        Content::Cef => ("cef-not-taken", "CEF records"),
        Content::Formio => ("formio-not-taken", "Form.io lines"),
        Content::Message => ("message-not-taken", "plain messages"),
    };
    Refused { reason, detail: format!("the listener does not take {what} from this sender") }
}
