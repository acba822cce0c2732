//! Redaction at intake: values that must not come into the log at all are dropped, masked, or replaced by a keyed
//! token before the event is hashed. Pure.
//!
//! Rules look at every field in order; the first that names it decides. Strings that no rule names are looked through
//! for secrets ([`detect`]). What was redacted is what is committed: no proof ever covers the value. An event of which
//! anything was redacted loses what an adapter kept of its foreign form, which would say the same again.

pub mod detect;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

pub use detect::Detector;

use crate::{
    Fields, Kind,
    erase::{Change, rewrite},
};

/// What stands in the place of a masked value.
pub const MASK: &str = "***";
/// How a token begins.
pub const TOKEN_PREFIX: &str = "hmac:";
/// Members that say what happened, when and to whom's log: events are no events without them.
pub const FIXED: [&str; 9] = [
    "/action",
    "/category",
    "/labels",
    "/occurred_at",
    "/outcome",
    "/schema_version",
    "/severity",
    "/context/http/duration_ms",
    "/context/http/status",
];

/// What becomes of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It goes, with its member.
    Drop,
    /// It becomes [`MASK`]; of IP addresses the network stays (/24, /48), of e-mail addresses the domain.
    Mask,
    /// It becomes a token that is the same for the same value, and that only the service can make.
    Hmac,
}

/// Which fields a rule names, and what becomes of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// For people.
    pub name: String,
    /// RFC 6901 pointers, `*` for any one segment; each names everything below it too. Empty names everything but the
    /// fixed members and types.
    pub pointers: Vec<String>,
    /// Only events that carry this label.
    pub label: Option<String>,
    /// What becomes of the fields.
    pub action: Action,
}

impl Rule {
    fn names(&self, pointer: &str) -> bool {
        if is_type(pointer) {
            let types = self.pointers.iter().filter(|pattern| pattern.ends_with("/type"));
            return types.into_iter().any(|pattern| is_under(pointer, pattern));
        }
        self.pointers.is_empty() || self.pointers.iter().any(|pattern| is_under(pointer, pattern))
    }
}

/// Types of parties say nothing about a person; a rule for a whole party leaves them.
fn is_type(pointer: &str) -> bool {
    let party = pointer.strip_suffix("/type");
    party.is_some_and(|party| {
        ["/actor", "/impersonator", "/on_behalf_of"].contains(&party)
            || party.strip_prefix("/targets/").is_some_and(|at| !at.contains('/'))
    })
}

/// Returns true when `pointer` is named by `pattern` or lies below what that names.
fn is_under(pointer: &str, pattern: &str) -> bool {
    let mut segments = pointer.split('/');
    pattern.split('/').all(|wanted| segments.next().is_some_and(|is| wanted == "*" || wanted == is))
}

/// Returns true when a redaction may not touch the field.
pub fn is_fixed(pointer: &str) -> bool {
    FIXED.iter().any(|fixed| {
        pointer.strip_prefix(fixed).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// What is looked for in strings that no rule names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Detection {
    /// Nothing.
    #[default]
    Off,
    /// Finds are counted and stay.
    Report,
    /// Finds are replaced by their kind between brackets.
    Mask,
}

/// Rules and detectors of one place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redaction {
    /// The first that names a field decides.
    pub rules: Vec<Rule>,
    /// Whether secrets are looked for.
    pub detection: Detection,
    /// What is looked for; empty means everything.
    pub detectors: Vec<Detector>,
}

/// Something that was redacted, or found by a detector that only reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The field; never its value.
    pub pointer: String,
    /// Name of the rule or of the detector.
    pub by: String,
    /// False when it was only found.
    pub redacted: bool,
}

/// An event after redaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redacted {
    /// The committed members as compact JSON; `None` when nothing changed.
    pub body: Option<Vec<u8>>,
    /// What was found.
    pub hits: Vec<Hit>,
}

/// The secret under which tokens are made.
#[derive(Clone)]
pub struct TokenKey(Hmac<Sha256>);

