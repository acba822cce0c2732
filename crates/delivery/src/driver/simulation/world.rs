//! The world around one destination: log, memory, receiver, clock and randomness, and the oracle that watches them.

use std::{
    collections::{BTreeMap, BTreeSet},
    iter::Sum,
    ops::AddAssign,
    sync::{Arc, Mutex},
    time::Duration,
};

use attestary_event::{EnvironmentId, Event, EventId, TenantId, Timestamp};
use futures::future::BoxFuture;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use super::Mutant;
use crate::{
    destination::Request,
    health::Cause,
    id::DestinationId,
    ports::{Clock, Facts, Log, Memory, ReadError, Rng, SaveError},
    state::State,
    transport::Transport,
    verdict::{Failure, Reply, Response},
};

/// Seeded randomness (SplitMix64).
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// How the receiver behaves at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weather {
    Fine,
    Down,
    Refusing,
    Throttling,
    Hanging,
    LosingAnswers,
    Small,
    Unauthorized,
    Flaky,
}

const WEATHERS: [Weather; 9] = [
    Weather::Fine,
    Weather::Down,
    Weather::Refusing,
    Weather::Throttling,
    Weather::Hanging,
    Weather::LosingAnswers,
    Weather::Small,
    Weather::Unauthorized,
    Weather::Flaky,
];

/// What a run went through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    events: u64,
    accepted: u64,
    repeated: u64,
    quarantined: u64,
    lost_answers: u64,
    crashes: u64,
    crashes_in_doubt: u64,
    failed_saves: u64,
    refusals: u64,
    splits: u64,
    throttles: u64,
    hangs: u64,
    gaps: u64,
    found: u64,
}

impl Counts {
    fn all(&self) -> [u64; 14] {
        let Self { events, accepted, repeated, quarantined, lost_answers, crashes, .. } = *self;
        let Self {
            failed_saves,
            refusals,
            splits,
            throttles,
            hangs,
            gaps,
            found,
            crashes_in_doubt,
            ..
        } = *self;
        [
            events,
            accepted,
            repeated,
            quarantined,
            lost_answers,
            crashes,
            crashes_in_doubt,
            failed_saves,
            refusals,
            splits,
            throttles,
            hangs,
            gaps,
            found,
        ]
    }

    /// Returns true when every situation occurred at least a hundred times.
    pub(super) fn is_plenty(&self) -> bool {
        self.all().iter().all(|count| *count >= 100)
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.events += other.events;
        self.accepted += other.accepted;
        self.repeated += other.repeated;
        self.quarantined += other.quarantined;
        self.lost_answers += other.lost_answers;
        self.crashes += other.crashes;
        self.crashes_in_doubt += other.crashes_in_doubt;
        self.failed_saves += other.failed_saves;
        self.refusals += other.refusals;
        self.splits += other.splits;
        self.throttles += other.throttles;
        self.hangs += other.hangs;
        self.gaps += other.gaps;
        self.found += other.found;
    }
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(days: I) -> Self {
        days.fold(Self::default(), |mut all, day| {
            all += day;
            all
        })
    }
}

struct Inner {
    chance: Chance,
    weather: Weather,
    log: Vec<Event>,
    /// Events below this seq were removed by retention.
    retained_from: u64,
    selected: Vec<bool>,
    poison: BTreeSet<u64>,
    saved: State,
    quarantined: BTreeSet<u64>,
    gaps: BTreeSet<u64>,
    /// How often each event was accepted.
    accepted: BTreeMap<u64, u32>,
    /// Events that may come once more: their batch's outcome is not known to the sender for sure.
    doubtful: BTreeSet<u64>,
    /// The batch accepted last: a crash before the save makes it doubtful.
    last_batch: Vec<u64>,
    /// Objects by key, with their digest.
    objects: BTreeMap<String, String>,
    /// The id that the next attempt must carry, because the outcome of the last one is unknown.
    expected_id: Option<String>,
    first_new: u64,
    /// Below this seq every selected event is accounted for; what was accepted stays accepted.
    checked_until: u64,
    problem: Option<String>,
    counts: Counts,
}

/// The world of one destination.
pub(super) struct World {
    inner: Mutex<Inner>,
    size: watch::Sender<u64>,
    begun: Instant,
    mutant: Option<Mutant>,
}

