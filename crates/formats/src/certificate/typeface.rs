//! The typeface of a certificate: DejaVu Sans Mono, embedded whole, so that it reads the same everywhere.
//!
//! What the typeface cannot show faithfully is written as `\u{…}`: characters without a glyph, controls, and scripts that
//! need joining or run from right to left, which a line of single glyphs would distort. The attached JSON holds the text
//! itself.

use std::{fmt::Write as _, sync::LazyLock};

use ttf_parser::{Face, GlyphId};

/// Width of every glyph, in thousandths of the size.
pub(super) const ADVANCE: f32 = 602.0;

/// The font file.
pub(super) fn bytes() -> &'static [u8] {
    dejavu::sans_mono::regular()
}

/// The font file, parsed.
pub(super) fn face() -> &'static Face<'static> {
    static FACE: LazyLock<Face<'static>> =
        LazyLock::new(|| Face::parse(bytes(), 0).expect("the typeface is part of the program"));
    &FACE
}

/// Returns the glyph that shows a character faithfully; `None` for those that are written out.
pub(super) fn glyph(c: char) -> Option<GlyphId> {
    let distorted = matches!(c as u32,
        0x00..=0x1f | 0x7f..=0x9f | 0xad           // controls, soft hyphen
        | 0x0300..=0x036f                           // combining marks: they would stand beside their letter
        | 0x0590..=0x08ff                           // Hebrew, Arabic, Syriac and others from right to left
        | 0x0900..=0x109f | 0x1780..=0x17ff         // scripts of India, South-East Asia: reordered and joined
        | 0x200b..=0x200f | 0x2028..=0x202e         // joiners, line ends, directions
        | 0x2060..=0x206f | 0xfe00..=0xfe0f | 0xfeff | 0xfff0..=0xffff
        | 0xfb1d..=0xfdff | 0xfe70..=0xfefe         // presentation forms of the same scripts
        | 0xe000..=0xf8ff                           // private use: means nothing by itself
    );
    if distorted { None } else { face().glyph_index(c).filter(|glyph| glyph.0 != 0) }
}

/// Returns a text in which every character has a glyph. A backslash is doubled, so that nothing passes for an escape.
pub(super) fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            c if glyph(c).is_some() => out.push(c),
            c => _ = write!(out, "\\u{{{:X}}}", c as u32),
        }
    }
    out
}
