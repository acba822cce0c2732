//! Splitting what follows the uuid into columns.
//!
//! Columns are separated by one space, but some contain spaces themselves: ids in Node's inspect form, the
//! two-word sentinels, and braced values. Each of these is one column.

/// Longest value of the project, session and user columns; a longer one makes the line no audit line.
const WORD_BYTES_MAX: usize = 128;

/// One column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column<'a> {
    /// A sentinel that says that there is no value.
    Absent,
    /// The 24 hexadecimal digits of an id.
    Id(&'a str),
    /// A balanced `{…}`.
    Braced(&'a str),
    /// Anything else.
    Word(&'a str),
}

/// The three columns that every line has, and the text after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Columns<'a> {
    pub(super) project: Option<&'a str>,
    pub(super) session: Option<&'a str>,
    pub(super) user: Option<&'a str>,
    /// False when one of them is neither an id nor a sentinel.
    pub(super) regular: bool,
    /// What follows the user column; `Some("")` when only its separator does.
    pub(super) extra: Option<&'a str>,
}

/// Splits what follows the uuid; `None` when it has no three usable columns.
pub(super) fn split(rest: &str) -> Option<Columns<'_>> {
    let mut cursor = Cursor { rest: Some(rest) };
    let mut regular = true;
    let mut value = || match cursor.next()? {
        Column::Absent => Some(None),
        Column::Id(id) => Some(Some(id)),
        Column::Word(word) if (1..=WORD_BYTES_MAX).contains(&word.len()) => {
            regular = false;
            Some(Some(word))
        }
        Column::Word(_) | Column::Braced(_) => None,
    };
    let (project, session, user) = (value()?, value()?, value()?);
    Some(Columns { project, session, user, regular, extra: cursor.rest })
}

/// Returns the ids that `text` starts with, at most `count_max`, and the text after them.
pub(super) fn leading_ids(text: &str, count_max: usize) -> (Vec<&str>, Option<&str>) {
    let mut cursor = Cursor { rest: Some(text) };
    let mut ids = Vec::new();
    while ids.len() < count_max {
        let before = cursor.rest;
        let Some(Column::Id(id)) = cursor.next() else {
            return (ids, before);
        };
        ids.push(id);
    }
    (ids, cursor.rest)
}

/// Walks a text column by column.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    /// The text that is left; `None` once the last column was taken.
    pub(super) rest: Option<&'a str>,
}

impl<'a> Cursor<'a> {
    /// Takes the next column.
    pub(super) fn next(&mut self) -> Option<Column<'a>> {
        let text = self.rest?;
        let (column, length) = wrapped_id(text)
            .or_else(|| sentinel_of_two_words(text))
            .or_else(|| braced(text))
            .unwrap_or_else(|| word(text));
        self.rest = text.get(length + 1..);
        Some(column)
    }
}

/// Reads `new ObjectId("…")`, with either quote.
fn wrapped_id(text: &str) -> Option<(Column<'_>, usize)> {
    let inner = text.strip_prefix("new ObjectId(")?;
    let (quoted, _) = inner.split_once(')')?;
    let id =
        ['"', '\''].iter().find_map(|quote| quoted.strip_prefix(*quote)?.strip_suffix(*quote))?;
    let length = text.len() - inner.len() + quoted.len() + 1;
    (is_id(id) && ends_column(text, length)).then_some((Column::Id(id), length))
}

fn sentinel_of_two_words(text: &str) -> Option<(Column<'_>, usize)> {
    let sentinel = ["No User", "No Session", "No Project"]
        .iter()
        .find(|sentinel| text.starts_with(**sentinel))?;
    ends_column(text, sentinel.len()).then_some((Column::Absent, sentinel.len()))
}

/// Reads a balanced `{…}`; braces inside of quotes do not count.
fn braced(text: &str) -> Option<(Column<'_>, usize)> {
    if !text.starts_with('{') {
        return None;
    }
    let (mut depth, mut quote, mut escaped) = (0usize, None, false);
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            _ if escaped => escaped = false,
            (Some(_), b'\\') => escaped = true,
            (Some(open), _) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'{') => depth += 1,
            (None, b'}') => depth -= 1,
            (None, _) => {}
        }
        if depth == 0 {
            return ends_column(text, at + 1).then(|| (Column::Braced(&text[..=at]), at + 1));
        }
    }
    None
}

fn word(text: &str) -> (Column<'_>, usize) {
    let length = text.find(' ').unwrap_or(text.len());
    let word = &text[..length];
    let column = match word {
        "NoProject" | "NoSession" | "NoUser" | "undefined" | "null" => Column::Absent,
        id if is_id(id) => Column::Id(id),
        other => Column::Word(other),
    };
    (column, length)
}

/// Returns whether a text is a bare id.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn ends_column(text: &str, at: usize) -> bool {
    matches!(text.as_bytes().get(at), None | Some(b' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "659d83632824949f20a882e1";

    #[track_caller]
    fn check(text: &str, expected: &[Column<'_>]) {
        let mut cursor = Cursor { rest: Some(text) };
        let columns: Vec<Column<'_>> = std::iter::from_fn(|| cursor.next()).collect();
        assert_eq!(columns, expected, "{text}");
    }

    #[test]
    fn wrapped_ids_sentinels_and_braces_are_one_column_each() {
        check(&format!("new ObjectId(\"{ID}\") {ID}"), &[Column::Id(ID), Column::Id(ID)]);
        check(&format!("new ObjectId('{ID}') x"), &[Column::Id(ID), Column::Word("x")]);
        check("No User No Session No Project NoUser", &[Column::Absent; 4]);
        check("undefined null NoProject NoSession", &[Column::Absent; 4]);
        check(r#"{"a": "} x"} y"#, &[Column::Braced(r#"{"a": "} x"}"#), Column::Word("y")]);
        check(r"{ a: 'it\'s }' }", &[Column::Braced(r"{ a: 'it\'s }' }")]);
        check("{ {} }", &[Column::Braced("{ {} }")]);
    }

    #[test]
    fn what_only_looks_like_them_is_words() {
        check("No Users", &[Column::Word("No"), Column::Word("Users")]);
        check(
            &format!("new ObjectId(\"{ID}')"),
            &[Column::Word("new"), Column::Word(&format!("ObjectId(\"{ID}')"))],
        );
        check(
            &format!("new ObjectId(\"{ID}\")x"),
            &[Column::Word("new"), Column::Word(&format!("ObjectId(\"{ID}\")x"))],
        );
        check("{ open", &[Column::Word("{"), Column::Word("open")]);
        check("{}x", &[Column::Word("{}x")]);
        check(&format!("{ID}0"), &[Column::Word(&format!("{ID}0"))]);
    }

    #[test]
    fn every_single_space_separates() {
        check("", &[Column::Word("")]);
        check("a ", &[Column::Word("a"), Column::Word("")]);
        check("a  b", &[Column::Word("a"), Column::Word(""), Column::Word("b")]);
    }

    #[test]
    fn three_columns_are_needed() {
        assert!(split("NoProject NoSession").is_none());
        assert!(split("NoProject NoSession ").is_none(), "an empty user column");
        assert!(split("NoProject {} NoUser").is_none());
        assert!(split(&format!("NoProject NoSession {}", "x".repeat(129))).is_none());
        let columns = split("word NoSession No User ").unwrap();
        assert_eq!(
            (columns.project, columns.regular, columns.extra),
            (Some("word"), false, Some(""))
        );
        assert_eq!(split("NoProject NoSession NoUser").unwrap().extra, None);
    }
}
