//! Schemas of actions: versioned, never changed, made anew only when their content differs.
//!
//! A schema says what the metadata of an event, of its actor and of its targets may hold. How strictly is an
//! environment's own choice: `off` (the default), `warn` (events that break their schema are counted), `enforce`
//! (they are refused, and so are actions that nobody knows). An event names the version it means; without one the
//! latest counts. Known actions that come with the program need no schema.

mod schema;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use attestary_event::{
    EnvironmentId, Violation, actions::KnownActions, intake::Door, scan::split_batch,
};
use attestary_store::catalog::ActionSchemaRow;
use bytes::Bytes;
use parking_lot::RwLock;
use serde_json::{Map, Value};

use crate::{
    AccessError, Caller, ChangeError, Form, IntakeError, ItemViolation, ReadError, Scope, Service,
    audit::{Act, action},
    keys::change_error,
};

/// Actions with a schema in one environment.
const ACTIONS_MAX: usize = 1_000;
/// Versions of one action.
const VERSIONS_MAX: usize = 100;
/// Bytes of one schema.
const SCHEMA_BYTES_MAX: usize = 64 * 1024;

/// How strictly schemas are taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SchemaMode {
    /// They are not looked at.
    #[default]
    Off,
    /// What breaks them is counted.
    Warn,
    /// What breaks them is refused.
    Enforce,
}

impl SchemaMode {
    /// The modes with their names.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Off, "off"), (Self::Warn, "warn"), (Self::Enforce, "enforce")];

    /// Returns the mode's name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(mode, _)| *mode == self).map_or("off", |(_, name)| name)
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, own)| *own == name).map(|(mode, _)| *mode)
    }
}

/// One version of an action's schema.
#[derive(Debug)]
pub struct ActionSchema {
    /// The action.
    pub action: String,
    /// From 1 on.
    pub version: u64,
    /// `actor`, `targets`, `metadata`.
    pub schema: Value,
    /// When it was made, in milliseconds since the epoch.
    pub created_ms: u64,
    /// Events that broke it since the start of the process.
    violations: AtomicU64,
}

impl ActionSchema {
    /// Returns how many events broke it since the start of the process.
    pub fn violations(&self) -> u64 {
        self.violations.load(Ordering::Relaxed)
    }
}

/// An environment's schemas.
#[derive(Debug, Clone, Default)]
struct Own {
    mode: SchemaMode,
    actions: BTreeMap<String, Vec<Arc<ActionSchema>>>,
}

/// The schemas in memory; they follow the catalog.
#[derive(Debug, Default)]
pub(crate) struct Schemas {
    /// Some environment looks at schemas: the one question on the way of every event.
    any: AtomicBool,
    own: RwLock<HashMap<EnvironmentId, Own>>,
}

impl Schemas {
    /// Builds the schemas from the catalog's rows.
    pub(crate) fn restored(
        rows: Vec<ActionSchemaRow>,
        modes: Vec<(EnvironmentId, String)>,
    ) -> Self {
        let schemas = Self::default();
        for row in rows {
            let schema = serde_json::from_str(&row.schema).unwrap_or_default();
            schemas.insert(&row.environment, &row.action, row.version, schema, row.created_ms);
        }
        for (environment, mode) in modes {
            schemas.set_mode(&environment, SchemaMode::parse(&mode).unwrap_or_default());
        }
        schemas
    }

    fn insert(
        &self,
        environment: &EnvironmentId,
        action: &str,
        version: u64,
        schema: Value,
        created_ms: u64,
    ) -> Arc<ActionSchema> {
        let schema = Arc::new(ActionSchema {
            action: action.to_owned(),
            version,
            schema,
            created_ms,
            violations: AtomicU64::new(0),
        });
        let mut own = self.own.write();
        let actions = &mut own.entry(environment.clone()).or_default().actions;
        actions.entry(action.to_owned()).or_default().push(Arc::clone(&schema));
        schema
    }

