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
    recovery::{Recovered, recover},
    repartition,
    sealer::Sealer,
    signer::{self, Signer, SignerHandle},
    upkeep,
    world::World,
    writer::{Gauge, Writer},
};
use crate::{
    catalog::{Catalog, CatalogError, Installation, Loaded},
    id_filter::IdFilter,
    journal::JournalError,
    partition::Partition,
    placement::{PARTITIONS_MAX, Placement},
    seam::{Clock, Rng},
    segment::{CacheLimits, SegmentError, Segments, id_runs::IdRuns},
    signing::{
        Signing,
        register::{FileRegister, RegisterError},
    },
};

/// Submissions that may wait; their bytes have a bound of their own.
const QUEUE_MESSAGES: usize = 8 * 1024;
/// Heads of the logs of all partitions are fixed in one register, the first partition's.
pub(super) const REGISTER: u32 = 0;

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
    /// A number of partitions that no store has.
    #[error("a store has 1 to {PARTITIONS_MAX} partitions; given: {given}")]
    Partitions {
        /// What was asked for.
        given: u32,
    },
    /// The number of partitions cannot be changed over damage.
    #[error(
        "acknowledged events are damaged: {from} partitions cannot become {to}; start with {from} and run a check"
    )]
    Damaged {
        /// The present number.
        from: u32,
        /// What was asked for.
        to: u32,
    },
    /// The number of partitions cannot be changed because not everything can be sealed.
    #[error("{from} partitions cannot become {to}: not everything can be sealed")]
    Repartition {
        /// The present number.
        from: u32,
        /// What was asked for.
        to: u32,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A journal is where a new partition would begin its own.
    #[error("{path} is the journal of no partition: move it away")]
    Stranger {
        /// Where it is.
        path: PathBuf,
    },
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
        let base =
            Base { settings, world, catalog: Arc::new(catalog), segments: Arc::new(segments) };
        let loaded = repartition::settle(&base, loaded)?;
        let recovered = recover(&base, loaded)?;
        Ok(Self(Arc::new(start(base, recovered, directory)?)))
    }
}

/// What everything else is opened with.
pub(super) struct Base {
    pub(super) settings: Settings,
    pub(super) world: World,
    pub(super) catalog: Arc<Catalog>,
    pub(super) segments: Arc<Segments>,
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

fn start(base: Base, recovered: Recovered, directory: File) -> Result<Inner, OpenError> {
    let Base { settings, world, catalog, segments } = base;
    let Recovered { mut partitions, view } = recovered;
    let gauge = Arc::<Gauge>::default();
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
    let (senders, queues): (Vec<_>, Vec<_>) =
        partitions.iter().map(|_| mpsc::sync_channel(QUEUE_MESSAGES)).unzip();
    let senders: Arc<[_]> = senders.into();
    // One seal of each at a time: there is a place for every one of them, so no partition waits here.
    let (sealer_sender, seals) = mpsc::sync_channel(partitions.len());
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
        world: world.clone(),
        catalog: Arc::clone(&catalog),
        segments: Arc::clone(&segments),
        view: Arc::clone(&view),
        ids: Arc::clone(&ids),
        manifest: Arc::clone(&manifest),
        sealed: sealed_sender,
    };
    let nodes = Arc::new(NodeCache::default());
    let register_dir = settings.register();
    let anchor_log = catalog.anchor_log().map_err(OpenError::Catalog)?;
    let anchor_log = anchor_log.map(|row| row.log_id);
    let anchor_origin = epochs::anchor_origin(&world.log_name, anchor_log.as_deref());
    let anchor_register =
        FileRegister::of_anchor(register_dir.clone()).map_err(OpenError::Register)?;
    let register = FileRegister::open(register_dir, REGISTER).map_err(OpenError::Register)?;
    let owner_epoch = partitions[REGISTER as usize].journal().position().owner_epoch;
    let local = signer::CatalogHeads { catalog: Arc::clone(&catalog), partition: REGISTER };
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
        signing: Signing::new(local, register, REGISTER, owner_epoch),
        catalog: Arc::clone(&catalog),
        segments: Arc::clone(&segments),
        view: Arc::clone(&view),
        nodes: Arc::clone(&nodes),
        state: signer_state,
        partitions: Arc::clone(&senders),
        clock: Arc::clone(&world.clock),
        every: settings.signing_every,
        unproved: hashbrown::HashMap::new(),
        ready: false,
    };
    let states: Vec<_> = partitions.iter().map(Partition::state).collect();
    signer.load(&states).map_err(OpenError::Catalog)?;
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
    let placement = Placement::over(partitions.len() as u32);
    let mut threads = Vec::new();
    for ((number, partition), queue) in (0..).zip(partitions).zip(queues) {
        let writer = Writer {
            number,
            partitions: placement.partitions(),
            partition,
            backlog: Backlog::default(),
            world: world.clone(),
            settings: settings.clone(),
            view: Arc::clone(&view),
            gauge: Arc::clone(&gauge),
            sealer: sealer_sender.clone(),
            sealing: false,
            oldest_unsealed: (view.live(number).events > 0).then(|| world.clock.monotonic()),
            waiting: vec![],
        };
        let name = format!("partition {number}");
        threads.push(named(&name).spawn(move || writer.run(&queue)).map_err(failed)?);
    }
    // The sealer ends when the partitions have.
    drop(sealer_sender);
    let sealed_by = Arc::clone(&senders);
    threads.extend([
        named("sealer").spawn(move || sealer.run(&seals, &sealed_by)).map_err(failed)?,
        named("ids").spawn(move || restorer.run()).map_err(failed)?,
        named("merger").spawn(move || compactor.run(&sealed)).map_err(failed)?,
        named("signer").spawn(move || signer.run(&demands)).map_err(failed)?,
        named("upkeep").spawn(move || keeper.run()).map_err(failed)?,
    ]);
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
        placement,
        partitions: senders,
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
