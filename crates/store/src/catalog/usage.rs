//! What keys and tenants used, a row a day, and what they may use in a month.

use attestary_event::{EnvironmentId, TenantId};
use rusqlite::params;

use super::{Catalog, Result, optional_signed, optional_unsigned, signed, unsigned};

/// The tables.
pub(super) const USAGE: &str = "
CREATE TABLE usage (
    environment TEXT NOT NULL, tenant TEXT NOT NULL, key TEXT NOT NULL, day INTEGER NOT NULL, events INTEGER NOT NULL,
    bytes INTEGER NOT NULL, PRIMARY KEY (environment, tenant, key, day)
) STRICT, WITHOUT ROWID;
CREATE TABLE quotas (
    environment TEXT NOT NULL, subject TEXT NOT NULL, events INTEGER, bytes INTEGER, refuse INTEGER NOT NULL,
    changed_ms INTEGER NOT NULL, PRIMARY KEY (environment, subject)
) STRICT, WITHOUT ROWID;
";

/// Events and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UsageCount {
    /// Events that were accepted.
    pub events: u64,
    /// Bytes of their committed JSON.
    pub bytes: u64,
}

/// What one key submitted for one tenant on one day (UTC).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRow {
    /// The environment.
    pub environment: EnvironmentId,
    /// The tenant.
    pub tenant: TenantId,
    /// The key's id.
    pub key: String,
    /// Days since 1970-01-01.
    pub day: u32,
    /// How much.
    pub count: UsageCount,
}

/// What somebody may use in a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaRow {
    /// The environment.
    pub environment: EnvironmentId,
    /// `tenant:` and its id, or `key:` and its id.
    pub subject: String,
    /// Events; no limit when absent.
    pub events: Option<u64>,
    /// Bytes; no limit when absent.
    pub bytes: Option<u64>,
    /// What goes beyond is refused; otherwise it is only shown.
    pub refuse: bool,
    /// When it was set last, in milliseconds since the epoch.
    pub changed_ms: u64,
}

/// By what usage is added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageBy {
    /// A sum for each tenant.
    Tenant,
    /// A sum for each key.
    Key,
    /// A sum for each day.
    Day,
}

/// Which usage is added up.
#[derive(Debug, Clone)]
pub struct UsageQuery {
    /// The environment.
    pub environment: EnvironmentId,
    /// Days from this one, included.
    pub from_day: u32,
    /// Days up to this one, excluded.
    pub to_day: u32,
    /// Only these tenants.
    pub tenants: Option<Vec<TenantId>>,
    /// Only this key.
    pub key: Option<String>,
}

impl Catalog {
    /// Adds usage to what is known.
    pub fn add_usage(&self, rows: &[UsageRow]) -> Result<()> {
        self.write(|transaction| {
            let text = "INSERT INTO usage (environment, tenant, key, day, events, bytes) VALUES (?1,?2,?3,?4,?5,?6)
                        ON CONFLICT (environment, tenant, key, day)
                        DO UPDATE SET events = events + excluded.events, bytes = bytes + excluded.bytes";
            let mut insert = transaction.prepare_cached(text)?;
            for row in rows {
                insert.execute(params![
                    row.environment.as_str(),
                    row.tenant.as_str(),
                    row.key,
                    row.day,
                    signed(row.count.events),
                    signed(row.count.bytes),
                ])?;
            }
            Ok(())
        })
    }

    /// Adds usage up, by name: of the tenant, the key, or the day's number.
    pub fn usage(&self, query: &UsageQuery, by: UsageBy) -> Result<Vec<(String, UsageCount)>> {
        let column = match by {
            UsageBy::Tenant => "tenant",
            UsageBy::Key => "key",
            UsageBy::Day => "CAST(day AS TEXT)",
        };
        let tenants = match &query.tenants {
            None => String::new(),
            Some(tenants) => {
                let places: Vec<String> =
                    (0..tenants.len()).map(|index| format!("?{}", index + 5)).collect();
                format!("AND tenant IN ({})", places.join(","))
            }
        };
        let text = format!(
            "SELECT {column}, SUM(events), SUM(bytes) FROM usage
             WHERE environment = ?1 AND day >= ?2 AND day < ?3 AND (?4 IS NULL OR key = ?4) {tenants}
             GROUP BY {column} ORDER BY {column}"
        );
        self.read(|connection| {
            let mut select = connection.prepare(&text)?;
            let mut values: Vec<Box<dyn rusqlite::ToSql>> = vec![
                Box::new(query.environment.as_str().to_owned()),
                Box::new(query.from_day),
                Box::new(query.to_day),
                Box::new(query.key.clone()),
            ];
            for tenant in query.tenants.iter().flatten() {
                values.push(Box::new(tenant.as_str().to_owned()));
            }
            let rows = select.query_map(rusqlite::params_from_iter(values), |row| {
                let count =
                    UsageCount { events: unsigned(row.get(1)?), bytes: unsigned(row.get(2)?) };
                Ok((row.get::<_, String>(0)?, count))
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Sets a quota, or removes it when it limits nothing.
    pub fn put_quota(&self, row: &QuotaRow) -> Result<()> {
        self.write(|transaction| {
            if row.events.is_none() && row.bytes.is_none() {
                let text = "DELETE FROM quotas WHERE environment = ?1 AND subject = ?2";
                transaction.execute(text, params![row.environment.as_str(), row.subject])?;
                return Ok(());
            }
            let text =
                "INSERT INTO quotas (environment, subject, events, bytes, refuse, changed_ms)
                        VALUES (?1,?2,?3,?4,?5,?6) ON CONFLICT (environment, subject)
                        DO UPDATE SET events = ?3, bytes = ?4, refuse = ?5, changed_ms = ?6";
            let values = params![
                row.environment.as_str(),
                row.subject,
                optional_signed(row.events),
                optional_signed(row.bytes),
                row.refuse,
                signed(row.changed_ms),
            ];
            transaction.execute(text, values)?;
            Ok(())
        })
    }

    /// Returns every quota.
    pub fn quotas(&self) -> Result<Vec<QuotaRow>> {
        self.read(|connection| {
            let text = "SELECT environment, subject, events, bytes, refuse, changed_ms FROM quotas";
            let mut select = connection.prepare_cached(text)?;
            let rows = select.query_map([], |row| {
                Ok(QuotaRow {
                    environment: EnvironmentId::restored(&row.get::<_, String>(0)?),
                    subject: row.get(1)?,
                    events: optional_unsigned(row.get(2)?),
                    bytes: optional_unsigned(row.get(3)?),
                    refuse: row.get(4)?,
                    changed_ms: unsigned(row.get(5)?),
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }
}
