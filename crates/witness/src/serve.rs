//! The witness over HTTP: `POST /add-checkpoint` and `GET /<SHA-256 of the origin>/checkpoint`.
//!
//! Requests are decided one after the other, on a thread that may wait for the disk: between reading what was signed last
//! and replacing it nobody else may come. A witness sees one request a minute for each log.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use attestary_ledger::{
    AddCheckpoint, Checkpoint, Cosigner, Hash, Note, Signature, VerifierKey,
    witness::{REQUEST_BYTES_MAX, SIZE_MEDIA_TYPE},
};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Path, State},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use http::{StatusCode, header};
use tokio::{net::TcpListener, sync::Mutex};
use tokio_util::sync::CancellationToken;

use crate::{Answer, Book, BookError, decide};

/// How long a body may take.
const BODY_TIME_MAX: Duration = Duration::from_secs(30);
/// Requests that wait for their turn; beyond, the answer is 503.
const WAITING_MAX: usize = 64;

/// A witness: its key, the logs that it knows, and its book.
#[derive(Debug)]
pub struct Witness {
    cosigner: Cosigner,
    logs: Vec<VerifierKey>,
    book: Book,
    now_s: fn() -> u64,
}

impl Witness {
    /// Returns a witness of these logs. A cosignature is dated by the machine's clock.
    pub fn new(cosigner: Cosigner, logs: Vec<VerifierKey>, book: Book) -> Self {
        Self { cosigner, logs, book, now_s }
    }

    /// Answers a request body: status, media type and body of the reply.
    ///
    /// # Errors
    /// When the book fails; nothing was signed then.
    pub fn add_checkpoint(&self, body: &[u8]) -> Result<(u16, &'static str, String), BookError> {
        const TEXT: &str = "text/plain; charset=utf-8";
        let request = match AddCheckpoint::parse(body) {
            Ok(request) => request,
            Err(error) => return Ok((400, TEXT, format!("{error}\n"))),
        };
        let checkpoint = Checkpoint::parse(request.checkpoint.text());
        let origin = checkpoint.map(|checkpoint| checkpoint.origin).unwrap_or_default();
        let last = if self.logs.iter().any(|key| key.name() == origin) {
            self.book.last(&origin)?
        } else {
            None
        };
        let last = last.and_then(|note| Checkpoint::parse(note.text()).ok());
        let said = |status, text: &str| Ok((status, TEXT, format!("{text}\n")));
        match decide(&request, &self.logs, |_| last) {
            Answer::Cosign(checkpoint) => self.cosign(&checkpoint, &request.checkpoint, TEXT),
            Answer::Malformed(why) => said(400, why),
            Answer::Forbidden => said(403, "no key of this log signed the checkpoint"),
            Answer::UnknownLog => said(404, "this log is not known here"),
            Answer::Conflict(size) => Ok((409, SIZE_MEDIA_TYPE, format!("{size}\n"))),
            Answer::BadProof => said(422, "the proof does not lead to the checkpoint"),
            Answer::Fork => {
                tracing::error!(log.origin = %origin, "a log shows two histories: the note is kept");
                self.book.keep_fork(&request.checkpoint)?;
                said(422, "another root was signed at this size: a fork")
            }
        }
    }

    fn cosign(
        &self,
        checkpoint: &Checkpoint,
        note: &Note,
        media_type: &'static str,
    ) -> Result<(u16, &'static str, String), BookError> {
        let refused = |why: &str| Ok((400, media_type, format!("{why}\n")));
        let Some(cosignature) = self.cosigner.cosign(note.text(), (self.now_s)()) else {
            return refused("the clock of this witness is wrong");
        };
        // The log's lines and our own: what others signed is not for us to pass on.
        let own = self.logs.iter().filter(|key| key.name() == checkpoint.origin);
        let own: Vec<_> = own.map(VerifierKey::id).collect();
        let by_log = note.signatures().iter().filter(|line| own.contains(&line.id)).cloned();
        let kept = signed(note.text(), by_log.chain([cosignature.clone()]));
        let (Some(kept), Some(alone)) = (kept, signed(note.text(), [cosignature].into_iter()))
        else {
            return refused("the note has too many signatures");
        };
        self.book.sign_off(&checkpoint.origin, &kept)?;
        // The signature lines of a note are what follows its last blank line.
        let lines = alone.to_string().rsplit_once("\n\n").map(|(_, lines)| lines.to_owned());
        Ok((200, media_type, lines.unwrap_or_default()))
    }

    /// Returns the note that was signed last of the log whose origin has this SHA-256.
    ///
    /// # Errors
    /// When the book fails.
    pub fn checkpoint(&self, digest: &Hash) -> Result<Option<Note>, BookError> {
        self.book.by_digest(digest)
    }
}

fn signed(text: &str, lines: impl Iterator<Item = Signature>) -> Option<Note> {
    let mut note = Note::new(text.to_owned()).ok()?;
    for line in lines {
        note.push(line).ok()?;
    }
    Some(note)
}

fn now_s() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a cosignature states the time of this machine")]
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[derive(Clone, Debug)]
struct Shared {
    witness: Arc<Witness>,
    turn: Arc<Mutex<()>>,
    waiting: Arc<tokio::sync::Semaphore>,
}

/// Serves a witness until `shutdown`.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    witness: Witness,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let shared = Shared {
        witness: Arc::new(witness),
        turn: Arc::default(),
        waiting: Arc::new(tokio::sync::Semaphore::new(WAITING_MAX)),
    };
    let app = Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/{digest}/checkpoint", get(checkpoint))
        .with_state(shared);
    axum::serve(listener, app).with_graceful_shutdown(shutdown.cancelled_owned()).await
}

async fn add_checkpoint(State(shared): State<Shared>, body: Body) -> Response {
    let Ok(_waiting) = shared.waiting.clone().try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many requests wait\n").into_response();
    };
    let body = match tokio::time::timeout(BODY_TIME_MAX, to_bytes(body, REQUEST_BYTES_MAX)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => {
            return (StatusCode::PAYLOAD_TOO_LARGE, "the body is too long\n").into_response();
        }
        Err(_) => return (StatusCode::REQUEST_TIMEOUT, "the body took too long\n").into_response(),
    };
    let _turn = shared.turn.lock_owned().await;
    let witness = shared.witness;
    let answered = tokio::task::spawn_blocking(move || witness.add_checkpoint(&body)).await;
    match answered {
        Ok(Ok((status, media_type, text))) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, [(header::CONTENT_TYPE, media_type)], text).into_response()
        }
        Ok(Err(error)) => failed(&error),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn checkpoint(State(shared): State<Shared>, Path(digest): Path<String>) -> Response {
    let Some(digest) = parse_digest(&digest) else { return StatusCode::NOT_FOUND.into_response() };
    let witness = shared.witness;
    match tokio::task::spawn_blocking(move || witness.checkpoint(&digest)).await {
        Ok(Ok(Some(note))) => {
            ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], note.to_string())
                .into_response()
        }
        Ok(Ok(None)) => StatusCode::NOT_FOUND.into_response(),
        Ok(Err(error)) => failed(&error),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn failed(error: &BookError) -> Response {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "nothing is signed: the book cannot be used"
    );
    (StatusCode::INTERNAL_SERVER_ERROR, "the witness cannot sign now\n").into_response()
}

/// Reads lower-case hexadecimal of 32 bytes.
fn parse_digest(text: &str) -> Option<Hash> {
    let mut digest = [0; 32];
    let lower = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !lower {
        return None;
    }
    for (at, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(digest)
}
