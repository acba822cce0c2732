//! TLS of the HTTPS listener: certificate and key from PEM files, TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1.
//!
//! The certificate can be replaced while the server runs: [`Tls::reload`] reads the files again, and connections
//! that are opened afterwards get the new one.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, RwLock},
};

use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use tokio_rustls::TlsAcceptor;

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read as PEM.
    #[error("cannot read {path} as PEM")]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Certificate and key do not fit, or are of an unsupported kind.
    #[error("certificate and key cannot be used")]
    Certificate(#[source] rustls::Error),
}

/// A certificate in use.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    certificate: PathBuf,
    key: PathBuf,
    purpose: Purpose,
    config: RwLock<Arc<ServerConfig>>,
}

/// Who is at the other end.
enum Purpose {
    Http,
    /// Something that writes and never reads.
    Senders {
        /// Who signs the certificates that it must show.
        client_ca: Option<PathBuf>,
    },
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("certificate", &self.0.certificate).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads a certificate chain and its key.
    pub fn read(certificate: PathBuf, key: PathBuf) -> Result<Self, TlsError> {
        Self::open(certificate, key, Purpose::Http)
    }

    /// Reads a certificate chain and its key for senders that never read, and whose certificates they must show.
    pub fn read_for_senders(
        certificate: PathBuf,
        key: PathBuf,
        client_ca: Option<PathBuf>,
    ) -> Result<Self, TlsError> {
        Self::open(certificate, key, Purpose::Senders { client_ca })
    }

    fn open(certificate: PathBuf, key: PathBuf, purpose: Purpose) -> Result<Self, TlsError> {
        let config = RwLock::new(Arc::new(config(&certificate, &key, &purpose)?));
        Ok(Self(Arc::new(Inner { certificate, key, purpose, config })))
    }

    /// Reads the files again; on an error the present certificate stays in use.
    pub fn reload(&self) -> Result<(), TlsError> {
        let Inner { certificate, key, purpose, .. } = &*self.0;
        let new = Arc::new(config(certificate, key, purpose)?);
        *self.0.config.write().unwrap_or_else(std::sync::PoisonError::into_inner) = new;
        Ok(())
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let config = self.0.config.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        TlsAcceptor::from(config.clone())
    }
}

fn config(certificate: &Path, key: &Path, purpose: &Purpose) -> Result<ServerConfig, TlsError> {
    let chain = certificates(certificate)?;
    let key_der = PrivateKeyDer::from_pem_file(key)
        .map_err(|source| TlsError::Pem { path: key.to_owned(), source: source.into() })?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Certificate)?;
    let builder = match purpose {
        Purpose::Http | Purpose::Senders { client_ca: None } => builder.with_no_client_auth(),
        Purpose::Senders { client_ca: Some(path) } => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(TlsError::Certificate)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            let verifier = verifier.build().map_err(|error| {
                TlsError::Certificate(rustls::Error::General(error.to_string()))
            })?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain, key_der).map_err(TlsError::Certificate)?;
    match purpose {
        Purpose::Http => config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        // A sender that closes with tickets unread resets the connection, and what it sent last is lost.
        Purpose::Senders { .. } => config.send_tls13_tickets = 0,
    }
    Ok(config)
}

/// Reads the certificates of a file, of which there must be one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|source| TlsError::Pem { path: path.to_owned(), source: source.into() })?;
    if chain.is_empty() {
        let source = io::Error::other("there is no certificate in it").into();
        return Err(TlsError::Pem { path: path.to_owned(), source });
    }
    Ok(chain)
}
