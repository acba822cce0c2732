//! Step 7: the log only grew since every older checkpoint that is known.

use std::collections::HashMap;

use attestary_ledger::{
    Checkpoint, Note, TilePath, TrustFile, tile::source::TileSource, tree::root,
};

use crate::{
    growth::Growth,
    notes,
    report::{Board, StepName},
    verify::Known,
};

/// Checks the older checkpoints of the bundle and those that the caller knows.
pub(crate) fn check(
    prev: &[(String, u64, Vec<u8>)],
    known: &[Known],
    checkpoint: &Checkpoint,
    tiles: &HashMap<TilePath, Vec<u8>>,
    trust: &TrustFile,
    board: &mut Board,
) {
    let mut older = HashMap::new();
    for (name, size, bytes) in prev {
        match one(bytes, *size, checkpoint, trust) {
            Ok((size, root)) => _ = older.insert(size, root),
            Err((step, why)) => return board.fail(step, format!("{name}: {why}")),
        }
    }
    let mut agreed = 0;
    for head in known.iter().filter(|head| head.origin == checkpoint.origin) {
        if head.size > checkpoint.size {
            let why = format!(
                "a checkpoint of {} events is known; this one, of {}, is older than that",
                head.size, checkpoint.size
            );
            board.undecided(StepName::History, why);
            continue;
        }
        let stated = if head.size == checkpoint.size {
            Some(checkpoint.root)
        } else {
            older.get(&head.size).copied().or_else(|| {
                let fetch = |path: &TilePath| narrowed(tiles, path);
                root(&TileSource::new(head.size, fetch), head.size).ok()
            })
        };
        match stated {
            Some(root) if root == head.root => agreed += 1,
            Some(_) => {
                let why = format!(
                    "at size {} the log had another root when it was seen before: a fork",
                    head.size
                );
                return board.fail(StepName::History, why);
            }
            None => {
                let why = format!(
                    "the bundle does not show that the log grew from the known size {}",
                    head.size
                );
                board.undecided(StepName::History, why);
            }
        }
    }
    board.pass(
        StepName::History,
        format!("{} older checkpoints in the bundle, {agreed} known ones agree", prev.len()),
    );
}

/// Returns the first hashes of the tile that a smaller tree has where ours has this one.
fn narrowed(tiles: &HashMap<TilePath, Vec<u8>>, path: &TilePath) -> Result<Vec<u8>, ()> {
    if let Some(bytes) = tiles.get(path) {
        return Ok(bytes.clone());
    }
    let same = |other: &&TilePath| other.kind() == path.kind() && other.index() == path.index();
    // Widths differ between sizes only in the last tile of a level, so there are at most a few such questions.
    let wider = tiles.keys().filter(same).find(|other| other.width() >= path.width()).ok_or(())?;
    Ok(tiles[wider][..32 * path.width()].to_vec())
}

fn one(
    bytes: &[u8],
    named: u64,
    checkpoint: &Checkpoint,
    trust: &TrustFile,
) -> Result<(u64, attestary_ledger::Hash), (StepName, String)> {
    let history = |why: String| (StepName::History, why);
    let growth = Growth::parse(bytes).map_err(|error| history(error.to_string()))?;
    let note: &Note =
        growth.note.as_ref().ok_or((StepName::Notes, "it is not signed".to_owned()))?;
    // The quorum is the newest checkpoint's business; older ones were collected before witnesses came.
    match notes::accepted(note, trust) {
        Ok(_) | Err((StepName::Anchoring, _)) => {}
        Err(refused) => return Err(refused),
    }
    let older = growth.check(checkpoint).map_err(history)?;
    if older.size != named {
        return Err(history(format!("it is the checkpoint of size {}", older.size)));
    }
    Ok((older.size, older.root))
}
