//! What stands on the pages: lines of text at places, and rules. One typeface of one width, so a column is a count.

use attestary_event::{View, actions::KnownActions};
use serde_json::Value;

use super::{Certificate, Header, Item, hex, occurred_at, typeface::shown};
use crate::texts;

/// A4 in points.
pub(super) const WIDTH: f32 = 595.0;
pub(super) const HEIGHT: f32 = 842.0;
const MARGIN: f32 = 42.0;
/// Size of the text, and the least distance of two lines.
const TEXT: f32 = 7.5;
const LINE: f32 = 10.5;
/// Characters of a line at that size: (595 − 84) / (7.5 × 0.602).
const COLUMNS: usize = 113;
/// Columns of the label of a fact.
const LABEL: usize = 18;
/// Rows of one cell; longer text ends in a mark, and stands whole in the attached file.
const CELL_ROWS_MAX: usize = 6;
const CUT: &str = "…";

/// One piece of text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Text {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) size: f32,
    pub(super) text: String,
}

/// One page.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Page {
    pub(super) texts: Vec<Text>,
    /// Heights of rules across the page.
    pub(super) rules: Vec<f32>,
}

/// Lays out a certificate. `digest` is that of the attached JSON.
pub(super) fn pages(
    certificate: &Certificate,
    header: &Header,
    digest: &str,
    actions: &KnownActions,
) -> Vec<Page> {
    let mut sheet = Sheet::new();
    sheet.heading(&header.title, 14.0);
    sheet.facts(&facts(header));
    sheet.gap();
    sheet.heading("Events", 10.0);
    sheet.row(&HEADS.map(str::to_owned));
    sheet.rule();
    for (index, item) in certificate.items.iter().enumerate() {
        sheet.event(index, item, actions);
    }
    sheet.gap();
    sheet.heading("Proof", 10.0);
    sheet.facts(&[
        ("Log", certificate.origin.clone()),
        ("Events in the log", certificate.size.to_string()),
        ("Root (SHA-256)", hex(&certificate.root)),
        ("Attached file", "certificate.json".to_owned()),
        ("Its SHA-256", digest.to_owned()),
    ]);
    sheet.gap();
    sheet.paragraph("The checkpoint below is signed with the key of the log. It fixes every event of the log up to its size; \
        the attached file holds, for each event above, the entry, the seed of its salts and the proof that lead from the \
        event to the root of this checkpoint (RFC 6962, C2SP tlog-proof). Whoever holds the log's trust file, from a \
        source of their own, can check all of it without the service that made it: attestary verify --trust FILE certificate.json");
    sheet.gap();
    for line in certificate.checkpoint.lines() {
        sheet.paragraph(line);
    }
    sheet.gap();
    sheet.paragraph("Times are UTC. Characters that this typeface cannot show faithfully are written \\u{…} with their number \
        in Unicode, and a backslash as two; the attached file holds the text itself. Text that ends in … is cut here and \
        whole there.");
    sheet.finish(&header.made_at)
}

fn facts(header: &Header) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("Tenant", header.tenant.clone()),
        ("Environment", header.environment.clone()),
        ("Transaction", header.transaction.id.clone()),
        ("Originator", party(&header.originator)),
        ("Process", party(&header.process)),
        ("Status", status(header)),
        ("Began", header.began_at.clone()),
        ("Last event", header.ended_at.clone()),
        ("Events", header.events.to_string()),
    ];
    for (label, ids) in [
        ("Requests", &header.transaction.request_ids),
        ("Sessions", &header.transaction.session_ids),
        ("Parent sessions", &header.transaction.parent_session_ids),
    ] {
        if !ids.is_empty() {
            facts.push((label, ids.join(", ")));
        }
    }
    facts.push(("Made", format!("{} by {}", header.made_at, header.made_by)));
    facts
}

fn status(header: &Header) -> String {
    let outcome = header.status.outcome.as_deref().unwrap_or("unknown");
    format!("{} ({}), {outcome}", header.status.name, header.status.action)
}

/// A person or thing in words: name, id, type, e-mail address.
fn party(value: &Value) -> String {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let mut parts: Vec<String> = Vec::new();
    parts.extend(text("name").map(str::to_owned));
    match (text("type"), text("id")) {
        (Some(kind), Some(id)) => parts.push(format!("{kind} {id}")),
        (Some(only), None) | (None, Some(only)) => parts.push(only.to_owned()),
        (None, None) => {}
    }
    parts.extend(text("email").map(str::to_owned));
    if parts.is_empty() { "–".to_owned() } else { parts.join(", ") }
}

const HEADS: [&str; 5] = ["Seq", "Time (UTC)", "Event", "By", "Outcome"];
/// Columns of the table; they and the spaces between them fill the line.
const CELLS: [usize; 5] = [9, 24, 36, 30, 10];

/// Pages being filled from top to bottom.
struct Sheet {
    pages: Vec<Page>,
    y: f32,
}

impl Sheet {
    fn new() -> Self {
        Self { pages: vec![Page::default()], y: HEIGHT - MARGIN }
    }

    fn page(&mut self) -> &mut Page {
        self.pages.last_mut().expect("there is a first page")
    }

