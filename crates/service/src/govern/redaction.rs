//! Redaction at intake as people set and try it: rules of an environment and of its tenants, and the look-up of tokens.
//!
//! The environment's rules come before the tenant's, so that no tenant can weaken them.

use std::{collections::BTreeMap, sync::Arc};

use attestary_event::{
    EnvironmentId, Fields, TenantId, Violation,
    intake::Accepted,
    redact::{self, Action, Detection, Detector, Hit, Redaction, Rule, TokenKey},
};
use attestary_store::{
    Store,
    catalog::{Catalog, PolicyRow},
};
use serde_json::{Map, Value, json};

use super::REDACTION;
use crate::{
    Caller, ChangeError, ReadError, Scope, Service,
    audit::{Act, action},
    error::cause,
    keys::change_error,
};

const RULES_MAX: usize = 100;
const POINTERS_MAX: usize = 100;
const POINTER_BYTES_MAX: usize = 1_024;
const NAME_BYTES_MAX: usize = 64;
const VALUE_BYTES_MAX: usize = 32 * 1024;
/// Newest events that a dry run looks at.
const SAMPLE_EVENTS: usize = 1_000;
const SAMPLE_BYTES: usize = 8 << 20;
/// Fields of each rule that a dry run names.
const POINTERS_SHOWN: usize = 20;

/// What a dry run found.
#[derive(Debug, Clone, PartialEq)]
pub struct RedactionPreview {
    /// The event as it would be committed, when one was given.
    pub event: Option<Value>,
    /// Events looked at.
    pub events: usize,
    /// Events of which something would be redacted.
    pub redacted: usize,
    /// By rule or detector: its name, how many fields, and some of their pointers.
    pub hits: Vec<(String, u64, Vec<String>)>,
}

/// Reads a document, or lists what is wrong with it.
pub(crate) fn parse(document: &Map<String, Value>) -> Result<Redaction, Vec<Violation>> {
    let mut reader = Reader { document, violations: Vec::new() };
    let redaction = reader.redaction();
    if reader.violations.is_empty() { Ok(redaction) } else { Err(reader.violations) }
}

/// Reads a document that was stored.
pub(crate) fn restored(text: &str) -> Result<Redaction, serde_json::Error> {
    let document: Map<String, Value> = serde_json::from_str(text)?;
    parse(&document).map_err(|violations| {
        let what = format!("a stored redaction is not valid: {violations:?}");
        serde::de::Error::custom(what)
    })
}

/// Returns the document, in the form that [`parse`] reads.
pub(crate) fn document(redaction: &Redaction) -> Value {
    let rules = redaction.rules.iter().map(|rule| {
        let mut shown = json!({
            "name": rule.name, "pointers": rule.pointers, "action": action_name(rule.action),
        });
        if let Some(label) = &rule.label {
            shown["label"] = label.as_str().into();
        }
        shown
    });
    json!({
        "rules": rules.collect::<Vec<_>>(),
        "secrets": match redaction.detection {
            Detection::Off => "off",
            Detection::Report => "report",
            Detection::Mask => "mask",
        },
        "detectors": redaction.detectors.iter().map(|detector| detector.name()).collect::<Vec<_>>(),
    })
}

fn action_name(action: Action) -> &'static str {
    match action {
        Action::Drop => "drop",
        Action::Mask => "mask",
        Action::Hmac => "hmac",
    }
}

struct Reader<'a> {
    document: &'a Map<String, Value>,
    violations: Vec<Violation>,
}

