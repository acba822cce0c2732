//! The extension: which member of an event stands under which key, in which order, and what may go first.
//!
//! Pairs are written into one buffer and addressed by range, so leaving one out costs nothing but its bytes.

use std::{borrow::Cow, net::IpAddr, ops::Range};

use attestary_event::{Timestamp, View, actions::KnownActions};

use super::{
    escape::{self, Limit},
    texts,
};
use crate::json::{Part, elements, members, one_line};

/// What a pair is worth when the record is too long: the greatest rank goes first, as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// Identity, times, seq and leaf hash; all of bounded length. Never left out.
    Core,
    /// Who, how it ended, from where.
    Actor,
    /// What it was done to.
    Target,
    /// Category, reason, labels, ids of request and session.
    Classification,
    /// Message, user agent, URL.
    Text,
    /// Everything without a slot of the standard.
    Custom,
    /// Old and new values.
    Changes,
}

impl Rank {
    const DROPPED: [Self; 6] =
        [Self::Changes, Self::Custom, Self::Text, Self::Classification, Self::Target, Self::Actor];
}

struct Pair {
    bytes: Range<usize>,
    rank: Rank,
}

/// The pairs of one event, in the order of the wire.
pub(super) struct Extension {
    text: String,
    pairs: Vec<Pair>,
    metadata: Option<String>,
    /// `metadata` stands before this pair.
    metadata_at: usize,
    /// Text was cut at a limit of the standard.
    pub(super) cut: bool,
}

/// Limit of most strings, of `act` and `outcome`, of `cs1`–`cs6`.
const TEXT: usize = 1023;
const SHORT: usize = 63;
const SLOT: usize = 4000;

/// The label of a slot; its key is the slot's key and `Label`.
type Label = Option<&'static str>;

impl Extension {
    /// Lays out all pairs.
    pub(super) fn of(view: &View<'_>, actions: &KnownActions) -> Self {
        let mut extension = Self {
            text: String::with_capacity(1024),
            pairs: Vec::with_capacity(24),
            metadata: None,
            metadata_at: 0,
            cut: false,
        };
        extension.put_identity(view);
        extension.put_actor(view);
        extension.put_source(view);
        extension.put_request(view);
        extension.put("msg", None, texts::message(view, actions).as_deref(), TEXT, Rank::Text);
        extension.put_slots(view);
        extension.put_custom(view);
        extension
    }

    fn put_identity(&mut self, view: &View<'_>) {
        let event = view.event;
        let occurred_at =
            view.text("/occurred_at").and_then(Timestamp::parse).unwrap_or(event.received_at);
        self.put("rt", None, Some(&occurred_at.0.to_string()), SHORT, Rank::Core);
        self.put(
            "deviceCustomDate1",
            Some("receivedAt"),
            Some(&event.received_at.0.to_string()),
            SHORT,
            Rank::Core,
        );
        self.put("externalId", None, Some(&event.id.to_string()), SHORT, Rank::Core);
        // The class id holds the whole action, so cutting it here loses nothing.
        let cut = self.cut;
        self.put("act", None, view.text("/action"), SHORT, Rank::Actor);
        self.cut = cut;
        self.put("cat", None, view.text("/category"), TEXT, Rank::Classification);
        self.put("outcome", None, view.text("/outcome"), SHORT, Rank::Actor);
        self.put("reason", None, view.text("/reason"), TEXT, Rank::Classification);
    }

    fn put_actor(&mut self, view: &View<'_>) {
        self.put("suid", None, view.text("/actor/id"), TEXT, Rank::Actor);
        self.put(
            "suser",
            None,
            texts::first_of(view, &["/actor/name", "/actor/email"]),
            TEXT,
            Rank::Actor,
        );
        if view.text("/targets/0/type") == Some("user") {
            self.put("duid", None, view.text("/targets/0/id"), TEXT, Rank::Target);
            self.put("duser", None, view.text("/targets/0/name"), TEXT, Rank::Target);
        }
    }

