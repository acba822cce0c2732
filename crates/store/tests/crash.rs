//! The crash harness in short form, and the proof that it would notice: every planted bug is caught.

use attestary_store::{planted::Bug, sim::crash::run};

#[test]
fn no_crash_loses_or_repeats_an_acknowledged_event() {
    let report = run(1, 30_000, None);
    assert_eq!(report.violation, None);
    let faults = report.faults;
    for (name, count) in [
        ("lost sectors", faults.lost_sectors),
        ("lost names", faults.lost_names),
        ("short writes", faults.short_writes),
        ("interrupted calls", faults.interrupted),
        ("failed syncs", faults.failed_syncs),
        ("failed writes", faults.failed_writes),
        ("flipped bits", faults.flipped),
        ("reported flips", report.reported),
        ("seals", report.seals),
        ("repeats", report.repeats),
    ] {
        assert!(count > 100, "{name} happened only {count} times");
    }
}

#[track_caller]
fn caught(bug: Bug) {
    let report = run(1, 300_000, Some(bug));
    assert!(
        report.violation.is_some(),
        "{bug:?} went unnoticed in {} crashes",
        report.faults.crashes
    );
}

#[test]
fn every_planted_bug_is_caught() {
    for bug in Bug::ALL {
        caught(bug);
    }
}
