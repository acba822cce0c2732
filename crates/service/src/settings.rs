//! What a service is made from: values ([`Settings`]) and working parts ([`Components`]).

use std::{path::PathBuf, sync::Arc, time::Duration};

use attestary_delivery::{Output, Policy};
use attestary_event::Limits;
use attestary_formats::intake::otlp::Names;
use attestary_store::{Clock, Rng};

use crate::{AnchorSettings, ExportSettings, MasterKey, Rates};

/// Values, read and checked by the caller.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The store's own settings; its directory also holds the master key and the first operator key.
    pub store: attestary_store::Settings,
    /// Where the master key comes from, which encrypts secrets and from which the logs' signing keys are derived.
    pub master_key: MasterKey,
    /// Limits on submitted events and batches.
    pub limits: Limits,
    /// How fast keys and tenants may submit.
    pub rates: Rates,
    /// What destinations may reach.
    pub outbound: Policy,
    /// Root of `file` destinations; their files lie under `<root>/<environment>/<tenant>/`.
    pub file_root: Option<PathBuf>,
    /// Limits on exports.
    pub exports: ExportSettings,
    /// Epochs and who anchors them.
    pub anchors: AnchorSettings,
    /// How long a request may wait for its events to become durable.
    pub answer_time_max: Duration,
    /// No door takes events: an installation with `NOAUDITLOG`.
    pub audit_off: bool,
    /// Which OpenTelemetry log records become events.
    pub otlp_events: Names,
}

impl Settings {
    /// Returns the documented defaults for a data directory.
    pub fn new(data_dir: PathBuf) -> Self {
        Self {
            file_root: Some(data_dir.join("files")),
            store: attestary_store::Settings::new(data_dir),
            master_key: MasterKey::default(),
            limits: Limits::default(),
            rates: Rates::default(),
            outbound: Policy::default(),
            exports: ExportSettings::default(),
            anchors: AnchorSettings::default(),
            answer_time_max: Duration::from_secs(20),
            audit_off: false,
            otlp_events: Names::default(),
        }
    }
}

/// Working parts, handed over so that tests can replace them.
#[derive(Clone)]
pub struct Components {
    /// The wall clock and the monotonic clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness for ids, keys, salts.
    pub rng: Arc<dyn Rng>,
    /// Where `stdout` destinations write.
    pub output: Arc<dyn Output>,
    /// Where background work runs.
    pub runtime: tokio::runtime::Handle,
}

impl std::fmt::Debug for Components {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Components")
    }
}
