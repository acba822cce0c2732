//! Legal holds: what they select stays, whatever retention and erasures say, until somebody releases it.

use std::collections::HashSet;

use attestary_event::{EnvironmentId, TenantId, View, Violation, filter::Filter};
use attestary_store::catalog::{CatalogError, HoldRow, RemovalState};

use super::erasures::TakeUp;
use crate::{
    AccessError, Caller, ChangeError, FilterProblem, ReadError, Scope, Service,
    audit::{Act, action},
    cursor::{decode_text, encode_text},
    error::cause,
    ids::mint,
    keys::change_error,
};

const NAME_BYTES_MAX: usize = 256;
const REASON_BYTES_MAX: usize = 1_024;
const CUSTODIANS_MAX: usize = 1_000;
const CUSTODIAN_BYTES_MAX: usize = 1_024;
/// Holds in force per tenant: every removal asks all of them.
const HOLDS_MAX: usize = 100;

/// What a new hold is made from.
#[derive(Debug, Clone, Default)]
pub struct NewHold {
    /// For people.
    pub name: String,
    /// Text in the filter language; empty selects everything.
    pub filter: String,
    /// Ids of persons: only events in which one of them acts or is acted on. Empty selects all.
    pub custodians: Vec<String>,
    /// For people.
    pub reason: String,
}

/// One page of holds by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldPage {
    /// The holds.
    pub holds: Vec<HoldRow>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

/// A hold in force, ready to be asked.
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    pub(crate) id: String,
    filter: Filter,
    custodians: HashSet<String>,
}

impl Hold {
    fn of(row: HoldRow) -> Option<Self> {
        Some(Self {
            id: row.id,
            filter: Filter::parse(&row.filter).ok()?,
            custodians: serde_json::from_str(&row.custodians).ok()?,
        })
    }

    /// Returns true when the event must stay.
    pub(crate) fn matches(&self, view: &View<'_>) -> bool {
        self.filter.matches(view) && (self.custodians.is_empty() || self.names(view))
    }

    /// A custodian is known by id or e-mail, as whoever acts, is acted for, or is acted on.
    fn names(&self, view: &View<'_>) -> bool {
        view.fields.iter().any(|field| {
            let party = field.pointer.strip_suffix("/id").or(field.pointer.strip_suffix("/email"));
            let is_party = party.is_some_and(|party| {
                ["/actor", "/impersonator", "/on_behalf_of"].contains(&party)
                    || party.strip_prefix("/targets/").is_some_and(|at| !at.contains('/'))
            });
            is_party && self.custodians.contains(field.value)
        })
    }
}

impl Service {
    /// Places a hold on a part of a tenant's log.
    pub async fn place_hold(
        &self,
        caller: &Caller,
        tenant: &str,
        new: NewHold,
    ) -> Result<HoldRow, ChangeError> {
        self.permit(caller, Scope::Admin, "hold.place")?;
        let tenant = self.visible(caller, tenant)?;
        let environment = caller.environment()?.clone();
        check(&new)?;
        // Whoever removes events has asked the holds before; this one waits for its turn.
        let _turn = self.govern().turn().await;
        self.refuse_while_removing(&environment, &tenant).await?;
        if self.holds_in_force(&environment, &tenant).await?.len() >= HOLDS_MAX {
            let reason = format!("a tenant has at most {HOLDS_MAX} holds in force");
            return Err(ChangeError::Conflict { reason });
        }
        let now_ms = self.clock().now_ms();
        let row = HoldRow {
            id: mint("hold_", now_ms, self.rng()),
            environment,
            tenant,
            name: new.name,
            filter: new.filter,
            custodians: serde_json::to_string(&new.custodians)
                .map_err(|error| ChangeError::Unavailable(cause(error)))?,
            reason: new.reason,
            placed_ms: now_ms,
            placed_by: caller.principal.id().to_owned(),
            released_ms: None,
            released_by: None,
        };
        let act = Act::new(action::POLICY, "hold.place")
            .on("tenant", row.tenant.as_str())
            .on("hold", &row.id)
            .with("filter", row.filter.as_str())
            .with("custodians", new.custodians);
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        self.note_hold(caller, &row, action::HOLD_PLACED).await?;
        let kept = row.clone();
        self.catalog(move |catalog| catalog.create_hold(&kept)).await.map_err(change_error)?;
        Ok(row)
    }

    /// Releases a hold; erasures that waited for it go on.
    pub async fn release_hold(
        &self,
        caller: &Caller,
        tenant: &str,
        id: &str,
    ) -> Result<HoldRow, ChangeError> {
        self.permit(caller, Scope::Admin, "hold.release")?;
        let tenant = self.visible(caller, tenant)?;
        let row = self.hold_row(caller.environment()?, &tenant, id).await.map_err(to_change)?;
        if row.released_ms.is_some() {
            return Err(ChangeError::Conflict {
                reason: "the hold was released before".to_owned(),
            });
        }
        let act = Act::new(action::POLICY, "hold.release")
            .on("tenant", row.tenant.as_str())
            .on("hold", &row.id);
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        self.note_hold(caller, &row, action::HOLD_RELEASED).await?;
        let (now_ms, by) = (self.clock().now_ms(), caller.principal.id().to_owned());
        let (id, released_by) = (row.id.clone(), by.clone());
        self.catalog(move |catalog| catalog.release_hold(&id, now_ms, &released_by))
            .await
            .map_err(change_error)?;
        self.take_up_erasures(TakeUp::All);
        Ok(HoldRow { released_ms: Some(now_ms), released_by: Some(by), ..row })
    }

