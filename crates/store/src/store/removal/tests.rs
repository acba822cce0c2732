//! Removals: what must go is nowhere, what must stay stays, proofs keep, wherever the process is stopped.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use arrow_array::{RecordBatch, cast::AsArray as _};
use attestary_event::{EnvironmentId, TenantId};
use attestary_ledger::{Frontier, Hash};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;
use crate::{
    Settings, SystemClock, SystemRng,
    record::{Parts, Prepared},
    segment::EventRows,
};

type Reached = Box<dyn FnMut(&str)>;

thread_local! {
    static REACHED: RefCell<Option<Reached>> = const { RefCell::new(None) };
}

/// Called at every named point of a rewrite.
pub(in crate::store) fn reached(name: &str) {
    REACHED.with_borrow_mut(|reached| {
        if let Some(reached) = reached {
            reached(name);
        }
    });
}

/// Runs `f` and calls `reached` at every named point of it.
pub(in crate::store) fn during<T>(reached: impl FnMut(&str) + 'static, f: impl FnOnce() -> T) -> T {
    REACHED.set(Some(Box::new(reached)));
    let done = f();
    REACHED.set(None);
    done
}

const SECRET: &str = "alice-the-secret@example.com";
const EVENTS: u64 = 40;

struct World {
    runtime: tokio::runtime::Runtime,
    dir: tempfile::TempDir,
    store: Store,
}

fn open(dir: &Path) -> Store {
    open_over(dir, None)
}

fn open_over(dir: &Path, partitions: Option<u32>) -> Store {
    let mut settings = Settings::new(dir.to_owned());
    settings.journal_file_bytes = 1 << 20;
    settings.partitions = partitions;
    Store::open(settings, Arc::new(SystemClock::default()), Arc::new(SystemRng::default())).unwrap()
}

fn environment() -> EnvironmentId {
    EnvironmentId::parse("test").unwrap()
}

