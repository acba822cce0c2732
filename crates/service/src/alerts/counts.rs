//! How many matching events there were within the window, for each value that is counted apart.
//!
//! A deterministic fold over the log: the same events in the same order raise the same alerts, so that a count that
//! goes on from an older saved state after a crash raises nothing new. Times are those of receipt, which never
//! decrease within a log.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

/// Events remembered for one alert at most, 16 bytes each; beyond, values that were not seen for longest are forgotten.
const REMEMBERED_MAX: usize = 20_000;
/// So many events are counted before there is a look at what is remembered.
const SWEEP_EVERY: usize = 1_000;
/// Values for which an alert is raised within one window at most: what counts apart by a value that every event has
/// anew must not double the log.
const RAISED_MAX: usize = 100;

/// What raises an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule {
    /// So many events, at least one.
    pub(super) threshold: usize,
    /// Within less than so many milliseconds.
    pub(super) window_ms: u64,
}

/// The threshold was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Raised {
    /// The value that was counted.
    pub(super) value: String,
    /// The first event that counts.
    pub(super) first_seq: u64,
    /// When it was received.
    pub(super) first_ms: u64,
    /// The event that reached the threshold.
    pub(super) last_seq: u64,
    /// When it was received.
    pub(super) last_ms: u64,
    /// Times since the alert before that nothing was raised because too much had been.
    pub(super) withheld: u64,
}

/// The counts of one alert.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    values: BTreeMap<String, Seen>,
    #[serde(default)]
    withheld: u64,
    /// Events counted since room was made last.
    #[serde(default)]
    unswept: usize,
}

/// What was seen of one value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    /// Time and seq of its latest events within the window, at most as many as the threshold.
    events: VecDeque<(u64, u64)>,
    /// When it raised the alert; for a window from then on it is silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    raised_ms: Option<u64>,
}

impl Seen {
    fn is_silent(&self, rule: Rule, now_ms: u64) -> bool {
        self.raised_ms.is_some_and(|raised| now_ms < raised + rule.window_ms)
    }

    fn forget(&mut self, rule: Rule, now_ms: u64) {
        while self.events.front().is_some_and(|&(at, _)| at + rule.window_ms <= now_ms) {
            self.events.pop_front();
        }
        if !self.is_silent(rule, now_ms) {
            self.raised_ms = None;
        }
    }
}

impl Counts {
    /// Counts one event of `value`. Events come in the order of their seqs.
    pub(super) fn count(
        &mut self,
        rule: Rule,
        value: &str,
        now_ms: u64,
        seq: u64,
    ) -> Option<Raised> {
        self.unswept += 1;
        if self.unswept >= SWEEP_EVERY {
            self.unswept = 0;
            self.make_room(rule, now_ms);
        }
        if !self.values.contains_key(value) {
            self.values.insert(value.to_owned(), Seen::default());
        }
        let seen = self.values.get_mut(value)?;
        seen.forget(rule, now_ms);
        if seen.events.len() == rule.threshold {
            seen.events.pop_front();
        }
        seen.events.push_back((now_ms, seq));
        if seen.events.len() < rule.threshold || seen.raised_ms.is_some() {
            return None;
        }
        self.raise(rule, value, now_ms, seq)
    }

    fn raise(&mut self, rule: Rule, value: &str, now_ms: u64, seq: u64) -> Option<Raised> {
        if self.values.values().filter(|seen| seen.is_silent(rule, now_ms)).count() >= RAISED_MAX {
            self.withheld += 1;
            return None;
        }
        let seen = self.values.get_mut(value)?;
        seen.raised_ms = Some(now_ms);
        let &(first_ms, first_seq) = seen.events.front()?;
        let withheld = std::mem::take(&mut self.withheld);
        let value = value.to_owned();
        Some(Raised { value, first_seq, first_ms, last_seq: seq, last_ms: now_ms, withheld })
    }

