//! Step 6: what is missing is named by a removal list to which a service event of the same log commits.

use std::collections::HashMap;

use attestary_ledger::{Hash, RemovalList, removal::Extent};

use crate::{
    events::Seen,
    line::{Missing, Previous, Said},
    report::{Board, StepName},
};

/// Which actions may cover what is missing, and whether it is gone or only withheld from whoever asked.
fn covers(action: &str) -> Option<bool> {
    match action {
        "attestary.retention.applied" | "attestary.erasure.applied" => Some(false),
        "attestary.export" | "attestary.view" => Some(true),
        _ => None,
    }
}

struct Cover {
    seq: u64,
    withheld: bool,
    list: RemovalList,
}

/// Checks every absence.
pub(crate) fn check(
    seen: &Seen,
    lists: HashMap<Hash, Vec<u8>>,
    origin: &str,
    require_complete: bool,
    board: &mut Board,
) {
    let mut found = Vec::new();
    let mut used = 0;
    for (seq, said) in &seen.covers {
        match cover(*seq, said, &lists, origin, seen.past.named()) {
            Ok(Some(cover)) => {
                used += 1;
                found.push(cover);
            }
            Ok(None) => {}
            Err(why) => {
                board.fail(StepName::Absence, why);
                return;
            }
        }
    }
    if used < lists.len() {
        board.fail(StepName::Absence, "a removal list to which no service event commits");
        return;
    }
    let (mut removed, mut withheld) = (0_u64, 0_u64);
    for (seq, missing) in &seen.missing {
        match covered(*seq, missing, &found) {
            None => {
                let what = if *missing == Missing::Payload { "payload" } else { "fields" };
                let why = format!("seq {seq} lacks {what} that no service event of the log covers");
                board.fail(StepName::Absence, why);
                return;
            }
            Some(true) => withheld += 1,
            Some(false) => removed += 1,
        }
    }
    if withheld > 0 && require_complete {
        board.undecided(
            StepName::Absence,
            format!("{withheld} events have fields that were withheld"),
        );
    }
    let detail = match (removed, withheld) {
        (0, 0) => "nothing is missing".to_owned(),
        (removed, 0) => format!("{removed} events lack something; all of it is covered"),
        (0, withheld) => format!("{withheld} events have fields that were withheld"),
        (removed, withheld) => {
            format!(
                "{removed} events lack something that is covered; {withheld} have withheld fields"
            )
        }
    };
    board.pass(StepName::Absence, detail);
}

/// Returns the list of a service event; `None` when it may not cover anything.
fn cover(
    seq: u64,
    said: &Said,
    lists: &HashMap<Hash, Vec<u8>>,
    origin: &str,
    previous: &[Previous],
) -> Result<Option<Cover>, String> {
    let (Some(withheld), Some(sha256)) = (covers(&said.action), said.removal_sha256) else {
        return Ok(None);
    };
    // Lists that nothing in the bundle needs may be left out.
    let Some(bytes) = lists.get(&sha256) else { return Ok(None) };
    let list = RemovalList::parse(bytes)
        .map_err(|error| format!("the removal list of seq {seq}: {error}"))?;
    // What an older incarnation lost is named by a list of that one; its event went over into this log.
    let older = |older: &Previous| older.origin == list.origin() && seq < older.size;
    if list.origin() != origin && !previous.iter().any(older) {
        return Err(format!("the removal list of seq {seq} is of the log {}", list.origin()));
    }
    if said.removal_events != Some(list.events()) {
        return Err(format!(
            "the removal list of seq {seq} names {} events, its event says otherwise",
            list.events()
        ));
    }
    Ok(Some(Cover { seq, withheld, list }))
}

/// Returns whether an absence is covered, and then whether it is only withheld. Several lists may share it.
fn covered(seq: u64, missing: &Missing, covers: &[Cover]) -> Option<bool> {
    // An event about a removal comes after what it removes.
    let of = |cover: &Cover| (cover.seq > seq).then(|| cover.list.of(seq)).flatten().is_some();
    let whole = |cover: &&Cover| matches!(cover.list.of(seq), Some(Extent::Payload));
    let relevant: Vec<&Cover> = covers.iter().filter(|cover| of(cover)).collect();
    if let Some(cover) = relevant.iter().copied().find(whole) {
        return Some(cover.withheld);
    }
    let Missing::Fields(indexes) = missing else { return None };
    let mut withheld = false;
    for index in indexes {
        let mut naming = relevant.iter().filter(|cover| {
            matches!(cover.list.of(seq), Some(Extent::Fields(fields)) if fields.contains(index))
        });
        withheld |= naming.next()?.withheld;
    }
    Some(withheld)
}
