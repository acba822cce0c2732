//! What a witness answers to a request, from what it signed last. Pure.

use attestary_ledger::{AddCheckpoint, Checkpoint, ConsistencyProof, Note, VerifierKey};

/// The answer to an `add-checkpoint` request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 200, once it stands on the disk: this is consistent with everything that was signed before.
    Cosign(Checkpoint),
    /// 400: the request contradicts itself.
    Malformed(&'static str),
    /// 403: the log did not sign it.
    Forbidden,
    /// 404: no such log is known here.
    UnknownLog,
    /// 409: the request begins at another size than the one signed last, which is this.
    Conflict(u64),
    /// 422: the proof does not lead from the size signed last to this one.
    BadProof,
    /// 422: another root at the size that was signed last. Two histories exist, and this note proves it.
    Fork,
}

/// Decides about a request. `keys` are those of all known logs; `last` returns the checkpoint of a log that was signed last.
pub fn decide(
    request: &AddCheckpoint,
    keys: &[VerifierKey],
    last: impl FnOnce(&str) -> Option<Checkpoint>,
) -> Answer {
    let Ok(checkpoint) = Checkpoint::parse(request.checkpoint.text()) else {
        return Answer::Malformed("the note is no checkpoint");
    };
    let own: Vec<VerifierKey> =
        keys.iter().filter(|key| key.name() == checkpoint.origin).cloned().collect();
    if own.is_empty() {
        return Answer::UnknownLog;
    }
    if !signed(&request.checkpoint, &own) {
        return Answer::Forbidden;
    }
    if request.old > checkpoint.size {
        return Answer::Malformed("the old size is larger than the checkpoint's");
    }
    let last = last(&checkpoint.origin);
    let known = last.as_ref().map_or(0, |last| last.size);
    if request.old != known {
        return Answer::Conflict(known);
    }
    let Some(last) = last.filter(|last| last.size > 0) else {
        // Every log begins with nothing: there is nothing to prove, and a proof of it has no hashes.
        return if request.hashes.is_empty() {
            Answer::Cosign(checkpoint)
        } else {
            Answer::BadProof
        };
    };
    if checkpoint.size == last.size && checkpoint.root != last.root {
        return Answer::Fork;
    }
    let proof =
        ConsistencyProof { old: last.size, new: checkpoint.size, hashes: request.hashes.clone() };
    match proof.verify(&last.root, &checkpoint.root) {
        Ok(()) => Answer::Cosign(checkpoint),
        Err(_) => Answer::BadProof,
    }
}

/// Says whether a key of the log signed; a bad signature by one of them refuses the note.
fn signed(note: &Note, keys: &[VerifierKey]) -> bool {
    note.verify(keys).is_ok_and(|verified| !verified.is_empty())
}

#[cfg(test)]
mod tests {
    use attestary_ledger::{Hash, MemoryTree, NoteSigner, leaf_hash};

    use super::*;

    const LOG: &str = "audit.example.com/anchor";

    fn signer(name: &str) -> NoteSigner {
        NoteSigner::new(name, &[3; 32]).unwrap()
    }

    fn tree(size: u64) -> MemoryTree {
        (0..size).map(|leaf| leaf_hash(&leaf.to_be_bytes())).collect()
    }

    fn note(signer: &NoteSigner, size: u64, root: Hash) -> Note {
        let text = Checkpoint::new(signer.verifier().name(), size, root).to_string();
        let mut note = Note::new(text).unwrap();
        note.push(signer.sign(note.text())).unwrap();
        note
    }

    fn request(old: u64, size: u64) -> AddCheckpoint {
        let newer = tree(size);
        let hashes = match old {
            0 => Vec::new(),
            old => ConsistencyProof::generate(&newer, old, size).unwrap().hashes,
        };
        AddCheckpoint { old, hashes, checkpoint: note(&signer(LOG), size, newer.root()) }
    }

    /// The witness signed a tree of `last` leaves before.
    #[track_caller]
    fn check(last: u64, request: &AddCheckpoint, expected: &Answer) {
        let keys = [signer(LOG).verifier().clone()];
        let known = (last > 0).then(|| Checkpoint::new(LOG, last, tree(last).root()));
        assert_eq!(decide(request, &keys, |_| known), *expected);
    }

    fn cosigned(size: u64) -> Answer {
        Answer::Cosign(Checkpoint::new(LOG, size, tree(size).root()))
    }

    #[test]
    fn a_log_may_only_grow() {
        check(0, &request(0, 0), &cosigned(0));
        check(0, &request(0, 5), &cosigned(5));
        check(5, &request(5, 70), &cosigned(70));
        check(70, &request(70, 70), &cosigned(70));
        check(70, &request(5, 71), &Answer::Conflict(70));
        check(0, &request(5, 71), &Answer::Conflict(0));
        check(70, &request(0, 71), &Answer::Conflict(70));
        check(70, &request(5, 60), &Answer::Conflict(70));
        let mut back = request(5, 60);
        back.old = 70;
        check(70, &back, &Answer::Malformed("the old size is larger than the checkpoint's"));
    }

    #[test]
    fn a_fork_is_named_and_a_bad_proof_refused() {
        let mut fork = request(70, 70);
        fork.checkpoint = note(&signer(LOG), 70, [9; 32]);
        check(70, &fork, &Answer::Fork);
        let mut other = request(5, 70);
        other.checkpoint = note(&signer(LOG), 70, [9; 32]);
        check(5, &other, &Answer::BadProof);
        for change in [
            (|hashes| hashes.pop().map(drop)) as fn(&mut Vec<Hash>) -> Option<()>,
            |hashes| hashes.first_mut().map(|hash| hash[0] ^= 1),
            |hashes| {
                let _: () = hashes.push([0; 32]);
                Some(())
            },
        ] {
            let mut bad = request(5, 70);
            change(&mut bad.hashes).unwrap();
            check(5, &bad, &Answer::BadProof);
        }
        let mut long = request(0, 5);
        long.hashes.push([0; 32]);
        check(0, &long, &Answer::BadProof);
    }

    #[test]
    fn only_known_logs_that_signed_are_answered() {
        let mut unknown = request(0, 5);
        unknown.checkpoint = note(&signer("other.example/log"), 5, tree(5).root());
        check(0, &unknown, &Answer::UnknownLog);
        let mut forged = request(0, 5);
        forged.checkpoint = note(&NoteSigner::new(LOG, &[4; 32]).unwrap(), 5, tree(5).root());
        check(0, &forged, &Answer::Forbidden);
        let mut text = request(0, 5);
        text.checkpoint = Note::new("what\n".into()).unwrap();
        text.checkpoint.push(signer(LOG).sign("what\n")).unwrap();
        check(0, &text, &Answer::Malformed("the note is no checkpoint"));
    }
}