    /// Forgets what the window no longer holds, and then the values that were not seen for longest, when there is too
    /// much to remember.
    fn make_room(&mut self, rule: Rule, now_ms: u64) {
        let size = |seen: &Seen| seen.events.len().max(1);
        if self.values.values().map(size).sum::<usize>() < REMEMBERED_MAX {
            return;
        }
        for seen in self.values.values_mut() {
            seen.forget(rule, now_ms);
        }
        self.values.retain(|_, seen| !seen.events.is_empty() || seen.raised_ms.is_some());
        let mut total: usize = self.values.values().map(size).sum();
        let mut oldest: Vec<(u64, String)> = self
            .values
            .iter()
            .map(|(value, seen)| (seen.events.back().map_or(0, |&(at, _)| at), value.clone()))
            .collect();
        oldest.sort_unstable();
        for (_, value) in oldest {
            // A tenth is freed at once: room is not made for every event.
            if total < REMEMBERED_MAX / 10 * 9 {
                break;
            }
            total -= self.values.remove(&value).map_or(0, |seen| size(&seen));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULE: Rule = Rule { threshold: 3, window_ms: 1_000 };

    /// The seqs that raise the alert, from all events at once.
    fn expected(rule: Rule, events: &[(u64, u8)]) -> Vec<u64> {
        let mut silent_until: BTreeMap<u8, u64> = BTreeMap::new();
        let mut raising = Vec::new();
        for (seq, &(at, value)) in events.iter().enumerate() {
            let within = |&&(then, of): &&(u64, u8)| of == value && then + rule.window_ms > at;
            let count = events[..=seq].iter().filter(within).count();
            if count >= rule.threshold && silent_until.get(&value).is_none_or(|&until| at >= until)
            {
                silent_until.insert(value, at + rule.window_ms);
                raising.push(seq as u64);
            }
        }
        raising
    }

    proptest! {
        #[test]
        fn an_alert_is_raised_exactly_when_the_definition_says(
            steps in prop::collection::vec((0u64..400, 0u8..3), 0..200),
            threshold in 1usize..5,
            stop in 0usize..200,
        ) {
            let rule = Rule { threshold, ..RULE };
            let mut now = 0;
            let events: Vec<(u64, u8)> = steps
                .into_iter()
                .map(|(step, value)| {
                    now += step;
                    (now, value)
                })
                .collect();
            let mut counts = Counts::default();
            let mut raising = Vec::new();
            for (seq, &(at, value)) in events.iter().enumerate() {
                // A stop in between, after which the count goes on from what was saved.
                if seq == stop {
                    let saved = serde_json::to_string(&counts).unwrap();
                    counts = serde_json::from_str(&saved).unwrap();
                }
                let raised = counts.count(rule, &value.to_string(), at, seq as u64);
                raising.extend(raised.map(|raised| raised.last_seq));
            }
            prop_assert_eq!(raising, expected(rule, &events));
        }
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_latest_stays() {
        let mut counts = Counts::default();
        for n in 0..3 * REMEMBERED_MAX as u64 {
            assert!(counts.count(RULE, &n.to_string(), n / 100, n).is_none());
        }
        assert!(counts.values.len() <= REMEMBERED_MAX + SWEEP_EVERY);
        let last = (3 * REMEMBERED_MAX as u64 - 1).to_string();
        let at = 3 * REMEMBERED_MAX as u64;
        assert!(counts.count(RULE, &last, at / 100, at).is_none());
        assert!(counts.count(RULE, &last, at / 100, at + 1).is_some());
    }

    #[test]
    fn alerts_of_a_value_that_is_always_new_are_withheld_and_told_of() {
        let rule = Rule { threshold: 1, window_ms: 1_000 };
        let mut counts = Counts::default();
        let raised = (0..500).filter_map(|n| counts.count(rule, &n.to_string(), 0, n)).count();
        assert_eq!(raised, RAISED_MAX);
        let next = counts.count(rule, "later", 1_000, 500).unwrap();
        assert_eq!(next.withheld, 500 - RAISED_MAX as u64);
    }
}
