//! Characters into words, quotes and operators.
//!
//! There is no token list: what a word may hold depends on where it stands (a value may contain `:` and `=`,
//! a name may not), so the parser asks for what it wants next. Positions are bytes of the text.

use super::{FilterError, Path, Pattern, error::Reason};

/// Words that are never a bare word, name or the only name of a bare path.
pub(super) fn is_reserved(word: &str) -> bool {
    word == "exists"
        || ["and", "or", "not"].iter().any(|keyword| word.eq_ignore_ascii_case(keyword))
}

/// Ends a bare word wherever it stands; such characters must be quoted.
pub(super) fn ends_bare_value(character: char) -> bool {
    character.is_whitespace() || character.is_control() || matches!(character, '(' | ')' | '"')
}

/// Ends a bare word or name in front of an operator.
pub(super) fn ends_bare_word(character: char) -> bool {
    ends_bare_value(character) || matches!(character, ':' | '=' | '!' | '<' | '>')
}

/// Characters that no bare value may begin with: they look like a second operator.
pub(super) fn cannot_begin_value(character: char) -> bool {
    matches!(character, '=' | '!' | '<' | '>')
}

/// A place in a filter's text.
#[derive(Debug, Clone)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

/// Text between its escapes: `\*` and `\\` stay escaped, `\"` is a quote, and a bare `*` may be a wild card.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Escaped(pub(super) String);

impl Escaped {
    pub(super) fn pattern(&self) -> Pattern {
        Pattern::parse(&self.0).expect("only the lexer's own escapes are in it")
    }

    /// Returns the text with every star meant literally.
    pub(super) fn plain(&self) -> Box<str> {
        let mut plain = String::with_capacity(self.0.len());
        let mut characters = self.0.chars();
        while let Some(character) = characters.next() {
            plain.push(if character == '\\' {
                characters.next().unwrap_or('\\')
            } else {
                character
            });
        }
        plain.into()
    }
}

/// What stands at the beginning of a clause: a word, or a path when an operator follows.
#[derive(Debug)]
pub(super) struct Term {
    pub(super) start: usize,
    pub(super) end: usize,
    names: Vec<Name>,
}

#[derive(Debug, Default)]
struct Name {
    start: usize,
    text: Escaped,
    quoted: bool,
    /// Where the first star or backslash outside quotes stands.
    special: Option<usize>,
}

impl Term {
    /// Returns the term as a word: all bare, or all in one pair of quotes.
    pub(super) fn word(&self) -> Option<Escaped> {
        match &self.names[..] {
            [only] => Some(only.text.clone()),
            names if names.iter().any(|name| name.quoted) => None,
            names => {
                Some(Escaped(names.iter().map(|name| &*name.text.0).collect::<Vec<_>>().join(".")))
            }
        }
    }

    pub(super) fn is_bare(&self, word: &str) -> bool {
        matches!(&self.names[..], [only] if !only.quoted && only.text.0 == word)
    }

    pub(super) fn is_reserved(&self) -> bool {
        matches!(&self.names[..], [only] if !only.quoted && is_reserved(&only.text.0))
    }

    /// Returns the refusal of a reserved word, naming what was probably meant.
    pub(super) fn reserved(&self) -> FilterError {
        let expected = match self.names[0].text.0.to_ascii_lowercase().as_str() {
            "and" => vec!["AND", "\"and\""],
            "or" => vec!["OR", "\"or\""],
            "not" => vec!["NOT", "\"not\""],
            _ => vec!["exists(", "\"exists\""],
        };
        FilterError {
            offset: self.start,
            length: self.end - self.start,
            expected,
            reason: Reason::Reserved,
        }
    }

    /// Returns the term as a path; names are plain text, so a wild card in one is an error.
    pub(super) fn path(&self) -> Result<Path, FilterError> {
        if self.is_reserved() {
            return Err(self.reserved());
        }
        for name in &self.names {
            let missing = (name.text.0.is_empty() && !name.quoted).then_some((name.start, 0));
            if let Some((offset, length)) = missing.or(name.special.map(|at| (at, 1))) {
                return Err(FilterError {
                    offset,
                    length,
                    expected: vec!["name"],
                    reason: Reason::Unexpected,
                });
            }
        }
        Ok(Path::of_names(self.names.iter().map(|name| name.text.plain()).collect()))
    }
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    /// Returns the error that the next character, or the end of the text, is not one of `expected`.
    pub(super) fn unexpected(&self, expected: &[&'static str]) -> FilterError {
        let (length, reason) = match self.peek() {
            Some(character) => (character.len_utf8(), Reason::Unexpected),
            None => (0, Reason::End),
        };
        FilterError { offset: self.at, length, expected: expected.to_vec(), reason }
    }

    pub(super) fn skip_space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start_matches(char::is_whitespace).len();
    }

