//! Archives that are none, that hold too much, or that lead elsewhere.

use std::io::{Cursor, Write as _};

use attestary_verify::{Outcome, StepName};
use proptest::prelude::*;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::made::{World, verify};

/// Copies a good bundle file by file, with one more at its end.
fn with(name: &str, bytes: &[u8], options: SimpleFileOptions) -> Vec<u8> {
    let mut out = ZipWriter::new(Cursor::new(Vec::new()));
    let mut archive = zip::ZipArchive::new(Cursor::new(World::new().bundle())).unwrap();
    for index in 0..archive.len() {
        out.raw_copy_file(archive.by_index_raw(index).unwrap()).unwrap();
    }
    out.start_file(name, options).unwrap();
    out.write_all(bytes).unwrap();
    // Sealed again, as whoever packs an archive anew can.
    out.set_comment("0".repeat(82)).unwrap();
    let mut done = out.finish().unwrap();
    attestary_verify::seal(&mut done).unwrap();
    done.into_inner()
}

#[track_caller]
fn check(what: &str, archive: &[u8], said: &str) {
    let report = verify(archive, &World::new().trust);
    let first = report.first(Outcome::Failed).unwrap_or_else(|| panic!("{what}: nothing failed"));
    assert_eq!(first.name, StepName::Container, "{what}: {first}");
    assert!(first.detail.contains(said), "{what}: {first}");
    assert_eq!(report.exit_code(), 1);
}

#[test]
fn names_lead_nowhere_and_nothing_unknown_travels_along() {
    let plain = SimpleFileOptions::DEFAULT;
    for name in [
        "../evil",
        "/etc/passwd",
        "a\\..\\b",
        "prev/../checkpoint",
        "tile/0/../x",
        "extra.txt",
        "prev/007",
    ] {
        check(name, &with(name, b"x", plain), "no part of a bundle");
    }
    check("not listed", &with("prev/7", b"x", plain), "not in the manifest");
    let link = plain.unix_permissions(0o120_777);
    let mut out = ZipWriter::new(Cursor::new(Vec::new()));
    out.add_symlink("checkpoint", "/etc/passwd", link).unwrap();
    check("symlink", &out.finish().unwrap().into_inner(), "not a regular file");
}

#[test]
fn bombs_and_oversize_files_are_refused_by_their_sizes() {
    let deflated = SimpleFileOptions::DEFAULT.compression_method(CompressionMethod::Deflated);
    check(
        "long tile",
        &with("tile/0/009", &vec![0; 9_000], deflated),
        "larger than such a file can be",
    );
    check("long checkpoint", &with("checkpoint.", b"", deflated), "no part of a bundle");
    let mut out = ZipWriter::new(Cursor::new(Vec::new()));
    out.start_file("events.ndjson", deflated).unwrap();
    let zeros = vec![0; 1 << 20];
    (0..64).for_each(|_| out.write_all(&zeros).unwrap());
    check("bomb", &out.finish().unwrap().into_inner(), "compressed more than events can be");
    check("no archive", b"this is no archive", "not a zip archive");
    check("nothing", b"", "not a zip archive");
}

#[test]
fn every_flipped_byte_is_noticed() {
    let world = World::new();
    let good = world.bundle();
    let names: Vec<_> = StepName::ALL.iter().map(|step| step.word()).collect();
    for at in (0..good.len()).step_by(61).chain(good.len() - 150..good.len()) {
        let mut changed = good.clone();
        changed[at] ^= 1 << (at % 8);
        let report = verify(&changed, &world.trust);
        assert_eq!(report.exit_code(), 1, "{at}");
        let first = report.first(Outcome::Failed).unwrap();
        assert!(names.contains(&first.name.word()) && !first.detail.is_empty(), "{at}: {first}");
    }
}

#[test]
fn a_bundle_that_was_packed_anew_is_refused() {
    let mut archive = zip::ZipArchive::new(Cursor::new(World::new().bundle())).unwrap();
    let mut out = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..archive.len() {
        out.raw_copy_file(archive.by_index_raw(index).unwrap()).unwrap();
    }
    check("packed anew", &out.finish().unwrap().into_inner(), "no seal");
}

#[test]
fn a_truncated_bundle_is_no_bundle() {
    let world = World::new();
    let good = world.bundle();
    for length in (0..good.len()).step_by(good.len() / 40) {
        assert_eq!(verify(&good[..length], &world.trust).exit_code(), 1, "{length}");
    }
}

#[test]
fn the_same_parts_give_the_same_bytes() {
    assert_eq!(World::new().bundle(), World::new().bundle());
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert_eq!(verify(&bytes, &World::new().trust).exit_code(), 1);
        let _ = attestary_verify::parse_line(&bytes);
        let _ = attestary_verify::Growth::parse(&bytes);
    }
}
