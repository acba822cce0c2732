//! Whose submissions wait: no flow takes all the room in the queue, and none makes the others wait for all of its own.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher},
};

/// What shares the queue fairly with others: usually a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flow(u64);

impl Flow {
    /// The service's own events: what others send never keeps them out.
    pub const SERVICE: Self = Self(0);

    /// Returns the flow called `name`; two names in 2^64 may share one, which is unfair to both and no more.
    pub fn of(name: &str) -> Self {
        Self(BuildHasherDefault::<DefaultHasher>::default().hash_one(name) | 1)
    }
}

/// The bytes that each flow has in the queue.
///
/// A flow may take as much as is left free (dynamic thresholds; Choudhury and Hahne, 1998): alone it gets half of the
/// queue, beside n others of its kind a share of 1/(n + 2). What is left free is there for a flow that comes next.
#[derive(Debug, Default)]
pub(super) struct Shares {
    total: usize,
    flows: HashMap<Flow, usize>,
}

impl Shares {
    /// Returns true when [`Self::take`] would find room now.
    pub(super) fn has_room(&self, flow: Flow, bytes: usize, bytes_max: usize) -> bool {
        let free = bytes_max.saturating_sub(self.total);
        let own = self.flows.get(&flow).copied().unwrap_or(0);
        // One submission may be larger than what is free: otherwise it would never be taken.
        let fits = self.total == 0 || bytes <= free;
        let fair = own == 0 || flow == Flow::SERVICE || own + bytes <= free;
        fits && fair
    }

    /// Takes room for a submission. Returns false when the flow has to wait for its own first, or all are too many.
    pub(super) fn take(&mut self, flow: Flow, bytes: usize, bytes_max: usize) -> bool {
        if !self.has_room(flow, bytes, bytes_max) {
            return false;
        }
        self.total += bytes;
        *self.flows.entry(flow).or_default() += bytes;
        true
    }

    /// Gives the room back.
    pub(super) fn give_back(&mut self, flow: Flow, bytes: usize) {
        self.total -= bytes;
        let Some(own) = self.flows.get_mut(&flow) else { return };
        *own -= bytes;
        if *own == 0 {
            self.flows.remove(&flow);
        }
    }

    /// Returns the bytes of all flows.
    pub(super) fn total(&self) -> usize {
        self.total
    }
}

/// Bytes that a flow may send each time its turn comes: about a batch.
const QUANTUM_BYTES: usize = 256 << 10;

/// Submissions that wait, taken from all flows in turn (deficit round robin; Shreedhar and Varghese, 1995).
#[derive(Debug)]
pub(super) struct Backlog<T> {
    flows: HashMap<Flow, Waiting<T>>,
    /// Flows that have something waiting, the next one first.
    turns: VecDeque<Flow>,
}

#[derive(Debug)]
struct Waiting<T> {
    items: VecDeque<(T, usize)>,
    /// What is left of its turns.
    bytes: usize,
}

impl<T> Default for Backlog<T> {
    fn default() -> Self {
        Self { flows: HashMap::new(), turns: VecDeque::new() }
    }
}

impl<T> Backlog<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Adds an item of `bytes` bytes behind the others of its flow.
    pub(super) fn push(&mut self, flow: Flow, item: T, bytes: usize) {
        let waiting = self.flows.entry(flow).or_insert_with(|| {
            self.turns.push_back(flow);
            Waiting { items: VecDeque::new(), bytes: 0 }
        });
        waiting.items.push_back((item, bytes));
    }

    /// Takes items of about `bytes_max` bytes, at least one if there is one, from all flows in turn.
    pub(super) fn take(&mut self, bytes_max: usize) -> Vec<T> {
        let (mut taken, mut total) = (Vec::new(), 0);
        while total < bytes_max
            && let Some(flow) = self.turns.pop_front()
        {
            let Some(waiting) = self.flows.get_mut(&flow) else { continue };
            waiting.bytes += QUANTUM_BYTES;
            while let Some((item, bytes)) =
                waiting.items.pop_front_if(|(_, bytes)| *bytes <= waiting.bytes)
            {
                waiting.bytes -= bytes;
                total += bytes;
                taken.push(item);
            }
            if waiting.items.is_empty() {
                self.flows.remove(&flow);
            } else {
                self.turns.push_back(flow);
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_leaves_room_for_others() {
        let (flood, victim) = (Flow::of("flood"), Flow::of("victim"));
        let mut shares = Shares::default();
        let mut flooded = 0;
        while shares.take(flood, 100, 10_000) {
            flooded += 100;
        }
        assert_eq!(flooded, 5_000, "alone, a flow gets half");
        assert!(shares.take(victim, 100, 10_000));
        assert!(!shares.take(flood, 100, 10_000));
        let mut rest = 100;
        while shares.take(victim, 100, 10_000) {
            rest += 100;
        }
        assert_eq!(rest, 2_500, "and the next one half of what is left");
        assert!(shares.take(Flow::SERVICE, 2_000, 10_000), "the service may use all of it");
        assert!(!shares.take(Flow::SERVICE, 2_000, 10_000));
        shares.give_back(flood, 5_000);
        assert!(shares.take(victim, 100, 10_000));
        assert_eq!(shares.total(), 4_600);
    }

    #[test]
    fn a_submission_that_is_larger_than_all_is_taken_alone() {
        let flow = Flow::of("a");
        let mut shares = Shares::default();
        assert!(shares.has_room(flow, 500, 100));
        assert!(shares.take(flow, 500, 100));
        assert!(!shares.has_room(Flow::of("b"), 1, 100));
        assert!(!shares.take(Flow::of("b"), 1, 100));
        shares.give_back(flow, 500);
        assert!(shares.take(Flow::of("b"), 1, 100));
    }

    #[test]
    fn flows_are_served_in_turn_and_each_in_its_order() {
        let (flood, victim) = (Flow::of("flood"), Flow::of("victim"));
        let mut backlog = Backlog::default();
        for n in 0..100 {
            backlog.push(flood, ("flood", n), QUANTUM_BYTES / 2);
        }
        backlog.push(victim, ("victim", 0), 700);
        backlog.push(victim, ("victim", 1), 700);
        let group = backlog.take(QUANTUM_BYTES * 2);
        assert_eq!(
            group,
            [("flood", 0), ("flood", 1), ("victim", 0), ("victim", 1), ("flood", 2), ("flood", 3)]
        );
        let mut left = Vec::new();
        while !backlog.is_empty() {
            left.extend(backlog.take(1));
        }
        assert_eq!(left, (4..100).map(|n| ("flood", n)).collect::<Vec<_>>());
    }

    #[test]
    fn a_large_submission_waits_for_enough_turns_and_not_for_ever() {
        let mut backlog = Backlog::default();
        backlog.push(Flow::of("large"), "large", QUANTUM_BYTES * 5);
        for _ in 0..3 {
            backlog.push(Flow::of("small"), "small", QUANTUM_BYTES);
        }
        assert_eq!(backlog.take(usize::MAX), ["small", "small", "small", "large"]);
        assert!(backlog.is_empty() && backlog.take(usize::MAX).is_empty());
    }
}
