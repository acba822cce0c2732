//! The world around one destination: log, memory, receiver, clock and randomness, and the oracle that watches them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use attestary_event::{EnvironmentId, Event, EventId, TenantId, Timestamp};
use futures::future::BoxFuture;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use super::{
    Mutant,
    counts::{Chance, Counts},
    receiver::{WEATHERS, Weather},
};
use crate::{
    id::DestinationId,
    ports::{Clock, Facts, Log, Memory, ReadError, Rng, SaveError},
    state::State,
};

pub(super) struct Inner {
    pub(super) chance: Chance,
    pub(super) weather: Weather,
    log: Vec<Event>,
    /// Events below this seq were removed by retention.
    pub(super) retained_from: u64,
    selected: Vec<bool>,
    pub(super) poison: BTreeSet<u64>,
    saved: State,
    quarantined: BTreeSet<u64>,
    gaps: BTreeSet<u64>,
    /// How often each event was accepted.
    pub(super) accepted: BTreeMap<u64, u32>,
    /// Events that may come once more: their batch's outcome is not known to the sender for sure.
    pub(super) doubtful: BTreeSet<u64>,
    /// The batch accepted last: a crash before the save makes it doubtful.
    last_batch: Vec<u64>,
    /// Objects by key, with their digest.
    pub(super) objects: BTreeMap<String, String>,
    /// Ids that the next attempts must carry, because the outcome of the last ones is unknown.
    pub(super) expected: Vec<String>,
    /// Requests under way.
    pub(super) open: u64,
    /// Several batches may be under way at the same time: their first arrivals have no order.
    wide: bool,
    first_new: u64,
    /// Below this seq every selected event is accounted for; what was accepted stays accepted.
    checked_until: u64,
    pub(super) problem: Option<String>,
    pub(super) counts: Counts,
}

/// The world of one destination.
pub(super) struct World {
    inner: Mutex<Inner>,
    size: watch::Sender<u64>,
    begun: Instant,
    mutant: Option<Mutant>,
}

impl World {
    pub(super) fn new(seed: u64, mutant: Option<Mutant>, wide: bool) -> Arc<Self> {
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
            expected: Vec::new(),
            open: 0,
            wide,
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

    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.inner.lock().unwrap())
    }

    pub(super) fn is(&self, mutant: Mutant) -> bool {
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

    /// The process died: what was confirmed but not saved may come again, one batch at most, or what was under way.
    pub(super) fn crashed(&self) {
        self.with(|inner| {
            let cursor = inner.saved.cursor;
            let mut unsaved = std::mem::take(&mut inner.last_batch);
            if inner.wide {
                unsaved = inner.accepted.range(cursor..).map(|(seq, _)| *seq).collect();
            }
            unsaved.retain(|seq| *seq >= cursor);
            inner.counts.crashes_in_doubt += u64::from(!unsaved.is_empty());
            inner.doubtful.extend(unsaved);
            inner.counts.crashes += 1;
            inner.open = 0;
            // A range that was saved before the crash is the range after it.
            if inner.saved.pending.is_none() && inner.saved.cursor > 0 && !inner.wide {
                inner.expected.clear();
            }
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
    pub(super) fn complain(&mut self, problem: String) {
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
    pub(super) fn accept(&mut self, seqs: &[u64]) {
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
        if seq < self.first_new && !self.wide {
            self.complain(format!(
                "event {seq} came for the first time after event {}",
                self.first_new - 1
            ));
        }
        self.first_new = self.first_new.max(seq + 1);
    }

    /// A batch whose outcome is unknown comes again as it was, before anything else does.
    pub(super) fn check_id(&mut self, id: &str) {
        let (first, last) = range(id);
        let (clashing, others): (Vec<String>, Vec<String>) =
            std::mem::take(&mut self.expected).into_iter().partition(|expected| {
                let other = range(expected);
                !self.wide || (other.0 <= last && first <= other.1)
            });
        self.expected = others;
        // A range that retention cut into cannot come again.
        let clash =
            clashing.iter().find(|other| *other != id && range(other).0 >= self.retained_from);
        if let Some(expected) = clash {
            self.complain(format!("the batch {expected} may have arrived and came again as {id}"));
        }
        self.expected.push(id.to_owned());
    }
}

/// Returns the first and last seq with which an id ends.
fn range(id: &str) -> (u64, u64) {
    let mut parts = id.rsplit('-').map(|part| part.parse().expect("ids end in seqs"));
    let last = parts.next().expect("an id has a last seq");
    (parts.next().expect("an id has a first seq"), last)
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
        if self.is(Mutant::CursorPassesOpenBatch)
            && let Some(last) = state.ahead.pop()
        {
            (state.cursor, state.pending) = (last.last_seq + 1, None);
            state.ahead.clear();
        }
        if self.is(Mutant::RangesBehindForgotten) {
            state.ahead.clear();
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
