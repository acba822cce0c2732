//! The driver with scripted transports, in virtual time; and all four types beside a hanging one, over real sockets.

use std::sync::Mutex;

use attestary_event::{EnvironmentId, Event, EventId, TenantId, Timestamp, filter::Filter};
use futures::future::BoxFuture;
use tokio::{io::AsyncReadExt as _, net::TcpListener};

use super::*;
use crate::{
    BatchLimits, DestinationConfig, DestinationId, LineWriter, ManagedBy, Phase, Policy, ReadError,
    SaveError,
    destination::Request,
    verdict::{Failure, Reply, Response},
};

/// A log in memory, a memory that keeps the last state, and a clock that stands still.
struct World {
    events: Mutex<Vec<Event>>,
    size: watch::Sender<u64>,
    saved: Mutex<Vec<State>>,
    facts: Mutex<Facts>,
    /// How many saves fail before one succeeds again.
    failing_saves: Mutex<u32>,
}

impl World {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            events: Mutex::default(),
            size: watch::channel(0).0,
            saved: Mutex::default(),
            facts: Mutex::default(),
            failing_saves: Mutex::default(),
        })
    }

    fn append(&self, actions: &[&str]) {
        let mut events = self.events.lock().unwrap();
        for action in actions {
            let seq = events.len() as u64;
            events.push(Event {
                id: EventId([seq as u8; 16]),
                tenant: TenantId::restored("acme"),
                environment: EnvironmentId::restored("production"),
                seq,
                received_at: Timestamp(seq as i64),
                flags: 0,
                leaf_hash: [0; 32],
                body: format!(r#"{{"action":"{action}","occurred_at":"2026-11-22T00:39:11.123Z","actor":{{"type":"user","id":"u1"}}}}"#)
                    .into_bytes()
                    .into(),
            });
        }
        self.size.send_replace(events.len() as u64);
    }

    fn saved_cursor(&self) -> Option<u64> {
        self.saved.lock().unwrap().last().map(|state| state.cursor)
    }
}

impl Log for World {
    fn read(
        &self,
        from_seq: u64,
        events_max: usize,
        _: usize,
    ) -> BoxFuture<'_, Result<Vec<Event>, ReadError>> {
        let events = self.events.lock().unwrap();
        let found =
            events.iter().filter(|event| event.seq >= from_seq).take(events_max).cloned().collect();
        Box::pin(async move { Ok(found) })
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.size.subscribe()
    }
}

impl Memory for World {
    fn save<'a>(
        &'a self,
        _: &'a DestinationId,
        state: &'a State,
        facts: &'a Facts,
    ) -> BoxFuture<'a, Result<(), SaveError>> {
        let mut failing = self.failing_saves.lock().unwrap();
        if *failing > 0 {
            *failing -= 1;
            return Box::pin(async { Err(SaveError("the disk is full".to_owned())) });
        }
        self.saved.lock().unwrap().push(state.clone());
        let mut all = self.facts.lock().unwrap();
        all.attempts.extend(facts.attempts.clone());
        all.gaps.extend(facts.gaps.clone());
        all.quarantined.extend(facts.quarantined.clone());
        Box::pin(async { Ok(()) })
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000)
    }
}

impl Rng for World {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

/// Answers by a function of the seqs, and remembers what it was sent.
struct Scripted {
    sent: Arc<Mutex<Vec<Vec<u64>>>>,
    answer: fn(usize, &[u64]) -> Answer,
}

enum Answer {
    Status(u16),
    After(Duration, u16),
    Broken(u64),
    Never,
}

impl Transport for Scripted {
    fn carry(&mut self, request: Request) -> BoxFuture<'_, Reply> {
        Box::pin(async move {
            let Request::Http { body, .. } = request else { panic!("webhooks make HTTP requests") };
            let events: Vec<serde_json::Value> = serde_json::from_slice(&body).unwrap();
            let seqs: Vec<u64> =
                events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
            let nth = {
                let mut sent = self.sent.lock().unwrap();
                sent.push(seqs.clone());
                sent.len() - 1
            };
            let status = |status| Reply::Http(Response { status, ..Response::default() });
            match (self.answer)(nth, &seqs) {
                Answer::Status(code) => status(code),
                Answer::After(delay, code) => {
                    sleep(delay).await;
                    status(code)
                }
                Answer::Broken(seq) => {
                    let failure = Failure::new(Cause::Broken, "broken");
                    Reply::Failed(Failure { resend_from: Some(seq), ..failure })
                }
                Answer::Never => std::future::pending().await,
            }
        })
    }
}

