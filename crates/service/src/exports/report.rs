//! The readable report of a bundle: one page without scripts, links or foreign content. Everything that came from events
//! is escaped, and characters that nobody sees are shown as escapes.

use attestary_event::{Event, Timestamp, View, event::hex};
use attestary_ledger::Checkpoint;
use attestary_store::catalog::ExportRow;

use super::Request;

/// Events that are shown; the others stand in the bundle.
const SHOWN_MAX: usize = 500;
/// Characters of one cell.
const CELL_CHARS_MAX: usize = 200;

/// No script, no picture, no form, no frame: only the page's own style.
const HEAD: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\
<meta name=\"referrer\" content=\"no-referrer\"><title>Evidence</title><style>\
body{font:14px/1.5 system-ui,sans-serif;margin:2rem;color:#111;background:#fff}table{border-collapse:collapse;margin:1rem 0}\
td,th{border:1px solid #ccc;padding:.2rem .5rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}th{background:#f4f4f4}\
.number{text-align:right}@media(prefers-color-scheme:dark){body{color:#eee;background:#111}th{background:#222}td,th{border-color:#444}}\
</style></head><body>\n";

/// A report being written.
pub(super) struct Page {
    facts: String,
    rows: String,
    shown: usize,
}

impl Page {
    pub(super) fn new(row: &ExportRow, request: &Request, head: &Checkpoint) -> Self {
        let mut facts = String::new();
        let time = |ms: i64| Timestamp(ms).to_string();
        let no = || "none".to_owned();
        for (name, value) in [
            ("Tenant", row.tenant.to_string()),
            ("Environment", row.environment.to_string()),
            ("Log", head.origin.clone()),
            ("Events of the log", head.size.to_string()),
            ("Root", hex(&head.root)),
            (
                "Filter",
                Some(request.filter.clone()).filter(|text| !text.is_empty()).unwrap_or_else(no),
            ),
            ("From", request.from_ms.map_or_else(no, time)),
            ("To", request.to_ms.map_or_else(no, time)),
            ("Requested by", row.requested_by.clone()),
            ("Requested at", time(row.created_ms as i64)),
        ] {
            facts.push_str("<tr><th>");
            facts.push_str(name);
            facts.push_str("</th><td>");
            escape(&value, &mut facts);
            facts.push_str("</td></tr>\n");
        }
        Self { facts, rows: String::new(), shown: 0 }
    }

    pub(super) fn add(&mut self, event: &Event) {
        if self.shown == SHOWN_MAX {
            return;
        }
        self.shown += 1;
        let fields = event.fields();
        let view = View { event, fields: &fields };
        let text = |pointer: &str| view.text(pointer).unwrap_or_default().to_owned();
        self.rows.push_str("<tr><td class=\"number\">");
        self.rows.push_str(&event.seq.to_string());
        self.rows.push_str("</td>");
        for cell in [
            text("/occurred_at"),
            text("/action"),
            text("/actor/name"),
            text("/actor/id"),
            text("/outcome"),
            text("/targets/0/id"),
            text("/context/ip"),
        ] {
            self.rows.push_str("<td>");
            escape(&cell, &mut self.rows);
            self.rows.push_str("</td>");
        }
        self.rows.push_str("</tr>\n");
    }

    pub(super) fn finish(self, events: u64) -> String {
        let Self { facts, rows, shown } = self;
        format!(
            "{HEAD}<h1>Evidence of an audit log</h1>\n<p>This page is for reading. It proves nothing: \
             verify the bundle with a trust file that did not come with it.</p>\n<table>{facts}\
             <tr><th>Events in the bundle</th><td>{events}</td></tr></table>\n\
             <h2>The first {shown} of {events} events</h2>\n<table><tr><th>seq</th><th>occurred at</th><th>action</th>\
             <th>actor</th><th>actor id</th><th>outcome</th><th>target</th><th>ip</th></tr>\n{rows}</table>\n</body></html>\n"
        )
    }
}

/// Appends text that cannot be markup and shows what would not be seen.
fn escape(text: &str, out: &mut String) {
    use std::fmt::Write as _;
    for (at, character) in text.chars().enumerate() {
        if at == CELL_CHARS_MAX {
            out.push('…');
            return;
        }
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}' => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
            }
            character if character.is_control() => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
            }
            character => out.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_shown_and_never_run() {
        let mut out = String::new();
        escape("<script>alert('1')</script>\u{202e}\u{0}\n&\"", &mut out);
        assert_eq!(
            out,
            "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;\\u{202e}\\u{0}\\u{a}&amp;&quot;"
        );
        out.clear();
        escape(&"x".repeat(5_000), &mut out);
        assert_eq!(out.chars().count(), CELL_CHARS_MAX + 1);
    }
}
