//! Runs of retention: finding what is over, removing it in bounded steps, and keeping a history.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use attestary_event::{EnvironmentId, Event, TenantId, Timestamp, event::hex};
use attestary_ledger::RemovalList;
use attestary_store::{
    Pick, Picker, Pickers, Sealed, SegmentFacts,
    catalog::{RemovalKind, RunRow},
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use sha2::Digest as _;

use super::{holds::Hold, policy::Policy, removals::Part};
use crate::{
    Caller, ChangeError, ReadError, Scope, Service,
    audit::{Act, action},
    cursor::{decode_text, encode_text},
    error::cause,
    ids::mint,
    keys::change_error,
};

/// Bytes of segments that one step looks at and rewrites, between which others get their turn.
const STEP_BYTES: u64 = 256 << 20;
/// Bytes of segments that one run rewrites at most; the next run goes on.
const RUN_BYTES: u64 = 16 << 30;
/// Passes over the segments in one run.
const PASSES_MAX: usize = 8;
/// How often the background removes what is over.
const EVERY_MS: u64 = super::period::DAY_MS;
/// Ranges that a preview lists.
const RANGES_MAX: usize = 100;
const LAST_RUN: &str = "retention_last_run_ms";

/// What a run would remove from one log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preview {
    /// Events.
    pub events: u64,
    /// Stretches of seqs, both ends included; the first hundred.
    pub ranges: Vec<(u64, u64)>,
    /// `received_at` of the oldest of them, in milliseconds since the epoch.
    pub oldest_ms: Option<u64>,
    /// `received_at` of the newest of them.
    pub newest_ms: Option<u64>,
    /// Events of each class by name; "" for those that no class selects.
    pub classes: Vec<(String, u64)>,
    /// Events whose time is over and that a hold keeps.
    pub held: u64,
}

/// One page of runs, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunPage {
    /// The runs.
    pub runs: Vec<RunRow>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

#[derive(Debug, Default)]
struct Counts {
    oldest_ms: Option<u64>,
    newest_ms: Option<u64>,
    /// By class; the last one is for events of no class.
    classes: Vec<u64>,
    held: u64,
    holding: HashSet<String>,
}

/// Picks the events of one log whose time is over.
struct Over {
    policy: Policy,
    holds: Vec<Hold>,
    now_ms: u64,
    counts: Arc<Mutex<Counts>>,
}

impl Picker for Over {
    fn received_before(&self) -> u64 {
        self.policy.shortest().cut_off(self.now_ms).unwrap_or(0)
    }

    fn needs_content(&self) -> bool {
        !self.policy.classes.is_empty() || !self.holds.is_empty()
    }

    fn pick(&mut self, event: &Sealed<'_>) -> Pick {
        // What the service wrote is what proofs of removals rest on.
        if event.flags & Event::SERVICE != 0 {
            return Pick::Keep;
        }
        let (class, keep) = match &event.view {
            Some(view) => self.policy.of(view),
            None => (None, self.policy.keep),
        };
        if keep.cut_off(self.now_ms).is_none_or(|cut_off| event.received_ms >= cut_off) {
            return Pick::Keep;
        }
        let mut counts = self.counts.lock();
        let holding = event.view.as_ref().and_then(|view| {
            self.holds.iter().find(|hold| hold.matches(view)).map(|hold| hold.id.clone())
        });
        if let Some(hold) = holding {
            counts.held += 1;
            counts.holding.insert(hold);
            return Pick::Keep;
        }
        counts.oldest_ms = Some(counts.oldest_ms.unwrap_or(u64::MAX).min(event.received_ms));
        counts.newest_ms = Some(counts.newest_ms.unwrap_or(0).max(event.received_ms));
        let class = class.unwrap_or(self.policy.classes.len());
        if let Some(count) = counts.classes.get_mut(class) {
            *count += 1;
        }
        Pick::Payload
    }
}

/// What became of a run.
#[derive(Debug, Default)]
struct Totals {
    events: u64,
    held: u64,
    logs: HashSet<u64>,
    segments: u64,
    bytes_before: u64,
    bytes_after: u64,
    budget_spent: bool,
}

