//! Destinations: where a tenant's log is sent. Made, changed and watched here; delivered by `attestary-delivery`.
//!
//! A destination is a cursor over its tenant's log. What a person configured, the encrypted secrets and the delivery
//! state lie in the catalog; one task per destination runs from the service's start to its close. A secret is shown
//! once, in the reply that made it, and never read back.
//!
//! Who made it decides what it may be: keys of the whole environment make operator's destinations (every type),
//! keys limited to tenants make tenant's destinations (nothing unencrypted, nothing on this machine).

mod blueprints;
mod checks;
mod families;
mod notes;
pub(crate) mod ports;
mod preview;
mod quarantine;
mod receipt;
mod replays;
mod rotate;
mod running;
mod view;

use attestary_delivery::destination::webhook::Scheme;
use attestary_delivery::{
    DestinationId, Guard, ManagedBy, Secrets, SigningSecret, Spec, Start, State,
};
use attestary_event::{EnvironmentId, TenantId, Timestamp};
use attestary_store::catalog::{DestinationRow, Opaque};
use serde_json::Value;
use zeroize::Zeroizing;

pub use blueprints::Blueprint;
pub use families::EventFamily;
pub use preview::Preview;
pub use quarantine::QuarantinedEvent;
pub use receipt::{ContiguityReceipt, LogComparison};
pub use replays::{NewReplay, Replay, ReplayEdge};
pub use rotate::Rotated;
pub(crate) use running::Running;
pub use view::{Destination, DestinationAttempt};

use crate::{
    AccessError, Caller, ChangeError, ReadError, Scope, Secret, Service,
    audit::{Act, action},
    error::cause,
    keys::change_error,
};

/// Destinations of one tenant.
const DESTINATIONS_MAX: usize = 20;
/// Attempts that one list shows.
const ATTEMPTS_MAX: usize = 100;

/// What a new destination is made from, as in the API.
#[derive(Debug, Clone, Default)]
pub struct NewDestination {
    /// For people.
    pub name: String,
    /// A type of docs/reference/destinations.md: `syslog`, `splunk` …
    pub kind: String,
    /// Of that type; may hold secrets, which are taken out of it.
    pub config: Value,
    /// `{"type": …}`; JSON when absent.
    pub format: Option<Value>,
    /// Text in the filter language; empty selects every event.
    pub filter: String,
    /// Limits of its batches; the usual ones when absent.
    pub batch: Option<Value>,
    /// The least time between two checkpoints in its stream, in seconds; none when absent or 0.
    pub checkpoint_seconds: Option<u64>,
    /// `"now"`, `"beginning"`, a seq or a time; now when absent.
    pub start: Value,
}

/// What of a destination is to be changed.
#[derive(Debug, Clone, Default)]
pub struct DestinationChange {
    /// New name.
    pub name: Option<String>,
    /// New configuration of the same type, whole.
    pub config: Option<Value>,
    /// New format.
    pub format: Option<Value>,
    /// New filter; holds from the cursor on.
    pub filter: Option<String>,
    /// New limits of its batches, whole.
    pub batch: Option<Value>,
    /// New time between checkpoints, in seconds; 0 for none.
    pub checkpoint_seconds: Option<u64>,
}

/// A destination that was just made.
#[derive(Debug)]
pub struct Created {
    /// The destination.
    pub destination: Destination,
    /// The generated signing secret, for webhooks; shown this once.
    pub secret: Option<Secret>,
}

impl Service {
    /// Makes a destination and starts it.
    pub async fn create_destination(
        &self,
        caller: &Caller,
        tenant: &str,
        new: NewDestination,
    ) -> Result<Created, ChangeError> {
        self.permit(caller, Scope::Destinations, "destination.create")?;
        let tenant = self.visible(caller, tenant)?;
        let environment = caller.environment()?.clone();
        let draft = self.check_new(caller, &environment, &tenant, &new)?;
        let _turn = self.destinations().turn().await;
        if self.rows_of_tenant(&environment, &tenant).await?.len() >= DESTINATIONS_MAX {
            let reason = format!("a tenant has at most {DESTINATIONS_MAX} destinations");
            return Err(ChangeError::Conflict { reason });
        }
        let cursor = self.start_seq(&environment, &tenant, draft.start).await?;
        let state = State::new(cursor, Timestamp(self.clock().now_ms() as i64));
        let (spec, secrets) = (draft.spec, draft.secrets);
        let act = act("destination.create", &spec)
            .changed("config", (), shown(&spec))
            .with("start", cursor);
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        let row = self.row(&spec, &secrets, &state, self.clock().now_ms());
        let saved = row.clone();
        self.catalog(move |catalog| catalog.create_destination(&saved))
            .await
            .map_err(change_error)?;
        let secret = shared(secrets.signing.first());
        self.run_destination(spec, secrets, state)?;
        Ok(Created { destination: self.shown_destination(&row)?, secret })
    }