    fn set_mode(&self, environment: &EnvironmentId, mode: SchemaMode) {
        let mut own = self.own.write();
        own.entry(environment.clone()).or_default().mode = mode;
        self.any.store(own.values().any(|own| own.mode != SchemaMode::Off), Ordering::Release);
    }

    fn mode(&self, environment: &EnvironmentId) -> SchemaMode {
        self.own.read().get(environment).map_or(SchemaMode::Off, |own| own.mode)
    }

    fn versions(&self, environment: &EnvironmentId, action: &str) -> Vec<Arc<ActionSchema>> {
        let own = self.own.read();
        own.get(environment).and_then(|own| own.actions.get(action)).cloned().unwrap_or_default()
    }

    /// Checks an event that is to be stored; returns why it is refused.
    pub(crate) fn refused(&self, environment: &EnvironmentId, body: &[u8]) -> Vec<Violation> {
        if !self.any.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mode = self.mode(environment);
        if mode == SchemaMode::Off {
            return Vec::new();
        }
        let (wrong, schema) = self.breaks(environment, body);
        if !wrong.is_empty() {
            metrics::counter!("attestary_schema_violations_total").increment(1);
            if let Some(schema) = schema {
                schema.violations.fetch_add(1, Ordering::Relaxed);
            }
        }
        if mode == SchemaMode::Enforce { wrong } else { Vec::new() }
    }

    /// Returns how an event breaks the schema of its action, and which version that is.
    fn breaks(
        &self,
        environment: &EnvironmentId,
        body: &[u8],
    ) -> (Vec<Violation>, Option<Arc<ActionSchema>>) {
        let Ok(event) = serde_json::from_slice::<Value>(body) else { return (Vec::new(), None) };
        let name = event["action"].as_str().unwrap_or_default();
        let versions = self.versions(environment, name);
        let Some(latest) = versions.last() else {
            let known = KnownActions::builtin().find(name).is_some();
            let detail = format!("\"{name}\" is not a known action: it has no schema here");
            let wrong = if known { Vec::new() } else { vec![Violation::new("/action", detail)] };
            return (wrong, None);
        };
        let wanted = event["schema_version"].as_u64().unwrap_or(latest.version);
        let Some(found) = versions.iter().find(|schema| schema.version == wanted) else {
            let detail =
                format!("is {wanted}; the action has the versions 1 to {}", latest.version);
            return (vec![Violation::new("/schema_version", detail)], Some(Arc::clone(latest)));
        };
        (broken(&found.schema, &event), Some(Arc::clone(found)))
    }
}

/// Returns how an event breaks a schema.
fn broken(of: &Value, event: &Value) -> Vec<Violation> {
    let mut wrong = Vec::new();
    let empty = Value::Object(Map::new());
    let mut part = |schema: Option<&Value>, value: Option<&Value>, at: &str| {
        if let Some(schema) = schema.filter(|schema| !schema.is_null()) {
            schema::validate(schema, value.unwrap_or(&empty), at, &mut wrong);
        }
    };
    part(of.get("metadata"), event.get("metadata"), "/metadata");
    let actor = of.get("actor").and_then(|actor| actor.get("metadata"));
    part(actor, event.pointer("/actor/metadata"), "/actor/metadata");
    let types = of.get("targets").and_then(Value::as_array);
    let targets = event.get("targets").and_then(Value::as_array).into_iter().flatten();
    let Some(types) = types else { return wrong };
    for (index, target) in targets.enumerate() {
        match types.iter().find(|schema| schema.get("type") == target.get("type")) {
            None => wrong.push(Violation::new(
                format!("/targets/{index}/type"),
                "is no type of target that the action's schema knows",
            )),
            Some(schema) => {
                let at = format!("/targets/{index}/metadata");
                if let Some(schema) = schema.get("metadata").filter(|schema| !schema.is_null()) {
                    schema::validate(
                        schema,
                        target.get("metadata").unwrap_or(&empty),
                        &at,
                        &mut wrong,
                    );
                }
            }
        }
    }
    wrong
}