impl World {
    pub(super) fn new(seed: u64, mutant: Option<Mutant>) -> Arc<Self> {
        let inner = Inner {
            chance: Chance::new(seed),
            weather: Weather::Fine,
            log: Vec::new(),
            retained_from: 0,
            selected: Vec::new(),
            poison: BTreeSet::new(),
            saved: State::new(0, Timestamp(0)),
            quarantined: BTreeSet::new(),
            gaps: BTreeSet::new(),
            accepted: BTreeMap::new(),
            doubtful: BTreeSet::new(),
            last_batch: Vec::new(),
            objects: BTreeMap::new(),
            expected_id: None,
            first_new: 0,
            checked_until: 0,
            problem: None,
            counts: Counts::default(),
        };
        Arc::new(Self {
            inner: Mutex::new(inner),
            size: watch::channel(0).0,
            begun: Instant::now(),
            mutant,
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.inner.lock().unwrap())
    }

    fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    pub(super) fn append(&self, count: u64) {
        let now = self.now();
        let size = self.with(|inner| {
            for _ in 0..count {
                let selected = !inner.chance.percent(20);
                let seq = inner.log.len() as u64;
                if selected && inner.chance.percent(1) {
                    inner.poison.insert(seq);
                }
                inner.selected.push(selected);
                inner.log.push(event(seq, selected, now));
                inner.counts.events += 1;
            }
            inner.log.len() as u64
        });
        self.size.send_replace(size);
    }

    pub(super) fn change_weather(&self, chance: &mut Chance) {
        self.with(|inner| {
            inner.weather = WEATHERS[chance.below(WEATHERS.len() as u64) as usize];
            // Now and then retention overtakes a destination that is far behind.
            if chance.percent(10) {
                inner.retained_from =
                    inner.retained_from.max((inner.log.len() as u64).saturating_sub(60));
            }
        });
    }

    pub(super) fn clear_weather(&self) {
        self.with(|inner| inner.weather = Weather::Fine);
    }

    /// The process died: what was confirmed but not saved may come again, one batch at most.
    pub(super) fn crashed(&self) {
        self.with(|inner| {
            let cursor = inner.saved.cursor;
            let batch = std::mem::take(&mut inner.last_batch);
            let unsaved = batch.into_iter().filter(|seq| *seq >= cursor).collect::<Vec<_>>();
            inner.counts.crashes_in_doubt += u64::from(!unsaved.is_empty());
            inner.doubtful.extend(unsaved);
            inner.counts.crashes += 1;
            // A range that was saved before the crash is the range after it.
            inner.expected_id = inner
                .expected_id
                .take()
                .filter(|_| inner.saved.pending.is_some() || inner.saved.cursor == 0);
        });
    }

    pub(super) fn restored(&self) -> State {
        let mut state = self.with(|inner| State::from_json(&inner.saved.to_json()).unwrap());
        if self.is(Mutant::RestartSkips) && state.cursor > 0 {
            (state.cursor, state.pending) = (state.cursor + 3, None);
        }
        if self.is(Mutant::RestartRepeats) {
            (state.cursor, state.pending) = (state.cursor.saturating_sub(30), None);
        }
        state
    }

    pub(super) fn unsettled(&self, cursor: u64) -> bool {
        self.with(|inner| cursor < inner.log.len() as u64)
    }

    /// Returns what happened, or what must not have happened.
    pub(super) fn verdict(&self) -> Result<Counts, String> {
        self.with(|inner| {
            let cursor = inner.saved.cursor;
            inner.check_prefix(cursor, "at the end");
            inner.check_receipt();
            if cursor != inner.log.len() as u64 {
                inner.complain(format!(
                    "the log has {} events and the cursor stands at {cursor}",
                    inner.log.len()
                ));
            }
            let strangers: Vec<u64> =
                inner.quarantined.difference(&inner.poison).copied().collect();
            if !strangers.is_empty() {
                inner.complain(format!(
                    "events {strangers:?} were set aside and the receiver did not refuse them"
                ));
            }
            inner.problem.take().map_or(Ok(inner.counts), Err)
        })
    }
}

impl Inner {
    fn complain(&mut self, problem: String) {
        self.problem.get_or_insert(problem);
    }

