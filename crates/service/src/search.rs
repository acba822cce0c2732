//! Search: pages of one tenant's log, newest first unless asked otherwise, and single events by id.
//!
//! A read is answered only after the event about it was accepted; that event carries the filter's text and the number
//! of results. Cursors: a descending search ends with no cursor. An ascending page that holds events always has one,
//! also at the end of the log, so that the same search can go on when there is more; an empty page without a
//! cursor means that there is nothing newer yet, and the cursor that led to it stays valid.

use attestary_event::{Event, EventId, TenantId, Timestamp, filter::Filter};
use attestary_store::{Order as StoreOrder, Search as Query};

use crate::{
    AccessError, Caller, Cursor, FilterProblem, Order, ReadError, Scope, Service,
    audit::{Act, action},
    cursor::search_digest,
    error::cause,
    lens::{filter_for, prune_for, seen_by},
};

/// Events of one page when the caller does not say.
pub const LIMIT_DEFAULT: usize = 50;
/// Events of one page at most.
pub const LIMIT_MAX: usize = 1_000;
/// Events looked at for one page: about a second of scanning. A page that spends it goes on with its cursor.
pub(crate) const SCAN_BUDGET: usize = 1_000_000;

/// What is searched for.
#[derive(Debug, Clone)]
pub struct Search {
    /// Whose log; may be left out when the key sees only one tenant.
    pub tenant: Option<String>,
    /// Text in the filter language; empty selects everything.
    pub filter: String,
    /// Only events that happened at or after this time.
    pub from: Option<Timestamp>,
    /// Only events that happened before this time.
    pub to: Option<Timestamp>,
    /// In which order.
    pub order: Order,
    /// Events of this page.
    pub limit: usize,
    /// Where to go on.
    pub cursor: Option<String>,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            tenant: None,
            filter: String::new(),
            from: None,
            to: None,
            order: Order::Descending,
            limit: LIMIT_DEFAULT,
            cursor: None,
        }
    }
}

/// One page.
#[derive(Debug)]
pub struct Found {
    /// In the order asked for.
    pub events: Vec<Event>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

impl Service {
    /// Returns one page of a search.
    pub async fn search(&self, caller: &Caller, search: Search) -> Result<Found, ReadError> {
        let tenant = self.readable(caller, search.tenant.as_deref(), "events.search")?;
        let environment = caller.environment()?;
        let filter = filter_for(caller, &search.filter).map_err(ReadError::Filter)?;
        let digest = digest(environment.as_str(), &tenant, &search);
        let after = match &search.cursor {
            Some(text) => {
                Some(Cursor::decode_for(text, self.cursor_key(), search.order, digest)?.seq)
            }
            None => None,
        };
        let query = Query {
            filter: filter.resolve(Timestamp(self.clock().now_ms() as i64)),
            from: search.from,
            to: search.to,
            order: store_order(search.order),
            limit: search.limit.clamp(1, LIMIT_MAX),
            bytes_max: usize::MAX,
            after,
            scan_budget: SCAN_BUDGET,
        };
        let (store, name) = (self.store().clone(), (environment.clone(), tenant.clone()));
        let of = name.clone();
        let read = async move { store.query(&of.0, &of.1, query).await };
        let page = self.seated(self.reads(), name, read).await?;
        let mut page = page.map_err(|error| ReadError::Unavailable(cause(error)))?;
        prune_for(caller, &mut page.events);
        self.record_read(caller, &tenant, search_act(&search, &tenant, page.events.len()))
            .await
            .map_err(ReadError::Audit)?;
        let at_end = page.events.is_empty() && page.scanned < SCAN_BUDGET;
        let next = page.next.filter(|_| search.order == Order::Descending || !at_end);
        let cursor = next.map(|seq| {
            Cursor { order: search.order, seq, search: digest }.encode(self.cursor_key())
        });
        Ok(Found { events: page.events, next_cursor: cursor })
    }

    /// Returns one event by its id; of repeats the lowest seq answers.
    pub async fn event(
        &self,
        caller: &Caller,
        tenant: Option<&str>,
        id: EventId,
    ) -> Result<Event, ReadError> {
        let tenant = self.readable(caller, tenant, "events.get")?;
        let (store, name) = (self.store().clone(), (caller.environment()?.clone(), tenant.clone()));
        let of = name.clone();
        let read = async move { store.event(&of.0, &of.1, id).await };
        let found = self.seated(self.reads(), name, read).await?;
        let found = found.map_err(|error| ReadError::Unavailable(cause(error)))?;
        let now = Timestamp(self.clock().now_ms() as i64);
        let found = found.and_then(|event| seen_by(caller, event, now));
        let act = Act::new(action::VIEW, "events.get")
            .on("tenant", tenant.as_str())
            .with("event_id", id.to_string())
            .with("result_count", usize::from(found.is_some()));
        self.record_read(caller, &tenant, act).await.map_err(ReadError::Audit)?;
        found.ok_or(AccessError::NotFound.into())
    }

    /// Returns the tenant whose log the caller may read.
    ///
    /// The audit log is open to keys of the whole environment that read or administer; every other log needs `read`.
    pub(crate) fn readable(
        &self,
        caller: &Caller,
        tenant: Option<&str>,
        operation: &'static str,
    ) -> Result<TenantId, ReadError> {
        if tenant == Some(TenantId::AUDIT) {
            let may =
                caller.has(Scope::Read) || caller.has(Scope::Admin) || caller.has(Scope::Operator);
            if !may {
                self.permit(caller, Scope::Read, operation)?;
            }
            return if caller.tenants().is_none() {
                Ok(TenantId::audit())
            } else {
                Err(AccessError::NotFound.into())
            };
        }
        self.permit(caller, Scope::Read, operation)?;
        match (tenant, caller.only_tenant()) {
            (Some(tenant), _) => Ok(self.visible(caller, tenant)?),
            (None, Some(only)) => Ok(self.visible(caller, only.as_str())?),
            (None, None) => Err(ReadError::TenantRequired),
        }
    }
}

/// Reads a filter's text; an empty one selects everything.
pub(crate) fn parse_filter(text: &str) -> Result<Filter, FilterProblem> {
    Filter::parse(text).map_err(|error| FilterProblem {
        detail: error.to_string(),
        offset: error.offset,
        length: error.length,
        expected: error.expected.iter().map(ToString::to_string).collect(),
    })
}

pub(crate) fn digest(environment: &str, tenant: &TenantId, search: &Search) -> [u8; 8] {
    let time = |time: Option<Timestamp>| time.map_or_else(String::new, |time| time.0.to_string());
    search_digest(&[
        environment,
        tenant.as_str(),
        &search.filter,
        &time(search.from),
        &time(search.to),
    ])
}

fn search_act(search: &Search, tenant: &TenantId, results: usize) -> Act {
    Act::new(action::VIEW, "events.search")
        .on("tenant", tenant.as_str())
        .with("filter", search.filter.as_str())
        .with_some("from", search.from.map(|time| time.to_string()))
        .with_some("to", search.to.map(|time| time.to_string()))
        .with("limit", search.limit)
        .with("result_count", results)
}

fn store_order(order: Order) -> StoreOrder {
    match order {
        Order::Ascending => StoreOrder::Ascending,
        Order::Descending => StoreOrder::Descending,
    }
}
