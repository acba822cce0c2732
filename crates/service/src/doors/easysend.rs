//! EasySend: its payloads in, and its pull API out.

use attestary_event::{Timestamp, View, actions::KnownActions, scan::split_batch};
use attestary_formats::{Format, easysend::Options, intake::easysend};
use bytes::Bytes;

use super::{Foreign, Taken, each, parsed};
use crate::{Caller, Form, IntakeError, Order, ReadError, Scope, Search, Service, search_limits};

/// Which records of a tenant's log the pull API gives out.
#[derive(Debug, Clone)]
pub struct SecurityLogs {
    /// Whose; may be left out when the key sees only one tenant.
    pub tenant: Option<String>,
    /// From this time on.
    pub from: Timestamp,
    /// Before this time.
    pub to: Timestamp,
    /// Leave out what another product than the Player logged.
    pub player_only: bool,
}

/// Some records of the pull API.
#[derive(Debug)]
pub struct SecurityLogPage {
    /// Payload A, oldest first.
    pub records: Vec<Vec<u8>>,
    /// Where the next ones begin; `None` at the end.
    pub next: Option<String>,
}

impl Service {
    /// Takes payloads: one, an array, or one a line. `tenant` outranks what they say.
    pub async fn easysend_events(
        &self,
        caller: &Caller,
        body: Bytes,
        form: Form,
        tenant: Option<&str>,
    ) -> Result<Taken, IntakeError> {
        self.permit(caller, Scope::Ingest, "events.submit")?;
        let (bytes, named) = (body.len(), tenant.map(str::to_owned));
        let map = move |service: &Self, _: &Caller| {
            let payloads = split_batch(&body, form.into(), service.limits())?;
            each(payloads.into_events(), |payload| {
                let mapped = easysend::parse(payload, named.as_deref(), service.limits())?;
                Ok(Foreign { json: mapped.json, system: "easysend", area: mapped.area })
            })
        };
        self.take(caller, bytes, parsed(tenant), map).await
    }

    /// Returns the present time, up to which the pull API reads when nobody says.
    pub fn now(&self) -> Timestamp {
        Timestamp(self.clock().now_ms() as i64)
    }

    /// Returns the next records of the pull API.
    pub async fn easysend_logs(
        &self,
        caller: &Caller,
        logs: &SecurityLogs,
        cursor: Option<String>,
    ) -> Result<SecurityLogPage, ReadError> {
        let search = Search {
            tenant: logs.tenant.clone(),
            filter: "-action:attestary.*".into(),
            from: Some(logs.from),
            to: Some(logs.to),
            order: Order::Ascending,
            limit: search_limits::MAX,
            cursor,
        };
        let found = self.search(caller, search).await?;
        let format = Format::Easysend(Options::default());
        let mut records = Vec::with_capacity(found.events.len());
        for event in &found.events {
            let fields = event.fields();
            let product = fields.get("/source/fields/product_type");
            let player = product.is_none_or(|field| field.value.eq_ignore_ascii_case("player"));
            if logs.player_only && !player {
                continue;
            }
            let mut record = Vec::with_capacity(1024);
            let view = View { event, fields: &fields };
            format.encode(&view, KnownActions::builtin(), &mut record);
            records.push(record);
        }
        Ok(SecurityLogPage { records, next: found.next_cursor })
    }
}
