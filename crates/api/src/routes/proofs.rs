//! Proofs: checkpoints, tiles, proof files, consistency, trust files. Texts and tiles are those of C2SP, byte for byte.

use attestary_event::{EventId, event::hex};
use attestary_ledger::{Hash, TilePath};
use attestary_service::{Consistency, FieldProof, PAGE_PROOF_MAX, PageProof, Proved, Salts};
use axum::{
    extract::{Path, RawQuery, State as Shared},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use super::reply;
use crate::{
    app::State,
    extract::{Authed, Posted},
    problem::{INVALID_QUERY, Problem},
    query::Query,
};

/// The proof that a log's older tree begins its newer one (RFC 6962 section 2.1.2).
#[derive(Serialize, ToSchema)]
#[schema(as = Consistency)]
pub(crate) struct ConsistencyView {
    /// Name of the log.
    origin: String,
    /// Events of the older tree.
    from: u64,
    /// Events of the newer tree.
    to: u64,
    /// Base64; compare it with the older checkpoint that you hold.
    from_root: String,
    /// Base64; compare it with the newer checkpoint.
    to_root: String,
    /// The proof, Base64 of 32 bytes each.
    hashes: Vec<String>,
}

/// Read a tenant's checkpoint: a signed note over everything that its log holds (C2SP tlog-checkpoint).
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/checkpoint", tag = "proofs",
    params(("tenant" = String, Path, description = "The tenant's id, or _audit")),
    responses((status = 200, description = "The checkpoint", body = String, content_type = "text/plain"))
)]
pub(crate) async fn checkpoint(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path(tenant): Path<String>,
) -> Result<Response, Problem> {
    let note = state.service.checkpoint(&caller, Some(&tenant)).await?;
    Ok(text(note.to_string()))
}

/// Read a tile of a tenant's tree, or an entry bundle (C2SP tlog-tiles).
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/tile/{path}", tag = "proofs",
    params(
        ("tenant" = String, Path, description = "The tenant's id, or _audit"),
        ("path" = String, Path, description = "<L>/<N>[.p/<W>] or entries/<N>[.p/<W>], such as 0/x001/234 or entries/000.p/17"),
    ),
    responses((status = 200, description = "Hashes of 32 bytes, or entries with their lengths",
        body = Vec<u8>, content_type = "application/octet-stream"))
)]
pub(crate) async fn tile(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path((tenant, path)): Path<(String, String)>,
) -> Result<Response, Problem> {
    // Another spelling of a path is another resource, and there is none.
    let path = TilePath::parse(&format!("tile/{path}")).map_err(|_| Problem::not_found())?;
    let bytes = state.service.tile(&caller, Some(&tenant), path).await?;
    Ok(with_type(bytes.into_response(), "application/octet-stream"))
}

/// Read the proof that an event is in its tenant's log (C2SP tlog-proof).
#[utoipa::path(
    get, path = "/v1/events/{id}/proof", tag = "proofs",
    params(
        ("id" = String, Path, description = "The event's UUID"),
        ("tenant" = Option<String>, Query, description = "Whose log; needed unless the key is limited to one tenant"),
    ),
    responses((status = 200, description = "A .tlog-proof file; its extra data is the 88-byte entry",
        body = String, content_type = "text/plain"))
)]
pub(crate) async fn event(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = Query::parse(query.as_deref(), &["tenant"])?;
    let id = EventId::parse(&id).ok_or_else(Problem::not_found)?;
    let proof = state.service.event_proof(&caller, query.text("tenant"), id).await?;
    let name = format!("attachment; filename=\"{}.tlog-proof\"", proof.id);
    Ok(with_header(text(proof.file.to_string()), header::CONTENT_DISPOSITION, &name))
}

/// Proofs of many events under one checkpoint. Entries are not repeated: seq, id, time and fields are those of the events.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProofPage {
    /// A signed checkpoint over everything that the log held.
    checkpoint: String,
    /// In the order asked for. Events beyond the checkpoint, and those that a session may not see, are left out.
    data: Vec<ProofOfOne>,
    /// The hashes that paths name, Base64 of 32 bytes each.
    hashes: Vec<String>,
}

/// What an event's leaf is computed with, and where its path leads.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProofOfOne {
    seq: u64,
    /// Source of the fields' salts, 32 hexadecimal digits. Not for sessions with hidden fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<String>,
    /// The fields one by one, in the order of pointers: for sessions with hidden fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<Vec<ProofOfField>>,
    /// Indexes into `hashes`; the leaf's sibling first.
    path: Vec<usize>,
}

/// The salt of a field that is shown, or the hash of one that is hidden.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum ProofOfField {
    /// 32 hexadecimal digits.
    Shown { pointer: String, salt: String },
    /// 64 hexadecimal digits.
    Hidden { hash: String },
}

/// Read the proofs of up to 1,000 events: what a viewer needs to compute the leaf of each event that it shows.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/proofs", tag = "proofs",
    params(
        ("tenant" = String, Path, description = "The tenant's id, or _audit"),
        ("seqs" = String, Query, description = "Places in the log: numbers and ranges between commas, such as 17,40-59"),
    ),
    responses((status = 200, description = "The proofs", body = ProofPage))
)]
pub(crate) async fn page(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = Query::parse(query.as_deref(), &["seqs"])?;
    let seqs = seqs(query.text("seqs").unwrap_or_default()).map_err(|detail| {
        let text = format!("the parameter \"seqs\" {detail}");
        Problem::new(&INVALID_QUERY, text).at("/seqs", detail)
    })?;
    let found = state.service.page_proof(&caller, Some(&tenant), &seqs).await?;
    Ok(reply(StatusCode::OK, &proof_page(found)))
}

