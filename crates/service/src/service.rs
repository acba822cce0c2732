//! The service as a whole: opening, the parts that use cases share, background work, closing.

use std::{
    io,
    path::Path,
    sync::{Arc, Weak},
    time::Duration,
};

use attestary_event::{EnvironmentId, Limits, TenantId, intake::DigestKey};
use attestary_store::{
    Clock, Rng, Store,
    catalog::{Catalog, KeyRow},
    exports::ExportFiles,
};
use tokio::{sync::Semaphore, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Caller, Components, CursorKey, NewKey, OpenError, Scope, Settings,
    actions::Schemas,
    alerts,
    anchors::Anchors,
    audit::Coalescer,
    caller::SYSTEM,
    destinations::Running,
    directory::Directory,
    error::cause,
    exports,
    govern::Govern,
    keys::KeyIndex,
    rates::Limiter,
    seats::{LogName, Seats},
    sessions::Sessions,
    sources::Switches,
    submit::Counters,
    tail::Tails,
    usage::Usage,
    vault::{self, Vault},
    work,
};

/// Name of the file that holds the first operator key.
const OPERATOR_FILE: &str = "operator.key";
/// How often the last uses of keys are saved.
const KEY_USES_EVERY: Duration = Duration::from_mins(1);

/// Searches and look-ups at the same time, and those of one tenant: each takes up to a second of a processor.
const READS_MAX: usize = 32;
const READS_EACH_MAX: usize = 8;
/// Counts at the same time, and those of one tenant: two leave a processor to intake on the smallest machine, and
/// 70 MB bound their tables.
const COUNTS_MAX: usize = 2;
const COUNTS_EACH_MAX: usize = 1;

/// The use cases over one data directory; clones share it.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

struct Inner {
    store: Store,
    settings: Settings,
    components: Components,
    vault: Vault,
    digest_key: DigestKey,
    cursor_key: CursorKey,
    line_key: [u8; 32],
    link_key: [u8; 32],
    export_files: ExportFiles,
    exports: exports::Running,
    keys: KeyIndex,
    sessions: Sessions,
    directory: Directory,
    switches: Switches,
    schemas: Schemas,
    coalescer: Coalescer,
    limiter: Limiter,
    usage: Usage,
    reads: Seats<LogName>,
    counts: Seats<LogName>,
    workers: Seats<String>,
    govern: Govern,
    anchors: Anchors,
    tails: Arc<Tails>,
    counters: Counters,
    key_turn: Semaphore,
    destinations: Running,
    alerts: alerts::Running,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

/// The service, not held.
#[derive(Clone)]
pub(crate) struct WeakService(Weak<Inner>);

impl WeakService {
    pub(crate) fn upgrade(&self) -> Option<Service> {
        self.0.upgrade().map(Service)
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Service")
    }
}

impl Service {
    /// Opens the data directory, recovers, and starts deliveries. On the first start it writes an operator key to
    /// the file `operator.key`, readable by its owner only.
    pub async fn open(settings: Settings, components: Components) -> Result<Self, OpenError> {
        let blocking = components.runtime.spawn_blocking({
            let (settings, components) = (settings.clone(), components.clone());
            move || Inner::open(settings, components)
        });
        let inner = blocking.await.map_err(|error| OpenError::Store(cause(error)))??;
        let service = Self(Arc::new(inner));
        service.open_own_logs().await?;
        service.make_first_operator_key().await?;
        service.switch_installation().await?;
        service.announce_incarnations().await.map_err(|error| OpenError::Catalog(cause(error)))?;
        service.replay_erasures().await.map_err(|error| OpenError::Catalog(cause(error)))?;
        service.start_destinations().await?;
        service.start_alerts().await?;
        service.start_exports().await?;
        service.start_usage();
        service.start_background();
        service.start_governance();
        service.start_anchors().await.map_err(OpenError::Catalog)?;
        Ok(service)
    }

    /// Stops deliveries and background work, saves what is known, and closes the store.
    pub async fn close(&self) {
        self.0.stopping.cancel();
        self.0.tasks.close();
        self.stop_destinations().await;
        self.0.tasks.wait().await;
        self.save_key_uses().await;
        self.save_usage().await;
        self.0.store.close().await;
    }

    /// Returns the service for those whom it holds.
    pub(crate) fn downgrade(&self) -> WeakService {
        WeakService(Arc::downgrade(&self.0))
    }

