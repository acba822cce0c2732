//! Deletion certificates: the signed statement that an erasure or a run of retention was carried out.
//!
//! A certificate is a C2SP signed note under the key of the tenant's log. Its first line is `attestary/deletion/v1`,
//! which is the origin of no log, so it can never pass for a checkpoint; the second is the log's origin; the rest is
//! one JSON document, indented, that names events by position and nobody by name. Whoever holds the log's trust file can
//! check it, and each removal in it carries the proof that its covering event is in the log.

use attestary_event::{EnvironmentId, TenantId, event::hex};
use attestary_ledger::Note;
use attestary_store::catalog::{ErasureRow, RemovalRow, RunRow};
use serde_json::{Value, json};

use super::runs::time;
use crate::{
    AccessError, Caller, ReadError, Scope, Service,
    audit::{Act, action},
    error::cause,
};

/// First line; frozen.
const FORM: &str = "attestary/deletion/v1";

/// Places that an installation cannot reach, in every certificate.
const BEYOND: [&str; 3] = [
    "copies that destinations took before",
    "exports that were downloaded before",
    "backups taken before, until they are deleted",
];

impl Service {
    /// Returns the signed statement that an erasure was carried out: what went by position, when, why, and what
    /// proves it.
    pub async fn erasure_certificate(
        &self,
        caller: &Caller,
        tenant: &str,
        id: &str,
    ) -> Result<Note, ReadError> {
        self.permit(caller, Scope::Admin, "erasure.certificate")?;
        let row = self.erasure_row(caller, tenant, id).await?;
        let Some(done_ms) = row.done_ms else { return Err(AccessError::NotFound.into()) };
        let act = Act::new(action::VIEW, "erasure.certificate")
            .on("tenant", row.tenant.as_str())
            .on("erasure", id);
        self.record(caller, act).await.map_err(ReadError::Audit)?;
        let document = of_erasure(&row, done_ms);
        self.certify(&row.environment, &row.tenant, id, document).await
    }

    /// Returns the signed statement of what a run of retention took out of one tenant's log.
    pub async fn retention_certificate(
        &self,
        caller: &Caller,
        tenant: &str,
        id: &str,
    ) -> Result<Note, ReadError> {
        self.permit(caller, Scope::Admin, "retention.certificate")?;
        let tenant = self.visible(caller, tenant)?;
        let environment = caller.environment()?.clone();
        let of = id.to_owned();
        let row = self.catalog(move |catalog| catalog.retention_run(&of)).await;
        let row = row.map_err(|error| ReadError::Unavailable(cause(error)))?;
        let of_tenant = |row: &RunRow| {
            row.environment == environment && row.tenant.as_ref().is_none_or(|own| *own == tenant)
        };
        let row = row.filter(of_tenant).ok_or(AccessError::NotFound)?;
        let Some(ended_ms) = row.ended_ms else { return Err(AccessError::NotFound.into()) };
        let act = Act::new(action::VIEW, "retention.certificate")
            .on("tenant", tenant.as_str())
            .on("retention_run", id);
        self.record(caller, act).await.map_err(ReadError::Audit)?;
        let document = json!({
            "retention_run": row.id, "started_at": time(row.started_ms), "ended_at": time(ended_ms),
            "not_reached": BEYOND,
        });
        self.certify(&environment, &tenant, id, document).await
    }

    /// Adds the removals with their proofs and signs.
    async fn certify(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        cause_id: &str,
        mut document: Value,
    ) -> Result<Note, ReadError> {
        let removals = self.removals_of(cause_id).await;
        let mut removals = removals.map_err(|error| ReadError::Unavailable(cause(error)))?;
        removals.sort_by_key(|row| row.tenant != *tenant);
        let mut certified = Vec::with_capacity(removals.len());
        // An environment's audit log loses what it quotes of a person; its part has a proof in that log.
        for row in removals.iter().filter(|row| row.tenant == *tenant || row.tenant.is_system()) {
            certified.push(self.certified(row).await?);
        }
        document["environment"] = environment.as_str().into();
        document["tenant"] = tenant.as_str().into();
        document["removals"] = certified.into();
        let head = self.fixed_head(environment, tenant).await?;
        let body = serde_json::to_string_pretty(&document)
            .map_err(|error| ReadError::Unavailable(cause(error)))?;
        self.sign_text(environment, tenant, &head, format!("{FORM}\n{}\n{body}\n", head.origin))
            .await
    }

    async fn certified(&self, row: &RemovalRow) -> Result<Value, ReadError> {
        let mut value = json!({
            "removal": row.id, "origin": row.origin, "events": row.events,
            "list_sha256": hex(&row.sha256), "covering_event": row.event_id.to_string(),
            "covering_seq": row.cover_seq, "gone_at": row.done_ms.map(time),
        });
        if let Some(seq) = row.cover_seq {
            let (head, note) = self.signed_head(&row.environment, &row.tenant).await?;
            let files =
                self.proof_files(&row.environment, &row.tenant, &head, &note, vec![seq]).await?;
            value["proof"] = files.first().map(ToString::to_string).into();
        }
        Ok(value)
    }
}

fn of_erasure(row: &ErasureRow, done_ms: u64) -> Value {
    let result: Value = serde_json::from_str(&row.result).unwrap_or_default();
    let written = result["not_reached"].as_array().cloned().unwrap_or_default();
    let beyond = BEYOND.iter().map(|place| Value::from(*place));
    json!({
        "erasure": row.id,
        "legal_basis": row.legal_basis,
        "requested_at": time(row.created_ms),
        "requested_by": row.created_by,
        "completed_at": time(done_ms),
        "events": result["events"],
        "fields": result["fields"],
        "exports_deleted": result["exports"],
        "not_reached": beyond.chain(written).collect::<Vec<_>>(),
    })
}