    /// Makes room for lines that belong together.
    fn room(&mut self, height: f32) {
        if self.y - height < MARGIN + 2.0 * LINE {
            self.pages.push(Page::default());
            self.y = HEIGHT - MARGIN;
        }
    }

    fn gap(&mut self) {
        self.y -= LINE / 2.0;
    }

    fn rule(&mut self) {
        let y = self.y - 3.0;
        self.page().rules.push(y);
        self.y -= 5.0;
    }

    fn put(&mut self, column: usize, size: f32, text: String) {
        let (x, y) = (MARGIN + column as f32 * TEXT * 0.602, self.y);
        self.page().texts.push(Text { x, y, size, text });
    }

    fn heading(&mut self, text: &str, size: f32) {
        let columns = (COLUMNS as f32 * TEXT / size) as usize;
        for row in wrapped(&shown(text), columns) {
            self.room(size * 3.0);
            self.y -= size * 1.3;
            self.put(0, size, row);
        }
        self.gap();
    }

    fn paragraph(&mut self, text: &str) {
        for row in by_words(&shown_text(text), COLUMNS) {
            self.room(LINE);
            self.y -= LINE;
            self.put(0, TEXT, row);
        }
    }

    fn facts(&mut self, facts: &[(&'static str, String)]) {
        for (label, text) in facts {
            for (index, row) in cell(text, COLUMNS - LABEL).into_iter().enumerate() {
                self.room(LINE);
                self.y -= LINE;
                if index == 0 {
                    self.put(0, TEXT, (*label).to_owned());
                }
                self.put(LABEL, TEXT, row);
            }
        }
    }

    fn row(&mut self, texts: &[String; 5]) {
        let cells: Vec<Vec<String>> =
            texts.iter().zip(CELLS).map(|(text, columns)| cell(text, columns)).collect();
        let rows = cells.iter().map(Vec::len).max().unwrap_or(0);
        self.room(rows as f32 * LINE);
        for row in 0..rows {
            self.y -= LINE;
            let mut column = 0;
            for (cell, columns) in cells.iter().zip(CELLS) {
                if let Some(text) = cell.get(row) {
                    self.put(column, TEXT, text.clone());
                }
                column += columns + 1;
            }
        }
    }

    fn event(&mut self, index: usize, item: &Item, actions: &KnownActions) {
        let event = &item.event;
        let fields = event.fields();
        let view = View { event, fields: &fields };
        let action = view.text("/action").unwrap_or_default();
        let body: Value = serde_json::from_slice(&event.body).unwrap_or_default();
        let name = texts::name(action, actions);
        let named = if *name == *action { action.to_owned() } else { format!("{name} ({action})") };
        let by = party(body.get("actor").unwrap_or(&Value::Null));
        let outcome = view.text("/outcome").unwrap_or("–").to_owned();
        self.room(5.0 * LINE);
        if index > 0 {
            self.gap();
        }
        self.row(&[event.seq.to_string(), occurred_at(&view).to_string(), named, by, outcome]);
        let mut facts = Vec::new();
        if let Some(target) = body.pointer("/targets/0") {
            facts.push(("  on", party(target)));
        }
        if let Some(ip) = view.text("/context/ip") {
            facts.push(("  from", ip.to_owned()));
        }
        if let Some(said) = texts::message(&view, actions) {
            facts.push(("  what", said.to_string()));
        }
        facts.push(("  event", event.id.to_string()));
        facts.push(("  received", event.received_at.to_string()));
        facts.push(("  leaf (SHA-256)", hex(&event.leaf_hash)));
        self.facts(&facts);
        self.rule();
    }

    /// Numbers the pages.
    fn finish(mut self, made_at: &str) -> Vec<Page> {
        let count = self.pages.len();
        for (index, page) in self.pages.iter_mut().enumerate() {
            let text = format!("page {} of {count}, made {made_at}", index + 1);
            page.texts.push(Text { x: MARGIN, y: MARGIN - LINE, size: TEXT, text });
        }
        self.pages
    }
}

/// Text of this program: its backslashes are meant.
fn shown_text(text: &str) -> String {
    shown(text).replace("\\\\", "\\")
}

/// Returns the rows of a cell.
fn cell(text: &str, columns: usize) -> Vec<String> {
    let mut rows = by_words(&shown(text), columns);
    if rows.len() > CELL_ROWS_MAX {
        rows.truncate(CELL_ROWS_MAX);
        if let Some(last) = rows.last_mut() {
            last.pop();
            last.push_str(CUT);
        }
    }
    rows
}

/// Cuts a text after so many characters, wherever that is: ids and hashes have no words.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    if chars.is_empty() {
        return vec![String::new()];
    }
    chars.chunks(columns.max(1)).map(|row| row.iter().collect()).collect()
}

/// Cuts a text between words; a word that is longer than the line is cut.
fn by_words(text: &str, columns: usize) -> Vec<String> {
    let mut rows: Vec<String> = vec![String::new()];
    for word in text.split(' ') {
        let last = rows.last_mut().expect("there is a first row");
        let space = usize::from(!last.is_empty());
        if last.chars().count() + space + word.chars().count() <= columns {
            if space == 1 {
                last.push(' ');
            }
            last.push_str(word);
        } else {
            let mut parts = wrapped(word, columns);
            if last.is_empty() {
                rows.pop();
            }
            rows.append(&mut parts);
        }
    }
    rows
}
