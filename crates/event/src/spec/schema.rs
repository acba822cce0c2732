//! The member table as JSON Schema (draft 2020-12).
//!
//! The root describes an event as it is submitted, `$defs/accepted` an event as it is read back. A schema cannot
//! say everything that intake checks: it counts characters where intake counts bytes, and knows nothing of duplicate
//! keys, of depth, or of the key that the event comes with. So it is the looser of the two: what it refuses is
//! refused; what it takes may still be refused.

use serde::ser::{Serialize, SerializeMap as _, Serializer};

use super::{
    ANONYMOUS, Member, SERVICE_ACTION_PREFIX, SetBy, Shape,
    tree::{self, Node},
};

/// Returns the text of `docs/reference/event.schema.json`.
pub fn json_schema() -> String {
    let mut root = vec![
        ("$schema", Json::text("https://json-schema.org/draft/2020-12/schema")),
        ("$id", Json::text("urn:attestary:schema:event")),
        ("title", Json::text("Event, as submitted")),
    ];
    root.extend(Form::Submitted.schema(tree::root()));
    root.push(("$defs", Json::Object(vec![("accepted", accepted())])));
    let mut text =
        serde_json::to_string_pretty(&Json::Object(root)).expect("the schema has only text keys");
    text.push('\n');
    text
}

fn accepted() -> Json {
    let mut schema = vec![("title", Json::text("Event, as read back"))];
    schema.extend(Form::Accepted.schema(tree::root()));
    Json::Object(schema)
}

/// JSON with its members in the order given.
#[derive(Debug, Clone)]
enum Json {
    Flag(bool),
    Number(i64),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(&'static str, Self)>),
    /// A JSON text that stands in the table.
    Example(&'static str),
}

impl Json {
    fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Number(number) => serializer.serialize_i64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => serializer.collect_seq(items),
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
            Self::Example(text) => serde_json::from_str::<serde_json::Value>(text)
                .map_err(serde::ser::Error::custom)?
                .serialize(serializer),
        }
    }
}

/// Which of the two forms of an event a schema is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Submitted,
    Accepted,
}

type Members = Vec<(&'static str, Json)>;

impl Form {
    fn has(self, member: &Member) -> bool {
        match self {
            Self::Submitted => member.set_by == SetBy::Client,
            // The receipt's own member.
            Self::Accepted => member.pointer != "/duplicate",
        }
    }

    fn schema(self, node: &Node) -> Members {
        let mut schema = vec![("description", Json::text(node.member.doc))];
        schema.extend(self.shape(node));
        if self == Self::Submitted {
            schema.extend(rules(node.member));
            schema.push(("examples", Json::List(vec![Json::Example(node.member.example)])));
        }
        schema
    }

    fn shape(self, node: &Node) -> Members {
        let nullable = node.member.nullable();
        match node.member.shape {
            Shape::Object => {
                let mut schema = vec![kind("object", nullable)];
                schema.extend(self.members(node));
                schema
            }
            Shape::Array => {
                let element =
                    node.element.as_deref().expect("every array in the table has an element");
                vec![kind("array", nullable), ("items", Json::Object(self.schema(element)))]
            }
            Shape::OneOf(values) => {
                let mut values: Vec<Json> = values.iter().map(|value| Json::text(*value)).collect();
                if nullable {
                    values.push(Json::Example("null"));
                }
                vec![("enum", Json::List(values))]
            }
            shape => scalar(shape, nullable),
        }
    }

    /// What is read back may lack anything that was erased or hidden, so only the facts are required there.
    fn members(self, node: &Node) -> Members {
        let children = || node.children.iter().filter(|child| self.has(child.member));
        let properties = children()
            .map(|child| (child.member.name(), Json::Object(self.schema(child))))
            .collect();
        let required: Vec<Json> = match self {
            Self::Submitted => node
                .children
                .iter()
                .enumerate()
                .filter(|(index, _)| node.required & 1 << index != 0)
                .map(|(_, child)| Json::text(child.member.name()))
                .collect(),
            Self::Accepted if node.member.pointer.is_empty() => {
                FACTS.iter().map(|name| Json::text(*name)).collect()
            }
            Self::Accepted => Vec::new(),
        };
        let mut schema = vec![("properties", Json::Object(properties))];
        if !required.is_empty() {
            schema.push(("required", Json::List(required)));
        }
        schema.push(("additionalProperties", Json::Flag(false)));
        schema
    }
}

/// The members that no erasure can touch.
const FACTS: [&str; 6] = ["id", "tenant", "environment", "seq", "received_at", "leaf_hash"];

/// The hyphenated form, either case.
const UUID: &str = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$";

/// RFC 3339 with up to nine decimals.
const TIME: &str = r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$";

fn kind(name: &'static str, nullable: bool) -> (&'static str, Json) {
    if nullable {
        return ("type", Json::List(vec![Json::text(name), Json::text("null")]));
    }
    ("type", Json::text(name))
}

fn scalar(shape: Shape, nullable: bool) -> Members {
    match shape {
        Shape::Text { bytes_min, bytes_max } => {
            let mut schema = vec![kind("string", nullable)];
            if bytes_min > 0 {
                schema.push(("minLength", Json::Number(bytes_min as i64)));
            }
            schema.push(("maxLength", Json::Number(bytes_max as i64)));
            schema
        }
        Shape::Uuid => vec![
            kind("string", nullable),
            ("format", Json::text("uuid")),
            ("pattern", Json::text(UUID)),
        ],
        Shape::Time => vec![
            kind("string", nullable),
            ("format", Json::text("date-time")),
            ("pattern", Json::text(TIME)),
        ],
        Shape::Integer { min, max } => {
            vec![
                kind("integer", nullable),
                ("minimum", Json::Number(min)),
                ("maximum", Json::Number(max)),
            ]
        }
        Shape::Amount => vec![kind("number", nullable), ("minimum", Json::Number(0))],
        Shape::Hash => vec![kind("string", nullable), ("pattern", Json::text("^[0-9a-f]{64}$"))],
        Shape::Flag => vec![kind("boolean", nullable)],
        Shape::AnyObject => vec![kind("object", nullable)],
        Shape::Any | Shape::OneOf(_) | Shape::Object | Shape::Array => Vec::new(),
    }
}

/// The rules beyond type and length, as far as a schema can say them.
fn rules(member: &Member) -> Members {
    let pattern = |text: &str| Json::Object(vec![("pattern", Json::text(text))]);
    match member.pointer {
        "/tenant" => {
            vec![(
                "pattern",
                Json::text(r"^[^_\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$"),
            )]
        }
        "/action" => {
            vec![("not", pattern(&format!("^{}", SERVICE_ACTION_PREFIX.replace('.', r"\."))))]
        }
        "/actor" => vec![("anyOf", Json::List(vec![anonymous(), identified()]))],
        _ => Vec::new(),
    }
}

fn anonymous() -> Json {
    let kind = ("type", Json::Object(vec![("const", Json::text(ANONYMOUS))]));
    Json::Object(vec![
        ("properties", Json::Object(vec![kind])),
        ("required", Json::List(vec![Json::text("type")])),
    ])
}

fn identified() -> Json {
    let id = ("id", Json::Object(vec![("type", Json::text("string"))]));
    Json::Object(vec![
        ("properties", Json::Object(vec![id])),
        ("required", Json::List(vec![Json::text("id")])),
    ])
}
