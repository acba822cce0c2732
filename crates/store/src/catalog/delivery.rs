//! Destinations, their delivery state, attempts and quarantined events.

use attestary_event::{EnvironmentId, TenantId};
use rusqlite::{Connection, Row, Transaction, params};

use super::{
    ATTEMPTS_KEPT, AttemptRow, Catalog, CatalogError, DeliveryUpdate, DestinationRow, ManagedBy,
    Opaque, QuarantineRow, Result, keys::found, signed, unsigned,
};

/// Limits of a destination's batches, and how often its stream has a checkpoint.
pub(super) const BATCHES: &str = "
ALTER TABLE destinations ADD COLUMN batch TEXT NOT NULL DEFAULT '';
ALTER TABLE destinations ADD COLUMN checkpoint_seconds INTEGER NOT NULL DEFAULT 0;
";

impl Catalog {
    /// Adds a destination; a repeated id is a conflict.
    pub fn create_destination(&self, row: &DestinationRow) -> Result<()> {
        self.write(|transaction| insert_destination(transaction, row))
    }

    /// Replaces what people may change (name, config, format, filter, batch, secrets); owner and delivery state stay.
    pub fn update_destination(&self, row: &DestinationRow) -> Result<()> {
        let text = "UPDATE destinations SET name = ?2, config = ?3, format = ?4, filter = ?5, secrets = ?6,
                    managed_by = ?7, changed_ms = ?8, batch = ?9, checkpoint_seconds = ?10 WHERE id = ?1 AND deleted = 0";
        let values = params![
            row.id,
            row.name,
            row.config,
            row.format,
            row.filter,
            row.secrets.as_ref().map(|secrets| &secrets.0),
            row.managed_by.as_str(),
            signed(row.changed_ms),
            row.batch,
            signed(row.checkpoint_seconds),
        ];
        let changed = self.write(|transaction| Ok(transaction.execute(text, values)?))?;
        found(changed, || format!("destination {}", row.id))
    }

    /// Removes a destination for every reader, with its secrets, config, attempts and quarantine list.
    /// The id stays taken.
    pub fn delete_destination(&self, id: &str) -> Result<()> {
        let changed = self.write(|transaction| {
            transaction.execute("DELETE FROM attempts WHERE destination = ?1", [id])?;
            transaction.execute("DELETE FROM quarantine WHERE destination = ?1", [id])?;
            transaction.execute("DELETE FROM replays WHERE destination = ?1", [id])?;
            let text =
                "UPDATE destinations SET deleted = 1, secrets = NULL, config = '{}', state = '{}'
                        WHERE id = ?1 AND deleted = 0";
            Ok(transaction.execute(text, [id])?)
        })?;
        found(changed, || format!("destination {id}"))
    }

    /// Returns every destination, by id, for the engine's start.
    pub fn destinations(&self) -> Result<Vec<DestinationRow>> {
        self.read(|connection| select_destinations(connection, "", []))
    }

    /// Returns a tenant's destinations by id.
    pub fn destinations_of(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
    ) -> Result<Vec<DestinationRow>> {
        let condition = "AND environment = ?1 AND tenant = ?2";
        self.read(|connection| {
            select_destinations(connection, condition, [environment.as_str(), tenant.as_str()])
        })
    }

    /// Returns one destination.
    pub fn destination(&self, id: &str) -> Result<Option<DestinationRow>> {
        self.read(|connection| Ok(select_destinations(connection, "AND id = ?1", [id])?.pop()))
    }

    /// Applies what delivery did, all in one transaction. Updates of deleted destinations are dropped.
    pub fn record_delivery(&self, updates: &[DeliveryUpdate]) -> Result<()> {
        self.write(|transaction| {
            updates.iter().try_for_each(|update| apply_update(transaction, update))
        })
    }

