//! The doors for foreign forms: they parse and map, then take the same way as native events.
//!
//! An adapter never trusts a line or a body about who is allowed what: the key's tenant list holds for each event.

use std::time::Duration;

use attestary_event::{
    EnvironmentId, Event, TenantId, Timestamp, View, Violation,
    actions::KnownActions,
    intake::{self, Door},
};
use attestary_formats::{
    Format,
    format::PlainOptions,
    intake::{
        formio,
        ironcore::{self, Mapped, Refusal},
    },
};
use attestary_store::{Outcome, Receipt};
use bytes::Bytes;

use crate::{AccessError, Caller, IntakeError, Scope, Service};

/// Lines handed to the store at once.
const LINES_MAX: usize = 1_000;
/// How long an event that is printed may wait for the output's reader.
const PRINT_TIME_MAX: Duration = Duration::from_secs(1);
/// Flagged and refused lines that one reply lists.
const LISTED_MAX: usize = 1_000;
/// The tenant of lines that name no project, when the project names the tenant: what such a line itself says.
const NO_PROJECT: &str = "NoProject";

/// What became of an IronCore security event.
#[derive(Debug)]
pub enum IroncoreOutcome {
    /// Durable.
    Accepted(Receipt),
    /// The source is switched off: thrown away and counted.
    SwitchedOff,
    /// Its tenant is unknown in a closed environment: thrown away and counted, as the protocol's own service does.
    Discarded,
    /// The same, but the environment's policy is to print it to standard output.
    Printed,
    /// The body or the request is refused in the protocol's words.
    Refused(Refusal),
}

/// Who owns the lines of a Form.io log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormioTenant {
    /// One tenant for all lines.
    Fixed(String),
    /// The project of each line.
    Project,
}

/// What became of a Form.io log.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FormioReport {
    /// Lines read.
    pub lines: u64,
    /// Events made from them.
    pub events: u64,
    /// Events that are new.
    pub accepted: u64,
    /// Events that were there already.
    pub duplicates: u64,
    /// Events with a flag.
    pub flagged: u64,
    /// Events made from text that is no audit line.
    pub unparsed: u64,
    /// Events that were not accepted.
    pub refused: u64,
    /// Lines that were thrown away because the source is switched off.
    pub switched_off: u64,
    /// The first flagged events: line number and flags.
    pub flagged_lines: Vec<(u64, Vec<&'static str>)>,
    /// The first refused events: line number and reason.
    pub refused_lines: Vec<(u64, String)>,
}

impl Service {
    /// Accepts one IronCore security event.
    pub async fn ironcore_event(
        &self,
        caller: &Caller,
        body: &[u8],
    ) -> Result<IroncoreOutcome, IntakeError> {
        self.permit(caller, Scope::Ingest, "events.submit")?;
        if self.is_switched_off(caller.environment()?, "ironcore", None) {
            return Ok(IroncoreOutcome::SwitchedOff);
        }
        match ironcore::parse(body, self.limits()) {
            Ok(mapped) => self.ironcore_mapped(caller, &mapped).await,
            Err(refusal) => Ok(IroncoreOutcome::Refused(refusal)),
        }
    }

    /// Accepts a report of counted operations as events; returns the first one's receipt.
    pub async fn ironcore_operations(
        &self,
        caller: &Caller,
        body: &[u8],
    ) -> Result<IroncoreOutcome, IntakeError> {
        self.permit(caller, Scope::Ingest, "events.submit")?;
        if self.is_switched_off(caller.environment()?, "ironcore", None) {
            return Ok(IroncoreOutcome::SwitchedOff);
        }
        let mapped = match ironcore::report_operations(body, self.limits()) {
            Ok(mapped) => mapped,
            Err(refusal) => return Ok(IroncoreOutcome::Refused(refusal)),
        };
        let mut outcome = IroncoreOutcome::Discarded;
        for event in &mapped {
            outcome = self.ironcore_mapped(caller, event).await?;
        }
        Ok(outcome)
    }