/// Reads a list such as `17,40-59`, each place once.
fn seqs(text: &str) -> Result<Vec<u64>, String> {
    let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => text.parse::<u64>().ok(),
        false => None,
    };
    let mut list = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let range = number(first).zip(number(last)).filter(|(first, last)| first <= last);
        let Some((first, last)) = range else {
            return Err("is a list of numbers and ranges, such as 17,40-59".into());
        };
        if last - first >= (PAGE_PROOF_MAX - list.len()) as u64 {
            return Err(format!("names at most {PAGE_PROOF_MAX} events"));
        }
        list.extend(first..=last);
    }
    let mut known = std::collections::HashSet::with_capacity(list.len());
    list.retain(|seq| known.insert(*seq));
    Ok(list)
}

fn proof_page(found: PageProof) -> ProofPage {
    ProofPage {
        checkpoint: found.checkpoint,
        data: found.events.into_iter().map(proof_of_one).collect(),
        hashes: found.hashes.iter().map(|hash| STANDARD.encode(hash)).collect(),
    }
}

fn proof_of_one(proved: Proved) -> ProofOfOne {
    let (seed, fields) = match proved.salts {
        Salts::Seed(seed) => (Some(hex(&seed)), None),
        Salts::Fields(fields) => (None, Some(fields.into_iter().map(proof_of_field).collect())),
    };
    ProofOfOne { seq: proved.seq, seed, fields, path: proved.path }
}

fn proof_of_field(field: FieldProof) -> ProofOfField {
    match field {
        FieldProof::Shown { pointer, salt } => ProofOfField::Shown { pointer, salt: hex(&salt) },
        FieldProof::Hidden(hash) => ProofOfField::Hidden { hash: hex(&hash) },
    }
}

/// Prove that a tenant's log only grew between two sizes.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/consistency", tag = "proofs",
    params(
        ("tenant" = String, Path, description = "The tenant's id, or _audit"),
        ("from" = u64, Query, description = "Size of the older tree"),
        ("to" = Option<u64>, Query, description = "Size of the newer tree; that of the newest checkpoint by default"),
    ),
    responses((status = 200, description = "The proof", body = ConsistencyView))
)]
pub(crate) async fn consistency(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = Query::parse(query.as_deref(), &["from", "to"])?;
    let Some(from) = query.number("from")? else {
        let detail = "the parameter \"from\" is required: the size of the older tree";
        return Err(Problem::new(&INVALID_QUERY, detail).at("/from", "is required"));
    };
    let to = query.number("to")?;
    let found = state.service.consistency(&caller, Some(&tenant), from, to).await?;
    Ok(reply(StatusCode::OK, &view(found)))
}

/// Read what a verifier of a tenant's log must know beforehand: its name, slot and keys.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/trust", tag = "proofs",
    params(
        ("tenant" = String, Path, description = "The tenant's id, or _audit"),
        ("anchor" = Option<bool>, Query, description = "Whether the file demands an anchor; by default when there are witnesses"),
    ),
    responses((status = 200, description = "A trust file, which is also a C2SP tlog-policy",
        body = String, content_type = "text/plain"))
)]
pub(crate) async fn trust(
    Shared(state): Shared<State>,
    Authed(caller): Authed,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = Query::parse(query.as_deref(), &["anchor"])?;
    let anchor = query.choice("anchor", &["false", "true"])?.map(|choice| choice == 1);
    Ok(text(state.service.trust_file(&caller, Some(&tenant), anchor).await?))
}

/// A new signing key of a log.
#[derive(Serialize, ToSchema)]
pub(crate) struct RotatedKey {
    /// Counts from 0 with the log's first key.
    epoch: u32,
    /// The smallest tree that the new key signs.
    first_size: u64,
    /// The new key in the form of signed notes.
    verifier_key: String,
}

/// Begin a new epoch of the key that signs a tenant's checkpoints. Verifiers need the new trust file.
#[utoipa::path(
    post, path = "/v1/tenants/{tenant}/rotate-key", tag = "proofs",
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 200, description = "The new key", body = RotatedKey))
)]
pub(crate) async fn rotate_key(
    Shared(state): Shared<State>,
    Path(tenant): Path<String>,
    posted: Posted,
) -> Result<Response, Problem> {
    posted.no_members()?;
    let rotated = state.service.rotate_log_key(&posted.caller, &tenant).await?;
    Ok(rotated_key(rotated))
}

pub(super) fn rotated_key(rotated: attestary_service::RotatedKey) -> Response {
    let (epoch, first_size) = (rotated.epoch, rotated.first_size);
    let view = RotatedKey { epoch, first_size, verifier_key: rotated.verifier_key };
    reply(StatusCode::OK, &view)
}

fn view(found: Consistency) -> ConsistencyView {
    let base64 = |hash: &Hash| STANDARD.encode(hash);
    ConsistencyView {
        origin: found.origin,
        from: found.proof.old,
        to: found.proof.new,
        from_root: base64(&found.old_root),
        to_root: base64(&found.new_root),
        hashes: found.proof.hashes.iter().map(base64).collect(),
    }
}

pub(super) fn text(body: String) -> Response {
    with_type(body.into_response(), "text/plain; charset=utf-8")
}

pub(super) fn with_type(response: Response, media_type: &str) -> Response {
    with_header(response, header::CONTENT_TYPE, media_type)
}

pub(super) fn with_header(mut response: Response, name: HeaderName, value: &str) -> Response {
    let value =
        HeaderValue::from_str(value).expect("media types, UUIDs and Base64 are valid in headers");
    response.headers_mut().insert(name, value);
    response
}
