//! The events that the benchmark sends: 650 bytes each, 1,000 tenants with Zipf weights, ids of the client's own.
//!
//! Batches are built once and sent again and again with fresh ids written over the old ones, so that making load
//! costs little beside accepting it. Everything follows from a seed: two runs send the same events.

use std::{fmt::Write as _, ops::Range};

/// Size of one event's JSON in bytes, the comma after it not counted.
pub(crate) const EVENT_BYTES: usize = 650;

/// How many tenants the events belong to.
pub(crate) const TENANTS: u64 = 1_000;

/// How many people act in one tenant.
const ACTORS: u64 = 500;

/// A small deterministic generator (SplitMix64, by Sebastiano Vigna, public domain).
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Returns the generator that `seed` names.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Returns a rank below `count` with Zipf weights of exponent 1, by inverting the continuous distribution.
    pub(crate) fn zipf(&mut self, count: u64) -> u64 {
        let uniform = (self.next() >> 11) as f64 / (1u64 << 53) as f64;
        let rank = ((count as f64 + 1.0).ln() * uniform).exp() - 1.0;
        (rank as u64).min(count - 1)
    }
}

/// One event's facts, as a query or a row of the peer needs them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The tenant's id.
    pub(crate) tenant: String,
    /// The actor's id.
    pub(crate) actor: String,
    /// The action.
    pub(crate) action: &'static str,
    /// The target's id.
    pub(crate) target: String,
}

/// A request whose ids can be renewed in place.
#[derive(Clone)]
pub(crate) struct Prepared {
    bytes: Vec<u8>,
    /// Where the body lies.
    body: Range<usize>,
    /// Where the 36 characters of each event's id start.
    ids: Vec<usize>,
    /// Each event's facts, in order.
    pub(crate) facts: Vec<Facts>,
}

