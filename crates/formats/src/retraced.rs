//! What Retraced's clients read: an event as a node of a search, and the text of their queries.
//!
//! A node always has every field, whatever was asked for. Events that came in elsewhere fill the same places;
//! metadata values that are no strings are given as their JSON.

pub mod document;
mod query;

use attestary_event::{View, actions::KnownActions};

pub use query::{Query, QueryError, translate};

use crate::{
    intake::object::{ObjectWriter, member, members, value_end},
    texts,
};

/// Appends the event as one node.
pub fn write_node(view: &View<'_>, actions: &KnownActions, out: &mut Vec<u8>) {
    let body = &view.event.body;
    let source = member(body, "source").filter(|_| view.text("/source/system") == Some("retraced"));
    let residue = source.and_then(|source| member(source, "fields")).unwrap_or_default();
    let occurred = texts::occurred_at(view).to_string();
    let mut node = ObjectWriter::open(out);
    node.display("id", view.event.id).text("action", view.text("/action").unwrap_or_default());
    or_null(&mut node, "crud", member(residue, "crud"));
    let created = member(residue, "created").filter(|created| created.starts_with(b"\""));
    match created {
        Some(created) => _ = node.raw("created", created),
        None => _ = node.text("created", &occurred),
    }
    node.text("canonical_time", &occurred).display("received", view.event.received_at);
    or_null(&mut node, "description", member(body, "description"));
    node.object("group", |group| {
        group.text("id", view.event.tenant.as_str());
        or_null(group, "name", member(residue, "group_name"));
    });
    let actor = member(body, "actor");
    party(&mut node, "actor", actor.filter(|actor| member(actor, "id").is_some()), false);
    let targets = member(body, "targets").unwrap_or_default();
    party(&mut node, "target", first(targets), true);
    node.object("display", |display| {
        let sentence = texts::message(view, actions);
        let text = sentence.as_deref().or(view.text("/action")).unwrap_or_default();
        display.text("markdown", &escaped(text));
    });
    pairs(&mut node, "fields", member(body, "metadata"));
    pairs(&mut node, "metadata", member(residue, "metadata"));
    let failed = matches!(view.text("/outcome"), Some("failure" | "denied"));
    node.raw("is_failure", truth(failed));
    node.raw("is_anonymous", truth(view.text("/actor/type") == Some("anonymous")));
    let context = member(body, "context").unwrap_or_default();
    or_null(&mut node, "source_ip", member(context, "ip"));
    for place in ["country", "loc_subdiv1", "loc_subdiv2"] {
        node.raw(place, b"null");
    }
    for name in ["external_id", "component", "version"] {
        or_null(&mut node, name, member(residue, name));
    }
    node.close();
}

/// Writes an actor or a target with its href and fields; `null` when there is none.
fn party(node: &mut ObjectWriter<'_>, name: &str, json: Option<&[u8]>, typed: bool) {
    let Some(json) = json else {
        node.raw(name, b"null");
        return;
    };
    let metadata = member(json, "metadata").unwrap_or_default();
    node.object(name, |party| {
        or_null(party, "id", member(json, "id"));
        or_null(party, "name", member(json, "name"));
        or_null(party, "href", member(metadata, "href"));
        if typed {
            or_null(party, "type", member(json, "type"));
        }
        pairs(party, "fields", member(metadata, "fields"));
    });
}

/// Writes an object's members as an array of keys and values.
fn pairs(node: &mut ObjectWriter<'_>, name: &str, object: Option<&[u8]>) {
    let out = node.key(name);
    out.push(b'[');
    for (index, (key, value)) in members(object.unwrap_or_default()).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let mut pair = ObjectWriter::open(out);
        pair.raw("key", key);
        if value.starts_with(b"\"") {
            pair.raw("value", value);
        } else {
            pair.text("value", std::str::from_utf8(value).unwrap_or_default());
        }
        pair.close();
    }
    out.push(b']');
}

fn or_null(node: &mut ObjectWriter<'_>, name: &str, json: Option<&[u8]>) {
    node.raw(name, json.unwrap_or(b"null"));
}

fn truth(value: bool) -> &'static [u8] {
    if value { b"true" } else { b"false" }
}

/// Returns the first object of an array.
fn first(array: &[u8]) -> Option<&[u8]> {
    let inner = array.strip_prefix(b"[").filter(|inner| inner.starts_with(b"{"))?;
    inner.get(..value_end(inner)?)
}

/// Escapes what Markdown or HTML would read as markup, so that no value can become a link.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '!' | '|' | '~' => {
                out.push('\\');
                out.push(c);
            }
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::json::tests::{event, hostile_event};

    fn node(event: &attestary_event::Event) -> Value {
        let fields = event.fields();
        let mut out = Vec::new();
        write_node(&View { event, fields: &fields }, KnownActions::builtin(), &mut out);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn a_node_has_what_was_sent() {
        let stored = r#""action":"a.b","actor":{"type":"user","id":"u","metadata":{"href":"h","fields":{"k":"v"}}},"targets":[{"type":"doc","id":"t\"}","name":"T"},{"id":"z"}],"outcome":"failure","metadata":{"f":"1","n":{"x":2}},"context":{"ip":"1.2.3.4"},"source":{"system":"retraced","fields":{"crud":"u","metadata":{"m":"2"},"group_name":"G","external_id":"e"}}"#;
        let node = node(&event(stored));
        assert_eq!(node["crud"], "u");
        assert_eq!(
            node["actor"],
            json!({ "id": "u", "name": null, "href": "h", "fields": [{ "key": "k", "value": "v" }] })
        );
        assert_eq!(node["target"]["id"], "t\"}");
        assert_eq!(
            node["fields"],
            json!([{ "key": "f", "value": "1" }, { "key": "n", "value": "{\"x\":2}" }])
        );
        assert_eq!(node["metadata"], json!([{ "key": "m", "value": "2" }]));
        assert_eq!([&node["is_failure"], &node["is_anonymous"]], [true, false]);
        assert_eq!(node["group"]["name"], "G");
        assert_eq!(node["display"]["markdown"], "a.b");
    }

    #[test]
    fn markup_in_values_is_text() {
        let node = node(&event(r#""action":"x","description":"[a](http://evil) <b>*""#));
        assert_eq!(node["display"]["markdown"], "\\[a\\]\\(http://evil\\) &lt;b&gt;\\*");
    }

    proptest! {
        #[test]
        fn every_event_is_one_node(event in hostile_event()) {
            let node = node(&event);
            prop_assert!(node["id"].is_string() && node["display"]["markdown"].is_string());
        }
    }
}
