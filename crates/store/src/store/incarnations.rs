//! New incarnations: a data directory that went back in time goes on under new names.
//!
//! Heads that were signed after the backup speak of events that are gone. Signing what comes instead would fork every log, so
//! each log begins anew under a new origin: its genesis event names the older log with size and root, all other events stay
//! where they are, and leaves are computed again, because every entry is bound to its log's origin. Whoever holds a
//! checkpoint of the older log can compute its root from the new one's entries. The anchor log begins anew as well: its old
//! name has epochs that this data does not know.
//!
//! The process that does this serves nothing. Segments are written beside the present ones and everything is committed at
//! once; a kill before that leaves the old logs, and one after it the new ones.

use std::{collections::HashMap, ops::Range, sync::Arc};

use attestary_event::{EventId, id::ulid};
use attestary_ledger::{Entry, Frontier, Hash, origin_id};

use super::{Inner, Store, epochs, opening::REGISTER, world::Previous};
use crate::{
    catalog::{
        AnchorLogRow, CatalogError, HeadRow, IncarnationRow, Manifest, Renewal, SegmentMeta,
        SwapCommit,
    },
    query::ReadView,
    record::{self, Decision, Record},
    segment::{Log, SegmentError, Segments, rewrite},
    signing::{
        Head, Repair,
        register::{FileRegister, Register as _, RegisterError, Value},
        repair,
    },
};

/// Events whose entries are read at once.
const ENTRIES_MAX: u64 = 65_536;

/// What was done to let a restored data directory go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewals {
    /// Why the logs could not go on; `None` when they can, and stay as they are.
    pub logs_refused: Option<String>,
    /// Why the anchor log could not; `None` when it can.
    pub anchor_refused: Option<String>,
    /// The logs that began anew.
    pub logs: Vec<Incarnation>,
    /// Origin of the new anchor log.
    pub anchor: Option<String>,
}

/// A log that began anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incarnation {
    /// Namespace.
    pub environment: String,
    /// Whose log.
    pub tenant: String,
    /// Its origin until now.
    pub previous: String,
    /// Its origin from now on.
    pub origin: String,
    /// Events that it goes on from.
    pub size: u64,
    /// Root over them under the older origin.
    pub root: Hash,
}

/// Why new incarnations were not opened; nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenewError {
    /// The catalog failed.
    #[error("cannot use the catalog")]
    Catalog(#[source] CatalogError),
    /// A segment cannot be read or written.
    #[error("a segment cannot be rewritten")]
    Segment(#[source] SegmentError),
    /// The head register cannot be used.
    #[error("cannot use the head register")]
    Register(#[source] RegisterError),
    /// Events are missing or changed.
    #[error(
        "the log of {tenant:?} in {environment:?} is damaged at seq {seq}: check the directory and restore it anew"
    )]
    Damaged {
        /// Namespace.
        environment: String,
        /// Whose log.
        tenant: String,
        /// Where it was noticed.
        seq: u64,
    },
    /// What was accepted could not be sealed.
    #[error("the journal could not be sealed")]
    Unsealed,
    /// The process is stopping.
    #[error("the service is stopping")]
    Stopping,
}

/// What a log begins anew with.
struct Successor {
    log_id: String,
    log: Log,
    /// The genesis event's, and its record.
    entry: Entry,
    record: Vec<u8>,
}

/// A log's new identity and tree.
struct Relogged {
    row: IncarnationRow,
    head: HeadRow,
    log: Log,
    genesis: Vec<u8>,
    nodes: Vec<Hash>,
}

impl Store {
    /// Opens new incarnations of all logs whose heads cannot be signed any more because the data is older than the head
    /// register, and of the anchor log. Does nothing when data and register agree. Close the store afterwards: what it knows
    /// of the logs is over.
    pub async fn renew(&self) -> Result<Renewals, RenewError> {
        self.seal().await;
        let inner = Arc::clone(&self.0);
        let renewed = tokio::task::spawn_blocking(move || inner.renew());
        renewed.await.map_err(|_| RenewError::Stopping)?
    }

