//! Tokens that the embedded viewer of Retraced makes: keys that read the one tenant it shows, and nothing else.
//!
//! Only sessions whose token the application asked for with `is_admin` make them, and only when the key that asked may
//! administer keys itself: a viewer never has more than who let it in. The viewer's dialog shows the ids of its list and
//! not what making one answers, so the first list that the same session asks for names a new token by its secret; every
//! later one by its id.

use std::sync::Arc;

use attestary_event::TenantId;

use super::{Key, KeyIndex, NewKey, PREFIX};
use crate::{
    AccessError, Caller, ChangeError, ReadError, Scope, Scopes, Service,
    audit::{Act, action},
    credential,
    error::cause,
};

/// Tokens of one tenant that viewers made.
const TOKENS_MAX: usize = 20;
/// What stands before the session in the maker of such a key.
const MAKER: &str = "viewer ";
const NAME_BYTES_MAX: usize = 128;

/// A token as its dialog shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewerToken {
    /// `key_…`; once, right after it was made, the secret itself.
    pub id: String,
    /// For people.
    pub name: String,
}

impl Service {
    /// Lists the tokens that viewers of the caller's tenant made, oldest first.
    pub async fn viewer_tokens(&self, caller: &Caller) -> Result<Vec<ViewerToken>, ReadError> {
        let tenant = self.permit_viewer(caller, "key.list")?;
        let keys = self.viewer_keys(caller, &tenant);
        let act = Act::new(action::VIEW, "key.list")
            .on("tenant", tenant.as_str())
            .with("result_count", keys.len());
        self.record(caller, act).await.map_err(ReadError::Audit)?;
        let fresh = caller
            .session()
            .map_or_else(Vec::new, |session| std::mem::take(&mut *session.fresh_tokens.lock()));
        let shown = keys.iter().map(|key| {
            let secret = fresh.iter().find(|(id, _)| *id == key.id);
            let id = secret.map_or(key.id.as_str(), |(_, secret)| secret.reveal());
            ViewerToken { id: id.to_owned(), name: key.name.clone() }
        });
        Ok(shown.collect())
    }

    /// Makes a token of the caller's tenant.
    pub async fn create_viewer_token_of(
        &self,
        caller: &Caller,
        name: String,
    ) -> Result<ViewerToken, ChangeError> {
        let tenant = self.permit_viewer(caller, "key.create")?;
        check_name(&name)?;
        if self.viewer_keys(caller, &tenant).len() >= TOKENS_MAX {
            let reason = format!("there are {TOKENS_MAX} tokens already; delete one first");
            return Err(ChangeError::Conflict { reason });
        }
        let Some(session) = caller.session() else { return Err(AccessError::NotFound.into()) };
        let scopes: Scopes = [Scope::Read].into_iter().collect();
        let new = NewKey { name, scopes: vec![Scope::Read], ..NewKey::default() };
        let maker = format!("{MAKER}{}", session.id);
        let environment = caller.environment()?.clone();
        let (key, secret) =
            self.mint_key(environment, scopes, Some(vec![tenant.clone()]), &new, &maker);
        let act = Act::new(action::KEY, "key.create")
            .on("api_key", &key.id)
            .on("tenant", tenant.as_str())
            .changed("scopes", (), super::names(scopes));
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        let row = key.row();
        self.catalog(move |catalog| catalog.create_key(&row)).await.map_err(super::change_error)?;
        let shown = ViewerToken { id: key.id.clone(), name: key.name.clone() };
        session.fresh_tokens.lock().push((key.id.clone(), secret));
        self.keys().insert(Arc::new(key));
        Ok(shown)
    }

    /// Gives a token another name.
    pub async fn rename_viewer_token(
        &self,
        caller: &Caller,
        id: &str,
        name: String,
    ) -> Result<ViewerToken, ChangeError> {
        let tenant = self.permit_viewer(caller, "key.rename")?;
        check_name(&name)?;
        let key = self.viewer_key(caller, &tenant, id)?;
        let act = Act::new(action::KEY, "key.rename").on("api_key", &key.id).changed(
            "name",
            key.name.as_str(),
            name.as_str(),
        );
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        let (id, new) = (key.id.clone(), name.clone());
        self.catalog(move |catalog| catalog.rename_key(&id, &new))
            .await
            .map_err(super::change_error)?;
        // A key that was revoked meanwhile stays out.
        self.keys().rename(&key.id, &name);
        Ok(ViewerToken { id: key.id.clone(), name })
    }

    /// Revokes a token.
    pub async fn revoke_viewer_token(&self, caller: &Caller, id: &str) -> Result<(), ChangeError> {
        let tenant = self.permit_viewer(caller, "key.revoke")?;
        let key = self.viewer_key(caller, &tenant, id)?;
        let act = Act::new(action::KEY, "key.revoke")
            .on("api_key", &key.id)
            .changed("state", "valid", "revoked");
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        self.keys().remove(&key);
        let (id, now_ms) = (key.id.clone(), self.clock().now_ms());
        self.catalog(move |catalog| catalog.revoke_key(&id, now_ms))
            .await
            .map_err(|error| ChangeError::Unavailable(cause(error)))
    }

    /// Returns the tenant whose tokens the caller may administer.
    fn permit_viewer(
        &self,
        caller: &Caller,
        operation: &'static str,
    ) -> Result<TenantId, AccessError> {
        let portal = caller.session().and_then(|session| session.portal.as_ref());
        if !portal.is_some_and(|portal| portal.admin) {
            // No session of a portal has it: this refuses, and leaves a trace.
            self.permit(caller, Scope::Admin, operation)?;
            return Err(AccessError::NotFound);
        }
        caller.only_tenant().cloned().ok_or(AccessError::NotFound)
    }

    fn viewer_keys(&self, caller: &Caller, tenant: &TenantId) -> Vec<Arc<Key>> {
        let mut keys = self.keys().of(&caller.environment);
        keys.retain(|key| {
            key.created_by.starts_with(MAKER)
                && key.tenants.as_deref().is_some_and(|own| own == [tenant.clone()])
        });
        keys
    }

    /// Finds a token by its id, or by the secret that its dialog still shows.
    fn viewer_key(
        &self,
        caller: &Caller,
        tenant: &TenantId,
        id: &str,
    ) -> Result<Arc<Key>, AccessError> {
        let id = match credential::parse(id) {
            Some(presented) => format!("{PREFIX}{}", presented.public_id),
            None => id.to_owned(),
        };
        let keys = self.viewer_keys(caller, tenant);
        keys.into_iter().find(|key| key.id == id).ok_or(AccessError::NotFound)
    }
}

impl KeyIndex {
    fn rename(&self, id: &str, name: &str) {
        let Some(public_id) = id.strip_prefix(PREFIX) else { return };
        let mut keys = self.0.write();
        if let Some(key) = keys.get_mut(public_id) {
            let used = key.last_used_ms();
            let row = attestary_store::catalog::KeyRow {
                name: name.to_owned(),
                last_used_ms: used,
                ..key.row()
            };
            *key = Arc::new(Key::restored(row));
        }
    }
}

fn check_name(name: &str) -> Result<(), ChangeError> {
    if (1..=NAME_BYTES_MAX).contains(&name.len()) {
        return Ok(());
    }
    let detail = format!("has 1 to {NAME_BYTES_MAX} bytes; this one has {}", name.len());
    Err(ChangeError::invalid("/displayName", detail))
}
