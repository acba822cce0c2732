//! API keys: minting, listing, revoking, and the index that every request asks.
//!
//! The index lives in memory, so a check costs one hash and one look-up, and a revocation holds for the very next
//! request. An unknown id takes the same steps as a wrong secret. Any number of keys may be valid at once; that is
//! how keys are rotated: mint the new one, roll it out, revoke the old one.

mod viewer;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use attestary_event::{EnvironmentId, TenantId, Violation};
use attestary_store::catalog::{KeyRow, Opaque};
use parking_lot::RwLock;

pub use viewer::ViewerToken;

use crate::{
    AccessError, Caller, ChangeError, ReadError, Scope, Scopes, Secret, Service,
    audit::{Act, action},
    credential::{self, Presented, SecretHash},
    error::cause,
    ids,
};

/// Prefix of key ids.
const PREFIX: &str = "key_";
/// Keys of one environment that are not revoked: a list of them stays one page.
pub(crate) const KEYS_MAX: usize = 1_000;
/// Tenants that one key may be limited to.
const TENANTS_MAX: usize = 1_000;
/// Bytes of a name that people gave.
pub(crate) const NAME_BYTES_MAX: usize = 200;

/// An API key without its secret.
pub struct Key {
    /// `key_` and a ULID.
    pub id: String,
    /// For people.
    pub name: String,
    /// Where it is valid; `_system` for operators.
    pub environment: EnvironmentId,
    /// What it may do.
    pub scopes: Scopes,
    /// The only tenants it may touch.
    pub tenants: Option<Vec<TenantId>>,
    /// When it was made, in milliseconds since the epoch.
    pub created_ms: u64,
    /// Who made it.
    pub created_by: String,
    /// When it stops being valid by itself.
    pub expires_ms: Option<u64>,
    last_used_ms: AtomicU64,
    saved_use_ms: AtomicU64,
    secret_hash: SecretHash,
}

impl Key {
    /// Returns when the key was last used, in milliseconds since the epoch.
    pub fn last_used_ms(&self) -> Option<u64> {
        Some(self.last_used_ms.load(Ordering::Relaxed)).filter(|used| *used > 0)
    }

    fn public_id(&self) -> &str {
        &self.id[PREFIX.len()..]
    }

    fn restored(row: KeyRow) -> Self {
        let used = row.last_used_ms.unwrap_or(0);
        Self {
            id: row.id,
            name: row.name,
            environment: row.environment,
            scopes: row.scopes.iter().filter_map(|name| Scope::parse(name)).collect(),
            tenants: row.tenants.map(|ids| ids.iter().map(|id| TenantId::restored(id)).collect()),
            created_ms: row.created_ms,
            created_by: row.created_by,
            expires_ms: row.expires_ms,
            last_used_ms: used.into(),
            saved_use_ms: used.into(),
            secret_hash: SecretHash(row.secret_sha256.0),
        }
    }

