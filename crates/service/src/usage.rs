//! Usage and quotas: what keys submitted for tenants, day by day (UTC), and how much of a month's quota is left.
//!
//! Only new events count, with the bytes of their committed JSON; repeats are free. Counts are gathered in memory and
//! saved every ten seconds and at the end; a crash forgets at most what was counted since. A quota is shown, and where it
//! is meant to, refuses what would go beyond it; requests that run at the same time may pass it by what they hold.

use std::{collections::HashMap, time::Duration};

use attestary_event::{EnvironmentId, TenantId, Timestamp, Violation};
use attestary_store::{
    Outcome,
    catalog::{Catalog, CatalogError, QuotaRow, UsageBy, UsageCount, UsageQuery, UsageRow},
    record::Prepared,
};
use parking_lot::{Mutex, RwLock};

use crate::{
    AccessError, Caller, ChangeError, IntakeError, ReadError, Scope, Service,
    audit::{Act, action},
    error::cause,
    keys::change_error,
};

/// How often counts are saved.
const SAVE_EVERY: Duration = Duration::from_secs(10);
/// Longest range of one question, in days.
const DAYS_MAX: u32 = 366;
const DAY_MS: u64 = 86_400_000;

/// Whose quota.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A tenant.
    Tenant(TenantId),
    /// A key, by its id.
    Key(String),
}

impl Subject {
    fn text(&self) -> String {
        match self {
            Self::Tenant(tenant) => format!("tenant:{tenant}"),
            Self::Key(key) => format!("key:{key}"),
        }
    }

    fn restored(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("tenant", id) => Some(Self::Tenant(TenantId::restored(id))),
            ("key", id) => Some(Self::Key(id.to_owned())),
            _ => None,
        }
    }
}

/// What somebody may use in a calendar month (UTC).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quota {
    /// Events; no limit when absent.
    pub events: Option<u64>,
    /// Bytes; no limit when absent.
    pub bytes: Option<u64>,
    /// What goes beyond is refused; otherwise it is only shown.
    pub refuse: bool,
}

/// A quota and what of it was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaStatus {
    /// The quota.
    pub quota: Quota,
    /// Used since the month began.
    pub used: UsageCount,
    /// When the next month begins, in milliseconds since the epoch.
    pub renewed_ms: u64,
}

/// One line of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageLine {
    /// Id of the tenant or key, or the day as `2026-11-22`.
    pub name: String,
    /// Accepted within the range.
    pub accepted: UsageCount,
    /// Events that the tenant's log holds now; of tenants only.
    pub stored_events: Option<u64>,
    /// Quota of this month, where there is one.
    pub quota: Option<QuotaStatus>,
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct UsageAsked {
    /// First day, `2026-11-01`; the first of this month when absent.
    pub from: Option<String>,
    /// The day after the last one; tomorrow when absent.
    pub to: Option<String>,
    /// Only this tenant.
    pub tenant: Option<String>,
    /// Only this key.
    pub key: Option<String>,
    /// By what it is added up.
    pub by: UsageBy,
}

/// What was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageReport {
    /// First day.
    pub from: String,
    /// The day after the last one.
    pub to: String,
    /// By name.
    pub lines: Vec<UsageLine>,
    /// The sum of them.
    pub total: UsageCount,
}

type Place = (EnvironmentId, TenantId, String, u32);
type Account = (EnvironmentId, Subject);

/// Counts that are not saved yet, and the accounts of those who have a quota.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    unsaved: Mutex<HashMap<Place, UsageCount>>,
    accounts: RwLock<HashMap<Account, Mutex<Spent>>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Spent {
    quota: Quota,
    /// The month that `used` is of: its first day.
    month: u32,
    used: UsageCount,
}

impl Usage {
    /// Reads the quotas, and what of them was used this month.
    pub(crate) fn restored(catalog: &Catalog, now_ms: u64) -> Result<Self, CatalogError> {
        let usage = Self::default();
        for row in catalog.quotas()? {
            let Some(subject) = Subject::restored(&row.subject) else { continue };
            let quota = Quota { events: row.events, bytes: row.bytes, refuse: row.refuse };
            let spent = spent(catalog, &row.environment, &subject, quota, now_ms)?;
            usage.accounts.write().insert((row.environment, subject), Mutex::new(spent));
        }
        Ok(usage)
    }

