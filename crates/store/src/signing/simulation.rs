//! Signing under crashes, failing disks and restored backups: whatever happens, the heads that were ever shown of a log
//! are heads of one growing tree, and a crash alone never stops signing.
//!
//! The world keeps what survives a crash (local batches, register, logs); a process is a [`Signing`] over it that dies at
//! any step. An operation that fails may have happened or not.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    io,
    rc::Rc,
};

use attestary_ledger::{Frontier, Hash};

use super::{
    Committed, Head, LocalHeads, Mark, Refusal, Signing, SigningError,
    register::{Register, RegisterError, Value},
};
use crate::{
    planted::{Bug, plant},
    sim::Random,
};

const LOGS: u64 = 3;

/// What lies on disks, and the leaves of the logs.
#[derive(Debug, Clone, Default)]
struct Data {
    committed: Committed,
    heads: HashMap<u64, Head>,
    logs: HashMap<u64, Vec<Hash>>,
    owner_epoch: u64,
}

/// One operation in this many fails; a third of those ends the process.
const FAULTS: u64 = 12;

#[derive(Clone)]
struct World {
    data: Rc<RefCell<Data>>,
    register: Rc<RefCell<Value>>,
    random: Rc<RefCell<Random>>,
    dead: Rc<Cell<bool>>,
    faults: Rc<Cell<u64>>,
}

#[derive(Debug, thiserror::Error)]
#[error("the operation failed")]
struct Broken;

impl World {
    /// Runs an operation that may fail before or after it happened.
    fn operation<T>(&self, run: impl FnOnce() -> T) -> Result<T, Broken> {
        if self.dead.get() {
            return Err(Broken);
        }
        let (fails, dies, happens) = {
            let mut random = self.random.borrow_mut();
            (random.below(FAULTS) == 0, random.below(3) == 0, random.below(2) == 0)
        };
        if !fails {
            return Ok(run());
        }
        self.faults.set(self.faults.get() + 1);
        self.dead.set(dies);
        if happens {
            run();
        }
        Err(Broken)
    }
}

impl LocalHeads for World {
    type Error = Broken;

    fn committed(&self) -> Result<Committed, Broken> {
        self.operation(|| self.data.borrow().committed)
    }

    fn commit(&self, committed: &Committed, heads: &[Head]) -> Result<(), Broken> {
        self.operation(|| {
            let mut data = self.data.borrow_mut();
            data.committed = *committed;
            data.heads.extend(heads.iter().map(|head| (head.slot, *head)));
        })
    }
}

fn broken(_: Broken) -> RegisterError {
    RegisterError::Access { path: "register".into(), source: io::Error::other("broken") }
}

impl Register for World {
    fn read(&self) -> Result<Value, RegisterError> {
        self.operation(|| *self.register.borrow()).map_err(broken)
    }

    fn swap(&self, from: &Mark, to: Value) -> Result<(), RegisterError> {
        let swapped = self.operation(|| {
            let mut value = self.register.borrow_mut();
            let fits = value.mark == *from && value.owner_epoch <= to.owner_epoch;
            if fits {
                *value = to;
            }
            fits
        });
        if swapped.map_err(broken)? { Ok(()) } else { Err(RegisterError::Changed) }
    }

    fn replace(&self, to: Value) -> Result<(), RegisterError> {
        self.operation(|| *self.register.borrow_mut() = to).map_err(broken)
    }
}

fn root(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::default();
    for leaf in leaves {
        let _ = frontier.append(*leaf);
    }
    frontier.root()
}

/// Holds every head that was ever shown, and the leaves it was shown for.
#[derive(Default)]
struct Auditor {
    shown: HashMap<u64, Vec<Vec<Hash>>>,
    count: u64,
}

impl Auditor {
    fn show(&mut self, data: &Data, head: &Head) -> Result<(), String> {
        let log = &data.logs[&head.slot];
        let leaves = log.get(..head.size as usize).ok_or("a head is larger than its log")?.to_vec();
        if root(&leaves) != head.root {
            return Err(format!("the head of {} is not that of the log", head.size));
        }
        self.count += 1;
        let shown = self.shown.entry(head.slot).or_default();
        for other in shown.iter() {
            let common = other.len().min(leaves.len());
            if other[..common] != leaves[..common] {
                let sizes = (other.len(), leaves.len());
                return Err(format!("two heads of one log contradict each other: {sizes:?}"));
            }
        }
        shown.push(leaves);
        Ok(())
    }
}