    /// Lists a tenant's destinations by id.
    pub async fn list_destinations(
        &self,
        caller: &Caller,
        tenant: &str,
    ) -> Result<Vec<Destination>, ReadError> {
        self.permit(caller, Scope::Destinations, "destination.list")?;
        let tenant = self.visible(caller, tenant)?;
        let rows = self.rows_of_tenant(caller.environment()?, &tenant).await.map_err(as_read)?;
        let shown =
            rows.iter().map(|row| self.shown_destination(row)).collect::<Result<Vec<_>, _>>();
        let shown = shown.map_err(as_read)?;
        self.recorded_view(caller, "destination.list", &tenant, shown.len()).await?;
        Ok(shown)
    }

    /// Returns one destination and how it fares.
    pub async fn destination(
        &self,
        caller: &Caller,
        tenant: &str,
        id: &str,
    ) -> Result<Destination, ReadError> {
        self.permit(caller, Scope::Destinations, "destination.get")?;
        let tenant = self.visible(caller, tenant)?;
        let row = self.own_row(caller, &tenant, id).await.map_err(as_read)?;
        self.recorded_view(caller, "destination.get", &tenant, 1).await?;
        self.shown_destination(&row).map_err(as_read)
    }

    /// Changes a destination; the change holds from the cursor on.
    pub async fn change_destination(
        &self,
        caller: &Caller,
        tenant: &str,
        id: &str,
        change: DestinationChange,
    ) -> Result<Destination, ChangeError> {
        self.permit(caller, Scope::Destinations, "destination.change")?;
        let tenant = self.visible(caller, tenant)?;
        let _turn = self.destinations().turn().await;
        let row = self.changeable_row(caller, &tenant, id).await?;
        let (before, secrets) = self.restored(&row)?;
        let (spec, secrets) = self.check_change(&before, secrets, change)?;
        let act = act("destination.change", &spec).changed("config", shown(&before), shown(&spec));
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        let changed = self.save_change(&row, spec, secrets).await?;
        self.shown_destination(&changed)
    }

    /// Saves changed settings and hands them over to what runs; returns the new row.
    async fn save_change(
        &self,
        row: &DestinationRow,
        spec: Spec,
        secrets: Secrets,
    ) -> Result<DestinationRow, ChangeError> {
        let state =
            State::from_json(&row.state).map_err(|error| ChangeError::Unavailable(cause(error)))?;
        let changed = DestinationRow {
            created_ms: row.created_ms,
            ..self.row(&spec, &secrets, &state, self.clock().now_ms())
        };
        let saved = changed.clone();
        self.catalog(move |catalog| catalog.update_destination(&saved))
            .await
            .map_err(change_error)?;
        self.hand_over(&row.id, spec, secrets).await?;
        self.restart_replays(&changed).await?;
        Ok(changed)
    }

    /// Pauses a destination, or starts it again from its cursor.
    pub async fn set_destination_paused(
        &self,
        caller: &Caller,
        tenant: &str,
        id: &str,
        paused: bool,
    ) -> Result<Destination, ChangeError> {
        let operation = if paused { "destination.pause" } else { "destination.resume" };
        self.permit(caller, Scope::Destinations, operation)?;
        let tenant = self.visible(caller, tenant)?;
        let _turn = self.destinations().turn().await;
        let row = self.changeable_row(caller, &tenant, id).await?;
        let act = Act::new(action::DESTINATION, operation)
            .on("destination", id)
            .on("tenant", tenant.as_str());
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        let handle = self.destinations().handle(id).ok_or(AccessError::NotFound)?;
        let done =
            if paused { handle.pause("paused by a person").await } else { handle.resume().await };
        done.map_err(|error| ChangeError::Unavailable(cause(error)))?;
        self.set_replays_paused(id, paused).await?;
        self.shown_destination(&row)
    }

