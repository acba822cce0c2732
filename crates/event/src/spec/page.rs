//! The member table as the reference page of the event. Numbers in the prose come from the code, not from memory.

use std::fmt::Write as _;

use super::{MEMBERS, Member, Need, SetBy, Shape};
use crate::{Limits, intake::VIOLATIONS_MAX, scan::NUMBER_BYTES_MAX};

/// An event that gives every member a client can set; a test submits it.
pub(super) const COMPLETE: &str = r#"{
  "id": "01930b5e-5a53-709e-8f3c-0123456789ab",
  "tenant": "acme",
  "action": "document.shared",
  "occurred_at": "2026-11-22T00:39:11.123Z",
  "actor": {
    "type": "user", "id": "u_123", "name": "Alice Example", "email": "alice@example.com",
    "groups": ["admins"], "metadata": {"plan": "pro"}
  },
  "impersonator": {
    "type": "support", "id": "s_7", "name": "Sam Support", "email": "sam@example.com",
    "metadata": {"ticket": "T-1000"}
  },
  "on_behalf_of": {
    "type": "user", "id": "u_9", "name": "Bob Example", "email": "bob@example.com",
    "metadata": {"region": "eu"}
  },
  "targets": [
    {"type": "document", "id": "doc_42", "name": "Contract", "metadata": {"pages": 12}}
  ],
  "context": {
    "ip": "203.0.113.9", "user_agent": "Mozilla/5.0",
    "session_id": "ses_5", "parent_session_id": "ses_1", "request_id": "req_1",
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "location": "Vienna, AT",
    "http": {"method": "POST", "url": "/documents/42/share", "status": 200, "duration_ms": 12},
    "attempted_identity": "alice"
  },
  "outcome": "success",
  "reason": "requested by the customer",
  "severity": 5,
  "category": "data",
  "description": "Alice shared the contract with a partner",
  "labels": ["pii"],
  "changes": [{"field": "visibility", "old": "private", "new": {"with": ["partner"]}}],
  "schema_version": 1,
  "metadata": {"attempt": 3, "exact": 9007199254740993}
}"#;

/// Returns the text of `docs/reference/event.md`.
pub fn reference_page() -> String {
    let mut page = INTRODUCTION.to_owned();
    section(&mut page, "Identity and time", &["/id", "/tenant", "/action", "/occurred_at"]);
    section(&mut page, "Who", &["/actor", "/impersonator", "/on_behalf_of"]);
    section(&mut page, "To what, and where from", &["/targets", "/context"]);
    section(
        &mut page,
        "How it ended, and what it means",
        &["/outcome", "/reason", "/severity", "/category", "/description", "/labels", "/changes"],
    );
    section(&mut page, "Your own data", &["/schema_version", "/metadata"]);
    page.push_str(SET_BY_OTHERS);
    section(
        &mut page,
        "Set by adapters and the service",
        &["/source", "/environment", "/seq", "/received_at", "/leaf_hash", "/duplicate"],
    );
    let _ = write!(page, "\n## A complete event\n\n```json\n{COMPLETE}\n```\n");
    page.push_str(DEFAULTS);
    limits(&mut page, &Limits::default());
    page.push_str(REFUSED);
    let _ = writeln!(
        page,
        "\nAn answer lists every violation of an event, up to {VIOLATIONS_MAX}, each with the RFC 6901 pointer of the member \
         and one sentence that names the limit and the value seen. At most 64 characters of a submitted value are \
         repeated, and a string in the wrong place never is. What is not well-formed JSON inside the general limits gives one \
         violation: nothing after the first fault can be trusted."
    );
    page.push_str(STORED);
    page
}

/// One table: the named top-level members with everything below them.
fn section(page: &mut String, title: &str, roots: &[&str]) {
    let _ = write!(
        page,
        "\n### {title}\n\n| member | holds | needed | meaning | example |\n|---|---|---|---|---|\n"
    );
    for member in
        MEMBERS.iter().filter(|member| roots.iter().any(|root| is_below(member.pointer, root)))
    {
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | `{}` |",
            spelled(member.pointer),
            holds(member.shape),
            needed(member),
            member.doc,
            member.example
        );
    }
}

