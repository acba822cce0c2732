//! What goes along with a scan: told of every member and value as it is read, so that checking needs no second pass.

use crate::Kind;

/// A range of the compact text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// A value as the scanner read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// A string, number or word; the text is unescaped, or the exact token of a number.
    Scalar(Kind, &'a str),
    /// An object begins.
    Object,
    /// An array begins.
    Array,
}

/// Follows a scan. Pointers are RFC 6901, of the member or value at hand.
///
/// A scan that fails ends at once: whatever was noted until then counts for nothing.
pub(crate) trait Watch {
    /// Where in the expected structure a value stands.
    type Place: Copy;
    /// What is kept while an object is open.
    type Frame: Default;
    /// Whether the compact text is made.
    const COMPACT: bool;

    /// The place of the whole object.
    fn root(&self) -> Self::Place;

    /// A member of an object at `place` begins. Returns the place of its value.
    fn member(
        &mut self,
        place: Self::Place,
        frame: &mut Self::Frame,
        name: &str,
        pointer: &str,
    ) -> Self::Place;

    /// A value begins. Returns the place of the members or elements in it.
    fn begin(&mut self, place: Self::Place, value: Value<'_>, pointer: &str) -> Self::Place;

    /// The value at `place` ended.
    fn end(&mut self, place: Self::Place, span: Span);

    /// All members of the object whose members stood at `place` were seen.
    fn close(&mut self, place: Self::Place, frame: Self::Frame, pointer: &str);
}

/// Nothing is expected.
pub(crate) struct Nothing<const COMPACT: bool>;

impl<const COMPACT: bool> Watch for Nothing<COMPACT> {
    type Place = ();
    type Frame = ();
    const COMPACT: bool = COMPACT;

    fn root(&self) {}
    fn member(&mut self, (): (), (): &mut (), _: &str, _: &str) {}
    fn begin(&mut self, (): (), _: Value<'_>, _: &str) {}
    fn end(&mut self, (): (), _: Span) {}
    fn close(&mut self, (): (), (): (), _: &str) {}
}
