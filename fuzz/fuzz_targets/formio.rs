//! Any bytes, read as lines of a Form.io log: no panic, no event that intake refuses, nothing lost.
#![no_main]

use attestary_event::{
    Limits, Timestamp,
    actions::KnownActions,
    intake::{Context, DigestKey, Door, accept},
};
use attestary_formats::intake::formio::{LINE_BYTES_MAX, Reader};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|log: &[u8]| {
    let limits = Limits::default();
    let context = Context {
        now: Timestamp(1_795_307_951_123),
        actions: KnownActions::builtin(),
        limits: &limits,
        default_tenant: None,
    };
    let digest_key = DigestKey::new(&[0; 32]);
    let mut reader = Reader::default();
    let mut items: Vec<_> =
        log.split(|b| *b == b'\n').filter_map(|line| reader.push_line(line)).collect();
    items.extend(std::iter::from_fn(|| reader.finish()));
    for item in &items {
        let submission = item.submission(item.event_id(&[0; 32], "t"), "t");
        accept(&submission, Door::Adapter, &context, &digest_key)
            .expect("intake accepts every item");
    }

    // Where nothing is wrapped or cut, the items' lines are the log's, blank ones aside.
    let lines = |text: &[u8]| -> Vec<Vec<u8>> {
        let lines =
            text.split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        lines.filter(|line| !line.trim_ascii().is_empty()).map(<[u8]>::to_vec).collect()
    };
    let whole =
        lines(log).iter().all(|line| line.len() <= LINE_BYTES_MAX && !line.starts_with(b"{"));
    if whole {
        let kept: Vec<_> = items.iter().flat_map(|item| lines(&item.raw)).collect();
        assert_eq!(kept, lines(log));
    }
});
