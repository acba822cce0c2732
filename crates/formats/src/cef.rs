//! ArcSight Common Event Format, `CEF:0`, after the OpenText CEF Implementation Standard v27.
//!
//! Every event gives the seven header fields and an extension. `externalId`, `cn1`, `cs1` and `flexString1` carry
//! id, seq, tenant and leaf hash, so that a copy in a SIEM can be checked against the log. A slot never
//! changes its meaning within a format version. Consumer keys (`eventId`, `agt`, …) are never written.
//!
//! Limits count characters, as in the standard, and text over a limit is cut between characters; JSON is cut
//! between members. A record of which anything was cut or left out for length ends in `truncated=true`.

mod escape;
mod extension;
mod fit;
mod layout;
#[cfg(test)]
mod tests;

use attestary_event::{View, actions::KnownActions};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{
    format::{Truncation, Version},
    texts,
};
use escape::Limit;
use extension::{Extension, Rank};

/// Options of the CEF format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Version of the format (not of CEF, which is always 0).
    pub version: Version,
    /// Device vendor: 1–63 characters.
    #[serde(deserialize_with = "header_text::<_, VENDOR_CHARS_MAX>")]
    pub vendor: String,
    /// Device product: 1–63 characters.
    #[serde(deserialize_with = "header_text::<_, PRODUCT_CHARS_MAX>")]
    pub product: String,
    /// Device version: 1–31 characters.
    #[serde(deserialize_with = "header_text::<_, DEVICE_VERSION_CHARS_MAX>")]
    pub device_version: String,
    /// Writes a space between the last pipe and the first key. The standard has none; liblognorm (rsyslog's
    /// mmnormalize) drops the first character of the first key without it.
    pub space_before_extension: bool,
}

const VENDOR_CHARS_MAX: usize = 63;
const PRODUCT_CHARS_MAX: usize = 63;
const DEVICE_VERSION_CHARS_MAX: usize = 31;
const CLASS_CHARS_MAX: usize = 1023;
const NAME_CHARS_MAX: usize = 512;

/// Class id and name in the smallest form, in bytes after escaping.
const CORE_CLASS_BYTES_MAX: usize = 255;
const CORE_NAME_BYTES_MAX: usize = 128;

const MARK: &str = "truncated=true";

impl Default for Options {
    fn default() -> Self {
        Self {
            version: Version,
            vendor: "Attestary".to_owned(),
            product: "AuditLog".to_owned(),
            device_version: "1".to_owned(),
            space_before_extension: false,
        }
    }
}

/// Reads a header field that an operator or tenant chose.
fn header_text<'de, D: Deserializer<'de>, const CHARS_MAX: usize>(
    deserializer: D,
) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let count = text.chars().count();
    if count > CHARS_MAX {
        return Err(D::Error::custom(format_args!(
            "a CEF header field here has at most {CHARS_MAX} characters; this one has {count}"
        )));
    }
    if text.trim().is_empty() {
        return Err(D::Error::custom("a CEF header field must not be blank"));
    }
    if text.contains(char::is_control) {
        return Err(D::Error::custom("a CEF header field must not contain control characters"));
    }
    Ok(text)
}

/// Appends the event as one line without a line end; limits of the standard apply.
pub fn encode(
    view: &View<'_>,
    actions: &KnownActions,
    options: &Options,
    out: &mut Vec<u8>,
) -> Truncation {
    encode_within(view, actions, options, usize::MAX, out)
}

/// Appends the event in at most `bytes_max` bytes (or the smallest form there is, see
/// [`crate::format::CORE_BYTES_MAX`]).
///
/// Order of leaving out: metadata from its end, then each [`Rank`] as a whole, last the length of class id and name.
pub fn encode_within(
    view: &View<'_>,
    actions: &KnownActions,
    options: &Options,
    bytes_max: usize,
    out: &mut Vec<u8>,
) -> Truncation {
    let mut record = String::with_capacity(1024);
    let mut cut = header(view, actions, options, HeaderLimits::STANDARD, &mut record);
    let mut extension = Extension::of(view, actions);
    cut |= extension.cut;
    let room = |record: &str, cut: bool| {
        bytes_max.saturating_sub(record.len() + if cut { MARK.len() + 1 } else { 0 })
    };
    if extension.bytes() > room(&record, cut) {
        cut = true;
        extension.shorten(view, room(&record, cut));
    }
    if extension.bytes() > room(&record, cut) {
        extension.keep(Rank::Core);
        record.clear();
        header(view, actions, options, HeaderLimits::CORE, &mut record);
    }
    extension.write(&mut record);
    if cut {
        record.push(' ');
        record.push_str(MARK);
    }
    out.extend_from_slice(record.as_bytes());
    if cut { Truncation::Shortened } else { Truncation::Whole }
}

struct HeaderLimits {
    vendor: Limit,
    product: Limit,
    device_version: Limit,
    class: Limit,
    name: Limit,
}

impl HeaderLimits {
    const STANDARD: Self = Self {
        vendor: Limit::chars(VENDOR_CHARS_MAX),
        product: Limit::chars(PRODUCT_CHARS_MAX),
        device_version: Limit::chars(DEVICE_VERSION_CHARS_MAX),
        class: Limit::chars(CLASS_CHARS_MAX),
        name: Limit::chars(NAME_CHARS_MAX),
    };
    const CORE: Self = Self {
        vendor: Limit { chars_max: VENDOR_CHARS_MAX, bytes_max: VENDOR_CHARS_MAX },
        product: Limit { chars_max: PRODUCT_CHARS_MAX, bytes_max: PRODUCT_CHARS_MAX },
        device_version: Limit {
            chars_max: DEVICE_VERSION_CHARS_MAX,
            bytes_max: DEVICE_VERSION_CHARS_MAX,
        },
        class: Limit { chars_max: CLASS_CHARS_MAX, bytes_max: CORE_CLASS_BYTES_MAX },
        name: Limit { chars_max: NAME_CHARS_MAX, bytes_max: CORE_NAME_BYTES_MAX },
    };
}

/// Appends the header with its last pipe. Returns true when text was cut off.
fn header(
    view: &View<'_>,
    actions: &KnownActions,
    options: &Options,
    limits: HeaderLimits,
    out: &mut String,
) -> bool {
    let action = view.text("/action").unwrap_or_default();
    let mut severity = itoa::Buffer::new();
    let fields = [
        (options.vendor.as_str(), limits.vendor),
        (options.product.as_str(), limits.product),
        (options.device_version.as_str(), limits.device_version),
        (action, limits.class),
        (&texts::name(action, actions), limits.name),
        (severity.format(texts::severity(view, actions)), Limit::chars(2)),
    ];
    out.push_str("CEF:0|");
    let mut cut = false;
    for (text, limit) in fields {
        cut |= escape::header(text, limit, out);
        out.push('|');
    }
    if options.space_before_extension {
        out.push(' ');
    }
    cut
}