fn parts(world: &Arc<World>) -> Components {
    Components {
        log: world.clone(),
        memory: world.clone(),
        clock: world.clone(),
        rng: world.clone(),
        guard: Guard::system(Policy { loopback: true, ..Policy::default() }),
        output: Arc::new(LineWriter::new(tokio::io::sink())),
        file_root: None,
        actions: Arc::new(KnownActions::default()),
    }
}

fn spec(kind: &str, config: serde_json::Value, filter: &str) -> Spec {
    Spec {
        id: DestinationId::new(0, [7; 10]),
        environment: EnvironmentId::restored("production"),
        tenant: TenantId::restored("acme"),
        name: "siem".to_owned(),
        managed_by: ManagedBy::Operator,
        destination: DestinationConfig::validate(kind, &config, ManagedBy::Operator).unwrap().0,
        format: attestary_formats::Format::default(),
        filter: Filter::parse(filter).unwrap(),
        batch: BatchLimits { events_max: 4, ..BatchLimits::default() },
        checkpoint_seconds: 0,
        replay: None,
    }
}

fn webhook(filter: &str) -> Spec {
    spec("webhook", serde_json::json!({ "url": "https://siem.example.com/" }), filter)
}

type Sent = Arc<Mutex<Vec<Vec<u64>>>>;

fn start(world: &Arc<World>, filter: &str, answer: fn(usize, &[u64]) -> Answer) -> (Handle, Sent) {
    let sent = Sent::default();
    let seen = sent.clone();
    let opener: Opener = Box::new(move |_, _, _| Box::new(Scripted { sent: seen.clone(), answer }));
    let state = State::new(0, Timestamp(0));
    (spawn_with(webhook(filter), Secrets::default(), state, parts(world), opener), sent)
}

async fn until(handle: &Handle, reached: impl Fn(&Status) -> bool) -> Status {
    let mut watch = handle.watch();
    watch.wait_for(|status| reached(status)).await.unwrap();
    handle.status()
}

/// Ten thousand destinations wait in 64 MB: what waits must not carry what sends.
#[test]
fn a_task_that_waits_is_small() {
    fn of<Future>(_: impl FnOnce(Driver) -> Future) -> usize {
        size_of::<Future>()
    }
    let (driver, task) = (size_of::<Driver>(), of(Driver::run));
    assert!(task < driver + 3_000, "{task} bytes, of which {driver} are the driver's");
}

#[tokio::test(start_paused = true)]
async fn what_is_in_the_log_arrives_in_order_and_is_saved_before_the_next_send() {
    let world = World::new();
    world.append(&["a"; 10]);
    let (handle, sent) = start(&world, "", |_, _| Answer::Status(200));
    let status = until(&handle, |status| status.cursor == 10).await;
    assert_eq!((status.lag_events, status.state, status.totals.delivered), (0, Phase::Active, 10));
    handle.stop().await;
    assert_eq!(*sent.lock().unwrap(), [vec![0, 1, 2, 3], vec![4, 5, 6, 7], vec![8, 9]]);
    assert_eq!(world.saved_cursor(), Some(10));
    // Each range was saved, with the confirmation of the one before, before it was sent.
    let saved = world.saved.lock().unwrap();
    let ranges: Vec<(u64, u64)> = saved
        .iter()
        .filter_map(|state| state.pending.map(|pending| (state.cursor, pending.last_seq)))
        .collect();
    assert_eq!(ranges, [(0, 3), (4, 7), (8, 9)]);
    assert_eq!(world.facts.lock().unwrap().attempts.len(), 3);
}

// seeds: IC-17
#[tokio::test(start_paused = true)]
async fn a_live_event_leaves_at_once_and_its_neighbours_follow_together() {
    let world = World::new();
    let (handle, sent) = start(&world, "", |_, _| Answer::Status(200));
    tokio::task::yield_now().await;
    let begun = Instant::now();
    world.append(&["a"]);
    until(&handle, |status| status.cursor == 1).await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
    for _ in 0..2 {
        sleep(Duration::from_millis(1)).await;
        world.append(&["a"]);
    }
    until(&handle, |status| status.cursor == 3).await;
    assert_eq!(
        (begun.elapsed().as_millis() / 5, sent.lock().unwrap().clone()),
        (1, vec![vec![0], vec![1, 2]])
    );
}

#[tokio::test(start_paused = true)]
async fn only_what_the_filter_selects_is_sent_and_the_rest_counts_as_confirmed() {
    let world = World::new();
    world.append(&["a", "b", "a", "b", "b"]);
    let (handle, sent) = start(&world, "action:a", |_, _| Answer::Status(200));
    until(&handle, |status| status.cursor == 5).await;
    handle.stop().await;
    assert_eq!((sent.lock().unwrap().clone(), world.saved_cursor()), (vec![vec![0, 2]], Some(5)));
}

