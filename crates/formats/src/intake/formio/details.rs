//! Reading what follows the user column: recognised by shape, since its order changed between versions.

use std::borrow::Cow;

use attestary_event::{Limits, scan};

use super::columns::{Column, Columns, Cursor, is_id, leading_ids};

/// The most ids that one line names as targets; further ones stay in the metadata.
const TARGETS_MAX: usize = 16;

/// Failed sign-ins that print nothing but the attempted name.
const NAMES_ONLY: [&str; 5] =
    ["EAUTH_NOUSER", "EAUTH_LOGINCOUNT", "EAUTH_AUTHCONFIG", "EAUTH_EMPTYPW", "EAUTH_BLANKPW"];

/// The first word of entity events, and what their ids name, in order.
const ENTITIES: [(&str, &[&str]); 7] = [
    ("SUBMISSION", &["submission", "form"]),
    ("FORM", &["form"]),
    ("ACTION", &["action", "form"]),
    ("PROJECT", &["project"]),
    ("ROLE", &["role"]),
    ("TEAM", &["team", "team_resource"]),
    ("V", &["form_revision"]),
];

/// What the columns after the user mean.
#[derive(Debug, Default)]
pub(super) struct Details<'a> {
    pub(super) targets: Vec<(Cow<'static, str>, &'a str)>,
    /// The name somebody tried to sign in with.
    pub(super) attempted: Option<&'a str>,
    pub(super) method: Option<&'a str>,
    pub(super) path: Option<&'a str>,
    pub(super) query: Option<&'a str>,
    /// Number tokens.
    pub(super) status: Option<&'a str>,
    pub(super) duration_ms: Option<&'a str>,
    pub(super) seconds: Option<&'a str>,
    /// A printed error with its lines.
    pub(super) error: Option<Cow<'a, str>>,
    /// Columns without a known meaning.
    pub(super) rest: Option<&'a str>,
    /// True when an event with known columns has others.
    pub(super) unexpected: bool,
    /// Lines that follow without an error to belong to.
    pub(super) continuation: Option<&'a str>,
}

/// Reads the columns after the user, and the lines after the first.
pub(super) fn read<'a>(
    event: &str,
    columns: &Columns<'a>,
    continuation: Option<&'a str>,
) -> Details<'a> {
    let mut details = Details::default();
    if let Some(extra) = columns.extra.filter(|extra| !extra.is_empty()) {
        match event {
            "REQUEST_START" => details.request_start(extra),
            "REQUEST_END" => details.request_end(extra),
            "EAUTH_PASSWORD" => details.password(extra),
            "EAUTH_BCRYPT" => details.name_and_error(extra),
            "EAUTH_USERFORM" => details.ids_then_error(&["form"], extra),
            "EAUTH_TOKENBAD" | "EAUTH_TOKENEXPIRED" => details.error = Some(extra.into()),
            "AUTH_TOKENREFRESH" => details.token_refresh(extra),
            name if NAMES_ONLY.contains(&name) => details.attempted = Some(extra),
            name => details.entity(name, columns.project.is_none(), extra),
        }
    }
    details.attempted = details.attempted.filter(|name| !name.is_empty());
    details.continued(continuation);
    details
}

impl<'a> Details<'a> {
    fn request_start(&mut self, extra: &'a str) {
        let mut cursor = Cursor { rest: Some(extra) };
        let is_method =
            |word: &str| word.len() <= 16 && word.bytes().all(|b| b.is_ascii_uppercase());
        match cursor.next() {
            Some(Column::Word(word)) if is_method(word) => self.method = Some(word),
            _ => return self.unknown(extra),
        }
        let Some(Column::Word(path) | Column::Id(path)) = cursor.next() else {
            return;
        };
        self.path = Some(path);
        let rest = cursor.rest;
        match cursor.next() {
            Some(Column::Braced(query)) if cursor.rest.is_none() => self.query = Some(query),
            None | Some(Column::Absent) => {}
            Some(_) => self.unknown(rest.unwrap_or_default()),
        }
    }

    fn request_end(&mut self, extra: &'a str) {
        let (status, duration) = extra.split_once(' ').unwrap_or((extra, ""));
        let is_status = status.len() == 3
            && status.bytes().all(|b| b.is_ascii_digit())
            && ("100".."600").contains(&status);
        let duration_ms = duration.strip_suffix("ms").filter(|number| is_amount(number));
        self.status = is_status.then_some(status);
        self.duration_ms = duration_ms;
        if !is_status || (duration_ms.is_none() && !duration.is_empty()) {
            self.unknown(extra);
        }
    }