    /// `src` takes IPv4 only; IPv6 has its own slot. What is neither keeps a key of its own, unverified.
    fn put_source(&mut self, view: &View<'_>) {
        let Some(text) = view.text("/context/ip") else { return };
        match text.trim().parse::<IpAddr>().map(|address| address.to_canonical()) {
            Ok(IpAddr::V4(address)) => {
                self.put("src", None, Some(&address.to_string()), SHORT, Rank::Actor);
            }
            Ok(IpAddr::V6(address)) => {
                self.put(
                    "c6a2",
                    Some("Source IPv6 Address"),
                    Some(&address.to_string()),
                    SHORT,
                    Rank::Actor,
                );
            }
            Err(_) => self.put("AttestarySourceAddress", None, Some(text), TEXT, Rank::Custom),
        }
    }

    fn put_request(&mut self, view: &View<'_>) {
        self.put("request", None, view.text("/context/http/url"), TEXT, Rank::Text);
        self.put("requestMethod", None, view.text("/context/http/method"), TEXT, Rank::Text);
        self.put(
            "requestClientApplication",
            None,
            view.text("/context/user_agent"),
            TEXT,
            Rank::Text,
        );
    }

    fn put_slots(&mut self, view: &View<'_>) {
        let event = view.event;
        // The slot is written even for a tenant that trimming leaves empty.
        self.put_required("cs1", Some("tenant"), event.tenant.as_str(), SLOT, Rank::Core);
        self.put("cs2", Some("targets"), texts::targets(view).as_deref(), SLOT, Rank::Target);
        self.put(
            "cs3",
            Some("labels"),
            texts::list(view, "/labels").as_deref(),
            SLOT,
            Rank::Classification,
        );
        self.put(
            "cs4",
            Some("requestId"),
            view.text("/context/request_id"),
            SLOT,
            Rank::Classification,
        );
        self.put("cs5", Some("actorType"), view.text("/actor/type"), SLOT, Rank::Actor);
        self.metadata_at = self.pairs.len();
        self.put_metadata(view, usize::MAX);
        self.put("cn1", Some("seq"), Some(&event.seq.to_string()), SHORT, Rank::Core);
        let mut leaf_hash = Vec::with_capacity(64);
        attestary_event::event::write_hex(&event.leaf_hash, &mut leaf_hash);
        let leaf_hash = String::from_utf8_lossy(&leaf_hash);
        self.put("flexString1", Some("leafHash"), Some(&leaf_hash), TEXT, Rank::Core);
        self.put(
            "flexString2",
            Some("sessionId"),
            view.text("/context/session_id"),
            TEXT,
            Rank::Classification,
        );
    }

    /// Members without a slot of the standard, in keys of the form that it asks of vendors.
    fn put_custom(&mut self, view: &View<'_>) {
        let mut custom = |key, text: Option<&str>| self.put(key, None, text, TEXT, Rank::Custom);
        custom("AttestaryImpersonator", texts::other_actor(view, "/impersonator").as_deref());
        custom("AttestaryOnBehalfOf", texts::other_actor(view, "/on_behalf_of").as_deref());
        custom(
            "AttestaryActorEmail",
            view.text("/actor/name").and_then(|_| view.text("/actor/email")),
        );
        custom("AttestaryActorGroups", texts::list(view, "/actor/groups").as_deref());
        custom("AttestaryAttemptedIdentity", view.text("/context/attempted_identity"));
        custom("AttestaryTargetName", view.text("/targets/0/name"));
        custom("AttestaryTraceId", view.text("/context/trace_id"));
        custom("AttestaryHttpStatus", view.text("/context/http/status"));
        if let Some(changes) = member(view, "changes").filter(|changes| changes.len() > 2) {
            let changes = one_line(changes);
            let (changes, cut) = fit(&changes, SLOT, usize::MAX);
            self.cut |= cut;
            self.put("AttestaryChanges", None, changes.as_deref(), usize::MAX, Rank::Changes);
        }
    }