    /// Returns the newest attempts of a destination, newest first.
    pub fn attempts(&self, destination: &str, limit: usize) -> Result<Vec<AttemptRow>> {
        self.read(|connection| {
            let text = "SELECT id, started_ms, duration_ms, verdict, seq_first, seq_last, events, detail FROM attempts
                        WHERE destination = ?1 ORDER BY number DESC LIMIT ?2";
            let mut select = connection.prepare_cached(text)?;
            let rows = select.query_map(params![destination, limit as i64], attempt_row)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Returns the quarantined events of a destination after `after`, by seq.
    pub fn quarantined(
        &self,
        destination: &str,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<QuarantineRow>> {
        self.read(|connection| {
            let text = "SELECT seq, quarantined_ms, reason FROM quarantine
                        WHERE destination = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
            let mut select = connection.prepare_cached(text)?;
            let after = after.map_or(-1, signed);
            let rows = select.query_map(params![destination, after, limit as i64], |row| {
                Ok(QuarantineRow {
                    seq: unsigned(row.get(0)?),
                    quarantined_ms: unsigned(row.get(1)?),
                    reason: row.get(2)?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }
}

fn apply_update(transaction: &Transaction<'_>, update: &DeliveryUpdate) -> Result<()> {
    let text = "UPDATE destinations SET state = ?2 WHERE id = ?1 AND deleted = 0";
    let known =
        transaction.prepare_cached(text)?.execute(params![update.destination, update.state])?;
    if known == 0 {
        return Ok(());
    }
    super::replays::insert_notes(transaction, update)?;
    insert_facts(transaction, update)
}

/// Adds the attempts and the events set aside of an update.
pub(super) fn insert_facts(transaction: &Transaction<'_>, update: &DeliveryUpdate) -> Result<()> {
    let text =
        "INSERT INTO quarantine (destination, seq, quarantined_ms, reason) VALUES (?1, ?2, ?3, ?4)
                ON CONFLICT DO NOTHING";
    let mut insert = transaction.prepare_cached(text)?;
    for row in &update.quarantined {
        insert.execute(params![
            update.destination,
            signed(row.seq),
            signed(row.quarantined_ms),
            row.reason
        ])?;
    }
    insert_attempts(transaction, update)
}

/// Adds the attempts and drops all but the newest [`ATTEMPTS_KEPT`].
fn insert_attempts(transaction: &Transaction<'_>, update: &DeliveryUpdate) -> Result<()> {
    if update.attempts.is_empty() {
        return Ok(());
    }
    let text = "INSERT INTO attempts (destination, id, started_ms, duration_ms, verdict, seq_first, seq_last, events,
                detail) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9)";
    let mut insert = transaction.prepare_cached(text)?;
    for row in &update.attempts {
        insert.execute(params![
            update.destination,
            row.id,
            signed(row.started_ms),
            signed(row.duration_ms),
            row.verdict,
            signed(row.seq_first),
            signed(row.seq_last),
            signed(row.events),
            row.detail,
        ])?;
    }
    let text =
        "DELETE FROM attempts WHERE destination = ?1 AND number <= (SELECT number FROM attempts
                WHERE destination = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)";
    transaction.prepare_cached(text)?.execute(params![update.destination, ATTEMPTS_KEPT as i64])?;
    Ok(())
}

fn attempt_row(row: &Row<'_>) -> rusqlite::Result<AttemptRow> {
    Ok(AttemptRow {
        id: row.get(0)?,
        started_ms: unsigned(row.get(1)?),
        duration_ms: unsigned(row.get(2)?),
        verdict: row.get(3)?,
        seq_first: unsigned(row.get(4)?),
        seq_last: unsigned(row.get(5)?),
        events: unsigned(row.get(6)?),
        detail: row.get(7)?,
    })
}

fn select_destinations<const N: usize>(
    connection: &Connection,
    condition: &str,
    values: [&str; N],
) -> Result<Vec<DestinationRow>> {
    let text = format!(
        "SELECT id, environment, tenant, name, type, config, format, filter, secrets, managed_by, created_ms, changed_ms,
         state, batch, checkpoint_seconds FROM destinations WHERE deleted = 0 {condition} ORDER BY id"
    );
    let mut select = connection.prepare_cached(&text)?;
    let rows =
        select.query_map(rusqlite::params_from_iter(values), |row| Ok(destination_row(row)))?;
    rows.map(|row| row?).collect()
}

fn destination_row(row: &Row<'_>) -> Result<DestinationRow> {
    let managed_by: String = row.get(9)?;
    Ok(DestinationRow {
        id: row.get(0)?,
        environment: EnvironmentId::restored(&row.get::<_, String>(1)?),
        tenant: TenantId::restored(&row.get::<_, String>(2)?),
        name: row.get(3)?,
        kind: row.get(4)?,
        config: row.get(5)?,
        format: row.get(6)?,
        filter: row.get(7)?,
        secrets: row.get::<_, Option<Vec<u8>>>(8)?.map(Opaque),
        managed_by: ManagedBy::parse(&managed_by)
            .ok_or_else(|| CatalogError::corrupt(format!("destination owner {managed_by:?}")))?,
        created_ms: unsigned(row.get(10)?),
        changed_ms: unsigned(row.get(11)?),
        state: row.get(12)?,
        batch: row.get(13)?,
        checkpoint_seconds: unsigned(row.get(14)?),
    })
}

/// Inserts a destination.
pub(super) fn insert_destination(
    transaction: &Transaction<'_>,
    row: &DestinationRow,
) -> Result<()> {
    let text = "INSERT INTO destinations (id, environment, tenant, name, type, config, format, filter, secrets,
                        managed_by, created_ms, changed_ms, state, batch, checkpoint_seconds, deleted)
                        VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,0)";
    transaction.execute(
        text,
        params![
            row.id,
            row.environment.as_str(),
            row.tenant.as_str(),
            row.name,
            row.kind,
            row.config,
            row.format,
            row.filter,
            row.secrets.as_ref().map(|secrets| &secrets.0),
            row.managed_by.as_str(),
            signed(row.created_ms),
            signed(row.changed_ms),
            row.state,
            row.batch,
            signed(row.checkpoint_seconds),
        ],
    )?;
    Ok(())
}
