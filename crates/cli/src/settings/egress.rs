//! The settings of what goes out of the house: the egress proxy, and who the service is at Amazon and Google.

use std::path::{Path, PathBuf};

use attestary_delivery::{
    Host, Proxy, Secret,
    destination::{sts, workload::ExternalAccount},
};
use serde::Deserialize;

use super::{given, wrong};
use crate::exit::Failure;

/// The table `[delivery.aws]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AwsTable {
    access_key_id: String,
    secret_access_key_file: PathBuf,
    role_arn: String,
    web_identity_token_file: PathBuf,
}

/// Reads the egress proxy; `None` when connections are direct.
pub(super) fn proxy(address: &str, login_file: &Path) -> Result<Option<Proxy>, Failure> {
    if address.is_empty() {
        return Ok(None);
    }
    let (host, port) =
        Host::parse_with_port(address).map_err(|problem| wrong("delivery.proxy", problem))?;
    let login = given(login_file).map(|path| secret("delivery.proxy_login_file", &path));
    let login = login.transpose()?;
    if login.as_ref().is_some_and(|login| !login.danger_reveal().contains(':')) {
        return Err(wrong("delivery.proxy_login_file", "must hold user:password"));
    }
    Ok(Some(Proxy { host, port, login }))
}

/// Reads who the service is at Amazon; `None` for nobody.
pub(super) fn aws(table: &AwsTable) -> Result<Option<sts::Identity>, Failure> {
    let (secret_file, token_file) =
        (given(&table.secret_access_key_file), given(&table.web_identity_token_file));
    match (table.access_key_id.as_str(), secret_file, table.role_arn.as_str(), token_file) {
        ("", None, "", None) => Ok(None),
        ("", None, role_arn, Some(token_file)) if !role_arn.is_empty() => {
            let role_arn = role_arn.to_owned();
            Ok(Some(sts::Identity::WebIdentity { role_arn, token_file }))
        }
        (id, Some(file), "", None) if !id.is_empty() => {
            let secret = secret("delivery.aws.secret_access_key_file", &file)?;
            Ok(Some(sts::Identity::Key(sts::Key { access_key_id: id.to_owned(), secret })))
        }
        _ => Err(wrong(
            "delivery.aws",
            "needs access_key_id and secret_access_key_file, or role_arn and web_identity_token_file, or nothing",
        )),
    }
}

/// Reads who the service is at Google; `None` for nobody.
pub(super) fn google(file: &Path) -> Result<Option<ExternalAccount>, Failure> {
    const NAME: &str = "delivery.google_credentials_file";
    let text = given(file).map(|path| secret(NAME, &path)).transpose()?;
    let account = text.map(|text| ExternalAccount::parse(text.danger_reveal()));
    account.transpose().map_err(|problem| wrong(NAME, problem))
}

fn secret(name: &str, path: &Path) -> Result<Secret, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| wrong(name, format!("{} cannot be read: {error}", path.display())))?;
    match text.trim() {
        "" => Err(wrong(name, format!("{} is empty", path.display()))),
        text => Ok(Secret::new(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_an_identity_is_refused() {
        let table = |id: &str, secret: &str, role: &str, token: &str| AwsTable {
            access_key_id: id.to_owned(),
            secret_access_key_file: secret.into(),
            role_arn: role.to_owned(),
            web_identity_token_file: token.into(),
        };
        assert!(aws(&table("", "", "", "")).unwrap().is_none());
        assert!(aws(&table("", "", "arn:aws:iam::1:role/a", "/token")).unwrap().is_some());
        for bad in
            [("a", "", "", ""), ("", "", "r", ""), ("", "/s", "", ""), ("a", "/s", "r", "/t")]
        {
            assert!(aws(&table(bad.0, bad.1, bad.2, bad.3)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_proxy_is_host_and_port() {
        assert!(proxy("", Path::new("")).unwrap().is_none());
        assert!(proxy("proxy.corp:3128", Path::new("")).unwrap().is_some());
        assert!(proxy("proxy.corp", Path::new("")).is_err());
    }
}
