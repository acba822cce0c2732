//! Asking witnesses for cosignatures (C2SP tlog-witness), all of them at the same time.

use std::time::Duration;

use attestary_delivery::errand::{self, Answer, Errand};
use attestary_ledger::{
    AddCheckpoint, Note, Signature,
    note::parse_signatures,
    witness::{SIZE_MEDIA_TYPE, parse_size},
};
use futures::future::join_all;

use super::settings::Witness;
use crate::{
    Caller, Service,
    audit::{Act, action},
    error::cause,
};

/// Requests to one witness for one epoch: a wrong size, and a few that do not arrive.
const TRIES_MAX: u32 = 4;
/// Time that all tries together get.
const ASKING_MAX: Duration = Duration::from_secs(25);
/// Longest answer: a few signature lines.
const REPLY_MAX: usize = 16 * 1024;

/// Why a witness did not cosign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("{0}")]
    Silent(String),
    #[error("it answered {status}: {excerpt}")]
    Status { status: u16, excerpt: String },
    #[error("it answered with a signature that does not hold")]
    Signature,
    #[error(
        "it holds another history of the anchor log: a fork, or the data directory went back in time"
    )]
    Fork,
    #[error("the proof for it cannot be made: {0}")]
    Proof(String),
}

impl Service {
    /// Collects cosignatures onto the note. Returns whether they are a quorum; without witnesses, they always are.
    pub(super) async fn ask_witnesses(&self, note: &mut Note, size: u64) -> bool {
        let Some(policy) = &self.settings().anchors.witnesses else { return true };
        let sizes = self.catalog(attestary_store::Catalog::witness_sizes).await.unwrap_or_default();
        let asked = policy.witnesses.iter().map(|witness| {
            let key = witness.key.to_string();
            let known = sizes.iter().find(|(of, _)| *of == key).map_or(0, |(_, size)| *size);
            let text = note.clone();
            async move {
                let asked =
                    tokio::time::timeout(ASKING_MAX, self.cosign(witness, &text, size, known));
                let late = || Err(Refused::Silent("it did not answer in time".into()));
                (witness, asked.await.unwrap_or_else(|_| late()))
            }
        });
        for (witness, answer) in join_all(asked).await {
            let refused = match answer {
                Ok(signature) => note.push(signature).err().map(|error| error.to_string()),
                Err(refused) => {
                    self.note_refusal(witness, &refused, size).await;
                    Some(refused.to_string())
                }
            };
            let cosigned = if refused.is_none() { Some(size) } else { None };
            self.anchors().known.lock().asked(&witness.name, cosigned, refused);
        }
        self.anchor_policy().is_some_and(|policy| policy.check(note).is_ok())
    }

    async fn note_refusal(&self, witness: &Witness, refused: &Refused, size: u64) {
        metrics::counter!("attestary_witness_failures_total", "witness" => witness.name.clone())
            .increment(1);
        if *refused != Refused::Fork {
            tracing::warn!(witness = witness.name, reason = %refused, "a witness did not cosign");
            return;
        }
        tracing::error!(
            witness = witness.name,
            size,
            "a witness holds another history of the anchor log"
        );
        // Once is enough for one history: the alarm stands in metrics and status until it is over.
        if !self.anchors().known.lock().forked.insert(witness.name.clone()) {
            return;
        }
        let act = Act::new(action::GAP, "anchor.fork")
            .on("witness", &witness.name)
            .with("size", size)
            .with("reason", refused.to_string());
        self.record_everywhere(act.failed()).await;
    }