    fn row(&self) -> KeyRow {
        KeyRow {
            id: self.id.clone(),
            environment: self.environment.clone(),
            name: self.name.clone(),
            scopes: self.scopes.iter().map(|scope| scope.name().to_owned()).collect(),
            tenants: self.tenants.as_ref().map(|ids| ids.iter().map(ToString::to_string).collect()),
            secret_sha256: Opaque(self.secret_hash.0),
            created_ms: self.created_ms,
            created_by: self.created_by.clone(),
            expires_ms: self.expires_ms,
            revoked_ms: None,
            last_used_ms: None,
        }
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

/// The keys that are valid now, by public id.
#[derive(Debug, Default)]
pub(crate) struct KeyIndex(RwLock<HashMap<Box<str>, Arc<Key>>>);

impl KeyIndex {
    /// Reads the keys that were not revoked.
    pub(crate) fn restored(rows: Vec<KeyRow>) -> Self {
        let valid =
            rows.into_iter().filter(|row| row.revoked_ms.is_none() && row.id.starts_with(PREFIX));
        let keys = valid.map(Key::restored).map(|key| (key.public_id().into(), Arc::new(key)));
        Self(RwLock::new(keys.collect()))
    }

    /// Returns the key whose secret was presented.
    pub(crate) fn check(&self, presented: &Presented<'_>, now_ms: u64) -> Option<Arc<Key>> {
        let found = self.0.read().get(presented.public_id).cloned();
        let hash = found.as_ref().map_or(SecretHash::NONE, |key| key.secret_hash);
        let matches = hash.matches(&presented.secret_hash);
        let key =
            found.filter(|key| matches && key.expires_ms.is_none_or(|expires| now_ms < expires))?;
        key.last_used_ms.store(now_ms, Ordering::Relaxed);
        Some(key)
    }

    /// Returns true while the key would still be let in.
    pub(crate) fn is_valid(&self, key: &Key, now_ms: u64) -> bool {
        key.expires_ms.is_none_or(|expires| now_ms < expires)
            && self.0.read().contains_key(key.public_id())
    }

    fn insert(&self, key: Arc<Key>) {
        self.0.write().insert(key.public_id().into(), key);
    }

    fn remove(&self, key: &Key) {
        self.0.write().remove(key.public_id());
    }

    fn get(&self, id: &str) -> Option<Arc<Key>> {
        self.0.read().get(id.strip_prefix(PREFIX)?).cloned()
    }

    fn of(&self, environment: &EnvironmentId) -> Vec<Arc<Key>> {
        let keys = self.0.read();
        let mut found: Vec<_> =
            keys.values().filter(|key| key.environment == *environment).cloned().collect();
        found.sort_by(|a, b| (a.created_ms, &a.id).cmp(&(b.created_ms, &b.id)));
        found
    }

    /// Returns the uses that the catalog does not know yet, and counts them as known.
    pub(crate) fn unsaved_uses(&self) -> Vec<(String, u64)> {
        let keys = self.0.read();
        let uses = keys.values().filter_map(|key| {
            let used = key.last_used_ms.load(Ordering::Relaxed);
            (key.saved_use_ms.swap(used, Ordering::Relaxed) != used).then(|| (key.id.clone(), used))
        });
        uses.collect()
    }

    /// Returns true when some operator key is valid.
    pub(crate) fn has_operator(&self) -> bool {
        self.0.read().values().any(|key| key.scopes.has(Scope::Operator))
    }
}

/// What a new key is made from.
#[derive(Debug, Clone, Default)]
pub struct NewKey {
    /// For people.
    pub name: String,
    /// What it may do; at least one scope.
    pub scopes: Vec<Scope>,
    /// The only tenants it may touch.
    pub tenants: Option<Vec<String>>,
    /// When it stops being valid by itself, in milliseconds since the epoch.
    pub expires_ms: Option<u64>,
}

/// A key that was just made; the only moment at which its text is known.
#[derive(Debug)]
pub struct CreatedKey {
    /// The key.
    pub key: Arc<Key>,
    /// Its text.
    pub secret: Secret,
}

impl Service {
    /// Makes a key in the caller's environment. Operator keys belong to the installation and only operators make them.
    pub async fn create_key(
        &self,
        caller: &Caller,
        new: NewKey,
    ) -> Result<CreatedKey, ChangeError> {
        self.permit_keys(caller, "key.create")?;
        let scopes: Scopes = new.scopes.iter().copied().collect();
        let environment = self.environment_of_new_key(caller, scopes)?;
        let tenants = checked(caller, &new)?;
        if self.keys().of(&environment).len() >= KEYS_MAX {
            let reason =
                format!("an environment has at most {KEYS_MAX} valid keys; revoke one first");
            return Err(ChangeError::Conflict { reason });
        }
        let (key, secret) =
            self.mint_key(environment, scopes, tenants, &new, caller.principal.id());
        let act = Act::new(action::KEY, "key.create").on("api_key", &key.id).changed(
            "scopes",
            (),
            names(scopes),
        );
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        let row = key.row();
        self.catalog(move |catalog| catalog.create_key(&row)).await.map_err(change_error)?;
        let key = Arc::new(key);
        self.keys().insert(key.clone());
        Ok(CreatedKey { key, secret })
    }

    /// Lists the valid keys of the caller's environment that the caller covers, oldest first.
    pub async fn list_keys(&self, caller: &Caller) -> Result<Vec<Arc<Key>>, ReadError> {
        self.permit_keys(caller, "key.list")?;
        let mut keys = self.keys().of(&caller.environment);
        keys.retain(|key| covers_key(caller, key));
        self.recorded_list(caller, "key.list", keys.len()).await?;
        Ok(keys)
    }

    /// Returns one valid key.
    pub async fn key(&self, caller: &Caller, id: &str) -> Result<Arc<Key>, ReadError> {
        self.permit_keys(caller, "key.get")?;
        let key = self.own_key(caller, id)?;
        let act = Act::new(action::VIEW, "key.get").on("api_key", id);
        self.record(caller, act).await.map_err(ReadError::Audit)?;
        Ok(key)
    }

    /// Revokes a key: it is refused from the next request on.
    pub async fn revoke_key(&self, caller: &Caller, id: &str) -> Result<(), ChangeError> {
        self.permit_keys(caller, "key.revoke")?;
        let key = self.own_key(caller, id)?;
        let act = Act::new(action::KEY, "key.revoke")
            .on("api_key", id)
            .changed("state", "valid", "revoked");
        self.record(caller, act).await.map_err(ChangeError::Audit)?;
        let (id, now_ms) = (id.to_owned(), self.clock().now_ms());
        // Out of the index first: a failure below then leaves the key refused, not accepted, until the next start.
        self.keys().remove(&key);
        self.catalog(move |catalog| catalog.revoke_key(&id, now_ms)).await.map_err(change_error)
    }

    /// Keys are the business of administrators, and of operators in every environment.
    fn permit_keys(&self, caller: &Caller, operation: &'static str) -> Result<(), AccessError> {
        if caller.has(Scope::Operator) {
            return Ok(());
        }
        self.permit(caller, Scope::Admin, operation)
    }

    fn environment_of_new_key(
        &self,
        caller: &Caller,
        scopes: Scopes,
    ) -> Result<EnvironmentId, AccessError> {
        if !scopes.has(Scope::Operator) {
            return caller.environment().cloned();
        }
        self.permit(caller, Scope::Operator, "key.create")?;
        Ok(EnvironmentId::restored(crate::caller::SYSTEM))
    }

    pub(crate) fn own_key(&self, caller: &Caller, id: &str) -> Result<Arc<Key>, AccessError> {
        let key = self.keys().get(id).ok_or(AccessError::NotFound)?;
        if key.environment == caller.environment && covers_key(caller, &key) {
            Ok(key)
        } else {
            Err(AccessError::NotFound)
        }
    }

    fn mint_key(
        &self,
        environment: EnvironmentId,
        scopes: Scopes,
        tenants: Option<Vec<TenantId>>,
        new: &NewKey,
        created_by: &str,
    ) -> (Key, Secret) {
        let created_ms = self.clock().now_ms();
        let id = ids::mint(PREFIX, created_ms, self.rng());
        let mut random = zeroize::Zeroizing::new([0; 32]);
        self.rng().fill(&mut *random);
        let secret = credential::mint(&id[PREFIX.len()..], &random);
        let presented =
            credential::parse(secret.reveal()).expect("a minted key is of its own form");
        let key = Key {
            name: new.name.clone(),
            environment,
            scopes,
            tenants,
            created_ms,
            created_by: created_by.to_owned(),
            expires_ms: new.expires_ms,
            last_used_ms: 0.into(),
            saved_use_ms: 0.into(),
            secret_hash: presented.secret_hash,
            id,
        };
        (key, secret)
    }

    /// Saves when keys were last used.
    pub(crate) async fn save_key_uses(&self) {
        let uses = self.keys().unsaved_uses();
        if uses.is_empty() {
            return;
        }
        if let Err(error) = self.catalog(move |catalog| catalog.touch_keys(&uses)).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the last uses of keys could not be saved"
            );
        }
    }
}