    async fn ironcore_mapped(
        &self,
        caller: &Caller,
        mapped: &Mapped,
    ) -> Result<IroncoreOutcome, IntakeError> {
        let prepared = match self.check_events(caller, &[&mapped.json], Door::Adapter, None) {
            Ok(prepared) => prepared,
            Err(IntakeError::Invalid(mut items) | IntakeError::Schema(mut items)) => {
                let first =
                    if items.is_empty() { None } else { Some(items.swap_remove(0).violation) };
                return Ok(IroncoreOutcome::Refused(Refusal::InvalidBody(
                    first.unwrap_or_else(not_valid),
                )));
            }
            Err(IntakeError::UnknownTenant(_))
                if self.is_unknown_only(caller, &mapped.tenant)? =>
            {
                return Ok(self.unknown_event(caller, mapped).await);
            }
            Err(other) => return Err(other),
        };
        let outcomes = self.append(caller, prepared).await?;
        match outcomes.into_iter().next() {
            Some(
                Outcome::Accepted(receipt)
                | Outcome::Duplicate(receipt)
                | Outcome::Conflict(receipt),
            ) => Ok(IroncoreOutcome::Accepted(receipt)),
            _ => Err(IntakeError::Damaged),
        }
    }

    /// Prints or discards an event that no log takes, as the environment says.
    async fn unknown_event(&self, caller: &Caller, mapped: &Mapped) -> IroncoreOutcome {
        let printed = match caller.environment() {
            Ok(environment) if self.directory().gate(environment).print_unknown => {
                self.print_event(environment, &mapped.json).await
            }
            _ => false,
        };
        if printed {
            self.counters().ironcore_printed.increment(1);
            IroncoreOutcome::Printed
        } else {
            self.counters().ironcore_discarded.increment(1);
            IroncoreOutcome::Discarded
        }
    }

    /// Writes an event that stands in no log to standard output, in the protocol's own delivered form. Returns false
    /// when it is not valid or the output does not take it in time: nobody waits for a reader that does not read.
    async fn print_event(&self, environment: &EnvironmentId, json: &[u8]) -> bool {
        let now_ms = self.clock().now_ms();
        let context = intake::Context {
            now: Timestamp(now_ms as i64),
            actions: KnownActions::builtin(),
            limits: self.limits(),
            default_tenant: None,
        };
        let accepted = intake::accept_with(
            json,
            Door::Adapter,
            &context,
            self.digest_key(),
            &mut intake::Scratch::default(),
        );
        let Ok(accepted) = accepted else { return false };
        let id = accepted.id.unwrap_or_else(|| self.event_id(now_ms));
        // Of no log, so without a leaf; the id, twice, keeps the ray id of delivery apart from others.
        let mut leaf_hash = [0; 32];
        leaf_hash[..16].copy_from_slice(&id.0);
        leaf_hash[16..].copy_from_slice(&id.0);
        let event = Event {
            id,
            tenant: accepted.tenant.clone(),
            environment: environment.clone(),
            seq: 0,
            received_at: Timestamp(now_ms as i64),
            flags: 0,
            leaf_hash,
            body: accepted.body.as_slice().into(),
        };
        let fields = event.fields();
        let view = View { event: &event, fields: &fields };
        let mut line = Vec::new();
        Format::Ironcore(PlainOptions::default()).encode(&view, KnownActions::builtin(), &mut line);
        line.push(b'\n');
        let written = self.components().output.write_lines(line.into());
        matches!(tokio::time::timeout(PRINT_TIME_MAX, written).await, Ok(Ok(())))
    }

    /// A tenant that the key may write to, but that a closed environment does not know.
    fn is_unknown_only(&self, caller: &Caller, tenant: &str) -> Result<bool, AccessError> {
        let closed = self.directory().gate(caller.environment()?).closed;
        Ok(closed && TenantId::parse(tenant).is_ok_and(|tenant| caller.covers(&tenant)))
    }

