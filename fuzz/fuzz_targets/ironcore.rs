//! Any body of a security event: no panic, and what is accepted is delivered with its name and requester.
#![no_main]

use attestary_event::{
    EnvironmentId, Event, EventId, Fields, Limits, Timestamp, View,
    actions::KnownActions,
    intake::{Context, DigestKey, Door, accept},
};
use attestary_formats::{intake::ironcore as intake, ironcore};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let limits = Limits::default();
    let context = Context {
        now: Timestamp(1_795_307_951_123),
        actions: KnownActions::builtin(),
        limits: &limits,
        default_tenant: None,
    };
    if let Ok(reports) = intake::report_operations(body, &limits) {
        assert!(reports.len() <= 2);
    }
    let mapped = match intake::parse(body, &limits) {
        Ok(mapped) => mapped,
        Err(refusal) => return assert!(!refusal.body().contains(intake::SUCCESS)),
    };
    let Ok(accepted) = accept(&mapped.json, Door::Adapter, &context, &DigestKey::new(&[0; 32]))
    else {
        return;
    };
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
    let mut delivered = Vec::new();
    ironcore::encode(&View { event: &event, fields: &accepted.fields }, &mut delivered);
    let roomy = Limits { event_bytes_max: 1 << 20, fields_max: 4_096, ..limits };
    let delivered = Fields::parse(&delivered, &roomy).expect("the delivered form is JSON");
    for (theirs, ours) in
        [("/iclFields/event", "/action"), ("/iclFields/requestingId", "/actor/id")]
    {
        assert_eq!(
            delivered.get(theirs).map(|f| f.value),
            accepted.fields.get(ours).map(|f| f.value)
        );
    }
});
