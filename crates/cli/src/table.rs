//! Plain text tables: columns aligned by character count, no colour, one header line.
//!
//! Cells come from other people's data: control and bidirectional characters are shown escaped, so that an
//! event cannot move the reader's cursor or reorder what stands beside it.

use std::fmt::Write as _;

/// Widest cell, in characters; longer text is cut and ends in `…`.
const CELL_CHARS_MAX: usize = 60;

/// Returns the rows as an aligned table under `header`.
pub(crate) fn render<const N: usize>(header: [&str; N], rows: &[[String; N]]) -> String {
    let rows: Vec<[String; N]> =
        rows.iter().map(|row| row.each_ref().map(|cell| shown(cell))).collect();
    let mut widths = header.map(|cell| cell.chars().count());
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    write_row(&mut out, header, widths);
    for row in &rows {
        write_row(&mut out, row.each_ref().map(String::as_str), widths);
    }
    out.truncate(out.trim_end_matches('\n').len());
    out
}

fn write_row<const N: usize>(out: &mut String, cells: [&str; N], widths: [usize; N]) {
    let mut row = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        let _ = write!(row, "{cell:<width$}  ");
    }
    out.push_str(row.trim_end());
    out.push('\n');
}

/// Returns a cell's text as it may stand on a terminal: escaped, and cut to a cell's width.
pub(crate) fn shown(text: &str) -> String {
    match text.char_indices().nth(CELL_CHARS_MAX) {
        Some((end, _)) => escaped(&text[..end]) + "…",
        None => escaped(text),
    }
}

/// Returns text with what could move or mislead a reader's eye written as `\u{…}`.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// Control characters, line separators, and the marks that change the direction of text or cannot be seen.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(shown(text), expected);
    }

    #[test]
    fn hostile_text_is_shown_escaped() {
        check("plain äö", "plain äö");
        check("a\u{1b}[31mred", "a\\u{1b}[31mred");
        check("two\nlines", "two\\u{a}lines");
        check("user\u{202e}gpj.exe", "user\\u{202e}gpj.exe");
        check("\u{feff}bom", "\\u{feff}bom");
        check(&"x".repeat(60), &"x".repeat(60));
        check(&"x".repeat(61), &format!("{}…", "x".repeat(60)));
    }

    #[test]
    fn columns_align_by_characters() {
        let rows = [
            ["1".to_owned(), "ä".to_owned(), "x".to_owned()],
            ["22".to_owned(), "bbb".to_owned(), String::new()],
        ];
        assert_eq!(render(["n", "name", "end"], &rows), "n   name  end\n1   ä     x\n22  bbb");
    }
}
