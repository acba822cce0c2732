//! The crash harness: a partition on the simulated disk, crashed at any call, and an auditor that holds every
//! acknowledgement.
//!
//! After every recovery the auditor checks, from outside: every acknowledged event is there with the same seq and
//! leaf hash; seqs are dense from 0; no id stands twice; the tree's root follows from the leaves. Events that
//! nobody was told of may be there or not; once a reader could have seen them, they must stay. Flipped bits must
//! be reported or provably irrelevant.

use std::collections::{HashMap, HashSet};

use attestary_event::{EnvironmentId, EventId, Fields, TenantId};
use attestary_ledger::{Frontier, Hash};

use super::{FaultMix, Faults, Random, SimDisk};
use crate::{
    catalog::HeadRow,
    journal::Position,
    partition::{Applied, Frozen, Genesis, Nonce, Outcome, Partition},
    planted::{Bug, plant},
    record::{Parts, Prepared},
    state::State,
};

/// Small files make switching and recycling them frequent.
const FILE_BYTES: u64 = 6 * 1024;
const TENANTS: u64 = 4;
const CRASHES_PER_SEED: u64 = 12;

/// What a run found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Faults that happened.
    pub faults: Faults,
    /// Recoveries that were audited.
    pub audits: u64,
    /// Acknowledged events.
    pub acked: u64,
    /// Repeats that were answered with the first receipt.
    pub repeats: u64,
    /// Seals that were committed.
    pub seals: u64,
    /// Flips that were reported as damage.
    pub reported: u64,
    /// The first violation, with its seed.
    pub violation: Option<String>,
}

impl Report {
    fn add(&mut self, other: Self) {
        self.faults.add(&other.faults);
        self.audits += other.audits;
        self.acked += other.acked;
        self.repeats += other.repeats;
        self.seals += other.seals;
        self.reported += other.reported;
        self.violation = self.violation.take().or(other.violation);
    }
}

/// Runs seeds from `first_seed` on until `crashes` have happened or a violation is found.
pub fn run(first_seed: u64, crashes: u64, bug: Option<Bug>) -> Report {
    plant(bug);
    let mut report = Report::default();
    let mut seed = first_seed;
    while report.faults.crashes < crashes && report.violation.is_none() {
        report.add(Run::new(seed).run());
        seed += 1;
    }
    plant(None);
    report
}

struct Chance(Random);

impl Nonce for Chance {
    fn nonce(&mut self) -> u64 {
        self.0.draw()
    }
}

impl Genesis for Chance {
    fn genesis(
        &mut self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        slot: u64,
    ) -> (Prepared, String) {
        let id = self.id();
        let mut event = prepared(environment, tenant, id, slot, &mut self.0);
        event.client_id = false;
        (event, format!("LOG{slot}-{}", self.0.draw()))
    }
}

impl Chance {
    fn id(&mut self) -> EventId {
        let (high, low) = (self.0.draw(), self.0.draw());
        EventId(((u128::from(high) << 64) | u128::from(low)).to_be_bytes())
    }
}

/// An event whose content is decided by `content`: its digest is that number.
fn prepared(
    environment: &EnvironmentId,
    tenant: &TenantId,
    id: EventId,
    content: u64,
    random: &mut Random,
) -> Prepared {
    let filler = "x".repeat(random.below(200) as usize);
    let body = format!("{{\"action\":\"a\",\"content\":{content},\"filler\":\"{filler}\"}}");
    let mut digest = [0; 16];
    digest[..8].copy_from_slice(&content.to_le_bytes());
    Prepared::new(Parts {
        environment: environment.clone(),
        tenant: tenant.clone(),
        id,
        client_id: true,
        service: false,
        seed: [7; 16],
        digest,
        occurred_ms: 0,
        severity: 0,
        fields: &Fields::of_stored(body.as_bytes()),
        body: body.as_bytes(),
    })
}

/// The catalog and the segments: atomic and durable, as SQLite and synced objects are.
#[derive(Default)]
struct Sealed {
    position: Position,
    next_slot: u64,
    heads: HashMap<u64, HeadRow>,
    events: HashMap<u64, Vec<Seen>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    seq: u64,
    id: EventId,
    leaf_hash: Hash,
}

struct Run {
    seed: u64,
    chance: Chance,
    disk: SimDisk,
    sealed: Sealed,
    /// Everything that was acknowledged or could have been read, by tenant.
    promised: HashMap<TenantId, HashMap<u64, Seen>>,
    /// Ids sent before and their content, to send again.
    sent: Vec<(TenantId, EventId, u64)>,
    now_ms: u64,
    report: Report,
}