    /// Returns true when events can be made durable now.
    pub fn is_ready(&self) -> bool {
        self.0.store.health().writable && !self.0.stopping.is_cancelled()
    }

    /// Returns the store, for its figures.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Returns the limits on events and batches.
    pub fn limits(&self) -> &Limits {
        &self.0.settings.limits
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.0.components.clock
    }

    pub(crate) fn rng(&self) -> &dyn Rng {
        &*self.0.components.rng
    }

    pub(crate) fn components(&self) -> &Components {
        &self.0.components
    }

    pub(crate) fn runtime(&self) -> &tokio::runtime::Handle {
        &self.0.components.runtime
    }

    pub(crate) fn vault(&self) -> &Vault {
        &self.0.vault
    }

    pub(crate) fn digest_key(&self) -> &DigestKey {
        &self.0.digest_key
    }

    pub(crate) fn cursor_key(&self) -> &CursorKey {
        &self.0.cursor_key
    }

    pub(crate) fn line_key(&self) -> &[u8; 32] {
        &self.0.line_key
    }

    pub(crate) fn link_key(&self) -> &[u8; 32] {
        &self.0.link_key
    }

    pub(crate) fn export_files(&self) -> &ExportFiles {
        &self.0.export_files
    }

    pub(crate) fn exports_running(&self) -> &exports::Running {
        &self.0.exports
    }

    pub(crate) fn keys(&self) -> &KeyIndex {
        &self.0.keys
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.0.directory
    }

    /// Returns the schemas of actions.
    pub(crate) fn schemas(&self) -> &Schemas {
        &self.0.schemas
    }

    /// Returns the switches of the doors.
    pub(crate) fn switches(&self) -> &Switches {
        &self.0.switches
    }

    pub(crate) fn coalescer(&self) -> &Coalescer {
        &self.0.coalescer
    }

    pub(crate) fn govern(&self) -> &Govern {
        &self.0.govern
    }

    pub(crate) fn anchors(&self) -> &Anchors {
        &self.0.anchors
    }

    pub(crate) fn limiter(&self) -> &Limiter {
        &self.0.limiter
    }

    /// Counts of what keys and tenants used.
    pub(crate) fn usage_counts(&self) -> &Usage {
        &self.0.usage
    }

    /// Searches and look-ups.
    pub(crate) fn reads(&self) -> &Seats<LogName> {
        &self.0.reads
    }

    /// Checking of bodies, by key.
    pub(crate) fn workers(&self) -> &Seats<String> {
        &self.0.workers
    }

    /// Histograms and facets.
    pub(crate) fn counts(&self) -> &Seats<LogName> {
        &self.0.counts
    }

    pub(crate) fn tails(&self) -> &Arc<Tails> {
        &self.0.tails
    }

    pub(crate) fn alerts(&self) -> &alerts::Running {
        &self.0.alerts
    }

    /// Runs a task that ends when the service closes, which it learns from the token.
    pub(crate) fn spawn<F: Future<Output = ()> + Send + 'static>(
        &self,
        task: impl FnOnce(CancellationToken) -> F,
    ) {
        self.0.tasks.spawn_on(task(self.0.stopping.clone()), self.runtime());
    }