fn tenant(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

/// Events 1 to [`EVENTS`] of "acme" and "beta"; those of "acme" whose number is a multiple of 3, but for 12, hold the secret.
fn event(tenant_name: &str, number: u64) -> Prepared {
    let who = match (tenant_name, number % 3) {
        ("acme", 0) if number != 12 => SECRET.to_owned(),
        _ => format!("person-{number}@example.com"),
    };
    let body = format!(
        "{{\"action\":\"user.login\",\"actor\":{{\"type\":\"user\",\"id\":\"{who}\"}},\
         \"context\":{{\"ip\":\"192.0.2.{number}\"}},\"metadata\":{{\"number\":{number}.50,\"list\":[\"{who}\",\"b\"]}}}}"
    );
    Prepared::new(Parts {
        environment: environment(),
        tenant: tenant(tenant_name),
        id: EventId(u128::from(number).to_be_bytes()),
        client_id: true,
        service: false,
        seed: [number as u8; 16],
        digest: [number as u8; 16],
        occurred_ms: number as i64,
        severity: 3,
        fields: &Fields::of_stored(body.as_bytes()),
        body: body.as_bytes(),
    })
}

impl World {
    fn new() -> Self {
        Self::over(1)
    }

    fn over(partitions: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let store = open_over(dir.path(), Some(partitions));
        runtime.block_on(async {
            // Three segments, each with both logs.
            for part in 0..3 {
                for name in ["acme", "beta"] {
                    let events = (1..=EVENTS).filter(|number| number % 3 == part);
                    store.submit(events.map(|number| event(name, number)).collect()).await.unwrap();
                }
                store.seal().await;
            }
        });
        Self { runtime, dir, store }
    }

    fn slot(&self, name: &str) -> u64 {
        self.store.0.view.slot(&environment(), &tenant(name)).unwrap()
    }

    /// Takes the ips out of some of acme's events and some of its events as a whole: everything with the secret.
    fn lists(&self) -> HashMap<u64, RemovalList> {
        let slot = self.slot("acme");
        let mut list = RemovalList::new("test/t/acme");
        for (seq, body) in bodies(&self.store, slot) {
            let fields = Fields::of_stored(body.as_bytes());
            if body.contains(SECRET) && seq % 2 == 0 {
                assert!(list.push_payload(seq));
            } else if body.contains(SECRET) {
                let secret = fields.iter().enumerate().filter(|(_, f)| f.value.contains(SECRET));
                assert!(list.push_fields(seq, secret.map(|(index, _)| index as u16).collect()));
            }
        }
        assert!(list.events() > 10);
        HashMap::from([(slot, list)])
    }
}

/// Every row of a log: seq, leaf hash, and its body if there is one.
fn rows(store: &Store, slot: u64) -> BTreeMap<u64, (Hash, Option<String>)> {
    let inner = &store.0;
    let mut rows = BTreeMap::new();
    for meta in &inner.view.manifest().segments {
        let Some(extent) = meta.extent(slot) else { continue };
        let file = inner.segments.open(meta).unwrap();
        let log = crate::segment::Logs::log(inner.view.as_ref(), slot).unwrap();
        let all = extent.row_start..extent.row_start + extent.rows;
        for batch in file.batches(EventRows::COLUMNS, std::slice::from_ref(&all)).unwrap() {
            let batch = batch.unwrap();
            let events = EventRows::of(&batch, file.path()).unwrap();
            for row in 0..events.len() {
                let content = events.content(row, &log).unwrap();
                let body = content.map(|c| String::from_utf8(c.event.body.into_vec()).unwrap());
                let leaf = events.leaf_hash(row, &log).unwrap();
                assert!(rows.insert(events.seq(row), (leaf, body)).is_none(), "a seq stands twice");
            }
        }
    }
    rows
}

fn bodies(store: &Store, slot: u64) -> BTreeMap<u64, String> {
    let rows = rows(store, slot).into_iter();
    rows.filter_map(|(seq, (_, body))| Some((seq, body?))).collect()
}

fn root(rows: &BTreeMap<u64, (Hash, Option<String>)>) -> Hash {
    let mut frontier = Frontier::default();
    for (at, (seq, (leaf, _))) in rows.iter().enumerate() {
        assert_eq!(at as u64, *seq, "the log has a hole");
        frontier.append(*leaf);
    }
    frontier.root()
}

/// Copies a directory with all below it.
pub(in crate::store) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn copied(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    copy(from, to.path());
    to
}

/// Returns the files whose decoded or raw bytes hold the secret.
fn files_with_secret(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = fs::read(&path).unwrap();
            let parquet = path.extension().is_some_and(|extension| extension == "parquet");
            if holds(&bytes) || (parquet && parquet_holds(&path)) {
                found.push(path);
            }
        }
    }
    found
}

fn holds(bytes: &[u8]) -> bool {
    bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes())
}

fn parquet_holds(path: &Path) -> bool {
    let reader = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(path).unwrap()).unwrap();
    let mut holds_it = false;
    for batch in reader.build().unwrap() {
        let batch: RecordBatch = batch.unwrap();
        for column in batch.columns() {
            let column = match column.as_list_opt::<i32>() {
                Some(list) => Arc::clone(list.values()),
                None => Arc::clone(column),
            };
            if let Some(texts) = column.as_string_opt::<i32>() {
                holds_it |= texts.iter().flatten().any(|text| holds(text.as_bytes()));
            }
            if let Some(bytes) = column.as_binary_opt::<i32>() {
                holds_it |= bytes.iter().flatten().any(holds);
            }
        }
    }
    holds_it
}

#[test]
fn what_is_removed_is_nowhere_and_proofs_keep() {
    for partitions in [1, 3] {
        is_nowhere_and_proofs_keep(&World::over(partitions));
    }
}

