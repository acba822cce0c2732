//! Removing payloads and fields from sealed events: finding them, taking them out, and wiping what held them.
//!
//! Nothing here decides: a [`Picker`] says what goes, removal lists say what a log agreed to lose. Segments are
//! rewritten one at a time, each in its own commit, so that a kill leaves every one of them either old or new; doing
//! it again goes on where it stopped.

use std::{collections::HashMap, sync::Arc};

use attestary_event::{EventId, Fields, View, id::ulid};
use attestary_ledger::RemovalList;
use tokio::sync::oneshot;

use super::{Inner, ReadError, Store, writer::Message};
use crate::{
    catalog::{CatalogError, Manifest, SegmentMeta, SwapCommit},
    planted::{Bug, planted},
    segment::{SegmentError, Segments, rewrite},
};

/// A sealed event that still has a payload.
#[derive(Debug)]
pub struct Sealed<'a> {
    /// Position in its log.
    pub seq: u64,
    /// Identity.
    pub id: EventId,
    /// Entry flags.
    pub flags: u16,
    /// When it was sequenced, in milliseconds since the epoch.
    pub received_ms: u64,
    /// The event and the fields that are left of it; `None` for a picker that does not need them.
    pub view: Option<View<'a>>,
    /// Index of each of those fields among the committed ones.
    pub indexes: &'a [u16],
}

/// What goes of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pick {
    /// Nothing.
    Keep,
    /// The whole payload.
    Payload,
    /// These committed fields, ascending.
    Fields(Vec<u16>),
}

/// Says what goes of the events of one log.
pub trait Picker: Send {
    /// Only events that were sequenced before this time are shown to [`Picker::pick`].
    fn received_before(&self) -> u64 {
        u64::MAX
    }

    /// Returns true when the picker needs the events' content and not just the facts of their entries.
    fn needs_content(&self) -> bool;

    /// Says what goes of an event.
    fn pick(&mut self, event: &Sealed<'_>) -> Pick;
}

/// Pickers by the slot of their log.
pub type Pickers = HashMap<u64, Box<dyn Picker>>;

/// What a rewrite did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rewritten {
    /// Segments.
    pub segments: u64,
    /// Their bytes before.
    pub bytes_before: u64,
    /// Their bytes after.
    pub bytes_after: u64,
}

/// A segment in the manifest, for those who plan rewrites.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFacts {
    /// Identity, never reused.
    pub id: String,
    /// Size.
    pub bytes: u64,
    /// Slots of the logs in it, with the time of each one's first event.
    pub logs: Vec<(u64, u64)>,
}

