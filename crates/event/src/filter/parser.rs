//! Text into a tree, by recursive descent.
//!
//! ```text
//! filter  = [ or ]
//! or      = and { "OR" and }
//! and     = unary { [ "AND" ] unary }
//! unary   = ( "NOT" | "-" ) unary | primary
//! primary = "(" or ")" | "exists" "(" path ")" | path operator value | word
//! ```
//!
//! Depth is counted before each descent, so that hostile nesting costs an error and no stack.

use super::{
    FilterError, Path,
    ast::{Comparator, NESTING_MAX, NODES_MAX, Node, Operand, Relative, TEXT_BYTES_MAX, Unit},
    error::Reason,
    lexer::{Escaped, Lexer},
};

const CLAUSE: &[&str] = &["field", "word", "exists(", "(", "-", "NOT"];
const OPERATORS: &[&str] = &[":", "=", "!=", "<", "<=", ">", ">="];
const ORDERING: &[&str] = &["<", "<=", ">", ">="];
const UNITS: &[&str] = &["s", "m", "h", "d", "w"];

/// Parses a whole filter; empty text is the empty `And`.
pub(super) fn parse(text: &str) -> Result<Node, FilterError> {
    if text.len() > TEXT_BYTES_MAX {
        let offset = text.floor_char_boundary(TEXT_BYTES_MAX);
        let reason = Reason::TooLong { bytes: text.len() };
        return Err(FilterError {
            offset,
            length: text.len() - offset,
            expected: Vec::new(),
            reason,
        });
    }
    let mut parser = Parser { lexer: Lexer::new(text), nesting: 0 };
    parser.lexer.skip_space();
    if parser.lexer.peek().is_none() {
        return Ok(Node::And(Vec::new()));
    }
    let node = parser.or()?;
    if parser.lexer.peek().is_some() {
        return Err(parser.lexer.unexpected(&["AND", "OR", "end"]));
    }
    match check_size(&node) {
        Ok(()) => Ok(node),
        Err(reason) => {
            Err(FilterError { offset: 0, length: text.len(), expected: Vec::new(), reason })
        }
    }
}

/// Checks the limits of the finished tree, so that both of its forms can be parsed again.
pub(super) fn check_size(node: &Node) -> Result<(), Reason> {
    let count = node.count();
    if count > NODES_MAX {
        return Err(Reason::TooManyNodes { count });
    }
    if node.nesting() > NESTING_MAX {
        return Err(Reason::TooDeep);
    }
    // The canonical text may be longer than the text: `(a OR b)(c OR d)` gets a space.
    let bytes = node.to_string().len();
    if bytes > TEXT_BYTES_MAX { Err(Reason::TooLong { bytes }) } else { Ok(()) }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    /// Open parentheses and negations around the current place.
    nesting: usize,
}

