//! Checks of what people want a destination to be, before anything is saved.

use attestary_delivery::{
    BatchLimits, DestinationConfig, ManagedBy, Secrets, Spec, Start, checkpoint,
};
use attestary_event::{EnvironmentId, TenantId, Violation};
use attestary_formats::Format;
use serde_json::Value;

use super::{DestinationChange, NewDestination};
use crate::{Caller, ChangeError, Service, search::parse_filter, tenants::check_name};

/// A new destination that passed all checks.
pub(super) struct Draft {
    pub(super) spec: Spec,
    pub(super) secrets: Secrets,
    pub(super) start: Start,
}

impl Service {
    pub(super) fn check_new(
        &self,
        caller: &Caller,
        environment: &EnvironmentId,
        tenant: &TenantId,
        new: &NewDestination,
    ) -> Result<Draft, ChangeError> {
        let managed_by =
            if caller.tenants().is_some() { ManagedBy::Tenant } else { ManagedBy::Operator };
        self.check_as(managed_by, environment, tenant, new)
    }

    pub(super) fn check_as(
        &self,
        managed_by: ManagedBy,
        environment: &EnvironmentId,
        tenant: &TenantId,
        new: &NewDestination,
    ) -> Result<Draft, ChangeError> {
        let mut violations = Vec::new();
        if new.name.is_empty() {
            violations.push(Violation::new("/name", "a destination needs a name"));
        }
        check_name(Some(&new.name))?;
        let start = Start::parse(&new.start).map_err(|violation| violations.push(violation)).ok();
        let checked = DestinationConfig::validate(&new.kind, &new.config, managed_by);
        let checked = checked.map_err(|more| violations.extend(more)).ok();
        let destination = checked.as_ref().map(|(destination, _)| destination);
        let format = format(new.format.as_ref(), destination)
            .map_err(|violation| violations.push(violation))
            .ok();
        let batch = batch_limits(new.batch.as_ref(), destination)
            .map_err(|more| violations.extend(more))
            .unwrap_or_default();
        let checkpoint_seconds = new.checkpoint_seconds.unwrap_or_default();
        violations.extend(check_checkpoints(checkpoint_seconds, destination, format.as_ref()));
        let (Some(format), Some(start), Some((destination, mut secrets)), true) =
            (format, start, checked, violations.is_empty())
        else {
            return Err(ChangeError::Invalid(violations));
        };
        let filter = parse_filter(&new.filter).map_err(ChangeError::Filter)?;
        if let Some(scheme) = destination.signs().filter(|_| secrets.signing.is_empty()) {
            secrets.signing.push(self.signing_secret(scheme));
        }
        let spec = Spec {
            id: self.destination_id(),
            environment: environment.clone(),
            tenant: tenant.clone(),
            name: new.name.clone(),
            managed_by,
            destination,
            format,
            filter,
            batch,
            checkpoint_seconds,
            replay: None,
        };
        self.check_reach(&spec)?;
        Ok(Draft { spec, secrets, start })
    }

    pub(super) fn check_change(
        &self,
        before: &Spec,
        secrets: Secrets,
        change: DestinationChange,
    ) -> Result<(Spec, Secrets), ChangeError> {
        check_name(change.name.as_deref())?;
        let (mut spec, mut secrets) = (before.clone(), secrets);
        if let Some(name) = change.name {
            spec.name = name;
        }
        if let Some(format_given) = &change.format {
            spec.format = format(Some(format_given), None)
                .map_err(|violation| ChangeError::Invalid(vec![violation]))?;
        }
        if let Some(filter) = &change.filter {
            spec.filter = parse_filter(filter).map_err(ChangeError::Filter)?;
        }
        if let Some(config) = &change.config {
            let kind = before.destination.kind();
            let known = Some((&before.destination, &secrets));
            let checked =
                DestinationConfig::validate_change(kind, config, before.managed_by, known)
                    .map_err(ChangeError::Invalid)?;
            if checked.0.signs() != before.destination.signs() {
                let detail =
                    "cannot be changed: receivers would have no key; make another destination";
                return Err(ChangeError::invalid("/config/signature", detail));
            }
            spec.destination = checked.0;
            // The signing secret outlives a change of the address; header values come with the configuration.
            secrets.headers = checked.1.headers;
            secrets.values = checked.1.values;
        }
        if let Some(limits) = &change.batch {
            spec.batch = batch_limits(Some(limits), Some(&spec.destination))
                .map_err(ChangeError::Invalid)?;
        }
        spec.checkpoint_seconds = change.checkpoint_seconds.unwrap_or(spec.checkpoint_seconds);
        let wrong =
            check_checkpoints(spec.checkpoint_seconds, Some(&spec.destination), Some(&spec.format));
        wrong.map_or(Ok(()), |violation| Err(ChangeError::Invalid(vec![violation])))?;
        spec.destination
            .check_format(&spec.format)
            .map_err(|violation| ChangeError::Invalid(vec![violation]))?;
        self.check_reach(&spec)?;
        Ok((spec, secrets))
    }

    /// A courtesy to the person: the check that counts is made at every connection.
    fn check_reach(&self, spec: &Spec) -> Result<(), ChangeError> {
        let violations = self.guard().check(&spec.owner(), &spec.destination);
        if violations.is_empty() { Ok(()) } else { Err(ChangeError::Invalid(violations)) }
    }
}

/// Reads a format; without one, the destination's usual one. A destination says which formats it carries.
fn format(
    given: Option<&Value>,
    destination: Option<&DestinationConfig>,
) -> Result<Format, Violation> {
    let format = match given {
        Some(value) => serde_json::from_value(value.clone())
            .map_err(|error| Violation::new("/format", error.to_string()))?,
        None => destination.map_or_else(Format::default, DestinationConfig::default_format),
    };
    match destination {
        Some(destination) => destination.check_format(&format).map(|()| format),
        None => Ok(format),
    }
}

/// Reads limits of batches; without them, the usual ones.
fn batch_limits(
    given: Option<&Value>,
    destination: Option<&DestinationConfig>,
) -> Result<BatchLimits, Vec<Violation>> {
    let Some(given) = given else { return Ok(BatchLimits::default()) };
    if destination.is_some_and(DestinationConfig::limits_itself) {
        let detail = "this type has limits of its own in its configuration";
        return Err(vec![Violation::new("/batch", detail)]);
    }
    let limits: BatchLimits = serde_json::from_value(given.clone())
        .map_err(|error| vec![Violation::new("/batch", error.to_string())])?;
    let mut violations = limits.violations();
    if limits.in_flight_max > 1 && destination.is_some_and(DestinationConfig::keeps_order) {
        let detail = "must be 1: this type keeps the order, so one batch is under way at a time";
        violations.push(Violation::new("/batch/in_flight_max", detail));
    }
    if violations.is_empty() { Ok(limits) } else { Err(violations) }
}

/// Returns why a stream cannot have checkpoints so often, or at all.
fn check_checkpoints(
    seconds: u64,
    destination: Option<&DestinationConfig>,
    format: Option<&Format>,
) -> Option<Violation> {
    let known = destination.zip(format);
    let refused = known.and_then(|(destination, format)| destination.refuses_checkpoints(format));
    let refused = refused.filter(|_| seconds > 0);
    let refused = refused.map(|detail| Violation::new("/checkpoint_seconds", detail));
    refused.or_else(|| checkpoint::violation(seconds))
}