    /// Returns whose quota the events would pass, if it refuses.
    fn refusal(
        &self,
        environment: &EnvironmentId,
        key: &str,
        sizes: &[(TenantId, u64)],
        now_ms: u64,
    ) -> Option<Subject> {
        let accounts = self.accounts.read();
        if accounts.is_empty() {
            return None;
        }
        sums(key, sizes).into_iter().find_map(|(subject, more)| {
            let account = (environment.clone(), subject);
            let mut spent = accounts.get(&account)?.lock();
            spent.turn(now_ms);
            (spent.quota.refuse && spent.passes(more)).then_some(account.1)
        })
    }

    /// Counts events that are new.
    fn count(&self, environment: &EnvironmentId, key: &str, new: &[(TenantId, u64)], now_ms: u64) {
        let day = day_of(now_ms);
        {
            let mut unsaved = self.unsaved.lock();
            let mut last: Option<(&TenantId, UsageCount)> = None;
            let mut add = |tenant: &TenantId, more: UsageCount| {
                let place = (environment.clone(), tenant.clone(), key.to_owned(), day);
                add_to(unsaved.entry(place).or_default(), more);
            };
            // Runs of one tenant, which is the usual batch, cost one entry.
            for (tenant, bytes) in new {
                match &mut last {
                    Some((same, count)) if *same == tenant => {
                        add_to(count, UsageCount { events: 1, bytes: *bytes });
                    }
                    _ => {
                        if let Some((tenant, count)) = last.take() {
                            add(tenant, count);
                        }
                        last = Some((tenant, UsageCount { events: 1, bytes: *bytes }));
                    }
                }
            }
            if let Some((tenant, count)) = last {
                add(tenant, count);
            }
        }
        let accounts = self.accounts.read();
        if accounts.is_empty() {
            return;
        }
        for (subject, more) in sums(key, new) {
            if let Some(spent) = accounts.get(&(environment.clone(), subject)) {
                let mut spent = spent.lock();
                spent.turn(now_ms);
                add_to(&mut spent.used, more);
            }
        }
    }

    fn status(
        &self,
        environment: &EnvironmentId,
        subject: Subject,
        now_ms: u64,
    ) -> Option<QuotaStatus> {
        let accounts = self.accounts.read();
        let mut spent = accounts.get(&(environment.clone(), subject))?.lock();
        spent.turn(now_ms);
        let renewed_ms = u64::from(next_month(now_ms)) * DAY_MS;
        Some(QuotaStatus { quota: spent.quota, used: spent.used, renewed_ms })
    }
}

impl Spent {
    /// Begins a new month when it is time.
    fn turn(&mut self, now_ms: u64) {
        let month = month_of(now_ms);
        if month != self.month {
            (self.month, self.used) = (month, UsageCount::default());
        }
    }

    fn passes(&self, more: UsageCount) -> bool {
        let over = |used: u64, more: u64, limit: Option<u64>| {
            limit.is_some_and(|limit| used.saturating_add(more) > limit)
        };
        over(self.used.events, more.events, self.quota.events)
            || over(self.used.bytes, more.bytes, self.quota.bytes)
    }
}

/// Adds events up for the key and for each tenant.
fn sums(key: &str, sizes: &[(TenantId, u64)]) -> Vec<(Subject, UsageCount)> {
    let mut sums: HashMap<&TenantId, UsageCount> = HashMap::new();
    let mut whole = UsageCount::default();
    for (tenant, bytes) in sizes {
        let one = UsageCount { events: 1, bytes: *bytes };
        add_to(&mut whole, one);
        add_to(sums.entry(tenant).or_default(), one);
    }
    let tenants = sums.into_iter().map(|(tenant, sum)| (Subject::Tenant(tenant.clone()), sum));
    std::iter::once((Subject::Key(key.to_owned()), whole)).chain(tenants).collect()
}

