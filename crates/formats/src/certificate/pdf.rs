//! PDF 1.7: pages, the typeface and the attached JSON. No links, no scripts, nothing that is fetched.

use std::{collections::BTreeMap, io::Write as _};

use attestary_event::Timestamp;
use flate2::{Compression, write::ZlibEncoder};
use pdf_writer::{
    Content, Date, Filter, Finish as _, Name, Pdf, Rect, Ref, Str, TextStr,
    types::{AssociationKind, CidFontType, FontFlags, SystemInfo, UnicodeCmap},
};

use super::{
    document::{HEIGHT, Page, WIDTH},
    typeface,
};

const FONT: Name<'static> = Name(b"F");
const FONT_NAME: Name<'static> = Name(b"DejaVuSansMono");
const IDENTITY: SystemInfo<'static> =
    SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };
const MARGIN: f32 = 42.0;

/// Numbers of the objects.
struct Objects {
    catalog: Ref,
    tree: Ref,
    info: Ref,
    font: Ref,
    cid: Ref,
    descriptor: Ref,
    file: Ref,
    to_unicode: Ref,
    attached: Ref,
    attached_spec: Ref,
}

impl Objects {
    const COUNT: i32 = 10;

    fn new() -> Self {
        let [catalog, tree, info, font, cid, descriptor, file, to_unicode, attached, attached_spec] =
            [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map(Ref::new);
        Self {
            catalog,
            tree,
            info,
            font,
            cid,
            descriptor,
            file,
            to_unicode,
            attached,
            attached_spec,
        }
    }
}

/// Writes the document.
pub(super) fn write(pages: &[Page], title: &str, made_at: Timestamp, json: &[u8]) -> Vec<u8> {
    let (mut pdf, objects) = (Pdf::new(), Objects::new());
    pdf.set_version(1, 7);
    write_catalog(&mut pdf, &objects, title, made_at);
    let mut used = BTreeMap::new();
    let page_refs: Vec<(Ref, Ref)> = (0..pages.len() as i32)
        .map(|index| {
            let first = Objects::COUNT + 1 + 2 * index;
            (Ref::new(first), Ref::new(first + 1))
        })
        .collect();
    pdf.pages(objects.tree)
        .kids(page_refs.iter().map(|(page, _)| *page))
        .count(page_refs.len() as i32);
    for (page, (id, content_id)) in pages.iter().zip(page_refs) {
        let mut object = pdf.page(id);
        object
            .media_box(Rect::new(0.0, 0.0, WIDTH, HEIGHT))
            .parent(objects.tree)
            .contents(content_id);
        object.resources().fonts().pair(FONT, objects.font);
        object.finish();
        let content = deflated(&content(page, &mut used));
        pdf.stream(content_id, &content).filter(Filter::FlateDecode);
    }
    write_font(&mut pdf, &objects, &used);
    write_attached(&mut pdf, &objects, made_at, json);
    pdf.finish()
}

fn write_catalog(pdf: &mut Pdf, objects: &Objects, title: &str, made_at: Timestamp) {
    let mut catalog = pdf.catalog(objects.catalog);
    catalog.pages(objects.tree).lang(TextStr("en"));
    catalog.viewer_preferences().display_doc_title(true);
    catalog
        .names()
        .embedded_files()
        .names()
        .insert(Str(b"certificate.json"), objects.attached_spec);
    catalog.finish();
    pdf.document_info(objects.info)
        .title(TextStr(title))
        .creator(TextStr("Attestary"))
        .creation_date(date(made_at));
}

fn write_font(pdf: &mut Pdf, objects: &Objects, used: &BTreeMap<u16, char>) {
    pdf.type0_font(objects.font)
        .base_font(FONT_NAME)
        .encoding_predefined(Name(b"Identity-H"))
        .descendant_font(objects.cid)
        .to_unicode(objects.to_unicode);
    pdf.cid_font(objects.cid)
        .subtype(CidFontType::Type2)
        .base_font(FONT_NAME)
        .system_info(IDENTITY)
        .font_descriptor(objects.descriptor)
        .default_width(typeface::ADVANCE)
        .cid_to_gid_map_predefined(Name(b"Identity"));
    let face = typeface::face();
    let scale = 1000.0 / f32::from(face.units_per_em());
    let scaled = |units: i16| f32::from(units) * scale;
    let bounds = face.global_bounding_box();
    pdf.font_descriptor(objects.descriptor)
        .name(FONT_NAME)
        .flags(FontFlags::FIXED_PITCH | FontFlags::NON_SYMBOLIC)
        .bbox(Rect::new(
            scaled(bounds.x_min),
            scaled(bounds.y_min),
            scaled(bounds.x_max),
            scaled(bounds.y_max),
        ))
        .italic_angle(0.0)
        .ascent(scaled(face.ascender()))
        .descent(scaled(face.descender()))
        .cap_height(scaled(face.capital_height().unwrap_or_else(|| face.ascender())))
        .stem_v(80.0)
        .font_file2(objects.file);
    let file = deflated(typeface::bytes());
    let mut stream = pdf.stream(objects.file, &file);
    stream.filter(Filter::FlateDecode);
    stream.pair(Name(b"Length1"), typeface::bytes().len() as i32);
    stream.finish();
    let mut map: UnicodeCmap<u16> = UnicodeCmap::new(Name(b"AttestaryText"), IDENTITY);
    for (glyph, c) in used {
        map.pair(*glyph, *c);
    }
    pdf.cmap(objects.to_unicode, &map.finish());
}

fn write_attached(pdf: &mut Pdf, objects: &Objects, made_at: Timestamp, json: &[u8]) {
    let packed = deflated(json);
    let mut file = pdf.embedded_file(objects.attached, &packed);
    file.subtype(Name(b"application/json"));
    file.filter(Filter::FlateDecode);
    file.params().size(json.len() as i32).creation_date(date(made_at));
    file.finish();
    pdf.file_spec(objects.attached_spec)
        .path(Str(b"certificate.json"))
        .unic_file(TextStr("certificate.json"))
        .description(TextStr("The events of this certificate with their proofs"))
        .association_kind(AssociationKind::Source)
        .embedded_file_with_unicode(objects.attached);
}

/// Returns the drawing of a page and remembers which glyph stands for which character.
fn content(page: &Page, used: &mut BTreeMap<u16, char>) -> Vec<u8> {
    let mut content = Content::new();
    content.set_line_width(0.4).set_stroke_gray(0.5);
    for y in &page.rules {
        content.move_to(MARGIN, *y).line_to(WIDTH - MARGIN, *y).stroke();
    }
    for text in &page.texts {
        let mut bytes = Vec::with_capacity(text.text.len() * 2);
        for c in text.text.chars() {
            // Whatever comes here was made showable before; a space stands for what was not.
            let (c, glyph) = match typeface::glyph(c) {
                Some(glyph) => (c, glyph),
                None => (' ', typeface::glyph(' ').unwrap_or_default()),
            };
            used.entry(glyph.0).or_insert(c);
            bytes.extend_from_slice(&glyph.0.to_be_bytes());
        }
        content
            .begin_text()
            .set_font(FONT, text.size)
            .next_line(text.x, text.y)
            .show(Str(&bytes))
            .end_text();
    }
    content.finish().to_vec()
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("a vector takes all that is written");
    encoder.finish().expect("a vector takes all that is written")
}

/// `2026-11-22T10:37:42.943Z` in the form of PDF.
fn date(at: Timestamp) -> Date {
    let text = at.to_string();
    let part = |from: usize, to: usize| text.get(from..to).and_then(|part| part.parse().ok());
    Date::new(part(0, 4).unwrap_or(0))
        .month(part(5, 7).unwrap_or(1) as u8)
        .day(part(8, 10).unwrap_or(1) as u8)
        .hour(part(11, 13).unwrap_or(0) as u8)
        .minute(part(14, 16).unwrap_or(0) as u8)
        .second(part(17, 19).unwrap_or(0) as u8)
        .utc_offset_hour(0)
        .utc_offset_minute(0)
}