impl TokenKey {
    /// Returns the key made from 32 secret bytes.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes keys of any length"))
    }

    /// Returns the token of a value: half of HMAC-SHA256 in hex.
    pub fn token(&self, value: &str) -> String {
        let mac = self.0.clone().chain_update(value.as_bytes()).finalize().into_bytes();
        let mut out = Vec::with_capacity(TOKEN_PREFIX.len() + 32);
        out.extend_from_slice(TOKEN_PREFIX.as_bytes());
        crate::event::write_hex(&mac[..16], &mut out);
        String::from_utf8(out).expect("hex digits are ASCII")
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(…)")
    }
}

/// Applies redactions, those of the environment before those of the tenant, to one event. `body` and `fields` say the
/// same.
pub fn apply(places: &[&Redaction], body: &[u8], fields: &Fields, key: &TokenKey) -> Redacted {
    let labels: Vec<&str> = fields.under("/labels").map(|label| label.value).collect();
    let mut rules = Vec::new();
    for rule in places.iter().flat_map(|place| &place.rules) {
        if rule.label.as_deref().is_none_or(|label| labels.contains(&label)) {
            rules.push(rule);
        }
    }
    let mut hits = Vec::new();
    let mut changes = Vec::new();
    for field in fields.iter() {
        if is_fixed(field.pointer) || field.pointer.starts_with("/source/") {
            continue;
        }
        let change = match rules.iter().find(|rule| rule.names(field.pointer)) {
            Some(rule) => {
                hits.push(Hit {
                    pointer: field.pointer.into(),
                    by: rule.name.clone(),
                    redacted: true,
                });
                Some(changed(rule.action, field.kind, field.value, key))
            }
            None if field.kind == Kind::String => {
                detected(places, field.pointer, field.value, &mut hits)
            }
            None => None,
        };
        changes.extend(change.map(|change| (field.pointer, change)));
    }
    if changes.is_empty() {
        return Redacted { body: None, hits };
    }
    // Fields come in the order of their pointers' bytes.
    let body = rewrite(body, |pointer| {
        if pointer.starts_with("/source/") {
            return Change::Drop;
        }
        match changes.binary_search_by(|(of, _)| of.as_bytes().cmp(pointer.as_bytes())) {
            Ok(at) => changes[at].1.clone(),
            Err(_) => Change::Keep,
        }
    });
    Redacted { body: Some(body), hits }
}

fn changed(action: Action, kind: Kind, value: &str, key: &TokenKey) -> Change {
    let says_something = matches!(kind, Kind::String | Kind::Number);
    match action {
        Action::Drop => Change::Drop,
        // There is nothing in true, null or an empty object that a token could tell apart.
        _ if !says_something => Change::Drop,
        Action::Mask => Change::Text(masked(value)),
        Action::Hmac => Change::Text(key.token(value)),
    }
}

fn masked(value: &str) -> String {
    match value.parse() {
        Ok(IpAddr::V4(ip)) => {
            let [a, b, c, _] = ip.octets();
            return Ipv4Addr::new(a, b, c, 0).to_string();
        }
        Ok(IpAddr::V6(ip)) => {
            let [a, b, c, ..] = ip.segments();
            return Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).to_string();
        }
        Err(_) => {}
    }
    match value.rsplit_once('@') {
        Some((_, domain)) if domain.contains('.') && !domain.contains(char::is_whitespace) => {
            format!("{MASK}@{domain}")
        }
        _ => MASK.to_owned(),
    }
}

fn detected(
    places: &[&Redaction],
    pointer: &str,
    value: &str,
    hits: &mut Vec<Hit>,
) -> Option<Change> {
    let mut text: Option<String> = None;
    for place in places.iter().filter(|place| place.detection != Detection::Off) {
        let finds = detect::find(text.as_deref().unwrap_or(value), &place.detectors);
        let redacted = place.detection == Detection::Mask;
        for find in &finds {
            hits.push(Hit { pointer: pointer.into(), by: find.detector.name().into(), redacted });
        }
        if redacted && !finds.is_empty() {
            text = Some(detect::replace(text.as_deref().unwrap_or(value), &finds));
        }
    }
    text.map(Change::Text)
}
