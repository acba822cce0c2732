//! Sign-in by an OpenID provider: its part of the settings.

use std::path::{Path, PathBuf};

use attestary_event::EnvironmentId;
use attestary_service::{Role, RoleMap};
use serde::Deserialize;
use url::{Host, Url};
use zeroize::Zeroizing;

use super::{given, wrong};
use crate::exit::Failure;

/// Where the provider sends browsers back to, below the public address.
const CALLBACK: &str = "console/sign-in/callback";

/// The table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OidcTable {
    issuer: String,
    name: String,
    client_id: String,
    client_secret: String,
    client_secret_file: PathBuf,
    public_url: String,
    scopes: Vec<String>,
    groups_claim: String,
    roles: Vec<String>,
    environment: String,
    ca_file: PathBuf,
}

/// The secret never shows.
impl std::fmt::Debug for OidcTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OidcTable").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// What sign-in is made from.
#[derive(Debug, Clone)]
pub(crate) struct Oidc {
    /// For the provider.
    pub(crate) provider: attestary_oidc::Settings,
    /// On the button.
    pub(crate) name: String,
    /// What groups mean.
    pub(crate) roles: RoleMap,
}

/// Checks the part; `None` when no issuer is named.
pub(super) fn settings(table: &OidcTable) -> Result<Option<Oidc>, Failure> {
    if table.issuer.is_empty() {
        return Ok(None);
    }
    let issuer = safe_url("oidc.issuer", &table.issuer)?;
    if table.client_id.is_empty() {
        return Err(wrong("oidc.client_id", "is required together with oidc.issuer"));
    }
    let mut public = safe_url("oidc.public_url", &table.public_url)?;
    if !public.path().ends_with('/') {
        public.set_path(&format!("{}/", public.path()));
    }
    let redirect = public.join(CALLBACK).map_err(|error| wrong("oidc.public_url", error))?;
    let host = issuer.host_str().unwrap_or_default();
    let name = if table.name.is_empty() { host } else { &table.name };
    Ok(Some(Oidc {
        name: name.to_owned(),
        roles: roles(table)?,
        provider: attestary_oidc::Settings {
            issuer: table.issuer.clone(),
            client_id: table.client_id.clone(),
            client_secret: secret(table)?,
            redirect,
            scopes: table.scopes.clone(),
            groups_claim: table.groups_claim.clone(),
            certificates: given(&table.ca_file)
                .map(|path| read("oidc.ca_file", &path))
                .transpose()?,
        },
    }))
}

/// Codes and tokens travel over these addresses: plain HTTP is for this machine only.
fn safe_url(name: &str, text: &str) -> Result<Url, Failure> {
    let url = Url::parse(text).map_err(|error| wrong(name, format!("is no address: {error}")))?;
    let local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if local => Ok(url),
        _ => Err(wrong(name, "is an https address (http only for this machine)")),
    }
}

fn secret(table: &OidcTable) -> Result<Option<Zeroizing<String>>, Failure> {
    match (table.client_secret.as_str(), given(&table.client_secret_file)) {
        ("", None) => Ok(None),
        (text, None) => Ok(Some(Zeroizing::new(text.to_owned()))),
        ("", Some(path)) => {
            let bytes = Zeroizing::new(read("oidc.client_secret_file", &path)?);
            let text = std::str::from_utf8(&bytes)
                .map_err(|_| wrong("oidc.client_secret_file", "holds no text"))?;
            Ok(Some(Zeroizing::new(text.trim().to_owned())))
        }
        _ => Err(wrong("oidc.client_secret", "and oidc.client_secret_file exclude each other")),
    }
}

fn read(name: &str, path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path)
        .map_err(|error| wrong(name, format!("{} cannot be read: {error}", path.display())))
}

fn roles(table: &OidcTable) -> Result<RoleMap, Failure> {
    const NAME: &str = "oidc.roles";
    let mut roles = Vec::with_capacity(table.roles.len());
    for line in &table.roles {
        let pair = line.rsplit_once('=').map(|(group, role)| (group, Role::parse(role)));
        let Some((group, Some(role))) = pair else {
            let detail = format!(
                "lists GROUP=ROLE, where the role is operator, auditor or reader; given: {line:?}"
            );
            return Err(wrong(NAME, detail));
        };
        roles.push((group.to_owned(), role));
    }
    if roles.is_empty() {
        return Err(wrong(NAME, "names no group: nobody could sign in"));
    }
    let environment = (!table.environment.is_empty()).then(|| {
        EnvironmentId::parse(&table.environment)
            .map_err(|violation| wrong("oidc.environment", violation.detail))
    });
    let environment = environment.transpose()?;
    if environment.is_none() && roles.iter().any(|(_, role)| *role != Role::Operator) {
        let detail = "is required when readers or auditors sign in: it is where they look";
        return Err(wrong("oidc.environment", detail));
    }
    Ok(RoleMap { roles, environment })
}
