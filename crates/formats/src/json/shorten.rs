//! Shortening a JSON record to a byte limit, the same way every time.
//!
//! Members of `metadata` go first, from its end; then whole members in the order of [`DROPPED`]; then what
//! remains of the actor but type and id. Last, the action and the actor's texts are cut. Id, tenant,
//! environment, seq, times and leaf hash always stay, so the whole event can be fetched.

use super::{FACTS, Part, members};

/// The members that may go, first to last, once the metadata is gone.
const DROPPED: [&str; 11] = [
    "source",
    "changes",
    "description",
    "labels",
    "on_behalf_of",
    "targets",
    "schema_version",
    "reason",
    "context",
    "impersonator",
    "category",
];

/// Longest action, actor type and actor id in the smallest form, in bytes of JSON without the quotes.
const CORE_TEXT_BYTES_MAX: usize = 128;

/// Longest tenant member: an id of 128 bytes of which each needs an escape.
const TENANT_BYTES_MAX: usize = 280;

/// Longest of the other members in the smallest form; leaf hash (78 bytes) and times are within it.
const FACT_BYTES_MAX: usize = 80;

const MARK: &[u8] = b"\"truncated\":true";

/// Appends `record`, a native JSON record of more than `bytes_max` bytes, shortened and marked.
pub(super) fn shorten(record: &[u8], bytes_max: usize, out: &mut Vec<u8>) {
    let mut parts: Vec<Part<'_>> = members(record).collect();
    let metadata = parts.iter().position(|part| part.is("metadata"));
    let metadata = metadata.map(|at| (at, parts.remove(at)));
    for name in DROPPED {
        let room = bytes_max.checked_sub(object_bytes(&parts) + MARK.len() + 1);
        if let Some(room) = room {
            return write(&parts, metadata.map(|(at, part)| (at, part, room)), out);
        }
        parts.retain(|part| !part.is(name));
    }
    if let Some(room) = bytes_max.checked_sub(object_bytes(&parts) + MARK.len() + 1) {
        return write(&parts, metadata.map(|(at, part)| (at, part, room)), out);
    }
    // Action and actor are what is too long: both come back in a form of bounded size.
    smallest(record, Core::Texts(CORE_TEXT_BYTES_MAX), out);
}

/// How little of an event may remain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Core {
    /// The facts, outcome and severity, and action, actor type and actor id of at most this many bytes each.
    Texts(usize),
    /// The facts, the time, and this many bytes of the action.
    Action(usize),
}

/// Appends what `core` says of `record`, marked; the order of the members does not depend on what was left out.
pub(super) fn smallest(record: &[u8], core: Core, out: &mut Vec<u8>) {
    let kept = |part: &Part<'_>| match core {
        Core::Texts(_) => !part.is("metadata") && !DROPPED.iter().any(|name| part.is(name)),
        Core::Action(_) => FACTS.iter().chain(&["occurred_at"]).any(|name| part.is(name)),
    };
    let facts = members(record).filter(|part| kept(part) && is_fact(part));
    let mut texts: Vec<&[u8]> = facts.map(|part| part.text).collect();
    let cut = cut_texts(record, core);
    texts.extend(cut.iter().map(Vec::as_slice));
    texts.push(MARK);
    write_object(&texts, out);
}

fn is_fact(part: &Part<'_>) -> bool {
    let bytes_max = if part.is("tenant") { TENANT_BYTES_MAX } else { FACT_BYTES_MAX };
    !part.is("action") && !part.is("actor") && part.text.len() <= bytes_max
}

fn object_bytes(parts: &[Part<'_>]) -> usize {
    parts.iter().map(|part| part.text.len() + 1).sum::<usize>() + 1
}

/// Writes the parts with as much of the metadata as `room` holds.
fn write(parts: &[Part<'_>], metadata: Option<(usize, Part<'_>, usize)>, out: &mut Vec<u8>) {
    let mut texts: Vec<&[u8]> = parts.iter().map(|part| part.text).collect();
    const NAME: &[u8] = b"\"metadata\":";
    let member = metadata.map(|(at, part, room)| {
        // One more comma joins the member to the others.
        let kept = fit(members(part.value), room.saturating_sub(NAME.len() + 1));
        (at.min(texts.len()), [NAME, &kept].concat())
    });
    if let Some((at, member)) = member.as_ref().filter(|(_, member)| member.len() > NAME.len() + 2)
    {
        texts.insert(*at, member);
    }
    texts.push(MARK);
    write_object(&texts, out);
}

fn write_object(texts: &[&[u8]], out: &mut Vec<u8>) {
    out.push(b'{');
    out.extend_from_slice(&texts.join(&b','));
    out.push(b'}');
}

/// Returns an object of the leading `parts` that fit.
fn fit<'a>(parts: impl Iterator<Item = Part<'a>>, bytes_max: usize) -> Vec<u8> {
    let mut kept = vec![b'{'];
    for part in parts {
        // The comma before this member and the closing brace.
        if kept.len() + part.text.len() + 2 > bytes_max {
            break;
        }
        if kept.len() > 1 {
            kept.push(b',');
        }
        kept.extend_from_slice(part.text);
    }
    kept.push(b'}');
    kept
}