    /// Returns the older incarnation with this origin.
    pub async fn incarnation_called(
        &self,
        origin: &str,
    ) -> Result<Option<IncarnationRow>, CatalogError> {
        let prefix = format!("{}/t/", self.0.world.log_name);
        let Some(log_id) = origin.strip_prefix(&prefix).map(str::to_owned) else {
            return Ok(None);
        };
        self.0.catalog.run(move |catalog| catalog.incarnation_called(&log_id)).await
    }
}

impl Inner {
    pub(super) fn renew(&self) -> Result<Renewals, RenewError> {
        let register_dir = self.settings.register();
        let heads = FileRegister::open(register_dir.clone(), REGISTER).map_err(register)?;
        let anchor = FileRegister::of_anchor(register_dir).map_err(register)?;
        let (heads_at, anchor_at) =
            (heads.read().map_err(register)?, anchor.read().map_err(register)?);
        let logs_need = self.need(REGISTER, &heads_at)?;
        let anchor_need = match (self.need(epochs::PARTITION, &anchor_at)?, &logs_need) {
            // Old and new heads of a slot must not stand in one anchor log.
            (Repair::Nothing | Repair::Owner, Repair::Renew(_)) => logs_need.clone(),
            (need, _) => need,
        };
        let _one_at_a_time = self.manifest.lock();
        let mut renewal = Renewal::default();
        let logs = match &logs_need {
            Repair::Renew(_) => self.renew_logs(&mut renewal)?,
            _ => Vec::new(),
        };
        if matches!(logs_need, Repair::Renew(_)) {
            // The batch holds the new heads, so that another renewal of the same backup is another batch.
            let heads: Vec<Head> = renewal.swap.heads.iter().filter_map(new_head).collect();
            renewal.signing = Some((REGISTER, heads_at.mark.next(REGISTER, &heads)));
        }
        if matches!(anchor_need, Repair::Renew(_)) {
            let next = anchor_at.mark.next(epochs::PARTITION, &[]);
            renewal.anchor = Some((self.new_anchor()?, epochs::PARTITION, next));
        }
        let anchor_log = renewal.anchor.as_ref().map(|(row, ..)| row.log_id.clone());
        self.world.step("segments renewed");
        if renewal.signing.is_some() || renewal.anchor.is_some() {
            self.catalog.commit_renewal(&renewal).map_err(RenewError::Catalog)?;
        }
        self.world.step("renewal committed");
        // From here on a start finds new logs; a register that is one behind is brought up then.
        let swaps = [
            (&heads, heads_at, logs_need.clone(), renewal.signing.map(|(_, next)| next.mark)),
            (&anchor, anchor_at, anchor_need.clone(), renewal.anchor.map(|(.., next)| next.mark)),
        ];
        for (register_file, before, need, mark) in swaps {
            if need != Repair::Nothing {
                let to = Value { mark: mark.unwrap_or(before.mark), owner_epoch: self.owner_epoch };
                register_file.replace(to).map_err(register)?;
            }
        }
        self.world.step("registers moved");
        let why = |need: Repair| match need {
            Repair::Renew(refusal) => Some(refusal.to_string()),
            Repair::Nothing | Repair::Owner => None,
        };
        Ok(Renewals {
            logs_refused: why(logs_need),
            anchor_refused: why(anchor_need),
            logs,
            anchor: anchor_log.map(|id| epochs::anchor_origin(&self.world.log_name, Some(&id))),
        })
    }

    fn need(&self, partition: u32, at: &Value) -> Result<Repair, RenewError> {
        let committed = self.catalog.signing_committed(partition).map_err(RenewError::Catalog)?;
        Ok(repair(&committed, at, self.owner_epoch))
    }

