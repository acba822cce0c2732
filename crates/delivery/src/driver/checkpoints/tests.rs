//! Days of a stream with checkpoints in virtual time: a receiver that is down, refuses, loses its answers; saves that
//! fail; a log that cannot sign now; crashes. Planted bugs must be caught.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use attestary_event::{Event, EventId, Timestamp};
use attestary_ledger::Frontier;
use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::{sync::watch, time::sleep};

use super::*;
use crate::{
    DestinationConfig, DestinationId, Guard, Handle, ManagedBy, Policy, Secrets, SigningSecret,
    State,
    destination::Request,
    driver::{Components, Opener, spawn_with},
    health::Cause,
    ports::{Clock, Facts, Log, Memory, ReadError, Rng, SaveError},
    spec,
    transport::Transport,
    verdict::{Failure, Response},
};

const EVERY: u64 = 60;

/// A bug planted at a seam.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bug {
    /// What was begun is not saved.
    MarkForgotten,
    /// The log signs more than was asked for.
    SignsAhead,
    /// A checkpoint of another tree.
    OtherRoot,
}

#[derive(Default)]
struct Inner {
    random: u64,
    leaves: Vec<[u8; 32]>,
    saved: Option<State>,
    /// The body of every accepted or lost request, by its id.
    bodies: BTreeMap<String, Bytes>,
    /// Leaf hashes of the events that arrived.
    arrived: BTreeMap<u64, [u8; 32]>,
    /// Sizes of the checkpoints that arrived, in the order of their first arrival.
    checkpoints: Vec<u64>,
    times: BTreeSet<i64>,
    repeats: u32,
    refused: u32,
    calm: bool,
    problem: Option<String>,
}

impl Inner {
    fn chance(&mut self, of: u64) -> u64 {
        // SplitMix64: any seed is a good one.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % of
    }

    fn stormy(&mut self, of: u64) -> bool {
        !self.calm && self.chance(of) == 0
    }

    fn arrives(&mut self, id: &str, body: &Bytes) {
        if let Some(before) = self.bodies.insert(id.to_owned(), body.clone()) {
            self.repeats += u32::from(id.contains("checkpoint"));
            if before != *body {
                self.problem = Some(format!("{id} came with other bytes"));
            }
        }
        let events: Vec<serde_json::Value> = serde_json::from_slice(body).unwrap();
        for event in &events {
            let seq = event["seq"].as_u64().unwrap();
            match event["action"].as_str().unwrap() {
                "attestary.checkpoint" => self.check(seq, event),
                _ => _ = self.arrived.insert(seq, self.leaves[seq as usize]),
            }
        }
    }

    fn check(&mut self, size: u64, event: &serde_json::Value) {
        let mut tree = Frontier::default();
        self.arrived.range(..size).for_each(|(_, leaf)| _ = tree.append(*leaf));
        let root = attestary_event::event::hex(&tree.root());
        if tree.size() != size {
            self.problem =
                Some(format!("{} events arrived before the checkpoint of {size}", tree.size()));
        } else if event["metadata"]["root"] != root.as_str() {
            self.problem = Some(format!("the checkpoint of {size} is one of other events"));
        }
        if self.checkpoints.last() != Some(&size) {
            self.checkpoints.push(size);
            let at = Timestamp::parse(event["occurred_at"].as_str().unwrap()).unwrap();
            self.times.insert(at.0);
        }
    }
}

struct World {
    inner: Mutex<Inner>,
    size: watch::Sender<u64>,
    begun: Instant,
    bug: Option<Bug>,
}

impl World {
    fn new(seed: u64, bug: Option<Bug>) -> Arc<Self> {
        let inner = Mutex::new(Inner { random: seed, ..Inner::default() });
        Arc::new(Self { inner, size: watch::channel(0).0, begun: Instant::now(), bug })
    }

    fn append(&self, count: u64) {
        let mut inner = self.inner.lock().unwrap();
        for _ in 0..count {
            let seq = inner.leaves.len();
            inner.leaves.push([seq as u8 ^ 0x5a; 32]);
        }
        self.size.send_replace(inner.leaves.len() as u64);
    }

