//! Any text: refused inside itself, or a filter whose forms give it back and whose bounds hold.
#![no_main]

use std::sync::LazyLock;

use attestary_event::{
    EnvironmentId, Event, EventId, Fields, Limits, TenantId, Timestamp, View,
    filter::{Bounds, Filter},
};
use libfuzzer_sys::fuzz_target;

const BODY: &[u8] = br#"{"action":"user.login","occurred_at":"2026-11-22T00:39:11.123Z","actor":{"type":"user","id":"u_1","name":"Alice"},"targets":[{"type":"a","id":"b"},{"type":"c","id":"d"}],"context":{"ip":"10.20.30.40"},"outcome":"failure","severity":5,"category":"a","labels":["a","b"],"metadata":{"a":1.50,"b":[{"c":"x"},[true,null]],"a.b":"2026-11-23"}}"#;

static EVENT: LazyLock<(Event, Fields)> = LazyLock::new(|| {
    let event = Event {
        id: EventId([7; 16]),
        tenant: TenantId::restored("acme"),
        environment: EnvironmentId::restored("production"),
        seq: 7,
        received_at: Timestamp(1_795_307_951_127),
        flags: 0,
        leaf_hash: [0xab; 32],
        body: BODY.into(),
    };
    (event, Fields::parse(BODY, &Limits::default()).expect("the body is valid"))
});

fn admits(bounds: &Bounds, event: &Event, fields: &Fields) -> bool {
    let text = |pointer: &str| fields.get(pointer).map(|field| field.value);
    let targets = [
        (text("/targets/0/type"), text("/targets/0/id")),
        (text("/targets/1/type"), text("/targets/1/id")),
    ];
    bounds.admits_texts(|column| text(column.pointer().expect("a text column")))
        && bounds.admits_targets(targets.into_iter())
        && bounds.admits_numbers(5, 1_795_307_951_123, event.received_at.0, event.seq)
        && bounds.admits_id(event.id)
}

fuzz_target!(|text: &str| {
    let filter = match Filter::parse(text) {
        Ok(filter) => filter,
        Err(error) => {
            assert!(text.get(error.offset..error.offset + error.length).is_some(), "{error:?}");
            return;
        }
    };
    let canonical = filter.to_string();
    assert_eq!(Filter::parse(&canonical).as_ref(), Ok(&filter));
    assert_eq!(Filter::from_json(&filter.to_json()).as_ref(), Ok(&filter));
    let (event, fields) = &*EVENT;
    let filter = filter.resolve(event.received_at);
    if filter.matches(&View { event, fields }) {
        assert!(admits(&filter.bounds(), event, fields), "{canonical}");
    }
});