    /// The user's id and the attempted name: in this order today, reversed in older cores, and the name only
    /// when the form was posted without its fields.
    fn password(&mut self, extra: &'a str) {
        if let (ids, Some(name)) = leading_ids(extra, 1)
            && let [user] = ids[..]
        {
            self.targets.push(("user".into(), user));
            self.attempted = Some(name);
        } else if let Some((name, user)) = trailing_id(extra) {
            self.targets.push(("user".into(), user));
            self.attempted = Some(name);
        } else {
            self.attempted = Some(extra);
        }
    }

    fn name_and_error(&mut self, extra: &'a str) {
        if is_error(extra) {
            self.error = Some(extra.into());
            return;
        }
        let mut spaces = extra.match_indices(' ').map(|(at, _)| extra.split_at(at));
        let split = spaces.find(|(_, error)| is_error(&error[1..]));
        let (name, error) =
            split.map_or((extra, None), |(name, error)| (name, Some(error[1..].into())));
        self.attempted = Some(name);
        self.error = error;
    }

    fn ids_then_error(&mut self, kinds: &[&'static str], extra: &'a str) {
        let rest = self.name_targets(kinds, extra);
        self.error = rest.map(Into::into);
    }

    fn token_refresh(&mut self, extra: &'a str) {
        match self.name_targets(&["user"], extra) {
            Some(seconds) if is_amount(seconds) => self.seconds = Some(seconds),
            Some(rest) => self.unknown(rest),
            None => {}
        }
    }

    /// Ids by the entity that the event is named after; other events may have other columns.
    fn entity(&mut self, event: &str, no_project: bool, extra: &'a str) {
        let (entity, verb) = event.rsplit_once('_').unwrap_or((event, ""));
        let known = ENTITIES.iter().find(|(name, _)| *name == entity);
        let rest = match known {
            // A stage is a project of its own, which is why its lines name no other.
            Some(("PROJECT", _)) if no_project && verb == "READ" => {
                self.name_targets(&["stage"], extra)
            }
            Some((_, kinds)) => self.name_targets(kinds, extra),
            None => {
                let (ids, rest) = leading_ids(extra, TARGETS_MAX);
                let kinds = std::iter::once(entity.to_ascii_lowercase().into())
                    .chain(std::iter::repeat(Cow::Borrowed("object")));
                self.targets.extend(kinds.zip(ids));
                rest
            }
        };
        match rest.filter(|rest| !rest.is_empty()) {
            Some(error) if is_error(error) => self.error = Some(error.into()),
            Some(rest) => {
                self.rest = Some(rest);
                self.unexpected = known.is_some();
            }
            None => {}
        }
    }

    /// Takes as many ids as there are kinds; returns the text after them.
    fn name_targets(&mut self, kinds: &[&'static str], extra: &'a str) -> Option<&'a str> {
        let (ids, rest) = leading_ids(extra, kinds.len());
        self.targets.extend(kinds.iter().map(|kind| Cow::Borrowed(*kind)).zip(ids));
        rest
    }

    fn unknown(&mut self, rest: &'a str) {
        self.rest = Some(rest);
        self.unexpected = true;
    }

    fn continued(&mut self, continuation: Option<&'a str>) {
        let Some(continuation) = continuation else {
            return;
        };
        match &mut self.error {
            Some(error) => *error = Cow::Owned(format!("{error}\n{continuation}")),
            None => self.continuation = Some(continuation),
        }
    }
}

/// A query as metadata can hold it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Query<'a> {
    /// No parameters.
    Empty,
    /// A JSON object, compact, its numbers as printed.
    Json(Vec<u8>),
    /// Anything else.
    Text(&'a str),
}

/// Reads a braced query; JSON that is large or deep is kept as text.
pub(super) fn query(text: &str) -> Query<'_> {
    let limits =
        Limits { event_bytes_max: 2_048, depth_max: 8, fields_max: 128, ..Limits::default() };
    match scan::scan(text.as_bytes(), &limits) {
        Ok(scanned) if scanned.fields.is_empty() => Query::Empty,
        Ok(scanned) => Query::Json(scanned.compact),
        Err(_) => Query::Text(text),
    }
}

/// Splits an id off the end.
fn trailing_id(text: &str) -> Option<(&str, &str)> {
    let start = match text.strip_suffix(')') {
        Some(_) => text.rfind("new ObjectId(")?,
        None => text.rfind(' ')? + 1,
    };
    let name = text[..start].strip_suffix(' ')?;
    let mut cursor = Cursor { rest: Some(&text[start..]) };
    match cursor.next() {
        Some(Column::Id(id)) if is_id(id) => Some((name, id)),
        _ => None,
    }
}

/// Returns whether a text starts as a printed error does: a class name that ends in `Error`, or a brace.
fn is_error(text: &str) -> bool {
    let class = text.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    text.starts_with('{') || class.ends_with("Error")
}

/// Returns whether a text is a number without sign and exponent, as JSON writes it.
fn is_amount(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits =
        |part: &str| (1..=15).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    digits(whole) && digits(fraction) && (whole == "0" || !whole.starts_with('0'))
}
