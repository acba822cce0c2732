//! The negative corpus: what an attacker may try, with and without the log's key, and the step that must notice.

use attestary_ledger::{Checkpoint, Hash, RemovalList, SlotProof, origin_id};
use attestary_verify::{Known, Options, Outcome, Report, StepName, bundle};

use crate::made::{
    COVERS, EPOCH_MS, ERASED, GONE, HEAD, Made, ORIGIN, OTHER, SIZE, SLOT, World, covering, line,
    signed, signer, slot_proof, trust, verify,
};

#[track_caller]
pub(crate) fn refused(report: &Report, step: StepName) {
    let first = report
        .first(Outcome::Failed)
        .unwrap_or_else(|| panic!("nothing failed: {}", shown(report)));
    assert_eq!(first.name, step, "{}", shown(report));
    assert_eq!(report.exit_code(), 1);
}

/// Writes the case into the folder that `ATTESTARY_CORPUS` names, for verifiers in other languages.
pub(crate) fn dump(what: &str, world: &World, step: Option<StepName>) {
    let Some(folder) = std::env::var_os("ATTESTARY_CORPUS").map(std::path::PathBuf::from) else {
        return;
    };
    let name: String =
        what.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let case = serde_json::json!({
        "what": what, "step": step.map(|step| step as usize), "now_ms": EPOCH_MS + 60_000,
    });
    std::fs::write(folder.join(format!("{name}.zip")), world.bundle()).unwrap();
    std::fs::write(folder.join(format!("{name}.trust")), &world.trust).unwrap();
    std::fs::write(folder.join(format!("{name}.json")), case.to_string()).unwrap();
}

pub(crate) fn shown(report: &Report) -> String {
    report.steps.iter().map(|step| format!("\n{step}")).collect()
}

#[test]
fn a_good_bundle_passes_every_step() {
    let report = World::new().verify();
    dump("good", &World::new(), None);
    assert_eq!(report.exit_code(), 0, "{}", shown(&report));
    assert!(report.steps.iter().all(|step| step.outcome == Outcome::Passed), "{}", shown(&report));
    assert_eq!(report.events, SIZE);
    let (origin, size, _) = report.head.unwrap();
    assert_eq!((origin.as_str(), size), (ORIGIN, SIZE));
}

/// Changes one part and lets the log itself sign the manifest again: only the proofs are left to notice.
#[track_caller]
pub(crate) fn check(what: &str, step: StepName, change: impl FnOnce(&mut World)) {
    let mut world = World::new();
    change(&mut world);
    let report = world.verify();
    dump(what, &world, Some(step));
    let first = report.first(Outcome::Failed).map(|step| step.name);
    assert_eq!(first, Some(step), "{what}: {}", shown(&report));
    assert_eq!(report.exit_code(), 1, "{what}");
}

fn flip(bytes: &mut [u8], at: usize) {
    bytes[at] ^= 1;
}

/// Changes the entry of one event, and nothing else.
fn with_entry(change: impl FnOnce(&mut Made)) -> impl FnOnce(&mut World) {
    move |world| {
        let mut made = world.events[42].clone();
        change(&mut made);
        world.lines[42] = line(&made);
    }
}

fn replaced(world: &mut World, at: u64, from: &str, to: &str) {
    let text = String::from_utf8(world.lines[at as usize].clone()).unwrap();
    let changed = text.replacen(from, to, 1);
    assert_ne!(changed, text, "{from}");
    world.lines[at as usize] = changed.into_bytes();
}

