//! JSON inside CEF: members of the body as text, and cutting them so that they stay JSON.

use std::borrow::Cow;

use attestary_event::View;

use super::escape;
use crate::json::{Part, elements, members};

/// Returns a member of the body as JSON text.
pub(super) fn member<'a>(view: &View<'a>, name: &str) -> Option<&'a str> {
    // The fields say sooner than a walk over the body that there is none.
    view.fields.under(["/", name].concat().as_str()).next()?;
    let part = members(&view.event.body).find(|part| part.is(name))?;
    std::str::from_utf8(part.value).ok()
}

/// Returns the object or array with those of its leading parts that fit, and whether any was left out;
/// `None` for the text when not one fits.
pub(super) fn fit(json: &str, chars_max: usize, bytes_max: usize) -> (Option<Cow<'_, str>>, bool) {
    if json.chars().count() <= chars_max && escape::value_bytes(json) <= bytes_max {
        return (Some(Cow::Borrowed(json)), false);
    }
    let parts: Vec<Part<'_>> = members(json.as_bytes()).chain(elements(json.as_bytes())).collect();
    // The brackets, then each part with its comma; the first part has none.
    let (mut chars, mut bytes, mut end) = (1, 1, 0);
    for part in &parts {
        let text = std::str::from_utf8(part.text).unwrap_or_default();
        chars += text.chars().count() + 1;
        bytes += escape::value_bytes(text) + 1;
        if chars > chars_max || bytes > bytes_max {
            break;
        }
        end += text.len() + 1;
    }
    if end == 0 {
        return (None, true);
    }
    let (open, close) = (&json[..1], &json[json.len() - 1..]);
    (Some(Cow::Owned([open, &json[1..end], close].concat())), true)
}