impl Prepared {
    /// Returns a `POST /v1/events` of `count` events: an array, or one object when `count` is 1.
    pub(crate) fn new(count: usize, key: &str, dice: &mut Dice) -> Self {
        let mut body = String::with_capacity(count * (EVENT_BYTES + 1) + 2);
        let (mut ids, mut facts) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let array = count > 1;
        body.push_str(if array { "[" } else { "" });
        for index in 0..count {
            body.push_str(if index > 0 { "," } else { "" });
            ids.push(body.len() + "{\"id\":\"".len());
            facts.push(write_event(&mut body, dice));
        }
        body.push_str(if array { "]" } else { "" });
        let head = format!(
            "POST /v1/events HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let ids = ids.into_iter().map(|start| start + head.len()).collect();
        let body_start = head.len();
        let bytes = [head.into_bytes(), body.into_bytes()].concat();
        Self { body: body_start..bytes.len(), bytes, ids, facts }
    }

    /// Writes a fresh random id (UUID version 4) over each event's old one, and returns the request.
    pub(crate) fn renew(&mut self, dice: &mut Dice) -> &[u8] {
        for start in &self.ids {
            write_uuid(&mut self.bytes[*start..*start + 36], dice);
        }
        &self.bytes
    }

    /// Returns the number of events.
    pub(crate) fn events(&self) -> usize {
        self.ids.len()
    }

    /// Returns each event's id and JSON.
    pub(crate) fn each(&self) -> impl Iterator<Item = (&str, &str, &Facts)> {
        let text =
            |range: Range<usize>| str::from_utf8(&self.bytes[range]).expect("built from text");
        self.ids.iter().zip(&self.facts).map(move |(start, facts)| {
            let from = start - "{\"id\":\"".len();
            (text(*start..start + 36), text(from..from + EVENT_BYTES), facts)
        })
    }

    /// Returns the body alone.
    pub(crate) fn body(&self) -> &[u8] {
        &self.bytes[self.body.clone()]
    }
}

const ACTIONS: [&str; 8] = [
    "user.login",
    "document.read",
    "document.updated",
    "user.role.changed",
    "api_key.created",
    "settings.changed",
    "document.exported",
    "user.login.failed",
];

fn write_event(out: &mut String, dice: &mut Dice) -> Facts {
    let start = out.len();
    let tenant = format!("tenant-{:04}", dice.zipf(TENANTS));
    let actor = format!("user_{:05}", dice.zipf(ACTORS));
    let action = ACTIONS[dice.zipf(ACTIONS.len() as u64) as usize];
    let target = format!("doc_{:08x}", dice.below(100_000));
    let (second, millisecond) = (dice.below(86_400), dice.below(1_000));
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let _ = write!(
        out,
        r#"{{"id":"00000000-0000-4000-8000-000000000000","tenant":"{tenant}","action":"{action}","occurred_at":"2026-01-15T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z","actor":{{"type":"user","id":"{actor}","name":"Person {actor}","email":"{actor}@{tenant}.example"}},"targets":[{{"type":"document","id":"{target}","name":"Quarterly report"}}],"context":{{"ip":"198.51.{}.{}","user_agent":"Mozilla/5.0 (X11; Linux x86_64)","session_id":"{:016x}","request_id":"{:016x}"}},"outcome":"success","metadata":{{"plan":"team","attempt":{},"note":""#,
        dice.below(256),
        dice.below(256),
        dice.next(),
        dice.next(),
        dice.below(10),
    );
    let padding = (start + EVENT_BYTES)
        .checked_sub(out.len() + 3)
        .expect("the fixed part is shorter than the event");
    for _ in 0..padding {
        out.push(char::from(b'a' + dice.below(26) as u8));
    }
    out.push_str("\"}}");
    Facts { tenant, actor, action, target }
}

fn write_uuid(out: &mut [u8], dice: &mut Dice) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let bits = (u128::from(dice.next()) << 64 | u128::from(dice.next())) & !(0xf << 76 | 0x3 << 62)
        | 0x4 << 76
        | 0x2 << 62;
    let mut nibble = 128;
    for (position, byte) in out.iter_mut().enumerate() {
        if matches!(position, 8 | 13 | 18 | 23) {
            *byte = b'-';
        } else {
            nibble -= 4;
            *byte = DIGITS[(bits >> nibble) as usize & 15];
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_event_is_650_bytes_of_json_with_its_facts() {
        let mut request = Prepared::new(100, "k", &mut Dice::new(1));
        request.renew(&mut Dice::new(2));
        let events: Vec<serde_json::Value> = serde_json::from_slice(request.body()).unwrap();
        assert_eq!(events.len(), 100);
        for ((id, text, facts), event) in request.each().zip(&events) {
            assert_eq!(text.len(), EVENT_BYTES);
            assert_eq!(serde_json::from_str::<serde_json::Value>(text).unwrap(), *event);
            assert_eq!(
                (event["id"].as_str(), event["tenant"].as_str()),
                (Some(id), Some(facts.tenant.as_str()))
            );
            assert_eq!(event["actor"]["id"], facts.actor);
        }
    }

    #[test]
    fn ids_are_fresh_version_4_uuids() {
        let (mut request, mut dice) = (Prepared::new(10, "k", &mut Dice::new(1)), Dice::new(3));
        let mut seen = HashSet::new();
        for _ in 0..100 {
            request.renew(&mut dice);
            for (id, _, _) in request.each() {
                assert_eq!((&id[14..15], &id[8..9], id.len()), ("4", "-", 36));
                assert!("89ab".contains(&id[19..20]), "{id}");
                assert!(seen.insert(id.to_owned()));
            }
        }
    }

    #[test]
    fn the_first_tenant_gets_the_largest_share() {
        let mut dice = Dice::new(7);
        let draws: Vec<u64> = (0..10_000).map(|_| dice.zipf(1_000)).collect();
        let first = draws.iter().filter(|rank| **rank == 0).count();
        assert!((900..1_100).contains(&first), "{first}");
        assert!(draws.iter().all(|rank| *rank < 1_000));
    }
}
