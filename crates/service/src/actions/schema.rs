//! The part of JSON Schema that schemas of actions may use, compiled and checked without recursion into other files.
//!
//! Keywords: `type`, `properties`, `required`, `additionalProperties`, `items`, `enum`, `const`, `minLength`,
//! `maxLength`, `minimum`, `maximum`, `minItems`, `maxItems`; `title`, `description`, `default`, `examples` and
//! `$schema` say nothing about validity and are kept. Any other keyword is refused when the schema is made: a rule
//! that would silently not be checked is worse than none.

use attestary_event::Violation;
use serde_json::{Map, Value};

const CHECKED: [&str; 13] = [
    "type",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "enum",
    "const",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
];
const KEPT: [&str; 5] = ["title", "description", "default", "examples", "$schema"];
const TYPES: [&str; 7] = ["object", "array", "string", "number", "integer", "boolean", "null"];

/// Nesting of a schema at most.
const DEPTH_MAX: usize = 16;

/// Says what is wrong with a schema.
pub(super) fn check(schema: &Value, at: &str, depth: usize, wrong: &mut Vec<Violation>) {
    let mut refuse = |name: &str, detail: &str| {
        let pointer = if name.is_empty() { at.to_owned() } else { format!("{at}/{name}") };
        wrong.push(Violation::new(pointer, detail));
    };
    let Value::Object(schema) = schema else {
        return refuse("", "must be a JSON Schema: an object");
    };
    if depth > DEPTH_MAX {
        return refuse("", "is nested too deeply");
    }
    for (name, value) in schema {
        let valid = match name.as_str() {
            "type" => {
                types(value).is_some_and(|types| types.iter().all(|name| TYPES.contains(name)))
            }
            "properties" => value.is_object(),
            "required" => value.as_array().is_some_and(|names| names.iter().all(Value::is_string)),
            "additionalProperties" => value.is_boolean() || value.is_object(),
            "items" => value.is_object(),
            "enum" => value.as_array().is_some_and(|values| !values.is_empty()),
            "minLength" | "maxLength" | "minItems" | "maxItems" => value.is_u64(),
            "minimum" | "maximum" => value.is_number(),
            name => name == "const" || KEPT.contains(&name),
        };
        if !valid {
            let known = CHECKED.contains(&name.as_str());
            let detail = if known {
                "has a value that it cannot have"
            } else {
                "is a keyword that is not checked here"
            };
            refuse(name, detail);
        }
    }
    let nested = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    for (name, inner) in nested {
        check(inner, &format!("{at}/properties/{name}"), depth + 1, wrong);
    }
    for name in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get(name).filter(|inner| inner.is_object()) {
            check(inner, &format!("{at}/{name}"), depth + 1, wrong);
        }
    }
}

/// Adds how `value` breaks a schema that was checked.
pub(super) fn validate(schema: &Value, value: &Value, at: &str, wrong: &mut Vec<Violation>) {
    let Value::Object(schema) = schema else { return };
    let mut refuse = |detail: String| wrong.push(Violation::new(at, detail));
    if let Some(types) = schema.get("type").and_then(types)
        && !types.iter().any(|name| has_type(value, name))
    {
        return refuse(format!("must be of type {}", types.join(" or ")));
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array)
        && !values.iter().any(|allowed| equal(allowed, value))
    {
        refuse("is none of the values that the schema allows".into());
    }
    if schema.get("const").is_some_and(|only| !equal(only, value)) {
        refuse("is not the value that the schema asks for".into());
    }
    match value {
        Value::String(text) => {
            let length = text.chars().count() as u64;
            bounds(schema, "minLength", "maxLength", length, "characters", &mut refuse);
        }
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or(f64::NAN);
            let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
            if bound("minimum").is_some_and(|least| number < least) {
                refuse("is less than the schema's minimum".into());
            }
            if bound("maximum").is_some_and(|most| number > most) {
                refuse("is more than the schema's maximum".into());
            }
        }
        Value::Array(items) => {
            bounds(schema, "minItems", "maxItems", items.len() as u64, "items", &mut refuse);
            if let Some(inner) = schema.get("items") {
                for (index, item) in items.iter().enumerate() {
                    validate(inner, item, &format!("{at}/{index}"), wrong);
                }
            }
        }
        Value::Object(object) => validate_object(schema, object, at, wrong),
        _ => {}
    }
}