impl Totals {
    fn detail(&self, state: &str, error: Option<&ChangeError>) -> String {
        let mut detail = json!({
            "state": state, "events": self.events, "held": self.held, "logs": self.logs.len(),
            "segments": self.segments, "bytes_before": self.bytes_before, "bytes_after": self.bytes_after,
            "budget_spent": self.budget_spent,
        });
        if let Some(error) = error {
            detail["error"] = error.to_string().into();
        }
        detail.to_string()
    }
}

impl Service {
    pub(super) async fn over_now(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        policy: Policy,
    ) -> Result<Preview, ReadError> {
        let log = self.store().log(environment, tenant).ok_or(crate::AccessError::NotFound)?;
        let unavailable = |error: ChangeError| ReadError::Unavailable(cause(error));
        let (picker, counts) =
            self.over(environment, tenant, &policy).await.map_err(unavailable)?;
        // What is not sealed yet is at most minutes old, but the dry run must not depend on that.
        self.store().seal().await;
        let pickers: Pickers = HashMap::from([(log.slot, picker)]);
        let picked = self.store().pick(None, pickers).await;
        let (mut lists, _) = picked.map_err(|error| ReadError::Unavailable(cause(error)))?;
        let counts = std::mem::take(&mut *counts.lock());
        let list = lists.remove(&log.slot).unwrap_or_else(|| RemovalList::new(log.origin));
        let names = policy.classes.iter().map(|class| class.name.clone()).chain([String::new()]);
        Ok(Preview {
            events: list.events(),
            ranges: list
                .lines()
                .iter()
                .take(RANGES_MAX)
                .map(attestary_ledger::removal::Removed::seqs)
                .collect(),
            oldest_ms: counts.oldest_ms,
            newest_ms: counts.newest_ms,
            classes: names.zip(counts.classes).collect(),
            held: counts.held,
        })
    }

    async fn over(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        policy: &Policy,
    ) -> Result<(Box<dyn Picker>, Arc<Mutex<Counts>>), ChangeError> {
        let holds = self.holds_in_force(environment, tenant).await?;
        let classes = vec![0; policy.classes.len() + 1];
        let counts = Arc::new(Mutex::new(Counts { classes, ..Counts::default() }));
        let picker = Over {
            policy: policy.clone(),
            holds,
            now_ms: self.clock().now_ms(),
            counts: Arc::clone(&counts),
        };
        Ok((Box::new(picker), counts))
    }

    /// Begins a run over a tenant's log or over all logs of the environment.
    pub async fn begin_retention_run(
        &self,
        caller: &Caller,
        tenant: Option<&str>,
    ) -> Result<RunRow, ChangeError> {
        self.permit(caller, Scope::Admin, "retention.run")?;
        let (environment, tenant) = self.place(caller, tenant)?;
        if !self.watch_clock().await? {
            let reason = "retention is paused: the clock jumped, and an operator must confirm the time first";
            return Err(ChangeError::Conflict { reason: reason.to_owned() });
        }
        let row = self.new_run(environment, tenant);
        let act = Act::new(action::POLICY, "retention.run").on("retention_run", &row.id);
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        let kept = row.clone();
        self.catalog(move |catalog| catalog.put_retention_run(&kept))
            .await
            .map_err(change_error)?;
        let (service, begun) = (self.clone(), row.clone());
        self.spawn(|_| async move { service.run(begun).await });
        Ok(row)
    }

    fn new_run(&self, environment: EnvironmentId, tenant: Option<TenantId>) -> RunRow {
        let now_ms = self.clock().now_ms();
        RunRow {
            id: mint("ret_", now_ms, self.rng()),
            environment,
            tenant,
            started_ms: now_ms,
            ended_ms: None,
            detail: Totals::default().detail("running", None),
        }
    }

    /// Removes what is over in every environment, once a day.
    pub(crate) async fn run_retention_when_due(&self) -> Result<(), ChangeError> {
        let last = self.catalog(|catalog| catalog.guard_value(LAST_RUN)).await;
        let last = last.map_err(change_error)?.unwrap_or(0);
        let now_ms = self.clock().now_ms();
        if now_ms.saturating_sub(last) < EVERY_MS || !self.watch_clock().await? {
            return Ok(());
        }
        for environment in self.directory().environments() {
            let ruled = self.ruled(&environment.name, None);
            if !ruled.is_empty() {
                self.run(self.new_run(environment.name, None)).await;
            }
        }
        self.remember(LAST_RUN, now_ms).await
    }

