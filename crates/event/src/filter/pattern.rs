//! Patterns: text in which `*` stands for any run of characters and `\*` for a star.
//!
//! Matching takes time linear in the text: the parts between stars are searched once each, from left to
//! right, and the leftmost place is always good enough because stars are the only wild card.

use std::fmt;

use memchr::memmem;

/// A pattern in its canonical form: `*`, `\*` and `\\` are the only special sequences, and no two stars meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// Parses the canonical form; `None` when a backslash stands before anything but `*` or `\`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut canonical = String::with_capacity(text.len());
        let mut characters = text.chars();
        let mut after_star = false;
        while let Some(character) = characters.next() {
            let star = character == '*';
            if !(star && after_star) {
                canonical.push(character);
            }
            if character == '\\' {
                canonical.push(characters.next().filter(|next| matches!(next, '*' | '\\'))?);
            }
            after_star = star;
        }
        Some(Self(canonical.into()))
    }

    /// Returns the pattern that matches exactly `text`.
    pub fn literal(text: &str) -> Self {
        let mut escaped = String::with_capacity(text.len());
        for character in text.chars() {
            if matches!(character, '*' | '\\') {
                escaped.push('\\');
            }
            escaped.push(character);
        }
        Self(escaped.into())
    }

    /// Returns the canonical form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the pattern with its ASCII letters in lower case.
    pub(super) fn lower_case(&self) -> Self {
        Self(self.0.to_ascii_lowercase().into())
    }

    /// Returns the literal parts between the stars; one part when there is no star.
    pub(super) fn parts(&self) -> Vec<String> {
        let mut parts = vec![String::new()];
        let mut characters = self.0.chars();
        while let Some(character) = characters.next() {
            let literal = match character {
                '*' => {
                    parts.push(String::new());
                    continue;
                }
                '\\' => characters.next().unwrap_or('\\'),
                other => other,
            };
            if let Some(part) = parts.last_mut() {
                part.push(literal);
            }
        }
        parts
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A pattern made ready to match, case-sensitively and as a whole.
#[derive(Debug, Clone)]
pub(super) enum Glob {
    /// No star: the text itself.
    Exact(Box<str>),
    /// Stars: what comes first, in between, and last.
    Parts { first: Box<str>, middle: Box<[memmem::Finder<'static>]>, last: Box<str> },
}

impl Glob {
    pub(super) fn new(pattern: &Pattern) -> Self {
        let mut parts = pattern.parts();
        let last = parts.pop().unwrap_or_default();
        if parts.is_empty() {
            return Self::Exact(last.into());
        }
        let first = parts.remove(0);
        let finder = |part: String| memmem::Finder::new(part.as_bytes()).into_owned();
        let middle = parts.into_iter().map(finder).collect();
        Self::Parts { first: first.into(), middle, last: last.into() }
    }

    /// Returns true for the pattern that is nothing but a star.
    pub(super) fn matches_all(&self) -> bool {
        matches!(self, Self::Parts { first, middle, last }
            if first.is_empty() && middle.is_empty() && last.is_empty())
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => **exact == *text,
            Self::Parts { first, middle, last } => {
                let rest = text.strip_prefix(&**first).and_then(|rest| rest.strip_suffix(&**last));
                rest.is_some_and(|rest| in_sequence(rest.as_bytes(), middle))
            }
        }
    }
}

fn in_sequence(mut rest: &[u8], parts: &[memmem::Finder<'static>]) -> bool {
    for part in parts {
        let Some(at) = part.find(rest) else { return false };
        rest = &rest[at + part.needle().len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: bool) {
        let glob = Glob::new(&Pattern::parse(pattern).expect("a pattern"));
        assert_eq!(glob.matches(text), expected, "{pattern} on {text}");
    }

    #[test]
    fn a_star_stands_for_any_run() {
        check("user.*", "user.login", true);
        check("user.*", "user.", true);
        check("user.*", "user", false);
        check("*.login", "user.login", true);
        check("a*b*c", "a-b-b-c", true);
        check("a*b*c", "a-c-b", false);
        check("*", "", true);
        check("", "", true);
        check("", "a", false);
    }

    #[test]
    fn first_and_last_do_not_share_characters() {
        check("aba*aba", "aba", false);
        check("aba*aba", "ababa", false);
        check("aba*aba", "abaaba", true);
        check("a*b*b", "ab", false);
    }

    #[test]
    fn an_escaped_star_is_a_star() {
        check(r"a\*", "a*", true);
        check(r"a\*", "ab", false);
        check(r"a\\*", r"a\b", true);
        check("É*", "\u{c9}cole", true);
        check("É*", "E\u{301}cole", false);
    }

    #[test]
    fn other_escapes_are_no_pattern() {
        assert_eq!(Pattern::parse(r"a\b"), None);
        assert_eq!(Pattern::parse("a\\"), None);
        assert_eq!(Pattern::parse("a***b").expect("a pattern").as_str(), "a*b");
    }

    /// The textbook definition, exponential and obviously right.
    fn slow(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|skip| slow(rest, &text[skip..])),
            Some((first, rest)) => text.first() == Some(first) && slow(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_the_definition(pattern in "[ab*]{0,8}", text in "[ab]{0,10}") {
            let glob = Glob::new(&Pattern::parse(&pattern).expect("a pattern"));
            let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
            prop_assert_eq!(glob.matches(&text), slow(&p, &t));
        }

        #[test]
        fn a_literal_matches_itself_only(text in "[a*\\\\b]{0,6}", other in "[a*\\\\b]{0,6}") {
            let pattern = Pattern::literal(&text);
            prop_assert_eq!(Pattern::parse(pattern.as_str()), Some(pattern.clone()));
            prop_assert_eq!(Glob::new(&pattern).matches(&other), text == other);
        }
    }
}