fn is_below(pointer: &str, root: &str) -> bool {
    pointer.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// `/targets/*/id` reads `targets[].id` on the page.
fn spelled(pointer: &str) -> String {
    pointer[1..].replace("/*", "[]").replace('/', ".")
}

fn holds(shape: Shape) -> String {
    match shape {
        Shape::Object => "object".to_owned(),
        Shape::Array => "array".to_owned(),
        Shape::Text { bytes_min: 0, bytes_max } => format!("string, at most {bytes_max} bytes"),
        Shape::Text { bytes_min, bytes_max } => format!("string, {bytes_min} to {bytes_max} bytes"),
        Shape::Uuid => "UUID with hyphens, any version".to_owned(),
        Shape::Time => "RFC 3339 time with an offset".to_owned(),
        Shape::Integer { min, max } => format!("whole number, {min} to {max}"),
        Shape::Amount => "number, not negative".to_owned(),
        Shape::OneOf(values) => format!("`{}`", values.join("`, `")),
        Shape::Hash => "64 hexadecimal digits".to_owned(),
        Shape::Flag => "boolean".to_owned(),
        Shape::AnyObject => "object, any JSON inside".to_owned(),
        Shape::Any => "any JSON".to_owned(),
    }
}

fn needed(member: &Member) -> String {
    match (member.set_by, member.need) {
        (SetBy::Adapter, _) => "adapters only".to_owned(),
        (SetBy::Service, _) => "service only".to_owned(),
        (SetBy::Client, Need::Required) if member.name() == "*" => "each element".to_owned(),
        (SetBy::Client, Need::Required) => "**required**".to_owned(),
        (SetBy::Client, Need::Unless(unless)) => format!("**required**, unless {unless}"),
        (SetBy::Client, Need::Default(default)) => format!("default: {default}"),
        (SetBy::Client, Need::Optional) => "optional".to_owned(),
    }
}

fn limits(page: &mut String, limits: &Limits) {
    let rows = [
        ("bytes of one event, white space included", limits.event_bytes_max),
        ("nesting; the event itself is level 1", limits.depth_max),
        ("scalars of one event; an empty object or array counts as one", limits.fields_max),
        ("elements of one array", limits.array_max),
        ("bytes of one string, unescaped", limits.string_bytes_max),
        ("bytes of one key, unescaped", limits.key_bytes_max),
        ("bytes of one number token", NUMBER_BYTES_MAX),
        ("events in one batch", limits.batch_events_max),
        ("bytes of one batch, decompressed", limits.batch_bytes_max),
        ("decompressed bytes for each compressed byte", limits.ratio_max),
    ];
    page.push_str("\n## General limits\n\nChecked before anything is built from the bytes. The limit of one event can be configured up to ");
    let _ =
        write!(page, "{} bytes.\n\n| what | at most |\n|---|---|\n", Limits::EVENT_BYTES_CEILING);
    for (what, most) in rows {
        let _ = writeln!(page, "| {what} | {most} |");
    }
}

const INTRODUCTION: &str = r#"# The event

<!-- Generated from crates/event/src/spec: cargo run -p attestary-event --example generate -->

An event says who did what to what, when, from where, and how it ended. It is one JSON object. The smallest:

```json
{"tenant": "acme", "action": "user.login", "actor": {"id": "u_123"}}
```

The same as a JSON Schema: [event.schema.json](event.schema.json). What is known about actions: [actions.md](actions.md).

## Members

`a.b` stands for member `b` of the object `a`, and `a[].b` for member `b` of each element of the array `a`. Lengths count
bytes of unescaped UTF-8. `null` counts as "not given" wherever a member is not required.
"#;

const SET_BY_OTHERS: &str = "
Members of the last group cannot be submitted; they stand in events that are read back. `source` is there when an
adapter took the event in from a foreign format.
";

const DEFAULTS: &str = r"
## Defaults

`occurred_at`, `category`, `severity`, `outcome` and `actor.type` are resolved when the event is taken in, stored, and committed: what a
reader sees is what the log proves, whatever the defaults say later. The known action decides; for an action that is not known, the
category is `other`, the severity 3 and the outcome `unknown`.

An event of an unknown tenant opens that tenant's log, unless the environment is closed. A key that may write to one tenant only
stands in for a missing `tenant`.
";

const REFUSED: &str = r#"
## What is refused

- Malformed JSON, invalid UTF-8, lone surrogates, and a key that stands twice in one object, however it is escaped.
- Anything beyond a limit above or in the tables.
- A member that is not in the tables, outside `metadata`, `source`, `changes[].old` and `changes[].new`. The answer names the nearest member.
- A value of the wrong type: numbers are not read from strings, nor strings from numbers.
- A whole number written with a fraction or an exponent, such as `3.0`.
- A time without an offset, such as `2026-11-22T00:39:11`.
- A tenant that starts with `_`, and an action that starts with `attestary.`: both are the service's own.
- The members that adapters or the service set.
- The same `id` again with different content. Key order, white space and escape forms make no difference; number tokens do.
"#;

const STORED: &str = r"
## What is stored

The event is kept as it was sent: strings unescaped, numbers as their exact tokens (`9007199254740993` and `1.50` stay what they are),
`null` members included unless a default took their place. Key order is kept for reading but not proven. The leaf of the tenant's Merkle tree commits to
every member except `id`, `tenant`, `environment`, `seq`, `received_at` and `leaf_hash`: those stand in the log entry or in the log's first event.
";
