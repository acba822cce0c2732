//! The golden events in every format: what tests of several formats share.
//!
//! `worked` is the event of the reference page, `full` has every member and text that breaks careless encoders. The
//! expected records lie beside them, one file per event and format.

use std::path::PathBuf;

use attestary_event::{Event, actions::KnownActions, event::write_hex};

use crate::{
    Format,
    json::{
        decode,
        tests::{FULL, WORKED, with_view},
    },
};

/// Returns the event's record in a format that is given as in a destination's configuration.
pub(crate) fn record(event: &Event, format: &str) -> String {
    let format: Format = serde_json::from_str(format).unwrap();
    let mut out = Vec::new();
    with_view(event, |view| format.encode(view, KnownActions::builtin(), &mut out));
    String::from_utf8(out).unwrap()
}

/// Compares both golden events with `golden/worked.<extension>` and `golden/full.<extension>`.
///
/// With `ATTESTARY_BLESS` set it writes them instead; read the difference before committing it.
#[track_caller]
pub(crate) fn check_golden(format: &str, extension: &str) {
    for (name, line) in [("worked", WORKED), ("full", FULL)] {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("src/golden")
            .join(format!("{name}.{extension}"));
        let record = record(&decode(line.trim_end().as_bytes()).unwrap(), format) + "\n";
        if std::env::var_os("ATTESTARY_BLESS").is_some() {
            std::fs::write(&path, &record).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap();
        assert_eq!(record, expected, "{}", path.display());
    }
}

/// Checks that a reader finds id, seq and leaf hash of the event, as texts.
#[track_caller]
pub(crate) fn check_integrity(
    event: &Event,
    id: Option<&str>,
    seq: Option<&str>,
    leaf_hash: Option<&str>,
) {
    let mut hex = Vec::new();
    write_hex(&event.leaf_hash, &mut hex);
    assert_eq!(id, Some(event.id.to_string().as_str()));
    assert_eq!(seq, Some(event.seq.to_string().as_str()));
    assert_eq!(leaf_hash.map(str::as_bytes), Some(hex.as_slice()));
}
