//! Writing one object if nothing is there yet, and looking at what is there if something is.
//!
//! Compression and hashing run on a worker thread: megabytes of them would hold up every other task. The requests go
//! over the connections of [`Http`], so that each of them passes the guard.

use std::{io::Write as _, sync::Arc};

use attestary_event::event::hex;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use flate2::{Compression as Level, GzBuilder};
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;
use url::Url;

use super::{
    EXCHANGE_MAX, READ_MAX, Transport,
    http::{Http, Parts},
    session::{Asked, Session},
    sigv4,
    tokens::Tokens,
    too_slow, wrong_kind,
};
use crate::{
    destination::{
        Request,
        grant::Grant,
        object::{Packing, Put, table},
        sts::Signer,
    },
    guard::{Guard, Owner},
    health::Cause,
    ports::Clock,
    secret::Secret,
    verdict::{Failure, Reply, Response},
};

/// SHA-256 of nothing, in hexadecimal.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// How requests to a store are permitted.
#[derive(Debug, Clone)]
pub(crate) enum Signature {
    /// Amazon's Signature Version 4.
    Aws {
        /// Region in the credential's scope.
        region: String,
        /// Service in the credential's scope.
        service: &'static str,
        /// What signs.
        signer: Signer,
        /// Where roles are assumed.
        sts: Url,
    },
    /// A query that permits the request as it stands.
    Query(Secret),
    /// A token.
    Bearer(Box<Grant>),
    /// Nothing: what should be there cannot be read.
    Missing,
}

/// The transport of object stores.
pub(crate) struct Objects {
    http: Http,
    session: Session,
    tokens: Tokens,
    clock: Arc<dyn Clock>,
}

/// A body as it goes out.
struct Prepared {
    body: Bytes,
    sha256: [u8; 32],
}

impl Transport for Objects {
    fn carry(&mut self, request: Request) -> BoxFuture<'_, Reply> {
        Box::pin(async move {
            let Request::Object(put) = request else { return wrong_kind() };
            // Two requests: the put, and perhaps a look at what is there.
            match timeout(EXCHANGE_MAX * 2, self.put(*put)).await {
                Ok(Ok(reply)) => reply,
                Ok(Err(failure)) => Reply::Failed(failure),
                Err(_) => Reply::Failed(too_slow("the exchange")),
            }
        })
    }
}

impl Objects {
    pub(crate) fn new(http: Http, guard: &Guard, owner: Owner, clock: Arc<dyn Clock>) -> Self {
        let session = Session::new(guard.clone(), owner.clone());
        let tokens = Tokens::new(guard.clone(), owner, clock.clone());
        Self { http, session, tokens, clock }
    }

    async fn put(&mut self, put: Put) -> Result<Reply, Failure> {
        let (body, packing) = (put.body.clone(), put.packing);
        let prepared = tokio::task::spawn_blocking(move || prepare(&body, packing)).await;
        let prepared =
            prepared.map_err(|error| Failure::new(Cause::Configuration, error.to_string()))??;
        let mut headers = put.headers.clone();
        if matches!(put.signature, Signature::Aws { .. }) {
            // Stores that lock objects ask for a checksum; the others compare it.
            let sum = STANDARD.encode(prepared.sha256);
            // Object Lock asks for the name of the checksum beside it.
            insert(&mut headers, "x-amz-sdk-checksum-algorithm", "SHA256");
            insert(&mut headers, "x-amz-checksum-sha256", &sum);
        }
        let hash = hex(&prepared.sha256);
        let (response, _) =
            self.call(Method::PUT, &put, headers, &hash, prepared.body.clone()).await?;
        if !exists(&response) {
            return Ok(Reply::Http(response));
        }
        self.look(&put, response).await
    }

    /// Tells whether the object that is there is the one that was to be written.
    async fn look(&mut self, put: &Put, refused: Response) -> Result<Reply, Failure> {
        let mut headers = HeaderMap::new();
        if let Some(version) = put.headers.get("x-ms-version") {
            headers.insert("x-ms-version", version.clone());
        }
        let (response, found) = self.call(Method::HEAD, put, headers, EMPTY, Bytes::new()).await?;
        let (name, digest) = &put.digest;
        match response.status {
            200 => {
                let same =
                    found.get(name).is_some_and(|value| value.as_bytes() == digest.as_bytes());
                Ok(Reply::Existing { same })
            }
            // It was removed in between: the next attempt writes it.
            404 => Ok(Reply::Http(Response { status: 503, ..refused })),
            _ => Ok(Reply::Http(response)),
        }
    }

    async fn call(
        &mut self,
        method: Method,
        put: &Put,
        mut headers: HeaderMap,
        body_sha256: &str,
        body: Bytes,
    ) -> Result<(Response, HeaderMap), Failure> {
        let mut url = put.url.clone();
        match &put.signature {
            Signature::Aws { region, service, signer, sts } => {
                let at = self.clock.now();
                let asked = Asked { region, endpoint: sts, at };
                let credentials = self.session.credentials(signer, &asked).await?;
                let key = sigv4::Key { region, service, credentials: &credentials };
                sigv4::apply(&key, &method, &url, &mut headers, body_sha256, at)?;
            }
            Signature::Query(query) => url.set_query(Some(query.danger_reveal())),
            Signature::Bearer(grant) => {
                headers.insert(header::AUTHORIZATION, self.tokens.bearer(grant).await?);
            }
            Signature::Missing => {
                let detail = "the credentials cannot be read; give them again";
                return Err(Failure::new(Cause::Credentials, detail));
            }
        }
        let parts = Parts { method, url, headers, body, reply_max: READ_MAX };
        let answered = self.http.call(&parts).await?;
        if matches!(answered.0.status, 400 | 401 | 403) {
            // Temporary credentials may have been withdrawn: the next attempt gets new ones.
            self.session.forget();
            self.tokens.forget();
        }
        Ok(answered)
    }
}

/// Returns whether a refusal says that the object is there already.
fn exists(response: &Response) -> bool {
    response.status == 412
        || (response.status == 409 && response.excerpt.contains("BlobAlreadyExists"))
}

/// Compresses and hashes a body. The same events give the same bytes: no name and no time is in the header.
fn prepare(body: &[u8], packing: Packing) -> Result<Prepared, Failure> {
    let body = match packing {
        Packing::Plain => Bytes::copy_from_slice(body),
        Packing::Table(rules) => {
            let table = table::encode(body, &rules).map_err(|error| {
                Failure::new(Cause::Configuration, format!("the events make no table: {error}"))
            })?;
            table.into()
        }
        Packing::Gzip => {
            let mut encoder = GzBuilder::new().write(Vec::new(), Level::default());
            encoder.write_all(body).expect("a vector takes all that is written");
            encoder.finish().expect("a vector takes all that is written").into()
        }
    };
    let sha256 = Sha256::digest(&body).into();
    Ok(Prepared { body, sha256 })
}

fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) {
    let value = HeaderValue::from_str(value).expect("base64 is visible ASCII");
    headers.insert(HeaderName::from_static(name), value);
}