    /// Accepts a Form.io log: every line that can be kept is kept.
    pub async fn formio_log(
        &self,
        caller: &Caller,
        body: Bytes,
        tenant: FormioTenant,
    ) -> Result<FormioReport, IntakeError> {
        self.permit(caller, Scope::Ingest, "events.submit")?;
        let mut report = FormioReport::default();
        if self.is_switched_off(caller.environment()?, "formio", None) {
            report.lines = body.split_inclusive(|byte| *byte == b'\n').count() as u64;
            report.switched_off = report.lines;
            return Ok(report);
        }
        let mut reader = formio::Reader::default();
        let mut items = Vec::with_capacity(LINES_MAX);
        let lines = body.split_inclusive(|byte| *byte == b'\n');
        for line in lines {
            report.lines += 1;
            items.extend(reader.push_line(line));
            if items.len() >= LINES_MAX {
                self.formio_items(caller, std::mem::take(&mut items), &tenant, &mut report).await?;
            }
        }
        while let Some(item) = reader.finish() {
            items.push(item);
        }
        self.formio_items(caller, items, &tenant, &mut report).await?;
        Ok(report)
    }

    async fn formio_items(
        &self,
        caller: &Caller,
        items: Vec<formio::Item>,
        tenant: &FormioTenant,
        report: &mut FormioReport,
    ) -> Result<(), IntakeError> {
        let tenant = tenant.clone();
        let bytes = items.iter().map(formio::Item::bytes).sum();
        let work =
            move |service: &Self, caller: &Caller| service.check_items(caller, &items, &tenant);
        let mut checked = self.check::<_, IntakeError>(caller, bytes, work).await?;
        report.take_notes(&mut checked);
        for outcome in self.append(caller, checked.prepared).await? {
            match outcome {
                Outcome::Accepted(_) => report.accepted += 1,
                Outcome::Duplicate(_) | Outcome::Conflict(_) => report.duplicates += 1,
                _ => return Err(IntakeError::Damaged),
            }
        }
        Ok(())
    }

    /// Checks items one by one, because one line that cannot be kept must not hold the others back. CPU work.
    fn check_items(
        &self,
        caller: &Caller,
        items: &[formio::Item],
        tenant: &FormioTenant,
    ) -> Result<CheckedItems, IntakeError> {
        let mut checked = CheckedItems { events: items.len() as u64, ..CheckedItems::default() };
        let mut submissions = Vec::with_capacity(items.len());
        for item in items {
            let tenant = match tenant {
                FormioTenant::Fixed(tenant) => tenant.as_str(),
                FormioTenant::Project => item.tenant_hint.as_deref().unwrap_or(NO_PROJECT),
            };
            checked.unparsed += u64::from(!item.parsed);
            if !item.flags.is_empty() {
                checked.flagged.push((item.line_number, item.flags.clone()));
            }
            submissions.push(item.submission(item.event_id(self.line_key(), tenant), tenant));
        }
        let each = self.check_each(caller, &submissions)?;
        checked.prepared = each.prepared;
        checked.refused = each
            .refused
            .into_iter()
            .map(|(index, refused)| (items[index].line_number, refused.detail))
            .collect();
        Ok(checked)
    }
}

/// What the check of a batch of lines yields.
#[derive(Default)]
struct CheckedItems {
    events: u64,
    unparsed: u64,
    prepared: Vec<attestary_store::record::Prepared>,
    flagged: Vec<(u64, Vec<&'static str>)>,
    refused: Vec<(u64, String)>,
}

impl FormioReport {
    fn take_notes(&mut self, checked: &mut CheckedItems) {
        self.events += checked.events;
        self.unparsed += checked.unparsed;
        self.flagged += checked.flagged.len() as u64;
        self.refused += checked.refused.len() as u64;
        let room = LISTED_MAX.saturating_sub(self.flagged_lines.len());
        self.flagged_lines.extend(checked.flagged.drain(..).take(room));
        let room = LISTED_MAX.saturating_sub(self.refused_lines.len());
        self.refused_lines.extend(checked.refused.drain(..).take(room));
    }
}

fn not_valid() -> Violation {
    Violation::new("", "the event is not valid")
}