    /// Stops and removes a destination.
    pub async fn delete_destination(
        &self,
        caller: &Caller,
        tenant: &str,
        id: &str,
    ) -> Result<(), ChangeError> {
        self.permit(caller, Scope::Destinations, "destination.delete")?;
        let tenant = self.visible(caller, tenant)?;
        let _turn = self.destinations().turn().await;
        self.changeable_row(caller, &tenant, id).await?;
        let act = Act::new(action::DESTINATION, "destination.delete")
            .on("destination", id)
            .on("tenant", tenant.as_str());
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        self.remove_destination(id).await
    }

    /// Sends one synthetic event and returns what came of it.
    pub async fn test_destination(
        &self,
        caller: &Caller,
        tenant: &str,
        id: &str,
    ) -> Result<DestinationAttempt, ChangeError> {
        self.permit(caller, Scope::Destinations, "destination.test")?;
        let tenant = self.visible(caller, tenant)?;
        self.changeable_row(caller, &tenant, id).await?;
        let act = Act::new(action::DESTINATION, "destination.test")
            .on("destination", id)
            .on("tenant", tenant.as_str());
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        let handle = self.destinations().handle(id).ok_or(AccessError::NotFound)?;
        let attempt =
            handle.test().await.map_err(|error| ChangeError::Unavailable(cause(error)))?;
        Ok(DestinationAttempt(attempt))
    }

    /// Lists the newest attempts, newest first.
    pub async fn destination_attempts(
        &self,
        caller: &Caller,
        tenant: &str,
        id: &str,
    ) -> Result<Vec<DestinationAttempt>, ReadError> {
        self.permit(caller, Scope::Destinations, "destination.attempts")?;
        let tenant = self.visible(caller, tenant)?;
        self.own_row(caller, &tenant, id).await.map_err(as_read)?;
        let id = id.to_owned();
        let rows = self.catalog(move |catalog| catalog.attempts(&id, ATTEMPTS_MAX)).await;
        let rows = rows.map_err(|error| ReadError::Unavailable(cause(error)))?;
        self.recorded_view(caller, "destination.attempts", &tenant, rows.len()).await?;
        Ok(rows
            .iter()
            .filter_map(|row| serde_json::from_str(&row.detail).ok().map(DestinationAttempt))
            .collect())
    }

    async fn recorded_view(
        &self,
        caller: &Caller,
        operation: &'static str,
        tenant: &TenantId,
        results: usize,
    ) -> Result<(), ReadError> {
        let act = Act::new(action::VIEW, operation)
            .on("tenant", tenant.as_str())
            .with("result_count", results);
        self.record(caller, act).await.map_err(ReadError::Audit)
    }

    async fn rows_of_tenant(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
    ) -> Result<Vec<DestinationRow>, ChangeError> {
        let (environment, tenant) = (environment.clone(), tenant.clone());
        self.catalog(move |catalog| catalog.destinations_of(&environment, &tenant))
            .await
            .map_err(change_error)
    }

    async fn own_row(
        &self,
        caller: &Caller,
        tenant: &TenantId,
        id: &str,
    ) -> Result<DestinationRow, ChangeError> {
        let id = DestinationId::parse(id).ok_or(AccessError::NotFound)?;
        let row = self
            .catalog(move |catalog| catalog.destination(id.as_str()))
            .await
            .map_err(change_error)?;
        let environment = caller.environment()?;
        let own = row.filter(|row| row.environment == *environment && row.tenant == *tenant);
        own.ok_or(AccessError::NotFound.into())
    }

    /// What operators made is theirs to change.
    async fn changeable_row(
        &self,
        caller: &Caller,
        tenant: &TenantId,
        id: &str,
    ) -> Result<DestinationRow, ChangeError> {
        let row = self.own_row(caller, tenant, id).await?;
        if caller.tenants().is_some()
            && row.managed_by == attestary_store::catalog::ManagedBy::Operator
        {
            let reason = "this destination is managed by the operator; a key limited to tenants cannot change it".into();
            return Err(ChangeError::Conflict { reason });
        }
        Ok(row)
    }

