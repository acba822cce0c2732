//! Proofs of many events at once: what a viewer needs to compute the leaf of each event that it shows.
//!
//! Nothing that the leaf is computed from is repeated here but the salts: seq, id, time and fields are those that the viewer
//! has on the screen. Hashes of the paths are listed once, since neighbours share most of them.
//!
//! For a session with a restriction or hidden fields, events outside of it are left out, and a hidden field has its
//! hash in the place of its salt: with the salt, or with the seed that all salts come from, its value could be guessed.

use std::collections::HashMap;

use attestary_event::{Event, EventId, Fields, Hidden, TenantId, Timestamp, View};
use attestary_ledger::{Hash, field};
use attestary_store::{Disclosed, Part, Remains};

use super::prove_error;
use crate::{Caller, ReadError, Service, lens::Lens};

/// Events proved in one answer.
pub const EVENTS_MAX: usize = 1_000;

/// Proofs under one checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageProof {
    /// A signed note over everything that the log held when the call began.
    pub checkpoint: String,
    /// In the order asked for; events beyond the checkpoint, and those that the caller does not see, are left out.
    pub events: Vec<Proved>,
    /// The hashes of all paths, each once.
    pub hashes: Vec<Hash>,
}

/// One event's salts and path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proved {
    /// Place in the log.
    pub seq: u64,
    /// What its fields are hashed with.
    pub salts: Salts,
    /// Indexes into [`PageProof::hashes`]; the leaf's sibling first.
    pub path: Vec<usize>,
}

/// How the salts of an event's fields are given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Salts {
    /// The source of all of them: the caller sees the whole event.
    Seed([u8; 16]),
    /// One by one, in the order of pointers.
    Fields(Vec<FieldProof>),
}

/// What is given of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldProof {
    /// The caller sees it.
    Shown {
        /// RFC 6901 pointer.
        pointer: String,
        /// Its salt.
        salt: [u8; 16],
    },
    /// The hash of a field that is not shown.
    Hidden(Hash),
}

impl Service {
    /// Returns the proofs of the events at `seqs`, at most [`EVENTS_MAX`].
    pub async fn page_proof(
        &self,
        caller: &Caller,
        tenant: Option<&str>,
        seqs: &[u64],
    ) -> Result<PageProof, ReadError> {
        let tenant = self.readable(caller, tenant, "proofs.page")?;
        let environment = caller.environment()?;
        self.record_tree_read(caller, &tenant, "proofs.page").await?;
        let (head, checkpoint) = self.signed_head(environment, &tenant).await?;
        let covered = seqs.iter().copied().filter(|seq| *seq < head.size).take(EVENTS_MAX);
        let found =
            self.store().inclusions(environment, &tenant, covered.collect(), head.size).await;
        let now = Timestamp(self.clock().now_ms() as i64);
        let mut hashes = Shared::default();
        let mut events = Vec::new();
        for (event, proof) in found.map_err(prove_error)? {
            let Some(salts) = salts(caller, &tenant, &event, now) else { continue };
            let path = proof.hashes.iter().map(|hash| hashes.place(hash)).collect();
            events.push(Proved { seq: event.entry.seq, salts, path });
        }
        Ok(PageProof { checkpoint: checkpoint.to_string(), events, hashes: hashes.list })
    }
}

/// Returns what the caller gets of an event; `None` when nothing of it is left, or when it lies outside the caller's
/// restriction.
fn salts(caller: &Caller, tenant: &TenantId, event: &Disclosed, now: Timestamp) -> Option<Salts> {
    let body = event.remains.body()?;
    let fields = Fields::of_stored(body);
    let nothing = Hidden::default();
    let hidden = match caller.lens() {
        Some(lens) if !selects(lens, caller, tenant, event, &fields, now) => return None,
        Some(lens) => &lens.hidden,
        None => &nothing,
    };
    match &event.remains {
        Remains::Whole { seed, .. } if hidden.is_empty() => Some(Salts::Seed(*seed)),
        Remains::Whole { seed, body } => Some(Salts::Fields(field_proofs(hidden, seed, body))),
        Remains::Parts { parts, body } => Some(Salts::Fields(part_proofs(hidden, parts, body))),
        Remains::Nothing => None,
    }
}

