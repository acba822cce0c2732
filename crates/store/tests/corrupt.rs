//! Single-byte corruption of a small store: each byte of each file, three ways.
//!
//! For every mutation: a check names damage, or everything that the store serves is what it was. The store opens, and
//! what it serves is right or refused, never wrong, and an id that comes again is known or refused. The short form takes
//! a sample; `ATTESTARY_CORRUPT_STEP=1` takes every byte, with one of the three changes in turn or, with
//! `ATTESTARY_CORRUPT_WAYS=3`, with each of them. `ATTESTARY_CORRUPT_SHARE=2/4` takes the second of every four mutations:
//! several processes get further than as many threads, which share SQLite's locks.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "the harness reads its extent from the environment and fails where it stands"
)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use attestary_event::{EnvironmentId, EventId, Fields, TenantId};
use attestary_store::{
    Outcome, Settings, Store, SystemClock, SystemRng, check,
    record::{Parts, Prepared},
};

/// Every how many bytes without `ATTESTARY_CORRUPT_STEP`: prime, so that a sample meets every alignment.
const STEP: usize = 997;
const MUTATIONS: [u8; 3] = [0x01, 0x80, 0xff];
const TENANTS: [&str; 3] = ["acme", "globex", "initech"];

fn environment() -> EnvironmentId {
    EnvironmentId::parse("production").unwrap()
}

fn settings(dir: &Path) -> Settings {
    let mut settings = Settings::new(dir.to_owned());
    settings.journal_file_bytes = 40 << 10;
    settings.scrub_bytes_per_second = 0;
    settings.reserve_bytes = 0;
    settings
}

fn open(dir: &Path) -> Result<Store, attestary_store::OpenError> {
    Store::open(settings(dir), Arc::new(SystemClock::default()), Arc::new(SystemRng::default()))
}

