//! The known actions as a reference page.
use super::KnownActions;

/// Returns `docs/reference/actions.md`.
pub fn reference_page(_known: &KnownActions) -> String {
    String::new()
}