impl Reader<'_> {
    fn refuse(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        self.violations.push(Violation::new(pointer, detail));
    }

    fn unknown(&mut self, at: &str, members: &Map<String, Value>, known: &[&str]) {
        for name in members.keys().filter(|name| !known.contains(&name.as_str())) {
            let shown = &name[..name.floor_char_boundary(64)];
            let detail = format!("there is no member \"{shown}\"; known are {}", known.join(", "));
            self.refuse(format!("{at}/{shown}"), detail);
        }
    }

    fn redaction(&mut self) -> Redaction {
        self.unknown("", self.document, &["rules", "secrets", "detectors"]);
        let detection = match self.document.get("secrets").map(|value| value.as_str()) {
            None | Some(Some("off")) => Detection::Off,
            Some(Some("report")) => Detection::Report,
            Some(Some("mask")) => Detection::Mask,
            Some(_) => {
                self.refuse("/secrets", "must be off, report or mask");
                Detection::Off
            }
        };
        Redaction { rules: self.rules(), detection, detectors: self.detectors() }
    }

    fn detectors(&mut self) -> Vec<Detector> {
        let names = match self.document.get("detectors") {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Array(names)) => names,
            Some(_) => {
                self.refuse("/detectors", "must be an array of names");
                return Vec::new();
            }
        };
        let mut detectors = Vec::new();
        for (at, name) in names.iter().enumerate() {
            match name.as_str().and_then(Detector::named) {
                Some(detector) if !detectors.contains(&detector) => detectors.push(detector),
                Some(_) => {}
                None => {
                    let known = Detector::ALL.map(Detector::name).join(", ");
                    self.refuse(format!("/detectors/{at}"), format!("must be one of {known}"));
                }
            }
        }
        detectors
    }

    fn rules(&mut self) -> Vec<Rule> {
        let rules = match self.document.get("rules") {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Array(rules)) if rules.len() <= RULES_MAX => rules,
            Some(_) => {
                self.refuse("/rules", format!("must be an array of at most {RULES_MAX} objects"));
                return Vec::new();
            }
        };
        let rules = rules.iter().enumerate().filter_map(|(at, rule)| self.rule(at, rule));
        rules.collect()
    }

    fn rule(&mut self, at: usize, rule: &Value) -> Option<Rule> {
        let at = format!("/rules/{at}");
        let Some(members) = rule.as_object() else {
            self.refuse(at, "must be an object");
            return None;
        };
        self.unknown(&at, members, &["name", "pointers", "label", "action"]);
        let name = name_of(members, "name");
        if name.is_none() {
            let detail = format!("must be a string of 1 to {NAME_BYTES_MAX} bytes");
            self.refuse(format!("{at}/name"), detail);
        }
        let label = members.get("label").filter(|value| !value.is_null());
        let label = label.and_then(|_| {
            let label = name_of(members, "label");
            if label.is_none() {
                let detail = format!("must be a string of 1 to {NAME_BYTES_MAX} bytes");
                self.refuse(format!("{at}/label"), detail);
            }
            label
        });
        let action = match members.get("action").and_then(Value::as_str) {
            Some("drop") => Some(Action::Drop),
            Some("mask") => Some(Action::Mask),
            Some("hmac") => Some(Action::Hmac),
            _ => {
                self.refuse(format!("{at}/action"), "must be drop, mask or hmac");
                None
            }
        };
        let pointers = self.pointers(&at, members.get("pointers").unwrap_or(&Value::Null));
        if pointers.is_empty() && !members.contains_key("label") {
            self.refuse(at, "give \"pointers\", \"label\" or both");
        }
        Some(Rule { name: name?, pointers, label, action: action? })
    }

    fn pointers(&mut self, at: &str, value: &Value) -> Vec<String> {
        let pointers = match value {
            Value::Null => return Vec::new(),
            Value::Array(pointers) if pointers.len() <= POINTERS_MAX => pointers,
            _ => {
                let detail = format!("must be an array of at most {POINTERS_MAX} JSON pointers");
                self.refuse(format!("{at}/pointers"), detail);
                return Vec::new();
            }
        };
        let mut read = Vec::new();
        for (number, pointer) in pointers.iter().enumerate() {
            let place = format!("{at}/pointers/{number}");
            match pointer.as_str() {
                Some(text) if redact::is_fixed(text) => {
                    let detail = format!("{text} says what happened and stays as it is");
                    self.refuse(place, detail);
                }
                Some(text)
                    if text.len() >= 2
                        && text.starts_with('/')
                        && text.len() <= POINTER_BYTES_MAX =>
                {
                    read.push(text.to_owned());
                }
                _ => self.refuse(
                    place,
                    "must be a JSON pointer such as /context/ip; * is any one segment",
                ),
            }
        }
        read
    }
}

fn name_of(members: &Map<String, Value>, name: &str) -> Option<String> {
    let text = members.get(name)?.as_str()?;
    (1..=NAME_BYTES_MAX).contains(&text.len()).then(|| text.to_owned())
}

/// The redactions that rule a tenant's events, those of the environment first.
pub(crate) type Ruling = Vec<Arc<Redaction>>;

impl Service {
    /// Redacts an event that passed all checks. Costs nothing where no redaction is set.
    pub(crate) fn redact(&self, environment: &EnvironmentId, accepted: &mut Accepted) {
        let ruling = self.govern().redactions(environment, &accepted.tenant);
        if ruling.is_empty() {
            return;
        }
        let places: Vec<&Redaction> = ruling.iter().map(|place| &**place).collect();
        let key = self.token_key(environment, &accepted.tenant);
        let redacted = redact::apply(&places, &accepted.body, &accepted.fields, &key);
        for hit in &redacted.hits {
            let outcome = if hit.redacted { "redacted" } else { "reported" };
            metrics::counter!("attestary_redaction_hits_total", "outcome" => outcome).increment(1);
        }
        if let Some(body) = redacted.body {
            accepted.fields = Fields::of_stored(&body);
            accepted.body = body;
        }
    }