    /// Every selected event below the cursor was accepted, set aside, or removed by retention.
    fn check_prefix(&mut self, cursor: u64, when: &str) {
        let end = cursor.min(self.selected.len() as u64);
        let lost = (self.checked_until..end).find(|seq| {
            let selected = self.selected[*seq as usize];
            selected
                && !self.accepted.contains_key(seq)
                && !self.quarantined.contains(seq)
                && !self.gaps.contains(seq)
        });
        self.checked_until = self.checked_until.max(lost.unwrap_or(end));
        if let Some(seq) = lost {
            self.complain(format!(
                "{when} the cursor stands at {cursor} and event {seq} was never delivered"
            ));
        }
    }

    /// The receipt speaks for all behind the cursor, and its root is that of the events that were delivered.
    fn check_receipt(&mut self) {
        let Some(receipt) = self.saved.receipt.clone() else {
            return self.complain("there is no receipt".to_owned());
        };
        if (receipt.from_seq, receipt.next_seq) != (0, self.saved.cursor) {
            let (from, next) = (receipt.from_seq, receipt.next_seq);
            self.complain(format!(
                "the receipt speaks for {from}..{next}, not for all behind the cursor"
            ));
        }
        let mut tree = attestary_ledger::Frontier::default();
        for event in self.log.iter().take(self.saved.cursor as usize) {
            let passed = self.quarantined.contains(&event.seq) || self.gaps.contains(&event.seq);
            if self.selected[event.seq as usize] && !passed {
                tree.append(event.leaf_hash);
            }
        }
        if receipt.root() != tree.root() {
            let (said, true_count) = (receipt.delivered(), tree.size());
            self.complain(format!("the receipt counts {said} events of {true_count}, or others"));
        }
    }

    /// The receiver takes a batch.
    fn accept(&mut self, seqs: &[u64]) {
        self.counts.accepted += 1;
        for seq in seqs {
            if !self.selected[*seq as usize] {
                self.complain(format!("event {seq} is excluded by the filter and was sent"));
            }
            let times = self.accepted.entry(*seq).or_default();
            *times += 1;
            if *times == 1 {
                self.check_new(*seq);
            } else {
                self.counts.repeated += 1;
                if !self.doubtful.remove(seq) {
                    self.complain(format!(
                        "event {seq} came again although its delivery was certain"
                    ));
                }
            }
        }
        self.last_batch = seqs.to_vec();
    }

    /// New events come in order, and what they pass was set aside, excluded or removed.
    fn check_new(&mut self, seq: u64) {
        if seq < self.first_new {
            self.complain(format!(
                "event {seq} came for the first time after event {}",
                self.first_new - 1
            ));
        }
        self.first_new = seq + 1;
    }

    fn check_id(&mut self, id: &str) {
        let expected = self.expected_id.take();
        let Some(expected) = expected else { return };
        let first: u64 =
            expected.split('-').nth(1).and_then(|seq| seq.parse().ok()).expect("ids end in seqs");
        // A range that retention cut into cannot come again.
        if expected != id && first >= self.retained_from {
            self.complain(format!("the batch {expected} may have arrived and came again as {id}"));
        }
    }
}

fn event(seq: u64, selected: bool, now: Timestamp) -> Event {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&seq.to_be_bytes());
    let mut leaf_hash = [7; 32];
    leaf_hash[..8].copy_from_slice(&seq.to_be_bytes());
    let action = if selected { "user.login" } else { "excluded" };
    Event {
        id: EventId(id),
        tenant: TenantId::restored("acme"),
        environment: EnvironmentId::restored("production"),
        seq,
        received_at: now,
        flags: 0,
        leaf_hash,
        body: format!(r#"{{"action":"{action}"}}"#).into_bytes().into(),
    }
}

impl Log for World {
    fn read(
        &self,
        from_seq: u64,
        events_max: usize,
        _: usize,
    ) -> BoxFuture<'_, Result<Vec<Event>, ReadError>> {
        Box::pin(async move {
            let (delay, fails) =
                self.with(|inner| (inner.chance.below(20), inner.chance.percent(1)));
            sleep(Duration::from_millis(delay)).await;
            if fails {
                return Err(ReadError("the disk is slow today".to_owned()));
            }
            self.with(|inner| {
                let from = from_seq.max(inner.retained_from) as usize;
                let events = inner.log.get(from..).unwrap_or_default();
                Ok(events[..events.len().min(events_max)].to_vec())
            })
        })
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
        Box::pin(async move {
            let (before, after, fails) = self.with(|inner| {
                (inner.chance.below(10), inner.chance.below(10), inner.chance.percent(3))
            });
            sleep(Duration::from_millis(before)).await;
            if fails {
                self.with(|inner| inner.counts.failed_saves += 1);
                return Err(SaveError("the disk is full".to_owned()));
            }
            self.keep(state, facts);
            sleep(Duration::from_millis(after)).await;
            Ok(())
        })
    }
}

