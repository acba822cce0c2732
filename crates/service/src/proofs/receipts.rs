//! What a submitter may ask for beside a receipt: the proof under the next head, and everything that its leaf commits to.

use std::collections::BTreeMap;

use attestary_event::TenantId;
use attestary_ledger::entry::ENTRY_BYTES;
use attestary_store::{Outcome, Remains};

use super::prove_error;
use crate::{Caller, ReadError, Service};

/// What is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Wait for the next head and prove the events under it.
    pub proof: bool,
    /// Return what a client needs to compute the leaf again.
    pub full: bool,
}

/// What one accepted event's leaf commits to, and its proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Name of the log.
    pub origin: String,
    /// What the leaf is the hash of.
    pub entry: [u8; ENTRY_BYTES],
    /// The event and its salts, as far as they are there.
    pub remains: Remains,
    /// A `.tlog-proof` file, when it was asked for; why there is none otherwise.
    pub proof: Option<Result<String, String>>,
}

impl Service {
    /// Returns the evidence of what was just submitted, in the order of `outcomes`; `None` for events that failed.
    ///
    /// The events are durable already: a proof that cannot be had now is no reason to answer that they are not.
    pub async fn evidence(
        &self,
        caller: &Caller,
        outcomes: &[Outcome],
        wanted: Wanted,
    ) -> Result<Vec<Option<Evidence>>, ReadError> {
        let mut by_tenant: BTreeMap<&TenantId, Vec<(usize, u64)>> = BTreeMap::new();
        for (index, outcome) in outcomes.iter().enumerate() {
            if let Outcome::Accepted(receipt) | Outcome::Duplicate(receipt) = outcome {
                by_tenant.entry(&receipt.tenant).or_default().push((index, receipt.seq));
            }
        }
        let mut all = vec![None; outcomes.len()];
        for (tenant, places) in by_tenant {
            let seqs = places.iter().map(|(_, seq)| *seq).collect();
            let found = self.evidence_of(caller, tenant, seqs, wanted).await?;
            for ((index, _), evidence) in places.into_iter().zip(found) {
                all[index] = Some(evidence);
            }
        }
        Ok(all)
    }

    async fn evidence_of(
        &self,
        caller: &Caller,
        tenant: &TenantId,
        seqs: Vec<u64>,
        wanted: Wanted,
    ) -> Result<Vec<Evidence>, ReadError> {
        let environment = caller.environment()?;
        let events = self.store().disclosed_at(environment, tenant, seqs.clone()).await;
        let events = events.map_err(prove_error)?;
        let origin = self.store().log(environment, tenant).map(|log| log.origin);
        let proofs = if wanted.proof {
            Some(self.proofs_now(caller, tenant, seqs).await.map_err(|error| error.to_string()))
        } else {
            None
        };
        let evidence = events.into_iter().enumerate().map(|(index, event)| Evidence {
            origin: origin.clone().unwrap_or_default(),
            entry: event.entry.encode(),
            remains: event.remains,
            proof: proofs.as_ref().map(|proofs| match proofs {
                Ok(files) => files.get(index).cloned().ok_or_else(String::new),
                Err(reason) => Err(reason.clone()),
            }),
        });
        Ok(evidence.collect())
    }

    async fn proofs_now(
        &self,
        caller: &Caller,
        tenant: &TenantId,
        seqs: Vec<u64>,
    ) -> Result<Vec<String>, ReadError> {
        let environment = caller.environment()?;
        let (head, note) = self.signed_head(environment, tenant).await?;
        let files = self.proof_files(environment, tenant, &head, &note, seqs).await?;
        Ok(files.iter().map(ToString::to_string).collect())
    }
}