    /// Lays out the metadata's leading members that fit both the slot and `bytes_max`, label included.
    fn put_metadata(&mut self, view: &View<'_>, bytes_max: usize) {
        const LABEL: &str = " cs6Label=metadata";
        let Some(metadata) = member(view, "metadata").filter(|metadata| metadata.len() > 2) else {
            return;
        };
        let bytes_max = bytes_max.saturating_sub("cs6=".len() + LABEL.len());
        let metadata = one_line(metadata);
        let (metadata, cut) = fit(&metadata, SLOT, bytes_max);
        self.cut |= cut;
        self.metadata = metadata.map(|metadata| {
            let mut text = "cs6=".to_owned();
            escape::value(&metadata, Limit::chars(usize::MAX), &mut text);
            text + LABEL
        });
    }

    /// Adds a pair unless its text is absent or blank.
    fn put(
        &mut self,
        key: &'static str,
        label: Label,
        text: Option<&str>,
        chars_max: usize,
        rank: Rank,
    ) {
        if let Some(text) = text.filter(|text| !text.trim_matches(' ').is_empty()) {
            self.put_required(key, label, text, chars_max, rank);
        }
    }

    fn put_required(
        &mut self,
        key: &'static str,
        label: Label,
        text: &str,
        chars_max: usize,
        rank: Rank,
    ) {
        let start = self.text.len();
        self.text.push_str(key);
        self.text.push('=');
        self.cut |= escape::value(text, Limit::chars(chars_max), &mut self.text);
        if let Some(label) = label {
            self.text.extend([" ", key, "Label=", label]);
        }
        self.pairs.push(Pair { bytes: start..self.text.len(), rank });
    }

    /// Returns the length of what [`Self::write`] appends.
    pub(super) fn bytes(&self) -> usize {
        let pairs: usize = self.pairs.iter().map(|pair| pair.bytes.len() + 1).sum();
        let metadata = self.metadata.as_ref().map_or(0, |text| text.len() + 1);
        (pairs + metadata).saturating_sub(1)
    }

    /// Leaves out as much as it takes to fit, if it can be done: metadata, then rank by rank.
    pub(super) fn shorten(&mut self, view: &View<'_>, bytes_max: usize) {
        self.metadata = None;
        for rank in Rank::DROPPED {
            if self.bytes() <= bytes_max {
                break;
            }
            self.keep_below(rank);
        }
        // One more space joins the metadata to the rest.
        if let Some(room) = bytes_max.checked_sub(self.bytes() + 1) {
            self.put_metadata(view, room);
        }
    }

    fn keep_below(&mut self, rank: Rank) {
        let before = self.pairs[..self.metadata_at].iter().filter(|pair| pair.rank < rank).count();
        self.pairs.retain(|pair| pair.rank < rank);
        self.metadata_at = before;
    }

    /// Leaves out the metadata and every pair above `rank`.
    pub(super) fn keep(&mut self, rank: Rank) {
        self.metadata = None;
        self.pairs.retain(|pair| pair.rank <= rank);
        self.metadata_at = 0;
    }

    /// Appends the pairs, one space between each two.
    pub(super) fn write(&self, out: &mut String) {
        let (before, after) = self.pairs.split_at(self.metadata_at);
        let text = |pair: &Pair| &self.text[pair.bytes.clone()];
        let all =
            before.iter().map(text).chain(self.metadata.as_deref()).chain(after.iter().map(text));
        for (index, pair) in all.enumerate() {
            if index > 0 {
                out.push(' ');
            }
            out.push_str(pair);
        }
    }
}

/// Returns a member of the body as JSON text.
fn member<'a>(view: &View<'a>, name: &str) -> Option<&'a str> {
    let part = members(&view.event.body).find(|part| part.is(name))?;
    std::str::from_utf8(part.value).ok()
}

/// Returns the object or array with those of its leading parts that fit, and whether any was left out;
/// `None` for the text when not one fits.
fn fit(json: &str, chars_max: usize, bytes_max: usize) -> (Option<Cow<'_, str>>, bool) {
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
