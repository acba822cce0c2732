//! A tree into its canonical text, which parses back to the same tree.
//!
//! Canonical means: juxtaposition instead of `AND`, `-` instead of `NOT`, parentheses only where the tree
//! needs them, quotes only where a bare word would be read differently.

use std::fmt::{self, Write as _};

use super::{
    Pattern,
    ast::{Node, Operand, Relative},
    lexer,
};

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(parts) => list(parts, " ", f),
            Self::Or(parts) => list(parts, " OR ", f),
            Self::Not(part) => {
                f.write_str("-")?;
                if matches!(**part, Self::And(_) | Self::Or(_)) {
                    write!(f, "({part})")
                } else {
                    part.fmt(f)
                }
            }
            Self::Exists(path) => write!(f, "exists({path})"),
            Self::Word(pattern) => word(pattern, f),
            Self::Match(path, pattern) => {
                write!(f, "{path}:")?;
                value(pattern.as_str(), f)
            }
            Self::Compare(path, comparator, operand) => {
                write!(f, "{path}{}", comparator.symbol())?;
                match operand {
                    Operand::Text(text) => value(&text.replace('\\', "\\\\"), f),
                    Operand::Relative(relative) => relative.fmt(f),
                }
            }
        }
    }
}

impl fmt::Display for Relative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("now")?;
        self.offset.map_or(Ok(()), |(amount, unit)| write!(f, "{amount:+}{}", unit.letter()))
    }
}

fn list(parts: &[Node], separator: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(separator)?;
        }
        // `AND` binds tighter, so only an `Or` inside an `And` needs parentheses.
        if separator == " " && matches!(part, Node::Or(_)) {
            write!(f, "({part})")?;
        } else {
            write!(f, "{part}")?;
        }
    }
    Ok(())
}

/// Writes one name of a path. `first`: it begins the path. `only`: it is the whole path.
pub(super) fn name(name: &str, first: bool, only: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let special = |c: char| lexer::ends_bare_word(c) || matches!(c, '.' | '*' | '\\');
    let taken = (first && name.starts_with('-')) || (only && lexer::is_reserved(name));
    if name.is_empty() || taken || name.contains(special) {
        return quoted(&name.replace('\\', "\\\\"), f);
    }
    f.write_str(name)
}

fn word(pattern: &Pattern, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let text = pattern.as_str();
    let bare = !text.starts_with('-')
        && !lexer::is_reserved(text)
        && !text.contains(|c| c != '"' && lexer::ends_bare_word(c));
    if bare { escaped(text, f) } else { quoted(text, f) }
}

/// Writes a value whose backslashes are escaped already.
fn value(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let relative = text == "now" || text.starts_with("now-") || text.starts_with("now+");
    let bare = !text.is_empty()
        && !relative
        && !text.starts_with(lexer::cannot_begin_value)
        && !text.contains(|c| c != '"' && lexer::ends_bare_value(c));
    if bare { escaped(text, f) } else { quoted(text, f) }
}

fn quoted(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_char('"')?;
    escaped(text, f)?;
    f.write_char('"')
}

fn escaped(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut pieces = text.split('"');
    f.write_str(pieces.next().unwrap_or_default())?;
    pieces.try_for_each(|piece| write!(f, "\\\"{piece}"))
}
