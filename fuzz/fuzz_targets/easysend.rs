//! Any payload of EasySend's: no panic, and what is accepted goes out with its event name and time.
#![no_main]

use attestary_event::{
    EnvironmentId, Event, EventId, Fields, Limits, TenantId, Timestamp, View,
    actions::KnownActions,
    intake::{Context, DigestKey, Door, accept},
};
use attestary_formats::{Format, intake::easysend};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let limits = Limits::default();
    let Ok(mapped) = easysend::parse(body, None, &limits) else { return };
    let tenant = TenantId::parse("fuzz").expect("a valid tenant");
    let context = Context {
        now: Timestamp(1_795_307_951_123),
        actions: KnownActions::builtin(),
        limits: &limits,
        default_tenant: Some(&tenant),
    };
    let key = DigestKey::new(&[0; 32]);
    let Ok(accepted) = accept(&mapped.json, Door::Adapter, &context, &key) else { return };
    let event = Event {
        id: EventId([1; 16]),
        tenant: accepted.tenant,
        environment: EnvironmentId::restored("fuzz"),
        seq: 1,
        received_at: context.now,
        flags: 0,
        leaf_hash: [2; 32],
        body: accepted.body.into(),
    };
    let roomy = Limits { event_bytes_max: 1 << 20, fields_max: 4_096, ..limits };
    for payload in ["a", "b"] {
        let format = format!(r#"{{"type":"easysend","payload":"{payload}"}}"#);
        let format: Format = serde_json::from_str(&format).expect("a valid format");
        let mut out = Vec::new();
        let view = View { event: &event, fields: &accepted.fields };
        format.encode(&view, KnownActions::builtin(), &mut out);
        let out = Fields::parse(&out, &roomy).expect("the payload is JSON");
        assert!(out.get("/@timestamp").is_some());
    }
});