/// The action, and unless nothing but it is wanted the actor's type and id, each as a member of bounded size.
fn cut_texts(record: &[u8], core: Core) -> Vec<Vec<u8>> {
    let (Core::Texts(bytes_max) | Core::Action(bytes_max)) = core;
    let find = |name: &str| members(record).find(|part| part.is(name)).map(|part| part.value);
    let action = find("action").map(|value| member("action", value, bytes_max));
    let actor = find("actor").filter(|_| matches!(core, Core::Texts(_))).map(|actor| {
        let kept = members(actor).filter(|part| part.is("type") || part.is("id"));
        let kept: Vec<_> = kept
            .map(|part| member(if part.is("id") { "id" } else { "type" }, part.value, bytes_max))
            .collect();
        [b"\"actor\":{", &kept.join(&b',')[..], b"}"].concat()
    });
    action.into_iter().chain(actor).collect()
}

fn member(name: &str, value: &[u8], bytes_max: usize) -> Vec<u8> {
    let text: String = serde_json::from_slice(value).unwrap_or_default();
    let mut written = vec![b'"'];
    written.extend_from_slice(name.as_bytes());
    written.extend_from_slice(b"\":");
    let mut end = text.floor_char_boundary(bytes_max);
    let mut quoted = string(&text[..end]);
    while quoted.len() > bytes_max + 2 {
        end = text.floor_char_boundary(end.saturating_sub(1));
        quoted = string(&text[..end]);
    }
    written.extend_from_slice(&quoted);
    written
}

fn string(text: &str) -> Vec<u8> {
    let mut quoted = Vec::with_capacity(text.len() + 2);
    attestary_event::scan::write_string(text, &mut quoted);
    super::escape_line_ends(0, &mut quoted);
    quoted
}

/// Appends `record`, an IronCore record of more than `bytes_max` bytes, shortened: leading members of its
/// `customFields` and the mark among them; when that is not enough, none of them and the `iclFields` that fit.
pub(crate) fn shorten_ironcore(record: &[u8], bytes_max: usize, out: &mut Vec<u8>) {
    const CUSTOM: &[u8] = b"\"customFields\":";
    const CUSTOM_MARK: &[u8] = b"\"truncated\":\"true\"";
    let custom =
        members(record).find(|part| part.is("customFields")).map_or(&b"{}"[..], |part| part.value);
    let mut texts: Vec<Vec<u8>> = members(record)
        .filter(|part| !part.is("customFields"))
        .map(|part| part.text.to_vec())
        .collect();
    let fixed = |texts: &[Vec<u8>]| {
        texts.iter().map(|text| text.len() + 1).sum::<usize>()
            + CUSTOM.len()
            + CUSTOM_MARK.len()
            + 5
    };
    if fixed(&texts) > bytes_max {
        texts.retain(|text| text.len() <= TENANT_BYTES_MAX);
        let room = bytes_max.saturating_sub(fixed(&texts));
        texts.push(icl_fields(record, room));
    }
    let room = bytes_max.saturating_sub(fixed(&texts));
    let mut kept = fit(members(custom).filter(|part| !part.is("truncated")), room);
    kept.pop();
    if kept.len() > 1 {
        kept.push(b',');
    }
    texts.push([CUSTOM, &kept, CUSTOM_MARK, b"}"].concat());
    write_object(&texts.iter().map(Vec::as_slice).collect::<Vec<_>>(), out);
}

/// The `iclFields` member with those of its fields that fit, what names the event first.
fn icl_fields(record: &[u8], bytes_max: usize) -> Vec<u8> {
    const NAME: &[u8] = b"\"iclFields\":";
    let all =
        members(record).find(|part| part.is("iclFields")).map_or(&b"{}"[..], |part| part.value);
    let mut fields: Vec<_> = members(all).collect();
    fields.sort_by_key(|part| !(part.is("event") || part.is("tspRayId")));
    let mut room = bytes_max.saturating_sub(NAME.len() + 3);
    fields.retain(|part| {
        let fits = part.text.len() < room;
        room -= if fits { part.text.len() + 1 } else { 0 };
        fits
    });
    [NAME, &fit(fields.into_iter(), usize::MAX)].concat()
}
