//! Looking at a catalog file without changing it, and copying one that is in use.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags, backup::Backup};

use super::{Catalog, CatalogError, Result, schema, sums};

/// How long a reader waits for a writer that is moving the write-ahead log into the file.
const BUSY_TIME_MAX: Duration = Duration::from_secs(5);

/// What is wrong with a catalog file as a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CatalogFaults {
    /// What SQLite's own check says: structure, indexes, types.
    pub structure: Vec<String>,
    /// Tables, indexes and triggers that are not defined as this release defines them.
    pub definitions: Vec<String>,
    /// Tables whose rows are not the ones that were written.
    pub tables: Vec<String>,
    /// Rows that name a row which is not there, by table.
    pub references: Vec<String>,
}

impl CatalogFaults {
    /// Returns every fault in words.
    pub fn into_lines(self) -> impl Iterator<Item = String> {
        let definition = |name| format!("{name} is not defined as this release defines it");
        let table = |name| format!("the rows of table {name} are not those that were written");
        let structure = self.structure.into_iter();
        let definitions = self.definitions.into_iter().map(definition);
        let tables = self.tables.into_iter().map(table);
        structure.chain(definitions).chain(tables).chain(self.references)
    }
}

impl Catalog {
    /// Reads a catalog file into memory and says what is wrong with it. The file is not changed.
    ///
    /// The copy is brought to the present version, so that everything can be read from it; it is refused when SQLite
    /// cannot read it at all, and when it is of a newer version.
    pub fn inspect(path: &Path) -> Result<(Self, CatalogFaults)> {
        let opened = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
        let file = opened.map_err(|source| CatalogError::Open { path: path.to_owned(), source })?;
        file.busy_timeout(BUSY_TIME_MAX)?;
        sums::register(&file)?;
        let mut faults = faults(&file)?;
        let mut copy = Connection::open_in_memory()?;
        whole(&file, &mut copy)?;
        schema::prepare(&mut copy)?;
        faults.definitions = strange(&definitions(&copy)?, expected()?);
        Ok((Self { connection: Arc::new(Mutex::new(copy)) }, faults))
    }

    /// Compares the rows of every table with those that were written. Placing one tenant's rows wrongly could show
    /// them to another: a catalog that is not what was written must not be served from.
    pub fn verify(&self) -> Result<()> {
        match self.read(sums::mismatches)?.as_slice() {
            [] => Ok(()),
            tables => Err(CatalogError::corrupt(format!(
                "the rows of {} are not those that were written; restore a backup",
                tables.join(", ")
            ))),
        }
    }

    /// Copies a catalog that may be in use, as of one moment, into a new file at `to`. Writers do not wait.
    pub fn copy_file(from: &Path, to: &Path) -> Result<()> {
        let opened = |path: &Path| {
            let path = path.to_owned();
            move |source| CatalogError::Open { path, source }
        };
        let file = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .map_err(opened(from))?;
        file.busy_timeout(BUSY_TIME_MAX)?;
        let mut copy = Connection::open(to).map_err(opened(to))?;
        copy.pragma_update(None, "synchronous", "FULL")?;
        whole(&file, &mut copy)?;
        // A copy has no log beside it: one file holds everything.
        copy.pragma_update(None, "journal_mode", "DELETE")?;
        copy.close().map_err(|(_, error)| error)?;
        Ok(())
    }
}

/// All pages in one step, so that they are of one moment.
fn whole(from: &Connection, to: &mut Connection) -> Result<()> {
    Ok(Backup::new(from, to)?.run_to_completion(i32::MAX, Duration::ZERO, None)?)
}

/// Type, name, table and SQL of everything that is defined.
type Definitions = BTreeSet<(String, String, String, Option<String>)>;

/// A changed name of a column is valid SQL: nothing but the comparison notices it before a statement needs the column.
fn definitions(connection: &Connection) -> Result<Definitions> {
    let mut select = connection.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema")?;
    let rows =
        select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Returns the definitions of a new catalog. Whoever checks many catalogs makes it once.
fn expected() -> Result<&'static Definitions> {
    static EXPECTED: OnceLock<Definitions> = OnceLock::new();
    match EXPECTED.get() {
        Some(expected) => Ok(expected),
        None => {
            let fresh = Catalog::in_memory()?.read(definitions)?;
            Ok(EXPECTED.get_or_init(|| fresh))
        }
    }
}

fn strange(found: &Definitions, expected: &Definitions) -> Vec<String> {
    let changed = found.symmetric_difference(expected);
    let mut names: Vec<_> = changed.map(|(kind, name, ..)| format!("{kind} {name}")).collect();
    names.dedup();
    names
}

fn faults(connection: &Connection) -> Result<CatalogFaults> {
    let mut found = CatalogFaults::default();
    let mut check = connection.prepare("PRAGMA integrity_check(100)")?;
    let lines = check.query_map([], |row| row.get::<_, String>(0))?;
    for line in lines {
        let line = line?;
        if line != "ok" {
            found.structure.push(line);
        }
    }
    let mut check = connection.prepare("PRAGMA foreign_key_check")?;
    let rows =
        check.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(2)?)))?;
    for row in rows {
        let (table, parent) = row?;
        found
            .references
            .push(format!("a row of {table} names a row of {parent} that is not there"));
    }
    found.references.dedup();
    found.tables = sums::mismatches(connection)?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_definition_is_named() {
        for (change, expected) in [
            (
                "UPDATE sqlite_schema SET sql = replace(sql, 'root BLOB', 'roof BLOB') WHERE name = 'signed_heads'",
                "table signed_heads",
            ),
            (
                "UPDATE sqlite_schema SET sql = replace(sql, 'created_ms', 'id') WHERE name = 'keys_by_environment'",
                "index keys_by_environment",
            ),
            ("DROP INDEX keys_by_environment", "index keys_by_environment"),
            ("CREATE TABLE other (a TEXT)", "table other"),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("catalog.sqlite");
            drop(Catalog::open(&path).unwrap());
            assert_eq!(Catalog::inspect(&path).unwrap().1, CatalogFaults::default());
            let connection = Connection::open(&path).unwrap();
            connection.pragma_update(None, "writable_schema", "ON").unwrap();
            connection.execute(change, []).unwrap();
            connection.close().unwrap();
            let (_, faults) = Catalog::inspect(&path).unwrap();
            assert!(faults.definitions.contains(&expected.to_owned()), "{change}: {faults:?}");
        }
    }
}
