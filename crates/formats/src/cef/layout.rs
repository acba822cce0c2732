//! The mapping: which member of an event stands under which key, in which order, and of which rank.

use std::net::IpAddr;

use attestary_event::{Timestamp, View, actions::KnownActions};

use super::{
    extension::{Extension, Rank},
    fit::{fit, member},
};
use crate::{json::one_line, texts};

/// Limit of most strings, of `act` and `outcome`, of `cs1`–`cs6`.
const TEXT: usize = 1023;
const SHORT: usize = 63;
pub(super) const SLOT: usize = 4000;

impl Extension {
    /// Lays out all pairs.
    pub(super) fn of(view: &View<'_>, actions: &KnownActions) -> Self {
        let mut extension = Self::empty();
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
        self.put("rt", None, Some(itoa::Buffer::new().format(occurred_at.0)), SHORT, Rank::Core);
        self.put(
            "deviceCustomDate1",
            Some("receivedAt"),
            Some(itoa::Buffer::new().format(event.received_at.0)),
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

    /// `src` takes IPv4 only; IPv6 has its own slot; the name of a host is `shost`. What is none of them keeps a key of
    /// its own, unverified.
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
            Err(_) if is_host_name(text.trim()) => {
                self.put("shost", None, Some(text.trim()), TEXT, Rank::Actor);
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
        self.put_metadata_here(view);
        self.put(
            "cn1",
            Some("seq"),
            Some(itoa::Buffer::new().format(event.seq)),
            SHORT,
            Rank::Core,
        );
        let leaf_hash = attestary_event::event::hex(&event.leaf_hash);
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
}

/// Returns true for the name of a host (RFC 1123): labels of letters, digits and inner hyphens, the last with a letter.
fn is_host_name(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253
        && text.split('.').all(is_label)
        && last.bytes().any(|byte| byte.is_ascii_alphabetic())
}