#[test]
fn every_byte_class_of_an_event_is_covered() {
    let entries = StepName::Entries;
    check("time", entries, with_entry(|made| made.entry.received_ms += 1));
    check("id", entries, with_entry(|made| made.entry.event_id[3] ^= 1));
    check("origin", entries, with_entry(|made| made.entry.origin[0] ^= 1));
    check("flags", entries, with_entry(|made| made.entry.flags ^= 1));
    check("seq", entries, with_entry(|made| made.entry.seq = 700));
    check("field count", StepName::Payloads, with_entry(|made| made.entry.n_fields += 1));
    check("fields hash", StepName::Payloads, with_entry(|made| made.entry.fields_hash[0] ^= 1));
    check("seed", StepName::Payloads, with_entry(|made| made.seed[0] ^= 1));
    let payloads = StepName::Payloads;
    check("value", payloads, |world| replaced(world, 42, "u42", "u43"));
    check("pointer", payloads, |world| replaced(world, 42, "\"id\"", "\"ie\""));
    check("type", payloads, |world| replaced(world, 42, "\"n\":42", "\"n\":\"42\""));
    check("number token", payloads, |world| {
        replaced(world, 42, "9007199254740993", "9007199254740992");
    });
    check("a field more", payloads, |world| {
        replaced(world, 42, "\"tags\":[]", "\"tags\":[],\"u\":1");
    });
    check("a field twice", payloads, |world| replaced(world, 42, "\"n\":42", "\"n\":42,\"n\":42"));
    check("salt of a shown field", payloads, |world| {
        replaced(world, ERASED, "\"salt\":\"", "\"salt\":\"0");
    });
    check("hidden hash", payloads, |world| {
        let text = String::from_utf8(world.lines[ERASED as usize].clone()).unwrap();
        let at = text.find("{\"hash\":\"").unwrap() + 9;
        let mut bytes = text.into_bytes();
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        world.lines[ERASED as usize] = bytes;
    });
    check("an unknown member", entries, |world| {
        replaced(world, 42, "{\"seq\"", "{\"x\":1,\"seq\"");
    });
    check("seq of the line", entries, |world| replaced(world, 42, "\"seq\":42", "\"seq\":43"));
}

#[test]
fn events_that_are_dropped_moved_or_doubled_are_noticed() {
    let entries = StepName::Entries;
    check("drop first", entries, |world| drop(world.lines.remove(0)));
    check("drop middle", entries, |world| drop(world.lines.remove(300)));
    check("drop last", entries, |world| drop(world.lines.pop()));
    check("drop, and the count says otherwise", entries, |world| {
        world.lines.remove(300);
        world.stated = Some(SIZE);
    });
    check("reorder", entries, |world| world.lines.swap(40, 41));
    check("duplicate", entries, |world| world.lines.insert(41, world.lines[40].clone()));
    check("an entry of another log", entries, |world| {
        world.events[50].entry.origin = origin_id(OTHER);
        world.relog();
    });
    check("time goes back", entries, |world| {
        world.events[50].entry.received_ms -= 10;
        world.relog();
    });
}

#[test]
fn a_clock_step_may_go_back_and_nothing_else() {
    let mut world = World::new();
    let stepped =
        r#"{"action":"attestary.clock.stepped","actor":{"id":"installation","type":"service"}}"#;
    world.events[49] = Made::new(49, stepped.into(), true);
    for seq in 50..60 {
        world.events[seq].entry.received_ms -= 40;
    }
    world.relog();
    assert_eq!(world.verify().exit_code(), 0, "{}", shown(&world.verify()));
    // The same by an event that the service did not write.
    world.events[49] = Made::new(49, stepped.into(), false);
    world.relog();
    refused(&world.verify(), StepName::Entries);
}

#[test]
fn tiles_lead_to_the_root() {
    let tree = StepName::Tree;
    let names: Vec<_> =
        World::new().files.keys().filter(|name| name.starts_with("tile/")).cloned().collect();
    assert_eq!(names.len(), 4);
    for name in &names {
        check(name, tree, |world| drop(world.files.remove(name)));
    }
    check("upper tile", tree, |world| flip(world.files.get_mut("tile/1/000.p/2").unwrap(), 40));
    // A leaf that stands in a tile is compared with the event first.
    check("leaf tile", StepName::Entries, |world| {
        flip(world.files.get_mut("tile/0/000").unwrap(), 40);
    });
    check("a hash too few", StepName::Entries, |world| {
        world.files.get_mut("tile/0/002.p/88").unwrap().truncate(87 * 32);
    });
    check("extra tile", tree, |world| {
        drop(world.files.insert("tile/0/002.p/80".into(), vec![0; 80 * 32]));
    });
    check("extra level", tree, |world| {
        drop(world.files.insert("tile/2/000.p/1".into(), vec![0; 32]));
    });
    check("a width that lies", StepName::Tree, |world| {
        let tile = world.files.remove("tile/0/002.p/88").unwrap();
        world.files.insert("tile/0/002.p/89".into(), [tile, vec![0; 32]].concat());
    });
    check("an entry bundle of others", tree, |world| {
        let entries = [[7_u8; 88]; 256];
        let bytes =
            attestary_ledger::tile::bundle::encode(entries.iter().map(<[u8; 88]>::as_slice))
                .unwrap();
        world.files.insert("tile/entries/000".into(), bytes);
    });
}