fn validate_object(
    schema: &Map<String, Value>,
    object: &Map<String, Value>,
    at: &str,
    wrong: &mut Vec<Violation>,
) {
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    for name in required.filter_map(Value::as_str).filter(|name| !object.contains_key(*name)) {
        wrong.push(Violation::new(format!("{at}/{name}"), "is required by the schema"));
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, value) in object {
        let pointer = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        match properties.and_then(|properties| properties.get(name)) {
            Some(inner) => validate(inner, value, &pointer, wrong),
            None => match schema.get("additionalProperties") {
                Some(Value::Bool(false)) => {
                    wrong.push(Violation::new(pointer, "is not a member that the schema knows"));
                }
                Some(inner) => validate(inner, value, &pointer, wrong),
                None => {}
            },
        }
    }
}

fn bounds(
    schema: &Map<String, Value>,
    least: &str,
    most: &str,
    count: u64,
    unit: &str,
    refuse: &mut impl FnMut(String),
) {
    let bound = |name: &str| schema.get(name).and_then(Value::as_u64);
    if let Some(least) = bound(least).filter(|least| count < *least) {
        refuse(format!("has at least {least} {unit}; this one has {count}"));
    }
    if let Some(most) = bound(most).filter(|most| count > *most) {
        refuse(format!("has at most {most} {unit}; this one has {count}"));
    }
}

fn types(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(name) => Some(vec![name.as_str()]),
        Value::Array(names) if !names.is_empty() => names.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

fn has_type(value: &Value, name: &str) -> bool {
    match (name, value) {
        ("integer", Value::Number(number)) => {
            number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|n| n.fract() == 0.0)
        }
        ("object", Value::Object(_))
        | ("array", Value::Array(_))
        | ("string", Value::String(_))
        | ("number", Value::Number(_))
        | ("boolean", Value::Bool(_))
        | ("null", Value::Null) => true,
        _ => false,
    }
}

/// Numbers are equal by value: 1 and 1.0 are the same.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn breaks(schema: &Value, value: &Value, expected: &[&str]) {
        let mut wrong = Vec::new();
        check(schema, "", 0, &mut wrong);
        assert!(wrong.is_empty(), "{wrong:?}");
        validate(schema, value, "", &mut wrong);
        let pointers: Vec<&str> =
            wrong.iter().map(|violation| violation.pointer.as_str()).collect();
        assert_eq!(pointers, expected, "{wrong:?}");
    }

    #[test]
    fn values_are_checked() {
        let schema = json!({ "type": "object", "required": ["a"], "additionalProperties": false, "properties": {
            "a": { "type": "string", "minLength": 2 }, "b": { "type": ["integer", "null"], "maximum": 5 },
            "c": { "type": "array", "items": { "enum": [1, "x"] }, "maxItems": 2 }, "d": { "const": true } } });
        breaks(&schema, &json!({ "a": "xx", "b": null, "c": [1.0, "x"], "d": true }), &[]);
        breaks(&schema, &json!({ "a": "x", "b": 6 }), &["/a", "/b"]);
        breaks(
            &schema,
            &json!({ "b": 1.5, "c": [1, 2, 3], "d": 1, "e/f": 0 }),
            &["/a", "/b", "/c", "/c/1", "/c/2", "/d", "/e~1f"],
        );
        breaks(&schema, &json!([]), &[""]);
        breaks(&json!({}), &json!({ "anything": 1 }), &[]);
    }

    #[test]
    fn keywords_that_are_not_checked_are_refused() {
        for (schema, pointer) in [
            (json!({ "pattern": "^a" }), "/pattern"),
            (json!({ "properties": { "a": { "$ref": "#" } } }), "/properties/a/$ref"),
            (json!({ "type": "text" }), "/type"),
            (json!({ "items": [1] }), "/items"),
            (json!(true), ""),
        ] {
            let mut wrong = Vec::new();
            check(&schema, "", 0, &mut wrong);
            assert_eq!(wrong[0].pointer, pointer, "{schema}");
        }
    }
}
