use bytes::Bytes;
use parquet::{
    file::reader::{FileReader as _, SerializedFileReader},
    record::{Field, Row},
};
use proptest::prelude::*;
use serde_json::json;

use super::*;

const RULES: Rules = Rules { free: &["metadata"], sorted_by: None };

fn lines(records: &[Value]) -> Vec<u8> {
    records.iter().flat_map(|record| format!("{record}\n").into_bytes()).collect()
}

fn rows(file: Vec<u8>) -> Vec<Value> {
    let reader = SerializedFileReader::new(Bytes::from(file)).unwrap();
    reader.get_row_iter(None).unwrap().map(|row| object(&row.unwrap())).collect()
}

fn object(row: &Row) -> Value {
    row.get_column_iter().map(|(name, field)| (name.clone(), json(field))).collect()
}

fn json(field: &Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(flag) => (*flag).into(),
        Field::Long(number) => (*number).into(),
        Field::Double(number) => (*number).into(),
        Field::Str(text) => text.as_str().into(),
        Field::Group(row) => object(row),
        Field::ListInternal(list) => list.elements().iter().map(json).collect(),
        other => panic!("{other:?} is written by nobody"),
    }
}

/// Leaves members out that are null: in a table they are the same as absent ones.
fn bare(value: &Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name.clone(), bare(value)))
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.iter().map(bare).collect()),
        other => other.clone(),
    }
}

#[test]
fn records_come_back_as_they_were() {
    let records = [
        json!({"seq": 1, "id": "a", "actor": {"id": "u", "groups": ["x", "y"]}, "ok": true, "size": 1.5}),
        json!({"seq": 2, "targets": [{"id": "t1", "tags": []}, {"id": "t2", "tags": ["a", null]}, {}]}),
        json!({"seq": 3, "actor": {"groups": []}, "targets": [], "id": "b\u{0}\r\n|\"\u{202e}\u{1d11e}"}),
        json!({"seq": 4, "actor": {}, "targets": null}),
    ];
    let file = encode(&lines(&records), &RULES).unwrap();
    assert_eq!(file, encode(&lines(&records), &RULES).unwrap(), "not the same bytes twice");
    let found = rows(file);
    let found: Vec<Value> = found.iter().map(bare).collect();
    assert_eq!(found, records.iter().map(bare).collect::<Vec<_>>());
}

#[test]
fn what_applications_name_and_what_differs_is_text() {
    let records = [
        json!({"metadata": {"a": 1, "b": [true]}, "mixed": 1, "big": 18_446_744_073_709_551_615_u64}),
        json!({"metadata": {"c": null}, "mixed": {"x": 1}, "big": 2}),
    ];
    let found = rows(encode(&lines(&records), &RULES).unwrap());
    assert_eq!(found[0]["metadata"], r#"{"a":1,"b":[true]}"#);
    assert_eq!(found[1]["metadata"], r#"{"c":null}"#);
    assert_eq!((&found[0]["mixed"], &found[1]["mixed"]), (&json!("1"), &json!(r#"{"x":1}"#)));
    assert_eq!(found[0]["big"], "18446744073709551615");
}

#[test]
fn rows_are_sorted_by_a_number() {
    let records =
        [json!({"time": 3, "n": 0}), json!({"time": 1, "n": 1}), json!({"time": 3, "n": 2})];
    let sorted = Rules { sorted_by: Some("time"), ..RULES };
    let found = rows(encode(&lines(&records), &sorted).unwrap());
    assert_eq!(found.iter().map(|row| row["n"].as_i64().unwrap()).collect::<Vec<_>>(), [1, 0, 2]);
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-d]", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Whatever the records are, the file is read and has as many rows; a member of one type comes back equal.
    #[test]
    fn any_records_make_a_file(members in prop::collection::vec(prop::collection::btree_map("[a-d]", value(), 1..4), 1..6)) {
        let records: Vec<Value> = members.iter().enumerate()
            .map(|(n, members)| {
                let mut record: serde_json::Map<String, Value> = members.clone().into_iter().collect();
                record.insert("seq".to_owned(), n.into());
                Value::Object(record)
            }).collect();
        let found = rows(encode(&lines(&records), &RULES).unwrap());
        let seqs: Vec<_> = found.iter().map(|row| row["seq"].as_u64().unwrap()).collect();
        prop_assert_eq!(seqs, (0..records.len() as u64).collect::<Vec<_>>());
    }
}
