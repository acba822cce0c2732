//! Logs that began anew after a restore: what they go on from, and what they only claim.

use attestary_ledger::{Entry, Hash, MemoryTree, RemovalList, leaf_hash, origin_id};
use attestary_verify::{Known, Options, Report, StepName, bundle};

use crate::{
    corpus::{dump, refused, shown},
    made::{COVERS, EPOCH_MS, ERASED, GONE, Made, OTHER, World, covering},
};

/// The root of the first `size` events as the log `OTHER` had them: another genesis event, and entries of another log.
fn older(world: &World, size: u64) -> (Hash, Hash) {
    let genesis = leaf_hash(b"the genesis of the older log");
    let others = world.events[1..size as usize].iter();
    let leaves = others.map(|made| Entry { origin: origin_id(OTHER), ..made.entry }.leaf_hash());
    let tree: MemoryTree = std::iter::once(genesis).chain(leaves).collect();
    (genesis, tree.root())
}

/// A log that goes on from the first 512 events of `OTHER`; what those had lost is named by lists of that log.
fn restored(size: u64, root: Option<Hash>) -> World {
    let mut world = World::new();
    world.files.retain(|name, _| !name.starts_with("removals/"));
    let (mut erased, mut gone) = (RemovalList::new(OTHER), RemovalList::new(OTHER));
    assert!(erased.push_fields(ERASED, vec![1, 3]));
    GONE.iter().for_each(|&seq| assert!(gone.push_payload(seq)));
    let actions = ["attestary.erasure.applied", "attestary.retention.applied"];
    for (action, (seq, list)) in actions.into_iter().zip(COVERS.into_iter().zip([erased, gone])) {
        world.events[seq as usize] = Made::new(seq, covering(action, &list), true);
        let name = format!("removals/{}", attestary_event::event::hex(&list.hash()));
        world.files.insert(name, list.to_string().into_bytes());
    }
    let (genesis, found) = older(&world, size);
    let hex = |hash: Hash| attestary_event::event::hex(&hash);
    let body = format!(
        r#"{{"action":"attestary.genesis","actor":{{"type":"system"}},"metadata":{{"previous":[{{"genesis":"{}","origin":"{OTHER}","root":"{}","size":{size}}}]}}}}"#,
        hex(genesis),
        hex(root.unwrap_or(found)),
    );
    world.events[0] = Made::new(0, body, true);
    world.relog();
    world
}

fn with_known(world: &World, size: u64, root: Hash, accept_loss: bool) -> Report {
    let known = vec![Known { origin: OTHER.into(), size, root }];
    let now_ms = EPOCH_MS + 60_000;
    let options = Options { known, accept_loss, now_ms, threads: 1, ..Options::default() };
    bundle(std::io::Cursor::new(world.bundle()), world.trust.as_bytes(), &options, &|_| {})
}

#[test]
fn a_log_that_was_restored_goes_on_from_what_the_older_one_was() {
    let history = StepName::History;
    let world = restored(512, None);
    let report = world.verify();
    assert_eq!(report.exit_code(), 0, "{}", shown(&report));
    assert!(shown(&report).contains("restored: goes on from"), "{}", shown(&report));
    dump("restored", &world, None);
    for size in [1, 2, 300, 512] {
        let report = with_known(&world, size, older(&world, size).1, false);
        assert_eq!(report.exit_code(), 0, "{size}: {}", shown(&report));
        assert!(shown(&report).contains("1 known checkpoints of that log agree"));
        refused(&with_known(&world, size, [1; 32], false), history);
    }
    // Events that were seen under the older name are gone: nobody calls that good by himself.
    let lost = with_known(&world, 520, [1; 32], false);
    assert_eq!(lost.exit_code(), 2, "{}", shown(&lost));
    assert!(shown(&lost).contains("seq 512 to 519 are lost"), "{}", shown(&lost));
    assert_eq!(with_known(&world, 520, [1; 32], true).exit_code(), 0);
    // It claims another past than it has.
    let forged = restored(512, Some([9; 32]));
    dump("restored from another root", &forged, Some(history));
    refused(&forged.verify(), history);
    let mut changed = restored(512, None);
    changed.events[300].entry.event_id[0] ^= 1;
    changed.relog();
    refused(&changed.verify(), history);
    // A list of the older log covers nothing that was taken out later: its event must be of that log too.
    refused(&restored(50, None).verify(), StepName::Absence);
    // And what a submitted event says of a past counts for nothing.
    let mut submitted = restored(512, None);
    submitted.events[0].entry.flags = 0;
    submitted.relog();
    refused(&submitted.verify(), StepName::Absence);
}
