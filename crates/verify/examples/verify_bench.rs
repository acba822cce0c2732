//! Measures the verifier: `cargo run --release -p attestary-verify --example verify_bench [events] [threads]`.
//!
//! Makes a bundle of a whole log of events with 17 fields in memory, verifies it, and prints one figure per line. Events
//! per second of CPU count all threads: inflating, checking and ordering together.
#![expect(clippy::print_stdout, reason = "this program prints figures")]

use std::{io::Cursor, time::Instant};

use attestary_event::{Fields, Limits};
use attestary_ledger::{
    Checkpoint, Entry, MemoryTree, NodeSource as _, Note, NoteSigner, TileKind, fields_hash,
    origin_id,
};
use attestary_verify::{
    BundleWriter, Manifest, Options, bundle,
    manifest::{FORM, Selection},
    needed_tiles, write_whole,
};

const ORIGIN: &str = "audit.example.com/t/01JDA3WT9Z8Q4V6N2M0K5R7B1C";

fn payload(number: u64) -> String {
    let (actor, target) = (number % 997, number % 4_999);
    format!(
        "{{\"action\":\"document.opened\",\"actor\":{{\"email\":\"person.{actor}@example.com\",\"id\":\"usr_{actor}\",\
         \"name\":\"Person {actor}\",\"type\":\"user\"}},\"category\":\"document\",\"context\":{{\"ip\":\"10.1.2.{}\",\
         \"request_id\":\"req-{number}\",\"session_id\":\"ses-{actor}\"}},\"metadata\":{{\"number\":{number},\
         \"plan\":\"enterprise\",\"region\":\"eu-central\"}},\"occurred_at\":\"2026-11-22T00:39:11.123Z\",\
         \"outcome\":\"success\",\"severity\":1,\"targets\":[{{\"id\":\"doc_{target}\",\"type\":\"document\"}}]}}",
        actor % 250,
    )
}

/// Appends the line of an event and returns its leaf.
fn line(seq: u64, limits: &Limits, out: &mut Vec<u8>) -> [u8; 32] {
    let (body, seed) = (payload(seq), u128::from(seq * 0x9E37_79B9).to_be_bytes());
    let fields = Fields::parse(body.as_bytes(), limits).expect("the event is well formed");
    let hashed = fields.iter().map(|f| (f.pointer, f.kind as u8, f.value.as_bytes()));
    let entry = Entry {
        origin: origin_id(ORIGIN),
        seq,
        received_ms: 1_795_308_919_123 + seq,
        event_id: u128::from(seq + 1).to_be_bytes(),
        n_fields: fields.len() as u16,
        flags: u16::from(seq == 0),
        fields_hash: fields_hash(&seed, hashed),
    };
    write_whole(&entry, body.as_bytes(), &seed, out);
    entry.leaf_hash()
}

fn made(events: u64, signer: &NoteSigner) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let sign = |text: String| {
        let mut note = Note::new(text).map_err(std::io::Error::other)?;
        note.push(signer.sign(note.text())).map_err(std::io::Error::other)?;
        Ok::<_, std::io::Error>(note)
    };
    let (mut lines, limits) = (Vec::new(), Limits::default());
    let tree: MemoryTree = (0..events).map(|seq| line(seq, &limits, &mut lines)).collect();
    let mut writer = BundleWriter::new(Cursor::new(Vec::new()));
    let checkpoint = Checkpoint::new(ORIGIN, events, tree.root()).to_string();
    writer.add("checkpoint", sign(checkpoint)?.to_string().as_bytes())?;
    for path in needed_tiles(events, &(0..events.div_ceil(256)).collect()) {
        let TileKind::Hashes(level) = path.kind() else { continue };
        let mut hashes = vec![[0; 32]; path.width()];
        tree.read(8 * u32::from(level), path.index() * 256, &mut hashes)?;
        writer.add(&path.to_string(), hashes.as_flattened())?;
    }
    writer.add("events.ndjson", &lines)?;
    let selection = Selection { filter: String::new(), from: None, to: None, as_of: String::new() };
    let manifest = Manifest {
        manifest: FORM.into(),
        origin: ORIGIN.into(),
        environment: "production".into(),
        tenant: "acme".into(),
        size: events,
        selection,
        events,
        numbering: None,
        files: Vec::new(),
    };
    Ok(writer.finish(manifest, sign)?.into_inner())
}

/// Returns the CPU time of this process in seconds, all threads together; Linux counts it in hundredths.
fn cpu_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name in parentheses may hold anything; utime and stime are the 12th and 13th words after it.
    let words: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: f64 = words.get(11)?.parse::<f64>().ok()? + words.get(12)?.parse::<f64>().ok()?;
    Some(ticks / 100.0)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let events = arguments.next().transpose()?.unwrap_or(1_000_000);
    let threads = arguments.next().transpose()?.unwrap_or(1) as usize;
    let signer = NoteSigner::derive(&[7; 32], ORIGIN, 0)?;
    let archive = made(events, &signer)?;
    println!("bundle: {events} events, {} MB", archive.len() >> 20);
    let trust = format!(
        "#attestary trust v1\n#attestary tenant {ORIGIN} 1\nlog {}\nquorum none\n",
        signer.verifier()
    );
    let options = Options { threads, ..Options::default() };
    for _ in 0..3 {
        let (started, before) = (Instant::now(), cpu_seconds());
        let report = bundle(Cursor::new(&archive), trust.as_bytes(), &options, &|_| {});
        if report.exit_code() != 0 || report.events != events {
            return Err(format!("the bundle does not verify: {report:?}").into());
        }
        let wall = started.elapsed().as_secs_f64();
        print!("verify: {:.0} events/s with {threads} checking", events as f64 / wall);
        match (before, cpu_seconds()) {
            (Some(before), Some(after)) if after > before => {
                println!(", {:.0} per second of CPU", events as f64 / (after - before));
            }
            _ => println!(),
        }
    }
    Ok(())
}
