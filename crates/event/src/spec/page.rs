//! The reference page of the event.
/// Returns `docs/reference/event.md`.
pub fn reference_page() -> String { String::new() }
