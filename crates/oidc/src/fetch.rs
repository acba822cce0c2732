//! Requests to the provider: no redirects, bounded time, bounded answers.

use std::time::Duration;

use openidconnect::{HttpRequest, HttpResponse, http};

use crate::{Error, Settings};

const TIME_MAX: Duration = Duration::from_secs(10);
/// Bytes of an answer: documents and key sets are a few kilobytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error(transparent)]
    Form(#[from] http::Error),
    #[error("the answer has more than {ANSWER_BYTES_MAX} bytes")]
    TooLong,
}

/// Returns what sends the requests.
pub(crate) fn client(settings: &Settings) -> Result<reqwest::Client, Error> {
    let failed = |error: reqwest::Error| Error::Provider(error.to_string());
    // A redirect would take the code and our secret elsewhere.
    let mut builder =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(TIME_MAX);
    if let Some(pem) = &settings.certificates {
        let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(failed)?;
        builder = builder.tls_certs_only(certificates);
    }
    builder.build().map_err(failed)
}

/// Sends one request.
pub(crate) async fn send(
    client: reqwest::Client,
    request: HttpRequest,
) -> Result<HttpResponse, FetchError> {
    let mut answer = client.execute(request.try_into()?).await?;
    let mut reply = http::Response::builder().status(answer.status());
    if let Some(headers) = reply.headers_mut() {
        headers.extend(answer.headers().clone());
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(FetchError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(reply.body(body)?)
}
