//! Days of a receiver that answers event by event: some documents are taken, some refused, some put off.
//!
//! The same driver and engine as in the other days, in virtual time, with crashes, failing saves and lost answers.
//! The oracle: no event below a saved cursor is missing, only what the receiver refused is set aside, and an event
//! whose taking was certain is never sent again.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use attestary_event::{Event, EventId, Timestamp};
use bytes::Bytes;
use futures::future::BoxFuture;

use super::*;
use crate::{
    destination::Request,
    ports::{ReadError, SaveError},
    verdict::{Failure, Reply, Response},
};

/// A bug planted at a seam.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bug {
    /// What the answer says about single documents is not seen.
    ItemsUnseen,
    /// What was taken out of an open batch is not saved.
    SettledForgotten,
    /// The cursor is saved behind the whole batch.
    CursorPassesOpenItems,
}

const EVENTS: u64 = 300;

struct Inner {
    chance: Chance,
    poison: BTreeSet<u64>,
    stored: BTreeSet<u64>,
    doubtful: BTreeSet<u64>,
    aside: BTreeSet<u64>,
    saved: State,
    /// What was taken since the state was last saved: a crash makes it doubtful.
    unsaved: BTreeSet<u64>,
    counts: BTreeMap<&'static str, u64>,
    problem: Option<String>,
}

struct Cluster {
    inner: Mutex<Inner>,
    size: watch::Sender<u64>,
    bug: Option<Bug>,
}

impl Cluster {
    fn new(seed: u64, bug: Option<Bug>) -> Arc<Self> {
        let mut chance = Chance::new(seed);
        let poison = (0..EVENTS).filter(|_| chance.below(25) == 0).collect();
        let inner = Inner {
            chance,
            poison,
            stored: BTreeSet::new(),
            doubtful: BTreeSet::new(),
            aside: BTreeSet::new(),
            saved: State::new(0, Timestamp(0)),
            unsaved: BTreeSet::new(),
            counts: BTreeMap::new(),
            problem: None,
        };
        Arc::new(Self { inner: Mutex::new(inner), size: watch::channel(EVENTS).0, bug })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.inner.lock().unwrap())
    }

    fn restored(&self) -> State {
        self.with(|inner| {
            let unsaved = std::mem::take(&mut inner.unsaved);
            inner.doubtful.extend(unsaved);
            State::from_json(&inner.saved.to_json()).unwrap()
        })
    }

    fn bulk(&self, body: &[u8]) -> Reply {
        let seqs: Vec<u64> = body
            .split(|byte| *byte == b'\n')
            .skip(1)
            .step_by(2)
            .filter(|line| !line.is_empty())
            .map(|line| {
                let document: serde_json::Value = serde_json::from_slice(line).unwrap();
                document["event"]["sequence"].as_u64().unwrap()
            })
            .collect();
        self.with(|inner| {
            let status = |status| Reply::Http(Response { status, ..Response::default() });
            match inner.chance.below(10) {
                0 => return status(503),
                1 if seqs.len() > 4 => return status(413),
                _ => {}
            }
            let lost = inner.chance.below(12) == 0;
            let items: Vec<String> = seqs.iter().map(|seq| inner.document(*seq, lost)).collect();
            if lost {
                inner.count("lost");
                return Reply::Failed(Failure::new(Cause::Broken, "the answer is lost"));
            }
            let errors = items.iter().any(|item| !item.contains("201"));
            let body = format!(r#"{{"errors":{errors},"items":[{}]}}"#, items.join(","));
            let body = if self.bug == Some(Bug::ItemsUnseen) {
                r#"{"errors":false}"#.to_owned()
            } else {
                body
            };
            Reply::Http(Response { status: 200, body: Bytes::from(body), ..Response::default() })
        })
    }
}

impl Inner {
    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// Until the state is saved a crash makes the taking doubtful; a lost answer does so at once.
    fn answered(&mut self, seq: u64, lost: bool) {
        self.unsaved.insert(seq);
        if lost {
            self.doubtful.insert(seq);
        }
    }

    /// One document of a bulk request.
    fn document(&mut self, seq: u64, lost: bool) -> String {
        let item =
            |status: u16| format!(r#"{{"create":{{"status":{status},"error":{{"type":"x"}}}}}}"#);
        if self.aside.contains(&seq) {
            self.problem.get_or_insert(format!("event {seq} was set aside and came again"));
        }
        if self.poison.contains(&seq) {
            self.count("refused");
            return item(400);
        }
        if self.stored.contains(&seq) {
            self.count("repeated");
            if !self.doubtful.remove(&seq) {
                self.problem.get_or_insert(format!(
                    "event {seq} came again although it was taken for certain"
                ));
            }
            self.answered(seq, lost);
            return item(409);
        }
        if self.chance.below(8) == 0 {
            self.count("put off");
            return item(429);
        }
        self.stored.insert(seq);
        self.answered(seq, lost);
        r#"{"create":{"status":201}}"#.to_owned()
    }
}

impl Log for Cluster {
    fn read(
        &self,
        from: u64,
        most: usize,
        _: usize,
    ) -> BoxFuture<'_, Result<Vec<Event>, ReadError>> {
        let event = |seq: u64| {
            let mut id = [0; 16];
            id[8..].copy_from_slice(&seq.to_be_bytes());
            Event {
                id: EventId(id),
                tenant: TenantId::restored("acme"),
                environment: EnvironmentId::restored("production"),
                seq,
                received_at: Timestamp(1_700_000_000_000),
                flags: 0,
                leaf_hash: [0; 32],
                body: Box::from(*br#"{"action":"a"}"#),
            }
        };
        let events = (from..EVENTS).take(most).map(event).collect();
        Box::pin(async move { Ok(events) })
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.size.subscribe()
    }
}

impl Memory for Cluster {
    fn save<'a>(
        &'a self,
        _: &'a DestinationId,
        state: &'a State,
        facts: &'a Facts,
    ) -> BoxFuture<'a, Result<(), SaveError>> {
        Box::pin(async move {
            sleep(Duration::from_millis(5)).await;
            self.with(|inner| {
                if inner.chance.below(30) == 0 {
                    inner.count("failed save");
                    return Err(SaveError("the disk is full".to_owned()));
                }
                let mut state = State::from_json(&state.to_json()).unwrap();
                if self.bug == Some(Bug::SettledForgotten) {
                    state.settled.clear();
                }
                if self.bug == Some(Bug::CursorPassesOpenItems)
                    && let Some(pending) = state.pending.take()
                {
                    state.cursor = pending.last_seq + 1;
                }
                inner.aside.extend(facts.quarantined.iter().map(|event| event.seq));
                let missing = (0..state.cursor)
                    .find(|seq| !inner.stored.contains(seq) && !inner.aside.contains(seq));
                if let Some(seq) = missing {
                    let text =
                        format!("the cursor stands at {} and event {seq} is nowhere", state.cursor);
                    inner.problem.get_or_insert(text);
                }
                inner.count(if state.settled.is_empty() { "saved whole" } else { "saved in part" });
                inner.unsaved.clear();
                inner.saved = state;
                Ok(())
            })
        })
    }
}