impl Service {
    /// Lists the latest version of every action with a schema, by name, and the environment's mode.
    pub async fn list_actions(
        &self,
        caller: &Caller,
    ) -> Result<(Vec<Arc<ActionSchema>>, SchemaMode), ReadError> {
        self.permit(caller, Scope::Admin, "action.list")?;
        let environment = caller.environment()?;
        let latest: Vec<_> = {
            let own = self.schemas().own.read();
            let actions = own.get(environment).map(|own| own.actions.clone()).unwrap_or_default();
            actions.into_values().filter_map(|versions| versions.last().cloned()).collect()
        };
        self.recorded_list(caller, "action.list", latest.len()).await?;
        Ok((latest, self.schemas().mode(environment)))
    }

    /// Lists the versions of an action's schema, oldest first.
    pub async fn action_schemas(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<Vec<Arc<ActionSchema>>, ReadError> {
        self.permit(caller, Scope::Admin, "action.get")?;
        let versions = self.schemas().versions(caller.environment()?, name);
        let act = Act::new(action::VIEW, "action.get")
            .on("action", name)
            .with("result_count", versions.len());
        self.record(caller, act).await.map_err(ReadError::Audit)?;
        if versions.is_empty() {
            return Err(AccessError::NotFound.into());
        }
        Ok(versions)
    }

    /// Makes a new version of an action's schema; returns the latest and false when that has the same content.
    pub async fn create_action_schema(
        &self,
        caller: &Caller,
        name: &str,
        schema: Value,
    ) -> Result<(Arc<ActionSchema>, bool), ChangeError> {
        self.permit(caller, Scope::Admin, "action.create")?;
        let environment = caller.environment()?.clone();
        if caller.tenants().is_some() {
            return Err(AccessError::NotFound.into());
        }
        let schema = checked(name, schema)?;
        let versions = self.schemas().versions(&environment, name);
        if let Some(latest) = versions.last().filter(|latest| latest.schema == schema) {
            return Ok((Arc::clone(latest), false));
        }
        let actions =
            self.schemas().own.read().get(&environment).map_or(0, |own| own.actions.len());
        if versions.len() >= VERSIONS_MAX || (versions.is_empty() && actions >= ACTIONS_MAX) {
            let reason = format!(
                "an environment has schemas for at most {ACTIONS_MAX} actions, of {VERSIONS_MAX} versions each"
            );
            return Err(ChangeError::Conflict { reason });
        }
        let version = versions.last().map_or(1, |latest| latest.version + 1);
        let act =
            Act::new(action::POLICY, "action.create").on("action", name).with("version", version);
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        let row = ActionSchemaRow {
            environment: environment.clone(),
            action: name.to_owned(),
            version,
            schema: schema.to_string(),
            created_ms: self.clock().now_ms(),
        };
        let created_ms = row.created_ms;
        // Two at once: the table takes the version once, the other one is told to come again.
        self.catalog(move |catalog| catalog.create_action_schema(&row))
            .await
            .map_err(change_error)?;
        Ok((self.schemas().insert(&environment, name, version, schema, created_ms), true))
    }

    /// Sets how strictly the environment takes schemas.
    pub async fn set_schema_mode(
        &self,
        caller: &Caller,
        mode: SchemaMode,
    ) -> Result<(), ChangeError> {
        self.permit(caller, Scope::Admin, "action.mode")?;
        let environment = caller.environment()?.clone();
        if caller.tenants().is_some() {
            return Err(AccessError::NotFound.into());
        }
        let before = self.schemas().mode(&environment);
        let act =
            Act::new(action::POLICY, "action.mode").changed("mode", before.name(), mode.name());
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        let of = environment.clone();
        self.catalog(move |catalog| catalog.put_action_mode(&of, mode.name()))
            .await
            .map_err(change_error)?;
        self.schemas().set_mode(&environment, mode);
        Ok(())
    }

    /// Checks events as submitting would under `enforce`, and stores nothing. Returns what is wrong with each.
    pub async fn check_only(
        &self,
        caller: &Caller,
        body: Bytes,
        form: Form,
    ) -> Result<Vec<ItemViolation>, IntakeError> {
        self.permit(caller, Scope::Ingest, "events.check")?;
        caller.environment()?;
        let bytes = body.len();
        let work = move |service: &Self, caller: &Caller| service.dry_run(caller, &body, form);
        self.work(caller, bytes, work).await
    }

    /// CPU work.
    fn dry_run(
        &self,
        caller: &Caller,
        body: &[u8],
        form: Form,
    ) -> Result<Vec<ItemViolation>, IntakeError> {
        let environment = caller.environment()?;
        let events = split_batch(body, form.into(), self.limits())?.into_events();
        let mut found = Vec::new();
        for (index, event) in events.into_iter().enumerate() {
            match self.check_events(caller, &[event], Door::Native, caller.only_tenant()) {
                Ok(_) => {
                    let (wrong, _) = self.schemas().breaks(environment, event);
                    let items =
                        wrong.into_iter().map(|violation| ItemViolation { index, violation });
                    found.extend(items);
                }
                Err(
                    IntakeError::Invalid(items)
                    | IntakeError::Schema(items)
                    | IntakeError::UnknownTenant(items)
                    | IntakeError::TenantClosed(items),
                ) => found.extend(items.into_iter().map(|item| ItemViolation { index, ..item })),
                Err(other) => return Err(other),
            }
        }
        Ok(found)
    }
}

/// Returns the schema in its stored form: `actor`, `targets` and `metadata`, keys in one order.
fn checked(name: &str, given: Value) -> Result<Value, ChangeError> {
    let mut wrong = Vec::new();
    if !(1..=256).contains(&name.len())
        || name.starts_with("attestary.")
        || name.contains(char::is_control)
    {
        let detail =
            "has 1 to 256 bytes, no control characters, and does not begin with attestary.";
        wrong.push(Violation::new("/action", detail));
    }
    let Value::Object(given) = given else {
        return Err(ChangeError::invalid("", "must be an object"));
    };
    for (member, value) in &given {
        match member.as_str() {
            "metadata" | "actor" | "targets" if value.is_null() => {}
            "metadata" => schema::check(value, "/metadata", 0, &mut wrong),
            "actor" => match value.as_object() {
                Some(actor) if actor.keys().all(|name| name == "metadata") => {
                    if let Some(inner) = actor.get("metadata").filter(|inner| !inner.is_null()) {
                        schema::check(inner, "/actor/metadata", 0, &mut wrong);
                    }
                }
                _ => wrong.push(Violation::new("/actor", "must be an object with \"metadata\"")),
            },
            "targets" => targets(value, &mut wrong),
            other => wrong.push(Violation::new(
                format!("/{other}"),
                "is not known: actor, targets, metadata",
            )),
        }
    }
    if !wrong.is_empty() {
        return Err(ChangeError::Invalid(wrong));
    }
    // Absent and null are the same content.
    let kept = given.into_iter().filter(|(_, value)| !value.is_null());
    let schema = Value::Object(kept.collect());
    if schema.to_string().len() > SCHEMA_BYTES_MAX {
        return Err(ChangeError::invalid("", format!("has at most {SCHEMA_BYTES_MAX} bytes")));
    }
    Ok(schema)
}

fn targets(value: &Value, wrong: &mut Vec<Violation>) {
    let Some(targets) = value.as_array() else {
        return wrong.push(Violation::new("/targets", "must be an array"));
    };
    for (index, target) in targets.iter().enumerate() {
        let at = format!("/targets/{index}");
        let named = target.get("type").and_then(Value::as_str).is_some_and(|name| !name.is_empty());
        let known = |target: &Map<String, Value>| {
            target.keys().all(|name| name == "type" || name == "metadata")
        };
        if !named || !target.as_object().is_some_and(known) {
            wrong.push(Violation::new(
                at,
                "must be an object with \"type\", a text, and \"metadata\"",
            ));
            continue;
        }
        if let Some(inner) = target.get("metadata").filter(|inner| !inner.is_null()) {
            schema::check(inner, &format!("{at}/metadata"), 0, wrong);
        }
    }
}
