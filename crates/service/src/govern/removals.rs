//! Carrying removals out: list, covering event, rewrite. Whoever calls holds the turn.

use std::collections::{BTreeMap, HashMap};

use attestary_event::{TenantId, event::hex};
use attestary_ledger::{Hash, RemovalList};
use attestary_store::{
    Catalog, LogHead, Rewritten,
    catalog::{CatalogError, RemovalKind, RemovalRow, RemovalState},
};

use crate::{
    AccessError, Caller, ChangeError, IntakeError, ReadError, Scope, Service,
    audit::{Act, action},
    cursor::{decode_text, encode_text},
    error::cause,
    ids::mint,
    keys::change_error,
};

/// One log's part of a removal.
pub(crate) struct Part {
    pub(crate) head: LogHead,
    pub(crate) list: RemovalList,
}

/// One page of removals by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovalPage {
    /// The removals; their lists are read one by one.
    pub removals: Vec<RemovalRow>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

impl Service {
    /// Removes what the lists name. When this returns `Ok`, no segment holds any of it; the journal may.
    ///
    /// `facts` go into every covering event: nothing in them may identify a person.
    pub(crate) async fn remove(
        &self,
        caller: &Caller,
        kind: RemovalKind,
        cause_id: &str,
        parts: Vec<Part>,
        facts: &[(&'static str, serde_json::Value)],
    ) -> Result<(Vec<RemovalRow>, Rewritten), ChangeError> {
        let mut rows = Vec::with_capacity(parts.len());
        let mut lists = HashMap::with_capacity(parts.len());
        for part in parts {
            rows.push(self.removal_row(kind, cause_id, &part));
            lists.insert(part.head.slot, part.list);
        }
        let kept = rows.clone();
        self.catalog(move |catalog| catalog.create_removals(&kept)).await.map_err(change_error)?;
        for row in &mut rows {
            let list = &lists[&row.slot];
            let seq = self.cover(caller, row, list, facts).await.map_err(ChangeError::Audit)?;
            let id = row.id.clone();
            self.catalog(move |catalog| catalog.cover_removal(&id, seq))
                .await
                .map_err(change_error)?;
            (row.cover_seq, row.state) = (Some(seq), RemovalState::Covered);
        }
        self.keep_lists(&rows).await?;
        let rewritten = self.store().take_out(lists).await;
        let rewritten = rewritten.map_err(|error| ChangeError::Unavailable(cause(error)))?;
        self.finish(&mut rows).await?;
        Ok((rows, rewritten))
    }

    fn removal_row(&self, kind: RemovalKind, cause_id: &str, part: &Part) -> RemovalRow {
        let now_ms = self.clock().now_ms();
        RemovalRow {
            id: mint("rem_", now_ms, self.rng()),
            kind,
            cause: cause_id.to_owned(),
            slot: part.head.slot,
            environment: part.head.environment.clone(),
            tenant: part.head.tenant.clone(),
            origin: part.head.origin.clone(),
            event_id: self.event_id(now_ms),
            cover_seq: None,
            state: RemovalState::Listed,
            events: part.list.events(),
            sha256: part.list.hash(),
            list: part.list.to_string().into_bytes(),
            created_ms: now_ms,
            done_ms: None,
        }
    }

    /// Writes the event that covers a removal into its log and returns the event's seq. Doing it again is no harm:
    /// the event has the id that the removal gave it.
    async fn cover(
        &self,
        caller: &Caller,
        row: &RemovalRow,
        list: &RemovalList,
        facts: &[(&'static str, serde_json::Value)],
    ) -> Result<u64, IntakeError> {
        let (name, operation) = match row.kind {
            RemovalKind::Retention => (action::RETENTION_APPLIED, "retention.apply"),
            RemovalKind::Erasure => (action::ERASURE_APPLIED, "erasure.apply"),
        };
        let slot = row.slot;
        let head = self.catalog(move |catalog| catalog.sealed_head(slot)).await;
        let head = head.map_err(|error| IntakeError::Unavailable(cause(error)))?;
        let (first, last) = bounds(list);
        let mut act = Act::new(name, operation)
            .with("removal", row.id.as_str())
            .with("cause", row.cause.as_str())
            .with("list_sha256", hex(&row.sha256))
            .with("events", row.events)
            .with("seq_first", first)
            .with("seq_last", last)
            .with_some("tree_size", head.map(|(size, _)| size))
            .with_some("root", head.map(|(_, root)| hex(&root)));
        for (name, value) in facts {
            act = act.with(name, value.clone());
        }
        let caller = Caller { environment: row.environment.clone(), ..caller.clone() };
        self.record_once(&caller, &row.tenant, row.event_id, act).await
    }

    async fn finish(&self, rows: &mut [RemovalRow]) -> Result<(), ChangeError> {
        let now_ms = self.clock().now_ms();
        let ids: Vec<_> = rows.iter().map(|row| row.id.clone()).collect();
        self.catalog(move |catalog| catalog.finish_removals(&ids, now_ms))
            .await
            .map_err(change_error)?;
        for row in rows {
            (row.state, row.done_ms) = (RemovalState::Done, Some(now_ms));
        }
        Ok(())
    }

    /// Finishes removals that a stop interrupted. One whose covering event never came into its log is forgotten:
    /// whoever wanted it finds it again.
    pub(crate) async fn resume_removals(&self) -> Result<(), ChangeError> {
        let _turn = self.govern().turn().await;
        let rows = self.catalog(Catalog::unfinished_removals).await.map_err(change_error)?;
        if rows.is_empty() {
            return Ok(());
        }
        for mut row in rows {
            if row.state == RemovalState::Listed && !self.is_covered(&row).await? {
                let id = row.id.clone();
                self.catalog(move |catalog| catalog.forget_removal(&id))
                    .await
                    .map_err(change_error)?;
                continue;
            }
            let list = RemovalList::parse(&row.list)
                .map_err(|error| ChangeError::Unavailable(cause(error)))?;
            self.keep_lists(std::slice::from_ref(&row)).await?;
            let taken = self.store().take_out(HashMap::from([(row.slot, list)])).await;
            taken.map_err(|error| ChangeError::Unavailable(cause(error)))?;
            self.finish(std::slice::from_mut(&mut row)).await?;
        }
        self.store().wipe().await.map_err(|error| ChangeError::Unavailable(cause(error)))
    }

    /// Keeps what erasures took out where no restore reaches it.
    async fn keep_lists(&self, rows: &[RemovalRow]) -> Result<(), ChangeError> {
        for row in rows.iter().filter(|row| row.kind == RemovalKind::Erasure) {
            let kept = self.store().keep_erasure(&row.id, &row.list).await;
            kept.map_err(|error| ChangeError::Unavailable(cause(error)))?;
        }
        Ok(())
    }

    /// Looks for the covering event of a removal of which only the list is known to be durable, and notes it.
    async fn is_covered(&self, row: &RemovalRow) -> Result<bool, ChangeError> {
        let same_log = self.store().log(&row.environment, &row.tenant);
        if same_log.is_none_or(|log| log.slot != row.slot) {
            return Ok(false);
        }
        let event = self.store().event(&row.environment, &row.tenant, row.event_id).await;
        let event = event.map_err(|error| ChangeError::Unavailable(cause(error)))?;
        let Some(event) = event else { return Ok(false) };
        let (id, seq) = (row.id.clone(), event.seq);
        self.catalog(move |catalog| catalog.cover_removal(&id, seq)).await.map_err(change_error)?;
        Ok(true)
    }

    /// Returns a page of the removals in a tenant's log, oldest first.
    pub async fn list_removals(
        &self,
        caller: &Caller,
        tenant: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<RemovalPage, ReadError> {
        let (tenant, slot) = self.removal_log(caller, tenant, "removal.list")?;
        let list = format!("removals {} {tenant}", caller.environment()?);
        let after = cursor.map(|text| decode_text(&list, text, self.cursor_key())).transpose()?;
        let read = move |catalog: &Catalog| catalog.removals(slot, after.as_deref(), limit + 1);
        let mut removals =
            self.catalog(read).await.map_err(|error| ReadError::Unavailable(cause(error)))?;
        let more = removals.len() > limit;
        removals.truncate(limit);
        let last = removals.last().filter(|_| more);
        let next_cursor = last.map(|row| encode_text(&list, &row.id, self.cursor_key()));
        self.recorded_list(caller, "removal.list", removals.len()).await?;
        Ok(RemovalPage { removals, next_cursor })
    }

    /// Returns one removal with its list.
    pub async fn removal(
        &self,
        caller: &Caller,
        tenant: &str,
        id: &str,
    ) -> Result<RemovalRow, ReadError> {
        let (tenant, slot) = self.removal_log(caller, tenant, "removal.get")?;
        let of = id.to_owned();
        let row = self.catalog(move |catalog| catalog.removal(&of)).await;
        let row = row.map_err(|error| ReadError::Unavailable(cause(error)))?;
        let row = row.filter(|row| row.slot == slot).ok_or(AccessError::NotFound)?;
        let act =
            Act::new(action::VIEW, "removal.get").on("tenant", tenant.as_str()).on("removal", id);
        self.record(caller, act).await.map_err(ReadError::Audit)?;
        Ok(row)
    }

    /// Lists hold positions and no content: whoever may read the log may read them.
    fn removal_log(
        &self,
        caller: &Caller,
        tenant: &str,
        operation: &'static str,
    ) -> Result<(TenantId, u64), ReadError> {
        self.permit(caller, Scope::Read, operation)?;
        let tenant = self.visible(caller, tenant)?;
        let log = self.store().log(caller.environment()?, &tenant).ok_or(AccessError::NotFound)?;
        Ok((tenant, log.slot))
    }

    /// Returns the lists, by their hashes, to which events of a log commit whose seq is below `size`; `None` when
    /// something was taken out that only a later event covers.
    pub(crate) async fn removal_lists(
        &self,
        slot: u64,
        size: u64,
    ) -> Result<Option<BTreeMap<Hash, Vec<u8>>>, CatalogError> {
        self.catalog(move |catalog| {
            let rows = catalog.removals(slot, None, i64::MAX as usize)?;
            if rows.iter().any(|row| row.cover_seq.is_some_and(|at| at >= size)) {
                return Ok(None);
            }
            let covered = rows.into_iter().filter(|row| row.cover_seq.is_some());
            Ok(Some(covered.map(|row| (row.sha256, row.list)).collect()))
        })
        .await
    }

    /// Returns the removals that a run or an erasure caused.
    pub(crate) async fn removals_of(&self, id: &str) -> Result<Vec<RemovalRow>, CatalogError> {
        let id = id.to_owned();
        self.catalog(move |catalog| catalog.removals_of(&id)).await
    }
}

/// Returns the first and the last seq of a list that is not empty.
pub(crate) fn bounds(list: &RemovalList) -> (u64, u64) {
    let first = list.lines().first().map_or(0, |line| line.seqs().0);
    (first, list.lines().last().map_or(0, |line| line.seqs().1))
}
