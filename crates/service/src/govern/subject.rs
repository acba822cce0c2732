//! Which fields of an event speak of a person. Pure.
//!
//! A person is given by values: ids, e-mail addresses, names. A field speaks of the person when it equals or contains
//! one of them (case aside, between word boundaries); so does everything about a party (actor, impersonator, target
//! …) that one of its ids, e-mail addresses or names identifies, and, when that party acts, the context it acted in.

use attestary_event::{Kind, TenantId, View};
use attestary_store::{Pick, Picker, Sealed};

/// Members of an event that say what happened and not to whom; they stay unless they quote the person.
const FACTS: [&str; 6] =
    ["/action", "/category", "/outcome", "/severity", "/occurred_at", "/schema_version"];
/// Parties that act.
const ACTING: [&str; 3] = ["/actor", "/impersonator", "/on_behalf_of"];
/// Members that identify a party.
const IDENTITIES: [&str; 3] = ["/id", "/email", "/name"];

/// A person, by values.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// In lower case.
    values: Vec<String>,
}

impl Subject {
    pub(crate) fn new(values: &[String]) -> Self {
        Self { values: values.iter().map(|value| value.to_lowercase()).collect() }
    }

    /// Returns true when `text` quotes the person.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.values.iter().any(|value| contains(&text, value))
    }

    fn is(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.values.contains(&text)
    }

    /// Returns what goes of an event in the person's tenant.
    pub(crate) fn pick(&self, view: &View<'_>, indexes: &[u16]) -> Pick {
        let parties = self.parties(view);
        let acts = parties.iter().any(|party| ACTING.contains(&party.as_str()));
        let mut gone = Vec::new();
        for (field, index) in view.fields.iter().zip(indexes) {
            let quotes = self.is_in(field.pointer) || self.is_in(field.value);
            if FACTS.contains(&field.pointer) {
                if quotes {
                    return Pick::Payload;
                }
                continue;
            }
            let of_party = parties.iter().any(|party| {
                field
                    .pointer
                    .strip_prefix(party.as_str())
                    .is_some_and(|rest| rest.starts_with('/') && rest != "/type")
            });
            let of_context = acts && field.pointer.starts_with("/context/");
            let empty = matches!(field.kind, Kind::EmptyObject | Kind::EmptyArray);
            // What an adapter keeps of the foreign form is the person's as a whole.
            let residue = !parties.is_empty() && field.pointer.starts_with("/source/");
            if quotes || ((of_party || of_context || residue) && !empty) {
                gone.push(*index);
            }
        }
        if gone.is_empty() { Pick::Keep } else { Pick::Fields(gone) }
    }

    /// Returns the pointers of the parties that are the person.
    fn parties(&self, view: &View<'_>) -> Vec<String> {
        let mut parties = Vec::new();
        for field in view.fields.iter().filter(|field| self.is(field.value)) {
            let party = IDENTITIES.iter().find_map(|member| field.pointer.strip_suffix(member));
            let Some(party) = party else { continue };
            let target = party.strip_prefix("/targets/").is_some_and(|at| !at.contains('/'));
            if target || ACTING.contains(&party) {
                parties.push(party.to_owned());
            }
        }
        parties
    }

    /// Returns what goes of an event in the audit log, where people are quoted: in filters, changes and names.
    fn pick_quoted(&self, view: &View<'_>, indexes: &[u16]) -> Pick {
        let quoting = view.fields.iter().zip(indexes).filter(|(field, _)| {
            !FACTS.contains(&field.pointer)
                && (self.is_in(field.pointer) || self.is_in(field.value))
        });
        let gone: Vec<_> = quoting.map(|(_, index)| *index).collect();
        if gone.is_empty() { Pick::Keep } else { Pick::Fields(gone) }
    }
}

/// Returns true when `text` has `value` in it and no letter or digit before or behind that. Both in lower case.
fn contains(text: &str, value: &str) -> bool {
    let is_word = |character: Option<char>| character.is_some_and(char::is_alphanumeric);
    text.match_indices(value).any(|(at, found)| {
        let before = text[..at].chars().next_back();
        let behind = text[at + found.len()..].chars().next();
        let starts = is_word(found.chars().next()) && is_word(before);
        let ends = is_word(found.chars().next_back()) && is_word(behind);
        !starts && !ends
    })
}

/// Picks a person out of the log of the person's tenant.
pub(crate) struct InLog(pub(crate) Subject);

impl Picker for InLog {
    fn needs_content(&self) -> bool {
        true
    }

    fn pick(&mut self, event: &Sealed<'_>) -> Pick {
        let Some(view) = &event.view else { return Pick::Keep };
        if is_covering(view) {
            return Pick::Keep;
        }
        match self.0.pick(view, event.indexes) {
            // Events of the service keep their payload; what they quote goes.
            Pick::Payload if event.flags & attestary_event::Event::SERVICE != 0 => {
                self.0.pick_quoted(view, event.indexes)
            }
            pick => pick,
        }
    }
}

