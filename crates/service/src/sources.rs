//! Switches of the doors: a source of events is a system, or an area of one, and may be switched off.
//!
//! What comes from a source that is off is thrown away and counted. Foreign clients get their success, as from the
//! systems they were made for; the native API, whose receipts are promises, refuses. Every change is recorded before
//! it takes effect. `NOAUDITLOG` switches all doors of the installation off, which is recorded at the start.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicBool, Ordering},
};

use attestary_event::EnvironmentId;
use attestary_store::catalog::SourceRow;
use parking_lot::RwLock;

use crate::{
    Caller, ChangeError, ReadError, Scope, Service,
    audit::{Act, action},
    caller::SYSTEM,
    error::{OpenError, cause},
    keys::change_error,
};

/// The systems that have a door, the native API first.
pub(crate) const SYSTEMS: [&str; 11] = [
    "native",
    "ironcore",
    "formio",
    "easysend",
    "workos",
    "retraced",
    "cloudevents",
    "otlp",
    "ndjson",
    "kubernetes",
    "syslog",
];

/// The name of the switch for everything; only the installation has it.
const EVERYTHING: &str = "*";
/// Longest name of an area, in bytes.
const AREA_BYTES_MAX: usize = 256;
/// Areas with a switch of their own, in one environment.
const AREAS_MAX: usize = 1_000;

/// A source of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The system, one of [`SYSTEMS`].
    pub system: String,
    /// An area of it, such as a process type.
    pub area: Option<String>,
    /// Its events are taken.
    pub enabled: bool,
    /// When it was switched last, in milliseconds since the epoch.
    pub changed_ms: Option<u64>,
}

/// The switches in memory; they follow the catalog.
#[derive(Debug, Default)]
pub(crate) struct Switches {
    /// Something is off: the one question on the way of every event.
    any: AtomicBool,
    rows: RwLock<BTreeMap<(EnvironmentId, String), SourceRow>>,
}

impl Switches {
    /// Builds the switches from the catalog's rows.
    pub(crate) fn restored(rows: Vec<SourceRow>) -> Self {
        let switches = Self::default();
        for row in rows {
            switches.insert(row);
        }
        switches
    }

    fn insert(&self, row: SourceRow) {
        let mut rows = self.rows.write();
        rows.insert((row.environment.clone(), row.name.clone()), row);
        self.any.store(rows.values().any(|row| !row.enabled), Ordering::Release);
    }

    /// Returns whether events of the source are thrown away.
    pub(crate) fn is_off(
        &self,
        environment: &EnvironmentId,
        system: &str,
        area: Option<&str>,
    ) -> bool {
        if !self.any.load(Ordering::Acquire) {
            return false;
        }
        let rows = self.rows.read();
        let off = |environment: &EnvironmentId, name: String| {
            rows.get(&(environment.clone(), name)).is_some_and(|row| !row.enabled)
        };
        off(&EnvironmentId::restored(SYSTEM), EVERYTHING.to_owned())
            || off(environment, system.to_owned())
            || area.is_some_and(|area| off(environment, format!("{system}/{area}")))
    }
}

impl Service {
    /// Returns whether events of the source are thrown away; counts those that are.
    pub(crate) fn is_switched_off(
        &self,
        environment: &EnvironmentId,
        system: &'static str,
        area: Option<&str>,
    ) -> bool {
        let off = self.switches().is_off(environment, system, area);
        if off {
            metrics::counter!("attestary_switched_off_total", "system" => system).increment(1);
        }
        off
    }

    /// Lists the sources of the caller's environment: every system, and the areas that were ever switched.
    pub async fn list_sources(&self, caller: &Caller) -> Result<Vec<Source>, ReadError> {
        self.permit(caller, Scope::Admin, "source.list")?;
        let environment = caller.environment()?;
        let rows = self.switches().rows.read().clone();
        let own = rows.into_values().filter(|row| row.environment == *environment);
        let mut found: BTreeMap<String, SourceRow> =
            own.map(|row| (row.name.clone(), row)).collect();
        let mut sources: Vec<Source> = SYSTEMS
            .iter()
            .map(|system| match found.remove(*system) {
                Some(row) => source(&row),
                None => Source {
                    system: (*system).to_owned(),
                    area: None,
                    enabled: true,
                    changed_ms: None,
                },
            })
            .collect();
        sources.extend(found.values().map(source));
        self.recorded_list(caller, "source.list", sources.len()).await?;
        Ok(sources)
    }