    /// Carries a run out and notes how it ended.
    async fn run(&self, mut row: RunRow) {
        let mut totals = Totals::default();
        let ran = self.run_steps(&row, &mut totals).await;
        let state = if ran.is_ok() { "done" } else { "failed" };
        if let Err(error) = &ran {
            tracing::error!(error = error as &dyn std::error::Error, run = %row.id, "a retention run failed");
        }
        row.ended_ms = Some(self.clock().now_ms());
        row.detail = totals.detail(state, ran.as_ref().err());
        let kept = self.catalog(move |catalog| catalog.put_retention_run(&row)).await;
        if let Err(error) = kept {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the end of a retention run was not noted"
            );
        }
    }

    /// Returns the logs that a policy limits, by slot.
    fn ruled(
        &self,
        environment: &EnvironmentId,
        tenant: Option<&TenantId>,
    ) -> HashMap<u64, (TenantId, Policy)> {
        let logs = self.store().logs(environment).into_iter();
        let logs = logs
            .filter(|log| !log.tenant.is_system() && tenant.is_none_or(|own| *own == log.tenant));
        let ruled = logs.map(|log| {
            let policy = self.govern().ruling(environment, &log.tenant);
            (log.slot, (log.tenant, policy))
        });
        ruled
            .filter(|(_, (_, policy))| policy.shortest() != super::period::Period::Unlimited)
            .collect()
    }

    async fn run_steps(&self, row: &RunRow, totals: &mut Totals) -> Result<(), ChangeError> {
        self.store().seal().await;
        // Segments that are merged while a pass goes on may slip past it, so passes go on until one finds nothing.
        for _ in 0..PASSES_MAX {
            let before = totals.events;
            totals.held = 0;
            let facts = self.store().segment_facts();
            for step in steps(&facts) {
                if totals.bytes_before >= RUN_BYTES {
                    totals.budget_spent = true;
                    break;
                }
                // Asked anew for every step: policies and holds may have changed since the one before.
                let _turn = self.govern().turn().await;
                self.run_step(row, step, totals).await?;
            }
            if totals.events == before || totals.budget_spent {
                break;
            }
        }
        if totals.segments > 0 {
            self.store().wipe().await.map_err(|error| ChangeError::Unavailable(cause(error)))?;
        }
        Ok(())
    }

    async fn run_step(
        &self,
        row: &RunRow,
        step: &[SegmentFacts],
        totals: &mut Totals,
    ) -> Result<(), ChangeError> {
        let now_ms = self.clock().now_ms();
        let mut pickers: Pickers = HashMap::new();
        let mut kept = HashMap::new();
        for (slot, (tenant, policy)) in self.ruled(&row.environment, row.tenant.as_ref()) {
            let cut_off = policy.shortest().cut_off(now_ms).unwrap_or(0);
            let is_old = |facts: &SegmentFacts| {
                facts.logs.iter().any(|(of, first_ms)| *of == slot && *first_ms < cut_off)
            };
            if step.iter().any(is_old) {
                let (picker, counts) = self.over(&row.environment, &tenant, &policy).await?;
                pickers.insert(slot, picker);
                kept.insert(slot, (tenant, policy, counts));
            }
        }
        if pickers.is_empty() {
            return Ok(());
        }
        let ids = step.iter().map(|facts| facts.id.clone()).collect();
        let picked = self.store().pick(Some(ids), pickers).await;
        let (lists, _) = picked.map_err(|error| ChangeError::Unavailable(cause(error)))?;
        let caller = Caller::installation(&row.environment);
        let mut parts = Vec::new();
        for (slot, (tenant, policy, counts)) in kept {
            totals.held += counts.lock().held;
            let (Some(list), Some(head)) =
                (lists.get(&slot), self.store().log(&row.environment, &tenant))
            else {
                continue;
            };
            if head.slot != slot {
                continue;
            }
            totals.events += list.events();
            totals.logs.insert(slot);
            parts.push((Part { head, list: list.clone() }, policy_facts(&policy, &counts.lock())));
        }
        // Logs of one policy share their facts, and with them the rewrite of their segments; that is nearly always all.
        for group in groups(parts) {
            let (parts, facts) = group;
            let (_, rewritten) =
                self.remove(&caller, RemovalKind::Retention, &row.id, parts, &facts).await?;
            totals.segments += rewritten.segments;
            totals.bytes_before += rewritten.bytes_before;
            totals.bytes_after += rewritten.bytes_after;
        }
        Ok(())
    }

    /// Returns a page of an environment's runs, newest first.
    pub async fn list_retention_runs(
        &self,
        caller: &Caller,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<RunPage, ReadError> {
        self.permit(caller, Scope::Admin, "retention.runs")?;
        let (environment, _) = self.place(caller, None)?;
        let list = format!("retention runs {environment}");
        let before = cursor.map(|text| decode_text(&list, text, self.cursor_key())).transpose()?;
        let read = move |catalog: &attestary_store::Catalog| {
            catalog.retention_runs(&environment, before.as_deref(), limit + 1)
        };
        let mut runs =
            self.catalog(read).await.map_err(|error| ReadError::Unavailable(cause(error)))?;
        let more = runs.len() > limit;
        runs.truncate(limit);
        let last = runs.last().filter(|_| more);
        let next_cursor = last.map(|row| encode_text(&list, &row.id, self.cursor_key()));
        self.recorded_list(caller, "retention.runs", runs.len()).await?;
        Ok(RunPage { runs, next_cursor })
    }

    /// Refuses what would take events away that a hold or a lock keeps.
    pub(crate) async fn refuse_when_kept(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
    ) -> Result<(), ChangeError> {
        if self.govern().ruling(environment, tenant).lock {
            let reason =
                "the tenant's log is locked: its events go when their retention ends, not before";
            return Err(ChangeError::Conflict { reason: reason.to_owned() });
        }
        match self.holds_in_force(environment, tenant).await?.first() {
            Some(hold) => {
                let reason =
                    format!("hold {} keeps events of this tenant; release it first", hold.id);
                Err(ChangeError::Conflict { reason })
            }
            None => Ok(()),
        }
    }
}