    /// Returns one hold.
    pub async fn hold(
        &self,
        caller: &Caller,
        tenant: &str,
        id: &str,
    ) -> Result<HoldRow, ReadError> {
        self.permit(caller, Scope::Admin, "hold.get")?;
        let tenant = self.visible(caller, tenant)?;
        let row = self.hold_row(caller.environment()?, &tenant, id).await?;
        let act = Act::new(action::VIEW, "hold.get").on("tenant", tenant.as_str()).on("hold", id);
        self.record(caller, act).await.map_err(ReadError::Audit)?;
        Ok(row)
    }

    /// Returns a page of a tenant's holds by id, released ones included.
    pub async fn list_holds(
        &self,
        caller: &Caller,
        tenant: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<HoldPage, ReadError> {
        self.permit(caller, Scope::Admin, "hold.list")?;
        let tenant = self.visible(caller, tenant)?;
        let environment = caller.environment()?.clone();
        let list = format!("holds {environment} {tenant}");
        let after = cursor.map(|text| decode_text(&list, text, self.cursor_key())).transpose()?;
        let read = move |catalog: &attestary_store::Catalog| {
            catalog.holds(&environment, &tenant, false, after.as_deref(), limit + 1)
        };
        let mut holds =
            self.catalog(read).await.map_err(|error| ReadError::Unavailable(cause(error)))?;
        let more = holds.len() > limit;
        holds.truncate(limit);
        let last = holds.last().filter(|_| more);
        let next_cursor = last.map(|row| encode_text(&list, &row.id, self.cursor_key()));
        self.recorded_list(caller, "hold.list", holds.len()).await?;
        Ok(HoldPage { holds, next_cursor })
    }

    /// Returns a tenant's holds in force. One that cannot be read is an error: it would hold nothing.
    pub(crate) async fn holds_in_force(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
    ) -> Result<Vec<Hold>, ChangeError> {
        let (environment, tenant) = (environment.clone(), tenant.clone());
        let read = move |catalog: &attestary_store::Catalog| {
            catalog.holds(&environment, &tenant, true, None, usize::MAX >> 1)
        };
        let rows = self.catalog(read).await.map_err(change_error)?;
        let holds = rows.into_iter().map(|row| {
            let what = format!("hold {}", row.id);
            Hold::of(row).ok_or(CatalogError::Corrupt { what })
        });
        holds.collect::<Result<_, _>>().map_err(|error| ChangeError::Unavailable(cause(error)))
    }

    async fn hold_row(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        id: &str,
    ) -> Result<HoldRow, ReadError> {
        let id = id.to_owned();
        let row = self.catalog(move |catalog| catalog.hold(&id)).await;
        let row = row.map_err(|error| ReadError::Unavailable(cause(error)))?;
        let own = |row: &HoldRow| row.environment == *environment && row.tenant == *tenant;
        row.filter(own).ok_or(AccessError::NotFound.into())
    }

    /// The tenant's own log says that a hold was placed or released, without naming anybody.
    async fn note_hold(
        &self,
        caller: &Caller,
        row: &HoldRow,
        name: &'static str,
    ) -> Result<(), ChangeError> {
        let operation = if name == action::HOLD_PLACED { "hold.place" } else { "hold.release" };
        let act = Act::new(name, operation).on("hold", &row.id);
        self.note(caller, &row.tenant, act).await.map_err(ChangeError::Audit)
    }

    /// A removal that the log already agreed to is carried out first.
    async fn refuse_while_removing(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
    ) -> Result<(), ChangeError> {
        let rows = self.catalog(attestary_store::Catalog::unfinished_removals).await;
        let rows = rows.map_err(change_error)?;
        let under_way = rows.iter().any(|row| {
            row.state != RemovalState::Done
                && row.environment == *environment
                && row.tenant == *tenant
        });
        if under_way {
            let reason = "a removal in this log was interrupted and is being finished; try again in a minute";
            return Err(ChangeError::Conflict { reason: reason.to_owned() });
        }
        Ok(())
    }
}

fn check(new: &NewHold) -> Result<(), ChangeError> {
    let mut violations = Vec::new();
    let mut limit = |pointer: &str, bytes: usize, limit: usize| {
        if bytes > limit {
            let detail = format!("may have {limit} bytes; this one has {bytes}");
            violations.push(Violation::new(pointer, detail));
        }
    };
    limit("/name", new.name.len(), NAME_BYTES_MAX);
    limit("/reason", new.reason.len(), REASON_BYTES_MAX);
    for (at, custodian) in new.custodians.iter().enumerate() {
        limit(&format!("/custodians/{at}"), custodian.len(), CUSTODIAN_BYTES_MAX);
    }
    if new.name.is_empty() {
        violations.push(Violation::new("/name", "a hold needs a name"));
    }
    if new.custodians.len() > CUSTODIANS_MAX {
        let detail = format!("a hold names at most {CUSTODIANS_MAX} custodians");
        violations.push(Violation::new("/custodians", detail));
    }
    match parse_filter(&new.filter) {
        Ok(filter) if filter.is_relative() => {
            let detail = "\"now\" means nothing in a hold: it is asked at any time";
            violations.push(Violation::new("/filter", detail));
        }
        Ok(_) => {}
        Err(problem) => return Err(ChangeError::Filter(problem)),
    }
    if violations.is_empty() { Ok(()) } else { Err(ChangeError::Invalid(violations)) }
}

pub(crate) fn parse_filter(text: &str) -> Result<Filter, FilterProblem> {
    crate::search::parse_filter(text)
}

pub(crate) fn to_change(error: ReadError) -> ChangeError {
    match error {
        ReadError::Access(error) => error.into(),
        ReadError::Audit(error) => ChangeError::Audit(error),
        other => ChangeError::Unavailable(cause(other)),
    }
}