    /// Switches a source on or off for the whole environment.
    pub async fn switch_source(
        &self,
        caller: &Caller,
        system: &str,
        area: Option<&str>,
        enabled: bool,
    ) -> Result<Source, ChangeError> {
        self.permit(caller, Scope::Admin, "source.switch")?;
        let environment = caller.environment()?.clone();
        if caller.tenants().is_some() || !SYSTEMS.contains(&system) {
            return Err(crate::AccessError::NotFound.into());
        }
        let name = self.checked_name(&environment, system, area)?;
        let before = !self.switches().is_off(&environment, system, area);
        let act = Act::new(action::POLICY, "source.switch")
            .on("source", &name)
            .changed("enabled", before, enabled);
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        let row = SourceRow { environment, name, enabled, changed_ms: self.clock().now_ms() };
        let stored = row.clone();
        self.catalog(move |catalog| catalog.put_source(&stored)).await.map_err(change_error)?;
        let switched = source(&row);
        self.switches().insert(row);
        Ok(switched)
    }

    fn checked_name(
        &self,
        environment: &EnvironmentId,
        system: &str,
        area: Option<&str>,
    ) -> Result<String, ChangeError> {
        let Some(area) = area else { return Ok(system.to_owned()) };
        if !(1..=AREA_BYTES_MAX).contains(&area.len()) {
            let detail = format!("has 1 to {AREA_BYTES_MAX} bytes; this one has {}", area.len());
            return Err(ChangeError::invalid("/area", detail));
        }
        let name = format!("{system}/{area}");
        let names: BTreeSet<String> = {
            let rows = self.switches().rows.read();
            rows.keys()
                .filter(|(own, _)| own == environment)
                .map(|(_, name)| name.clone())
                .collect()
        };
        if names.len() >= AREAS_MAX && !names.contains(&name) {
            let reason = format!("an environment has switches for at most {AREAS_MAX} sources");
            return Err(ChangeError::Conflict { reason });
        }
        Ok(name)
    }

    /// Takes over what the configuration says about the whole installation, and records when that changed.
    pub(crate) async fn switch_installation(&self) -> Result<(), OpenError> {
        let system = EnvironmentId::restored(SYSTEM);
        let key = (system.clone(), EVERYTHING.to_owned());
        let before = self.switches().rows.read().get(&key).is_none_or(|row| row.enabled);
        let enabled = !self.settings().audit_off;
        if !enabled {
            tracing::warn!("intake is switched off by the configuration: no events are taken");
        }
        if before == enabled {
            return Ok(());
        }
        let act = Act::new(action::POLICY, "installation.switch")
            .on("source", EVERYTHING)
            .changed("enabled", before, enabled);
        let recorded = self.record(&Caller::installation_itself(), act).await;
        recorded.map_err(|error| OpenError::Audit(cause(error)))?;
        let row = SourceRow {
            environment: system,
            name: EVERYTHING.to_owned(),
            enabled,
            changed_ms: self.clock().now_ms(),
        };
        let stored = row.clone();
        let put = self.catalog(move |catalog| catalog.put_source(&stored)).await;
        put.map_err(|error| OpenError::Catalog(cause(error)))?;
        self.switches().insert(row);
        Ok(())
    }
}

fn source(row: &SourceRow) -> Source {
    let (system, area) = match row.name.split_once('/') {
        Some((system, area)) => (system, Some(area.to_owned())),
        None => (row.name.as_str(), None),
    };
    Source {
        system: system.to_owned(),
        area,
        enabled: row.enabled,
        changed_ms: Some(row.changed_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(environment: &str, name: &str, enabled: bool) -> SourceRow {
        let environment = EnvironmentId::restored(environment);
        SourceRow { environment, name: name.into(), enabled, changed_ms: 0 }
    }

    #[test]
    fn a_switch_holds_for_its_source_in_its_environment_only() {
        let switches = Switches::restored(vec![row("a", "easysend/journey", false)]);
        let off = |environment: &str, system: &str, area| {
            switches.is_off(&EnvironmentId::restored(environment), system, area)
        };
        assert!(off("a", "easysend", Some("journey")));
        assert!(!off("a", "easysend", Some("other")) && !off("a", "easysend", None));
        assert!(!off("b", "easysend", Some("journey")) && !off("a", "formio", Some("journey")));
        switches.insert(row("a", "easysend/journey", true));
        assert!(!switches.any.load(Ordering::Acquire));
        switches.insert(row(SYSTEM, EVERYTHING, false));
        assert!(switches.is_off(&EnvironmentId::restored("b"), "native", None));
    }
}