/// Picks a person out of what the audit log says about one tenant.
pub(crate) struct InAudit(pub(crate) Subject, pub(crate) TenantId);

impl Picker for InAudit {
    fn needs_content(&self) -> bool {
        true
    }

    fn pick(&mut self, event: &Sealed<'_>) -> Pick {
        let Some(view) = &event.view else { return Pick::Keep };
        if is_covering(view) || !names_tenant(view, &self.1) {
            return Pick::Keep;
        }
        self.0.pick_quoted(view, event.indexes)
    }
}

fn names_tenant(view: &View<'_>, tenant: &TenantId) -> bool {
    view.fields.iter().any(|field| {
        let target = field.pointer.strip_suffix("/id").filter(|_| field.value == tenant.as_str());
        target.is_some_and(|target| {
            target.starts_with("/targets/")
                && view.text(&format!("{target}/type")) == Some("tenant")
        })
    })
}

/// Events that proofs of absence rest on stay whole; they quote nobody.
fn is_covering(view: &View<'_>) -> bool {
    let covering =
        ["attestary.genesis", "attestary.retention.applied", "attestary.erasure.applied"];
    view.event.flags & attestary_event::Event::SERVICE != 0
        && view.text("/action").is_some_and(|action| covering.contains(&action))
}

#[cfg(test)]
mod tests {
    use attestary_event::{EnvironmentId, Event, EventId, Fields, Timestamp};

    use super::*;

    #[test]
    fn values_are_found_between_boundaries() {
        let check = |text: &str, value: &str, expected: bool| {
            let subject = Subject::new(&[value.to_owned()]);
            assert_eq!(subject.is_in(text), expected, "{value} in {text}");
        };
        check("alice@example.com", "alice@example.com", true);
        check("from Alice@Example.COM to", "alice@example.com", true);
        check("malice@example.com", "alice@example.com", false);
        check("alice@example.comx", "alice@example.com", false);
        check("u_12", "u_1", false);
        check("(u_1)", "u_1", true);
        check("x:u_1", "u_1", true);
        check("channel", "ann", false);
        check("ÄRGER mit Änne", "änne", true);
        check("", "a", false);
    }

    fn pointers(body: &str, values: &[&str]) -> Option<Vec<String>> {
        let fields = Fields::of_stored(body.as_bytes());
        let event = Event {
            id: EventId([0; 16]),
            tenant: TenantId::parse("acme").unwrap(),
            environment: EnvironmentId::parse("p").unwrap(),
            seq: 1,
            received_at: Timestamp(0),
            flags: 0,
            leaf_hash: [0; 32],
            body: body.as_bytes().into(),
        };
        let values: Vec<_> = values.iter().map(ToString::to_string).collect();
        let indexes: Vec<u16> = (0..fields.len() as u16).collect();
        let view = View { event: &event, fields: &fields };
        match Subject::new(&values).pick(&view, &indexes) {
            Pick::Keep => Some(vec![]),
            Pick::Payload => None,
            Pick::Fields(gone) => Some(
                gone.iter()
                    .map(|index| fields.at(usize::from(*index)).pointer.to_owned())
                    .collect(),
            ),
        }
    }

    #[track_caller]
    fn check(body: &str, values: &[&str], expected: &[&str]) {
        assert_eq!(pointers(body, values).unwrap(), expected, "{body}");
    }

    #[test]
    fn an_acting_person_goes_with_its_context() {
        let body = r#"{"action":"a","actor":{"type":"user","id":"u_1","email":"al@example.com","groups":["x"]},"context":{"ip":"192.0.2.1"},"metadata":{"k":"v"},"targets":[{"type":"doc","id":"d"}]}"#;
        let expected = ["/actor/email", "/actor/groups/0", "/actor/id", "/context/ip"];
        check(body, &["u_1"], &expected);
        check(body, &["AL@example.com"], &expected);
        check(body, &["u_2"], &[]);
    }

    #[test]
    fn a_person_acted_on_leaves_the_actor_alone() {
        let body = r#"{"action":"a","actor":{"id":"admin"},"context":{"ip":"192.0.2.1"},"targets":[{"type":"user","id":"u_1","name":"Al"},{"type":"doc","id":"d"}]}"#;
        check(body, &["u_1"], &["/targets/0/id", "/targets/0/name"]);
    }

    #[test]
    fn quotes_go_wherever_they_stand() {
        let body = r#"{"action":"a","actor":{"id":"admin"},"changes":[{"field":"owner","old":"u_1","new":"u_2"}],"description":"u_1 was renamed","metadata":{"n":4711,"u_1":true,"z":"u_11"}}"#;
        check(body, &["u_1"], &["/changes/0/old", "/description", "/metadata/u_1"]);
        check(body, &["4711"], &["/metadata/n"]);
        assert_eq!(pointers(r#"{"action":"u_1.login","actor":{"id":"u_1"}}"#, &["u_1"]), None);
    }
}
