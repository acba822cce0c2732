//! Members of an event for which a format has no place of its own, copied under their native names.
//!
//! Values are copied as JSON, so number tokens and nested objects stay exactly what they are.

use std::borrow::Cow;

use attestary_event::View;

use crate::{
    intake::object::{Members, ObjectWriter, member},
    json::one_line,
};

/// Copies the named members of the body; those that are absent, null or empty are left out.
pub(crate) fn copy_members(view: &View<'_>, names: &[&str], object: &mut ObjectWriter<'_>) {
    copy_inner(view, "", names, object);
}

/// Copies the named members of an object in the body, such as `context` (of the whole body for ""). It is walked once,
/// and only when the event has one of them.
pub(crate) fn copy_inner(
    view: &View<'_>,
    outer: &str,
    names: &[&str],
    object: &mut ObjectWriter<'_>,
) {
    let body = &*view.event.body;
    let inside = || if outer.is_empty() { Some(body) } else { member(body, outer) };
    let mut pointer = String::with_capacity(64);
    let mut members = None;
    for name in names {
        pointer.clear();
        if !outer.is_empty() {
            pointer.extend(["/", outer]);
        }
        pointer.extend(["/", name]);
        if view.fields.under(&pointer).next().is_none() {
            continue;
        }
        let members = members.get_or_insert_with(|| Members::of(inside().unwrap_or_default()));
        object.optional_raw(name, members.get(name).filter(|json| !is_blank(json)));
    }
}

/// Returns a member unless it is absent, null or empty.
pub(crate) fn filled<'a>(object: &'a [u8], name: &str) -> Option<&'a [u8]> {
    member(object, name).filter(|json| !is_blank(json))
}

fn is_blank(json: &[u8]) -> bool {
    matches!(json, b"null" | b"{}" | b"[]" | b"\"\"")
}

/// Returns a member of the body as JSON in one line, for formats without JSON of their own: what some readers take
/// for a line end stands in it as an escape. `None` when it is absent, null or empty.
pub(crate) fn json_text<'a>(view: &View<'a>, name: &str) -> Option<Cow<'a, str>> {
    let json = filled(&view.event.body, name)?;
    std::str::from_utf8(json).ok().map(one_line)
}
