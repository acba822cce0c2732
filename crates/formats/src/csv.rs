//! CSV (RFC 4180), one row per event, for people with spreadsheets.
//!
//! The columns and their order are fixed per format version; [`header`] gives the first row, which an export
//! writes once. Two rules make rows safe to open and lossy to read back: a cell that a spreadsheet would take for a
//! formula gets a leading `'` (ASVS 1.2.10), and control, line-separator and bidirectional characters are shown as
//! escapes, so a row is always one line. For exact bytes use native JSON.

#[cfg(test)]
mod tests;

use attestary_event::{View, actions::KnownActions, event::write_hex};

use crate::{
    party::{self, Party},
    residue, texts,
};

/// The columns of version 1.
pub const COLUMNS: [&str; 39] = [
    "id",
    "tenant",
    "environment",
    "seq",
    "received_at",
    "occurred_at",
    "action",
    "category",
    "severity",
    "outcome",
    "reason",
    "actor_type",
    "actor_id",
    "actor_name",
    "actor_email",
    "actor_groups",
    "impersonator",
    "on_behalf_of",
    "targets",
    "target_names",
    "ip",
    "user_agent",
    "session_id",
    "parent_session_id",
    "request_id",
    "trace_id",
    "location",
    "http_method",
    "http_url",
    "http_status",
    "http_duration_ms",
    "attempted_identity",
    "description",
    "labels",
    "changes",
    "metadata",
    "schema_version",
    "truncated",
    "leaf_hash",
];

/// Appends the header row, without a line end.
pub fn header(out: &mut Vec<u8>) {
    out.extend_from_slice(COLUMNS.join(",").as_bytes());
}

/// Appends the event as one row, without a line end.
pub(crate) fn encode(view: &View<'_>, actions: &KnownActions, out: &mut Vec<u8>) {
    let mut row = Row { out, first: true };
    put_identity(&mut row, view, actions);
    put_parties(&mut row, view);
    put_context(&mut row, view);
    row.cell(texts::message(view, actions).as_deref());
    row.cell(texts::list(view, "/labels").as_deref());
    row.json(view, "changes");
    row.json(view, "metadata");
    row.cell(view.text("/schema_version"));
    row.cell(texts::truncated(view).then_some("true"));
    row.separate();
    write_hex(&view.event.leaf_hash, row.out);
}

fn put_identity(row: &mut Row<'_>, view: &View<'_>, actions: &KnownActions) {
    let event = view.event;
    row.cell(Some(&event.id.to_string()));
    row.cell(Some(event.tenant.as_str()));
    row.cell(Some(event.environment.as_str()));
    row.number(event.seq);
    row.cell(Some(&event.received_at.to_string()));
    row.cell(view.text("/occurred_at"));
    row.cell(view.text("/action"));
    row.cell(texts::category(view, actions));
    row.number(texts::severity(view, actions));
    row.cell(Some(texts::outcome(view, actions).as_str()));
    row.cell(view.text("/reason"));
}

fn put_parties(row: &mut Row<'_>, view: &View<'_>) {
    let actor = Party::at(view, "/actor");
    for text in [actor.kind, actor.id, actor.name, actor.email] {
        row.cell(text);
    }
    row.cell(texts::list(view, "/actor/groups").as_deref());
    row.cell(texts::other_actor(view, "/impersonator").as_deref());
    row.cell(texts::other_actor(view, "/on_behalf_of").as_deref());
    row.cell(texts::targets(view).as_deref());
    let mut names = String::new();
    for (index, name) in party::targets(view).filter_map(|target| target.name).enumerate() {
        if index > 0 {
            names.push(',');
        }
        texts::encode_item(name, &['%', ','], &mut names);
    }
    row.cell(Some(&names));
}

fn put_context(row: &mut Row<'_>, view: &View<'_>) {
    const CONTEXT: [&str; 12] = [
        "/context/ip",
        "/context/user_agent",
        "/context/session_id",
        "/context/parent_session_id",
        "/context/request_id",
        "/context/trace_id",
        "/context/location",
        "/context/http/method",
        "/context/http/url",
        "/context/http/status",
        "/context/http/duration_ms",
        "/context/attempted_identity",
    ];
    for pointer in CONTEXT {
        row.cell(view.text(pointer));
    }
}

/// One row, written cell by cell.
struct Row<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl Row<'_> {
    fn separate(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
    }

    /// Writes a text; an empty cell when there is none.
    fn cell(&mut self, text: Option<&str>) {
        self.separate();
        write_cell(text.unwrap_or_default(), self.out);
    }

    fn number(&mut self, number: impl itoa::Integer) {
        self.separate();
        self.out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    /// Writes a member of the body as JSON; an empty cell when it is absent or empty.
    fn json(&mut self, view: &View<'_>, name: &str) {
        self.cell(residue::json_text(view, name).as_deref());
    }
}

/// True for a first character that makes spreadsheets run a cell; the wide forms do so in some languages.
fn starts_formula(c: char) -> bool {
    matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '\0')
        || matches!(c, '\u{ff1d}' | '\u{ff0b}' | '\u{ff0d}' | '\u{ff20}')
}

/// True for what changes how the text around it is laid out or where it ends.
fn is_shown_escaped(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Appends one cell: guarded, with escapes for what is not shown, in quotes where RFC 4180 wants them.
fn write_cell(text: &str, out: &mut Vec<u8>) {
    let quoted = text.contains([',', '"']) || text.starts_with(' ') || text.ends_with(' ');
    if quoted {
        out.push(b'"');
    }
    if text.starts_with(starts_formula) {
        out.push(b'\'');
    }
    let mut buffer = [0; 4];
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"\"\""),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            c if is_shown_escaped(c) => {
                use std::io::Write as _;
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes()),
        }
    }
    if quoted {
        out.push(b'"');
    }
}
