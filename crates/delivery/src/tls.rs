//! TLS to destinations: versions, trust, and telling certificate errors from the rest.
//!
//! The system's trust store is used unless the destination brings its own certificates. There is no way to switch
//! verification off and no way back to plain text.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    destination::members::Members, guard::Host, health::Cause, secret::Secret, verdict::Failure,
};

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

/// Reads the members `client_certificate` and `client_key`: a chain and its key in PEM.
pub(crate) fn read_identity(members: &mut Members<'_>) -> Option<(String, Secret)> {
    let (chain, key) = (members.text("client_certificate"), members.text("client_key"));
    let (chain, key) = match (chain, key) {
        (None, None) => return None,
        (Some(chain), Some(key)) => (chain, key),
        (Some(_), None) => {
            members.refuse("client_key", "is required with a client certificate");
            return None;
        }
        (None, Some(_)) => {
            members.refuse("client_certificate", "is required with a client key");
            return None;
        }
    };
    let identity = Identity { chain: chain.to_owned(), key: Secret::new(key) };
    if chain.len() > CA_BYTES_MAX || key.len() > CA_BYTES_MAX {
        members.refuse("client_certificate", format!("must have at most {CA_BYTES_MAX} bytes"));
        return None;
    }
    match config_with(None, Some(&identity)) {
        Ok(_) => Some((identity.chain, identity.key)),
        Err(failure) => {
            members.refuse("client_certificate", failure.detail);
            None
        }
    }
}

/// What a client shows of itself.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// Certificates in PEM, leaf first.
    pub(crate) chain: String,
    /// The leaf's key in PEM.
    pub(crate) key: Secret,
}

/// Returns the configuration of connections that trust `ca`, or the system's certificates without it.
pub(crate) fn config(ca: Option<&str>) -> Result<Arc<ClientConfig>, Failure> {
    config_with(ca, None)
}

/// As [`config`], with a certificate of our own for receivers that ask for one.
pub(crate) fn config_with(
    ca: Option<&str>,
    identity: Option<&Identity>,
) -> Result<Arc<ClientConfig>, Failure> {
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
    let Some(identity) = identity else { return Ok(Arc::new(builder.with_no_client_auth())) };
    let unusable = |what: &str| Failure::new(Cause::Configuration, what);
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(identity.chain.as_bytes()).collect();
    let chain = chain.map_err(|_| unusable("the client certificate is not in PEM"))?;
    let key = PrivateKeyDer::from_pem_slice(identity.key.danger_reveal().as_bytes())
        .map_err(|_| unusable("the client key is not in PEM"))?;
    let config = builder.with_client_auth_cert(chain, key);
    let config = config.map_err(|_| unusable("client certificate and key do not fit together"))?;
    Ok(Arc::new(config))
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
