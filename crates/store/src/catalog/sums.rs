//! A checksum of every table, so that a changed byte in a row does not pass for what was written.
//!
//! SQLite notices a damaged page only where its structure breaks; a flipped bit in a text is a valid other text. Each
//! table therefore has a sum of the hashes of its rows in `sums`, moved by triggers with every change, in the same
//! transaction. The order of rows does not count, so a change costs two hashes and one update. A check of the data
//! directory adds everything up again ([`mismatches`]); bytes that no row shows (free pages, unused space) count for
//! nothing and need no sum.
//!
//! The triggers call functions that only this program registers: another program can read the file, and an attempt to
//! change a row with it fails.

use hashbrown::HashMap;
use rusqlite::{Connection, functions::FunctionFlags, types::ValueRef};
use sha2::{Digest as _, Sha256};

use super::Result;

/// The table of sums; itself without one.
pub(super) const TABLES: &str =
    "CREATE TABLE sums (name TEXT PRIMARY KEY, total INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

/// Registers the functions that the triggers call.
pub(super) fn register(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("attestary_row", -1, flags, |context| {
        Ok(row_hash((0..context.len()).map(|index| context.get_raw(index))))
    })?;
    // SQLite turns sums that overflow into floating-point numbers; these wrap.
    connection.create_scalar_function("attestary_move", 3, flags, |context| {
        let (total, added, removed): (i64, i64, i64) =
            (context.get(0)?, context.get(1)?, context.get(2)?);
        Ok(total.wrapping_add(added).wrapping_sub(removed))
    })?;
    Ok(())
}

/// Eight bytes of a hash over the values with their types and lengths.
fn row_hash<'a>(values: impl Iterator<Item = ValueRef<'a>>) -> i64 {
    let mut digest = Sha256::new();
    for value in values {
        let (kind, bytes): (u8, &[u8]) = match value {
            ValueRef::Null => (0, &[]),
            ValueRef::Integer(number) => {
                digest.update([1]);
                digest.update(number.to_le_bytes());
                continue;
            }
            ValueRef::Real(number) => {
                digest.update([2]);
                digest.update(number.to_bits().to_le_bytes());
                continue;
            }
            ValueRef::Text(text) => (3, text),
            ValueRef::Blob(blob) => (4, blob),
        };
        digest.update([kind]);
        digest.update((bytes.len() as u64).to_le_bytes());
        digest.update(bytes);
    }
    let hash: [u8; 32] = digest.finalize().into();
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    i64::from_le_bytes(first)
}

/// Makes sure that every table has its triggers. A table whose columns changed is added up anew.
pub(super) fn maintain(connection: &mut Connection) -> Result<()> {
    let transaction = connection.transaction()?;
    let found = definitions_of_triggers(&transaction)?;
    for table in tables(&transaction)? {
        let triggers = triggers(&table);
        if triggers.iter().all(|(name, text)| found.get(name) == Some(text)) {
            continue;
        }
        for (name, text) in &triggers {
            transaction.execute_batch(&format!("DROP TRIGGER IF EXISTS {name}; {text}"))?;
        }
        let total = add_up(&transaction, &table)?;
        let set = "INSERT INTO sums (name, total) VALUES (?1, ?2)
                   ON CONFLICT (name) DO UPDATE SET total = excluded.total";
        transaction.execute(set, (&table.name, total))?;
    }
    transaction.commit()?;
    Ok(())
}

/// Returns the tables whose rows do not add up to their sum. A catalog from before the sums has none to compare.
pub(super) fn mismatches(connection: &Connection) -> Result<Vec<String>> {
    let has_sums = "SELECT count(*) FROM sqlite_schema WHERE name = 'sums'";
    if connection.query_row(has_sums, [], |row| row.get::<_, i64>(0))? == 0 {
        return Ok(vec![]);
    }
    let mut wrong = Vec::new();
    let mut select = connection.prepare("SELECT total FROM sums WHERE name = ?1")?;
    for table in tables(connection)? {
        let stored = select.query_row([&table.name], |row| row.get::<_, i64>(0));
        if !matches!(stored, Ok(stored) if stored == add_up(connection, &table)?) {
            wrong.push(table.name);
        }
    }
    let strange = "SELECT name FROM sums WHERE name NOT IN (SELECT name FROM sqlite_schema WHERE type = 'table')";
    let mut select = connection.prepare(strange)?;
    let names = select.query_map([], |row| row.get(0))?;
    for name in names {
        wrong.push(name?);
    }
    Ok(wrong)
}