    /// Runs a task that ends when the service closes or the returned token is cancelled.
    pub(crate) fn spawn_stoppable<F: Future<Output = ()> + Send + 'static>(
        &self,
        task: impl FnOnce(CancellationToken) -> F,
    ) -> (CancellationToken, JoinHandle<()>) {
        let stop = self.0.stopping.child_token();
        (stop.clone(), self.0.tasks.spawn_on(task(stop), self.runtime()))
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    /// Whoever changes key epochs of logs waits for its turn.
    pub(crate) fn key_turn(&self) -> &Semaphore {
        &self.0.key_turn
    }

    pub(crate) fn destinations(&self) -> &Running {
        &self.0.destinations
    }

    /// Runs a catalog call on a blocking thread.
    pub(crate) async fn catalog<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Catalog) -> T + Send + 'static,
    ) -> T {
        self.0.store.catalog().run(call).await
    }

    /// The audit logs are there before anything can be recorded in them.
    async fn open_own_logs(&self) -> Result<(), OpenError> {
        let own = std::iter::once(EnvironmentId::restored(SYSTEM));
        let environments =
            self.directory().environments().into_iter().map(|environment| environment.name);
        for environment in own.chain(environments) {
            let opened = self.0.store.open_log(&environment, &TenantId::audit()).await;
            opened.map_err(|error| OpenError::Audit(cause(error)))?;
        }
        Ok(())
    }

    /// Operators cannot be made by anyone but operators, so the first one comes from here.
    async fn make_first_operator_key(&self) -> Result<(), OpenError> {
        if self.keys().has_operator() {
            return Ok(());
        }
        let new = NewKey {
            name: "first operator key".into(),
            scopes: vec![Scope::Operator, Scope::Admin, Scope::Destinations],
            ..NewKey::default()
        };
        let created = self.create_key(&Caller::installation_itself(), new).await;
        let created = created.map_err(|error| OpenError::Audit(cause(error)))?;
        let path = self.0.settings.store.dir.join(OPERATOR_FILE);
        let text = zeroize::Zeroizing::new(format!("{}\n", created.secret.reveal()));
        if let Err(source) = replace_private(&path, text.as_bytes()) {
            // Without its file nobody knows the key: the next start must make another one.
            let _ = self.revoke_key(&Caller::installation_itself(), &created.key.id).await;
            return Err(OpenError::OperatorKey(source));
        }
        Ok(())
    }

    fn start_background(&self) {
        let service = self.clone();
        let stopping = self.0.stopping.clone();
        self.0.tasks.spawn_on(
            async move {
                while !waited(&stopping, KEY_USES_EVERY).await {
                    service.save_key_uses().await;
                    service.limiter().forget_idle();
                }
            },
            self.runtime(),
        );
    }
}

impl Inner {
    fn open(settings: Settings, components: Components) -> Result<Self, OpenError> {
        let store =
            Store::open(settings.store.clone(), components.clock.clone(), components.rng.clone());
        let store = store.map_err(|error| OpenError::Store(cause(error)))?;
        let vault = Vault::open(&settings.store.dir, &settings.master_key, &*components.rng)?;
        let catalog = store.catalog();
        let keys: Vec<KeyRow> = catalog.keys().map_err(|error| OpenError::Catalog(cause(error)))?;
        let environments =
            catalog.environments().map_err(|error| OpenError::Catalog(cause(error)))?;
        let tenants = catalog.all_tenants().map_err(|error| OpenError::Catalog(cause(error)))?;
        let schemas = catalog.action_schemas().map_err(|error| OpenError::Catalog(cause(error)))?;
        let modes = catalog.action_modes().map_err(|error| OpenError::Catalog(cause(error)))?;
        let sources = catalog.sources().map_err(|error| OpenError::Catalog(cause(error)))?;
        let policies = catalog.policies().map_err(|error| OpenError::Catalog(cause(error)))?;
        let usage = Usage::restored(catalog, components.clock.now_ms())
            .map_err(|error| OpenError::Catalog(cause(error)))?;
        Ok(Self {
            govern: Govern::restored(policies).map_err(|error| OpenError::Catalog(cause(error)))?,
            digest_key: DigestKey::new(&vault.derive("digest of submissions")),
            cursor_key: CursorKey::new(&vault.derive("page cursors")),
            line_key: vault.derive("ids of imported lines"),
            link_key: vault.derive("links to exports"),
            export_files: ExportFiles::open(&settings.store.dir).map_err(OpenError::Directory)?,
            exports: exports::Running::new(&settings.exports),
            keys: KeyIndex::restored(keys),
            sessions: Sessions::default(),
            directory: Directory::restored(environments, tenants),
            switches: Switches::restored(sources),
            schemas: Schemas::restored(schemas, modes),
            coalescer: Coalescer::new(),
            usage,
            limiter: Limiter::new(&settings.rates, settings.limits.batch_events_max),
            reads: Seats::new(READS_MAX, READS_EACH_MAX),
            counts: Seats::new(COUNTS_MAX, COUNTS_EACH_MAX),
            workers: work::seats(),
            anchors: Anchors::default(),
            tails: Arc::default(),
            counters: Counters::new(),
            key_turn: Semaphore::new(1),
            destinations: Running::default(),
            alerts: alerts::Running::default(),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
            store,
            settings,
            components,
            vault,
        })
    }
}

/// Returns true when `stopping` came before the time was over.
pub(crate) async fn waited(stopping: &CancellationToken, time: Duration) -> bool {
    tokio::time::timeout(time, stopping.cancelled()).await.is_ok()
}

/// A file of an earlier start whose key is no longer valid makes room.
fn replace_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    vault::write_private(path, bytes)
}
