//! Blueprints of destinations: what every tenant of an environment gets, and which destination came of it for whom.

use attestary_event::{EnvironmentId, TenantId};
use rusqlite::params;

use super::{
    Catalog, DestinationRow, Opaque, Result, delivery::insert_destination, keys::found, signed,
    unsigned,
};

/// Tables of this area.
pub(super) const TABLES: &str = "
CREATE TABLE blueprints (
    id TEXT PRIMARY KEY, environment TEXT NOT NULL, body BLOB NOT NULL, revision INTEGER NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE blueprint_copies (
    blueprint TEXT NOT NULL REFERENCES blueprints (id), tenant TEXT NOT NULL, destination TEXT NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (blueprint, tenant)
) STRICT, WITHOUT ROWID;
";

/// One blueprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlueprintRow {
    /// `bpr_` and a ULID.
    pub id: String,
    /// Whose tenants get it.
    pub environment: EnvironmentId,
    /// What destinations are made from, sealed: it may hold secrets.
    pub body: Opaque<Vec<u8>>,
    /// How often it was changed.
    pub revision: u64,
    /// When it was made, in milliseconds since the epoch.
    pub created_ms: u64,
}

/// What came of a blueprint for a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlueprintCopy {
    /// Whose it is.
    pub tenant: TenantId,
    /// `dst_…`; it may have been deleted since.
    pub destination: String,
    /// The revision of the blueprint that it has.
    pub revision: u64,
}

impl Catalog {
    /// Saves a blueprint.
    pub fn create_blueprint(&self, row: &BlueprintRow) -> Result<()> {
        let text = "INSERT INTO blueprints (id, environment, body, created_ms, revision) VALUES (?1, ?2, ?3, ?4, 0)";
        let values = params![row.id, row.environment.as_str(), row.body.0, signed(row.created_ms)];
        self.write(|transaction| Ok(transaction.execute(text, values)?))?;
        Ok(())
    }

    /// Saves a changed blueprint under its new revision.
    pub fn update_blueprint(&self, row: &BlueprintRow) -> Result<()> {
        let text = "UPDATE blueprints SET body = ?2, revision = ?3 WHERE id = ?1";
        let values = params![row.id, row.body.0, signed(row.revision)];
        let changed = self.write(|transaction| Ok(transaction.execute(text, values)?))?;
        found(changed, || format!("blueprint {}", row.id))
    }

    /// Returns the blueprints of all environments, oldest first.
    pub fn blueprints(&self) -> Result<Vec<BlueprintRow>> {
        self.read(|connection| {
            let text =
                "SELECT id, environment, body, created_ms, revision FROM blueprints ORDER BY id";
            let mut select = connection.prepare_cached(text)?;
            let rows = select.query_map([], |row| {
                Ok(BlueprintRow {
                    id: row.get(0)?,
                    environment: EnvironmentId::restored(&row.get::<_, String>(1)?),
                    body: Opaque(row.get(2)?),
                    created_ms: unsigned(row.get(3)?),
                    revision: unsigned(row.get(4)?),
                })
            })?;
            rows.map(|row| Ok(row?)).collect()
        })
    }

    /// Returns what came of a blueprint.
    pub fn blueprint_copies(&self, blueprint: &str) -> Result<Vec<BlueprintCopy>> {
        self.read(|connection| {
            let text =
                "SELECT tenant, destination, revision FROM blueprint_copies WHERE blueprint = ?1";
            let mut select = connection.prepare_cached(text)?;
            let rows = select.query_map([blueprint], |row| {
                Ok(BlueprintCopy {
                    tenant: TenantId::restored(&row.get::<_, String>(0)?),
                    destination: row.get(1)?,
                    revision: unsigned(row.get(2)?),
                })
            })?;
            rows.map(|row| Ok(row?)).collect()
        })
    }

    /// Saves a destination that comes of a blueprint; both are there or neither is.
    pub fn create_blueprint_copy(
        &self,
        blueprint: &str,
        revision: u64,
        row: &DestinationRow,
    ) -> Result<()> {
        let text = "INSERT INTO blueprint_copies (blueprint, tenant, destination, revision)
                    VALUES (?1, ?2, ?3, ?4)";
        self.write(|transaction| {
            insert_destination(transaction, row)?;
            let values = params![blueprint, row.tenant.as_str(), row.id, signed(revision)];
            transaction.execute(text, values)?;
            Ok(())
        })
    }

    /// Notes that a copy has a revision of its blueprint.
    pub fn revise_blueprint_copy(
        &self,
        blueprint: &str,
        copy: &BlueprintCopy,
        revision: u64,
    ) -> Result<()> {
        let text = "UPDATE blueprint_copies SET revision = ?3 WHERE blueprint = ?1 AND tenant = ?2";
        let values = params![blueprint, copy.tenant.as_str(), signed(revision)];
        self.write(|transaction| Ok(transaction.execute(text, values)?))?;
        Ok(())
    }

    /// Forgets what came of blueprints for a tenant that is deleted.
    pub fn delete_blueprint_copies_of(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
    ) -> Result<()> {
        let text = "DELETE FROM blueprint_copies WHERE tenant = ?2 AND blueprint IN
                    (SELECT id FROM blueprints WHERE environment = ?1)";
        let values = params![environment.as_str(), tenant.as_str()];
        self.write(|transaction| Ok(transaction.execute(text, values)?))?;
        Ok(())
    }

    /// Removes a blueprint with the memory of its copies.
    pub fn delete_blueprint(&self, id: &str) -> Result<()> {
        let changed = self.write(|transaction| {
            transaction.execute("DELETE FROM blueprint_copies WHERE blueprint = ?1", [id])?;
            Ok(transaction.execute("DELETE FROM blueprints WHERE id = ?1", [id])?)
        })?;
        found(changed, || format!("blueprint {id}"))
    }
}
