//! Time-stamps in bundles: of this log's heads, or of nothing.

use attestary_ledger::{Hash, SlotProof};
use attestary_verify::StepName;
use sha2::Digest as _;

use crate::{
    corpus::{check, dump, shown},
    made::{HEAD, SLOT, World, slot_proof},
};

/// One DER value.
fn der(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = match body.len() {
        length @ 0..0x80 => vec![length as u8],
        length => [&[0x82][..], &(length as u16).to_be_bytes()].concat(),
    };
    [&[tag], &length[..], body].concat()
}

/// An authority's reply over a text (RFC 3161), as far as it is read.
fn reply(text: &str) -> Vec<u8> {
    const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
    const TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 0x10, 1, 4];
    const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 3, 4, 2, 1];
    let imprint: Hash = sha2::Sha256::digest(text.as_bytes()).into();
    let sha256 = der(0x30, &[der(6, SHA256), vec![5, 0]].concat());
    let info = [
        vec![2, 1, 1],
        der(6, &[0x2a, 3, 4]),
        der(0x30, &[sha256, der(4, &imprint)].concat()),
        vec![2, 1, 7],
        der(0x18, b"20261122153000Z"),
    ];
    let info = der(0xa0, &der(4, &der(0x30, &info.concat())));
    let content = der(0x30, &[der(6, TST_INFO), info].concat());
    let signed = der(0xa0, &der(0x30, &[vec![2, 1, 3, 0x31, 0], content].concat()));
    let token = der(0x30, &[der(6, SIGNED_DATA), signed].concat());
    der(0x30, &[der(0x30, &[2, 1, 0]), token].concat())
}

fn add_stamp(world: &mut World, witnesses: &[u8]) {
    let growth = world.growth(HEAD, false);
    let proof = slot_proof(&growth.text, SLOT, 0, witnesses);
    let text = SlotProof::parse(proof.as_bytes()).unwrap().record.checkpoint.text().to_owned();
    let files = [
        ("reply", reply(&text)),
        ("text", text.into_bytes()),
        ("slot-proof", proof.into_bytes()),
        ("head", growth.to_string().into_bytes()),
    ];
    for (name, bytes) in files {
        world.files.insert(format!("stamp/{name}"), bytes);
    }
}

#[test]
fn a_time_stamp_covers_a_head_of_this_log() {
    let mut world = World::new();
    add_stamp(&mut world, &[1, 2]);
    dump("stamped", &world, None);
    let report = world.verify();
    assert_eq!(report.exit_code(), 0, "{}", shown(&report));
    let said = "a time-stamp of 20261122153000Z covers the first 550 events";
    assert!(shown(&report).contains(said), "{}", shown(&report));
    let epochs = StepName::Epochs;
    let stamped = |change: fn(&mut World)| {
        move |world: &mut World| {
            add_stamp(world, &[1, 2]);
            change(world);
        }
    };
    check(
        "stamp of another text",
        epochs,
        stamped(|world| {
            drop(world.files.insert("stamp/reply".into(), reply("another\n")));
        }),
    );
    check(
        "stamp that is none",
        epochs,
        stamped(|world| {
            drop(world.files.insert("stamp/reply".into(), vec![0x30, 0]));
        }),
    );
    check(
        "stamp with another checkpoint",
        epochs,
        stamped(|world| {
            let text = String::from_utf8(world.files["stamp/text"].clone()).unwrap();
            let other = text.replacen("\n3\n", "\n4\n", 1);
            world.files.insert("stamp/reply".into(), reply(&other));
            world.files.insert("stamp/text".into(), other.into_bytes());
        }),
    );
    check(
        "stamp without its head",
        epochs,
        stamped(|world| {
            drop(world.files.remove("stamp/head"));
        }),
    );
    check(
        "stamp of another head",
        epochs,
        stamped(|world| {
            let growth = world.growth(300, false);
            world.files.insert("stamp/head".into(), growth.to_string().into_bytes());
        }),
    );
    check("stamp without a quorum", epochs, |world| add_stamp(world, &[1]));
}
