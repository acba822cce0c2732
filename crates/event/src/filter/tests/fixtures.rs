//! Runs `fixtures/filter/*.json`.

use serde_json::Value;

use super::*;

fn fixture(name: &str) -> Value {
    let path = format!("{}/../../fixtures/filter/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(&path).expect(&path)).expect(&path)
}

/// Runs `check` on every case and reports all that differ.
fn each_case(name: &str, check: impl Fn(&Value, &Value) -> Result<(), String>) {
    let file = fixture(name);
    let cases = file["cases"].as_array().expect("cases");
    assert!(cases.len() > 30, "{name} lost its cases");
    let wrong: Vec<_> = cases
        .iter()
        .filter_map(|case| {
            check(case, &file).err().map(|found| format!("{case}\n   found {found}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{name}: {} wrong\n{}", wrong.len(), wrong.join("\n"));
}

fn same<T: PartialEq + fmt::Debug>(found: &T, expected: &T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{found:?}")) }
}

#[test]
fn texts_parse_to_their_json_form() {
    each_case("parse", |case, _| {
        let text = case["text"].as_str().expect("text");
        let filter = Filter::parse(text).map_err(|error| error.to_string())?;
        same(&filter.to_json(), &case["json"])?;
        same(&Filter::from_json(&case["json"]).map_err(|error| error.to_string())?, &filter)?;
        same(&Filter::parse(&filter.to_string()).map_err(|error| error.to_string())?, &filter)
    });
}

#[test]
fn json_forms_print_their_canonical_text() {
    each_case("print", |case, _| {
        let filter = Filter::from_json(&case["json"]).map_err(|error| error.to_string())?;
        same(&filter.to_string(), &case["text"].as_str().expect("text").to_owned())?;
        let parsed = Filter::parse(&filter.to_string()).map_err(|error| error.to_string())?;
        same(&parsed, &filter)?;
        same(&Filter::from_json(&filter.to_json()).map_err(|error| error.to_string())?, &filter)
    });
}

#[test]
fn wrong_texts_are_refused_at_the_right_place() {
    each_case("errors", |case, _| {
        let text = match &case["repeat"] {
            Value::Null => case["text"].as_str().expect("text").to_owned(),
            repeat => {
                repeat["text"].as_str().unwrap().repeat(repeat["times"].as_u64().unwrap() as usize)
            }
        };
        let Err(error) = Filter::parse(&text) else { return Err("a filter".to_owned()) };
        assert!(
            text.is_char_boundary(error.offset)
                && text.is_char_boundary(error.offset + error.length)
        );
        let found = serde_json::json!({
            "reason": error.reason.name(), "offset": error.offset, "length": error.length, "expected": error.expected,
        });
        let members = ["reason", "offset", "length", "expected"];
        let expected = Value::Object(
            members.map(|name| (name.to_owned(), case[name].clone())).into_iter().collect(),
        );
        same(&found, &expected)
    });
}

#[test]
fn wrong_json_forms_are_refused_at_the_right_pointer() {
    each_case("json_errors", |case, _| match Filter::from_json(&case["json"]) {
        Ok(filter) => Err(filter.to_string()),
        Err(error) => same(&Value::from(error.pointer), &case["pointer"]),
    });
}

#[test]
fn filters_select_the_events_they_should() {
    each_case("match", |case, file| {
        let filter = Filter::parse(case["filter"].as_str().expect("filter"))
            .map_err(|error| error.to_string())?;
        let now = case["now"].as_str().map(|now| Timestamp::parse(now).expect("a time"));
        let filter = now.map_or(filter.clone(), |now| filter.resolve(now));
        let event = event(&file["events"][case["event"].as_str().expect("event")]);
        let fields = fields(&event);
        let found = filter.matches(&View { event: &event, fields: &fields });
        same(&Value::Bool(found), &case["matches"])
    });
}