    fn guard(&self) -> Guard {
        // One policy for all of them: it holds the operator's lists.
        let made = || Guard::system(self.settings().outbound.clone());
        self.destinations().guard.get_or_init(made).clone()
    }

    fn destination_id(&self) -> DestinationId {
        let mut random = [0; 10];
        self.rng().fill(&mut random);
        DestinationId::new(self.clock().now_ms(), random)
    }

    fn signing_secret(&self, scheme: Scheme) -> SigningSecret {
        let mut random = Zeroizing::new([0; 32]);
        self.rng().fill(&mut *random);
        match scheme {
            Scheme::V1 => SigningSecret::new(*random),
            Scheme::V1a => SigningSecret::new_pair(*random),
        }
    }

    /// Returns the seq at which a new destination starts.
    async fn start_seq(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        start: Start,
    ) -> Result<u64, ChangeError> {
        let size = self.store().log(environment, tenant).ok_or(AccessError::NotFound)?.size;
        match start {
            Start::Now => Ok(size),
            Start::Beginning => Ok(0),
            Start::Seq(seq) if seq <= size => Ok(seq),
            Start::Seq(seq) => Err(ChangeError::invalid(
                "/start",
                format!("the log ends at seq {size}; {seq} lies behind its end"),
            )),
            Start::Time(time) => self.first_received(environment, tenant, time, size).await,
        }
    }

    /// Finds the first event received at or after a time; times never decrease within a log, so halving finds it.
    async fn first_received(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        time: Timestamp,
        size: u64,
    ) -> Result<u64, ChangeError> {
        let (mut low, mut high) = (0, size);
        while low < high {
            let middle = low.midpoint(high);
            let events = self.store().read(environment, tenant, middle, 1, 1).await;
            let events = events.map_err(|error| ChangeError::Unavailable(cause(error)))?;
            match events.first() {
                Some(event) if event.received_at < time => low = event.seq + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    fn row(&self, spec: &Spec, secrets: &Secrets, state: &State, now_ms: u64) -> DestinationRow {
        let plain = Zeroizing::new(serde_json::to_vec(secrets).expect("secrets are texts"));
        let sealed = self.vault().seal(&plain, spec.id.as_str(), self.rng());
        DestinationRow {
            id: spec.id.to_string(),
            environment: spec.environment.clone(),
            tenant: spec.tenant.clone(),
            name: spec.name.clone(),
            kind: spec.destination.kind().to_owned(),
            config: serde_json::to_string(&spec.destination).expect("a configuration is JSON"),
            format: serde_json::to_string(&spec.format).expect("a format is JSON"),
            filter: spec.filter.to_string(),
            batch: serde_json::to_string(&spec.batch).expect("numbers are JSON"),
            checkpoint_seconds: spec.checkpoint_seconds,
            secrets: Some(Opaque(sealed)),
            managed_by: match spec.managed_by {
                ManagedBy::Operator => attestary_store::catalog::ManagedBy::Operator,
                ManagedBy::Tenant => attestary_store::catalog::ManagedBy::Tenant,
            },
            created_ms: now_ms,
            changed_ms: now_ms,
            state: state.to_json(),
        }
    }
}

/// Returns a secret for the one reply that shows it; a private key is never shown.
fn shared(secret: Option<&SigningSecret>) -> Option<Secret> {
    let secret = secret.filter(|secret| secret.public_key().is_none())?;
    Some(Secret::new(secret.danger_reveal().to_owned()))
}

fn act(operation: &'static str, spec: &Spec) -> Act {
    Act::new(action::DESTINATION, operation)
        .on("destination", spec.id.as_str())
        .on("tenant", spec.tenant.as_str())
}

/// What the audit event says about a destination: settings without secrets, as text because they nest.
fn shown(spec: &Spec) -> String {
    let config = serde_json::to_value(&spec.destination).unwrap_or_default();
    let format = serde_json::to_value(&spec.format).unwrap_or_default();
    let text = serde_json::json!({
        "name": spec.name, "destination": config, "format": format, "filter": spec.filter.to_string(),
        "batch": spec.batch, "checkpoint_seconds": spec.checkpoint_seconds,
    });
    text.to_string()
}

fn as_read(error: ChangeError) -> ReadError {
    match error {
        ChangeError::Access(error) => error.into(),
        other => ReadError::Unavailable(cause(other)),
    }
}