fn add_up(connection: &Connection, table: &Table) -> Result<i64> {
    let text = format!("SELECT attestary_row({}) FROM {}", table.columns(""), table.name);
    let mut select = connection.prepare(&text)?;
    let hashes = select.query_map([], |row| row.get::<_, i64>(0))?;
    let mut total = 0i64;
    for hash in hashes {
        total = total.wrapping_add(hash?);
    }
    Ok(total)
}

/// A table that has a sum.
struct Table {
    name: String,
    columns: Vec<String>,
}

impl Table {
    /// Returns the columns as a list, each behind `prefix`.
    fn columns(&self, prefix: &str) -> String {
        let columns: Vec<_> =
            self.columns.iter().map(|column| format!("{prefix}\"{column}\"")).collect();
        columns.join(", ")
    }
}

/// One statement for all: at a start, forty tables asked one by one took longer than all the rest of the catalog.
fn tables(connection: &Connection) -> Result<Vec<Table>> {
    let text = "SELECT tables.name, columns.name FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns
                WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND tables.name <> 'sums'
                ORDER BY tables.name, columns.cid";
    let mut select = connection.prepare(text)?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut tables: Vec<Table> = Vec::new();
    for row in rows {
        let (name, column): (String, String) = row?;
        match tables.last_mut() {
            Some(table) if table.name == name => table.columns.push(column),
            _ => tables.push(Table { name, columns: vec![column] }),
        }
    }
    Ok(tables)
}

fn definitions_of_triggers(connection: &Connection) -> Result<HashMap<String, String>> {
    let text = "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'";
    let mut select = connection.prepare(text)?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Names and texts of the triggers that a table needs.
fn triggers(table: &Table) -> [(String, String); 3] {
    let new = format!("attestary_row({})", table.columns("NEW."));
    let old = format!("attestary_row({})", table.columns("OLD."));
    let table = &table.name;
    let trigger = |event: &str, added: &str, removed: &str| {
        let name = format!("sums_{table}_{event}");
        let text = format!(
            "CREATE TRIGGER {name} AFTER {event} ON {table} BEGIN \
             UPDATE sums SET total = attestary_move(total, {added}, {removed}) WHERE name = '{table}'; END"
        );
        (name, text)
    };
    [trigger("insert", &new, "0"), trigger("update", &new, &old), trigger("delete", "0", &old)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(TABLES).unwrap();
        connection
            .execute_batch("CREATE TABLE t (a TEXT PRIMARY KEY, b ANY) STRICT, WITHOUT ROWID; INSERT INTO t VALUES ('x', 1);")
            .unwrap();
        register(&connection).unwrap();
        connection.pragma_update(None, "recursive_triggers", "ON").unwrap();
        maintain(&mut connection).unwrap();
        connection
    }

    #[test]
    fn every_kind_of_change_moves_the_sum() {
        let connection = catalog();
        for change in [
            "INSERT INTO t VALUES ('y', x'00')",
            "UPDATE t SET b = 'text' WHERE a = 'x'",
            "INSERT INTO t VALUES ('y', NULL) ON CONFLICT (a) DO UPDATE SET b = excluded.b",
            "INSERT OR REPLACE INTO t VALUES ('y', 2.5)",
            "DELETE FROM t WHERE a = 'x'",
            "DELETE FROM t",
        ] {
            connection.execute(change, []).unwrap();
            assert_eq!(mismatches(&connection).unwrap(), [""; 0], "{change}");
        }
    }

    #[test]
    fn a_row_that_changed_by_itself_is_noticed() {
        for change in [
            "UPDATE t SET b = 2",
            "INSERT INTO t VALUES ('y', 1)",
            "DELETE FROM t",
            "UPDATE t SET b = '1'",
        ] {
            let connection = catalog();
            connection
                .execute_batch("DROP TRIGGER sums_t_insert; DROP TRIGGER sums_t_update; DROP TRIGGER sums_t_delete;")
                .unwrap();
            connection.execute(change, []).unwrap();
            assert_eq!(mismatches(&connection).unwrap(), ["t"], "{change}");
        }
    }

    #[test]
    fn a_new_column_is_added_up_at_the_next_start() {
        let mut connection = catalog();
        connection.execute_batch("ALTER TABLE t ADD COLUMN c TEXT DEFAULT 'd'").unwrap();
        maintain(&mut connection).unwrap();
        connection.execute("UPDATE t SET c = 'e'", []).unwrap();
        assert_eq!(mismatches(&connection).unwrap(), [""; 0]);
    }
}
