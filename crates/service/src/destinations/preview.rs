//! Preview: the exact bytes that a destination would send for real past events. Nothing is sent or stored.

use attestary_delivery::{Secrets, Spec, preview};
use attestary_event::{TenantId, View};

use super::{NewDestination, as_read, running::known_actions};
use crate::{
    Caller, ChangeError, ReadError, Scope, Service,
    audit::{Act, action},
    error::cause,
};

/// Records that one preview shows.
const RECORDS_MAX: usize = 20;
/// Newest events that are looked at for events that the filter selects.
const SCANNED_MAX: u64 = 5_000;
/// Read at once: all of it, or the newest would be missing.
const READ_EVENTS: usize = 100;
const READ_BYTES: usize = usize::MAX;

/// What a destination would send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// Events that were looked at, from the newest back.
    pub scanned: u64,
    /// Where to and how, without paths, queries and headers.
    pub request: String,
    /// The records, in log order.
    pub records: Vec<preview::Record>,
    /// The body of one request that holds these records.
    pub body: Vec<u8>,
}

impl Service {
    /// Shows what a destination that was not made yet would send of the newest events.
    pub async fn preview_new_destination(
        &self,
        caller: &Caller,
        tenant: &str,
        new: NewDestination,
        limit: usize,
    ) -> Result<Preview, ChangeError> {
        self.permit(caller, Scope::Destinations, "destination.preview")?;
        let tenant = self.visible(caller, tenant)?;
        let environment = caller.environment()?.clone();
        let draft = self.check_new(caller, &environment, &tenant, &new)?;
        self.preview(caller, &tenant, &draft.spec, &draft.secrets, limit).await
    }

    /// Shows what a destination would send of the newest events.
    pub async fn preview_destination(
        &self,
        caller: &Caller,
        tenant: &str,
        id: &str,
        limit: usize,
    ) -> Result<Preview, ReadError> {
        self.permit(caller, Scope::Destinations, "destination.preview")?;
        let tenant = self.visible(caller, tenant)?;
        let row = self.own_row(caller, &tenant, id).await.map_err(as_read)?;
        let (spec, secrets) = self.restored(&row).map_err(as_read)?;
        self.preview(caller, &tenant, &spec, &secrets, limit).await.map_err(as_read)
    }

    async fn preview(
        &self,
        caller: &Caller,
        tenant: &TenantId,
        spec: &Spec,
        secrets: &Secrets,
        limit: usize,
    ) -> Result<Preview, ChangeError> {
        let limit = limit.clamp(1, RECORDS_MAX);
        let size = self.store().log(&spec.environment, tenant).map_or(0, |log| log.size);
        let (mut found, mut end) = (Vec::new(), size);
        while end > 0 && found.len() < limit && size - end < SCANNED_MAX {
            let start = end.saturating_sub(READ_EVENTS as u64);
            let wanted = (end - start) as usize;
            let read =
                self.store().read(&spec.environment, tenant, start, wanted, READ_BYTES).await;
            let events = read.map_err(|error| ChangeError::Unavailable(cause(error)))?;
            for event in events.into_iter().filter(|event| event.seq < end).rev() {
                let fields = event.fields();
                if found.len() < limit
                    && spec.filter.matches(&View { event: &event, fields: &fields })
                {
                    drop(fields);
                    found.push(event);
                }
            }
            end = start;
        }
        found.reverse();
        let act = Act::new(action::VIEW, "destination.preview")
            .on("tenant", tenant.as_str())
            .with("result_count", found.len());
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        let now = attestary_event::Timestamp(self.clock().now_ms() as i64);
        let made = preview::of(spec, secrets, &found, &known_actions(), now);
        Ok(Preview {
            scanned: size - end,
            request: made.request,
            records: made.records,
            body: made.body,
        })
    }
}