fn is_nowhere_and_proofs_keep(world: &World) {
    let (acme, beta) = (world.slot("acme"), world.slot("beta"));
    let before = rows(&world.store, acme);
    let beta_before = rows(&world.store, beta);
    assert!(files_with_secret(world.dir.path()).len() > 1, "journal and segments hold it");

    let lists = world.lists();
    let rewritten = world.runtime.block_on(world.store.take_out(lists.clone())).unwrap();
    assert!(rewritten.segments >= 1 && rewritten.bytes_before > 0, "{rewritten:?}");
    world.runtime.block_on(world.store.wipe()).unwrap();
    assert_eq!(files_with_secret(world.dir.path()), Vec::<PathBuf>::new());

    let after = rows(&world.store, acme);
    assert_eq!(root(&after), root(&before));
    assert_eq!(rows(&world.store, beta), beta_before);
    for (seq, (leaf, body)) in &after {
        assert_eq!(*leaf, before[seq].0, "{seq}");
        match lists[&acme].of(*seq) {
            None => assert_eq!(*body, before[seq].1, "{seq}"),
            Some(attestary_ledger::removal::Extent::Payload) => assert_eq!(*body, None, "{seq}"),
            Some(_) => {
                let body = body.as_deref().unwrap();
                assert!(body.contains("\"list\":[null,\"b\"]"), "{body}");
                assert!(body.contains(".50") && body.contains("\"actor\":{\"type\":\"user\"}"));
            }
        }
    }
    // Doing it again finds nothing to do; an older release's reader would refuse, not misread.
    let again = world.runtime.block_on(world.store.take_out(lists)).unwrap();
    assert_eq!(again, Rewritten::default());
}

#[test]
fn retries_of_removed_events_are_known_by_their_id() {
    let world = World::new();
    let lists = world.lists();
    world.runtime.block_on(async {
        world.store.take_out(lists).await.unwrap();
        world.store.wipe().await.unwrap();
        world.store.wipe().await.unwrap();
        let size = world.store.log(&environment(), &tenant("acme")).unwrap().size;
        for number in [3, 6] {
            let mut other = event("acme", number);
            other.digest = [99; 16];
            let outcomes = world.store.submit(vec![other]).await.unwrap();
            assert!(matches!(outcomes[..], [crate::Outcome::Duplicate(_)]), "{outcomes:?}");
        }
        assert_eq!(world.store.log(&environment(), &tenant("acme")).unwrap().size, size);
    });
}

#[test]
fn reads_and_counts_pass_over_what_is_gone() {
    let world = World::new();
    let lists = world.lists();
    let acme = world.slot("acme");
    let gone = |seq: &u64| {
        matches!(lists[&acme].of(*seq), Some(attestary_ledger::removal::Extent::Payload))
    };
    let stays: Vec<u64> = (0..=EVENTS).filter(|seq| !gone(seq)).collect();
    world.runtime.block_on(world.store.take_out(lists.clone())).unwrap();
    let view = |f: &dyn Fn(crate::query::ReadView<'_>)| {
        let snapshot = world.store.0.view.snapshot(acme);
        f(crate::query::ReadView {
            manifest: &snapshot.manifest,
            segments: &world.store.0.segments,
            unsealed: &snapshot,
            logs: world.store.0.view.as_ref(),
        });
    };
    view(&|view| {
        let read = view.read(acme, 0, 1_000, usize::MAX).unwrap();
        assert_eq!(read.iter().map(|event| event.seq).collect::<Vec<_>>(), stays);
        for order in [crate::Order::Ascending, crate::Order::Descending] {
            for filter in ["", "action:user.login OR action:attestary.*", "-actor.id:nobody"] {
                let query = crate::query::Query {
                    slot: acme,
                    filter: attestary_event::filter::Filter::parse(filter).unwrap(),
                    from: None,
                    to: None,
                    order,
                    limit: 1_000,
                    bytes_max: usize::MAX,
                    after: None,
                    scan_budget: 100_000,
                };
                let page = view.search(&query).unwrap();
                let mut seqs: Vec<_> = page.events.iter().map(|event| event.seq).collect();
                seqs.sort_unstable();
                assert_eq!(seqs, stays, "{filter}");
                assert!(page.events.iter().all(|event| !holds(&event.body)));
            }
        }
        for seq in 1..=EVENTS {
            let at = rows(&world.store, acme)[&seq].1.is_some();
            assert_eq!(at, stays.contains(&seq));
        }
    });
    let counted = world.runtime.block_on(world.store.query(
        &environment(),
        &tenant("acme"),
        crate::Search {
            filter: attestary_event::filter::Filter::equals(
                attestary_event::filter::Filter::parse("actor.id:x").unwrap().paths()[0].clone(),
                SECRET,
            ),
            from: None,
            to: None,
            order: crate::Order::Descending,
            limit: 10,
            bytes_max: usize::MAX,
            after: None,
            scan_budget: 1_000,
        },
    ));
    assert_eq!(counted.unwrap().events, []);
}