struct Run {
    world: World,
    auditor: Auditor,
    backup: Option<Data>,
    /// A backup was restored: signing may be refused from here on.
    restored: bool,
    refused: bool,
}

impl Run {
    fn new(seed: u64) -> Self {
        let world = World {
            data: Rc::default(),
            register: Rc::default(),
            random: Rc::new(RefCell::new(Random::new(seed))),
            dead: Rc::default(),
            faults: Rc::default(),
        };
        let (restored, refused) = (false, false);
        Self { world, auditor: Auditor::default(), backup: None, restored, refused }
    }

    fn below(&self, end: u64) -> u64 {
        self.world.random.borrow_mut().below(end)
    }

    fn append(&self) {
        let (slot, count) = (self.below(LOGS), self.below(4));
        for _ in 0..count {
            let leaf = self.world.random.borrow_mut().draw();
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&leaf.to_le_bytes());
            self.world.data.borrow_mut().logs.entry(slot).or_default().push(hash);
        }
    }

    /// One process from its start to its death, or to its orderly end.
    fn process(&mut self) -> Result<(), String> {
        self.world.dead.set(false);
        self.world.data.borrow_mut().owner_epoch += 1;
        let owner_epoch = self.world.data.borrow().owner_epoch;
        let mut signing = Signing::new(self.world.clone(), self.world.clone(), 0, owner_epoch);
        let heads: Vec<Head> = self.world.data.borrow().heads.values().copied().collect();
        for head in heads {
            let leaves = self.world.data.borrow().logs.get(&head.slot).cloned().unwrap_or_default();
            let signed = leaves.get(..head.size as usize).map(root);
            if signed != Some(head.root) {
                signing.refuse(Refusal::Root { slot: head.slot, size: head.size });
            }
        }
        let mut ready = false;
        for _ in 0..self.below(12) {
            self.append();
            let fixed = signing.settle().and_then(|mut fixed| {
                if !ready {
                    fixed.extend(self.world.data.borrow().heads.values());
                    ready = true;
                }
                fixed.extend(signing.fix(self.grown())?);
                Ok(fixed)
            });
            match fixed {
                Ok(heads) => {
                    let data = self.world.data.borrow();
                    heads.iter().try_for_each(|head| self.auditor.show(&data, head))?;
                }
                Err(SigningError::Refused(refusal)) => {
                    self.refused = true;
                    if !self.restored {
                        return Err(format!("refused although nothing was restored: {refusal}"));
                    }
                }
                Err(_) if self.world.dead.get() => return Ok(()),
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// Heads of some logs that are longer than their committed head.
    fn grown(&self) -> Vec<Head> {
        let data = self.world.data.borrow();
        let heads = (0..LOGS).filter_map(|slot| {
            let leaves = data.logs.get(&slot)?;
            let size = leaves.len() as u64;
            let grown = data.heads.get(&slot).map_or(0, |head| head.size) < size;
            grown.then(|| Head { slot, size, root: root(leaves) })
        });
        heads.collect()
    }

    fn run(&mut self) -> Result<(), String> {
        for _ in 0..12 {
            match self.below(10) {
                0 => self.backup = Some(self.world.data.borrow().clone()),
                1 if self.backup.is_some() => {
                    let backup = self.backup.clone().expect("just seen");
                    self.restored = true;
                    *self.world.data.borrow_mut() = backup;
                }
                _ => {}
            }
            self.process()?;
        }
        Ok(())
    }
}

/// Returns the first violation among so many seeds, and figures: heads shown, faults, refusals.
fn search(bug: Option<Bug>, seeds: u64) -> (Option<String>, [u64; 3]) {
    plant(bug);
    let mut figures = [0; 3];
    let mut violation = None;
    for seed in 0..seeds {
        let mut run = Run::new(seed);
        let result = run.run();
        figures[0] += run.auditor.count;
        figures[1] += run.world.faults.get();
        figures[2] += u64::from(run.refused);
        if let Err(what) = result {
            violation = Some(format!("seed {seed}: {what}"));
            break;
        }
    }
    plant(None);
    (violation, figures)
}

#[test]
fn heads_that_were_shown_never_contradict_each_other() {
    let (violation, [shown, faults, refused]) = search(None, 3_000);
    assert_eq!(violation, None);
    assert!(shown > 10_000 && faults > 3_000 && refused > 100, "{shown} {faults} {refused}");
}

#[test]
fn every_planted_bug_is_caught() {
    for bug in Bug::SIGNING {
        let (violation, _) = search(Some(bug), 3_000);
        assert!(violation.is_some(), "{bug:?} went unnoticed");
    }
}