#[test]
fn signatures_count_only_for_the_trusted_log_and_key() {
    let notes = StepName::Notes;
    let checkpoint = |world: &mut World, change: &dyn Fn(String) -> String| {
        let text = String::from_utf8(world.files["checkpoint"].clone()).unwrap();
        world.files.insert("checkpoint".into(), change(text).into_bytes());
    };
    check("size", notes, |world| checkpoint(world, &|text| text.replacen("600", "601", 1)));
    check("signature", notes, |world| {
        checkpoint(world, &|text| {
            let at = text.len() - 10;
            let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
            format!("{}{other}{}", &text[..at], &text[at + 1..])
        });
    });
    check("stripped", notes, |world| {
        checkpoint(world, &|text| text.split("\n\n").next().unwrap().to_owned() + "\n\n");
    });
    check("unsealed", notes, |world| {
        checkpoint(world, &|text| text.split("\n\n").next().unwrap().to_owned() + "\n");
    });
    check("a stranger's key", notes, |world| {
        let text = Checkpoint::new(ORIGIN, SIZE, world.tree.root()).to_string();
        let stranger = attestary_ledger::NoteSigner::new(ORIGIN, &[3; 32]).unwrap();
        world.files.insert("checkpoint".into(), signed(text, &stranger).to_string().into_bytes());
    });
    check("wrong-key trust file", notes, |world| {
        world.trust = world.trust.replace(
            &signer(ORIGIN, 0).verifier().to_string(),
            &signer(ORIGIN, 1).verifier().to_string(),
        );
    });
    check("another tenant's trust file", StepName::Trust, |world| {
        world.trust = trust(&[(OTHER, 0)], false, 0);
    });
    check("re-signed with a newer key", StepName::KeyEpochs, |world| {
        rotated(world, 1, 10_000);
    });
    check("signed with a retired key", StepName::KeyEpochs, |world| {
        rotated(world, 0, 500);
    });
    let mut world = World::new();
    rotated(&mut world, 1, 513);
    let report = world.verify();
    assert_eq!(report.exit_code(), 0, "the new key is valid from 513 on: {}", shown(&report));
}

/// Trusts two keys, the second from `first` on, and signs with that of `epoch`.
fn rotated(world: &mut World, epoch: u32, first: u64) {
    world.trust = trust(&[(ORIGIN, 0), (ORIGIN, 1)], true, 3_600);
    for (epoch, first) in [(0, 0), (1, first)] {
        let key = signer(ORIGIN, epoch).verifier().to_string();
        world.trust.push_str(&format!("#attestary key {key} {epoch} {first}\n"));
    }
    world.key_epoch = epoch;
    world.reprove();
}

#[test]
fn a_manifest_is_what_the_log_signed() {
    // Somebody without the key cuts the bundle down to a selection that holds.
    let whole = World::new();
    let mut cut = whole.clone();
    cut.lines.truncate(300);
    cut.selection.filter = "seq<300".into();
    cut.files.remove("tile/0/002.p/88");
    let mut forged = cut.bundle();
    assert_eq!(verify(&forged, &cut.trust).exit_code(), 1, "the edge tile is needed");
    cut = whole.clone();
    cut.lines.truncate(300);
    cut.selection.filter = "seq<300".into();
    forged = cut.bundle();
    let report = verify(&forged, &cut.trust);
    assert_eq!(report.exit_code(), 0, "the log may sign a selection: {}", shown(&report));
    let strict =
        Options { require_complete: true, now_ms: EPOCH_MS, threads: 1, ..Options::default() };
    let report = bundle(std::io::Cursor::new(&forged), cut.trust.as_bytes(), &strict, &|_| {});
    assert_eq!(report.exit_code(), 2, "{}", shown(&report));
    // With another key the manifest is refused, although the checkpoint is the genuine one.
    cut.key_epoch = 7;
    refused(&verify(&cut.bundle(), &cut.trust), StepName::Notes);
}