fn add_to(count: &mut UsageCount, more: UsageCount) {
    count.events = count.events.saturating_add(more.events);
    count.bytes = count.bytes.saturating_add(more.bytes);
}

fn spent(
    catalog: &Catalog,
    environment: &EnvironmentId,
    subject: &Subject,
    quota: Quota,
    now_ms: u64,
) -> Result<Spent, CatalogError> {
    let month = month_of(now_ms);
    let (tenants, key, by) = match subject {
        Subject::Tenant(tenant) => (Some(vec![tenant.clone()]), None, UsageBy::Tenant),
        Subject::Key(key) => (None, Some(key.clone()), UsageBy::Key),
    };
    let environment = environment.clone();
    let query = UsageQuery { environment, from_day: month, to_day: u32::MAX, tenants, key };
    let used = catalog.usage(&query, by)?.first().map(|(_, count)| *count).unwrap_or_default();
    Ok(Spent { quota, month, used })
}

impl Service {
    /// Refuses events that would pass a quota that refuses.
    pub(crate) fn within_quotas(
        &self,
        environment: &EnvironmentId,
        key: &str,
        sizes: &[(TenantId, u64)],
    ) -> Result<(), IntakeError> {
        let now_ms = self.clock().now_ms();
        let Some(subject) = self.usage_counts().refusal(environment, key, sizes, now_ms) else {
            return Ok(());
        };
        let whose = match subject {
            Subject::Tenant(tenant) => format!("tenant \"{tenant}\""),
            Subject::Key(key) => format!("key {key}"),
        };
        let renewed_ms = u64::from(next_month(now_ms)) * DAY_MS;
        let retry_after = Duration::from_millis(renewed_ms.saturating_sub(now_ms));
        Err(IntakeError::QuotaUsedUp { whose, retry_after })
    }

    /// Counts the events of a batch that are new.
    pub(crate) fn count_usage(
        &self,
        environment: &EnvironmentId,
        key: &str,
        sizes: Vec<(TenantId, u64)>,
        outcomes: &[Outcome],
    ) {
        let new = sizes.into_iter().zip(outcomes);
        let new: Vec<(TenantId, u64)> = new
            .filter(|(_, outcome)| matches!(outcome, Outcome::Accepted(_)))
            .map(|(size, _)| size)
            .collect();
        self.usage_counts().count(environment, key, &new, self.clock().now_ms());
    }

    /// Saves what was counted; what cannot be saved is kept for the next time.
    pub(crate) async fn save_usage(&self) {
        let taken = std::mem::take(&mut *self.usage_counts().unsaved.lock());
        if taken.is_empty() {
            return;
        }
        let rows: Vec<UsageRow> = taken
            .into_iter()
            .map(|((environment, tenant, key, day), count)| UsageRow {
                environment,
                tenant,
                key,
                day,
                count,
            })
            .collect();
        let saved = rows.clone();
        if let Err(error) = self.catalog(move |catalog| catalog.add_usage(&saved)).await {
            tracing::warn!(error = &*cause(error), "usage could not be saved; it is tried again");
            let mut unsaved = self.usage_counts().unsaved.lock();
            for row in rows {
                let place = (row.environment, row.tenant, row.key, row.day);
                add_to(unsaved.entry(place).or_default(), row.count);
            }
        }
    }

    /// Starts to save counts now and then.
    pub(crate) fn start_usage(&self) {
        let service = self.clone();
        self.spawn(|stopping| async move {
            while tokio::time::timeout(SAVE_EVERY, stopping.cancelled()).await.is_err() {
                service.save_usage().await;
            }
        });
    }