    fn new_anchor(&self) -> Result<AnchorLogRow, RenewError> {
        let made_ms = self.world.clock.now_ms();
        let last = self.catalog.last_epoch().map_err(RenewError::Catalog)?;
        Ok(AnchorLogRow {
            log_id: ulid(made_ms, self.world.random()),
            epochs: last.map_or(0, |record| record.epoch + 1),
            made_ms,
            event: EventId::v7(made_ms, self.world.random()).0,
            announced: false,
        })
    }

    /// Computes every log anew and writes the segments that hold them.
    fn renew_logs(&self, renewal: &mut Renewal) -> Result<Vec<Incarnation>, RenewError> {
        let loaded = self.catalog.load().map_err(RenewError::Catalog)?;
        if self.view.unsealed().0 > 0 {
            return Err(RenewError::Unsealed);
        }
        let mut relogged = Vec::new();
        for head in loaded.heads.iter().filter(|head| !head.deleted && head.size > 0) {
            relogged.push(self.relog(head, &loaded.manifest)?);
        }
        let records: Vec<_> = relogged.iter().map(|log| Record::decode(&log.genesis)).collect();
        let mut logs = HashMap::with_capacity(relogged.len());
        for (log, record) in relogged.iter().zip(records) {
            let slot = log.row.slot;
            let genesis = record.map_err(|source| {
                RenewError::Segment(SegmentError::Record { slot, seq: 0, source })
            })?;
            let (name, nodes) = (log.log.clone(), log.nodes.as_slice());
            logs.insert(slot, rewrite::Renewed { genesis, log: name, nodes });
        }
        let mut swap = SwapCommit::default();
        for meta in &loaded.manifest.segments {
            swap.new_segments.push(self.rewritten(meta, &logs)?);
            swap.removed_segments.push(meta.id.clone());
        }
        drop(logs);
        let origin = |log_id: &str| format!("{}/t/{log_id}", self.world.log_name);
        let told = relogged.iter().map(|log| Incarnation {
            environment: log.head.environment.as_str().to_owned(),
            tenant: log.head.tenant.as_str().to_owned(),
            previous: origin(&log.row.log_id),
            origin: origin(&log.head.log_id),
            size: log.row.size,
            root: log.row.root,
        });
        let told = told.collect();
        for log in relogged {
            swap.heads.push(log.head);
            renewal.logs.push(log.row);
        }
        renewal.swap = swap;
        Ok(told)
    }

    fn rewritten(
        &self,
        meta: &SegmentMeta,
        logs: &HashMap<u64, rewrite::Renewed<'_>>,
    ) -> Result<SegmentMeta, RenewError> {
        let written = rewrite::under_new_origins(&self.segments, meta, logs);
        let written = written.map_err(RenewError::Segment)?;
        let id = ulid(self.world.clock.now_ms(), self.world.random());
        self.catalog.intend(&[Segments::path(&id)]).map_err(RenewError::Catalog)?;
        self.segments.put_in_place_of(meta, &id, written).map_err(RenewError::Segment)
    }

    /// Reads a log once: the old leaves must give the old root, the new ones are its next incarnation.
    fn relog(&self, head: &HeadRow, manifest: &Manifest) -> Result<Relogged, RenewError> {
        let damaged = |seq| RenewError::Damaged {
            environment: head.environment.as_str().to_owned(),
            tenant: head.tenant.as_str().to_owned(),
            seq,
        };
        let first = self.entries(head.slot, 0..1, manifest)?.pop().ok_or_else(|| damaged(0))?;
        let older = self.catalog.incarnations(head.slot).map_err(RenewError::Catalog)?;
        let row = self.row(head, &older, &first).ok_or_else(|| damaged(0))?;
        let new = self.successor(head, older, &row, &first);
        let (mut old_tree, mut new_tree) = (Frontier::default(), Frontier::default());
        let mut nodes = Vec::with_capacity((head.size >> Frontier::KEPT_LEVEL) as usize);
        while old_tree.size() < head.size {
            let from = old_tree.size();
            let seqs = from..(from + ENTRIES_MAX).min(head.size);
            for (entry, seq) in self.entries(head.slot, seqs.clone(), manifest)?.iter().zip(from..)
            {
                if entry.seq != seq {
                    return Err(damaged(seq));
                }
                old_tree.append(entry.leaf_hash());
                let renewed = Entry { origin: new.log.origin_id, ..*entry };
                let renewed = if seq == 0 { &new.entry } else { &renewed };
                nodes.extend(new_tree.append(renewed.leaf_hash()));
            }
            if old_tree.size() != seqs.end {
                return Err(damaged(old_tree.size()));
            }
        }
        if old_tree.peaks() != head.frontier {
            return Err(damaged(head.size - 1));
        }
        let frontier = new_tree.peaks().to_vec();
        let head = HeadRow { log_id: new.log_id, frontier, ..head.clone() };
        Ok(Relogged { row, head, log: new.log, genesis: new.record, nodes })
    }