#[test]
fn what_is_missing_needs_a_covering_event() {
    let absence = StepName::Absence;
    let list_of = |world: &World, seq: u64| {
        let text = &world.events[seq as usize].payload;
        let at = text.find("sha256\":\"").unwrap() + 9;
        format!("removals/{}", &text[at..at + 64])
    };
    check("no list", absence, |world| drop(world.files.remove(&list_of(world, COVERS[0]))));
    check("another field", absence, |world| {
        let mut out = Vec::new();
        world.events[ERASED as usize].without(&[1, 2, 3], &mut out);
        world.lines[ERASED as usize] = out;
    });
    check("another payload", absence, |world| {
        let mut out = Vec::new();
        attestary_verify::write_gone(&world.events[23].entry, &mut out);
        world.lines[23] = out;
    });
    check("erased fields do not cover a payload", absence, |world| {
        let mut out = Vec::new();
        attestary_verify::write_gone(&world.events[ERASED as usize].entry, &mut out);
        world.lines[ERASED as usize] = out;
    });
    let covered_by = |action: &'static str, origin: &'static str, service: bool, at: usize| {
        move |world: &mut World| {
            let mut list = RemovalList::new(origin);
            GONE.iter().for_each(|&seq| assert!(list.push_payload(seq)));
            world.events[COVERS[1] as usize] =
                Made::new(COVERS[1], r#"{"action":"x"}"#.into(), false);
            world.events[at] = Made::new(at as u64, covering(action, &list), service);
            world.files.retain(|name, _| !name.starts_with("removals/"));
            let mut erased = RemovalList::new(ORIGIN);
            assert!(erased.push_fields(ERASED, vec![1, 3]));
            for list in [erased, list] {
                let name = format!("removals/{}", attestary_event::event::hex(&list.hash()));
                world.files.insert(name, list.to_string().into_bytes());
            }
            world.relog();
        }
    };
    check(
        "a submitted event covers nothing",
        absence,
        covered_by("attestary.retention.applied", ORIGIN, false, 101),
    );
    check(
        "another action covers nothing",
        absence,
        covered_by("attestary.hold.placed", ORIGIN, true, 101),
    );
    check(
        "another log's list",
        absence,
        covered_by("attestary.retention.applied", OTHER, true, 101),
    );
    check(
        "a cover ahead of the event",
        absence,
        covered_by("attestary.retention.applied", ORIGIN, true, 15),
    );
    let mut world = World::new();
    covered_by("attestary.retention.applied", ORIGIN, true, 102)(&mut world);
    assert_eq!(world.verify().exit_code(), 0, "{}", shown(&world.verify()));
    // Withheld by an export: reported, and undecided when everything is asked for.
    world = World::new();
    covered_by("attestary.export", ORIGIN, true, 103)(&mut world);
    assert_eq!(world.verify().exit_code(), 0, "{}", shown(&world.verify()));
    let strict =
        Options { require_complete: true, now_ms: EPOCH_MS, threads: 1, ..Options::default() };
    let report =
        bundle(std::io::Cursor::new(world.bundle()), world.trust.as_bytes(), &strict, &|_| {});
    assert_eq!(report.exit_code(), 2, "{}", shown(&report));
}

#[test]
fn the_log_only_grew() {
    let history = StepName::History;
    check("another older root", StepName::Notes, |world| {
        let mut growth = world.growth(300, true);
        growth.text = growth.text.replacen("300", "301", 1);
        let text = growth.to_string();
        let changed = text.replacen("\n300\n", "\n301\n", 1);
        world.files.insert("prev/300".into(), changed.into_bytes());
    });
    check("a fork that the log signed", history, |world| {
        let mut growth = world.growth(300, true);
        growth.text = Checkpoint::new(ORIGIN, 300, [7; 32]).to_string();
        growth.note = Some(signed(growth.text.clone(), &signer(ORIGIN, 0)));
        world.files.insert("prev/300".into(), growth.to_string().into_bytes());
    });
    check("proof hash", history, |world| {
        let mut growth = world.growth(300, true);
        growth.hashes[0][0] ^= 1;
        world.files.insert("prev/300".into(), growth.to_string().into_bytes());
    });
    check("an older checkpoint under another size", history, |world| {
        let bytes = world.files.remove("prev/300").unwrap();
        world.files.insert("prev/301".into(), bytes);
    });
    check("a restored log goes on otherwise", history, |world| {
        let older = world.growth(512, true);
        world.events[400].entry.event_id[0] ^= 1;
        world.relog();
        let restored = attestary_verify::Growth { hashes: world.growth(512, true).hashes, ..older };
        world.files.insert("prev/512".into(), restored.to_string().into_bytes());
    });
    let known = |size: u64, root: Hash| {
        let world = World::new();
        let known = vec![Known { origin: ORIGIN.into(), size, root }];
        let options = Options { known, now_ms: EPOCH_MS, threads: 1, ..Options::default() };
        bundle(std::io::Cursor::new(world.bundle()), world.trust.as_bytes(), &options, &|_| {})
    };
    let root = |size: u64| {
        let world = World::new();
        attestary_ledger::tree::root(&world.tree, size).unwrap()
    };
    for size in [SIZE, 512, 300, 257, 7] {
        assert_eq!(
            known(size, root(size)).exit_code(),
            0,
            "{size}: {}",
            shown(&known(size, root(size)))
        );
        refused(&known(size, [1; 32]), history);
    }
    let stale = known(SIZE + 1, [1; 32]);
    assert_eq!(stale.exit_code(), 2);
    assert_eq!(stale.first(Outcome::Undecided).unwrap().name, history);
}

#[test]
fn an_anchor_that_is_demanded_must_hold() {
    let anchoring = StepName::Anchoring;
    let put = |world: &mut World, text: String| {
        drop(world.files.insert("slot-proof".into(), text.into_bytes()));
    };
    check("no slot proof", anchoring, |world| drop(world.files.remove("slot-proof")));
    check("no quorum", anchoring, |world| {
        put(world, slot_proof(&world.growth(HEAD, false).text, SLOT, 0, &[1]));
    });
    check("a strange witness", anchoring, |world| {
        put(world, slot_proof(&world.growth(HEAD, false).text, SLOT, 0, &[1, 3]));
    });
    check("the same leaf at the next slot", anchoring, |world| {
        put(world, slot_proof(&world.growth(HEAD, false).text, SLOT + 1, 0, &[1, 2]));
    });
    check("a leaf moved to the trusted slot", anchoring, |world| {
        let text = slot_proof(&world.growth(HEAD, false).text, SLOT + 1, 0, &[1, 2]);
        put(world, text.replace("slot 6\n", "slot 5\n"));
    });
    check("another head", anchoring, |world| {
        put(
            world,
            slot_proof(&Checkpoint::new(ORIGIN, HEAD, [3; 32]).to_string(), SLOT, 0, &[1, 2]),
        );
    });
    check("head not linked", anchoring, |world| {
        let mut growth = world.growth(HEAD, false);
        growth.hashes[0][0] ^= 1;
        world.files.insert("head".into(), growth.to_string().into_bytes());
    });
    check("no head", anchoring, |world| drop(world.files.remove("head")));
    check("hash of the slot proof", anchoring, |world| {
        let mut proof = SlotProof::parse(&world.files["slot-proof"]).unwrap();
        proof.hashes[0][0] ^= 1;
        put(world, proof.to_string());
    });
    check("a skipped epoch", anchoring, |world| {
        let text = String::from_utf8(world.files["slot-proof"].clone()).unwrap();
        put(world, text.replacen("epoch 2", "epoch 3", 1));
    });
    check("cosigned long after", StepName::Epochs, |world| {
        put(world, slot_proof(&world.growth(HEAD, false).text, SLOT, 7_200, &[1, 2]));
    });
    check("an epoch older than its events", StepName::Epochs, |world| {
        world.events.iter_mut().skip(500).for_each(|made| made.entry.received_ms += 2_000_000);
        world.relog();
    });
    let world = World::new();
    let options = Options { now_ms: EPOCH_MS + 3_601_000, threads: 1, ..Options::default() };
    let stale =
        bundle(std::io::Cursor::new(world.bundle()), world.trust.as_bytes(), &options, &|_| {});
    assert_eq!(stale.exit_code(), 2, "{}", shown(&stale));
    assert_eq!(stale.first(Outcome::Undecided).unwrap().name, StepName::Freshness);
}

#[test]
fn a_trust_file_that_cannot_be_read_decides_nothing() {
    let world = World::new();
    for bad in ["", "nonsense\n", &world.trust.replace("tenant", "tenent"), "#attestary trust v2\n"]
    {
        let report = verify(&world.bundle(), bad);
        assert_eq!(report.exit_code(), 2, "{bad}");
        assert_eq!(report.first(Outcome::Undecided).unwrap().name, StepName::Trust);
    }
}
