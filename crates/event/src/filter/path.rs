//! Paths: dotted names that address values in an event.

use std::fmt;

use super::{FilterError, lexer::Lexer, print};

/// A dotted path of at least one name.
///
/// Array positions need not be written: `targets.type` means the type of any target. A name that holds a dot,
/// a space or another character of the language is quoted: `metadata."a.b"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path(Box<[Box<str>]>);

impl Path {
    /// Parses the text form.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let mut lexer = Lexer::new(text);
        let path = lexer.term()?.path()?;
        lexer.finish_path()?;
        Ok(path)
    }

    /// Returns the path of `names`; the caller gives at least one.
    pub(super) fn of_names(names: Vec<Box<str>>) -> Self {
        debug_assert!(!names.is_empty(), "a path has a name");
        Self(names.into())
    }

    /// Returns the names.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.0.iter().map(|name| &**name)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let only = self.0.len() == 1;
        for (index, name) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            print::name(name, index == 0, only, f)?;
        }
        Ok(())
    }
}