    fn event(&self, seq: u64, leaf_hash: [u8; 32]) -> Event {
        Event {
            id: EventId([seq as u8; 16]),
            tenant: attestary_event::TenantId::restored("acme"),
            environment: attestary_event::EnvironmentId::restored("production"),
            seq,
            received_at: Timestamp(seq as i64),
            flags: 0,
            leaf_hash,
            body: Box::from(*br#"{"action":"a.b","occurred_at":"2026-11-22T00:39:11.123Z","actor":{"type":"user","id":"u"}}"#),
        }
    }
}

impl Log for World {
    fn read(
        &self,
        from: u64,
        max: usize,
        _: usize,
    ) -> BoxFuture<'_, Result<Vec<Event>, ReadError>> {
        let inner = self.inner.lock().unwrap();
        let leaves = inner.leaves.iter().enumerate().skip(from as usize).take(max);
        let events = leaves.map(|(seq, leaf)| self.event(seq as u64, *leaf)).collect();
        Box::pin(async move { Ok(events) })
    }

    fn checkpoint(&self, size: u64) -> BoxFuture<'_, Result<Option<Signed>, ReadError>> {
        let mut inner = self.inner.lock().unwrap();
        if inner.stormy(6) {
            let unsigned = inner.chance(2) == 0;
            let error = ReadError("the disk is slow".into());
            return Box::pin(async move { if unsigned { Ok(None) } else { Err(error) } });
        }
        let ahead = u64::from(self.bug == Some(Bug::SignsAhead))
            * (inner.leaves.len() as u64 - size).min(1);
        let mut tree = Frontier::default();
        inner.leaves[..(size + ahead) as usize].iter().for_each(|leaf| _ = tree.append(*leaf));
        let root = if self.bug == Some(Bug::OtherRoot) { [1; 32] } else { tree.root() };
        let (origin, subtrees) = ("log.example/t/1".to_owned(), tree.peaks().to_vec());
        let note = format!("{origin}\n{}\n", tree.size());
        let signed = Signed { origin, size: tree.size(), root, subtrees, note };
        Box::pin(async move { Ok(Some(signed)) })
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
        _: &'a Facts,
    ) -> BoxFuture<'a, Result<(), SaveError>> {
        let mut inner = self.inner.lock().unwrap();
        if inner.stormy(15) {
            return Box::pin(async { Err(SaveError("the disk is full".to_owned())) });
        }
        let mut state = State::from_json(&state.to_json()).unwrap();
        if self.bug == Some(Bug::MarkForgotten) {
            state.checkpoint = None;
        }
        inner.saved = Some(state);
        Box::pin(async { Ok(()) })
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000 + self.begun.elapsed().as_millis() as i64)
    }
}

impl Rng for World {
    fn fill(&self, bytes: &mut [u8]) {
        let mut inner = self.inner.lock().unwrap();
        bytes.iter_mut().for_each(|byte| *byte = inner.chance(256) as u8);
    }
}

/// Takes, refuses, takes and does not answer, or is not there.
struct Receiver(Arc<World>);

impl Transport for Receiver {
    fn carry(&mut self, request: Request) -> BoxFuture<'_, Reply> {
        Box::pin(async move {
            let Request::Http { headers, body, .. } = request else { panic!("a webhook is HTTP") };
            let id = headers["webhook-id"].to_str().unwrap().to_owned();
            let status = |status| Reply::Http(Response { status, ..Response::default() });
            sleep(Duration::from_millis(20)).await;
            let mut inner = self.0.inner.lock().unwrap();
            let weather = if inner.calm { 9 } else { inner.chance(10) };
            match weather {
                0 => status(503),
                1 => Reply::Failed(Failure::new(Cause::Broken, "nobody is there")),
                2 => {
                    inner.arrives(&id, &body);
                    Reply::Failed(Failure::new(Cause::Broken, "the answer was lost"))
                }
                3 if id.contains("checkpoint") => {
                    inner.refused += 1;
                    status(400)
                }
                _ => {
                    inner.arrives(&id, &body);
                    status(200)
                }
            }
        })
    }
}

