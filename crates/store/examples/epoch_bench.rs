//! Measures heads and epochs: `cargo run --release -p attestary-store --example epoch_bench [tenants] [slots]`.
//!
//! Gives every tenant an event, fixes all their heads as one epoch, and again after another event each. Then, in memory, an
//! epoch over many slots of which as many changed as there are tenants, and the signatures of that many checkpoints, which
//! are made when somebody reads them. Prints one figure per line.
#![expect(clippy::print_stdout, reason = "this program prints figures")]

use std::{sync::Arc, time::Instant};

use attestary_event::{EnvironmentId, EventId, Fields, TenantId};
use attestary_ledger::{Checkpoint, EpochTree, Hash, NoteSigner, epoch::head_leaf};
use attestary_store::{
    Settings, Store, SystemClock, SystemRng,
    record::{Parts, Prepared},
};

const BATCH: u64 = 1_000;
const BODY: &str =
    "{\"action\":\"document.opened\",\"actor\":{\"type\":\"user\",\"id\":\"usr_1\"}}";

fn event(tenant: u64, round: u64) -> Prepared {
    Prepared::new(Parts {
        environment: EnvironmentId::restored("bench"),
        tenant: TenantId::restored(&format!("tenant-{tenant}")),
        id: EventId(u128::from(round << 32 | (tenant + 1)).to_be_bytes()),
        client_id: false,
        service: false,
        seed: [7; 16],
        digest: [0; 16],
        occurred_ms: 1_795_000_000_000,
        severity: 1,
        fields: &Fields::of_stored(BODY.as_bytes()),
        body: BODY.as_bytes(),
    })
}

async fn dirty(store: &Store, tenants: u64, round: u64) {
    for first in (0..tenants).step_by(BATCH as usize) {
        let last = tenants.min(first + BATCH);
        let batch = || (first..last).map(|tenant| event(tenant, round)).collect();
        while store.submit(batch()).await.is_err() {}
    }
}

/// Processor time of this process so far, in seconds (Linux: clock ticks of a hundredth).
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok());
    (ticks(12).unwrap_or(0.0) + ticks(13).unwrap_or(0.0)) / 100.0
}

async fn epoch(store: &Store, what: &str) {
    let (began, used) = (Instant::now(), processor());
    let record = store.make_epoch().await.expect("an epoch can be made");
    let (took, used) = (began.elapsed().as_secs_f64(), processor() - used);
    println!("{what}: {took:.2} s, {used:.2} s of processor, {} slots", record.slots);
}

fn in_memory(slots: u64, changed: u64) {
    let text = |slot: u64, size: u64| {
        let origin = format!("audit.example.com/t/01JDA3WT9Z8Q4V6N2M0{slot:07}");
        Checkpoint::new(&origin, size, [slot as u8; 32]).to_string()
    };
    let leaves = |slots: &mut dyn Iterator<Item = u64>, size: u64| -> Vec<(u64, Hash)> {
        slots.map(|slot| (slot, head_leaf(slot, &text(slot, size)))).collect()
    };
    let mut tree = EpochTree::default();
    let began = Instant::now();
    tree.set_leaves(&leaves(&mut (0..slots), 1));
    println!("epoch over {slots} slots, all of them new: {:.3} s", began.elapsed().as_secs_f64());
    let step = (slots / changed.max(1)).max(1);
    let began = Instant::now();
    tree.set_leaves(&leaves(&mut (0..slots).step_by(step as usize), 2));
    let record = tree.record(0, 1);
    let took = began.elapsed().as_secs_f64();
    let changed = slots.div_ceil(step);
    println!(
        "epoch over {slots} slots, {changed} changed: {took:.3} s ({:02x?})",
        &record.root[..4]
    );
    let began = Instant::now();
    let copied = tree.clone();
    println!("copy of that tree: {:.3} s, {} slots", began.elapsed().as_secs_f64(), copied.slots());
    let began = Instant::now();
    for slot in 0..changed {
        let text = text(slot, 3);
        let origin = text.split('\n').next().unwrap_or_default();
        let signer = NoteSigner::derive(&[7; 32], origin, 0).expect("the origin is a key name");
        std::hint::black_box(signer.sign(&text));
    }
    println!(
        "{changed} keys derived and checkpoints signed: {:.2} s",
        began.elapsed().as_secs_f64()
    );
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1).map_while(|text| text.parse::<u64>().ok());
    let tenants = arguments.next().unwrap_or(100_000);
    let slots = arguments.next().unwrap_or(1_000_000);
    in_memory(slots, tenants);
    let dir = std::env::temp_dir().join(format!("epoch-bench-{}", std::process::id()));
    let settings = Settings {
        // Heads are fixed by epochs alone, so that each figure is of one thing.
        signing_every: std::time::Duration::from_hours(1),
        ..Settings::new(dir.clone())
    };
    let store =
        Store::open(settings, Arc::new(SystemClock::default()), Arc::new(SystemRng::default()))
            .expect("the directory can be opened");
    for round in 0..3 {
        let began = Instant::now();
        dirty(&store, tenants, round).await;
        println!("an event for each of {tenants} tenants: {:.1} s", began.elapsed().as_secs_f64());
        epoch(&store, &format!("heads of {tenants} tenants fixed and an epoch made")).await;
    }
    epoch(&store, "an epoch without any change").await;
    store.close().await;
    let _ = std::fs::remove_dir_all(&dir);
}