impl Clock for Cluster {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000)
    }
}

impl Rng for Cluster {
    fn fill(&self, bytes: &mut [u8]) {
        self.with(|inner| bytes.iter_mut().for_each(|byte| *byte = inner.chance.below(256) as u8));
    }
}

struct Door(Arc<Cluster>);

impl Transport for Door {
    fn carry(&mut self, request: Request) -> BoxFuture<'_, Reply> {
        Box::pin(async move {
            let Request::Exchange(exchange) = request else { panic!("not an exchange") };
            sleep(Duration::from_millis(20)).await;
            let reply = self.0.bulk(&exchange.body);
            sleep(Duration::from_millis(20)).await;
            reply
        })
    }
}

fn begin(cluster: &Arc<Cluster>) -> Handle {
    let config = serde_json::json!({"url": "https://es.example.com", "index": "audit"});
    let (destination, _) =
        DestinationConfig::validate("elasticsearch", &config, ManagedBy::Operator).unwrap();
    let mut spec = crate::spec::sample(destination);
    spec.format = spec.destination.default_format();
    spec.batch = BatchLimits { events_max: 12, bytes_max: 20_000, linger_ms: 0, in_flight_max: 1 };
    let parts = Components {
        log: cluster.clone(),
        memory: cluster.clone(),
        clock: cluster.clone(),
        rng: cluster.clone(),
        guard: Guard::system(Policy::default()),
        output: Arc::new(crate::LineWriter::new(tokio::io::sink())),
        file_root: None,
        actions: Arc::new(KnownActions::default()),
    };
    let door = cluster.clone();
    let opener: Opener = Box::new(move |_, _, _| Box::new(Door(door.clone())));
    spawn_with(spec, Secrets::default(), cluster.restored(), parts, opener)
}

async fn day(seed: u64, bug: Option<Bug>) -> Result<BTreeMap<&'static str, u64>, String> {
    let cluster = Cluster::new(seed, bug);
    let mut chance = Chance::new(seed ^ 0x17e5);
    let mut handle = begin(&cluster);
    for _ in 0..2_000 {
        sleep(Duration::from_millis(chance.below(20_000))).await;
        if handle.status().cursor >= EVENTS {
            break;
        }
        if chance.below(6) == 0 {
            drop(handle);
            for _ in 0..4 {
                tokio::task::yield_now().await;
            }
            handle = begin(&cluster);
        }
    }
    // A save that failed is tried again within half a minute; a stop would not wait for it.
    sleep(Duration::from_secs(120)).await;
    handle.stop().await;
    cluster.with(|inner| {
        if inner.saved.cursor != EVENTS {
            inner.problem.get_or_insert(format!("the cursor stands at {}", inner.saved.cursor));
        }
        if inner.aside != inner.poison {
            inner
                .problem
                .get_or_insert(format!("set aside {:?}, refused {:?}", inner.aside, inner.poison));
        }
        inner.problem.take().map_or(Ok(std::mem::take(&mut inner.counts)), Err)
    })
}

fn run(seed: u64, bug: Option<Bug>) -> Result<BTreeMap<&'static str, u64>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(day(seed, bug))
}

#[test]
fn days_of_single_answers_lose_and_repeat_nothing() {
    let mut all = BTreeMap::<&str, u64>::new();
    for seed in 0..300 {
        let counts = run(seed, None).unwrap_or_else(|problem| panic!("seed {seed}: {problem}"));
        counts.into_iter().for_each(|(what, count)| *all.entry(what).or_default() += count);
    }
    // A generator that never produces a situation proves nothing about it.
    for what in ["lost", "refused", "repeated", "put off", "failed save", "saved in part"] {
        assert!(all.get(what).is_some_and(|count| *count >= 100), "{what}: {all:?}");
    }
}

#[test]
fn every_planted_bug_in_single_answers_is_caught() {
    for bug in [Bug::ItemsUnseen, Bug::SettledForgotten, Bug::CursorPassesOpenItems] {
        let caught = (0..100).find_map(|seed| run(seed, Some(bug)).err());
        assert!(caught.is_some(), "{bug:?} was not caught in 100 days");
    }
}
