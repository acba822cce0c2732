//! Any bytes, read as a stream of syslog: no panic, bounded memory, the same messages however the stream is cut, and
//! events that intake accepts or refuses by name.
#![no_main]

use attestary_event::{
    Limits, Timestamp,
    actions::KnownActions,
    intake::{Context, DigestKey, Door, accept},
};
use attestary_formats::intake::syslog::{
    Content,
    frames::{Frame, Frames},
    read,
};
use libfuzzer_sys::fuzz_target;

const MESSAGE_BYTES_MAX: usize = 2_048;

fn frames(stream: &[u8], piece: usize) -> Vec<Frame> {
    let mut frames = Frames::new(MESSAGE_BYTES_MAX);
    let mut found = Vec::new();
    for bytes in stream.chunks(piece) {
        frames.push(bytes);
        found.extend(std::iter::from_fn(|| frames.next()));
    }
    found.extend(std::iter::from_fn(|| frames.finish()));
    found
}

fuzz_target!(|stream: &[u8]| {
    let limits = Limits::default();
    let now = Timestamp(1_795_307_951_123);
    let context =
        Context { now, actions: KnownActions::builtin(), limits: &limits, default_tenant: None };
    let digest_key = DigestKey::new(&[0; 32]);
    let whole = frames(stream, stream.len().max(1));
    assert_eq!(whole, frames(stream, 7), "the cuts make no difference");
    for frame in whole {
        let Frame::Message(bytes) = frame else { continue };
        assert!(!bytes.is_empty() && bytes.len() <= MESSAGE_BYTES_MAX);
        let message = read(&bytes, now);
        let Ok(mapped) = message.map("192.0.2.1", &limits) else {
            assert_eq!(message.content(), Content::Cef, "only CEF can be malformed");
            continue;
        };
        let mut submission = br#"{"tenant":"t","#.to_vec();
        submission.extend_from_slice(&mapped.json[1..]);
        // Lengths of single members are intake's to judge; what it says must be about them.
        if let Err(violations) = accept(&submission, Door::Adapter, &context, &digest_key) {
            assert!(violations.iter().all(|violation| !violation.pointer.is_empty()), "{violations:?}");
        }
    }
});