    /// Records what concerns all logs: in the installation's own audit log, and in that of every environment, where people and
    /// destinations see it.
    async fn record_everywhere(&self, act: Act) {
        let environments = self.directory().environments().into_iter();
        let callers = environments.map(|environment| Caller::installation(&environment.name));
        for caller in std::iter::once(Caller::installation_itself()).chain(callers) {
            if let Err(error) = self.record(&caller, act.clone()).await {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "an alarm could not be recorded");
            }
        }
    }

    /// Marks epochs that no quorum saw, and says so once when that begins and once when it ends.
    pub(super) async fn tell_of_witnesses(&self, quorum: bool, epoch: u64) {
        if self.settings().anchors.witnesses.is_none() {
            return;
        }
        let Some(first) = self.anchors().known.lock().witnessed(quorum, epoch) else { return };
        if quorum {
            tracing::info!(epoch, "epochs are witnessed again");
            let act = Act::new(action::GAP, "anchor.witnessed")
                .with("first_epoch", first)
                .with("last_epoch", epoch.saturating_sub(1))
                .with("reason", "a later epoch, which covers these, was witnessed");
            self.record_everywhere(act).await;
        } else {
            tracing::error!(epoch, "the quorum of witnesses is missing: this epoch is unwitnessed");
            let act = Act::new(action::GAP, "anchor.unwitnessed")
                .with("first_epoch", epoch)
                .with("reason", "the quorum of witnesses did not cosign this epoch");
            self.record_everywhere(act.failed()).await;
        }
    }

    /// Has one witness cosign a checkpoint, from the size on that it knows.
    async fn cosign(
        &self,
        witness: &Witness,
        note: &Note,
        size: u64,
        known: u64,
    ) -> Result<Signature, Refused> {
        let mut old = if known > size { 0 } else { known };
        let mut last = Refused::Fork;
        let mut pause = self.settings().anchors.retry_pause;
        for attempt in 0..TRIES_MAX {
            let answer = match self.add_checkpoint(witness, note, old, size).await {
                Ok(answer) => answer,
                Err(refused) => {
                    last = refused;
                    if attempt + 1 < TRIES_MAX {
                        tokio::time::sleep(pause).await;
                        pause *= 2;
                    }
                    continue;
                }
            };
            match answer.status {
                200 => {
                    let signature = signature(witness, note, &answer.body)?;
                    let key = witness.key.to_string();
                    // A size that was not saved costs one conflict at the next epoch.
                    let saved =
                        self.catalog(move |catalog| catalog.set_witness_size(&key, size)).await;
                    if let Err(error) = saved {
                        tracing::warn!(error = &*cause(error), "a witness's size was not saved");
                    }
                    return Ok(signature);
                }
                409 if answer.media_type == SIZE_MEDIA_TYPE => {
                    let stated = str::from_utf8(&answer.body).ok().and_then(parse_size);
                    match stated {
                        // It cosigned a larger tree than there is: ours went back in time.
                        Some(stated) if stated > size => return Err(Refused::Fork),
                        Some(stated) if stated != old => {
                            old = stated;
                            last = status(&answer);
                        }
                        _ => return Err(status(&answer)),
                    }
                }
                422 => return Err(Refused::Fork),
                500.. | 408 | 429 => {
                    last = status(&answer);
                    if attempt + 1 < TRIES_MAX {
                        tokio::time::sleep(pause).await;
                        pause *= 2;
                    }
                }
                _ => return Err(status(&answer)),
            }
        }
        Err(last)
    }

    async fn add_checkpoint(
        &self,
        witness: &Witness,
        note: &Note,
        old: u64,
        size: u64,
    ) -> Result<Answer, Refused> {
        let hashes = if old == 0 || old == size {
            Vec::new()
        } else {
            let proof = self.store().anchor_consistency(old, size).await;
            proof.map_err(|error| Refused::Proof(error.to_string()))?.hashes
        };
        let body = AddCheckpoint { old, hashes, checkpoint: note.clone() }.to_string();
        let errand = Errand {
            url: witness.url.clone(),
            media_type: "text/plain; charset=utf-8",
            body: body.into(),
            ca: None,
            reply_max: REPLY_MAX,
        };
        let answer = errand::post(&self.outbound(), errand).await;
        answer.map_err(|failure| Refused::Silent(failure.detail))
    }
}

/// Returns the witness's own signature from its answer, once it is known to hold.
fn signature(witness: &Witness, note: &Note, body: &[u8]) -> Result<Signature, Refused> {
    let lines = str::from_utf8(body).map_err(|_| Refused::Signature)?;
    let signatures = parse_signatures(lines).map_err(|_| Refused::Signature)?;
    let own = |signature: &&Signature| {
        signature.name == witness.key.name() && signature.id == witness.key.id()
    };
    let signature = signatures.iter().find(own).ok_or(Refused::Signature)?.clone();
    let mut alone = Note::new(note.text().to_owned()).map_err(|_| Refused::Signature)?;
    alone.push(signature.clone()).map_err(|_| Refused::Signature)?;
    let held = alone.verify(std::slice::from_ref(&witness.key));
    held.map_err(|_| Refused::Signature)?;
    Ok(signature)
}

fn status(answer: &Answer) -> Refused {
    let text = String::from_utf8_lossy(&answer.body);
    let excerpt: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    Refused::Status { status: answer.status, excerpt }
}
