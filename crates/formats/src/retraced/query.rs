//! Retraced's query text, translated into the filter language.
//!
//! Terms stand side by side; ranges are half-open and either end may be missing, so that a comma may end a term. A
//! keyword that is not known is refused, never searched for as text.

use std::fmt::Write as _;

/// Longest query, in bytes.
const QUERY_BYTES_MAX: usize = 4 * 1024;

/// Keywords whose value is compared with one path.
const PATHS: [(&str, &str); 8] = [
    ("action", "action"),
    ("actor.id", "actor.id"),
    ("actor.name", "actor.name"),
    ("target.id", "targets.id"),
    ("target.name", "targets.name"),
    ("target.type", "targets.type"),
    ("location", "context.location"),
    ("external_id", "source.fields.external_id"),
];

/// What a query asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Text in the filter language.
    pub filter: String,
    /// The group that it names: an addition, for keys that see several.
    pub group: Option<String>,
}

/// Why a query was refused.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueryError {
    /// Longer than any query needs.
    #[error("a query has at most {QUERY_BYTES_MAX} bytes")]
    TooLong,
    /// No such keyword.
    #[error(
        "\"{0}\" is not a keyword; known are action, crud, received, created, actor.id, actor.name, target.id, target.name, target.type, description, location, external_id and group.id"
    )]
    Keyword(String),
    /// The value does not fit the keyword.
    #[error("the value of \"{0}\" is not valid: {1}")]
    Value(&'static str, &'static str),
    /// A quote without its end.
    #[error("a quoted text has no end")]
    Quote,
}

/// Translates a query.
pub fn translate(text: &str) -> Result<Query, QueryError> {
    if text.len() > QUERY_BYTES_MAX {
        return Err(QueryError::TooLong);
    }
    let mut query = Query::default();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        if rest.is_empty() {
            return Ok(query);
        }
        match keyword(rest) {
            Some((name, after)) => {
                let (value, after) = value(after)?;
                query.term(name, &value)?;
                rest = after;
            }
            None => {
                let (word, after) = value(rest)?;
                if !word.is_empty() {
                    query.push(&quoted(&word, false));
                }
                rest = after;
            }
        }
    }
}

/// Splits `name:` off; a quoted text is no keyword.
fn keyword(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'))?;
    let after = text[end..].strip_prefix(':')?;
    (end > 0).then_some((&text[..end], after))
}

/// Splits a value off: a quoted text, or everything up to white space.
fn value(text: &str) -> Result<(String, &str), QueryError> {
    let Some(inner) = text.strip_prefix('"') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        return Ok((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut chars = inner.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &inner[at + 1..])),
            '\\' => value.push(chars.next().ok_or(QueryError::Quote)?.1),
            c => value.push(c),
        }
    }
    Err(QueryError::Quote)
}

impl Query {
    fn push(&mut self, clause: &str) {
        if !self.filter.is_empty() {
            self.filter.push(' ');
        }
        self.filter.push_str(clause);
    }

    fn term(&mut self, name: &str, value: &str) -> Result<(), QueryError> {
        if let Some((_, path)) = PATHS.iter().find(|(keyword, _)| *keyword == name) {
            let clause = format!("{path}:{}", quoted(value, name == "action"));
            self.push(&clause);
            return Ok(());
        }
        match name {
            "crud" => self.crud(value),
            "received" => self.range("received", "received_at", value),
            "created" => self.range("created", "occurred_at", value),
            "description" => {
                let inner = escaped(value);
                self.push(&format!("description:\"*{inner}*\""));
                Ok(())
            }
            "group.id" => {
                self.group = Some(value.to_owned());
                Ok(())
            }
            other => Err(QueryError::Keyword(other.to_owned())),
        }
    }

    fn crud(&mut self, value: &str) -> Result<(), QueryError> {
        let letters: Vec<&str> = value.split(',').filter(|letter| !letter.is_empty()).collect();
        if letters.is_empty() || letters.iter().any(|l| !matches!(*l, "c" | "r" | "u" | "d")) {
            return Err(QueryError::Value("crud", "letters c, r, u, d between commas"));
        }
        let clauses: Vec<String> =
            letters.iter().map(|letter| format!("source.fields.crud:{letter}")).collect();
        self.push(&format!("({})", clauses.join(" OR ")));
        Ok(())
    }

    fn range(&mut self, name: &'static str, path: &str, value: &str) -> Result<(), QueryError> {
        const EXPECTED: &str =
            "two RFC 3339 times between which a comma stands, either may be missing";
        let (start, end) = value.split_once(',').ok_or(QueryError::Value(name, EXPECTED))?;
        for (operator, time) in [(">=", start), ("<", end)] {
            if time.is_empty() {
                continue;
            }
            let time = attestary_event::Timestamp::parse_zoneless(time)
                .ok_or(QueryError::Value(name, EXPECTED))?;
            let mut clause = String::new();
            let _ = write!(clause, "{path}{operator}{time}");
            self.push(&clause);
        }
        Ok(())
    }
}

/// Returns a quoted value of the filter language; a star is a wild card only where `prefix` allows one at the end.
fn quoted(value: &str, prefix: bool) -> String {
    let (text, star) = match value.strip_suffix('*').filter(|_| prefix) {
        Some(text) => (text, "*"),
        None => (value, ""),
    };
    format!("\"{}{star}\"", escaped(text))
}

/// Escapes what means something inside quotes.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('*', "\\*")
}

#[cfg(test)]
mod tests {
    use attestary_event::filter::Filter;
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(query: &str, expected: &str) {
        let translated = translate(query).unwrap();
        assert_eq!(translated.filter, expected, "{query}");
        Filter::parse(&translated.filter).unwrap();
    }

    #[test]
    fn every_term_has_its_clause() {
        check("", "");
        check(r#"action:"a.*""#, r#"action:"a.*""#);
        check("action:a*b", r#"action:"a\*b""#);
        check("crud:c,d", "(source.fields.crud:c OR source.fields.crud:d)");
        check(
            r#"action:"a.*" crud:c created:2024-01-01T00:00:00.000Z, actor.id:z"#,
            r#"action:"a.*" (source.fields.crud:c) occurred_at>=2024-01-01T00:00:00.000Z actor.id:"z""#,
        );
        check("received:,2024-01-01T00:00:00Z", "received_at<2024-01-01T00:00:00.000Z");
        check("created:,", "");
        check(r#"description:"a \"b\"""#, r#"description:"*a \"b\"*""#);
        check(
            "target.type:doc external_id:7",
            r#"targets.type:"doc" source.fields.external_id:"7""#,
        );
        check("some words", r#""some" "words""#);
        assert_eq!(translate("group.id:g").unwrap().group.as_deref(), Some("g"));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for query in
            ["nope:1", "toic:1", "crud:x", "crud:", "created:soon", "received:1,2", r#"action:"a"#]
        {
            assert!(translate(query).is_err(), "{query}");
        }
        assert_eq!(translate(&"x".repeat(5_000)), Err(QueryError::TooLong));
    }

    proptest! {
        #[test]
        fn every_translation_is_a_filter(query in "\\PC{0,60}", value in "\\PC{0,20}") {
            if let Ok(translated) = translate(&query) {
                prop_assert!(Filter::parse(&translated.filter).is_ok(), "{:?}", translated);
            }
            let text = value.replace('\\', "\\\\").replace('"', "\\\"");
            if let Ok(translated) = translate(&format!("actor.name:\"{text}\"")) {
                prop_assert!(Filter::parse(&translated.filter).is_ok(), "{:?}", translated);
            }
        }
    }
}
