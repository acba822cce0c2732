//! Opening a data directory: lock, catalog, recovery, threads.

use std::{
    fs::{self, File},
    io,
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool, mpsc},
};

use attestary_event::id::ulid;

use super::{
    Inner, Settings, Store,
    compactor::Compactor,
    epochs::{self, EpochState, Epochs},
    flow::Backlog,
    ids,
    nodes::NodeCache,
    sealer::Sealer,
    signer::{self, Signer, SignerHandle},
    upkeep,
    view::View,
    world::World,
    writer::{Gauge, Writer},
};
use crate::{
    catalog::{Catalog, CatalogError, Installation, Loaded},
    disk::RealDisk,
    id_filter::IdFilter,
    journal::{JournalError, Position},
    partition::{Nonce as _, Partition},
    seam::{Clock, Rng},
    segment::{CacheLimits, SegmentError, Segments, id_runs::IdRuns},
    signing::{
        Signing,
        register::{FileRegister, RegisterError},
    },
    state::State,
};

/// Submissions that may wait; their bytes have a bound of their own.
const QUEUE_MESSAGES: usize = 8 * 1024;
/// The one partition there is until more are configured.
pub(super) const PARTITION: u32 = 0;

/// Why a data directory cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A directory or file cannot be made or read.
    #[error("cannot use the data directory {path}")]
    Directory {
        /// Which one.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Another process has it open.
    #[error("the data directory {path} is in use by another process")]
    Locked {
        /// Which one.
        path: PathBuf,
    },
    /// The catalog cannot be read.
    #[error("cannot read the catalog")]
    Catalog(#[source] CatalogError),
    /// The segments cannot be reached.
    #[error("cannot reach the segments")]
    Segments(#[source] SegmentError),
    /// The segments are elsewhere.
    #[error(
        "segment {path} is not where segments are configured to be: were they somewhere else before?"
    )]
    Elsewhere {
        /// The first segment that is not there.
        path: String,
    },
    /// The journal cannot be recovered.
    #[error("cannot recover the journal")]
    Journal(#[source] JournalError),
    /// The head register cannot be reached.
    #[error("cannot reach the head register")]
    Register(#[source] RegisterError),
}

impl Store {
    /// Opens `settings.dir`, creating it when it is missing, and recovers. Blocks: call it before serving.
    pub fn open(
        settings: Settings,
        clock: Arc<dyn Clock>,
        rng: Arc<dyn Rng>,
    ) -> Result<Self, OpenError> {
        let directory = lock(&settings)?;
        let catalog =
            Catalog::open(&settings.dir.join("catalog.sqlite")).map_err(OpenError::Catalog)?;
        catalog.verify().map_err(OpenError::Catalog)?;
        let mut world = World { clock, rng, log_name: String::new() };
        let loaded = load(&catalog, &settings, &world).map_err(OpenError::Catalog)?;
        let installation = loaded.installation.as_ref();
        world.log_name = installation.map_or(settings.log_name.clone(), |i| i.log_name.clone());
        let segments =
            Segments::configured(&settings.dir, settings.objects.as_ref(), CacheLimits::default())
                .map_err(OpenError::Segments)?;
        let path = settings.dir.join("ids");
        let runs = IdRuns::open(&path, world.random())
            .map_err(|source| OpenError::Directory { path, source })?;
        runs.keep(loaded.manifest.segments.iter().map(|meta| meta.id.as_str()));
        let segments = segments.with_id_runs(runs);
        if settings.objects.is_some() {
            check_place(&segments, &loaded)?;
        }
        collect_garbage(&catalog, &segments, &loaded.intents);

        let position =
            loaded.positions.get(&PARTITION).map_or(Position::default(), |at| Position {
                generation: at.generation,
                offset: at.offset,
                batch: at.batch,
                owner_epoch: at.owner_epoch,
            });
        let state = State::restore(&world.log_name, loaded.next_slot, loaded.heads);
        let path = settings.dir.join("journal").join(format!("{PARTITION:04}"));
        let disk =
            RealDisk::new(path.clone()).map_err(|source| OpenError::Directory { path, source })?;
        let nonce = world.nonce();
        let (partition, replayed) = Partition::recover(
            disk,
            PARTITION,
            settings.journal_file_bytes,
            position,
            state,
            nonce,
        )
        .map_err(OpenError::Journal)?;
        report_damage(partition.state());
        let view = Arc::new(View::new(partition.state(), loaded.manifest, replayed));
        Ok(Self(Arc::new(start(settings, world, catalog, segments, view, partition, directory)?)))
    }
}

fn lock(settings: &Settings) -> Result<File, OpenError> {
    let path = settings.dir.join("lock");
    let failed = |source| OpenError::Directory { path: settings.dir.clone(), source };
    for part in ["segments", "journal"] {
        fs::create_dir_all(settings.dir.join(part)).map_err(failed)?;
    }
    let file =
        File::options().create(true).truncate(false).write(true).open(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(OpenError::Locked { path: settings.dir.clone() }),
        Err(fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}

fn load(catalog: &Catalog, settings: &Settings, world: &World) -> Result<Loaded, CatalogError> {
    let loaded = catalog.load()?;
    if loaded.installation.is_some() {
        return Ok(loaded);
    }
    let created_ms = world.clock.now_ms();
    let id = ulid(created_ms, world.random());
    catalog.install(&Installation { id, log_name: settings.log_name.clone(), created_ms })?;
    catalog.load()
}

/// Refuses a store without any of the segments: it is the wrong one. One that does not answer now may do so later.
fn check_place(segments: &Segments, loaded: &Loaded) -> Result<(), OpenError> {
    const LOOKED_AT: usize = 3;
    let mut missing = None;
    for meta in loaded.manifest.segments.iter().rev().take(LOOKED_AT) {
        match segments.has(&meta.path) {
            Ok(false) => missing = Some(meta.path.clone()),
            Ok(true) => return Ok(()),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "the object store does not answer");
                return Ok(());
            }
        }
    }
    missing.map_or(Ok(()), |path| Err(OpenError::Elsewhere { path }))
}

/// Deletes what crashes left behind, by name: announced objects that were never committed, and objects of
/// segments that were removed. Failing is no reason not to start.
fn collect_garbage(catalog: &Catalog, segments: &Segments, intents: &[String]) {
    let collected = catalog.tombstones().map(|tombstones| {
        let paths = intents.iter().cloned().chain(tombstones);
        paths.filter(|path| segments.delete(path).is_ok()).collect::<Vec<_>>()
    });
    if let Err(error) = segments.sweep() {
        tracing::warn!(%error, "unfinished segment files were not deleted");
    }
    if let Err(error) = collected.and_then(|gone| catalog.forget_paths(&gone)) {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "left-over segments were not deleted"
        );
    }
}

fn report_damage(state: &State) {
    if state.read_only() {
        tracing::error!(
            "whole journal batches are damaged: the store is read only; run a check of the data directory"
        );
    }
    for (slot, log) in state.logs().filter(|(_, log)| !log.damaged.is_empty()) {
        tracing::error!(
            environment = %log.environment, tenant.id = %log.tenant, slot, seqs = ?log.damaged,
            "acknowledged events are damaged: the tenant's log is read only from there on"
        );
    }
}

fn start(
    settings: Settings,
    world: World,
    catalog: Catalog,
    segments: Segments,
    view: Arc<View>,
    mut partition: Partition<RealDisk>,
    directory: File,
) -> Result<Inner, OpenError> {
    let (catalog, segments, gauge) =
        (Arc::new(catalog), Arc::new(segments), Arc::new(Gauge::default()));
    let manifest = Arc::new(parking_lot::Mutex::new(()));
    let sealed_events: u64 = view.manifest().segments.iter().map(|segment| segment.events).sum();
    let known_ids = usize::try_from(sealed_events).unwrap_or(usize::MAX);
    let ids = Arc::new(IdFilter::new(settings.dedupe_ids_max, known_ids, segments.id_hasher()));
    let stop = Arc::new(AtomicBool::new(false));
    let restorer = ids::Restorer {
        view: Arc::clone(&view),
        segments: Arc::clone(&segments),
        ids: Arc::clone(&ids),
        stop: Arc::clone(&stop),
    };
    let (sender, queue) = mpsc::sync_channel(QUEUE_MESSAGES);
    // One seal at a time: the second place is never used, so the partition never waits here.
    let (sealer_sender, seals) = mpsc::sync_channel(1);
    let (sealed_sender, sealed) = mpsc::sync_channel(1);
    let compactor = Compactor {
        world: world.clone(),
        catalog: Arc::clone(&catalog),
        segments: Arc::clone(&segments),
        view: Arc::clone(&view),
        manifest: Arc::clone(&manifest),
        stop: Arc::clone(&stop),
        fan_in: settings.merge_runs,
    };
    let sealer = Sealer {
        number: PARTITION,
        world: world.clone(),
        catalog: Arc::clone(&catalog),
        segments: Arc::clone(&segments),
        view: Arc::clone(&view),
        ids: Arc::clone(&ids),
        manifest: Arc::clone(&manifest),
        partition: sender.clone(),
        sealed: sealed_sender,
    };
    let nodes = Arc::new(NodeCache::default());
    let register_dir = settings.register();
    let anchor_log = catalog.anchor_log().map_err(OpenError::Catalog)?;
    let anchor_log = anchor_log.map(|row| row.log_id);
    let anchor_origin = epochs::anchor_origin(&world.log_name, anchor_log.as_deref());
    let anchor_register =
        FileRegister::of_anchor(register_dir.clone()).map_err(OpenError::Register)?;
    let register = FileRegister::open(register_dir, PARTITION).map_err(OpenError::Register)?;
    let owner_epoch = partition.journal().position().owner_epoch;
    let local = signer::CatalogHeads { catalog: Arc::clone(&catalog), partition: PARTITION };
    let (signer_handle, signer_state, demands) = SignerHandle::new();
    let epoch_state = Arc::<EpochState>::default();
    let mut signer = Signer {
        epochs: Epochs::new(
            &catalog,
            anchor_register,
            owner_epoch,
            Arc::clone(&epoch_state),
            world.log_name.clone(),
        ),
        signing: Signing::new(local, register, PARTITION, owner_epoch),
        catalog: Arc::clone(&catalog),
        segments: Arc::clone(&segments),
        view: Arc::clone(&view),
        nodes: Arc::clone(&nodes),
        state: signer_state,
        partition: sender.clone(),
        clock: Arc::clone(&world.clock),
        every: settings.signing_every,
        unproved: hashbrown::HashMap::new(),
        ready: false,
    };
    signer.load(partition.state()).map_err(OpenError::Catalog)?;
    let oldest_unsealed = (view.live().0 > 0).then(|| world.clock.monotonic());
    let writer = Writer {
        partition,
        backlog: Backlog::default(),
        world: world.clone(),
        settings: settings.clone(),
        view: Arc::clone(&view),
        gauge: Arc::clone(&gauge),
        sealer: sealer_sender,
        sealing: false,
        oldest_unsealed,
        waiting: vec![],
        failure: None,
    };
    let found = Arc::new(upkeep::Found::default());
    let keeper = upkeep::Keeper {
        settings: settings.clone(),
        clock: Arc::clone(&world.clock),
        catalog: Arc::clone(&catalog),
        segments: Arc::clone(&segments),
        view: Arc::clone(&view),
        found: Arc::clone(&found),
        stop: Arc::clone(&stop),
    };
    let failed = |source| OpenError::Directory { path: settings.dir.clone(), source };
    let named = |name: &str| std::thread::Builder::new().name(name.to_owned());
    let threads = vec![
        named("partition").spawn(move || writer.run(&queue)).map_err(failed)?,
        named("sealer").spawn(move || sealer.run(&seals)).map_err(failed)?,
        named("ids").spawn(move || restorer.run()).map_err(failed)?,
        named("merger").spawn(move || compactor.run(&sealed)).map_err(failed)?,
        named("signer").spawn(move || signer.run(&demands)).map_err(failed)?,
        named("upkeep").spawn(move || keeper.run()).map_err(failed)?,
    ];
    let threads = parking_lot::Mutex::new(threads);
    Ok(Inner {
        settings,
        world,
        catalog,
        segments,
        view,
        ids,
        gauge,
        found,
        partition: sender,
        manifest,
        nodes,
        epochs: epoch_state,
        signer: signer_handle,
        anchor_origin,
        owner_epoch,
        stop,
        threads,
        _directory: directory,
    })
}
