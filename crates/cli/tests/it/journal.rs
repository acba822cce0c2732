//! What the load clients know: every event they ever sent, and every acknowledgement they got.
//!
//! It is the client's own record, made from replies on the socket; nothing the server says about itself enters it.
//! [`Journal::check`] holds the server's answers against it.

use std::collections::HashMap;

use serde_json::Value;

/// An acknowledgement, as far as a later reading must repeat it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ack {
    pub(crate) seq: u64,
    pub(crate) leaf_hash: String,
    pub(crate) received_at: String,
}

impl Ack {
    /// Reads a receipt or an event.
    pub(crate) fn of(value: &Value) -> Self {
        let text = |name: &str| {
            value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
        };
        Self {
            seq: value["seq"].as_u64().unwrap(),
            leaf_hash: text("leaf_hash"),
            received_at: text("received_at"),
        }
    }
}

/// Sent and acknowledged events, by tenant and id.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    /// Id to the event's own number, which its metadata repeats.
    sent: HashMap<(String, String), u64>,
    acked: HashMap<(String, String), Ack>,
    /// Acknowledged events without a client's id, by the server's id.
    pub(crate) retried: u64,
}

impl Journal {
    /// Notes an event before it is sent.
    pub(crate) fn send(&mut self, tenant: &str, id: &str, number: u64) {
        self.sent.insert((tenant.to_owned(), id.to_owned()), number);
    }

    /// Notes an acknowledgement; one for an event that was acknowledged before must be the same.
    pub(crate) fn acknowledge(&mut self, receipt: &Value) {
        let text = |name: &str| receipt[name].as_str().unwrap().to_owned();
        let (key, ack) = ((text("tenant"), text("id")), Ack::of(receipt));
        assert!(
            self.sent.contains_key(&key),
            "a receipt for an event that was never sent: {receipt}"
        );
        self.retried += u64::from(receipt["duplicate"] == true);
        if let Some(before) = self.acked.insert(key, ack.clone()) {
            assert_eq!(before, ack, "a retry got another receipt");
        }
    }

    /// Returns the number of acknowledged events.
    pub(crate) fn acknowledged(&self) -> usize {
        self.acked.len()
    }

    /// Holds a tenant's whole log, oldest first, against what is known; the error says what is wrong.
    pub(crate) fn check(&self, tenant: &str, events: &[Value]) -> Result<(), String> {
        let mut by_id: HashMap<&str, &Value> = HashMap::new();
        for (index, event) in events.iter().enumerate() {
            let id =
                event["id"].as_str().ok_or_else(|| format!("an event without an id: {event}"))?;
            if event["seq"].as_u64() != Some(index as u64) {
                return Err(format!(
                    "the sequence has a hole or a repeat: {} stands at {index}",
                    event["seq"]
                ));
            }
            if by_id.insert(id, event).is_some() {
                return Err(format!("event {id} is in the log twice"));
            }
            let number = self.sent.get(&(tenant.to_owned(), id.to_owned()));
            let genesis = event["action"] == "attestary.genesis";
            if genesis != (index == 0) {
                return Err(format!("the genesis event is not the first: {event}"));
            }
            if !genesis
                && (number.is_none() || event["metadata"]["number"].as_u64() != number.copied())
            {
                return Err(format!("event {id} is not what was sent: {event}"));
            }
        }
        if !events.iter().map(|event| event["received_at"].as_str()).is_sorted() {
            return Err("received_at went back".to_owned());
        }
        for ((_, id), ack) in self.acked.iter().filter(|((owner, _), _)| owner == tenant) {
            let Some(event) = by_id.get(id.as_str()) else {
                return Err(format!("acknowledged event {id} (seq {}) is lost", ack.seq));
            };
            if Ack::of(event) != *ack {
                return Err(format!(
                    "event {id} differs from its receipt: {:?} and {ack:?}",
                    Ack::of(event)
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(seq: u64, id: &str, number: u64) -> Value {
        json!({"tenant": "t", "id": id, "seq": seq, "leaf_hash": format!("h{id}"), "received_at": "T", "metadata": {"number": number}})
    }

    fn genesis() -> Value {
        json!({"tenant": "t", "id": "g", "seq": 0, "action": "attestary.genesis", "leaf_hash": "h", "received_at": "T"})
    }

    #[track_caller]
    fn check(events: Vec<Value>, expected: Option<&str>) {
        let mut journal = Journal::default();
        for (id, number) in [("a", 1), ("b", 2), ("c", 3)] {
            journal.send("t", id, number);
        }
        journal.acknowledge(&event(1, "a", 1));
        journal.acknowledge(&event(2, "b", 2));
        match (journal.check("t", &events), expected) {
            (Ok(()), None) => {}
            (Err(fault), Some(expected)) => assert!(fault.contains(expected), "{fault}"),
            (checked, _) => panic!("{checked:?}"),
        }
    }

    #[test]
    fn the_oracle_notices_each_kind_of_loss() {
        check(vec![genesis(), event(1, "a", 1), event(2, "b", 2)], None);
        check(vec![genesis(), event(1, "a", 1), event(2, "b", 2), event(3, "c", 3)], None);
        check(vec![genesis(), event(1, "a", 1)], Some("acknowledged event b (seq 2) is lost"));
        check(vec![genesis(), event(1, "a", 1), event(3, "b", 2)], Some("hole or a repeat"));
        check(
            vec![genesis(), event(1, "b", 2), event(2, "a", 1)],
            Some("differs from its receipt"),
        );
        check(
            vec![genesis(), event(1, "a", 1), event(2, "b", 2), event(3, "a", 1)],
            Some("in the log twice"),
        );
        check(vec![genesis(), event(1, "a", 7), event(2, "b", 2)], Some("not what was sent"));
        check(vec![genesis(), event(1, "x", 1)], Some("not what was sent"));
        check(vec![event(0, "a", 1)], Some("genesis"));
    }
}