    /// Returns the key of a tenant's tokens: the same value has another token elsewhere.
    fn token_key(&self, environment: &EnvironmentId, tenant: &TenantId) -> TokenKey {
        let place =
            format!("tokens of redaction {} {environment} {tenant}", environment.as_str().len());
        TokenKey::new(&self.vault().derive(&place))
    }

    /// Returns the redaction set for an environment or a tenant; that of the environment rules its tenants too.
    pub async fn redaction(
        &self,
        caller: &Caller,
        tenant: Option<&str>,
    ) -> Result<Value, ReadError> {
        self.permit(caller, Scope::Admin, "redaction.get")?;
        let (environment, tenant) = self.place(caller, tenant)?;
        let act = Act::new(action::VIEW, "redaction.get");
        self.record(caller, on(act, tenant.as_ref())).await.map_err(ReadError::Audit)?;
        let own = self.govern().own_redaction(&environment, tenant.as_ref());
        Ok(document(&own.unwrap_or_default()))
    }

    /// Sets the redaction of an environment or a tenant; `None` takes it away. Events of before stay as they are.
    pub async fn set_redaction(
        &self,
        caller: &Caller,
        tenant: Option<&str>,
        next: Option<&Map<String, Value>>,
    ) -> Result<Value, ChangeError> {
        let operation = if next.is_some() { "redaction.set" } else { "redaction.unset" };
        self.permit(caller, Scope::Admin, operation)?;
        let (environment, tenant) = self.place(caller, tenant)?;
        let next = next.map(parse).transpose().map_err(ChangeError::Invalid)?;
        let _turn = self.govern().turn().await;
        let before = self.govern().own_redaction(&environment, tenant.as_ref());
        let after = document(next.as_ref().unwrap_or(&Redaction::default()));
        let act = Act::new(action::POLICY, operation).changed(
            "redaction",
            document(&before.unwrap_or_default()).to_string(),
            after.to_string(),
        );
        self.record(caller, on(act, tenant.as_ref())).await.map_err(ChangeError::Audit)?;
        let row = PolicyRow {
            kind: REDACTION.to_owned(),
            environment: environment.clone(),
            tenant: tenant.clone(),
            document: after.to_string(),
            changed_ms: self.clock().now_ms(),
            changed_by: caller.principal.id().to_owned(),
        };
        let set = next.is_some();
        let change = move |catalog: &Catalog| {
            if set {
                return catalog.put_policy(&row);
            }
            catalog.delete_policy(REDACTION, &row.environment, row.tenant.as_ref()).map(drop)
        };
        self.catalog(change).await.map_err(change_error)?;
        self.govern().set_redaction((environment, tenant), next);
        Ok(after)
    }

    /// Returns the token that stands in a tenant's log for a value, so that the value can be searched for. The record
    /// of the look-up names the token and not the value.
    pub async fn redaction_token(
        &self,
        caller: &Caller,
        tenant: &str,
        value: &str,
    ) -> Result<String, ReadError> {
        self.permit(caller, Scope::Admin, "redaction.lookup")?;
        let tenant = self.visible(caller, tenant)?;
        if !(1..=VALUE_BYTES_MAX).contains(&value.len()) {
            let detail = format!("must have 1 to {VALUE_BYTES_MAX} bytes");
            return Err(ReadError::Invalid(vec![Violation::new("/value", detail)]));
        }
        let token = self.token_key(caller.environment()?, &tenant).token(value);
        let act = Act::new(action::VIEW, "redaction.lookup")
            .on("tenant", tenant.as_str())
            .with("token", token.as_str());
        self.record(caller, act).await.map_err(ReadError::Audit)?;
        Ok(token)
    }

    /// Shows what a redaction, proposed or in force, does to an event or would have done to the tenant's newest ones.
    pub async fn preview_redaction(
        &self,
        caller: &Caller,
        tenant: &str,
        proposed: Option<&Map<String, Value>>,
        event: Option<&Map<String, Value>>,
    ) -> Result<RedactionPreview, ReadError> {
        self.permit(caller, Scope::Admin, "redaction.preview")?;
        let tenant = self.visible(caller, tenant)?;
        let environment = caller.environment()?.clone();
        let ruling = match proposed {
            Some(document) => vec![Arc::new(parse(document).map_err(ReadError::Invalid)?)],
            None => self.govern().redactions(&environment, &tenant),
        };
        let key = self.token_key(&environment, &tenant);
        let bodies = match event {
            Some(event) => vec![Value::Object(event.clone()).to_string().into_bytes()],
            None => newest(self.store(), &environment, &tenant).await?,
        };
        let shown = event.is_some();
        let worker = self.runtime().spawn_blocking(move || attempt(&ruling, &bodies, &key, shown));
        let preview = worker.await.map_err(|error| ReadError::Unavailable(cause(error)))?;
        let act = Act::new(action::VIEW, "redaction.preview")
            .on("tenant", tenant.as_str())
            .with("result_count", preview.redacted);
        self.record(caller, act).await.map_err(ReadError::Audit)?;
        Ok(preview)
    }
}