impl World {
    fn keep(&self, state: &State, facts: &Facts) {
        if self.is(Mutant::SavesLost) && state.cursor > 0 {
            return;
        }
        let mut state = State::from_json(&state.to_json()).unwrap();
        if self.is(Mutant::CursorSavedBeforeConfirmation)
            && let Some(pending) = state.pending.take()
        {
            state.cursor = pending.last_seq + 1;
        }
        if self.is(Mutant::RangeForgotten) {
            state.pending = None;
        }
        if self.is(Mutant::ReceiptStale) {
            state.receipt = self.with(|inner| inner.saved.receipt.clone());
        }
        self.with(|inner| {
            inner.counts.quarantined += facts.quarantined.len() as u64;
            inner.counts.gaps += facts.gaps.len() as u64;
            inner.quarantined.extend(facts.quarantined.iter().map(|set| set.seq));
            inner.gaps.extend(facts.gaps.iter().flat_map(|gap| gap.first_seq..=gap.last_seq));
            inner.check_prefix(state.cursor, "when it was saved");
            if state.cursor < inner.saved.cursor {
                inner.complain(format!(
                    "the cursor went back from {} to {}",
                    inner.saved.cursor, state.cursor
                ));
            }
            inner.saved = state;
        });
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000 + self.begun.elapsed().as_millis() as i64)
    }
}

impl Rng for World {
    fn fill(&self, bytes: &mut [u8]) {
        self.with(|inner| bytes.iter_mut().for_each(|byte| *byte = inner.chance.next() as u8));
    }
}

/// The receiver as a transport.
pub(super) struct Receiver(Arc<World>);

impl Receiver {
    pub(super) fn new(world: Arc<World>) -> Self {
        Self(world)
    }

    async fn answer(&self, id: &str, seqs: &[u64], digest: Option<String>) -> Reply {
        let world = &self.0;
        let (before, after) = world.with(|inner| {
            inner.check_id(id);
            // Until the outcome is known, a repeat must carry the same id.
            inner.expected_id = Some(id.to_owned());
            (inner.chance.below(500), inner.chance.below(500))
        });
        sleep(Duration::from_millis(before)).await;
        let any = world.is(Mutant::AnyObjectCounts);
        let reply = world.with(|inner| match digest {
            Some(digest) => inner.store(id, seqs, digest, any),
            None => inner.receive(seqs),
        });
        match reply {
            Some(reply) => {
                sleep(Duration::from_millis(after)).await;
                world.with(|inner| inner.known(&reply, seqs));
                reply
            }
            None => {
                sleep(Duration::from_secs(30)).await;
                Reply::Failed(Failure::new(Cause::Timeout, "no answer"))
            }
        }
    }

    fn distort(&self, reply: Reply) -> Reply {
        let fine = Reply::Http(Response { status: 200, ..Response::default() });
        match &reply {
            Reply::Http(response)
                if response.status == 400 && self.0.is(Mutant::RefusedEventsDropped) =>
            {
                fine
            }
            Reply::Http(response)
                if response.status >= 500 && self.0.is(Mutant::CursorPassesFailedBatch) =>
            {
                fine
            }
            _ => reply,
        }
    }
}

/// Reads the seqs of a JSON array of events.
fn seqs(body: &[u8]) -> Vec<u64> {
    let events: Vec<serde_json::Value> =
        serde_json::from_slice(body).expect("the body holds JSON events");
    events.iter().map(|event| event["seq"].as_u64().unwrap()).collect()
}

/// Returns the name of an object in the form of a webhook's id: `<digest>-<first>-<last>`, or the test's.
fn object_id(url: &url::Url) -> String {
    let name = url.path().rsplit('/').next().unwrap_or_default();
    let parts: Vec<&str> = name.split(['-', '.']).collect();
    match (parts[0].parse::<u64>(), parts.get(1), parts.get(2)) {
        (Ok(first), Some(last), Some(digest)) => {
            format!("{digest}-{first}-{}", last.parse::<u64>().unwrap())
        }
        _ => name.to_owned(),
    }
}