type Facts = Vec<(&'static str, Value)>;

fn policy_facts(policy: &Policy, counts: &Counts) -> Facts {
    let digest: [u8; 32] = sha2::Sha256::digest(policy.document().to_string()).into();
    let mut holds: Vec<_> = counts.holding.iter().cloned().collect();
    holds.sort();
    vec![("policy_sha256", hex(&digest).into()), ("holds", holds.into())]
}

fn groups(parts: Vec<(Part, Facts)>) -> Vec<(Vec<Part>, Facts)> {
    let mut groups: Vec<(Vec<Part>, Facts)> = Vec::new();
    for (part, facts) in parts {
        match groups.iter_mut().find(|(_, known)| *known == facts) {
            Some((group, _)) => group.push(part),
            None => groups.push((vec![part], facts)),
        }
    }
    groups
}

/// Cuts segments into steps of about [`STEP_BYTES`].
fn steps(facts: &[SegmentFacts]) -> Vec<&[SegmentFacts]> {
    let mut steps = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (at, segment) in facts.iter().enumerate() {
        if bytes > 0 && bytes + segment.bytes > STEP_BYTES {
            steps.push(&facts[start..at]);
            (start, bytes) = (at, 0);
        }
        bytes += segment.bytes;
    }
    if start < facts.len() {
        steps.push(&facts[start..]);
    }
    steps
}

/// Returns a time for people and machines.
pub(crate) fn time(ms: u64) -> String {
    Timestamp(ms as i64).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_bounded_and_complete() {
        let segment = |bytes| SegmentFacts { id: String::new(), bytes, logs: vec![] };
        let check = |sizes: &[u64], expected: &[usize]| {
            let facts: Vec<_> = sizes.iter().map(|bytes| segment(*bytes)).collect();
            let lengths: Vec<_> = steps(&facts).iter().map(|step| step.len()).collect();
            assert_eq!(lengths, expected, "{sizes:?}");
        };
        check(&[], &[]);
        check(&[1], &[1]);
        check(&[STEP_BYTES, 1, 2], &[1, 2]);
        check(&[STEP_BYTES * 2, STEP_BYTES * 2], &[1, 1]);
        check(&[STEP_BYTES / 2, STEP_BYTES / 2, 1], &[2, 1]);
    }
}