    pub(super) fn take(&mut self, expected: &str) -> bool {
        let found = self.text[self.at..].starts_with(expected);
        self.at += if found { expected.len() } else { 0 };
        found
    }

    /// Takes `keyword` if it is the whole next bare word.
    pub(super) fn take_keyword(&mut self, keyword: &str) -> bool {
        let rest = &self.text[self.at..];
        let end = rest.find(ends_bare_word).unwrap_or(rest.len());
        let found = &rest[..end] == keyword;
        self.at += if found { end } else { 0 };
        found
    }

    /// Reads a word or path; the caller made sure that one begins here.
    pub(super) fn term(&mut self) -> Result<Term, FilterError> {
        let start = self.at;
        let mut names = vec![Name { start, ..Name::default() }];
        loop {
            let name = names.last_mut().expect("there is always a current name");
            match self.peek() {
                Some('.') => {
                    self.at += 1;
                    names.push(Name { start: self.at, ..Name::default() });
                }
                Some('"') if name.text.0.is_empty() && !name.quoted => {
                    name.text = self.quoted()?;
                    name.quoted = true;
                }
                Some(character) if !name.quoted && !ends_bare_word(character) => {
                    if matches!(character, '*' | '\\') {
                        name.special.get_or_insert(self.at);
                    }
                    self.push_one(character, &mut name.text)?;
                }
                _ => break,
            }
        }
        if self.at == start {
            return Err(self.unexpected(&["name"]));
        }
        Ok(Term { start, end: self.at, names })
    }

    /// Fails unless a path ends the text.
    pub(super) fn finish_path(&self) -> Result<(), FilterError> {
        if self.at == self.text.len() { Ok(()) } else { Err(self.unexpected(&["name"])) }
    }

    /// Reads a value; true when it was quoted.
    pub(super) fn value(&mut self) -> Result<(Escaped, bool), FilterError> {
        if self.peek() == Some('"') {
            return Ok((self.quoted()?, true));
        }
        if self.peek().is_none_or(|first| ends_bare_value(first) || cannot_begin_value(first)) {
            return Err(self.unexpected(&["value"]));
        }
        let mut value = Escaped::default();
        while let Some(character) = self.peek().filter(|&character| !ends_bare_value(character)) {
            self.push_one(character, &mut value)?;
        }
        Ok((value, false))
    }

    fn quoted(&mut self) -> Result<Escaped, FilterError> {
        let open = self.at;
        self.at += 1;
        let mut text = Escaped::default();
        loop {
            match self.peek() {
                Some('"') => break self.at += 1,
                Some(character) => self.push_one(character, &mut text)?,
                None => {
                    let length = self.at - open;
                    return Err(FilterError {
                        offset: open,
                        length,
                        expected: vec!["\""],
                        reason: Reason::OpenQuote,
                    });
                }
            }
        }
        Ok(text)
    }

    /// Takes one character, or one escape.
    fn push_one(&mut self, character: char, into: &mut Escaped) -> Result<(), FilterError> {
        if character != '\\' {
            into.0.push(character);
            self.at += character.len_utf8();
            return Ok(());
        }
        let escaped = self.text[self.at + 1..].chars().next();
        match escaped {
            Some('"') => into.0.push('"'),
            Some('*') => into.0.push_str("\\*"),
            Some('\\') => into.0.push_str("\\\\"),
            other => {
                let length = 1 + other.map_or(0, char::len_utf8);
                let expected = vec!["\\\"", "\\*", "\\\\"];
                return Err(FilterError {
                    offset: self.at,
                    length,
                    expected,
                    reason: Reason::Escape,
                });
            }
        }
        self.at += 2;
        Ok(())
    }
}
