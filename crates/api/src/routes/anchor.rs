//! The anchor log: epochs over the heads of all logs, and where one tenant's head stands in them.

use attestary_ledger::TilePath;
use attestary_ledger::stamp::REPLY_TYPE;
use attestary_service::AnchorStatus;
use axum::{
    extract::{Path, RawQuery, State as Shared},
    response::{IntoResponse as _, Response},
};
use http::{HeaderName, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    proofs::{RotatedKey, rotated_key, text, with_header, with_type},
    reply, time,
};
use crate::{
    app::State,
    extract::{Authed, Posted},
    problem::Problem,
    query::Query,
};

/// How epochs and anchors are.
#[derive(Serialize, ToSchema)]
#[schema(as = Anchor)]
pub(crate) struct AnchorView {
    /// Name of the anchor log.
    origin: String,
    /// Its key in the form of signed notes.
    verifier_key: String,
    /// Number of epochs.
    epochs: u64,
    /// When the last one was made.
    last_at: Option<String>,
    /// Epochs under the newest checkpoint that a quorum of witnesses cosigned; without witnesses, all of them.
    anchored: Option<u64>,
    /// The first of the epochs that no quorum saw, while there are such. Intake goes on.
    unwitnessed_since: Option<u64>,
    /// Why the last epoch was not made.
    failed: Option<String>,
    witnesses: Vec<WitnessView>,
    /// The last time-stamp.
    stamp: Option<StampView>,
    /// Why the last time-stamp was not had.
    stamp_failed: Option<String>,
    /// Size of the checkpoint that was put into the bucket last.
    kept: Option<u64>,
    /// Why the last checkpoint was not put there.
    keep_failed: Option<String>,
}

/// A witness of the anchor log.
#[derive(Serialize, ToSchema)]
#[schema(as = AnchorWitness)]
pub(crate) struct WitnessView {
    name: String,
    /// Epochs that it cosigned last, since the service started.
    cosigned: Option<u64>,
    /// Why it did not cosign the last checkpoint.
    refused: Option<String>,
}

/// A time-stamp of a checkpoint.
#[derive(Serialize, ToSchema)]
#[schema(as = AnchorStamp)]
pub(crate) struct StampView {
    /// As the authority writes it: YYYYMMDDhhmmssZ.
    time: String,
    /// Epochs under the checkpoint.
    epochs: u64,
}

/// Read how epochs and anchors are: witnesses, time-stamps, what is missing.
#[utoipa::path(
    get, path = "/v1/anchor", tag = "proofs",
    responses((status = 200, description = "The state; 404 when no epochs are made", body = AnchorView))
)]
pub(crate) async fn state(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
) -> Result<Response, Problem> {
    let found = state.service.anchor_state(&caller).await?;
    Ok(reply(StatusCode::OK, &view(found)))
}

/// Begin a new epoch of the key that signs the anchor log's checkpoints. Witnesses and verifiers need the new key.
#[utoipa::path(
    post, path = "/v1/anchor/rotate-key", tag = "proofs",
    responses((status = 200, description = "The new key; it signs from the next epoch on", body = RotatedKey))
)]
pub(crate) async fn rotate_key(
    Shared(state): Shared<State>,
    posted: Posted,
) -> Result<Response, Problem> {
    posted.no_members()?;
    Ok(rotated_key(state.service.rotate_anchor_key(&posted.caller).await?))
}

/// Read the anchor log's newest checkpoint with its cosignatures (C2SP tlog-checkpoint).
#[utoipa::path(
    get, path = "/v1/anchor/checkpoint", tag = "proofs",
    responses((status = 200, description = "The checkpoint; 404 before the first epoch", body = String,
        content_type = "text/plain"))
)]
pub(crate) async fn checkpoint(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
) -> Result<Response, Problem> {
    Ok(text(state.service.anchor_checkpoint(&caller).await?))
}