impl Inner {
    /// Decides what an object store does with an object; `None` when no answer comes.
    fn store(&mut self, id: &str, seqs: &[u64], digest: String, any: bool) -> Option<Reply> {
        // A store does not look into objects: no event is refused.
        let poison = std::mem::take(&mut self.poison);
        let reply = match self.objects.get(id) {
            Some(found) if matches!(self.weather, Weather::Fine | Weather::LosingAnswers) => {
                self.counts.found += 1;
                Some(Reply::Existing { same: any || *found == digest })
            }
            // Somebody else's object stands where the batch belongs, until a person removes it.
            None if self.weather == Weather::Fine && self.chance.percent(1) => {
                Some(Reply::Existing { same: any })
            }
            known => {
                let known = known.is_some();
                let before = self.counts.accepted;
                if known {
                    Some(Reply::Failed(Failure::new(Cause::Connect, "refused")))
                } else {
                    let reply = self.receive(seqs);
                    if self.counts.accepted > before {
                        // A range that retention cut into becomes another object; nothing else may.
                        let twice = seqs.iter().find(|seq| self.accepted[*seq] > 1);
                        if let Some(seq) = twice.filter(|_| self.retained_from == 0) {
                            let problem = format!("event {seq} is in two objects");
                            self.complain(problem);
                        }
                        self.objects.insert(id.to_owned(), digest);
                    }
                    reply
                }
            }
        };
        self.poison = poison;
        reply
    }

    /// Decides what the receiver does with a batch; `None` when no answer comes.
    fn receive(&mut self, seqs: &[u64]) -> Option<Reply> {
        let status = |status| Some(Reply::Http(Response { status, ..Response::default() }));
        let weather = match self.weather {
            Weather::Flaky => WEATHERS[self.chance.below(8) as usize],
            weather => weather,
        };
        match weather {
            Weather::Down => return Some(Reply::Failed(Failure::new(Cause::Connect, "refused"))),
            Weather::Refusing => return status(503),
            Weather::Unauthorized => return status(401),
            Weather::Hanging => {
                self.counts.hangs += 1;
                return None;
            }
            Weather::Throttling => {
                self.counts.throttles += 1;
                let retry_after = Some(self.chance.below(90).to_string());
                return Some(Reply::Http(Response {
                    status: 429,
                    retry_after,
                    ..Response::default()
                }));
            }
            Weather::Small if seqs.len() > 5 => {
                self.counts.splits += 1;
                return status(413);
            }
            _ => {}
        }
        if seqs.iter().any(|seq| self.poison.contains(seq)) {
            self.counts.refusals += 1;
            return status(400);
        }
        self.accept(seqs);
        if weather == Weather::LosingAnswers {
            self.counts.lost_answers += 1;
            self.doubtful.extend(seqs);
            return None;
        }
        status(200)
    }

    /// The answer reached the sender: whatever it said, the outcome is known.
    fn known(&mut self, reply: &Reply, _: &[u64]) {
        let retried = match reply {
            Reply::Http(response) => matches!(response.status, 401 | 429 | 503),
            Reply::Existing { same } => !same,
            _ => true,
        };
        if !retried {
            self.expected_id = None;
        }
    }
}

impl Transport for Receiver {
    fn carry(&mut self, request: Request) -> BoxFuture<'_, Reply> {
        Box::pin(async move {
            let (id, seqs, digest) = match request {
                Request::Http { headers, body, .. } => {
                    let id = headers["webhook-id"].to_str().unwrap().to_owned();
                    (id, seqs(&body), None)
                }
                Request::Object(put) => {
                    let array = put.body.strip_suffix(b"\n").unwrap_or(&put.body);
                    let array =
                        array.split(|byte| *byte == b'\n').collect::<Vec<_>>().join(&b","[..]);
                    let seqs = seqs(&[&b"["[..], &array[..], b"]"].concat());
                    (object_id(&put.url), seqs, Some(put.digest.1))
                }
                _ => panic!("webhooks and object stores make no other requests"),
            };
            if id.contains("-test-") {
                sleep(Duration::from_millis(50)).await;
                return Reply::Http(Response { status: 204, ..Response::default() });
            }
            if !seqs.is_sorted() {
                self.0.with(|inner| inner.complain(format!("a batch is out of order: {seqs:?}")));
            }
            let reply = self.answer(&id, &seqs, digest).await;
            self.distort(reply)
        })
    }
}