impl Parser<'_> {
    fn or(&mut self) -> Result<Node, FilterError> {
        let mut parts = vec![self.and()?];
        while self.lexer.take_keyword("OR") {
            self.lexer.skip_space();
            parts.push(self.and()?);
        }
        Ok(Node::any(parts))
    }

    fn and(&mut self) -> Result<Node, FilterError> {
        let mut parts = vec![self.unary()?];
        loop {
            self.lexer.skip_space();
            if self.lexer.take_keyword("AND") {
                self.lexer.skip_space();
            } else if matches!(self.lexer.peek(), None | Some(')'))
                || self.lexer.clone().take_keyword("OR")
            {
                return Ok(Node::all(parts));
            }
            parts.push(self.unary()?);
        }
    }

    fn unary(&mut self) -> Result<Node, FilterError> {
        let start = self.lexer.at();
        let minus = self.lexer.take("-");
        if !minus && !self.lexer.take_keyword("NOT") {
            return self.primary();
        }
        self.descend(start, self.lexer.at() - start)?;
        // `a - b` is nearly always prose; a minus touches what it negates.
        if minus && self.lexer.peek().is_some_and(char::is_whitespace) {
            return Err(self.lexer.unexpected(CLAUSE));
        }
        self.lexer.skip_space();
        let node = self.unary()?;
        self.nesting -= 1;
        Ok(Node::Not(Box::new(node)))
    }

    fn descend(&mut self, offset: usize, length: usize) -> Result<(), FilterError> {
        if self.nesting == NESTING_MAX {
            return Err(FilterError {
                offset,
                length,
                expected: Vec::new(),
                reason: Reason::TooDeep,
            });
        }
        self.nesting += 1;
        Ok(())
    }

    fn primary(&mut self) -> Result<Node, FilterError> {
        if self.lexer.peek() == Some('(') {
            return self.group();
        }
        let keyword = ["AND", "OR"].iter().any(|keyword| self.lexer.clone().take_keyword(keyword));
        if keyword
            || self
                .lexer
                .peek()
                .is_none_or(|first| first != '"' && super::lexer::ends_bare_word(first))
        {
            return Err(self.unexpected_word(CLAUSE));
        }
        self.clause()
    }

    fn group(&mut self) -> Result<Node, FilterError> {
        self.descend(self.lexer.at(), 1)?;
        self.lexer.take("(");
        self.lexer.skip_space();
        let node = self.or()?;
        if !self.lexer.take(")") {
            return Err(self.lexer.unexpected(&["AND", "OR", ")"]));
        }
        self.nesting -= 1;
        Ok(node)
    }

    /// `AND` and `OR` are reported as a whole, other places by their first character.
    fn unexpected_word(&self, expected: &[&'static str]) -> FilterError {
        let mut error = self.lexer.unexpected(expected);
        let mut after = self.lexer.clone();
        if after.take_keyword("AND") || after.take_keyword("OR") {
            error.length = after.at() - self.lexer.at();
        }
        error
    }

    fn clause(&mut self) -> Result<Node, FilterError> {
        let term = self.lexer.term()?;
        let mut after = self.lexer.clone();
        after.skip_space();
        if term.is_bare("exists") && after.peek() == Some('(') {
            self.lexer = after;
            return self.exists();
        }
        if matches!(after.peek(), Some(':' | '=' | '!' | '<' | '>')) {
            let path = term.path()?;
            self.lexer = after;
            return self.comparison(path);
        }
        if term.is_reserved() {
            return Err(term.reserved());
        }
        let Some(word) = term.word() else { return Err(after.unexpected(OPERATORS)) };
        if word.0.is_empty() {
            let (offset, length) = (term.start, term.end - term.start);
            return Err(FilterError {
                offset,
                length,
                expected: vec!["word"],
                reason: Reason::Unexpected,
            });
        }
        self.separated()?;
        Ok(Node::Word(word.pattern()))
    }

    fn exists(&mut self) -> Result<Node, FilterError> {
        self.lexer.take("(");
        self.lexer.skip_space();
        if self.lexer.peek().is_none_or(|first| first != '"' && super::lexer::ends_bare_word(first))
        {
            return Err(self.lexer.unexpected(&["field"]));
        }
        let path = self.lexer.term()?.path()?;
        self.lexer.skip_space();
        if !self.lexer.take(")") {
            return Err(self.lexer.unexpected(&[")"]));
        }
        Ok(Node::Exists(path))
    }

    fn comparison(&mut self, path: Path) -> Result<Node, FilterError> {
        let comparator = self.operator()?;
        self.lexer.skip_space();
        let start = self.lexer.at();
        let (value, quoted) = self.lexer.value()?;
        let relative = if quoted { None } else { relative(&value, start)? };
        let node = match (comparator, relative) {
            (None, None) => Node::Match(path, value.pattern()),
            (Some(comparator), None) => {
                Node::Compare(path, comparator, Operand::Text(value.plain()))
            }
            (Some(comparator), Some(relative)) if comparator.orders() => {
                Node::Compare(path, comparator, Operand::Relative(relative))
            }
            (_, Some(_)) => {
                let length = self.lexer.at() - start;
                let expected = ORDERING.to_vec();
                return Err(FilterError {
                    offset: start,
                    length,
                    expected,
                    reason: Reason::Relative,
                });
            }
        };
        self.separated()?;
        Ok(node)
    }

    /// Returns `None` for `:`.
    fn operator(&mut self) -> Result<Option<Comparator>, FilterError> {
        if self.lexer.take(":") {
            return Ok(None);
        }
        // Longer operators first, so that `<=` is not read as `<`.
        for symbol in ["!=", "<=", ">=", "=", "<", ">"] {
            if self.lexer.take(symbol) {
                return Ok(Comparator::of_symbol(symbol));
            }
        }
        Err(self.lexer.unexpected(OPERATORS))
    }

    /// Words and values that touch what follows are nearly always a forgotten quote.
    fn separated(&self) -> Result<(), FilterError> {
        match self.lexer.peek() {
            Some(next) if !next.is_whitespace() && next != ')' => {
                Err(self.lexer.unexpected(&["space", ")", "end"]))
            }
            _ => Ok(()),
        }
    }
}

/// Reads `now`, `now-24h` or `now+1d`; `None` for any other bare value.
fn relative(value: &Escaped, start: usize) -> Result<Option<Relative>, FilterError> {
    let Some(rest) = value.0.strip_prefix("now") else { return Ok(None) };
    if rest.is_empty() {
        return Ok(Some(Relative { offset: None }));
    }
    let negative = rest.starts_with('-');
    let Some(rest) = rest.strip_prefix(['-', '+']) else { return Ok(None) };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let wrong = |at: usize, expected: &[&'static str]| {
        let length = rest[at..].chars().next().map_or(0, char::len_utf8);
        let reason = if length == 0 { Reason::End } else { Reason::Unexpected };
        // The characters before `at` are ASCII and were not escaped, so they take as many bytes in the text.
        FilterError {
            offset: start + "now-".len() + at,
            length,
            expected: expected.to_vec(),
            reason,
        }
    };
    if digits == 0 {
        return Err(wrong(0, &["integer"]));
    }
    if digits > Relative::DIGITS_MAX {
        return Err(wrong(Relative::DIGITS_MAX, UNITS));
    }
    let amount: i64 = rest[..digits].parse().expect("at most nine digits");
    let mut letters = rest[digits..].chars();
    let unit = letters.next().and_then(Unit::of_letter).ok_or_else(|| wrong(digits, UNITS))?;
    if letters.next().is_some() {
        return Err(wrong(digits + 1, &["space", ")", "end"]));
    }
    Ok(Some(Relative { offset: Some((if negative { -amount } else { amount }, unit)) }))
}
