//! What all listeners do with messages: hand them over until they are durable, count, and name what was refused.

use std::{net::IpAddr, sync::Arc, time::Duration};

use attestary_service::{IntakeError, Refused, Service, SyslogReader, SyslogRoute};
use metrics::{Counter, counter};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::settings::{SyslogListener, SyslogSettings};

/// Messages that are handed over at once, and their bytes.
pub(super) const MESSAGES_MAX: usize = 1_000;
pub(super) const BYTES_MAX: usize = 1 << 20;
/// Wait before the same messages are handed over again, unless the service says how long.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Refusals that the log names in a minute; the others are only counted.
const NAMED_MAX: u32 = 20;

/// One listener at work.
pub(super) struct Listener {
    pub(super) service: Service,
    pub(super) listener: SyslogListener,
    pub(super) settings: Arc<SyslogSettings>,
    pub(super) shutdown: CancellationToken,
    messages: Counter,
    accepted: Counter,
    duplicates: Counter,
    switched_off: Counter,
    /// Since when, how many refusals were named, how many were not.
    named: Mutex<(Instant, u32, u64)>,
}

/// How long to hand over again what the service does not take now.
#[derive(Debug, Clone, Copy)]
pub(super) enum Patience {
    /// Until the listener stops: the sender waits meanwhile.
    Endless,
    /// Not at all: what waits keeps others from being read.
    Until(Instant),
}

impl Listener {
    pub(super) fn new(
        service: Service,
        listener: SyslogListener,
        settings: Arc<SyslogSettings>,
        shutdown: CancellationToken,
    ) -> Self {
        let events = |outcome: &'static str| {
            let address = listener.address.clone();
            counter!("attestary_syslog_events_total", "listener" => address, "outcome" => outcome)
        };
        Self {
            messages: counter!("attestary_syslog_messages_total", "listener" => listener.address.clone()),
            accepted: events("accepted"),
            duplicates: events("duplicate"),
            switched_off: events("switched-off"),
            named: Mutex::new((Instant::now(), 0, 0)),
            service,
            listener,
            settings,
            shutdown,
        }
    }

    pub(super) fn route(&self, sender: usize) -> &SyslogRoute {
        &self.listener.senders[sender].route
    }

    /// Makes messages of one sender durable, or refuses them by name. Returns false when they were given up because the
    /// listener stops.
    pub(super) async fn take(
        &self,
        sender: usize,
        from: IpAddr,
        reader: &mut SyslogReader,
        messages: Vec<Vec<u8>>,
        patience: Patience,
    ) -> bool {
        let count = messages.len();
        self.messages.increment(count as u64);
        let route = self.route(sender);
        let parsed = self.service.syslog_parse(route, from, std::mem::take(reader), messages).await;
        let batch = match parsed {
            Ok((back, batch)) => {
                *reader = back;
                batch
            }
            Err(error) => {
                self.given_up(from, count, &error);
                return true;
            }
        };
        self.switched_off.increment(batch.switched_off as u64);
        for refused in &batch.refused {
            self.refuse(from, refused);
        }
        let caller = self.service.syslog_caller(&self.listener.address, route, from);
        let mut pause = PAUSE;
        loop {
            let error = match self.service.syslog_submit(&caller, &batch).await {
                Ok(report) => {
                    self.accepted.increment(report.accepted as u64);
                    self.duplicates.increment(report.duplicates as u64);
                    for refused in &report.refused {
                        self.refuse(from, refused);
                    }
                    return true;
                }
                Err(error) => error,
            };
            let wait = match &error {
                IntakeError::Pushback { retry_after }
                | IntakeError::RateLimited { retry_after, .. } => *retry_after,
                _ => pause,
            };
            pause = (pause * 2).min(PAUSE_MAX);
            if let Patience::Until(end) = patience
                && Instant::now() + wait > end
            {
                self.given_up(from, count, &error);
                return true;
            }
            tracing::debug!(listener = %self.listener.address, %error, "syslog messages wait");
            tokio::select! {
                () = sleep(wait) => {}
                () = self.shutdown.cancelled() => {
                    self.given_up(from, count, &error);
                    return false;
                }
            }
        }
    }

    fn given_up(&self, from: IpAddr, count: usize, error: &IntakeError) {
        let detail = format!("{count} messages could not be kept: {error}");
        self.counted("unavailable").increment(count as u64);
        self.name(from, "unavailable", &detail);
    }

    /// Counts a refusal and names it in the log, as long as there are not too many.
    pub(super) fn refuse(&self, from: IpAddr, refused: &Refused) {
        self.counted(refused.reason).increment(1);
        self.name(from, refused.reason, &refused.detail);
    }

    fn counted(&self, reason: &'static str) -> Counter {
        let listener = self.listener.address.clone();
        counter!("attestary_syslog_refused_total", "listener" => listener, "reason" => reason)
    }

    fn name(&self, from: IpAddr, reason: &str, detail: &str) {
        let unnamed = {
            let mut named = self.named.lock();
            let (since, count, unnamed) = &mut *named;
            if since.elapsed() >= Duration::from_mins(1) {
                (*since, *count) = (Instant::now(), 0);
            }
            *count += 1;
            if *count > NAMED_MAX {
                *unnamed += 1;
                return;
            }
            std::mem::take(unnamed)
        };
        let listener = &self.listener.address;
        tracing::warn!(%listener, sender = %from, reason, detail, unnamed, "a syslog message was refused");
    }
}