#[tokio::test(start_paused = true)]
async fn a_failing_destination_shows_why_and_recovers() {
    let world = World::new();
    world.append(&["a"]);
    let (handle, sent) =
        start(&world, "", |nth, _| Answer::Status(if nth < 5 { 503 } else { 200 }));
    let failing = until(&handle, |status| status.failures == 3).await;
    assert_eq!(
        (failing.state, failing.reason.code, failing.cursor),
        (Phase::Failing, Cause::Unavailable, 0)
    );
    assert!(failing.retry_at_ms.is_some() && failing.lag_events == 1);
    let fine = until(&handle, |status| status.cursor == 1).await;
    assert_eq!((fine.state, fine.failures, sent.lock().unwrap().len()), (Phase::Active, 0, 6));
    assert!(fine.last_error.is_some() && fine.last_success_ms.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_pause_during_an_attempt_is_answered_at_once_and_the_attempt_counts() {
    let world = World::new();
    world.append(&["a"]);
    let (handle, sent) = start(&world, "", |_, _| Answer::After(Duration::from_secs(20), 200));
    sleep(Duration::from_secs(1)).await;
    let begun = Instant::now();
    handle.pause("holiday").await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1));
    let status = until(&handle, |status| status.cursor == 1).await;
    assert_eq!((status.state, status.reason.code), (Phase::Paused, Cause::User));
    world.append(&["a"]);
    sleep(Duration::from_hours(2)).await;
    assert_eq!(sent.lock().unwrap().len(), 1);
    handle.resume().await.unwrap();
    until(&handle, |status| status.cursor == 2).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_while_the_state_cannot_be_saved() {
    let world = World::new();
    world.append(&["a"; 8]);
    *world.failing_saves.lock().unwrap() = 5;
    let (_handle, sent) = start(&world, "", |_, _| Answer::Status(200));
    sleep(Duration::from_secs(10)).await;
    assert_eq!(*sent.lock().unwrap(), Vec::<Vec<u64>>::new());
    sleep(Duration::from_secs(30)).await;
    assert_eq!(sent.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_command_that_comes_while_saving_fails_is_obeyed_afterwards() {
    let world = World::new();
    let (handle, _) = start(&world, "", |_, _| Answer::Status(200));
    *world.failing_saves.lock().unwrap() = 3;
    let (paused, resumed) = tokio::join!(handle.pause("holiday"), handle.resume());
    assert_eq!((paused, resumed), (Ok(()), Ok(())));
    assert_eq!(handle.status().state, Phase::Active);
    world.append(&["a"]);
    until(&handle, |status| status.cursor == 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_change_applies_from_the_cursor_on() {
    let world = World::new();
    world.append(&["a", "b", "a", "b"]);
    let (handle, sent) =
        start(&world, "action:a", |nth, _| Answer::Status(if nth < 2 { 500 } else { 200 }));
    until(&handle, |status| status.failures == 2).await;
    handle.change(webhook("action:b"), Secrets::default()).await.unwrap();
    until(&handle, |status| status.cursor == 4).await;
    assert_eq!(*sent.lock().unwrap(), [vec![0, 2], vec![0, 2], vec![1, 3]]);
}

#[tokio::test(start_paused = true)]
async fn a_test_is_a_round_trip_that_does_not_move_the_cursor() {
    let world = World::new();
    world.append(&["a"]);
    let (handle, _) = start(&world, "", |_, _| Answer::Status(401));
    until(&handle, |status| status.state == Phase::Paused).await;
    let attempt = handle.test().await.unwrap();
    assert_eq!(
        (attempt.status, attempt.verdict.as_str(), attempt.test),
        (Some(401), "pause", true)
    );
    assert_eq!((attempt.first_seq, attempt.events), (None, 1));
    assert_eq!((handle.status().cursor, world.saved_cursor()), (0, Some(0)));
    assert!(world.facts.lock().unwrap().attempts.iter().any(|attempt| attempt.test));
}

#[tokio::test(start_paused = true)]
async fn a_broken_stream_is_sent_again_from_where_it_is_in_doubt() {
    let world = World::new();
    world.append(&["a"; 10]);
    let (handle, sent) =
        start(&world, "", |nth, _| if nth == 2 { Answer::Broken(2) } else { Answer::Status(200) });
    until(&handle, |status| status.cursor == 10).await;
    let sent = sent.lock().unwrap().clone();
    assert_eq!(
        sent,
        [vec![0, 1, 2, 3], vec![4, 5, 6, 7], vec![8, 9], vec![2, 3, 4, 5], vec![6, 7, 8, 9]]
    );
}

#[tokio::test(start_paused = true)]
async fn what_retention_removed_is_passed_with_a_record() {
    let world = World::new();
    world.append(&["a"; 10]);
    world.events.lock().unwrap().drain(..7);
    let (handle, sent) = start(&world, "", |_, _| Answer::Status(200));
    until(&handle, |status| status.cursor == 10).await;
    handle.stop().await;
    assert_eq!(*sent.lock().unwrap(), [vec![7, 8, 9]]);
    let gaps = world.facts.lock().unwrap().gaps.clone();
    assert_eq!(gaps, [crate::Gap { first_seq: 0, last_seq: 6 }]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_ten_seconds_for_a_hanging_attempt() {
    let world = World::new();
    world.append(&["a"]);
    let (handle, _) = start(&world, "", |_, _| Answer::Never);
    sleep(Duration::from_secs(1)).await;
    let begun = Instant::now();
    handle.stop().await;
    assert_eq!((begun.elapsed(), world.saved_cursor()), (STOP_GRACE, Some(0)));
    assert_eq!(handle.resume().await, Err(Stopped));
}

#[tokio::test(start_paused = true)]
async fn one_hanging_destination_delays_no_other() {
    let world = World::new();
    let (_hanging, _) = start(&world, "", |_, _| Answer::Never);
    let live: Vec<Handle> =
        (0..9).map(|_| start(&world, "", |_, _| Answer::Status(200)).0).collect();
    tokio::task::yield_now().await;
    for round in 1..=50 {
        let begun = Instant::now();
        world.append(&["a"]);
        for handle in &live {
            until(handle, |status| status.cursor == round).await;
        }
        assert!(begun.elapsed() < Duration::from_millis(5), "{:?}", begun.elapsed());
        sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test]
async fn every_type_delivers_beside_a_receiver_that_hangs() {
    let (hanging, silent) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), World::new());
    let hung = spec(
        "webhook",
        serde_json::json!({ "url": format!("http://{}/", hanging.local_addr().unwrap()) }),
        "",
    );
    silent.append(&["a"; 3]);
    let hung = spawn(hung, Secrets::default(), State::new(0, Timestamp(0)), parts(&silent));

    let world = World::new();
    world.append(&["a"; 3]);
    let root = tempfile::tempdir().unwrap();
    let (near, mut output) = tokio::io::duplex(1 << 16);
    let parts = Components {
        file_root: Some(root.path().to_owned()),
        output: Arc::new(LineWriter::new(near)),
        ..parts(&world)
    };
    let octets = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let lines = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let syslog = |listener: &TcpListener, framing: &str| {
        let address = listener.local_addr().unwrap().to_string();
        spec(
            "syslog",
            serde_json::json!({ "address": address, "transport": "tcp", "framing": framing }),
            "",
        )
    };
    let specs = [
        syslog(&octets, "octet-counting"),
        syslog(&lines, "lf"),
        spec("file", serde_json::json!({ "path": "audit.ndjson" }), ""),
        spec("stdout", serde_json::json!({}), ""),
    ];
    let handles = specs
        .map(|spec| spawn(spec, Secrets::default(), State::new(0, Timestamp(0)), parts.clone()));
    for handle in &handles {
        let delivered = until(handle, |status| status.cursor == 3);
        tokio::time::timeout(Duration::from_secs(20), delivered)
            .await
            .expect("a live destination delivers");
    }
    assert_eq!(hung.status().cursor, 0);

    let file = std::fs::read_to_string(root.path().join("production/acme/audit.ndjson")).unwrap();
    check_lines(&file, "{", "}");
    let mut read = vec![0; 1 << 16];
    let bytes = output.read(&mut read).await.unwrap();
    check_lines(std::str::from_utf8(&read[..bytes]).unwrap(), "{", "}");
    check_lines(&received(&lines).await, "<", "}");
    check_frames(&received(&octets).await);
}

/// Reads what stands in the first connection of a listener.
async fn received(listener: &TcpListener) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut read = vec![0; 1 << 16];
    let bytes = stream.read(&mut read).await.unwrap();
    String::from_utf8(read[..bytes].to_vec()).unwrap()
}

#[track_caller]
fn check_lines(text: &str, start: &str, end: &str) {
    let seqs: Vec<bool> = text
        .lines()
        .enumerate()
        .map(|(seq, line)| {
            line.starts_with(start)
                && line.ends_with(end)
                && line.contains(&format!("\"seq\":{seq}"))
        })
        .collect();
    assert_eq!((seqs.as_slice(), text.ends_with('\n')), ([true; 3].as_slice(), true), "{text}");
}

#[track_caller]
fn check_frames(mut text: &str) {
    for seq in 0..3 {
        let (length, rest) = text.split_once(' ').unwrap();
        let (frame, rest) = rest.split_at(length.parse().unwrap());
        assert!(frame.starts_with("<") && frame.contains(&format!("\"seq\":{seq}")), "{frame}");
        text = rest;
    }
    assert_eq!(text, "");
}