struct Live {
    partition: Partition<SimDisk>,
    unsealed: Vec<(u64, Seen)>,
    /// A freeze that is not committed yet, and how many unsealed events belong to it.
    frozen: Option<(Frozen, usize)>,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let often = |random: &mut Random, times: u64| {
            if random.one_in(3) { 10 + random.below(times) } else { 0 }
        };
        let mix = FaultMix {
            short_write: often(&mut random, 20),
            interrupt: often(&mut random, 20),
            sync: often(&mut random, 30),
            write: often(&mut random, 60),
        };
        Self {
            seed,
            disk: SimDisk::new(random.draw(), mix),
            chance: Chance(random),
            sealed: Sealed::default(),
            promised: HashMap::new(),
            sent: vec![],
            now_ms: 1_000,
            report: Report::default(),
        }
    }

    fn run(mut self) -> Report {
        for _ in 0..CRASHES_PER_SEED {
            if let Err(violation) = self.life() {
                self.report.violation = Some(format!("seed {}: {violation}", self.seed));
                break;
            }
        }
        if self.report.violation.is_none()
            && let Err(violation) = self.flips()
        {
            self.report.violation = Some(format!("seed {}: {violation}", self.seed));
        }
        self.report.faults.add(&self.disk.faults());
        self.report
    }

    /// One life of the process: recover, audit, work until the fuse burns out, crash.
    fn life(&mut self) -> Result<(), String> {
        self.disk.set_fuse(1 + self.chance.0.below(80));
        if let Some(mut live) = self.recover() {
            self.audit(&live)?;
            while self.work(&mut live)?.is_some() {}
        }
        if self.chance.0.one_in(3) {
            self.disk.kill();
        } else {
            self.disk.cut_power();
        }
        Ok(())
    }

    /// Returns nothing when the machine stopped or failed during recovery.
    fn recover(&mut self) -> Option<Live> {
        let heads = self.sealed.heads.values().cloned().collect();
        let state = State::restore("sim", self.sealed.next_slot, heads);
        let nonce = self.chance.nonce();
        let recovered = Partition::recover(
            self.disk.clone(),
            0,
            FILE_BYTES,
            self.sealed.position,
            state,
            nonce,
        )
        .ok()?;
        let (partition, replayed) = recovered;
        let unsealed = replayed.iter().flat_map(seen).collect();
        Some(Live { partition, unsealed, frozen: None })
    }

    /// One step. `None` means that the process is gone.
    fn work(&mut self, live: &mut Live) -> Result<Option<()>, String> {
        self.now_ms = (self.now_ms + self.chance.0.below(5)).saturating_sub(self.chance.0.below(3));
        match self.chance.0.below(12) {
            0 => Ok(live.partition.mark(&mut self.chance).ok()),
            1 if live.frozen.is_none() => {
                live.frozen = Some((live.partition.freeze(), live.unsealed.len()));
                Ok(Some(()))
            }
            2 | 3 => {
                self.commit_seal(live);
                Ok(Some(()))
            }
            4 => Ok(live.partition.journal().prepare_spare().ok()),
            _ => self.submit(live),
        }
    }

    fn commit_seal(&mut self, live: &mut Live) {
        let Some((frozen, count)) = live.frozen.take() else { return };
        self.sealed.position = frozen.position;
        self.sealed.next_slot = frozen.next_slot;
        for head in &frozen.heads {
            self.sealed.heads.insert(head.slot, head.clone());
        }
        for (slot, seen) in live.unsealed.drain(..count) {
            self.sealed.events.entry(slot).or_default().push(seen);
        }
        self.report.seals += 1;
        // Between the commit and this the process may die as well.
        if !self.chance.0.one_in(4) {
            live.partition.sealed(&frozen, self.report.seals);
        }
    }

    fn submit(&mut self, live: &mut Live) -> Result<Option<()>, String> {
        let events: Vec<Prepared> = (0..1 + self.chance.0.below(4)).map(|_| self.event()).collect();
        let sealed = |event: &Prepared| self.is_sealed(live, event);
        let events: Vec<Prepared> = events.into_iter().filter(|event| !sealed(event)).collect();
        let Ok((outcomes, applied)) =
            live.partition.commit(events.iter(), self.now_ms, &mut self.chance)
        else {
            return Ok(None);
        };
        live.unsealed.extend(seen(&applied));
        for (slot, seen) in seen(&applied) {
            let tenant = live
                .partition
                .state()
                .log(slot)
                .ok_or("an applied event has no log")?
                .tenant
                .clone();
            self.promised.entry(tenant).or_default().insert(seen.seq, seen);
        }
        outcomes.iter().try_for_each(|outcome| self.acked(outcome))?;
        Ok(Some(()))
    }

    /// The store looks ids up in the segments before it asks the partition.
    fn is_sealed(&self, live: &Live, event: &Prepared) -> bool {
        let slot = live.partition.state().slot(&event.environment, &event.tenant);
        let events = slot.and_then(|slot| self.sealed.events.get(&slot));
        events.is_some_and(|events| events.iter().any(|seen| seen.id == event.id))
    }

    fn event(&mut self) -> Prepared {
        let environment = EnvironmentId::restored("sim");
        if !self.sent.is_empty() && self.chance.0.one_in(4) {
            let (tenant, id, content) =
                self.sent[self.chance.0.below(self.sent.len() as u64) as usize].clone();
            let content = if self.chance.0.one_in(4) { content + 1 } else { content };
            return prepared(&environment, &tenant, id, content, &mut self.chance.0);
        }
        let tenant = TenantId::restored(&format!("t{}", self.chance.0.below(TENANTS)));
        let (id, content) = (self.chance.id(), self.chance.0.draw() >> 1);
        self.sent.push((tenant.clone(), id, content));
        prepared(&environment, &tenant, id, content, &mut self.chance.0)
    }

    fn acked(&mut self, outcome: &Outcome) -> Result<(), String> {
        let (Outcome::Accepted(receipt) | Outcome::Duplicate(receipt) | Outcome::Conflict(receipt)) =
            outcome
        else {
            return Err("an undamaged log refuses events".to_owned());
        };
        let seen = Seen { seq: receipt.seq, id: receipt.id, leaf_hash: receipt.leaf_hash };
        let promised = self.promised.get(&receipt.tenant).and_then(|log| log.get(&receipt.seq));
        if promised != Some(&seen) {
            return Err(format!("{receipt:?} was acknowledged, the log holds {promised:?}"));
        }
        match outcome {
            Outcome::Accepted(_) => self.report.acked += 1,
            _ => self.report.repeats += 1,
        }
        Ok(())
    }

    fn audit(&mut self, live: &Live) -> Result<(), String> {
        self.report.audits += 1;
        let state = live.partition.state();
        if state.read_only() {
            return Err("damage is reported where none was done".to_owned());
        }
        let mut logs = self.sealed.events.clone();
        for (slot, seen) in &live.unsealed {
            logs.entry(*slot).or_default().push(*seen);
        }
        let mut names = HashSet::new();
        for (slot, events) in &logs {
            let log =
                state.log(*slot).ok_or_else(|| format!("slot {slot} has events and no log"))?;
            check_log(events, &log.frontier).map_err(|e| format!("{}: {e}", log.tenant))?;
            if !log.damaged.is_empty() || !names.insert(log.tenant.clone()) {
                return Err(format!("{}: damaged without cause, or twice there", log.tenant));
            }
            let promised = self.promised.entry(log.tenant.clone()).or_default();
            for (seq, seen) in promised.iter() {
                if events.get(*seq as usize) != Some(seen) {
                    return Err(format!("{}: acknowledged {seen:?} is gone", log.tenant));
                }
            }
            promised.extend(events.iter().map(|seen| (seen.seq, *seen)));
        }
        let lost =
            self.promised.iter().find(|(tenant, log)| !log.is_empty() && !names.contains(*tenant));
        lost.map_or(Ok(()), |(tenant, _)| Err(format!("the whole log of {tenant} is gone")))
    }

    /// Bit rot: after an undisturbed stretch with the mark written, one flipped bit is reported or harmless.
    fn flips(&mut self) -> Result<(), String> {
        self.disk.set_mix(FaultMix::default());
        self.disk.set_fuse(u64::MAX);
        let Some(mut live) = self.recover() else {
            return Err("no recovery without faults".to_owned());
        };
        self.audit(&live)?;
        for _ in 0..6 {
            self.submit(&mut live)?.ok_or("a commit failed without faults")?;
        }
        live.partition.mark(&mut self.chance).map_err(|e| e.to_string())?;
        drop(live);
        let files = self.disk.files();
        let (name, length) = &files[self.chance.0.below(files.len() as u64) as usize];
        let offset = self.chance.0.below(*length as u64) as usize;
        self.disk.flip(name, offset, self.chance.0.draw() as u8);
        let Some(live) = self.recover() else {
            self.report.reported += 1;
            return Ok(());
        };
        if live.partition.state().read_only()
            || live.partition.state().logs().any(|(_, log)| !log.damaged.is_empty())
        {
            self.report.reported += 1;
            return Ok(());
        }
        self.audit(&live).map_err(|e| format!("after a flip at {offset} of {name}: {e}"))
    }
}

fn seen(applied: &Applied) -> Vec<(u64, Seen)> {
    let records = (0..applied.places.len()).filter_map(|index| applied.record(index));
    records
        .map(|r| (r.slot(), Seen { seq: r.seq(), id: r.id(), leaf_hash: r.leaf_hash() }))
        .collect()
}

fn check_log(events: &[Seen], frontier: &Frontier) -> Result<(), String> {
    let mut ids = HashSet::new();
    let mut tree = Frontier::default();
    for (index, seen) in events.iter().enumerate() {
        if seen.seq != index as u64 {
            return Err(format!("seq {} stands at place {index}", seen.seq));
        }
        if !ids.insert(seen.id) {
            return Err(format!("{:?} stands twice", seen.id));
        }
        tree.append(seen.leaf_hash);
    }
    if tree != *frontier {
        return Err(format!(
            "the tree of {} leaves has another root than the {} events",
            frontier.size(),
            events.len()
        ));
    }
    Ok(())
}