    /// Returns what stays known of a log; `None` when its head is damaged.
    fn row(
        &self,
        head: &HeadRow,
        older: &[IncarnationRow],
        genesis: &Entry,
    ) -> Option<IncarnationRow> {
        let tree = Frontier::restore(head.size, head.frontier.clone())?;
        let made_ms = self.world.clock.now_ms();
        Some(IncarnationRow {
            slot: head.slot,
            number: older.len() as u32,
            log_id: head.log_id.clone(),
            size: head.size,
            root: tree.root(),
            genesis: genesis.leaf_hash(),
            made_ms,
            event: EventId::v7(made_ms, self.world.random()).0,
            announced: false,
        })
    }

    /// Makes the genesis event that names every older incarnation. It takes the place of the old one, and so its time.
    fn successor(
        &self,
        head: &HeadRow,
        older: Vec<IncarnationRow>,
        row: &IncarnationRow,
        genesis: &Entry,
    ) -> Successor {
        let origin = |log_id: &str| format!("{}/t/{log_id}", self.world.log_name);
        let previous = older.into_iter().chain([row.clone()]).map(|row| Previous {
            origin: origin(&row.log_id),
            size: row.size,
            root: row.root,
            genesis: row.genesis,
        });
        let previous: Vec<Previous> = previous.collect();
        let (environment, tenant) = (head.environment.clone(), head.tenant.clone());
        let (event, log_id) = self.world.genesis_after(&environment, &tenant, head.slot, &previous);
        let log = Log { environment, tenant, origin_id: origin_id(&origin(&log_id)) };
        let entry = Entry {
            origin: log.origin_id,
            seq: 0,
            received_ms: genesis.received_ms,
            event_id: event.id.0,
            n_fields: event.n_fields,
            flags: event.flags,
            fields_hash: event.fields_hash,
        };
        let decision = Decision {
            slot: head.slot,
            seq: 0,
            received_ms: entry.received_ms,
            leaf_hash: entry.leaf_hash(),
        };
        let mut record = Vec::new();
        record::encode(&event, &decision, None, &mut record);
        Successor { log_id, log, entry, record }
    }

    /// Returns the entries of a log in the order of seq.
    fn entries(
        &self,
        slot: u64,
        seqs: Range<u64>,
        manifest: &Manifest,
    ) -> Result<Vec<Entry>, RenewError> {
        let (segments, logs) = (&*self.segments, &*self.view);
        let view = ReadView { manifest, segments, unsealed: &(), logs };
        let mut entries = Vec::with_capacity((seqs.end - seqs.start) as usize);
        view.committed(slot, &seqs, &mut |event| entries.push(event.entry))
            .map_err(RenewError::Segment)?;
        entries.sort_unstable_by_key(|entry| entry.seq);
        Ok(entries)
    }
}

fn new_head(row: &HeadRow) -> Option<Head> {
    let tree = Frontier::restore(row.size, row.frontier.clone())?;
    Some(Head { slot: row.slot, size: row.size, root: tree.root() })
}

fn register(error: RegisterError) -> RenewError {
    RenewError::Register(error)
}
