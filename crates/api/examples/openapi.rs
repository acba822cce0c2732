//! Prints the OpenAPI document: `cargo run -p attestary-api --example openapi > docs/openapi.json`.

use std::io::{self, Write as _};

fn main() -> io::Result<()> {
    io::stdout().write_all(attestary_api::openapi_document().as_bytes())
}