/// Runs a removal and looks at the directory as it is at every step. Returns what was found wrong.
fn stopped_at_every_step(bug: Option<Bug>) -> Vec<String> {
    let world = World::new();
    let acme = world.slot("acme");
    let lists = world.lists();
    let before = rows(&world.store, acme);
    let path = world.dir.path().to_owned();
    let stops: std::rc::Rc<RefCell<Vec<(String, tempfile::TempDir)>>> = std::rc::Rc::default();
    let into = std::rc::Rc::clone(&stops);
    REACHED
        .set(Some(Box::new(move |name| into.borrow_mut().push((name.to_owned(), copied(&path))))));
    #[cfg(feature = "mutants")]
    crate::planted::plant(bug);
    #[cfg(not(feature = "mutants"))]
    assert_eq!(bug, None);
    let taken = world.store.0.take_out(&lists);
    REACHED.set(None);
    let mut wrong = Vec::new();
    if let Err(error) = taken {
        wrong.push(format!("the removal failed: {error}"));
    }
    world.runtime.block_on(world.store.close());
    drop(world.store);
    let end = ("the end".to_owned(), world.dir);
    for (name, dir) in stops.take().into_iter().chain([end]) {
        let store = open(dir.path());
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let now = rows(&store, acme);
            assert_eq!(root(&now), root(&before), "the root changed");
            for (seq, (_, body)) in &now {
                if lists[&acme].of(*seq).is_none() {
                    assert_eq!(*body, before[seq].1, "event {seq} must stay");
                }
            }
            store.0.take_out(&lists).unwrap();
            let done = rows(&store, acme);
            assert_eq!(root(&done), root(&before), "the root changed at the end");
            assert!(
                done.values().all(|(_, body)| !holds(body.as_deref().unwrap_or("").as_bytes()))
            );
            world.runtime.block_on(store.wipe()).unwrap();
        }));
        if let Err(panic) = checked {
            let text = panic.downcast_ref::<String>().cloned();
            wrong.push(format!("stopped at {name:?}: {}", text.unwrap_or_default()));
        }
        world.runtime.block_on(store.close());
        drop(store);
        // The bug is still planted, but the partition's own thread does not know of it.
        let left = files_with_secret(dir.path());
        if !left.is_empty() {
            wrong.push(format!("stopped at {name:?}: {left:?} hold what was removed"));
        }
    }
    #[cfg(feature = "mutants")]
    crate::planted::plant(None);
    wrong
}

#[test]
fn a_removal_may_stop_anywhere() {
    assert_eq!(stopped_at_every_step(None), Vec::<String>::new());
}

#[cfg(feature = "mutants")]
#[test]
fn planted_bugs_are_found() {
    std::panic::set_hook(Box::new(|_| {}));
    let missed: Vec<_> =
        [Bug::KeepErased, Bug::DeleteBeforeCommit, Bug::KeepOldObject, Bug::RemoveOneMore]
            .into_iter()
            .filter(|bug| stopped_at_every_step(Some(*bug)).is_empty())
            .collect();
    let _ = std::panic::take_hook();
    assert_eq!(missed, []);
}