    /// Adds usage up. A key that is limited to tenants sees theirs.
    pub async fn usage(
        &self,
        caller: &Caller,
        asked: UsageAsked,
    ) -> Result<UsageReport, ReadError> {
        self.permit(caller, Scope::Admin, "usage.get")?;
        let environment = caller.environment()?.clone();
        let now_ms = self.clock().now_ms();
        let (from_day, to_day) = range(&asked, now_ms)?;
        let tenants = match &asked.tenant {
            Some(tenant) => Some(vec![self.visible(caller, tenant)?]),
            None => caller.tenants().map(<[TenantId]>::to_vec),
        };
        let act = Act::new(action::VIEW, "usage.get")
            .with_some("tenant", asked.tenant.as_deref())
            .with_some("key", asked.key.as_deref());
        self.record(caller, act).await.map_err(ReadError::Audit)?;
        self.save_usage().await;
        let query = UsageQuery {
            environment: environment.clone(),
            from_day,
            to_day,
            tenants,
            key: asked.key.clone(),
        };
        let by = asked.by;
        let sums = self.catalog(move |catalog| catalog.usage(&query, by)).await;
        let sums = sums.map_err(|error| ReadError::Unavailable(cause(error)))?;
        let mut total = UsageCount::default();
        let lines = sums.into_iter().map(|(name, accepted)| {
            add_to(&mut total, accepted);
            self.usage_line(caller, &environment, by, name, accepted, now_ms)
        });
        let lines = lines.collect();
        Ok(UsageReport { from: date(from_day), to: date(to_day), lines, total })
    }

    fn usage_line(
        &self,
        caller: &Caller,
        environment: &EnvironmentId,
        by: UsageBy,
        name: String,
        accepted: UsageCount,
        now_ms: u64,
    ) -> UsageLine {
        let (name, subject) = match by {
            UsageBy::Tenant => (name.clone(), Some(Subject::Tenant(TenantId::restored(&name)))),
            // What a key used for other tenants is not a limited caller's business.
            UsageBy::Key if caller.tenants().is_some() => (name, None),
            UsageBy::Key => (name.clone(), Some(Subject::Key(name))),
            UsageBy::Day => (date(name.parse().unwrap_or_default()), None),
        };
        let stored_events = match &subject {
            Some(Subject::Tenant(tenant)) => {
                self.store().log(environment, tenant).map(|log| log.size)
            }
            _ => None,
        };
        let quota =
            subject.and_then(|subject| self.usage_counts().status(environment, subject, now_ms));
        UsageLine { name, accepted, stored_events, quota }
    }

    /// Sets what a tenant or a key may use in a month; a quota without limits removes it.
    ///
    /// For keys of the whole environment: nobody raises their own quota.
    pub async fn set_quota(
        &self,
        caller: &Caller,
        subject: Subject,
        quota: Quota,
    ) -> Result<Option<QuotaStatus>, ChangeError> {
        self.permit(caller, Scope::Admin, "quota.set")?;
        let environment = caller.environment()?.clone();
        if caller.tenants().is_some() {
            return Err(AccessError::NotFound.into());
        }
        let act = match &subject {
            Subject::Tenant(tenant) => {
                self.visible(caller, tenant.as_str())?;
                Act::new(action::POLICY, "quota.set").on("tenant", tenant.as_str())
            }
            Subject::Key(key) => {
                self.own_key(caller, key)?;
                Act::new(action::POLICY, "quota.set").on("api_key", key)
            }
        };
        let now_ms = self.clock().now_ms();
        let before = self.usage_counts().status(&environment, subject.clone(), now_ms);
        let act = act.changed("quota", before.map(|status| words(status.quota)), words(quota));
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        self.save_usage().await;
        let row = QuotaRow {
            environment: environment.clone(),
            subject: subject.text(),
            events: quota.events,
            bytes: quota.bytes,
            refuse: quota.refuse,
            changed_ms: now_ms,
        };
        let of = (environment.clone(), subject.clone());
        let known = self
            .catalog(move |catalog| {
                catalog.put_quota(&row)?;
                spent(catalog, &of.0, &of.1, quota, now_ms)
            })
            .await
            .map_err(change_error)?;
        let account = (environment.clone(), subject.clone());
        if quota.events.is_none() && quota.bytes.is_none() {
            self.usage_counts().accounts.write().remove(&account);
        } else {
            self.usage_counts().accounts.write().insert(account, Mutex::new(known));
        }
        Ok(self.usage_counts().status(&environment, subject, now_ms))
    }
}