/// A key limited to tenants may neither see nor make one that reaches further.
fn covers_key(caller: &Caller, key: &Key) -> bool {
    match (caller.tenants(), &key.tenants) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(own), Some(theirs)) => theirs.iter().all(|tenant| own.contains(tenant)),
    }
}

fn checked(caller: &Caller, new: &NewKey) -> Result<Option<Vec<TenantId>>, ChangeError> {
    let mut violations = Vec::new();
    if new.name.len() > NAME_BYTES_MAX {
        let detail =
            format!("a name has at most {NAME_BYTES_MAX} bytes; this one has {}", new.name.len());
        violations.push(Violation::new("/name", detail));
    }
    if new.scopes.is_empty() {
        violations.push(Violation::new("/scopes", "a key needs at least one scope"));
    }
    let operator = new.scopes.contains(&Scope::Operator);
    if operator && new.tenants.is_some() {
        violations.push(Violation::new("/tenants", "an operator key cannot be limited to tenants"));
    }
    let tenants = new.tenants.as_ref().map(|ids| tenant_list(caller, ids, &mut violations));
    if caller.tenants().is_some() && tenants.is_none() {
        violations.push(Violation::new(
            "/tenants",
            "your key is limited to tenants, so this one must be too",
        ));
    }
    if violations.is_empty() { Ok(tenants) } else { Err(ChangeError::Invalid(violations)) }
}

pub(crate) fn tenant_list(
    caller: &Caller,
    ids: &[String],
    violations: &mut Vec<Violation>,
) -> Vec<TenantId> {
    if ids.is_empty() || ids.len() > TENANTS_MAX {
        let detail =
            format!("a list of tenants has 1 to {TENANTS_MAX} members; this one has {}", ids.len());
        violations.push(Violation::new("/tenants", detail));
        return Vec::new();
    }
    let mut tenants: Vec<TenantId> = Vec::with_capacity(ids.len());
    for (at, id) in ids.iter().enumerate() {
        match TenantId::parse(id) {
            Ok(tenant) if !caller.covers(&tenant) => {
                violations.push(Violation::new(
                    format!("/tenants/{at}"),
                    "your own key does not reach this tenant",
                ));
            }
            Ok(tenant) if tenants.contains(&tenant) => {}
            Ok(tenant) => tenants.push(tenant),
            Err(violation) => {
                violations.push(Violation::new(format!("/tenants/{at}"), violation.detail));
            }
        }
    }
    tenants
}

fn names(scopes: Scopes) -> Vec<&'static str> {
    scopes.iter().map(Scope::name).collect()
}

/// A conflict in the catalog is the caller's; anything else is ours.
pub(crate) fn change_error(error: attestary_store::catalog::CatalogError) -> ChangeError {
    use attestary_store::catalog::CatalogError;
    match error {
        CatalogError::Conflict { .. } => {
            ChangeError::Conflict { reason: "somebody else changed it meanwhile".into() }
        }
        CatalogError::NotFound { .. } => AccessError::NotFound.into(),
        other => ChangeError::Unavailable(cause(other)),
    }
}
