//! What the parts share: the administrator's calls, and a log that is filled.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};

use super::super::{
    child::Server,
    load::{Dice, Prepared},
    wire::Connection,
};
use super::SEED;
use crate::progress;

/// A small event.
pub(super) fn event(tenant: &str) -> Value {
    json!({"tenant": tenant, "action": "document.read", "actor": {"type": "user", "id": "u1"}, "outcome": "success"})
}

/// Submits events of the usual size, the same number to each tenant; returns how many that are altogether.
pub(super) async fn fill(server: &Server, tenants: &[String], events: u64) -> anyhow::Result<u64> {
    let batches = (events / tenants.len() as u64).div_ceil(1_000).max(1);
    let total = batches * 1_000 * tenants.len() as u64;
    let bar = progress::bar("filling up", total);
    let mut dice = Dice::new(SEED);
    let prepared = Prepared::new(1_000, "k", &mut dice);
    let mut connection = Connection::open(server.address).await?;
    for tenant in tenants {
        let mut batch = Vec::with_capacity(1_000);
        for (_, text, _) in prepared.each() {
            let mut value: Value = serde_json::from_str(text)?;
            value["tenant"] = tenant.as_str().into();
            // Without ids of its own a batch can be sent again: the server makes new ones.
            value.as_object_mut().context("an event is an object")?.remove("id");
            batch.push(value);
        }
        let request = post("/v1/events", &server.credentials.ingest_key, &Value::Array(batch));
        for _ in 0..batches {
            let reply = connection.exchange(&request).await?;
            ensure!(reply.status == 201, "the server answered {}", reply.status);
            bar.inc(1_000);
        }
    }
    bar.finish_and_clear();
    Ok(total)
}

/// Returns a request with a body as bytes.
pub(super) fn post(path: &str, key: &str, body: &Value) -> Vec<u8> {
    request("POST", path, key, &body.to_string())
}

fn request(method: &str, path: &str, key: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

/// The calls that the benchmark makes as an administrator.
pub(super) struct Api {
    address: std::net::SocketAddr,
    key: String,
    connection: Arc<tokio::sync::Mutex<Option<Connection>>>,
}

impl Api {
    pub(super) fn new(server: &Server) -> Self {
        let key = server.credentials.admin_key.clone();
        Self { address: server.address, key, connection: Arc::default() }
    }

    async fn call(&self, method: &str, path: &str, body: &str) -> anyhow::Result<(u16, Value)> {
        let mut kept = self.connection.lock().await;
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => Connection::open(self.address).await?,
        };
        let reply = connection.exchange(&request(method, path, &self.key, body)).await?;
        let answer = (reply.status, serde_json::from_slice(reply.body).unwrap_or_default());
        *kept = Some(connection);
        Ok(answer)
    }

    pub(super) async fn tenant(&self, id: &str) -> anyhow::Result<()> {
        let (status, answer) =
            self.call("POST", "/v1/tenants", &json!({"id": id}).to_string()).await?;
        ensure!(status == 201, "making a tenant: {status} {answer}");
        Ok(())
    }

    pub(super) async fn destination(
        &self,
        tenant: &str,
        kind: &str,
        url: String,
        batch: Value,
    ) -> anyhow::Result<String> {
        self.destination_from(tenant, kind, url, batch, "now").await
    }

    pub(super) async fn destination_from(
        &self,
        tenant: &str,
        kind: &str,
        url: String,
        batch: Value,
        start: &str,
    ) -> anyhow::Result<String> {
        let config = match kind {
            "splunk" => json!({"url": url, "token": "bench", "acknowledgement": "off"}),
            _ => json!({"url": url}),
        };
        let body = json!({"name": "bench", "type": kind, "start": start, "config": config, "batch": batch});
        let path = format!("/v1/tenants/{tenant}/destinations");
        let (status, answer) = self.call("POST", &path, &body.to_string()).await?;
        ensure!(status == 201, "making a destination: {status} {answer}");
        Ok(answer["id"].as_str().context("a destination has an id")?.to_owned())
    }

    /// Pauses or resumes destinations.
    pub(super) async fn set(&self, tenant: &str, ids: &[String], what: &str) -> anyhow::Result<()> {
        for id in ids {
            let path = format!("/v1/tenants/{tenant}/destinations/{id}/{what}");
            let (status, answer) = self.call("POST", &path, "").await?;
            ensure!(status == 200, "to {what} a destination: {status} {answer}");
        }
        Ok(())
    }

    /// Waits until the cursor of a destination has reached a seq, or `until`; returns where the cursor stands.
    pub(super) async fn caught_up(
        &self,
        tenant: &str,
        id: &str,
        size: u64,
        until: Instant,
    ) -> anyhow::Result<u64> {
        let path = format!("/v1/tenants/{tenant}/destinations/{id}");
        let bar = progress::bar("catching up", size);
        loop {
            let (status, answer) = self.call("GET", &path, "").await?;
            ensure!(status == 200, "reading a destination: {status} {answer}");
            let cursor = answer["cursor"].as_u64().context("a destination has a cursor")?;
            bar.set_position(cursor);
            if cursor >= size || Instant::now() >= until {
                bar.finish_and_clear();
                return Ok(cursor);
            }
            if answer["state"] != "active" {
                bail!("the destination is {}: {}", answer["state"], answer["reason_detail"]);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
