//! The crash harness in long form: `crash [CRASHES] [FIRST SEED]`. Prints counts; fails on a violation.

#![expect(clippy::print_stdout, reason = "its report is its output")]

use std::process::ExitCode;

use attestary_store::{planted::Bug, sim::crash::run};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).filter_map(|text| text.parse::<u64>().ok());
    let crashes = arguments.next().unwrap_or(1_000_000);
    let first_seed = arguments.next().unwrap_or(1);
    // Two threads, two ranges of seeds.
    let halves = [first_seed, first_seed + (1 << 40)]
        .map(|seed| std::thread::spawn(move || run(seed, crashes / 2, None)));
    let mut violation = None;
    for half in halves {
        let report = half.join().expect("the harness does not panic");
        println!(
            "crashes {} audits {} acked {} repeats {} seals {} flips reported {}/{}",
            report.faults.crashes,
            report.audits,
            report.acked,
            report.repeats,
            report.seals,
            report.reported,
            report.faults.flipped
        );
        println!("{:?}", report.faults);
        violation = violation.or(report.violation);
    }
    for bug in Bug::ALL {
        let report = run(first_seed, crashes, Some(bug));
        println!("planted {bug:?}: caught after {} crashes", report.faults.crashes);
        if report.violation.is_none() {
            violation = violation.or(Some(format!("{bug:?} was not caught")));
        }
    }
    match violation {
        Some(violation) => {
            println!("VIOLATION: {violation}");
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    }
}
