//! Steps 1, 2 and 12: the trusted log's checkpoint, signed by the key that was valid for its size.

use attestary_ledger::{
    Checkpoint, Note, Policy, TrustFile, VerifierKey,
    policy::{Accepted, RefusedNote},
};

use crate::{
    manifest::signed_text,
    report::{Board, StepName},
};

/// Accepts the checkpoint of the tenant's log, or says on the board why not.
pub(crate) fn checkpoint(
    bytes: &[u8],
    trust: &TrustFile,
    board: &mut Board,
) -> Option<(Note, Accepted)> {
    let note = match Note::parse(bytes) {
        Ok(note) => note,
        Err(error) => {
            board.fail(StepName::Notes, format!("the checkpoint: {error}"));
            return None;
        }
    };
    match accepted(&note, trust) {
        Ok(accepted) => Some((note, accepted)),
        Err((step, why)) => {
            board.fail(step, why);
            None
        }
    }
}

/// Accepts a note of the tenant's log; else the step that refuses it and the reason.
pub(crate) fn accepted(note: &Note, trust: &TrustFile) -> Result<Accepted, (StepName, String)> {
    let refused = match trust.check_tenant(note) {
        Ok(accepted) => return Ok(accepted),
        Err(refused) => refused,
    };
    let step = match &refused {
        RefusedNote::OtherLog { origin } => {
            let why = format!("the bundle is of the log {origin}; {} is trusted", trust.origin());
            return Err((StepName::Trust, why));
        }
        RefusedNote::Quorum => StepName::Anchoring,
        RefusedNote::KeyEpoch { .. } => StepName::KeyEpochs,
        _ if signed_in_another_epoch(note, trust.policy()) => {
            let why = "the key that signed is trusted for other sizes of the log, not for this one";
            return Err((StepName::KeyEpochs, why.into()));
        }
        _ => StepName::Notes,
    };
    Err((step, format!("the checkpoint is refused: {}", chain(&refused))))
}

/// Says whether a listed key of the note's log signed it, valid for its size or not.
fn signed_in_another_epoch(note: &Note, policy: &Policy) -> bool {
    let Ok(checkpoint) = Checkpoint::parse(note.text()) else { return false };
    let keys: Vec<VerifierKey> = policy
        .logs()
        .iter()
        .map(|log| log.key.clone())
        .filter(|key| key.name() == checkpoint.origin)
        .collect();
    note.verify(&keys).is_ok()
}

/// Checks the signature over the manifest: by the very keys that signed the checkpoint.
pub(crate) fn manifest(
    signature: &[u8],
    manifest: &[u8],
    accepted: &Accepted,
    trust: &TrustFile,
) -> Result<(), String> {
    let note =
        Note::parse(signature).map_err(|error| format!("the manifest's signature: {error}"))?;
    if note.text() != signed_text(trust.origin(), manifest) {
        return Err("the manifest is not the one that was signed".into());
    }
    let logs = trust.policy().logs();
    let keys: Vec<_> = accepted.logs.iter().map(|&log| logs[log].key.clone()).collect();
    note.verify(&keys).map(|_| ()).map_err(|error| format!("the manifest's signature: {error}"))
}

/// Returns an error with its causes.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