/// Read a tile of the anchor log, or a bundle of its entries, which are epoch records (C2SP tlog-tiles).
#[utoipa::path(
    get, path = "/v1/anchor/tile/{path}", tag = "proofs",
    params(("path" = String, Path, description = "<L>/<N>[.p/<W>] or entries/<N>[.p/<W>]")),
    responses((status = 200, description = "Hashes of 32 bytes, or entries with their lengths",
        body = Vec<u8>, content_type = "application/octet-stream"))
)]
pub(crate) async fn tile(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path(path): Path<String>,
) -> Result<Response, Problem> {
    let path = TilePath::parse(&format!("tile/{path}")).map_err(|_| Problem::not_found())?;
    let bytes = state.service.anchor_tile(&caller, path).await?;
    Ok(with_type(bytes.into_response(), "application/octet-stream"))
}

/// Read the newest time-stamp of an anchor checkpoint (RFC 3161). The text that it covers stands in a header, Base64.
#[utoipa::path(
    get, path = "/v1/anchor/stamp", tag = "proofs",
    responses((status = 200, description = "The authority's reply in DER; 404 when there is none",
        body = Vec<u8>, content_type = "application/timestamp-reply",
        headers(("attestary-stamped-text" = String, description = "Base64 of the checkpoint's note text"))))
)]
pub(crate) async fn stamp(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
) -> Result<Response, Problem> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let (stamp, covered) = state.service.anchor_stamp(&caller).await?;
    let name = HeaderName::from_static("attestary-stamped-text");
    Ok(with_header(with_type(stamp.into_response(), REPLY_TYPE), name, &STANDARD.encode(covered)))
}

/// Read the proof that a tenant's head stood at its slot in an anchored epoch.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/slot-proof", tag = "proofs",
    params(
        ("tenant" = String, Path, description = "The tenant's id, or _audit"),
        ("epoch" = Option<u64>, Query, description = "Number of an epoch that is still kept; the newest anchored one by default"),
    ),
    responses((status = 200, description = "A slot-proof file; 404 when no anchored epoch holds the log",
        body = String, content_type = "text/plain"))
)]
pub(crate) async fn slot_proof(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = Query::parse(query.as_deref(), &["epoch"])?;
    let epoch = query.number("epoch")?;
    Ok(text(state.service.slot_proof(&caller, Some(&tenant), epoch).await?.to_string()))
}

/// Read how a tenant's log grew from the head that stood in an anchored epoch up to a checkpoint.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/head", tag = "proofs",
    params(
        ("tenant" = String, Path, description = "The tenant's id, or _audit"),
        ("epoch" = Option<u64>, Query, description = "Number of the epoch; the newest anchored one by default"),
        ("size" = Option<u64>, Query, description = "Events of the checkpoint; those of the newest by default"),
    ),
    responses((status = 200, description = "A growth file", body = String, content_type = "text/plain"))
)]
pub(crate) async fn head(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = Query::parse(query.as_deref(), &["epoch", "size"])?;
    let (epoch, size) = (query.number("epoch")?, query.number("size")?);
    let growth = state.service.anchored_growth(&caller, Some(&tenant), epoch, size).await?;
    Ok(text(growth.to_string()))
}

fn view(found: AnchorStatus) -> AnchorView {
    let witnesses = found.witnesses.into_iter().map(|witness| WitnessView {
        name: witness.name,
        cosigned: witness.cosigned,
        refused: witness.refused,
    });
    AnchorView {
        origin: found.origin,
        verifier_key: found.verifier_key,
        epochs: found.epochs,
        last_at: found.last_ms.map(time),
        anchored: found.anchored,
        unwitnessed_since: found.unwitnessed_since,
        failed: found.failed,
        witnesses: witnesses.collect(),
        stamp: found.stamp.map(|(time, epochs)| StampView { time, epochs }),
        stamp_failed: found.stamp_failed,
        kept: found.kept,
        keep_failed: found.keep_failed,
    }
}
