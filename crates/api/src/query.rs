//! Query strings: every parameter is known, given once, and valid, or the request is refused with its name.

use std::borrow::Cow;

use attestary_event::Timestamp;

use crate::problem::{INVALID_QUERY, Problem};

/// Longest value, decoded: a filter of the greatest length fits.
const VALUE_BYTES_MAX: usize = 16 * 1024;

/// The parameters of one request.
#[derive(Debug)]
pub(crate) struct Query<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Query<'a> {
    /// Reads a query string that may hold the `known` parameters only.
    pub(crate) fn parse(query: Option<&'a str>, known: &[&str]) -> Result<Self, Problem> {
        let mut pairs: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or("").as_bytes()) {
            if !known.contains(&&*name) {
                return Err(unknown(&name, known));
            }
            if pairs.iter().any(|(other, _)| *other == name) {
                return Err(wrong(&name, "given more than once"));
            }
            if value.len() > VALUE_BYTES_MAX {
                let detail =
                    format!("has at most {VALUE_BYTES_MAX} bytes; this one has {}", value.len());
                return Err(wrong(&name, &detail));
            }
            pairs.push((name, value));
        }
        Ok(Self { pairs })
    }

    /// Returns a parameter's text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(other, _)| other == name).map(|(_, value)| &**value)
    }

    /// Returns a time.
    pub(crate) fn time(&self, name: &str) -> Result<Option<Timestamp>, Problem> {
        self.parsed(
            name,
            Timestamp::parse,
            "is a time with an offset, such as 2026-11-22T10:00:00Z",
        )
    }

    /// Returns a count from 1 to `max`.
    pub(crate) fn count(&self, name: &str, max: usize) -> Result<Option<usize>, Problem> {
        self.count_from(name, 1, max)
    }

    /// Returns a count from `min` to `max`.
    pub(crate) fn count_from(
        &self,
        name: &str,
        min: usize,
        max: usize,
    ) -> Result<Option<usize>, Problem> {
        let parse = |text: &str| text.parse().ok().filter(|count| (min..=max).contains(count));
        self.parsed(name, parse, &format!("is a whole number from {min} to {max}"))
    }

    /// Returns a whole number.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, Problem> {
        self.parsed(name, |text| text.parse().ok(), "is a whole number")
    }

    /// Returns a length of time in milliseconds.
    pub(crate) fn length_ms(&self, name: &str) -> Result<Option<i64>, Problem> {
        let expected = "is a number of at most nine digits, not 0, with the unit ms, s, m, h, d or w, such as 15m";
        self.parsed(name, length_ms, expected)
    }

    /// Returns the parts of a list between commas, without those in quotes.
    pub(crate) fn list(&self, name: &str) -> Option<Vec<&str>> {
        self.text(name).map(split)
    }

    /// Returns one of `choices` by index.
    pub(crate) fn choice(&self, name: &str, choices: &[&str]) -> Result<Option<usize>, Problem> {
        let parse = |text: &str| choices.iter().position(|choice| *choice == text);
        self.parsed(name, parse, &format!("is one of {}", choices.join(", ")))
    }

    fn parsed<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Option<T>,
        expected: &str,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match parse(text) {
            Some(value) => Ok(Some(value)),
            None => Err(wrong(name, &format!("{expected}; this one is {:?}", shortened(text)))),
        }
    }
}

pub(crate) fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(64)]
}

fn length_ms(text: &str) -> Option<i64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let unit_ms = match &text[digits..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 604_800_000,
        _ => return None,
    };
    let count: i64 = text[..digits].parse().ok().filter(|count| *count > 0 && digits <= 9)?;
    Some(count * unit_ms)
}

fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

/// Returns the refusal of one parameter.
pub(crate) fn wrong(name: &str, detail: &str) -> Problem {
    let sentence = format!("the parameter \"{name}\" {detail}");
    Problem::new(&INVALID_QUERY, sentence.clone()).at(format!("/{name}"), sentence)
}

fn unknown(name: &str, known: &[&str]) -> Problem {
    let name = shortened(name);
    let sentence = match known {
        [] => format!("there is no parameter \"{name}\"; this path takes none"),
        known => format!("there is no parameter \"{name}\"; known are {}", known.join(", ")),
    };
    Problem::new(&INVALID_QUERY, sentence.clone()).at(format!("/{name}"), sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(query: &str) -> String {
        Query::parse(Some(query), &["limit", "tenant"])
            .and_then(|query| query.count("limit", 1000))
            .err()
            .map_or_else(|| "accepted".into(), |problem| problem.detail.clone())
    }

    #[track_caller]
    fn check(query: &str, expected: &str) {
        let refusal = refusal(query);
        assert!(refusal.contains(expected), "{refusal}");
    }

    #[test]
    fn bad_parameters_are_named() {
        check("limit=50&tenant=a%20b", "accepted");
        check("", "accepted");
        check("lmit=50", "no parameter \"lmit\"; known are limit, tenant");
        check("limit=1&limit=2", "\"limit\" given more than once");
        for bad in ["limit=0", "limit=1001", "limit=-1", "limit=x", "limit="] {
            check(bad, "a whole number from 1 to 1000");
        }
        check(
            &format!("tenant={}", "x".repeat(VALUE_BYTES_MAX + 1)),
            "at most 16384 bytes; this one has 16385",
        );
    }

    #[test]
    fn lengths_of_time_have_a_unit() {
        let check = |text: &str, expected| assert_eq!(length_ms(text), expected, "{text}");
        check("15m", Some(900_000));
        check("250ms", Some(250));
        check("999999999w", Some(604_799_999_395_200_000));
        for bad in ["", "m", "15", "0s", "-1s", "1.5h", "1 h", "1000000000s", "1y", "1\u{e4}"] {
            check(bad, None);
        }
    }

    #[test]
    fn commas_in_quotes_do_not_split() {
        assert_eq!(split("action, actor.id"), ["action", "actor.id"]);
        assert_eq!(split(r#"metadata."a,b",c"#), [r#"metadata."a,b""#, "c"]);
        assert_eq!(split(r#"metadata."a\",b",c"#), [r#"metadata."a\",b""#, "c"]);
        assert_eq!(split(""), [""]);
        assert_eq!(split("a,,b"), ["a", "", "b"]);
    }

    #[test]
    fn values_are_decoded() {
        let query = Query::parse(Some("tenant=a%2Fb+c"), &["tenant"]).unwrap();
        assert_eq!(query.text("tenant"), Some("a/b c"));
    }
}
