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
        let parse = |text: &str| text.parse().ok().filter(|count| (1..=max).contains(count));
        self.parsed(name, parse, &format!("is a whole number from 1 to {max}"))
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

fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(64)]
}

fn wrong(name: &str, detail: &str) -> Problem {
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
    fn values_are_decoded() {
        let query = Query::parse(Some("tenant=a%2Fb+c"), &["tenant"]).unwrap();
        assert_eq!(query.text("tenant"), Some("a/b c"));
    }
}