fn selects(
    lens: &Lens,
    caller: &Caller,
    tenant: &TenantId,
    event: &Disclosed,
    fields: &Fields,
    now: Timestamp,
) -> bool {
    let seen = Event {
        id: EventId(event.entry.event_id),
        tenant: tenant.clone(),
        environment: caller.environment.clone(),
        seq: event.entry.seq,
        received_at: Timestamp(event.entry.received_ms as i64),
        flags: event.entry.flags,
        leaf_hash: event.entry.leaf_hash(),
        body: event.remains.body().unwrap_or(b"{}").into(),
    };
    lens.restrict.resolve(now).matches(&View { event: &seen, fields })
}

fn field_proofs(hidden: &Hidden, seed: &[u8; 16], body: &[u8]) -> Vec<FieldProof> {
    let fields = Fields::of_stored(body);
    let shown = Fields::of_stored(&hidden.prune(body));
    let proofs = fields.iter().enumerate().map(|(at, field)| {
        let salt = field::salt(seed, at as u32);
        // Pruning leaves empty containers behind, which were none before: the whole field has to be the same.
        if shown.get(field.pointer) == Some(field) {
            FieldProof::Shown { pointer: field.pointer.to_owned(), salt }
        } else {
            let value = field.value.as_bytes();
            FieldProof::Hidden(field::field_hash(&salt, field.pointer, field.kind as u8, value))
        }
    });
    proofs.collect()
}

/// [`field_proofs`] for an event that lost fields: those have their hash alone, for everybody.
fn part_proofs(hidden: &Hidden, parts: &[Part], body: &[u8]) -> Vec<FieldProof> {
    let left = Fields::of_stored(body);
    let shown = Fields::of_stored(&hidden.prune(body));
    let proofs = parts.iter().map(|part| match part {
        Part::Erased(hash) => FieldProof::Hidden(*hash),
        Part::Shown { pointer, kind, value, salt } => {
            let field = shown.get(pointer);
            if field.is_some() && field == left.get(pointer) {
                FieldProof::Shown { pointer: pointer.clone(), salt: *salt }
            } else {
                let value = value.as_bytes();
                FieldProof::Hidden(field::field_hash(salt, pointer, *kind as u8, value))
            }
        }
    });
    proofs.collect()
}

/// Hashes in the order in which they were met first.
#[derive(Default)]
struct Shared {
    list: Vec<Hash>,
    places: HashMap<Hash, usize>,
}

impl Shared {
    fn place(&mut self, hash: &Hash) -> usize {
        *self.places.entry(*hash).or_insert_with(|| {
            self.list.push(*hash);
            self.list.len() - 1
        })
    }
}

#[cfg(test)]
mod tests {
    use attestary_ledger::{Disclosure, disclosed_fields_hash, fields_hash};

    use super::*;

    /// Whatever is hidden, the root over the fields stays the same, and no salt of a hidden field is given.
    #[test]
    fn hidden_fields_have_hashes_and_the_root_stays() {
        let body = br#"{"action":"a","actor":{"id":"u","email":"secret"},"context":{"ip":"192.0.2.1"},"metadata":{}}"#;
        let fields = Fields::of_stored(body);
        let seed = [7; 16];
        let list: Vec<_> = fields.iter().collect();
        let whole = fields_hash(
            &seed,
            list.iter().map(|field| (field.pointer, field.kind as u8, field.value.as_bytes())),
        );
        for (paths, count) in
            [(vec!["context.ip"], 1), (vec!["actor"], 2), (vec!["actor.email", "metadata"], 2)]
        {
            let hidden = Hidden::parse(&paths).unwrap();
            let proofs = field_proofs(&hidden, &seed, body);
            let hashes = proofs.iter().filter(|proof| matches!(proof, FieldProof::Hidden(_)));
            assert_eq!(hashes.count(), count, "{paths:?}");
            let root =
                disclosed_fields_hash(proofs.iter().zip(&list).map(|(proof, field)| match proof {
                    FieldProof::Hidden(hash) => Disclosure::Hidden(hash),
                    FieldProof::Shown { pointer, salt } => Disclosure::Shown {
                        salt,
                        pointer,
                        kind: field.kind as u8,
                        value: field.value.as_bytes(),
                    },
                }));
            assert_eq!(root, whole, "{paths:?}");
        }
    }
}