/// Returns tenant and bytes of each event.
pub(crate) fn sizes(prepared: &[Prepared]) -> Vec<(TenantId, u64)> {
    prepared.iter().map(|event| (event.tenant.clone(), event.body_bytes())).collect()
}

fn words(quota: Quota) -> String {
    let limit =
        |limit: Option<u64>| limit.map_or_else(|| "-".to_owned(), |limit| limit.to_string());
    let refuse = if quota.refuse { "refused" } else { "shown" };
    format!("{} events, {} bytes, beyond is {refuse}", limit(quota.events), limit(quota.bytes))
}

fn range(asked: &UsageAsked, now_ms: u64) -> Result<(u32, u32), ReadError> {
    let mut violations = Vec::new();
    let mut read = |name: &str, text: &Option<String>, absent: u32| match text {
        None => absent,
        Some(text) => parse_date(text).unwrap_or_else(|| {
            violations.push(Violation::new(format!("/{name}"), "is a day such as 2026-11-22"));
            absent
        }),
    };
    let from = read("from", &asked.from, month_of(now_ms));
    let to = read("to", &asked.to, day_of(now_ms) + 1);
    if violations.is_empty() && (from >= to || to - from > DAYS_MAX) {
        let detail = format!("must be before \"to\", by at most {DAYS_MAX} days");
        violations.push(Violation::new("/from", detail));
    }
    if violations.is_empty() { Ok((from, to)) } else { Err(ReadError::Invalid(violations)) }
}

fn day_of(now_ms: u64) -> u32 {
    (now_ms / DAY_MS) as u32
}

/// `2026-11-22` of a day's number.
fn date(day: u32) -> String {
    let text = Timestamp(i64::from(day) * DAY_MS as i64).to_string();
    text.get(..10).unwrap_or_default().to_owned()
}

fn parse_date(text: &str) -> Option<u32> {
    let time = Timestamp::parse(&format!("{text}T00:00:00Z")).filter(|_| text.len() == 10)?;
    u32::try_from(time.0 / DAY_MS as i64).ok()
}

/// Number of the month's first day.
fn month_of(now_ms: u64) -> u32 {
    let today = day_of(now_ms);
    let day: u32 = date(today).get(8..).and_then(|text| text.parse().ok()).unwrap_or(1);
    today - (day - 1).min(today)
}

/// Number of the next month's first day: 31 days after the first lie in the next month, whatever the month.
fn next_month(now_ms: u64) -> u32 {
    month_of(u64::from(month_of(now_ms) + 31) * DAY_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_begin_with_their_first_day() {
        #[track_caller]
        fn check(day: &str, month: &str, next: &str) {
            let now_ms = u64::from(parse_date(day).unwrap()) * DAY_MS + 12_345;
            assert_eq!(
                (date(month_of(now_ms)), date(next_month(now_ms))),
                (month.into(), next.into())
            );
        }
        check("2026-11-22", "2026-11-01", "2026-12-01");
        check("2026-12-31", "2026-12-01", "2027-01-01");
        check("2028-02-29", "2028-02-01", "2028-03-01");
        check("2026-02-01", "2026-02-01", "2026-03-01");
        assert_eq!(parse_date("2026-2-1"), None);
        assert_eq!(parse_date("2026-02-30"), None);
    }

    #[test]
    fn a_quota_is_passed_by_either_limit_and_begins_anew_with_the_month() {
        let count = |events, bytes| UsageCount { events, bytes };
        let quota = Quota { events: Some(10), bytes: Some(100), refuse: true };
        let now_ms = u64::from(parse_date("2026-11-30").unwrap()) * DAY_MS;
        let mut spent = Spent { quota, month: month_of(now_ms), used: count(9, 50) };
        assert!(!spent.passes(count(1, 50)));
        assert!(spent.passes(count(2, 1)) && spent.passes(count(1, 51)));
        spent.turn(now_ms + DAY_MS - 1);
        assert_eq!(spent.used, count(9, 50));
        spent.turn(now_ms + DAY_MS);
        assert_eq!(spent.used, count(0, 0));
    }
}
