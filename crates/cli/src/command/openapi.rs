//! `attestary openapi`: the description of the HTTP API, as the server serves it.

use crate::output;

/// Prints the document.
pub(crate) fn run() -> anyhow::Result<()> {
    output::line(attestary_api::openapi_document().trim_end());
    Ok(())
}