fn event(number: u64) -> Prepared {
    let tenant = TENANTS[(number % TENANTS.len() as u64) as usize];
    let note = format!("{:x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).repeat(12);
    let body = format!(
        "{{\"action\":\"doc.read\",\"actor\":{{\"type\":\"user\",\"id\":\"u{number}\"}},\"description\":\"{note}\"}}"
    );
    Prepared::new(Parts {
        environment: environment(),
        tenant: TenantId::parse(tenant).unwrap(),
        id: EventId(u128::from(number).to_be_bytes()),
        client_id: true,
        service: false,
        seed: [number as u8; 16],
        digest: [3; 16],
        occurred_ms: number.cast_signed(),
        severity: 3,
        fields: &Fields::of_stored(body.as_bytes()),
        body: body.as_bytes(),
    })
}

/// (tenant, seq) → body and leaf hash. `None`: refused as damaged.
type Served = BTreeMap<(String, u64), Option<(Vec<u8>, [u8; 32])>>;

async fn make(dir: &Path) {
    let store = open(dir).unwrap();
    for part in 0..3u64 {
        store.submit((part * 60..part * 60 + 60).map(event).collect()).await.unwrap();
        if part < 2 {
            store.seal().await;
        }
    }
    store.close().await;
    drop(store);
    // Most of the tables hold a row or none: with the usual pages of 4 KiB, nine bytes in ten would be free space.
    let catalog = rusqlite::Connection::open(dir.join("catalog.sqlite")).unwrap();
    let repack = "PRAGMA journal_mode = DELETE; PRAGMA page_size = 512; VACUUM;";
    catalog.execute_batch(repack).unwrap();
}

/// Everything that a store serves: all at once, and event by event where that fails.
async fn serve(store: &Store) -> Served {
    let mut served = Served::new();
    for tenant in TENANTS {
        let id = TenantId::parse(tenant).unwrap();
        let Some(log) = store.log(&environment(), &id) else { continue };
        let all = store.read(&environment(), &id, 0, 10_000, usize::MAX).await;
        let whole = all.ok().filter(|events| events.len() as u64 == log.size);
        for seq in 0..log.size {
            let event = match &whole {
                Some(events) => Some(events[seq as usize].clone()),
                None => {
                    let read = store.read(&environment(), &id, seq, 1, usize::MAX).await;
                    read.ok().and_then(|mut events| events.pop()).filter(|event| event.seq == seq)
                }
            };
            let facts = event.map(|event| (event.body.to_vec(), event.leaf_hash));
            served.insert((tenant.to_owned(), seq), facts);
        }
    }
    served
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(path) = open.pop() {
        for entry in fs::read_dir(&path).unwrap() {
            let path = entry.unwrap().path();
            // The head register is not data: what it guards is shown by the tests of signing.
            if path.is_dir() && path.file_name() != Some("register".as_ref()) {
                open.push(path);
            } else if path.is_dir() {
            } else if fs::metadata(&path).unwrap().len() > 0 {
                found.push(path.strip_prefix(dir).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    for part in ["segments", "journal/0000", "ids"] {
        fs::create_dir_all(to.join(part)).unwrap();
    }
    for file in files(from).into_iter().chain(["lock".into()]) {
        fs::copy(from.join(&file), to.join(&file)).unwrap();
    }
}

/// What one kind of file came to.
#[derive(Debug, Default)]
struct Tally {
    mutations: u64,
    detected: u64,
    irrelevant: u64,
    refused_to_open: u64,
    /// Largest number of events that one byte cost.
    worst: usize,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.mutations += other.mutations;
        self.detected += other.detected;
        self.irrelevant += other.irrelevant;
        self.refused_to_open += other.refused_to_open;
        self.worst = self.worst.max(other.worst);
    }
}

/// One changed byte.
struct Mutation {
    file: usize,
    at: usize,
    mask: u8,
}

fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// This process's share of the mutations: (which, of how many), counted from 0.
fn share() -> (usize, usize) {
    let text = std::env::var("ATTESTARY_CORRUPT_SHARE").unwrap_or_else(|_| "1/1".to_owned());
    let (which, of) = text.split_once('/').unwrap();
    let (which, of): (usize, usize) = (which.parse().unwrap(), of.parse().unwrap());
    assert!((1..=of).contains(&which), "ATTESTARY_CORRUPT_SHARE={text}");
    (which - 1, of)
}

/// Every `step`-th byte of every file: with one of the three changes in turn, or with `ways` of them.
fn mutations(sizes: &[usize], step: usize, ways: usize) -> Vec<Mutation> {
    let mut all = Vec::new();
    for (file, &size) in sizes.iter().enumerate() {
        for (turn, at) in (0..size).step_by(step).enumerate() {
            let masks = (turn..turn + ways).map(|way| MUTATIONS[way % MUTATIONS.len()]);
            all.extend(masks.map(|mask| Mutation { file, at, mask }));
        }
    }
    all
}

/// The store that is damaged, and what it serves while it is sound.
struct Sound {
    dir: PathBuf,
    files: Vec<(PathBuf, Vec<u8>)>,
    expected: Served,
}

/// What became of the mutations, by kind of file; and what went wrong.
type Verdicts = (BTreeMap<String, Tally>, Vec<String>);

#[test]
fn no_changed_byte_is_served_as_intact() {
    let step = number("ATTESTARY_CORRUPT_STEP", STEP);
    let ways = number("ATTESTARY_CORRUPT_WAYS", 1).clamp(1, MUTATIONS.len());
    // In memory, where there is one: nothing here is about durability.
    let root = match fs::metadata("/dev/shm") {
        Ok(_) => tempfile::tempdir_in("/dev/shm").unwrap(),
        Err(_) => tempfile::tempdir().unwrap(),
    };
    let sound = Sound::make(root.path());
    let sizes: Vec<usize> = sound.files.iter().map(|(_, bytes)| bytes.len()).collect();
    let (which, of) = share();
    let all: Vec<_> = mutations(&sizes, step, ways).into_iter().skip(which).step_by(of).collect();
    let next = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let (tallies, mut faults) = std::thread::scope(|scope| {
        let work = |worker: usize| root.path().join(format!("work{worker}"));
        let started = (0..workers).map(|worker| {
            let (sound, all, next, work) = (&sound, &all, &next, work(worker));
            scope.spawn(move || sound.judge_all(all, next, &work))
        });
        let started: Vec<_> = started.collect();
        let mut verdicts = Verdicts::default();
        for worker in started {
            let (tallies, faults) = worker.join().unwrap();
            for (kind, tally) in tallies {
                verdicts.0.entry(kind).or_default().add(&tally);
            }
            verdicts.1.extend(faults);
        }
        verdicts
    });
    for (kind, tally) in &tallies {
        println!("{kind}: {tally:?}");
    }
    faults.truncate(20);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(tallies["journal"].detected > 0 && tallies["segments"].detected > 0);
    // One record of the journal; one batch where its table or header is hit.
    assert!(tallies["journal"].worst <= 60);
    // What is kept of ids beside the segments can be made again.
    assert_eq!((tallies["ids"].detected, tallies["ids"].worst), (0, 0));
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

impl Sound {
    fn make(root: &Path) -> Self {
        let (dir, work, runtime) = (root.join("sound"), root.join("first"), runtime());
        runtime.block_on(make(&dir));
        copy(&dir, &work);
        let expected = runtime.block_on(async {
            let store = open(&work).unwrap();
            let served = serve(&store).await;
            store.close().await;
            served
        });
        assert_eq!(expected.len(), 183);
        assert!(expected.values().all(Option::is_some));
        let read = |file: PathBuf| (file.clone(), fs::read(dir.join(file)).unwrap());
        let files = files(&dir).into_iter().map(read).collect();
        Self { dir, files, expected }
    }

    fn judge_all(&self, all: &[Mutation], next: &AtomicUsize, work: &Path) -> Verdicts {
        let (mut verdicts, runtime) = (Verdicts::default(), runtime());
        while let Some(mutation) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (file, bytes) = &self.files[mutation.file];
            let kind = file.components().next().unwrap().as_os_str().to_string_lossy();
            copy(&self.dir, work);
            let mut changed = bytes.clone();
            changed[mutation.at] ^= mutation.mask;
            fs::write(work.join(file), &changed).unwrap();
            let tally = verdicts.0.entry(kind.into_owned()).or_default();
            if let Err(fault) = judge(&runtime, work, &self.expected, tally) {
                let Mutation { at, mask, .. } = mutation;
                verdicts.1.push(format!("{} byte {at} ^ {mask:#x}: {fault}", file.display()));
            }
        }
        verdicts
    }
}

fn judge(
    runtime: &tokio::runtime::Runtime,
    work: &Path,
    expected: &Served,
    tally: &mut Tally,
) -> Result<(), String> {
    tally.mutations += 1;
    let detected = match check::check(work, None, &mut |_| {}) {
        Ok(report) => !report.is_clean(),
        Err(_) => true,
    };
    tally.detected += u64::from(detected);
    let served = runtime.block_on(async {
        let store = open(work).map_err(|error| error.to_string())?;
        let served = serve(&store).await;
        // The first event of all, which is sealed.
        let again = store.submit(vec![event(0)]).await;
        store.close().await;
        Ok::<_, String>((served, again))
    });
    let (served, again) = match served {
        Ok(served) => served,
        Err(error) => {
            tally.refused_to_open += 1;
            return if detected { Ok(()) } else { Err(format!("not detected, and {error}")) };
        }
    };
    match again.map(|outcomes| outcomes.into_iter().next()) {
        Ok(Some(Outcome::Duplicate(receipt))) if receipt.seq == 1 => {}
        _ if detected => {}
        other => return Err(format!("an id that came again was answered with {other:?}")),
    }
    let mut lost = 0;
    for (place, facts) in expected {
        match served.get(place) {
            Some(Some(found)) if Some(found) == facts.as_ref() => {}
            Some(Some(_)) => return Err(format!("{place:?} is served and wrong")),
            Some(None) | None => lost += 1,
        }
    }
    if let Some(place) = served.keys().find(|place| !expected.contains_key(*place)) {
        return Err(format!("{place:?} was never accepted"));
    }
    if !detected && lost > 0 {
        return Err(format!("{lost} events are gone and nothing was detected"));
    }
    tally.irrelevant += u64::from(!detected);
    tally.worst = tally.worst.max(lost);
    Ok(())
}
