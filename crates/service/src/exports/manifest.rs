//! The manifest of an export: what the file is, what it was asked for, and who had it.

use serde_json::{Value, json};

use super::{Export, form::numbered};
use crate::{AccessError, Caller, ReadError, Service, error::cause};
use attestary_event::{Timestamp, event::hex};
use attestary_store::catalog::{CustodyRow, ExportState};

impl Service {
    /// Returns the manifest of a finished export, which stays readable after its file expired.
    pub async fn export_manifest(
        &self,
        caller: &Caller,
        tenant: &str,
        id: &str,
    ) -> Result<Value, ReadError> {
        let export = self.export(caller, tenant, id).await?;
        if !matches!(export.row.state, ExportState::Complete | ExportState::Expired) {
            return Err(AccessError::NotFound.into());
        }
        let id = export.row.id.clone();
        let custody = self.catalog(move |catalog| catalog.custody(&id)).await;
        let custody = custody.map_err(|error| ReadError::Unavailable(cause(error)))?;
        let log = self.store().log(&export.row.environment, &export.row.tenant);
        let origin = log.filter(|log| log.log_id == export.row.log_id).map(|log| log.origin);
        Ok(manifest(&export, &custody, origin))
    }
}

fn manifest(export: &Export, custody: &[CustodyRow], origin: Option<String>) -> Value {
    let row = &export.row;
    let time = |ms: u64| Timestamp(ms as i64).to_string();
    let file = row.file.as_ref().map(|file| {
        json!({
            "name": format!("{}.{}", row.id, export.form.extension()),
            "format": export.form.name(),
            "bytes": file.bytes,
            "sha256": hex(&file.sha256),
            "finished_at": time(file.finished_ms),
        })
    });
    let events = row.progress.events;
    let numbering = export.prefix.as_ref().filter(|_| events > 0).map(|prefix| {
        json!({ "prefix": prefix, "first": numbered(prefix, 1), "last": numbered(prefix, events) })
    });
    let custody: Vec<_> = custody
        .iter()
        .map(|row| json!({ "at": time(row.at_ms), "actor": row.actor, "act": row.act }))
        .collect();
    json!({
        "manifest": "attestary/export/v1",
        "id": row.id,
        "environment": row.environment.as_str(),
        "tenant": row.tenant.as_str(),
        "origin": origin,
        "log_size": row.size,
        "query": {
            "filter": export.filter,
            "from": export.from.map(|time| time.to_string()),
            "to": export.to.map(|time| time.to_string()),
            "as_of": time(row.created_ms),
        },
        "events": events,
        "seq_first": row.progress.seq_first,
        "seq_last": row.progress.seq_last,
        "numbering": numbering,
        "file": file,
        "custody": custody,
    })
}
