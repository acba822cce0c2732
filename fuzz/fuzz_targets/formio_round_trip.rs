//! Any line that becomes one event goes out as that line, its inner line ends as escapes.
#![no_main]

use attestary_event::{
    EnvironmentId, Event, EventId, TenantId, Timestamp, View, actions::KnownActions,
};
use attestary_formats::{
    Format,
    intake::formio::{LINE_BYTES_MAX, Reader},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    if line.contains(&b'\n') || line.len() > LINE_BYTES_MAX {
        return;
    }
    let mut reader = Reader::default();
    let first = reader.push_line(line);
    let Some(item) = first.or_else(|| reader.finish()) else { return };
    // Of a long line with wrong UTF-8 not all exact bytes are kept.
    let inexact = item.flags.contains(&"invalid-utf8") && line.len() > 8 * 1024;
    if inexact || item.flags.contains(&"truncated") {
        return;
    }
    let event = Event {
        id: EventId([1; 16]),
        tenant: TenantId::restored("acme"),
        environment: EnvironmentId::restored("fuzz"),
        seq: 1,
        received_at: Timestamp(1_795_307_951_123),
        flags: 0,
        leaf_hash: [2; 32],
        body: item.json.clone().into(),
    };
    let fields = event.fields();
    let format: Format = serde_json::from_str(r#"{"type":"formio"}"#).expect("a format");
    let mut out = Vec::new();
    format.encode(&View { event: &event, fields: &fields }, KnownActions::builtin(), &mut out);
    let mut expected = Vec::new();
    for &byte in &item.raw {
        match byte {
            b'\n' => expected.extend_from_slice(b"\\n"),
            b'\r' => expected.extend_from_slice(b"\\r"),
            0 => expected.extend_from_slice(b"\\0"),
            byte => expected.push(byte),
        }
    }
    assert_eq!(out, expected);
});
