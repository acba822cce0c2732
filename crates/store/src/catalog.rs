//! The catalog: the small transactional database beside the journal and the segments.
//!
//! It holds what is neither an event nor derived from events alone: environments, keys, tenants, destinations with
//! their cursors; and what makes sealing atomic: heads, journal positions, the slot allocator and the manifest of
//! segments. It is never on the per-event path.
//!
//! Every method is **synchronous**, does file I/O and takes the one connection's lock: call it from a blocking
//! thread, or through [`Catalog::run`] from async code. Every change of more than one row is one transaction, and
//! a method that returned `Ok` has synced what it changed (`synchronous=FULL`). Deleted content is overwritten
//! (`secure_delete`); [`Catalog::purge`] also empties the write-ahead log.

mod actions;
mod alerts;
mod blueprints;
mod delivery;
mod epochs;
mod exports;
mod governance;
mod incarnations;
mod inspect;
mod keys;
mod manifest;
mod replays;
mod rows;
mod schema;
mod signed_heads;
mod sources;
mod sums;
mod tenants;
#[cfg(test)]
mod tests;
mod usage;
mod views;

use std::{path::Path, path::PathBuf, sync::Arc};

use attestary_event::ErrorKind;
use parking_lot::Mutex;
use rusqlite::{Connection, Transaction, TransactionBehavior};

pub use actions::ActionSchemaRow;
pub use alerts::AlertRow;
pub use blueprints::{BlueprintCopy, BlueprintRow};
pub use epochs::{AnchorRow, AnchorWith, EpochHead, EpochRow};
pub use exports::{CUSTODY_KEPT, CustodyRow, ExportFile, ExportProgress, ExportRow, ExportState};
pub use governance::{
    ErasureRow, HoldRow, PolicyRow, RemovalKind, RemovalRow, RemovalState, RunRow,
};
pub use incarnations::{AnchorLogRow, IncarnationRow, Renewal};
pub use inspect::CatalogFaults;
pub use manifest::{
    Extent, HeadRow, JournalPosition, Loaded, Manifest, SealCommit, SegmentMeta, SwapCommit,
};
pub use replays::{NoteRow, ReplayRow};
pub use rows::{
    AttemptRow, DeliveryUpdate, DestinationRow, EnvironmentRow, Installation, KeyRow, ManagedBy,
    Opaque, QuarantineRow, TenantRow, TenantState,
};
pub use schema::FORMAT_VERSION;
pub use signed_heads::LogKeyRow;
pub use sources::SourceRow;
pub use usage::{QuotaRow, UsageBy, UsageCount, UsageQuery, UsageRow};
pub use views::ViewRow;

/// Attempts kept per destination; older ones make room.
pub const ATTEMPTS_KEPT: usize = 200;

/// A handle to the catalog; clones share one connection.
#[derive(Clone, Debug)]
pub struct Catalog {
    connection: Arc<Mutex<Connection>>,
}

/// Why the catalog refused or failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// The file cannot be opened or created.
    #[error("cannot open the catalog {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// Written by a newer release.
    #[error(
        "the catalog has format {found}; this release reads up to {supported}: install a newer release"
    )]
    Newer {
        /// Version in the file.
        found: i64,
        /// [`FORMAT_VERSION`].
        supported: i64,
    },
    /// The row is there already, or is not in the state that the change needs.
    #[error("{what}")]
    Conflict {
        /// Names the row and the reason.
        what: String,
    },
    /// No such row.
    #[error("{what} is not in the catalog")]
    NotFound {
        /// Names the row.
        what: String,
    },
    /// A stored value has no meaning in this format version.
    #[error("the catalog is damaged: {what}")]
    Corrupt {
        /// Names table and value.
        what: String,
    },
    /// The database failed.
    #[error("the catalog failed")]
    Sqlite {
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

impl CatalogError {
    /// Returns what the caller should do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Open { .. } | Self::Sqlite { .. } => ErrorKind::Unavailable,
            Self::Newer { .. } => ErrorKind::Invalid,
            Self::Conflict { .. } => ErrorKind::Conflict,
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::Corrupt { .. } => ErrorKind::Corrupt,
        }
    }

    fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt { what: what.into() }
    }
}

/// A repeated primary key is the caller's conflict; everything else is the database's failure.
impl From<rusqlite::Error> for CatalogError {
    fn from(source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(rusqlite::ErrorCode::ConstraintViolation) => {
                Self::Conflict { what: format!("the catalog refuses the change: {source}") }
            }
            Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
                Self::corrupt(source.to_string())
            }
            _ => Self::Sqlite { source },
        }
    }
}

/// The answer of every catalog method.
pub type Result<T, E = CatalogError> = std::result::Result<T, E>;

impl Catalog {
    /// Opens the catalog file, creating it or bringing it to [`FORMAT_VERSION`] first.
    pub fn open(path: &Path) -> Result<Self> {
        let opened = Connection::open(path);
        let connection =
            opened.map_err(|source| CatalogError::Open { path: path.to_owned(), source })?;
        Self::prepared(connection)
    }

    /// Opens a catalog that lives in memory only (tests and simulation).
    pub fn in_memory() -> Result<Self> {
        Self::prepared(Connection::open_in_memory()?)
    }

    fn prepared(mut connection: Connection) -> Result<Self> {
        schema::prepare(&mut connection)?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    /// Runs `call` on a blocking thread.
    ///
    /// # Panics
    /// When `call` panics or the runtime is shutting down.
    pub async fn run<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> T {
        let catalog = self.clone();
        let answer = tokio::task::spawn_blocking(move || call(&catalog)).await;
        answer.expect("a catalog call does not panic and the runtime outlives it")
    }

    /// Overwrites deleted content in the write-ahead log too, by moving the log into the file and emptying it.
    pub fn purge(&self) -> Result<()> {
        Ok(self.connection.lock().pragma_update(None, "wal_checkpoint", "TRUNCATE")?)
    }

    fn read<T>(&self, call: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        call(&self.connection.lock())
    }

    /// Commits what `change` did, or nothing of it when it fails.
    fn write<T>(&self, change: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let mut connection = self.connection.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let answer = change(&transaction)?;
        transaction.commit()?;
        Ok(answer)
    }
}

/// SQLite integers are signed; every unsigned number is stored by its bits.
fn signed(number: u64) -> i64 {
    number.cast_signed()
}

fn unsigned(number: i64) -> u64 {
    number.cast_unsigned()
}

fn optional_signed(number: Option<u64>) -> Option<i64> {
    number.map(signed)
}

fn optional_unsigned(number: Option<i64>) -> Option<u64> {
    number.map(unsigned)
}
