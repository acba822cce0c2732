//! The JSON Schema of the event.
/// Returns `docs/reference/event.schema.json`.
pub fn json_schema() -> String { String::new() }
