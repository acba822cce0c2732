//! TLS to destinations: versions, trust, and telling certificate errors from the rest.
//!
//! The system's trust store is used unless the destination brings its own certificates. There is no way to switch
//! verification off and no way back to plain text.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{destination::members::Members, guard::Host, health::Cause, verdict::Failure};

/// Longest PEM text of a destination's own certificates.
const CA_BYTES_MAX: usize = 64 * 1024;
const CA_CERTIFICATES_MAX: usize = 16;

/// Reads the member `ca`: certificates in PEM.
pub(crate) fn read_ca(members: &mut Members<'_>) -> Option<String> {
    let pem = members.text("ca")?;
    match roots(pem) {
        Ok(_) => Some(pem.to_owned()),
        Err(problem) => {
            members.refuse("ca", problem);
            None
        }
    }
}

fn roots(pem: &str) -> Result<RootCertStore, String> {
    if pem.len() > CA_BYTES_MAX {
        return Err(format!("must have at most {CA_BYTES_MAX} bytes; this has {}", pem.len()));
    }
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|_| "must hold certificates in PEM".to_owned())?;
        store
            .add(certificate)
            .map_err(|_| "holds something that is not a certificate".to_owned())?;
    }
    if store.is_empty() || store.len() > CA_CERTIFICATES_MAX {
        return Err(format!("must hold 1 to {CA_CERTIFICATES_MAX} certificates in PEM"));
    }
    Ok(store)
}

/// Returns the configuration of connections that trust `ca`, or the system's certificates without it.
pub(crate) fn config(ca: Option<&str>) -> Result<Arc<ClientConfig>, Failure> {
    let failed = |detail: String| Failure::new(Cause::Tls, detail);
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(format!("cannot set up TLS: {error}")))?;
    let builder = match ca {
        Some(pem) => builder.with_root_certificates(roots(pem).map_err(failed)?),
        None => builder.with_platform_verifier().map_err(|error| {
            failed(format!("cannot read the system's trusted certificates: {error}"))
        })?,
    };
    Ok(Arc::new(builder.with_no_client_auth()))
}

/// Encrypts a connection; the certificate must be valid for the configured host.
pub(crate) async fn wrap(
    config: Arc<ClientConfig>,
    host: &Host,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, Failure> {
    let name = match host {
        Host::Address(ip) => ServerName::from(*ip),
        Host::Name(name) => ServerName::try_from(name.clone()).map_err(|_| {
            Failure::new(
                Cause::Configuration,
                format!("{name} cannot be the name in a certificate"),
            )
        })?,
    };
    TlsConnector::from(config).connect(name, stream).await.map_err(|error| failure(&error))
}

/// Tells what went wrong in a TLS connection.
pub(crate) fn failure(error: &std::io::Error) -> Failure {
    use rustls::{CertificateError as Bad, Error};
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let Some(Error::InvalidCertificate(bad)) = inner else {
        return Failure::new(
            if inner.is_some() { Cause::Tls } else { Cause::Broken },
            format!("TLS failed: {error}"),
        );
    };
    let (cause, detail) = match bad {
        Bad::Expired | Bad::ExpiredContext { .. } => {
            (Cause::CertificateExpired, "the certificate has expired")
        }
        Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
            (Cause::CertificateExpired, "the certificate is not valid yet")
        }
        Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
            (Cause::CertificateName, "the certificate is for another name")
        }
        // A bad signature means: an issuer of that name is trusted, but with another key.
        Bad::UnknownIssuer | Bad::BadSignature => {
            (Cause::CertificateUnknownAuthority, "the certificate's issuer is not trusted")
        }
        _ => {
            return Failure::new(
                Cause::Certificate,
                format!("the certificate is not acceptable: {bad}"),
            );
        }
    };
    Failure::new(cause, detail)
}
