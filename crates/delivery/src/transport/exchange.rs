//! Exchanges over HTTP with all that goes with them: compression, a token, a confirmation that is asked for.
//!
//! Tokens are kept until shortly before they expire and fetched over a connection of their own, through the same
//! guard. An answer 401 to a kept token means that it was withdrawn: one new token is tried before the answer is
//! believed. A batch that waits for a confirmation is reported only when the confirmation came or time is up.

use std::{io::Write as _, sync::Arc, time::Duration};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures::future::BoxFuture;
use http::{HeaderValue, header};
use tokio::time::{Instant, sleep};

use super::{
    Transport,
    http::{Http, Parts},
    tokens::Tokens,
    wrong_kind,
};
use crate::{
    destination::{
        Request,
        grant::Grant,
        http::{Confirm, Endpoint, Exchange},
        splunk::{self, Acked},
    },
    guard::{Guard, Owner},
    health::Cause,
    ports::Clock,
    tls::Identity,
    verdict::{Failure, Reply, Response},
};

/// Bodies below this are not worth compressing.
const GZIP_BYTES_MIN: usize = 1_024;
/// Bodies above this are compressed on a thread that may block: 64 KiB take about half a millisecond.
const GZIP_BYTES_INLINE: usize = 64 * 1_024;
/// How long a receiver may take to confirm what it took.
const CONFIRM_MAX: Duration = Duration::from_mins(5);
/// First and longest pause between two questions for a confirmation.
const CONFIRM_PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// The transport of destinations that speak HTTP.
pub(super) struct Exchanges {
    http: Http,
    tokens: Tokens,
}

impl Transport for Exchanges {
    fn carry(&mut self, request: Request) -> BoxFuture<'_, Reply> {
        Box::pin(async move {
            let Request::Exchange(exchange) = request else { return wrong_kind() };
            match self.exchange(*exchange).await {
                Ok(response) => Reply::Http(response),
                Err(failure) => Reply::Failed(failure),
            }
        })
    }
}

impl Exchanges {
    pub(super) fn new(
        guard: &Guard,
        owner: Owner,
        endpoint: &Endpoint,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let http = Http::new(guard.clone(), owner.clone(), endpoint.target(), endpoint.ca.clone());
        Self { http, tokens: Tokens::new(guard.clone(), owner, clock) }
    }

    /// Shows a certificate to receivers that ask for one; the token endpoint is not shown it.
    pub(super) fn with_identity(self, identity: Option<Identity>) -> Self {
        Self { http: self.http.with_identity(identity), ..self }
    }

    async fn exchange(&mut self, exchange: Exchange) -> Result<Response, Failure> {
        let (grant, confirm) = (exchange.grant.clone(), exchange.confirm.clone());
        let mut parts = parts(exchange).await?;
        let response = match &grant {
            Some(grant) => self.authorised(&mut parts, grant).await?,
            None => self.http.send(&parts).await?,
        };
        match confirm {
            Some(confirm) => self.confirmed(response, &confirm).await,
            None => Ok(response),
        }
    }

    async fn authorised(&mut self, parts: &mut Parts, grant: &Grant) -> Result<Response, Failure> {
        let kept = self.tokens.holds(grant);
        parts.headers.insert(header::AUTHORIZATION, self.tokens.bearer(grant).await?);
        let response = self.http.send(parts).await?;
        if response.status != 401 {
            return Ok(response);
        }
        self.tokens.forget();
        if !kept {
            return Ok(response);
        }
        parts.headers.insert(header::AUTHORIZATION, self.tokens.bearer(grant).await?);
        self.http.send(parts).await
    }

    /// Asks until the indexer confirmed what the collector took.
    async fn confirmed(
        &mut self,
        response: Response,
        confirm: &Confirm,
    ) -> Result<Response, Failure> {
        let Some(id) = splunk::ack_id(&response) else {
            if response.status == 200 && confirm.required {
                let detail =
                    "the token has no indexer acknowledgement, which the configuration demands";
                return Err(Failure::new(Cause::Configuration, detail));
            }
            return Ok(response);
        };
        let until = Instant::now() + CONFIRM_MAX;
        let query = parts(splunk::ack_query(confirm, id)).await?;
        let mut pause = CONFIRM_PAUSE.0;
        while Instant::now() < until {
            sleep(pause).await;
            pause = (pause * 2).min(CONFIRM_PAUSE.1);
            // The batch was taken: a question that fails is asked again rather than the batch sent again.
            let Ok(answer) = self.http.send(&query).await else { continue };
            match splunk::acked(&answer, id) {
                Acked::Yes => return Ok(response),
                Acked::Never if !confirm.required => return Ok(response),
                Acked::No => {}
                // Busy or broken: asked again, until time is up.
                Acked::Failed if answer.status >= 429 || answer.status == 200 => {}
                Acked::Failed | Acked::Never => return Ok(answer),
            }
        }
        let detail = format!("the indexer did not confirm within {} s", CONFIRM_MAX.as_secs());
        Err(Failure::new(Cause::Timeout, detail))
    }
}

/// Compresses what is to be compressed, and takes apart what the wire needs.
pub(super) async fn parts(exchange: Exchange) -> Result<Parts, Failure> {
    let Exchange { method, url, mut headers, mut body, gzip, reply_max, .. } = exchange;
    if gzip && body.len() >= GZIP_BYTES_MIN {
        body = compressed(body).await?;
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(Parts { method, url, headers, body, reply_max })
}

async fn compressed(body: Bytes) -> Result<Bytes, Failure> {
    if body.len() <= GZIP_BYTES_INLINE {
        return Ok(gzip(&body));
    }
    let compressing = tokio::task::spawn_blocking(move || gzip(&body));
    compressing
        .await
        .map_err(|error| Failure::new(Cause::Storage, format!("cannot compress: {error}")))
}

fn gzip(body: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    encoder.write_all(body).expect("writing to memory cannot fail");
    encoder.finish().expect("writing to memory cannot fail").into()
}
