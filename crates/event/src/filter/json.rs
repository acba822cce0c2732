//! The JSON form: one object per node.
//!
//! `{"and":[…]}`, `{"or":[…]}`, `{"not":…}`, `{"field":"a.b","op":":","value":"x*"}`,
//! `{"field":"occurred_at","op":">","relative":"now-24h"}`, `{"exists":"a.b"}`, `{"text":"word"}`.
//! Values are always strings: the event's own type decides how they are read. In the value of `:` and in
//! `text`, `*` is the wild card, `\*` a star and `\\` a backslash; in other values every character is itself.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Path, Pattern,
    ast::{Comparator, NESTING_MAX, Node, Operand, Relative, TEXT_BYTES_MAX, Unit},
    parser,
};
use crate::Violation;

/// Writes the JSON form.
pub(super) fn write(node: &Node) -> Value {
    let each = |parts: &[Node]| parts.iter().map(write).collect::<Vec<_>>();
    match node {
        Node::And(parts) => json!({ "and": each(parts) }),
        Node::Or(parts) => json!({ "or": each(parts) }),
        Node::Not(part) => json!({ "not": write(part) }),
        Node::Exists(path) => json!({ "exists": path.to_string() }),
        Node::Word(pattern) => json!({ "text": pattern.as_str() }),
        Node::Match(path, pattern) => {
            json!({ "field": path.to_string(), "op": ":", "value": pattern.as_str() })
        }
        Node::Compare(path, comparator, operand) => {
            let (member, text) = match operand {
                Operand::Text(text) => ("value", text.to_string()),
                Operand::Relative(relative) => ("relative", relative.to_string()),
            };
            json!({ "field": path.to_string(), "op": comparator.symbol(), member: text })
        }
    }
}

/// Any node as it is written; which members stand together is checked afterwards.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wire {
    and: Option<Vec<Self>>,
    or: Option<Vec<Self>>,
    not: Option<Box<Self>>,
    field: Option<String>,
    op: Option<String>,
    value: Option<String>,
    relative: Option<String>,
    exists: Option<String>,
    text: Option<String>,
}

/// Reads the JSON form from bytes; unknown and repeated members are refused.
pub(super) fn read_slice(json: &[u8]) -> Result<Node, Violation> {
    if json.len() > JSON_BYTES_MAX {
        let detail =
            format!("the filter has {} bytes of JSON; the limit is {JSON_BYTES_MAX}", json.len());
        return Err(Violation::new("", detail));
    }
    finish(serde_json::from_slice(json))
}

/// Reads the JSON form from a value.
pub(super) fn read(json: &Value) -> Result<Node, Violation> {
    finish(Wire::deserialize(json))
}

/// Eight times the text: every clause may take the long form of the smallest one.
const JSON_BYTES_MAX: usize = 8 * TEXT_BYTES_MAX;

fn finish(wire: serde_json::Result<Wire>) -> Result<Node, Violation> {
    let wire = wire.map_err(|error| Violation::new("", format!("not a filter: {error}")))?;
    if matches!(&wire.and, Some(parts) if parts.is_empty())
        && wire.is_one(|wire| wire.and.is_some())
    {
        return Ok(Node::And(Vec::new()));
    }
    let node = node(wire, "", 0)?;
    parser::check_size(&node).map_err(|reason| Violation::new("", reason.to_string()))?;
    Ok(node)
}

impl Wire {
    /// Returns true when `wanted` holds and it needs the only member that is there.
    fn is_one(&self, wanted: impl Fn(&Self) -> bool) -> bool {
        let members = [
            self.and.is_some(),
            self.or.is_some(),
            self.not.is_some(),
            self.field.is_some()
                || self.op.is_some()
                || self.value.is_some()
                || self.relative.is_some(),
            self.exists.is_some(),
            self.text.is_some(),
        ];
        wanted(self) && members.iter().filter(|&&there| there).count() == 1
    }
}