fn start(world: &Arc<World>) -> Handle {
    let config = serde_json::json!({ "url": "https://siem.example.com/in" });
    let config = DestinationConfig::validate("webhook", &config, ManagedBy::Tenant).unwrap().0;
    let mut spec = spec::sample(config);
    spec.checkpoint_seconds = EVERY;
    let receiver = world.clone();
    let opener: Opener = Box::new(move |_, _, _| Box::new(Receiver(receiver.clone())));
    let secrets = Secrets { signing: vec![SigningSecret::new([1; 32])], ..Secrets::default() };
    let saved = world.inner.lock().unwrap().saved.clone();
    let state = saved.unwrap_or_else(|| State::new(0, Timestamp(0)));
    let parts = Components {
        log: world.clone(),
        memory: world.clone(),
        clock: world.clone(),
        rng: world.clone(),
        guard: Guard::system(Policy::default()),
        output: Arc::new(crate::LineWriter::new(tokio::io::sink())),
        file_root: None,
        actions: Arc::default(),
    };
    spawn_with(spec, secrets, state, parts, opener)
}

/// What a day produced: checkpoints that arrived, repeated ones, refused ones.
type Counts = (usize, u32, u32);

async fn day(seed: u64, bug: Option<Bug>) -> Result<Counts, String> {
    let world = World::new(seed, bug);
    let mut handle = start(&world);
    for _ in 0..200 {
        let (pause, act) = {
            let mut inner = world.inner.lock().unwrap();
            (inner.chance(40_000), inner.chance(8))
        };
        sleep(Duration::from_millis(pause)).await;
        match act {
            0..=4 => world.append(1 + pause % 7),
            5 => {
                drop(handle);
                tokio::task::yield_now().await;
                handle = start(&world);
            }
            _ => {}
        }
    }
    world.inner.lock().unwrap().calm = true;
    sleep(Duration::from_hours(2)).await;
    world.append(1);
    sleep(Duration::from_hours(2)).await;
    handle.stop().await;
    let inner = world.inner.lock().unwrap();
    let last = inner.leaves.len() as u64;
    let pauses = inner.times.iter().zip(inner.times.iter().skip(1));
    let close = pauses.filter(|(one, next)| *next - *one < EVERY as i64 * 1_000).count();
    match &inner.problem {
        Some(problem) => Err(problem.clone()),
        None if inner.arrived.len() as u64 != last => Err("events are missing".into()),
        None if inner.checkpoints.last() != Some(&last) => {
            Err("the last checkpoint is missing".into())
        }
        None if close > 0 => Err(format!("{close} checkpoints came too soon")),
        None => Ok((inner.checkpoints.len(), inner.repeats, inner.refused)),
    }
}

fn run(seed: u64, bug: Option<Bug>) -> Result<Counts, String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(day(seed, bug))
}

#[test]
fn every_checkpoint_covers_what_arrived_before_it_and_keeps_its_bytes() {
    let days: Vec<Counts> = (0..60)
        .map(|seed| run(seed, None).unwrap_or_else(|problem| panic!("seed {seed}: {problem}")))
        .collect();
    // Days on which nothing was repeated or refused would prove nothing about it.
    let sum = |of: fn(&Counts) -> u64| days.iter().map(of).sum::<u64>();
    let all = (sum(|day| day.0 as u64), sum(|day| day.1.into()), sum(|day| day.2.into()));
    assert!(all.0 > 1_000 && all.1 > 50 && all.2 > 50, "{all:?}");
}

#[test]
fn every_planted_bug_is_caught() {
    for bug in [Bug::MarkForgotten, Bug::SignsAhead, Bug::OtherRoot] {
        assert!((0..50).any(|seed| run(seed, Some(bug)).is_err()), "{bug:?}");
    }
}
