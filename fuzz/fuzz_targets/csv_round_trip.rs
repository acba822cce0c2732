//! Any event that decodes gives one CSV row that a reader of RFC 4180 splits into the columns, and no cell that a
//! spreadsheet would run.
#![no_main]

use attestary_event::{View, actions::KnownActions};
use attestary_formats::{Format, csv::COLUMNS, json};
use libfuzzer_sys::fuzz_target;

/// Splits one record as RFC 4180 says.
fn cells(row: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut characters = row.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    assert!(!quoted, "a quotation mark is open");
    cells.push(cell);
    cells
}

fuzz_target!(|line: &[u8]| {
    let Ok(event) = json::decode(line) else { return };
    let fields = event.fields();
    let format: Format = serde_json::from_str(r#"{"type":"csv"}"#).expect("a format");
    let mut row = Vec::new();
    format.encode(&View { event: &event, fields: &fields }, KnownActions::builtin(), &mut row);
    let cells = cells(std::str::from_utf8(&row).expect("a row is UTF-8"));
    assert_eq!(cells.len(), COLUMNS.len());
    assert_eq!((&cells[0], &cells[3]), (&event.id.to_string(), &event.seq.to_string()));
    assert!(
        !cells.iter().any(|cell| cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\0']))
    );
});