fn node(wire: Wire, pointer: &str, depth: usize) -> Result<Node, Violation> {
    if depth > NESTING_MAX {
        return Err(Violation::new(
            pointer,
            format!("the filter nests deeper than the limit of {NESTING_MAX}"),
        ));
    }
    if !wire.is_one(|_| true) {
        let detail = "a node has exactly one of and, or, not, field, exists, text";
        return Err(Violation::new(pointer, detail));
    }
    let deeper = |wire, pointer: &str| node(wire, pointer, depth + 1);
    match wire {
        Wire { and: Some(parts), .. } => {
            list(parts, &format!("{pointer}/and"), deeper).map(Node::all)
        }
        Wire { or: Some(parts), .. } => {
            list(parts, &format!("{pointer}/or"), deeper).map(Node::any)
        }
        Wire { not: Some(part), .. } => {
            deeper(*part, &format!("{pointer}/not")).map(|part| Node::Not(Box::new(part)))
        }
        Wire { exists: Some(text), .. } => {
            path(&text, &format!("{pointer}/exists")).map(Node::Exists)
        }
        Wire { text: Some(text), .. } => word(&text, &format!("{pointer}/text")),
        clause => comparison(clause, pointer),
    }
}

fn list(
    parts: Vec<Wire>,
    pointer: &str,
    each: impl Fn(Wire, &str) -> Result<Node, Violation>,
) -> Result<Vec<Node>, Violation> {
    if parts.is_empty() {
        return Err(Violation::new(
            pointer,
            "an empty list; only the whole filter may be {\"and\":[]}",
        ));
    }
    parts
        .into_iter()
        .enumerate()
        .map(|(index, part)| each(part, &format!("{pointer}/{index}")))
        .collect()
}

fn path(text: &str, pointer: &str) -> Result<Path, Violation> {
    Path::parse(text).map_err(|error| Violation::new(pointer, format!("not a field: {error}")))
}

fn pattern(text: &str, pointer: &str) -> Result<Pattern, Violation> {
    Pattern::parse(text).ok_or_else(|| {
        Violation::new(pointer, "a backslash stands before a star or a backslash only")
    })
}

fn word(text: &str, pointer: &str) -> Result<Node, Violation> {
    if text.is_empty() {
        return Err(Violation::new(pointer, "an empty word"));
    }
    pattern(text, pointer).map(Node::Word)
}

fn comparison(wire: Wire, pointer: &str) -> Result<Node, Violation> {
    let (Some(field), Some(op)) = (wire.field, wire.op) else {
        return Err(Violation::new(pointer, "a comparison has field, op, and value or relative"));
    };
    let path = path(&field, &format!("{pointer}/field"))?;
    let comparator = Comparator::of_symbol(&op);
    match (wire.value, wire.relative, comparator) {
        (Some(value), None, Some(comparator)) => {
            Ok(Node::Compare(path, comparator, Operand::Text(value.into())))
        }
        (Some(value), None, None) if op == ":" => {
            pattern(&value, &format!("{pointer}/value")).map(|pattern| Node::Match(path, pattern))
        }
        (None, Some(text), Some(comparator)) if comparator.orders() => {
            let relative = relative(&text).ok_or_else(|| {
                Violation::new(format!("{pointer}/relative"), "not a time relative to now")
            })?;
            Ok(Node::Compare(path, comparator, Operand::Relative(relative)))
        }
        (None, Some(_), _) => {
            Err(Violation::new(format!("{pointer}/op"), "a relative time needs one of < <= > >="))
        }
        (Some(_), None, None) => {
            Err(Violation::new(format!("{pointer}/op"), "op is one of : = != < <= > >="))
        }
        _ => Err(Violation::new(pointer, "a comparison has either value or relative")),
    }
}

fn relative(text: &str) -> Option<Relative> {
    let rest = text.strip_prefix("now")?;
    if rest.is_empty() {
        return Some(Relative { offset: None });
    }
    let mut letters = rest.chars();
    let unit = letters.next_back().and_then(Unit::of_letter)?;
    let signed = letters.as_str();
    let digits = signed.strip_prefix(['+', '-'])?;
    let plain = (1..=Relative::DIGITS_MAX).contains(&digits.len());
    if !plain || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let amount = signed.parse().ok()?;
    Some(Relative { offset: Some((amount, unit)) })
}
