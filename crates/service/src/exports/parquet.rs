//! The Parquet form: native JSON lines into a table of typed columns. The column `event` holds the whole event.

use std::io::{BufRead, Write};

use attestary_event::{Event, Fields, Timestamp, View};
use attestary_formats::json;
use attestary_store::exports::{Cell, CellKind, ParquetTable, TableError};

use super::form::numbered;

/// The text columns and where their values stand in the body.
const TEXTS: [(&str, &str); 17] = [
    ("action", "/action"),
    ("category", "/category"),
    ("outcome", "/outcome"),
    ("reason", "/reason"),
    ("actor_type", "/actor/type"),
    ("actor_id", "/actor/id"),
    ("actor_name", "/actor/name"),
    ("actor_email", "/actor/email"),
    ("impersonator_id", "/impersonator/id"),
    ("on_behalf_of_id", "/on_behalf_of/id"),
    ("ip", "/context/ip"),
    ("user_agent", "/context/user_agent"),
    ("session_id", "/context/session_id"),
    ("request_id", "/context/request_id"),
    ("trace_id", "/context/trace_id"),
    ("description", "/description"),
    ("schema_version", "/schema_version"),
];

/// Writes the table of the events in `lines`.
pub(super) fn convert(
    mut lines: impl BufRead,
    prefix: Option<&str>,
    out: impl Write + Send,
) -> Result<(), TableError> {
    let mut columns = Vec::new();
    if prefix.is_some() {
        columns.push(("number", CellKind::Text, false));
    }
    columns.extend([
        ("seq", CellKind::Number, false),
        ("id", CellKind::Text, false),
        ("tenant", CellKind::Text, false),
        ("environment", CellKind::Text, false),
        ("received_at", CellKind::Time, false),
        ("occurred_at", CellKind::Time, true),
        ("severity", CellKind::Number, true),
    ]);
    columns.extend(TEXTS.map(|(name, _)| (name, CellKind::Text, true)));
    columns.extend([
        ("target_types", CellKind::Texts, false),
        ("target_ids", CellKind::Texts, false),
        ("labels", CellKind::Texts, false),
        ("event", CellKind::Text, false),
        ("leaf_hash", CellKind::Text, false),
    ]);
    let mut table = ParquetTable::new(out, &columns)?;
    let (mut line, mut number) = (String::new(), 0);
    while {
        line.clear();
        lines.read_line(&mut line)? > 0
    } {
        number += 1;
        let text = line.trim_end_matches('\n');
        // The line was written by us a moment ago; one that does not read is a broken disk.
        let event = json::decode(text.as_bytes())
            .map_err(|violation| TableError::Io(std::io::Error::other(violation.to_string())))?;
        push(&mut table, &event, text, prefix.map(|prefix| numbered(prefix, number)))?;
    }
    table.finish()
}

fn push<W: Write + Send>(
    table: &mut ParquetTable<W>,
    event: &Event,
    line: &str,
    number: Option<String>,
) -> Result<(), TableError> {
    let fields = event.fields();
    let view = View { event, fields: &fields };
    let (id, mut hash) = (event.id.to_string(), Vec::with_capacity(64));
    attestary_event::event::write_hex(&event.leaf_hash, &mut hash);
    let hash = String::from_utf8_lossy(&hash);
    let occurred = view.text("/occurred_at").and_then(Timestamp::parse);
    let severity = view.text("/severity").and_then(|text| text.parse().ok());
    let mut row = Vec::with_capacity(TEXTS.len() + 13);
    if let Some(number) = &number {
        row.push(Cell::Text(number));
    }
    row.extend([
        Cell::Number(event.seq),
        Cell::Text(&id),
        Cell::Text(event.tenant.as_str()),
        Cell::Text(event.environment.as_str()),
        Cell::Time(event.received_at.0),
        occurred.map_or(Cell::Null, |time| Cell::Time(time.0)),
        severity.map_or(Cell::Null, Cell::Number),
    ]);
    row.extend(TEXTS.iter().map(|(_, pointer)| view.text(pointer).map_or(Cell::Null, Cell::Text)));
    row.extend([
        Cell::Texts(members(&fields, "/targets/", "/type")),
        Cell::Texts(members(&fields, "/targets/", "/id")),
        Cell::Texts(members(&fields, "/labels/", "")),
        Cell::Text(line),
        Cell::Text(&hash),
    ]);
    table.push(&row)
}

/// Returns the texts at `<prefix><index><suffix>` in the order of the index. Pointers sort as text, indexes do not.
fn members<'a>(fields: &'a Fields, prefix: &str, suffix: &str) -> Vec<&'a str> {
    let mut found: Vec<(u32, &str)> = fields
        .iter()
        .filter_map(|field| {
            let index = field.pointer.strip_prefix(prefix)?.strip_suffix(suffix)?;
            Some((index.parse().ok()?, field.text()?))
        })
        .collect();
    found.sort_unstable_by_key(|(index, _)| *index);
    found.into_iter().map(|(_, text)| text).collect()
}