/// Why a removal stopped. What was done stays done; doing it again goes on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemovalError {
    /// A segment cannot be read or written.
    #[error("a segment cannot be rewritten")]
    Segment(#[source] SegmentError),
    /// The catalog failed.
    #[error("the rewrite cannot be committed")]
    Catalog(#[source] CatalogError),
    /// The journal failed.
    #[error("the journal cannot be wiped: {0}")]
    Journal(String),
    /// The process is stopping.
    #[error("the service is stopping")]
    Stopping,
}

/// Bytes of journal files that are wiped between two groups of events: a few milliseconds.
const WIPE_BYTES: u64 = 4 << 20;
/// How often sealing is tried before a wipe gives up: each time a whole file must fill up in between.
const WIPE_TRIES: usize = 8;

impl Store {
    /// Returns the segments, oldest first.
    pub fn segment_facts(&self) -> Vec<SegmentFacts> {
        let manifest = self.0.view.manifest();
        let facts = |meta: &Arc<SegmentMeta>| SegmentFacts {
            id: meta.id.clone(),
            bytes: meta.bytes,
            logs: meta.extents.iter().map(|extent| (extent.slot, extent.received_min_ms)).collect(),
        };
        manifest.segments.iter().map(facts).collect()
    }

    /// Shows the sealed events of the pickers' logs in `segments` (all, when that is `None`) to the pickers and
    /// returns what they picked, with the pickers.
    pub async fn pick(
        &self,
        segments: Option<Vec<String>>,
        mut pickers: Pickers,
    ) -> Result<(HashMap<u64, RemovalList>, Pickers), ReadError> {
        let inner = Arc::clone(&self.0);
        let picked = tokio::task::spawn_blocking(move || {
            let mut lists = HashMap::new();
            for (slot, picker) in &mut pickers {
                if let Some(list) = inner.pick_log(*slot, segments.as_deref(), &mut **picker)? {
                    lists.insert(*slot, list);
                }
            }
            Ok((lists, pickers))
        });
        picked.await.map_err(|_| ReadError::Stopping)?
    }

    /// Takes what the lists name out of every segment. When this returns `Ok`, no object holds any of it.
    pub async fn take_out(
        &self,
        lists: HashMap<u64, RemovalList>,
    ) -> Result<Rewritten, RemovalError> {
        let inner = Arc::clone(&self.0);
        let taken = tokio::task::spawn_blocking(move || inner.take_out(&lists));
        taken.await.map_err(|_| RemovalError::Stopping)?
    }

    /// Seals everything, forgets the digests of sealed submissions, and wipes what journal and catalog overwrote or
    /// deleted but still hold on disk.
    pub async fn wipe(&self) -> Result<(), RemovalError> {
        let mut tries = 0;
        loop {
            self.seal().await;
            match self.wipe_journals().await? {
                crate::journal::Scrubbed::Done => break,
                _ if tries == WIPE_TRIES => {
                    let reason = "more is accepted than can be sealed in between".to_owned();
                    return Err(RemovalError::Journal(reason));
                }
                _ => tries += 1,
            }
        }
        let purged = self.0.catalog.run(crate::Catalog::purge).await;
        purged.map_err(RemovalError::Catalog)
    }

    /// Wipes every partition's journal, up to the first that is blocked.
    async fn wipe_journals(&self) -> Result<crate::journal::Scrubbed, RemovalError> {
        for partition in 0..self.0.placement.partitions() {
            match self.wipe_journal(partition).await? {
                crate::journal::Scrubbed::Done => {}
                blocked => return Ok(blocked),
            }
        }
        Ok(crate::journal::Scrubbed::Done)
    }

    async fn wipe_journal(&self, partition: u32) -> Result<crate::journal::Scrubbed, RemovalError> {
        let mut scrub = crate::journal::Scrub::default();
        loop {
            let (reply, answer) = oneshot::channel();
            let message = Message::Scrub { scrub, bytes_max: WIPE_BYTES, reply };
            if !self.send(partition, message).await {
                return Err(RemovalError::Stopping);
            }
            let (back, scrubbed) = answer.await.map_err(|_| RemovalError::Stopping)?;
            scrub = back;
            match scrubbed.map_err(RemovalError::Journal)? {
                crate::journal::Scrubbed::More => {}
                end => return Ok(end),
            }
        }
    }
}

impl Inner {
    /// Returns what the picker picks of one log, `None` when that is nothing.
    fn pick_log(
        &self,
        slot: u64,
        segments: Option<&[String]>,
        picker: &mut dyn Picker,
    ) -> Result<Option<RemovalList>, ReadError> {
        let head = self.view.head(slot, &self.world.log_name).ok_or(ReadError::NoLog)?;
        loop {
            let manifest = self.view.manifest();
            match self.picked(slot, segments, &manifest, picker) {
                Err(SegmentError::Missing { .. })
                    if self.view.manifest().version != manifest.version => {}
                Err(error) => return Err(ReadError::Segment(error)),
                Ok(picked) => {
                    let mut list = RemovalList::new(head.origin);
                    for (seq, pick) in picked {
                        match pick {
                            Pick::Keep => false,
                            Pick::Payload => list.push_payload(seq),
                            Pick::Fields(indexes) => list.push_fields(seq, indexes),
                        };
                    }
                    return Ok((list.events() > 0).then_some(list));
                }
            }
        }
    }

    fn picked(
        &self,
        slot: u64,
        segments: Option<&[String]>,
        manifest: &Manifest,
        picker: &mut dyn Picker,
    ) -> Result<Vec<(u64, Pick)>, SegmentError> {
        let mut picked = Vec::new();
        for meta in &manifest.segments {
            let wanted = segments.is_none_or(|ids| ids.contains(&meta.id));
            let extent = meta.extent(slot).filter(|_| wanted);
            let before = picker.received_before();
            let Some(extent) = extent.filter(|extent| extent.received_min_ms < before) else {
                continue;
            };
            crate::query::visit_sealed(
                &*self.segments.open(meta)?,
                extent,
                self.view.as_ref(),
                picker.needs_content(),
                &mut |sealed| {
                    if sealed.received_ms < before {
                        let pick = picker.pick(sealed);
                        if pick != Pick::Keep {
                            picked.push((sealed.seq, pick));
                        }
                    }
                },
            )?;
        }
        picked.sort_unstable_by_key(|(seq, _)| *seq);
        Ok(picked)
    }

    pub(super) fn take_out(
        &self,
        lists: &HashMap<u64, RemovalList>,
    ) -> Result<Rewritten, RemovalError> {
        let mut rewritten = Rewritten::default();
        // A segment that others replaced meanwhile has its rows elsewhere: everything is looked at again then, which
        // costs little for what is done.
        while !self.take_out_once(lists, &mut rewritten)? {}
        Ok(rewritten)
    }

    /// Looks at every segment of one manifest. Returns false when one of them was replaced by somebody else.
    fn take_out_once(
        &self,
        lists: &HashMap<u64, RemovalList>,
        rewritten: &mut Rewritten,
    ) -> Result<bool, RemovalError> {
        let manifest = self.view.manifest();
        for meta in &manifest.segments {
            let near = near(meta, lists);
            if near.is_empty() {
                continue;
            }
            let replaced = match rewrite::take_out(&self.segments, meta, &near) {
                Ok(None) => false,
                Ok(Some(written)) => !self.swap(meta, written, rewritten)?,
                Err(SegmentError::Missing { .. })
                    if self.view.manifest().version != manifest.version =>
                {
                    true
                }
                Err(error) => return Err(RemovalError::Segment(error)),
            };
            if replaced {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Puts the new object in the place of the old one. Returns false when the old one was replaced meanwhile.
    fn swap(
        &self,
        meta: &SegmentMeta,
        written: crate::segment::Written,
        rewritten: &mut Rewritten,
    ) -> Result<bool, RemovalError> {
        let now_ms = self.world.clock.now_ms();
        let id = ulid(now_ms, self.world.random());
        let path = Segments::path(&id);
        self.catalog.intend(std::slice::from_ref(&path)).map_err(RemovalError::Catalog)?;
        self.world.step("intended");
        let put = self.segments.put_in_place_of(meta, &id, written);
        let new = put.map_err(RemovalError::Segment)?;
        self.world.step("written");
        if planted(Bug::DeleteBeforeCommit) {
            self.segments.delete(&meta.path).map_err(RemovalError::Segment)?;
            self.world.step("deleted too early");
        }
        let bytes_after = new.bytes;
        let commit = SwapCommit {
            new_segments: vec![new],
            removed_segments: vec![meta.id.clone()],
            heads: vec![],
        };
        {
            let _one_at_a_time = self.manifest.lock();
            match self.catalog.commit_swap(&commit) {
                Ok(_) => {}
                Err(CatalogError::Conflict { .. }) => {
                    self.segments.delete(&path).map_err(RemovalError::Segment)?;
                    self.catalog.forget_paths(&[path]).map_err(RemovalError::Catalog)?;
                    return Ok(false);
                }
                Err(error) => return Err(RemovalError::Catalog(error)),
            }
            self.world.step("committed");
            let manifest =
                self.catalog.manifest(&self.view.manifest()).map_err(RemovalError::Catalog)?;
            self.view.set_manifest(manifest, None);
        }
        if !planted(Bug::KeepOldObject) {
            self.segments.delete(&meta.path).map_err(RemovalError::Segment)?;
        }
        self.world.step("deleted");
        self.catalog
            .forget_paths(std::slice::from_ref(&meta.path))
            .map_err(RemovalError::Catalog)?;
        rewritten.segments += 1;
        rewritten.bytes_before += meta.bytes;
        rewritten.bytes_after += bytes_after;
        Ok(true)
    }
}

/// Returns the lists that may name rows of the segment.
fn near<'a>(meta: &SegmentMeta, lists: &'a HashMap<u64, RemovalList>) -> rewrite::Lists<'a> {
    let is_near = |slot: u64, list: &RemovalList| {
        let (extent, lines) = (meta.extent(slot)?, list.lines());
        let (first, last) = (lines.first()?.seqs().0, lines.last()?.seqs().1);
        (first <= extent.seq_last && extent.seq_first <= last).then_some(())
    };
    let lists = lists.iter().filter(|(slot, list)| is_near(**slot, list).is_some());
    lists.map(|(slot, list)| (*slot, list)).collect()
}

/// Gives pickers the pointers of the fields that are left and their committed indexes.
pub(crate) fn shown(fields: &Fields, left: Option<&crate::segment::removed::Left>) -> Vec<u16> {
    match left {
        None => (0..fields.len() as u16).collect(),
        Some(left) => left.shown_indexes(),
    }
}

#[cfg(test)]
pub(super) mod tests;