/// Returns the bodies of the newest events that applications submitted.
async fn newest(
    store: &Store,
    environment: &EnvironmentId,
    tenant: &TenantId,
) -> Result<Vec<Vec<u8>>, ReadError> {
    let Some(log) = store.log(environment, tenant) else { return Ok(Vec::new()) };
    let from = log.size.saturating_sub(SAMPLE_EVENTS as u64);
    let events = store.read(environment, tenant, from, SAMPLE_EVENTS, SAMPLE_BYTES).await;
    let events = events.map_err(|error| ReadError::Unavailable(cause(error)))?;
    let own = |flags: u16| flags & attestary_event::Event::SERVICE != 0;
    Ok(events.iter().filter(|event| !own(event.flags)).map(|event| event.body.to_vec()).collect())
}

/// CPU work.
fn attempt(
    ruling: &[Arc<Redaction>],
    bodies: &[Vec<u8>],
    key: &TokenKey,
    shown: bool,
) -> RedactionPreview {
    let places: Vec<&Redaction> = ruling.iter().map(|place| &**place).collect();
    let mut by: BTreeMap<String, (u64, Vec<String>)> = BTreeMap::new();
    let mut preview =
        RedactionPreview { event: None, events: bodies.len(), redacted: 0, hits: Vec::new() };
    for body in bodies {
        let fields = Fields::of_stored(body);
        let redacted = redact::apply(&places, body, &fields, key);
        preview.redacted += usize::from(redacted.body.is_some());
        for Hit { pointer, by: name, .. } in redacted.hits {
            let (count, pointers) = by.entry(name).or_default();
            *count += 1;
            if pointers.len() < POINTERS_SHOWN && !pointers.contains(&pointer) {
                pointers.push(pointer);
            }
        }
        if shown {
            let after = redacted.body.as_deref().unwrap_or(body);
            preview.event = serde_json::from_slice(after).ok();
        }
    }
    preview.hits = by.into_iter().map(|(name, (count, at))| (name, count, at)).collect();
    preview
}

fn on(act: Act, tenant: Option<&TenantId>) -> Act {
    match tenant {
        Some(tenant) => act.on("tenant", tenant.as_str()),
        None => act,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointers(value: Value) -> Vec<String> {
        let read = parse(value.as_object().unwrap());
        read.err().unwrap_or_default().into_iter().map(|violation| violation.pointer).collect()
    }

    #[test]
    fn documents_are_read_and_written() {
        let value = json!({
            "rules": [
                { "name": "mail", "pointers": ["/actor/email", "/targets/*/email"], "action": "hmac" },
                { "name": "health", "pointers": [], "label": "phi", "action": "drop" },
            ],
            "secrets": "mask", "detectors": ["card", "jwt"],
        });
        let read = parse(value.as_object().unwrap()).unwrap();
        assert_eq!(document(&read), value);
        assert_eq!(restored(&value.to_string()).unwrap(), read);
        assert!(!document(&read).to_string().contains(redact::MASK));
    }

    #[test]
    fn every_mistake_is_named() {
        let check = |value: Value, expected: &[&str]| {
            assert_eq!(pointers(value.clone()), expected, "{value}");
        };
        check(json!({}), &[]);
        check(json!({ "rule": [], "secrets": true }), &["/rule", "/secrets"]);
        check(json!({ "rules": {}, "detectors": ["cards"] }), &["/rules", "/detectors/0"]);
        check(
            json!({ "rules": [1, { "name": "", "action": "hide", "pointers": ["x", "/action", "/labels/0"] }] }),
            &[
                "/rules/0",
                "/rules/1/name",
                "/rules/1/action",
                "/rules/1/pointers/0",
                "/rules/1/pointers/1",
                "/rules/1/pointers/2",
                "/rules/1",
            ],
        );
        check(json!({ "rules": [{ "name": "a", "action": "drop" }] }), &["/rules/0"]);
        check(
            json!({ "rules": [{ "name": "a", "action": "drop", "label": 7 }] }),
            &["/rules/0/label"],
        );
    }
}
